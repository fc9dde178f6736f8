# SPDX-License-Identifier: Apache-2.0
"""Trace contexts that requests bring along."""
import os
import socket
import time
import urllib.request

from harness import env
from harness.case import case, check
from harness.conversation import converse, post, recv, reply, send
from harness.process import Process, free_port
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import python_http

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ZERO = "0" * 16
VALID = {
    "w3c": {"TraceParent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=1, b=2"},
    "b3-single": {"b3": f"{TRACE}-{PARENT}-1"},
    "b3-multi": {"X-B3-TraceId": TRACE, "X-B3-SpanId": PARENT, "X-B3-Sampled": "1"},
    "jaeger": {"uber-trace-id": f"{TRACE}:{PARENT}:0:1"},
    "xray": {"X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1"},
    "datadog": {"x-datadog-trace-id": str(int(TRACE[16:], 16)), "x-datadog-parent-id": str(int(PARENT, 16)), "x-datadog-sampling-priority": "1",
                "x-datadog-tags": f"_dd.p.tid={TRACE[:16]}"},
}
INVALID = {
    "upper-case": {"traceparent": f"00-{TRACE.upper()}-{PARENT}-01"},
    "zero-trace-id": {"traceparent": f"00-{ZERO}{ZERO}-{PARENT}-01"},
    "zero-span-id": {"traceparent": f"00-{TRACE}-{ZERO}-01"},
    "version-ff": {"traceparent": f"ff-{TRACE}-{PARENT}-01"},
    "short": {"traceparent": f"00-{TRACE[:-1]}-{PARENT}-01"},
}


@case("context/headers", matrix=True)
def headers(ctx):
    """The parent is the one that the request names, in every format; one that breaks the rules is none."""
    server = python_http.start(ctx)
    clew = Clew(ctx, *server.select).ready()
    for name, fields in {**VALID, **INVALID}.items():
        padding = {f"X-Padding-{i}": "p" * 300 for i in range(20)}
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/r/{name}", headers={**padding, **fields}), timeout=20).read()
    clew.wait_spans(len(VALID) + len(INVALID))
    spans = {span.path.split("/")[2]: span for span in clew.stop().spans}
    for name in VALID:
        span = spans[name]
        check((span.trace_id, span.parent_id) == (TRACE, PARENT), f"{name}: {span.trace_id} {span.parent_id}")
        check(span.attributes.get("clew.parent.evidence") == "header", f"{name}: evidence {span.attributes.get('clew.parent.evidence')}")
    for name in INVALID:
        check(not spans[name].parent_id and spans[name].trace_id != TRACE, f"{name}: has the parent {spans[name].parent_id}")


@case("context/propagators-of-the-environment")
def chosen(ctx):
    server = python_http.start(ctx)
    clew = Clew(ctx, *server.select, environment={"OTEL_PROPAGATORS": "b3"}).ready()
    for name in ("w3c", "b3-single"):
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/r/{name}", headers=VALID[name]), timeout=20).read()
    clew.wait_spans(2)
    parents = {span.path.split("/")[2]: span.parent_id for span in clew.stop().spans}
    check(parents == {"w3c": "", "b3-single": PARENT}, f"parents {parents}")


@case("context/both-ends-of-a-connection", matrix=True)
def both_ends(ctx):
    """No header, nothing injected: the server's parent is the client's span, over TCP and over Unix sockets."""
    for address in ("127.0.0.1", "::1", f"unix:{ctx.work}/s.sock", f"unix:@{ctx.work}/name"):
        answer = reply("answer")
        client = [step for n in range(5) for step in (send(post(f"/{n}", "body" * n)), recv(size=len(answer)))]
        server = [step for n in range(5) for step in (recv(size=len(post(f"/{n}", "body" * n))), send(answer))]
        result, *_ = converse(ctx, client, server, address)
        by_path = {kind: {span.path: span for span in result.spans if span.kind == kind} for kind in (SERVER, CLIENT)}
        check(len(by_path[SERVER]) == len(by_path[CLIENT]) == 5, f"{address}: {len(result.spans)} spans {result.summary()}")
        for path, span in by_path[SERVER].items():
            parent = by_path[CLIENT][path]
            check((span.trace_id, span.parent_id) == (parent.trace_id, parent.span_id), f"{address} {path}: {span.parent_id} is not {parent.span_id}")
            check(span.attributes.get("clew.parent.evidence") == "connection", f"{address} {path}: {span.attributes}")


def sampled(ctx, server, environment: dict, count: int, headers: dict):
    clew = Clew(ctx, *server.select, environment=environment).ready()
    for n in range(count):
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/r/{n}", headers=headers), timeout=20).read()
    time.sleep(env.seconds(0.5))
    return clew.stop()


