# SPDX-License-Identifier: Apache-2.0
"""Every system call that can carry a request or a response, at either end, over TCP and over Unix sockets."""
import re

from harness import truth
from harness.case import case, check, need
from harness.conversation import Exchange, get, head, odd, post, recv, reply, send
from harness.env import built
from harness.load import load
from harness.process import Process, free_port
from harness.spans import SERVER
from harness.tracer import Clew

BODY = "0123456789" * 30
REQUEST = post("/form/{n}", BODY, "X-Filler: " + "f" * 90 + "\r\n")
ANSWER = reply("answer" * 40)


def both_ways(sender: str, receiver: str, rounds: int = 3):
    """The forms are used at both ends. Returns (client, server, expected)."""
    client, server, expected = [], [], []
    for n in range(rounds):
        request = REQUEST.format(n=n)
        client += [send(request, form=sender), recv(size=len(ANSWER), form=receiver)]
        server += [recv(size=len(request), form=receiver), send(ANSWER, form=sender)]
        expected.append(Exchange("POST", f"/form/{n}", 200, len(BODY), 240))
    return client, server, expected


READABLE = [("write", "read"), ("send", "recv"), ("sendto", "recvfrom"), ("writev", "readv"), ("sendmsg", "recvmsg"),
            ("sendmmsg", "recvmmsg"), ("pwritev2", "preadv2"), ("more", "recv"), ("send", "peek"), ("send", "waitall")]
for sender, receiver in READABLE:
    odd(f"call/{sender}-{receiver}", *both_ways(sender, receiver), matrix=True)
    if receiver not in ("waitall",):
        odd(f"call/unix/{sender}-{receiver}", *both_ways(sender, receiver), address="unix:WORK/s.sock", quick=sender != "more")

odd("call/zerocopy-recv", *both_ways("zerocopy", "recv"), matrix=True)
odd("call/unix/abstract-name", *both_ways("send", "recv"), address="unix:@WORK/name")
odd("call/ipv6", *both_ways("send", "recv"), address="::1", matrix=True)


def status_or_gap(span):
    """Bytes that no program can read here: the span stays, and either says what is right or that something is missing."""
    if span.attributes.get("http.response.status_code") == 200 or span.incomplete:
        return None
    return "neither a status nor clew.incomplete"


def by(form: str, body: str):
    """The response head by send, its body by a call that has no user buffer."""
    client, server, expected = [], [], []
    for n in range(3):
        client += [send(get(f"/{form}/{n}")), head(), recv(size=len(body))]
        server += [head(), send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"), send(body, form=form)]
        expected.append(Exchange("GET", f"/{form}/{n}", 200, 0, len(body)))
    return client, server, expected


odd("call/sendfile-body", *by("sendfile", "s" * 300_000), matrix=True)
odd("call/splice-body", *by("splice", "p" * 150_000), matrix=True)

# The whole response by a call without a user buffer: the server's side cannot read its head, the client's can.
for form in ("sendfile", "splice"):
    odd(f"call/{form}-whole-response",
        [send(get("/whole/1")), recv(size=len(ANSWER)), send(get("/whole/2")), recv(size=len(ANSWER))],
        [head(), send(ANSWER, form=form), head(), send(ANSWER)],
        [Exchange("GET", "/whole/1", None, 0, None, incomplete="may", ok=status_or_gap), Exchange("GET", "/whole/2", 200, 0, 240, incomplete="may")],
        at_client=[Exchange("GET", "/whole/1", 200, 0, 240), Exchange("GET", "/whole/2", 200, 0, 240)])

# Receiving by splice fires no tracepoint at all: what follows on the connection must still be found.
odd("call/splice-received-body",
    [send(post("/spliced/1", BODY)), recv(size=len(ANSWER)), send(get("/spliced/2")), recv(size=len(ANSWER))],
    [recv(until="\r\n\r\n", chunk=1), recv(size=len(BODY), form="splice"), send(ANSWER), head(), send(ANSWER)],
    [Exchange("POST", "/spliced/1", 200, None, 240, incomplete="may"), Exchange("GET", "/spliced/2", 200, 0, 240)],
    at_client=[Exchange("POST", "/spliced/1", 200, len(BODY), 240), Exchange("GET", "/spliced/2", 200, 0, 240)])

# MSG_TRUNC takes bytes without a buffer.
odd("call/trunc-received-body",
    [send(post("/trunc/1", BODY)), recv(size=len(ANSWER)), send(get("/trunc/2")), recv(size=len(ANSWER))],
    [recv(until="\r\n\r\n", chunk=1), recv(size=len(BODY), form="trunc"), send(ANSWER), head(), send(ANSWER)],
    [Exchange("POST", "/trunc/1", 200, len(BODY), 240, incomplete="may"), Exchange("GET", "/trunc/2", 200, 0, 240)])


@case("odd/call/io_uring-server")
def io_uring(ctx):
    """A server that accepts, receives and sends by io_uring alone. Its bytes may be unreadable on this kernel; nothing may be invented."""
    need(built("uring").exists(), "liburing is not to be had here")
    port = free_port()
    process = Process(ctx, "uring", [built("uring"), port])
    line = process.wait_text("uring: ")
    need("ready" in line, f"io_uring is refused here: {line}")
    clew = Clew(ctx, "--pid", process.pid).ready()
    seen = load(ctx, port, 50, concurrency=4, methods="GET,POST", body_max=900)
    clew.wait_spans(50, limit=2)
    result = clew.stop()
    for r in seen:
        r.optional = not any(s.path == r.path for s in result.spans)
        r.status = r.status if any(s.path == r.path and "http.response.status_code" in s.attributes for s in result.spans) else None
        r.response_body = None if r.status is None else r.response_body
    truth.expect(seen, result.spans, SERVER, pids={process.pid}, losses=result.summary(), incomplete_ok=True)
    missing = sum(r.optional for r in seen)
    check(not missing or re.search(r"(?i)lost|loss|uring|unread", result.stderr), f"{missing} of 50 requests have no span and the summary names no loss")
    ctx.note(f"{50 - missing} of 50 requests have a span")
