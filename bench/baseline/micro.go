// SPDX-License-Identifier: MIT

// micro.go - the lines of build/bench/micro that make sense for goroutines
//
// A goroutine stands for a task, a channel for a future or a queue, runtime.Gosched() for
// sleep(0). Run with GOMAXPROCS=1 for one thread, as an event loop has; more threads make
// most of these slower and use more processor time. Measures as bench/support/bench.c does.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type clock struct {
	wall, cpu           time.Duration
	wallStart, cpuStart time.Duration
}

var epoch = time.Now()

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (c *clock) start() {
	c.cpuStart = cpuTime()
	c.wallStart = time.Since(epoch)
}

func (c *clock) stop() {
	c.wall += time.Since(epoch) - c.wallStart
	c.cpu += cpuTime() - c.cpuStart
}

func check(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "benchmark failed:", what)
		os.Exit(1)
	}
}

type bench struct {
	name  string
	run   func(c *clock, count int)
	batch int
	waits bool
}

// --- tasks ---

func spawnJoin(c *clock, count int) {
	runs := 0
	done := make(chan struct{})
	c.start()
	for i := 0; i < count; i++ {
		go func() {
			runs++
			done <- struct{}{}
		}()
		<-done
	}
	c.stop()
	check(runs == count, "some goroutines did not run")
}

func gather(c *clock, count int) {
	const tasks = 1000
	var runs int64
	c.start()
	for round := 0; round < count/tasks; round++ {
		var all sync.WaitGroup
		all.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				atomic.AddInt64(&runs, 1)
				all.Done()
			}()
		}
		all.Wait()
	}
	c.stop()
	check(runs == int64(count), "some goroutines did not run")
}

func yield(size int) func(c *clock, count int) {
	return func(c *clock, count int) {
		var yields, missing int64 = 0, int64(size)
		var all, ready sync.WaitGroup
		begin := make(chan struct{})
		all.Add(size)
		ready.Add(size)
		for i := 0; i < size; i++ {
			go func() {
				ready.Done()
				<-begin
				for k := 0; k < count/size; k++ {
					runtime.Gosched()
				}
				atomic.AddInt64(&yields, int64(count/size))
				if atomic.AddInt64(&missing, -1) == 0 {
					c.stop()
				}
				all.Done()
			}()
		}
		ready.Wait()
		c.start()
		close(begin)
		all.Wait()
		check(yields == int64(count), "some goroutines did not yield")
	}
}

func pingpong(c *clock, count int) {
	ping, pong := make(chan struct{}), make(chan struct{})
	returned := 0
	go func() {
		for range ping {
			pong <- struct{}{}
		}
		close(pong)
	}()
	c.start()
	for i := 0; i < count; i++ {
		ping <- struct{}{}
		<-pong
		returned++
	}
	c.stop()
	close(ping)
	<-pong
	check(returned == count, "the ball got lost")
}

// --- synchronisation ---

func queue(c *clock, count int) {
	items := make(chan int, 64)
	sum := 0
	done := make(chan struct{})
	c.start()
	go func() {
		for i := 0; i < count; i++ {
			items <- i
		}
		close(items)
	}()
	go func() {
		for range items {
			sum++
		}
		close(done)
	}()
	<-done
	c.stop()
	check(sum == count, "some items got lost")
}

func lock(c *clock, count int) {
	const tasks = 100
	var mutex sync.Mutex
	var all sync.WaitGroup
	turns := 0
	all.Add(tasks)
	c.start()
	for i := 0; i < tasks; i++ {
		go func() {
			for k := 0; k < count/tasks; k++ {
				mutex.Lock()
				runtime.Gosched()
				turns++
				mutex.Unlock()
			}
			all.Done()
		}()
	}
	all.Wait()
	c.stop()
	check(turns == count, "some turns got lost")
}

func lockUncontended(c *clock, count int) {
	var mutex sync.Mutex
	turns := 0
	c.start()
	for i := 0; i < count; i++ {
		mutex.Lock()
		turns++
		mutex.Unlock()
	}
	c.stop()
	check(turns == count, "some turns got lost")
}

// A channel that is closed wakes all who wait, as an event does.
func eventWake(c *clock, count int) {
	const tasks = 1000
	var woken int64
	for round := 0; round < count/tasks; round++ {
		var all, ready sync.WaitGroup
		event := make(chan struct{})
		all.Add(tasks)
		ready.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				ready.Done()
				<-event
				atomic.AddInt64(&woken, 1)
				all.Done()
			}()
		}
		ready.Wait()
		runtime.Gosched()
		c.start()
		close(event)
		all.Wait()
		c.stop()
	}
	check(woken == int64(count), "some goroutines were not woken")
}

// --- time ---

func delay(i int) time.Duration {
	return time.Duration(1+(uint64(i)*2654435761>>16)%10) * time.Millisecond
}

