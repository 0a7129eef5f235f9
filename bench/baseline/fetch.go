// SPDX-License-Identifier: MIT
//
// fetch.go - what bench/fetch.c does, by Go's net/http: 50 goroutines share the work
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	workers = 50
	rounds  = 15
)

func cpu() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return syscall.TimevalToNsec(usage.Utime) + syscall.TimevalToNsec(usage.Stime)
}

func fetch(client *http.Client, url string, size int) {
	response, err := client.Get(url)
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != 200 || len(body) != size {
		panic(fmt.Sprint("not whole: ", len(body), err))
	}
}

func run(client *http.Client, url string, size int, count int64) {
	var left = count
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for atomic.AddInt64(&left, -1) >= 0 {
				fetch(client, url, size)
			}
		}()
	}
	group.Wait()
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func measure(client *http.Client, name string, url string, size int, count int64) {
	var wall, processor []float64
	run(client, url, size, count)
	for i := 0; i < rounds; i++ {
		start, startCPU := time.Now(), cpu()
		run(client, url, size, count)
		wall = append(wall, float64(time.Since(start).Nanoseconds())/float64(count))
		processor = append(processor, float64(cpu()-startCPU)/float64(count))
	}
	fmt.Printf("%s %.0f %.0f\n", name, median(wall), median(processor))
}

func main() {
	base := "http://127.0.0.1:" + os.Args[1]
	client := &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: workers, MaxIdleConnsPerHost: workers, DisableCompression: true}}
	measure(client, "small_1000", base+"/small", 1024, 1000)
	measure(client, "large_50", base+"/large", 1048576, 50)
}
