// SPDX-License-Identifier: MIT

// scale.go - the lines of build/bench/scale for goroutines
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func cpuTime() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// Bytes of this process, of a line "Name:   123 kB" in a file of /proc/self.
func memory(file, name string) float64 {
	text, err := os.ReadFile("/proc/self/" + file)
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, name+":") {
			kib, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			if err != nil {
				panic(err)
			}
			return kib * 1024
		}
	}
	panic("no such line: " + name)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: scale TASKS")
		os.Exit(2)
	}
	size, err := strconv.Atoi(os.Args[1])
	if err != nil || size <= 0 {
		fmt.Fprintln(os.Stderr, "usage: scale TASKS")
		os.Exit(2)
	}
	var started, woken int64
	var early int32
	var firstWoken float64
	var all, asleep sync.WaitGroup
	all.Add(size)
	asleep.Add(size)
	rss := memory("smaps_rollup", "Anonymous")
	pte := memory("status", "VmPTE")
	wakeAt := time.Now().Add(time.Duration(0.3e9 + 12e3*float64(size)))

	cpu := cpuTime()
	for i := 0; i < size; i++ {
		go func() {
			atomic.AddInt64(&started, 1)
			asleep.Done()
			time.Sleep(time.Until(wakeAt))
			if atomic.AddInt64(&woken, 1) == 1 {
				firstWoken = cpuTime()
			}
			if atomic.LoadInt64(&started) < int64(size) {
				atomic.StoreInt32(&early, 1)
			}
			all.Done()
		}()
	}
	asleep.Wait()
	cpu = cpuTime() - cpu
	n := float64(size)
	fmt.Printf("rss_per_task %.1f\n", (memory("smaps_rollup", "Anonymous")-rss)/n)
	fmt.Printf("pte_per_task %.1f\n", (memory("status", "VmPTE")-pte)/n)
	fmt.Printf("spawn_ns %.1f\n", cpu/n)
	all.Wait()
	fmt.Printf("wake_ns %.1f\n", (cpuTime()-firstWoken)/n)
	if early != 0 {
		fmt.Println("early 1")
	}
}
