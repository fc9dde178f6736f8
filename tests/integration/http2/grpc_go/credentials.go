// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// In plain text, or by TLS if BED_CERTIFICATE and BED_KEY name files; a client trusts that certificate.
func serverCredentials() credentials.TransportCredentials {
	if os.Getenv("BED_CERTIFICATE") == "" {
		return insecure.NewCredentials()
	}
	c, err := credentials.NewServerTLSFromFile(os.Getenv("BED_CERTIFICATE"), os.Getenv("BED_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func clientCredentials() credentials.TransportCredentials {
	if os.Getenv("BED_CERTIFICATE") == "" {
		return insecure.NewCredentials()
	}
	c, err := credentials.NewClientTLSFromFile(os.Getenv("BED_CERTIFICATE"), "")
	if err != nil {
		log.Fatal(err)
	}
	return c
}
