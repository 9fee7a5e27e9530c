// A server that counts in its memory, and a client in it that asks all the time.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

func main() {
	var asked, failed atomic.Int64
	begun := time.Now().UnixNano()
	http.HandleFunc("/ask", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, asked.Add(1)) })
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, begun, asked.Load(), failed.Load()) })
	ballast := make([][]byte, 64)
	for i := range ballast {
		ballast[i] = make([]byte, 1<<20)
		for j := range ballast[i] {
			ballast[i][j] = byte(i + j)
		}
	}
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		panic(err)
	}
	go func() {
		for ; ; time.Sleep(time.Millisecond) {
			answer, err := http.Get("http://127.0.0.1:8080/ask")
			if err != nil {
				failed.Add(1)
				continue
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			ballast[asked.Load()%64][0]++
		}
	}()
	panic(http.Serve(listener, nil))
}
