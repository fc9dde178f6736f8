// SPDX-License-Identifier: Apache-2.0

// Beside plain/h2c.go.
package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
)

func newClient() *http.Client {
	dial := func(_ context.Context, network, address string, _ *tls.Config) (net.Conn, error) { return net.Dial(network, address) }
	return &http.Client{Transport: &http2.Transport{AllowHTTP: true, DialTLSContext: dial, StrictMaxConcurrentStreams: true}}
}

func listenAndServe(address string, handler http.Handler) error {
	return http.ListenAndServe(address, h2c.NewHandler(handler, &http2.Server{}))
}
