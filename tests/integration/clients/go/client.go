// SPDX-License-Identifier: Apache-2.0
// net/http's client with its connection pool; writes the truth like load.cc. Usage: client PORT REQUESTS CONCURRENCY [tls]
package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

var base = "http://127.0.0.1"

func one(c *http.Client, port, id int) string {
	method, body, size := "GET", io.Reader(nil), 0
	path := fmt.Sprintf("/go/%d/s200/b%d", id, id*37%4000)
	if id%4 == 1 {
		method, size = "POST", 1+id%900
		body = bytes.NewReader(make([]byte, size))
	} else if id%4 == 3 {
		path = fmt.Sprintf("/go/%d/s404/b%d", id, id%50)
	}
	start := time.Now().UnixNano()
	request, _ := http.NewRequest(method, fmt.Sprintf("%s:%d%s?token=hush", base, port, path), body)
	response, err := c.Do(request)
	if err != nil {
		return fmt.Sprintf("%s\t%s\t0\t0\t0\t%d\t%d\t0\t0\t%v\n", method, path, start, time.Now().UnixNano(), err)
	}
	got, _ := io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\t%d\t0\t0\t-\n", method, path, response.StatusCode, size, got, start, time.Now().UnixNano())
}

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	requests, _ := strconv.Atoi(os.Args[2])
	workers, _ := strconv.Atoi(os.Args[3])
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	if len(os.Args) > 4 {
		base, transport.TLSClientConfig = "https://127.0.0.1", &tls.Config{InsecureSkipVerify: true}
	}
	client := &http.Client{Transport: transport}
	var wait sync.WaitGroup
	var lock sync.Mutex
	for w := 0; w < workers; w++ {
		wait.Add(1)
		go func(w int) {
			defer wait.Done()
			for id := w; id < requests; id += workers {
				line := one(client, port, id)
				lock.Lock()
				os.Stdout.WriteString(line)
				lock.Unlock()
			}
		}(w)
	}
	wait.Wait()
}