@case("context/sampler")
def sampler(ctx):
    """What the caller does not keep is not kept; a share of the rest; all that is left out is counted."""
    server, no = python_http.start(ctx), {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    result = sampled(ctx, server, {}, 20, no)
    check(not result.spans and "20 more not sampled" in result.stderr, f"{len(result.spans)} spans of a trace that is not kept {result.summary()}")
    result = sampled(ctx, server, {"OTEL_TRACES_SAMPLER": "always_on"}, 20, no)
    check(len(result.spans) == 20, f"{len(result.spans)} of 20 spans with always_on {result.summary()}")
    count = ctx.count(400, 4000, 100)
    result = sampled(ctx, server, {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, count, {})
    kept = len(result.spans)
    check(abs(kept - count / 4) < 5 * (count * 0.25 * 0.75) ** 0.5, f"{kept} of {count} spans with the ratio 0.25 {result.summary()}")
    check(f"{count - kept} more not sampled" in result.stderr, f"what is not kept is not counted: {result.summary()}")
    check(all(s.trace_state == "ot=th:c" for s in result.spans), f"tracestate {result.spans[0].trace_state}")
    ctx.note(f"{kept} of {count} kept at 0.25")


DISPATCHER = """import os, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    connection, _ = listener.accept()
    request = connection.recv(65536)
    if not request:
        connection.close()
        continue
    number = request.split(b" ")[1].rsplit(b"/", 1)[1].decode()
    child = os.fork()
    if child == 0:
        time.sleep(0.1)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        os._exit(0)
    connection.close()
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as own:
        own.sendall(f"GET /r/own{number} HTTP/1.1\\r\\nHost: b\\r\\nConnection: close\\r\\n\\r\\n".encode())
        while own.recv(65536):
            pass
    os.waitpid(child, 0)
"""


@case("context/handed-to-another-process")
def handed_out(ctx):
    """A child answers what its parent has read: what the parent sends meanwhile is not for that request, nor has its trace."""
    back = python_http.start(ctx)
    script, count = ctx.work / "dispatcher.py", 20
    script.write_text(DISPATCHER)
    for options in ([], ["--inject"]):
        port = free_port()
        dispatcher = Process(ctx, "dispatcher", [*env.PYTHON, script, port, back.port])
        dispatcher.wait_port(port)
        clew = Clew(ctx, *options, "--pid", dispatcher.pid).ready()
        for n in range(count):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/r/{n}", timeout=20).read()
        clew.wait_spans(2 * count)
        result = clew.stop()
        served = {span.trace_id for span in result.spans if span.kind == SERVER}
        own = [span for span in result.spans if span.kind == CLIENT]
        check(len(served) == count and len(own) == count, f"{len(served)} served, {len(own)} sent {result.summary()}")
        for span in own:  # the first is sent before it can be known
            if span.path.endswith("/own0"):
                continue
            check(not span.parent_id and span.trace_id not in served, f"{span.path}: {span.attributes.get('clew.parent.evidence')} {result.summary()}")


UNIX_SERVER = """import os, socket, sys, time
os.sched_setaffinity(0, {int(sys.argv[2])})
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(64)
while True:
    connection, _ = listener.accept()
    time.sleep(0.03)
    connection.close()  # and is not read
    connection, _ = listener.accept()
    if connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    connection.close()
"""
UNIX_CLIENT = """import os, socket, sys, time
os.sched_setaffinity(0, {int(sys.argv[2])})
sys.stdin = open(sys.argv[3])
for n in range(40):
    sys.stdin.read(1)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    connection.sendall(f"GET /r/given-up{n} HTTP/1.1\\r\\nHost: u\\r\\n\\r\\n".encode())
    connection.close()
"""


@case("context/unix-socket-names-come-again")
def names_come_again(ctx):
    """A request that its client has given up, and nobody has read, is not the parent of one of another process whose sockets lie where those were."""
    path, fifo, cpu, count = ctx.work / "s.sock", ctx.work / "fifo", min(os.sched_getaffinity(0)), 40
    os.mkfifo(fifo)
    scripts = [ctx.work / "server.py", ctx.work / "client.py"]
    scripts[0].write_text(UNIX_SERVER)
    scripts[1].write_text(UNIX_CLIENT)
    server = Process(ctx, "server", [*env.PYTHON, scripts[0], path, cpu])
    client = Process(ctx, "client", [*env.PYTHON, scripts[1], path, cpu, fifo])
    clew = Clew(ctx, "--pid", server.pid, "--pid", client.pid).ready()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        with open(fifo, "wb", buffering=0) as go:
            for n in range(count):
                go.write(b"x")
                time.sleep(0.1)
                with socket.socket(socket.AF_UNIX) as stranger:
                    stranger.connect(str(path))
                    stranger.sendall(f"GET /r/strange{n} HTTP/1.1\r\nHost: u\r\n\r\n".encode())
                    while stranger.recv(65536):
                        pass
    finally:
        os.sched_setaffinity(0, before)
    clew.wait_spans(2 * count)
    result = clew.stop()
    served = [span for span in result.spans if span.kind == SERVER]
    check(len(served) == count, f"{len(served)} of {count} served {result.summary()}")
    wrong = [span.path for span in served if span.parent_id]
    check(not wrong, f"{len(wrong)} of {count} have a parent, which nobody here has sent: {wrong[:5]} {result.summary()}")
