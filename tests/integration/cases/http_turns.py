# SPDX-License-Identifier: Apache-2.0
"""Who speaks when: interim responses, upgrades, tunnels, early answers, half-closed, aborted and interleaved connections."""
from harness.case import case, check, need
from harness.conversation import Exchange, get, head, odd, post, recv, reply, send, sleep, step
from harness.env import built
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew

ANSWER = reply("12345")
JUNK = "".join(chr(n * 7 % 256) for n in range(3000))
CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"

expecting = post("/continue", "late body", "Expect: 100-continue\r\n")
odd("turn/100-continue", [send(expecting[:-9]), head(), send("late body"), recv(size=len(ANSWER)), send(get("/next")), recv(size=len(ANSWER))],
    [head(), send(CONTINUE), recv(size=9), send(ANSWER), head(), send(ANSWER)],
    [Exchange("POST", "/continue", 200, 9, 5), Exchange("GET", "/next", 200, 0, 5)], matrix=True)
odd("turn/100-continue-refused", [send(expecting[:-9]), recv(size=len(reply("", "417 No"))), send(get("/next")), recv(size=len(ANSWER))],
    [head(), send(reply("", "417 No")), head(), send(ANSWER)],
    [Exchange("POST", "/continue", 417, 0, 0, incomplete="may"), Exchange("GET", "/next", 200, 0, 5, optional=True)])
odd("turn/103-early-hints", [send(get("/hints")), recv(size=len(HINTS + HINTS + ANSWER)), send(get("/next")), recv(size=len(ANSWER))],
    [head(), send(HINTS), sleep(5), send(HINTS + ANSWER), head(), send(ANSWER)],
    [Exchange("GET", "/hints", 200, 0, 5), Exchange("GET", "/next", 200, 0, 5)], matrix=True)

UPGRADE = get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n")
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
odd("turn/101-then-silence", [send(UPGRADE), head(), send(JUNK), recv(size=len(JUNK)), send(get("/not-http")), recv(size=len(ANSWER)), sleep(20)],
    [head(), send(SWITCH), recv(size=len(JUNK)), send(JUNK), head(), send(ANSWER)], [Exchange("GET", "/ws", 101, 0, None)], matrix=True)
odd("turn/101-with-bytes-behind-it", [send(UPGRADE), recv(size=len(SWITCH + JUNK + ANSWER)), send(JUNK), sleep(20)],
    [head(), send(SWITCH + JUNK + ANSWER), recv(size=len(JUNK))], [Exchange("GET", "/ws", 101, 0, None)])


def tunnel(status, after):
    """CONNECT has no path: what is compared is that there is one span, its method, its status."""
    from harness.conversation import converse

    def one(ctx):
        opened = f"HTTP/1.1 {status}\r\n" + ("\r\n" if status.startswith("200") else "Content-Length: 0\r\n\r\n")
        result, s, c, *_ = converse(ctx, [send("CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n"), head(), *after[0]],
                                    [head(), send(opened), *after[1]])
        want = 1 + after[2]
        for kind in (SERVER, CLIENT):
            mine = [x for x in result.spans if x.kind == kind]
            check(len(mine) == want, f"{len(mine)} spans of kind {kind}, should be {want}: {[str(x) for x in mine]} {result.summary()}")
            first = min(mine, key=lambda x: x.start)
            check(first.attributes["http.request.method"] == "CONNECT" and first.attributes.get("http.response.status_code") == int(status[:3]),
                  f"{first} {first.attributes}")
    case(f"odd/turn/connect-{status[:3]}", matrix=status.startswith("200"))(one)


tunnel("200 Established", ([send(get("/inside") + JUNK), recv(size=len(ANSWER)), sleep(20)],
                           [recv(size=len(get("/inside") + JUNK)), send(ANSWER)], 0))
tunnel("407 Proxy Authentication Required", ([send(get("/next")), recv(size=len(ANSWER))], [head(), send(ANSWER)], 1))

request = post("/early", "b" * 4000)
odd("turn/answer-before-the-request-ended",
    [step("a", "nodelay"), send(request[:-3000]), recv(size=len(ANSWER)), send(request[-3000:]), send(get("/next")), recv(size=len(ANSWER))],
    [head(), send(ANSWER), recv(size=4000), head(), send(ANSWER)],
    [Exchange("POST", "/early", 200, 4000, 5), Exchange("GET", "/next", 200, 0, 5)], matrix=True)
odd("turn/answer-begins-before-the-request-ended",
    [step("a", "nodelay"), send(request[:-3000]), recv(size=len(reply("12345")) - 3), send(request[-3000:]), recv(size=3), send(get("/next")), recv(size=len(ANSWER))],
    [head(), send(ANSWER[:-3]), recv(size=4000), send(ANSWER[-3:]), head(), send(ANSWER)],
    [Exchange("POST", "/early", 200, 4000, 5), Exchange("GET", "/next", 200, 0, 5)])
odd("turn/half-close", [send(get("/half")), step("a", "shut"), recv(eof=True)], [recv(eof=True), sleep(10), send(ANSWER), step("a", "close")],
    [Exchange("GET", "/half", 200, 0, 5)], matrix=True)
odd("turn/half-close-read-late", [send(get("/half")), step("a", "shut"), sleep(100), recv(eof=True)],
    [recv(eof=True), sleep(10), send(ANSWER), step("a", "close")], [Exchange("GET", "/half", 200, 0, 5)], matrix=True)


