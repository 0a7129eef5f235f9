// SPDX-License-Identifier: MIT
//
// echo.go - the echo server in Go, a goroutine for each connection: [--buffer BYTES] PORT
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
)

func serve(connection net.Conn, size int) {
	defer connection.Close()
	buffer := make([]byte, size)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func main() {
	size := flag.Int("buffer", 64*1024, "bytes that are read at once")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:"+flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("READY")
	for {
		connection, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go serve(connection, *size) // with TCP_NODELAY, as Go sets it by itself
	}
}
