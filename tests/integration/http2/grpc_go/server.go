// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"clew.test/bed/bed"
)

type server struct {
	bed.UnimplementedBedServer
	next *grpc.ClientConn
	how  string
}

// served is one call under way.
type served struct {
	path   string
	traces []string
	asked  uint32
	size   uint32
}

func (c *served) told() *bed.Told {
	return &bed.Told{Id: c.path, Asked: c.asked, Traceparent: c.traces, Payload: make([]byte, c.size)}
}

// begin notes the first message, waits as it says, and calls onward for the paths that want it.
func (s *server) begin(ctx context.Context, ask *bed.Ask) (*served, error) {
	path, _ := grpc.Method(ctx)
	c := &served{path: path, traces: metadata.ValueFromIncomingContext(ctx, "traceparent"), asked: 1, size: ask.Size}
	select {
	case <-time.After(time.Duration(ask.DelayMs) * time.Millisecond):
	case <-ctx.Done():
		return c, status.FromContextError(ctx.Err()).Err()
	}
	if strings.HasPrefix(path, "/h") {
		return c, s.onward(ctx, path)
	}
	return c, nil
}

func (s *server) onward(ctx context.Context, path string) error {
	id := path[strings.LastIndex(path, "/")+1:]
	one := func(n int) error {
		method := fmt.Sprintf("/l/%d~%s", n, id)
		return s.next.Invoke(ctx, method, &bed.Ask{Id: method, Parent: path}, new(bed.Told))
	}
	failures := make([]error, 3)
	var done sync.WaitGroup
	for i := range failures {
		if s.how == "parallel" {
			done.Go(func() { failures[i] = one(i + 1) })
		} else {
			failures[i] = one(i + 1)
		}
	}
	done.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

func end(ask *bed.Ask, c *served) error {
	if ask.Status == 0 {
		return nil
	}
	return status.Error(codes.Code(ask.Status), "asked for;"+strings.Join(c.traces, ","))
}

func (s *server) Unary(ctx context.Context, ask *bed.Ask) (*bed.Told, error) {
	c, err := s.begin(ctx, ask)
	if err == nil {
		err = end(ask, c)
	}
	if err != nil {
		return nil, err
	}
	return c.told(), nil
}

func (s *server) Collect(stream bed.Bed_CollectServer) error { return s.each(stream, false) }
func (s *server) Talk(stream bed.Bed_TalkServer) error       { return s.each(stream, true) }

func (s *server) Spread(ask *bed.Ask, stream bed.Bed_SpreadServer) error {
	c, err := s.begin(stream.Context(), ask)
	for i := uint32(0); i < ask.Answers && err == nil; i++ {
		err = stream.Send(c.told())
	}
	if err != nil {
		return err
	}
	return end(ask, c)
}

// each receives what the client streams and answers each message, or all of them once.
func (s *server) each(stream grpc.ServerStream, talk bool) error {
	var c *served
	first := new(bed.Ask)
	for {
		ask := new(bed.Ask)
		err := stream.RecvMsg(ask)
		if err == io.EOF && c != nil {
			break
		}
		if err == nil && c == nil {
			first = ask
			c, err = s.begin(stream.Context(), ask)
		} else if err == nil {
			c.asked++
		}
		if err == nil && talk {
			err = stream.SendMsg(c.told())
		}
		if err != nil {
			return err
		}
	}
	if err := end(first, c); err != nil || talk {
		return err
	}
	return stream.SendMsg(c.told())
}

// other serves the paths that are not of the service: the same by kind.
func (s *server) other(_ any, stream grpc.ServerStream) error {
	path, _ := grpc.MethodFromServerStream(stream)
	kind := kindOf(path)
	if kind == "collect" || kind == "talk" {
		return s.each(stream, kind == "talk")
	}
	ask := new(bed.Ask)
	if err := stream.RecvMsg(ask); err != nil {
		return err
	}
	if kind == "spread" {
		return s.Spread(ask, &grpc.GenericServerStream[bed.Ask, bed.Told]{ServerStream: stream})
	}
	told, err := s.Unary(stream.Context(), ask)
	if err != nil {
		return err
	}
	return stream.SendMsg(told)
}

func serve(port, next, how string) {
	s := &server{how: how}
	if next != "0" {
		var err error
		if s.next, err = grpc.NewClient("127.0.0.1:"+next, grpc.WithTransportCredentials(clientCredentials())); err != nil {
			log.Fatal(err)
		}
		s.next.Connect() // one connection, before the first call
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	g := grpc.NewServer(grpc.UnknownServiceHandler(s.other), grpc.Creds(serverCredentials()))
	bed.RegisterBedServer(g, s)
	log.Fatal(g.Serve(listener))
}
