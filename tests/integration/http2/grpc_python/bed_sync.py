# SPDX-License-Identifier: Apache-2.0
"""grpcio with threads, as a server and as a client of the bed; ../README.md says what they do.

usage: bed_sync.py serve PORT NEXT_PORT HOW | bed_sync.py call PORT CONCURRENCY < PLAN
"""
import sys
import threading
import time
from concurrent import futures

import grpc
import wire

CODES = {code.value[0]: code for code in grpc.StatusCode}


class Handlers(grpc.GenericRpcHandler):
    """Every path, by its kind."""

    def __init__(self, channel):
        self.channel = channel

    def service(self, details):
        kind = wire.kind_of(details.method)
        traces = wire.traces_of(details.invocation_metadata)
        make = getattr(grpc, wire.KINDS[kind] + "_rpc_method_handler")

        def behaviour(request, context):
            return getattr(self, kind)(details.method, traces, request, context)
        return make(behaviour, wire.ASK.FromString, wire.TOLD.SerializeToString)

    def begin(self, path, traces, ask):
        time.sleep(ask.delay_ms / 1000)
        if path.startswith("/h"):
            for onward in wire.onward_paths(path):
                wire.callable_of(self.channel, onward)(wire.ASK(id=onward, parent=path))
        return wire.Served(path, traces, ask)

    def end(self, call, context):
        if call.first.status:
            context.abort(CODES[call.first.status], call.details)

    def unary(self, path, traces, ask, context):
        call = self.begin(path, traces, ask)
        self.end(call, context)
        return call.told()

    def spread(self, path, traces, ask, context):
        call = self.begin(path, traces, ask)
        for _ in range(ask.answers):
            yield call.told()
        self.end(call, context)

    def collect(self, path, traces, asks, context):
        call = self.begin(path, traces, next(asks))
        for _ in asks:
            call.asked += 1
        self.end(call, context)
        return call.told()

    def talk(self, path, traces, asks, context):
        call = self.begin(path, traces, next(asks))
        yield call.told()
        for _ in asks:
            call.asked += 1
            yield call.told()
        self.end(call, context)


def serve(port, next_port, how):
    channel = grpc.insecure_channel(f"127.0.0.1:{next_port}") if next_port != "0" else None
    if channel:
        grpc.channel_ready_future(channel).result(timeout=30)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=80), handlers=[Handlers(channel)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def one(channel, outcome):
    wish, turn = outcome.wish, threading.Semaphore(1)

    def asks():
        for _ in range(wish.send):
            turn.acquire()  # of a talk, the next only after an answer
            outcome.sent += 1
            yield wish.ask()
            if wire.kind_of(wish.path) != "talk":
                turn.release()

    call, talks = wire.callable_of(channel, wish.path), wire.kind_of(wish.path) == "talk"
    options = {"timeout": wish.deadline / 1000 or None, "metadata": wish.metadata}
    if not wish.streams:
        outcome.sent = 1
    # a blocking call cannot be cancelled: those that are to be, and answers that stream, have a handle
    single = wire.kind_of(wish.path) in ("unary", "collect")
    request = asks() if wish.streams else wish.ask()
    if single and not wish.cancel:
        outcome.take(call(request, **options))
        return
    handle = call.future(request, **options) if single else call(request, **options)
    timer = threading.Timer(wish.cancel / 1000, handle.cancel)
    if wish.cancel:
        timer.start()
    try:
        for told in [handle.result()] if single else handle:
            outcome.take(told)
            if talks:
                turn.release()
        if handle.code() is not grpc.StatusCode.OK:
            raise handle
    except grpc.FutureCancelledError:
        outcome.code = 1
    finally:
        timer.cancel()
        for _ in range(wish.send):
            turn.release()


def call_all(port, concurrency):
    wishes = [wire.Wish.parse(line) for line in sys.stdin]
    lines = [""] * len(wishes)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        def worker(first):
            for index in range(first, len(wishes), concurrency):
                outcome, details = wire.Outcome(index, wishes[index]), ""
                try:
                    one(channel, outcome)
                except grpc.RpcError as error:
                    outcome.code, details = error.code().value[0], error.details()
                lines[index] = outcome.line(outcome.code, details)
        with futures.ThreadPoolExecutor(concurrency) as pool:
            list(pool.map(worker, range(concurrency)))
    print("\n".join(lines))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:5])
    else:
        call_all(sys.argv[2], int(sys.argv[3]))