@case("odd/turn/half-close-while-reading", matrix=True)
def half_close_while_reading(ctx):
    """What ends the connection arrives from another CPU while the last bytes are being read."""
    need(built("half_close").exists(), "half_close is not built: run tests/integration/prepare")
    count = ctx.count(5000, 30000, 300)
    result = Clew(ctx, command=[built("half_close"), count]).ready().wait(60)
    for kind in (SERVER, CLIENT):
        mine = [s for s in result.spans if s.kind == kind]
        check(len(mine) == count and len({s.path for s in mine}) == count, f"{len(mine)} spans of kind {kind}, should be {count} {result.summary()}")
        bad = [s for s in mine if s.attributes.get("http.response.status_code") != 200 or s.incomplete]
        check(not bad, f"{len(bad)} spans of kind {kind} are not whole, e.g. {bad[:1] and str(bad[0])} {result.summary()}")


odd("turn/server-closes-after-each", [x for n in range(4) for x in (send(get(f"/c/{n}"), c=str(n)), recv(str(n), eof=True), step(str(n), "close"))],
    [x for n in range(4) for x in (head(str(n)), send(reply("12345", extra="Connection: close\r\n"), c=str(n)), step(str(n), "close"))],
    [Exchange("GET", f"/c/{n}", 200, 0, 5) for n in range(4)])

# Aborted. A request whose head never became whole is not a request.
odd("turn/client-leaves-in-mid-head", [send("GET /cut HTTP/1.1\r\nHost: h"), step("a", "close")], [recv(eof=True)],
    [Exchange("GET", "/cut", None, None, None, optional=True, incomplete="may")])
odd("turn/client-leaves-in-mid-body", [send(post("/cut", "b" * 1000)[:-600]), sleep(30), step("a", "close")], [recv(eof=True), step("a", "close")],
    [Exchange("POST", "/cut", None, None, 0, answered=False, incomplete="may")], matrix=True)
odd("turn/client-resets-in-mid-body", [send(post("/cut", "b" * 1000)[:-600]), sleep(30), step("a", "rst")], [recv(eof=True)],
    [Exchange("POST", "/cut", None, None, 0, answered=False, incomplete="may")])
odd("turn/client-leaves-before-the-answer", [send(get("/cut")), sleep(30), step("a", "close")], [recv(eof=True), step("a", "close")],
    [Exchange("GET", "/cut", None, 0, 0, answered=False, incomplete="may")])
# The answer goes to a socket that is closed already: the server did answer, the client never saw it.
odd("turn/client-leaves-in-mid-response", [send(get("/cut")), recv(size=100), step("a", "rst"), sleep(20)],
    [head(), send(f"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + "x" * 900), sleep(60), send("x" * 10), sleep(20), send("y" * 10)],
    [Exchange("GET", "/cut", 200, 0, None, incomplete="may")], failures_ok=True, matrix=True)
odd("turn/server-resets-without-an-answer", [send(get("/cut")), recv(eof=True)], [head(), step("a", "rst")],
    [Exchange("GET", "/cut", None, 0, 0, answered=False, incomplete="may")], matrix=True)
odd("turn/server-closes-without-an-answer", [send(get("/cut")), recv(eof=True)], [head(), step("a", "close")],
    [Exchange("GET", "/cut", None, 0, 0, answered=False, incomplete="may")])
odd("turn/server-closes-in-mid-response", [send(get("/cut")), recv(eof=True)],
    [head(), send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf"), sleep(10), step("a", "close")],
    [Exchange("GET", "/cut", 200, 0, 4, incomplete="may", ok=lambda s: None if s.incomplete or "error.type" in s.attributes else "neither incomplete nor an error")])
odd("turn/server-closes-in-mid-response-head", [send(get("/cut")), recv(eof=True)], [head(), send("HTTP/1.1 200 OK\r\nConte"), sleep(10), step("a", "close")],
    [Exchange("GET", "/cut", None, 0, None, incomplete="may", ok=lambda s: None if s.incomplete or "error.type" in s.attributes else "neither incomplete nor an error")])

# Several connections on one thread, their bytes in between one another.
names = ["a", "b", "c", "d"]
parts = {n: post(f"/mix/{n}", n * 300) for n in names}
cuts = (0, 5, 40, 70, 200, 1000)
odd("turn/interleaved-on-one-thread",
    [step(n, "nodelay") for n in names] + [x for i, j in zip(cuts, cuts[1:]) for n in names for x in (send(parts[n][i:j], c=n), sleep(2, c=n))]
    + [recv(n, size=len(ANSWER)) for n in reversed(names)],
    [step(n, "nodelay") for n in names] + [recv(n, size=len(parts[n][i:j])) for i, j in zip(cuts, cuts[1:]) for n in names]
    + [x for i in range(0, len(ANSWER), 9) for n in names for x in (send(ANSWER[i:i + 9], c=n),)],
    [Exchange("POST", f"/mix/{n}", 200, 300, 5) for n in names], matrix=True)
odd("turn/many-threads", [[x for n in range(20) for x in (send(get(f"/t{t}/{n}"), c=f"c{t}"), recv(f"c{t}", size=len(ANSWER)))] for t in range(6)],
    [[x for n in range(20) for x in (head(f"c{t}"), send(ANSWER, c=f"c{t}"))] for t in range(6)],
    [Exchange("GET", f"/t{t}/{n}", 200, 0, 5) for t in range(6) for n in range(20)])
# One thread reads what another answers.
odd("turn/read-and-write-on-two-threads",
    [send(get("/two/1")), recv(size=len(ANSWER)), send(get("/two/2")), recv(size=len(ANSWER))],
    [[head(), step("a", "tell", event="one"), head(), step("a", "tell", event="two")],
     [step("a", "wait", event="one"), send(ANSWER), step("a", "wait", event="two"), send(ANSWER)]],
    [Exchange("GET", "/two/1", 200, 0, 5), Exchange("GET", "/two/2", 200, 0, 5)])
