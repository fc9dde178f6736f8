// SPDX-License-Identifier: Apache-2.0
// net/http with a fixed answer; /count says how many requests it has served, itself included. Usage: go_server PORT [TLS_PORT CERTIFICATE KEY]
package main

import (
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
)

var served atomic.Int64

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		w.Write([]byte("ok\n"))
	})
	http.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%d\n", served.Add(1)) })
	if len(os.Args) > 4 {
		go func() { fmt.Println(http.ListenAndServeTLS("127.0.0.1:"+os.Args[2], os.Args[3], os.Args[4], nil)) }()
	}
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
