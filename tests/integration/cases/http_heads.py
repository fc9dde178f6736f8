# SPDX-License-Identifier: Apache-2.0
"""Heads in strange pieces: split at every byte, one byte per call, up to 64 KiB, pipelined."""
import socket

from harness import env
from harness.case import case, check
from harness.conversation import Exchange, get, head, odd, post, recv, reply, send, sleep, step
from harness.process import run
from harness.spans import SERVER
from harness.tracer import Clew
from servers import nginx

SHORT = get("/split/{n:03d}", "X-A: 1\r\n")
ANSWER = reply("12345")


def split_everywhere(which: str, limit: int):
    """One request for each place at which the head can be cut; a pause keeps the pieces apart."""
    client, server, expected = [step("a", "nodelay")], [step("a", "nodelay")], []
    text = SHORT.format(n=0) if which == "request" else ANSWER
    for n in range(1, min(limit, len(text))):
        request, answer = SHORT.format(n=n), ANSWER
        if which == "request":
            client += [send(request[:n]), sleep(1), send(request[n:]), recv(size=len(answer))]
            server += [head(), send(answer)]
        else:
            client += [send(request), recv(size=len(answer))]
            server += [head(), send(answer[:n]), sleep(1), send(answer[n:])]
        expected.append(Exchange("GET", f"/split/{n:03d}", 200, 0, 5))
    return client, server, expected


odd("head/request-split-at-every-byte", *split_everywhere("request", 1000), matrix=False)
odd("head/request-split-at-some-bytes", *split_everywhere("request", 8), quick=False, matrix=True)
odd("head/response-split-at-every-byte", *split_everywhere("response", 1000))

SLOW = post("/bytewise/{n}", "body!", "X-B: 2\r\n")
for name, write, read in (("written", 1, 65536), ("read", 0, 1), ("written-and-read", 1, 1)):
    odd(f"head/one-byte-{name}",
        [step("a", "nodelay")] + [x for n in range(3) for x in (send(SLOW.format(n=n), piece=write), recv(size=len(ANSWER), chunk=read))],
        [step("a", "nodelay")] + [x for n in range(3) for x in (recv(size=len(SLOW.format(n=n)), chunk=read), send(ANSWER, piece=write))],
        [Exchange("POST", f"/bytewise/{n}", 200, 5, 5) for n in range(3)], matrix=name == "read")


