// SPDX-License-Identifier: Apache-2.0

// grpc-go as a server and as a client of the bed; ../README.md says what they do.
// usage: grpc_go serve PORT NEXT_PORT HOW | grpc_go call PORT CONCURRENCY < PLAN
package main

import (
	"log"
	"os"
	"strings"

	"google.golang.org/grpc"
)

var kinds = map[string]*grpc.StreamDesc{
	"unary":   {StreamName: "Unary"},
	"collect": {StreamName: "Collect", ClientStreams: true},
	"spread":  {StreamName: "Spread", ServerStreams: true},
	"talk":    {StreamName: "Talk", ClientStreams: true, ServerStreams: true},
}

// kindOf: /bed.Bed/Talk and /l.talk/ID are talks, /l/ID is unary.
func kindOf(path string) string {
	parts := strings.Split(path, "/")
	if parts[1] == "bed.Bed" {
		return strings.ToLower(parts[2])
	}
	if _, kind, found := strings.Cut(parts[1], "."); found {
		return kind
	}
	return "unary"
}

func main() {
	switch {
	case len(os.Args) == 5 && os.Args[1] == "serve":
		serve(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 4 && os.Args[1] == "call":
		callAll(os.Args[2], os.Args[3])
	default:
		log.Fatal("usage: grpc_go serve PORT NEXT_PORT HOW | grpc_go call PORT CONCURRENCY < PLAN")
	}
}
