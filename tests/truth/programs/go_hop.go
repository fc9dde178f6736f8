// SPDX-License-Identifier: Apache-2.0

// net/http at both ends: each request /h/ID asks the next server for /l/ID/1, /l/ID/2 …  usage: go_hop PORT NEXT_PORT HOW [CERTIFICATE KEY]: then over TLS, both ways
//
//	sequence  three calls, one after the other
//	fresh     the same, a new connection each
//	parallel  three goroutines
//	late      one call, then two goroutines: by then another thread may run the handler
//	pool      three jobs for sixteen goroutines that were there before
//	small     three goroutines that share four connections
//	chain     one call, for /l/1~ID
//	leftover  a job for the oldest of many goroutines, each of which an earlier request has started
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

type job struct {
	path string
	done *sync.WaitGroup
}

var (
	next   string
	client *http.Client
	jobs   = make(chan job)
)

func call(path string) {
	response, err := client.Get(next + path)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func parallel(path string, from, to int) {
	var done sync.WaitGroup
	for i := from; i <= to; i++ {
		done.Add(1)
		go func(i int) {
			defer done.Done()
			call(fmt.Sprint(path, "/", i))
		}(i)
	}
	done.Wait()
}

func worker() {
	each := <-jobs
	call(each.path)
	each.done.Done()
}

func serve(how, path string) {
	switch how {
	case "parallel", "small":
		parallel(path, 1, 3)
	case "chain":
		call("/l/1~" + path[len("/l/"):])
	case "late":
		call(path + "/1")
		parallel(path, 2, 3)
	case "pool":
		var done sync.WaitGroup
		done.Add(3)
		for i := 1; i <= 3; i++ {
			jobs <- job{fmt.Sprint(path, "/", i), &done}
		}
		done.Wait()
	case "leftover":
		var done sync.WaitGroup
		done.Add(1)
		go worker()
		jobs <- job{path + "/1", &done}
		done.Wait()
	default:
		for i := 1; i <= 3; i++ {
			call(fmt.Sprint(path, "/", i))
		}
	}
}

func main() {
	how := os.Args[3]
	next = "http://127.0.0.1:" + os.Args[2]
	transport := &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: 256, DisableKeepAlives: how == "fresh"}
	if how == "small" {
		transport.MaxConnsPerHost = 4
	}
	secure := len(os.Args) > 5
	if secure {
		next = "https://127.0.0.1:" + os.Args[2]
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // whom it talks to is not its business
	}
	client = &http.Client{Transport: transport}
	for i := 0; i < 16 && how == "pool"; i++ {
		go func() {
			for {
				worker()
			}
		}()
	}
	if how == "leftover" {
		for i := 0; i < 80; i++ {
			go worker()
		}
		parallel("/l/before", 1, 80) // connections that are there: a goroutine that opens one waits for something else last
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(how, strings.Replace(r.URL.Path, "/h/", "/l/", 1))
		io.WriteString(w, "done\n")
	})
	if secure {
		log.Fatal(http.ServeTLS(listener, handler, os.Args[4], os.Args[5]))
	}
	log.Fatal(http.Serve(listener, handler))
}
