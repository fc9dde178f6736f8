// SPDX-License-Identifier: Apache-2.0

// The demo's Go service: how much is left of an item, and the rate that its price follows. Looking into the shelf takes a while.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	left := map[string]int{"tea": 12, "coffee": 0, "cocoa": 3}
	answer := func(w http.ResponseWriter, format string, value any) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, format, value)
	}
	http.HandleFunc("/stock/", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(15 * time.Millisecond)
		answer(w, `{"in_stock":%d}`, left[strings.TrimPrefix(r.URL.Path, "/stock/")])
	})
	http.HandleFunc("/rate/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, `{"rate":%.2f}`, 1.25)
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
