# SPDX-License-Identifier: Apache-2.0
"""Bodies: chunked with odd sizes and trailers, large ones, none where a length is given, ended by close, and bodies that look like HTTP."""
from harness.conversation import Exchange, chunked, get, head, odd, post, recv, reply, send, sleep, step

ANSWER = reply("12345")
CHUNKED = "Transfer-Encoding: chunked\r\n"
TEXT = "".join(chr(33 + n % 90) for n in range(5000))


def chunks(name, sizes, trailers="", extension="", piece=0, **more):
    body = chunked(TEXT, sizes, trailers, extension)
    request = f"PUT /chunks/{name} HTTP/1.1\r\nHost: h\r\n{CHUNKED}\r\n{body}"
    answer = f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n{body}"
    odd(f"body/chunked-{name}", [send(request, piece=piece), recv(size=len(answer)), send(get("/next")), recv(size=len(ANSWER))],
        [recv(size=len(request)), send(answer, piece=piece), head(), send(ANSWER)],
        [Exchange("PUT", f"/chunks/{name}", 200, 5000, 5000), Exchange("GET", "/next", 200, 0, 5)], **more)


chunks("one", [5000], matrix=True)
chunks("odd-sizes", [1, 2, 3, 1500, 7, 16, 255, 257], matrix=True)
chunks("of-one-byte", [1])
chunks("with-trailers", [999], trailers="X-Sum: abc\r\nX-More: " + "t" * 300 + "\r\n", matrix=True)
chunks("with-extensions", [700], extension=';name="va;lue"')
chunks("cut-everywhere", [37, 11, 3], trailers="X-T: 1\r\n", piece=13)
chunks("of-one-byte-in-odd-pieces", [1], piece=101)

MEGA = "m" * 3_000_000
odd("body/3-MB-with-length", [send(post("/mega", MEGA)), recv(size=len(reply(MEGA))), send(get("/next")), recv(size=len(ANSWER))],
    [recv(size=len(post("/mega", MEGA))), send(reply(MEGA)), head(), send(ANSWER)],
    [Exchange("POST", "/mega", 200, 3_000_000, 3_000_000), Exchange("GET", "/next", 200, 0, 5)], matrix=True)
for size in (997, 8192, 65536, 1_500_000):
    mega = chunked(MEGA, [size], "X-T: 1\r\n")
    odd(f"body/3-MB-in-chunks-of-{size}",
        [send(f"POST /mega HTTP/1.1\r\nHost: h\r\n{CHUNKED}\r\n{mega}"), recv(size=len(mega) + 47), send(get("/next")), recv(size=len(ANSWER))],
        [head(), recv(size=len(mega)), send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n{mega}"), head(), send(ANSWER)],
        [Exchange("POST", "/mega", 200, 3_000_000, 3_000_000), Exchange("GET", "/next", 200, 0, 5)], quick=size == 8192)

FAKE = get("/fake/1") + post("/fake/2", "xyz") + reply("no", "500 Fake")
odd("body/looks-like-requests", [send(post("/real/1", FAKE)), recv(size=len(reply(FAKE))), send(get("/real/2")), recv(size=len(ANSWER))],
    [recv(size=len(post("/real/1", FAKE))), send(reply(FAKE)), head(), send(ANSWER)],
    [Exchange("POST", "/real/1", 200, len(FAKE), len(FAKE)), Exchange("GET", "/real/2", 200, 0, 5)], matrix=True)
odd("body/looks-like-requests-sent-apart",
    [step("a", "nodelay"), send(post("/real/1", FAKE)[:-len(FAKE)]), sleep(5), send(FAKE), recv(size=len(reply(FAKE))), send(get("/real/2")), recv(size=len(ANSWER))],
    [step("a", "nodelay"), head(), recv(size=len(FAKE)), send(reply(FAKE)[:-len(FAKE)]), sleep(5), send(FAKE), head(), send(ANSWER)],
    [Exchange("POST", "/real/1", 200, len(FAKE), len(FAKE)), Exchange("GET", "/real/2", 200, 0, 5)], matrix=True)
fake_chunks = chunked(FAKE, [len(get("/fake/1")), 50, 1000])
odd("body/looks-like-requests-in-chunks",
    [send(f"POST /real/1 HTTP/1.1\r\nHost: h\r\n{CHUNKED}\r\n{fake_chunks}", piece=70), recv(size=len(ANSWER)), send(get("/real/2")), recv(size=len(ANSWER))],
    [head(), recv(size=len(fake_chunks)), send(ANSWER), head(), send(ANSWER)],
    [Exchange("POST", "/real/1", 200, len(FAKE), 5), Exchange("GET", "/real/2", 200, 0, 5)])

NO_BODY = [("HEAD", "200 OK", "Content-Length: 1000\r\n"), ("GET", "204 No Content", ""), ("GET", "304 Not Modified", "Content-Length: 77\r\n"),
           ("HEAD", "200 OK", CHUNKED), ("GET", "200 OK", "Content-Length: 0\r\n"), ("HEAD", "404 Not Found", "Content-Length: 9\r\n")]
odd("body/none-where-one-is-announced",
    [x for n, (m, s, h) in enumerate(NO_BODY) for x in (send(f"{m} /none/{n} HTTP/1.1\r\nHost: h\r\n\r\n"), head())],
    [x for n, (m, s, h) in enumerate(NO_BODY) for x in (head(), send(f"HTTP/1.1 {s}\r\n{h}\r\n"))],
    [Exchange(m, f"/none/{n}", int(s[:3]), 0, 0) for n, (m, s, h) in enumerate(NO_BODY)], matrix=True)

odd("body/ended-by-close", [send(get("/until-close")), recv(eof=True)],
    [head(), send("HTTP/1.1 200 OK\r\nX: y\r\n\r\n"), send("part one "), sleep(20), send("part two"), step("a", "close")],
    [Exchange("GET", "/until-close", 200, 0, 17)], matrix=True)
odd("body/of-1-MB-ended-by-close", [send(get("/until-close")), recv(eof=True)],
    [head(), send("HTTP/1.1 200 OK\r\n\r\n" + "z" * 1_000_000), step("a", "close")], [Exchange("GET", "/until-close", 200, 0, 1_000_000)])


def lasts(low: float, high: float):
    def ok(span):
        took = (span.end - span.start) / 1e9
        return None if low <= took <= high else f"lasts {took:.3f} s, should be {low} to {high}"
    return ok


odd("body/that-trickles-counts-until-its-last-byte", [send(get("/trickle")), recv(size=len(reply("ttttt")))],
    [head(), send(reply("ttttt")[:-5]), send("ttttt", piece=1, pause_ms=60), sleep(10)],
    [Exchange("GET", "/trickle", 200, 0, 5, ok=lasts(0.235, 5))])
odd("body/of-the-request-that-trickles", [send(post("/trickle", "ttttt")[:-5]), send("ttttt", piece=1, pause_ms=60), recv(size=len(ANSWER))],
    [recv(size=len(post("/trickle", "ttttt"))), send(ANSWER)], [Exchange("POST", "/trickle", 200, 5, 5, ok=lasts(0.235, 5))])
odd("body/slow-handler", [send(get("/slow")), recv(size=len(ANSWER)), sleep(200), send(get("/fast")), recv(size=len(ANSWER))],
    [head(), sleep(150), send(ANSWER), head(), send(ANSWER)],
    [Exchange("GET", "/slow", 200, 0, 5, ok=lasts(0.145, 3)), Exchange("GET", "/fast", 200, 0, 5, ok=lasts(0, 0.14))])
