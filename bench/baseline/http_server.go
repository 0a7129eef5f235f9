// SPDX-License-Identifier: MIT
//
// http_server.go - what build/bench/http_server does, by Go's net/http: PORT
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
)

type hello struct {
	Message string `json:"message"`
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := json.Marshal(hello{"Hello, World!"})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("READY")
	http.Serve(listener, mux)
}
