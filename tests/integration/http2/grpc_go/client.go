// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"clew.test/bed/bed"
)

// wish is one line of the plan.
type wish struct {
	path                       string
	send, deadline, cancel     int
	answers, size, code, delay uint32
	metadata                   string
}

func parse(line string) wish {
	var w wish
	if _, err := fmt.Sscan(line, &w.path, &w.send, &w.answers, &w.size, &w.code, &w.delay, &w.deadline, &w.cancel, &w.metadata); err != nil {
		log.Fatalf("plan: %q: %v", line, err)
	}
	return w
}

// outcome is what the client saw of a call.
type outcome struct {
	code           codes.Code
	sent, received int
	traces         []string
	trouble        string
}

func (o *outcome) take(told *bed.Told, w wish) {
	o.received++
	if told.Id != w.path || len(told.Payload) != int(w.size) {
		o.trouble = fmt.Sprintf("answer-of-%s", told.Id)
	}
	o.traces = told.Traceparent
}

func call(connection *grpc.ClientConn, w wish) (o outcome) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if w.deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.deadline)*time.Millisecond)
		defer cancel()
	}
	if w.cancel > 0 {
		defer time.AfterFunc(time.Duration(w.cancel)*time.Millisecond, cancel).Stop()
	}
	if w.metadata != "-" {
		for _, pair := range strings.Split(w.metadata, ",") {
			key, value, _ := strings.Cut(pair, "=")
			ctx = metadata.AppendToOutgoingContext(ctx, key, value)
		}
	}
	stream, err := connection.NewStream(ctx, kinds[kindOf(w.path)], w.path)
	ask := &bed.Ask{Id: w.path, Answers: w.answers, Size: w.size, Status: w.code, DelayMs: w.delay, Payload: make([]byte, w.size)}
	told := new(bed.Told)
	for ; o.sent < w.send && err == nil; o.sent++ {
		if err = stream.SendMsg(ask); err != nil {
			break
		}
		if kindOf(w.path) == "talk" {
			if err = stream.RecvMsg(told); err == nil {
				o.take(told, w)
			}
		}
	}
	if err == nil {
		err = stream.CloseSend()
	}
	for stream != nil && (err == nil || (err == io.EOF && o.sent < w.send)) {
		if err = stream.RecvMsg(told); err == nil {
			o.take(told, w)
			if !kinds[kindOf(w.path)].ServerStreams {
				break
			}
		}
	}
	if err == io.EOF {
		err = nil
	}
	o.code = status.Code(err)
	if _, more, found := strings.Cut(status.Convert(err).Message(), ";"); found && more != "" {
		o.traces = strings.Split(more, ",")
	}
	return o
}

func callAll(port, concurrency string) {
	connection, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(clientCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	var wishes []wish
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		wishes = append(wishes, parse(lines.Text()))
	}
	workers, _ := strconv.Atoi(concurrency)
	outcomes := make([]string, len(wishes))
	var done sync.WaitGroup
	for worker := 0; worker < workers; worker++ {
		done.Go(func() {
			for i := worker; i < len(wishes); i += workers {
				start := time.Now().UnixNano()
				o := call(connection, wishes[i])
				outcomes[i] = fmt.Sprintf("%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", i, o.code, o.sent, o.received, start, time.Now().UnixNano(),
					strings.Join(o.traces, ","), o.trouble)
			}
		})
	}
	done.Wait()
	time.Sleep(100 * time.Millisecond) // the writer tells the server of calls that were given up, if it is let
	os.Stdout.WriteString(strings.Join(outcomes, ""))
}