func timers(size int) func(c *clock, count int) {
	return func(c *clock, count int) {
		c.start()
		for round := 0; round < count/size; round++ {
			var fired int64
			done := make(chan struct{})
			for i := 0; i < size; i++ {
				time.AfterFunc(delay(i), func() {
					if atomic.AddInt64(&fired, 1) == int64(size) {
						close(done)
					}
				})
			}
			<-done
			check(fired == int64(size), "some timers did not fire")
		}
		c.stop()
	}
}

// One context for all is the cheapest way to cancel many.
func cancel(c *clock, count int) {
	const tasks = 100000
	for round := 0; round < count/tasks; round++ {
		var cancelled int64
		var all, ready sync.WaitGroup
		ctx, cancel := context.WithCancel(context.Background())
		all.Add(tasks)
		ready.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				defer all.Done()
				timer := time.NewTimer(time.Hour)
				defer timer.Stop()
				ready.Done()
				select {
				case <-ctx.Done():
					atomic.AddInt64(&cancelled, 1)
				case <-timer.C:
				}
			}()
		}
		ready.Wait()
		runtime.Gosched()
		c.start()
		cancel()
		all.Wait()
		c.stop()
		check(cancelled == tasks, "some goroutines were not cancelled")
	}
}

// --- streams ---

func end(fd int) net.Conn {
	file := os.NewFile(uintptr(fd), "socket")
	conn, err := net.FileConn(file)
	check(err == nil && file.Close() == nil, "no connection of a socket")
	return conn
}

func stream(c *clock, count int) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(err == nil, "no socket pair")
	ours, theirs := end(fds[0]), end(fds[1])
	go func() {
		data := make([]byte, 1024)
		for {
			n, err := theirs.Read(data)
			if err != nil {
				theirs.Close()
				return
			}
			theirs.Write(data[:n])
		}
	}()
	message := bytes.Repeat([]byte{'x'}, 1024)
	answer := make([]byte, 1024)
	c.start()
	for i := 0; i < count; i++ {
		binary.LittleEndian.PutUint64(message, uint64(i))
		ours.Write(message)
		_, err := io.ReadFull(ours, answer)
		check(err == nil && bytes.Equal(answer, message), "what came back is not what was sent")
	}
	c.stop()
	ours.Close()
}

var benches = []bench{
	{"spawn_join", spawnJoin, 1, false},
	{"yield_1", yield(1), 1, false},
	{"yield_100", yield(100), 100, false},
	{"yield_10k", yield(10000), 10000, false},
	{"pingpong", pingpong, 1, false},
	{"gather_1000", gather, 1000, false},
	{"queue_64", queue, 1, false},
	{"lock_100", lock, 100, false},
	{"lock_uncontended", lockUncontended, 1, false},
	{"event_wake_1000", eventWake, 1000, false},
	{"timers_1k", timers(1000), 1000, true},
	{"timers_10k", timers(10000), 10000, true},
	{"timers_100k", timers(100000), 100000, true},
	{"timers_1m", timers(1000000), 1000000, true},
	{"cancel_100k", cancel, 100000, false},
	{"stream_1k", stream, 1, false},
}

// --- samples ---

func median(values []float64) float64 {
	sort.Float64s(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

func findCount(b *bench, sample time.Duration) int {
	for batches := 1; ; {
		var c clock
		b.run(&c, batches*b.batch)
		if c.wall >= sample {
			return batches * b.batch
		}
		factor := int(sample/(c.wall+1)) + 1
		if factor > 10 {
			factor = 10
		}
		batches *= factor
	}
}

func measure(b *bench, wanted time.Duration) {
	var wall, cpu []float64
	var total time.Duration
	count := findCount(b, wanted/10)
	for len(wall) < 100 {
		var c clock
		b.run(&c, count)
		wall = append(wall, float64(c.wall)/float64(count))
		cpu = append(cpu, float64(c.cpu)/float64(count))
		total += c.wall
		if total >= wanted && (len(wall) >= 3 || c.wall >= wanted) {
			break
		}
	}
	processor := median(cpu)
	if b.waits {
		fmt.Printf("%s %.2f %.2f\n", b.name, processor, processor)
	} else {
		fmt.Printf("%s %.2f %.2f\n", b.name, median(wall), processor)
	}
}

func main() {
	wanted := 300
	if ms, err := strconv.Atoi(os.Getenv("LAB_MS")); err == nil && ms > 0 {
		wanted = ms
	}
	names := map[string]bool{}
	for _, name := range os.Args[1:] {
		names[name] = true
	}
	for i := range benches {
		if len(names) == 0 || names[benches[i].name] {
			measure(&benches[i], time.Duration(wanted)*time.Millisecond)
		}
	}
}