def big(size: int) -> str:
    """Many headers of up to 1 KiB, so that the whole head has about this size; the last one counts the body."""
    lines = "".join(f"X-Pad-{n}: {'p' * 1000}\r\n" for n in range(size // 1014))
    return lines + "X-Rest: " + "r" * (size % 1014) + "\r\n"


# The Content-Length stands at the very end: a reader of only the first KiB takes the body for the next request.
for size in (900, 1100, 4096, 16_000, 32_000, 60_000):
    text = f"POST /big/{size} HTTP/1.1\r\nHost: odd.test\r\n{big(size)}Content-Length: 30\r\n\r\nGET /fake HTTP/1.1\r\nHost: x\r\n\r"
    answer = f"HTTP/1.1 200 OK\r\n{big(size)}Content-Length: 23\r\n\r\nHTTP/1.1 404 Nope\r\nX: y"
    odd(f"head/of-{size}-bytes", [send(text), recv(size=len(answer)), send(get("/next")), recv(size=len(ANSWER))],
        [recv(size=len(text)), send(answer), head(), send(ANSWER)],
        [Exchange("POST", f"/big/{size}", 200, 30, 23), Exchange("GET", "/next", 200, 0, 5)], quick=size in (1100, 60_000), matrix=size in (1100, 60_000))

odd("head/of-60000-bytes-in-pieces-of-1000",
    [send(text, piece=1000), recv(size=len(answer)), send(get("/next")), recv(size=len(ANSWER))],
    [recv(size=len(text), chunk=777), send(answer, piece=999), head(), send(ANSWER)],
    [Exchange("POST", "/big/60000", 200, 30, 23), Exchange("GET", "/next", 200, 0, 5)])

LONG = "/long/" + "u" * 7000
odd("head/url-of-7000-bytes", [send(get(LONG)), recv(size=len(ANSWER))], [head(), send(ANSWER)],
    [Exchange("GET", LONG, 200, 0, 5)])


def pipeline(count: int, together: bool):
    requests = "".join(post(f"/pipe/{n}", "b" * (n % 7)) if n % 2 else get(f"/pipe/{n}") for n in range(count))
    answers = [reply("r" * (n % 50)) for n in range(count)]
    client = [send(requests), recv(size=len("".join(answers)))]
    server = [recv(size=len(requests))] + ([send("".join(answers))] if together else [send(a) for a in answers])
    return client, server, [Exchange("POST" if n % 2 else "GET", f"/pipe/{n}", 200, n % 7 if n % 2 else 0, n % 50) for n in range(count)]


for count in (10, 100):
    for together in (True, False):
        odd(f"head/pipelined-{count}-{'one-answer' if together else 'single-answers'}", *pipeline(count, together), matrix=count == 10)

odd("head/pipelined-over-uneven-pieces",
    [send(pipeline(30, True)[0][0][2]["data"], piece=97), pipeline(30, True)[0][1]],
    [recv(size=len(pipeline(30, True)[0][0][2]["data"]), chunk=61), send(pipeline(30, True)[1][1][2]["data"], piece=53)],
    pipeline(30, True)[2])

odd("head/empty-lines-before-the-request", [send("\r\n\r\n" + get("/after-empty-lines")), recv(size=len(ANSWER))],
    [recv(until="/after-empty-lines"), head(), send(ANSWER)], [Exchange("GET", "/after-empty-lines", 200, 0, 5)])
PROXY = {"line": "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", "block": "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb"}
for form, header in PROXY.items():
    for apart in (False, True):
        odd(f"head/behind-a-proxys-{form}{'/apart' if apart else ''}",
            ([send(header), sleep(30), send(get("/0"))] if apart else [send(header + get("/0"))]) + [recv(size=len(ANSWER)), send(get("/1")), recv(size=len(ANSWER))],
            [recv(size=len(header)), head(), send(ANSWER), head(), send(ANSWER)], [Exchange("GET", f"/{n}", 200, 0, 5) for n in range(2)],
            matrix=apart)


@case("head/behind-a-proxys-header/nginx")
def proxied_nginx(ctx):
    """nginx looks at the header before it takes it; HTTP/2 may follow it, too."""
    server = nginx.start(ctx, listen=" proxy_protocol http2")
    c = Clew(ctx, *server.select).ready()
    curl = [env.tool("curl"), "-s", "-o", "/dev/null", "--haproxy-protocol", "--http2-prior-knowledge", f"http://127.0.0.1:{server.port}/r/two"]
    run(ctx, curl)
    check(len(c.wait_spans(1)) == 1, "no span of HTTP/2 behind a line")
    c.stop()
    server = nginx.start(ctx, listen=" proxy_protocol")
    c = Clew(ctx, *server.select).ready()
    for n, header in enumerate(PROXY.values()):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            for k in range(3):
                s.sendall((header * (k == 0) + get(f"/r/t{n}{k}")).encode("latin-1"))
                check(b"hello from nginx" in s.recv(65536), "no answer")
    found = c.wait_spans(6)
    check(sorted(s.path for s in found) == [f"/r/t{n}{k}" for n in range(2) for k in range(3)], f"spans: {found}")
    check(not [s for s in found if s.incomplete], "a span is not whole")
    check(c.stop().lost() == 0, "something was lost")


odd("head/lines-end-in-lf-alone", [send("GET /lf HTTP/1.1\nHost: odd.test\n\n"), recv(size=len(ANSWER))],
    [recv(until="\n\n"), send(ANSWER)], [Exchange("GET", "/lf", 200, 0, 5)])
odd("head/http-1.0", [send("GET /old HTTP/1.0\r\n\r\n"), recv(eof=True)],
    [head(), send("HTTP/1.0 200 OK\r\n\r\nold body"), step("a", "close")], [Exchange("GET", "/old", 200, 0, 8)], matrix=True)
odd("head/http-1.0-keep-alive",
    [x for n in range(3) for x in (send(get(f"/old/{n}", "Connection: keep-alive\r\n", "1.0")), recv(size=len(reply("12345", extra="Connection: keep-alive\r\n", version="1.0"))))],
    [x for n in range(3) for x in (head(), send(reply("12345", extra="Connection: keep-alive\r\n", version="1.0")))],
    [Exchange("GET", f"/old/{n}", 200, 0, 5) for n in range(3)])
odd("head/absolute-form", [send("GET http://other.test:8080/abs?x=1 HTTP/1.1\r\nHost: odd.test\r\n\r\n"), recv(size=len(ANSWER))],
    [head(), send(ANSWER)], [Exchange("GET", "/abs", 200, 0, 5)], matrix=True)
odd("head/methods-of-other-names",
    [x for m in ("PROPFIND", "get", "M-SEARCH", "X") for x in (send(f"{m} /m/{m} HTTP/1.1\r\nHost: h\r\n\r\n"), recv(size=len(ANSWER)))],
    [head(), send(ANSWER)] * 4, [Exchange(m, f"/m/{m}", 200, 0, 5) for m in ("PROPFIND", "get", "M-SEARCH", "X")])
odd("head/options-star", [send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), recv(size=len(ANSWER))], [head(), send(ANSWER)],
    [Exchange("OPTIONS", "*", 200, 0, 5)], kinds=(SERVER,))
