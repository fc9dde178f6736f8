// SPDX-License-Identifier: Apache-2.0

// Go over HTTP/2 without TLS, as a server and as a client of the bed; ../README.md says what they do. With net_http.go it is by net/http,
// with x_net.go by golang.org/x/net/http2.
// usage: h2c serve PORT NEXT_PORT HOW | h2c call PORT CONCURRENCY < PLAN
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	statusPart = regexp.MustCompile(`/s(\d{3})$`)
	sizePart   = regexp.MustCompile(`/b(\d+)`)
)

// One of three calls for /h/ID.
func onward(client *http.Client, next string, n int, from string) {
	request, _ := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%s/l/%d~%s", next, n, strings.Split(from, "/")[2]), nil)
	request.Header.Set("x-parent", from)
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func serve(port, next, how string) {
	client := newClient()
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		path := r.URL.Path
		delay, _ := strconv.Atoi(r.Header.Get("x-delay"))
		select {
		case <-time.After(time.Duration(delay) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
		if strings.HasPrefix(path, "/h/") {
			var done sync.WaitGroup
			for n := 1; n <= 3; n++ {
				if how == "parallel" {
					done.Go(func() { onward(client, next, n, path) })
				} else {
					onward(client, next, n, path)
				}
			}
			done.Wait()
		}
		status, size := 200, 0
		if m := statusPart.FindStringSubmatch(path); m != nil {
			status, _ = strconv.Atoi(m[1])
		}
		if m := sizePart.FindStringSubmatch(path); m != nil {
			size, _ = strconv.Atoi(m[1])
		}
		w.Header().Set("x-id", path)
		w.Header().Set("x-traceparent", strings.Join(r.Header["Traceparent"], ","))
		w.WriteHeader(status)
		if r.Method != "HEAD" {
			w.Write(make([]byte, size))
		}
	}
	log.Fatal(listenAndServe("127.0.0.1:"+port, http.HandlerFunc(handler)))
}

// outcome is what the client saw of a request; status 0: it was given up.
type outcome struct {
	status, sent, received int
	traces, trouble        string
}

// call makes the request of a line of the plan.
func call(client *http.Client, port, line string) outcome {
	var path, metadata string
	var send, answers, size, code, delay, deadline, cancel int
	if _, err := fmt.Sscan(line, &path, &send, &answers, &size, &code, &delay, &deadline, &cancel, &metadata); err != nil {
		log.Fatalf("plan: %q: %v", line, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if limit := max(deadline, cancel); limit > 0 {
		ctx, stop = context.WithTimeout(ctx, time.Duration(limit)*time.Millisecond)
		defer stop()
	}
	method, body := "GET", io.Reader(nil)
	if send > 0 {
		method, body = "POST", bytes.NewReader(make([]byte, send*size))
	}
	request, _ := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+port+path, body)
	if delay > 0 {
		request.Header.Set("x-delay", strconv.Itoa(delay))
	}
	if metadata != "-" {
		for _, pair := range strings.Split(metadata, ",") {
			key, value, _ := strings.Cut(pair, "=")
			request.Header.Add(key, value)
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return outcome{sent: send * size}
	}
	got, _ := io.Copy(io.Discard, response.Body)
	response.Body.Close()
	trouble := ""
	if id := response.Header.Get("x-id"); id != "" && id != path {
		trouble = "answer-of-" + id
	}
	return outcome{response.StatusCode, send * size, int(got), response.Header.Get("x-traceparent"), trouble}
}

func callAll(port, concurrency string) {
	var plan []string
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		plan = append(plan, lines.Text())
	}
	client := newClient()
	workers, _ := strconv.Atoi(concurrency)
	outcomes := make([]string, len(plan))
	var done sync.WaitGroup
	for worker := 0; worker < workers; worker++ {
		done.Go(func() {
			for i := worker; i < len(plan); i += workers {
				start := time.Now().UnixNano()
				o := call(client, port, plan[i])
				outcomes[i] = fmt.Sprintf("%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", i, o.status, o.sent, o.received, start, time.Now().UnixNano(), o.traces, o.trouble)
			}
		})
	}
	done.Wait()
	os.Stdout.WriteString(strings.Join(outcomes, ""))
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3], os.Args[4])
	} else if len(os.Args) == 4 && os.Args[1] == "call" {
		callAll(os.Args[2], os.Args[3])
	} else {
		log.Fatal("usage: h2c serve PORT NEXT_PORT HOW | h2c call PORT CONCURRENCY < PLAN")
	}
}
