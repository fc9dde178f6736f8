// SPDX-License-Identifier: Apache-2.0
// net/http answering by the contract of dynamic.py. Usage: server PORT [CERTIFICATE KEY]
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
)

var (
	statusPart = regexp.MustCompile(`/s(\d{3})`)
	sizePart   = regexp.MustCompile(`/b(\d+)`)
	block      = make([]byte, 1<<20)
)

func serve(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	status, body := 200, []byte("ok")
	if m := statusPart.FindStringSubmatch(r.URL.Path); m != nil {
		status, _ = strconv.Atoi(m[1])
	}
	if m := sizePart.FindStringSubmatch(r.URL.Path); m != nil {
		n, _ := strconv.Atoi(m[1])
		body = block[:n]
	}
	w.Header().Set("X-Pid", strconv.Itoa(os.Getpid()))
	w.WriteHeader(status)
	if status != 204 && r.Method != "HEAD" {
		w.Write(body)
	}
}

func main() {
	for i := range block {
		block[i] = 'x'
	}
	http.HandleFunc("/", serve)
	if len(os.Args) > 3 {
		fmt.Println(http.ListenAndServeTLS("127.0.0.1:"+os.Args[1], os.Args[2], os.Args[3], nil))
	}
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
