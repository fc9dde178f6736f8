# SPDX-License-Identifier: Apache-2.0
"""Attached to traffic that is under way, and torn away from it."""
import json
import os
import signal
import time
from pathlib import Path

from harness import truth
from harness.case import case, check, need
from harness.conversation import Exchange, Peer, compare, get, head, post, recv, reply, send, step
from harness.env import SLOW, seconds, tool
from harness.load import Background
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import go_http, nginx, node, python_http

GRACE_NS = 50_000_000 * SLOW
ANSWER = reply("12345")


def inside(seen, begin: int, end: int):
    """(those wholly between the two moments, all that touch them)"""
    sure = [r for r in seen if not r.error and r.start > begin and r.end < end]
    return sure, [r for r in seen if r.end > begin - 5e9 * SLOW]


def attach_to_load(ctx, start, concurrency, kind=SERVER):
    """Open keep-alive connections, clew comes and goes: each request in between has its span, none is invented."""
    server = start(ctx)
    background = Background(ctx, server.port, concurrency=concurrency, **server.load)
    time.sleep(seconds(0.5))
    clew = Clew(ctx, *(server.select if kind == SERVER else ["--pid", background.process.pid])).ready()
    begin = time.time_ns() + GRACE_NS
    time.sleep(seconds(1.2))
    end = time.time_ns() - GRACE_NS
    result = clew.stop()
    seen = background.result()
    sure, near = inside(seen, begin, end)
    check(len(sure) > 20, f"only {len(sure)} requests while clew looked")
    # one request of each connection may be cut by the attach, and one by the end
    known = {r.path for r in sure}
    if kind == CLIENT:
        for r in seen:
            r.user_agent, r.peer_port, r.pid = "", 0, 0
    spans = [s for s in result.spans if s.path in known]
    if lost := result.lost_of("kernel ring_full"):  # the machine had no time for clew: as many as that may lack a span, or be cut
        whole = {s.path for s in spans if not s.incomplete}
        cut = [r for r in sure if r.path not in whole]
        check(len(cut) <= lost, f"{len(cut)} of {len(sure)} requests have no whole span, {lost} events lost: {result.summary()}")
        sure, spans = [r for r in sure if r.path in whole], [s for s in spans if s.path in whole]
        ctx.note(f"{len(cut)} requests without a whole span for {lost} lost events")
    truth.expect(sure, spans, kind, losses=result.summary())
    sent = {r.path for r in seen}
    invented = [s for s in result.spans if s.path not in sent]
    check(not invented, f"{len(invented)} invented, e.g. {invented[:1]}")
    wrong = truth.differences(near, [s for s in result.spans if s.path not in known and not s.incomplete], kind)
    wrong = [w for w in wrong if "missing" not in w and "outside" not in w]
    check(not wrong, f"at the edges: {wrong[:3]}")
    ctx.note(f"{len(sure)} requests in between")

for name, start in (("nginx", nginx.start), ("python", python_http.start), ("node", node.start), ("go", go_http.start)):
    for concurrency in (1, 64):
        case(f"attach/under-load/{name}/c{concurrency}", matrix=name == "python" and concurrency == 1)(
            lambda ctx, start=start, concurrency=concurrency: attach_to_load(ctx, start, concurrency))
case("attach/under-load/client/c8")(lambda ctx: attach_to_load(ctx, python_http.start, 8, CLIENT))


def attach_at(name: str, client, server, expected, *, kinds=(SERVER, CLIENT), matrix=False):
    """The conversation holds at `pause` of both peers; clew attaches; it goes on. `expected`: the exchanges after that.
    The one that was under way may give an incomplete span, or none."""
    @case(f"attach/{name}", matrix=matrix)
    def one(ctx):
        s, c = Peer(ctx, "server", "127.0.0.1", [server]), Peer(ctx, "client", "127.0.0.1", [client])
        s.go()
        c.go(s.port)
        c.process.wait_text("paused")
        if any(x[1] == "pause" for x in server):
            s.process.wait_text("paused")
        time.sleep(0.05)
        clew = Clew(ctx, "--pid", s.pid, "--pid", c.pid).ready()
        for peer in (s, c):
            peer.go()  # any line wakes one that pauses; the others ignore it
        reports = [c.done(), s.done()]
        check(not [f for r in reports for f in r["failures"]], f"the conversation itself failed: {reports}")
        c.leave()
        s.leave()
        result = clew.stop()
        for kind, peer in ((SERVER, s), (CLIENT, c)):
            if kind in kinds:
                compare(expected, result, kind, peer.pid, min(r["start"] for r in reports), max(r["end"] for r in reports))

pause = step("a", "pause")
TAIL = [send(get("/after/1")), recv(size=len(ANSWER)), send(post("/after/2", "xyz")), recv(size=len(ANSWER))]
SERVE = [head(), send(ANSWER), recv(size=len(post("/after/2", "xyz"))), send(ANSWER)]
AFTER = [Exchange("GET", "/after/1", 200, 0, 5), Exchange("POST", "/after/2", 200, 3, 5)]
PARTIAL = Exchange("POST", "/under-way", None, None, None, optional=True, incomplete="must")

attach_at("idle-connection", [send(get("/before")), recv(size=len(ANSWER)), pause, *TAIL], [head(), send(ANSWER), *SERVE], AFTER, matrix=True)
attach_at("fresh-connection", [step("a", "nodelay"), pause, *TAIL], SERVE, AFTER, matrix=True)
attach_at("first-request-unread", [send(get("/after/1")), pause, recv(size=len(ANSWER)), *TAIL[2:]], [pause, *SERVE], AFTER, kinds=(SERVER,), matrix=True)
LONG = "z" * 5000
FAKE = get("/fake/1") + post("/fake/2", "no")
for what, rest in (("plain", "z" * 2000), ("holding-requests", "zz\r\n\r\n" + FAKE + "zz"), ("beginning-with-a-request", FAKE)):
    request = post("/under-way", LONG + rest)
    attach_at(f"in-mid-request-body/{what}", [send(request[:-len(rest)]), pause, send(rest), recv(size=len(ANSWER)), *TAIL],
              [recv(size=len(request)), send(ANSWER), *SERVE], [PARTIAL, *AFTER], matrix=what == "plain")
    answer = reply(LONG + rest)
    attach_at(f"in-mid-response-body/{what}", [send(get("/under-way")), recv(size=len(answer) - len(rest)), pause, recv(size=len(rest)), *TAIL],
              [head(), send(answer[:-len(rest)]), pause, send(rest), *SERVE],
              [Exchange("GET", "/under-way", None, None, None, optional=True, incomplete="must"), *AFTER])
attach_at("between-request-and-response", [send(get("/under-way")), pause, recv(size=len(ANSWER)), *TAIL], [head(), pause, send(ANSWER), *SERVE],
          [Exchange("GET", "/under-way", None, None, None, optional=True, incomplete="must"), *AFTER])
attach_at("in-mid-request-head", [send(get("/under-way")[:-8]), pause, send(get("/under-way")[-8:]), recv(size=len(ANSWER)), *TAIL],
          [head(), send(ANSWER), *SERVE], [Exchange("GET", "/under-way", None, None, None, optional=True, incomplete="may"), *AFTER])
attach_at("after-an-upgrade", [send(get("/ws", "Upgrade: x\r\nConnection: upgrade\r\n")), head(), pause, send("\x81\x05hello" * 40), recv(size=200), send(get("/inside")), recv(size=10)],
          [head(), send("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), recv(size=280), send("\x81\x02hi" * 50), head(), send("\x81\x02hi" * 3)], [])


def held(pid: int) -> list[dict]:
    """What /proc says of each open descriptor of the process. Not asked of bpftool: it does not know of links for probes."""
    out = []
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            out.append(dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line))
        except OSError:
            continue  # closed meanwhile
    return out


def bpf_objects(pid: int) -> dict[str, set[int]]:
    """The kernel's BPF programs, maps and links that this process holds, by id."""
    of = held(pid)
    return {kind: {int(x[f"{kind}_id"]) for x in of if f"{kind}_id" in x} for kind in ("prog", "map", "link")}


def links_of(pid: int, kind: str) -> set[int]:
    """The links of that kind (a part of its name) that this process holds, by id."""
    return {int(x["link_id"]) for x in held(pid) if "link_id" in x and kind in x.get("link_type", "")}


def run_bpftool(kind: str) -> str:
    import subprocess
    return subprocess.run([tool("bpftool"), "-j", kind, "list"], capture_output=True, text=True, timeout=seconds(20)).stdout or "[]"


def left_over(mine: dict[str, set[int]]) -> dict[str, set[int]]:
    return {kind: {x["id"] for x in json.loads(run_bpftool(kind))} & ids for kind, ids in mine.items()}


def pinned() -> set[str]:
    return {str(p) for p in Path("/sys/fs/bpf").rglob("*")} if Path("/sys/fs/bpf").exists() else set()


def nothing_left(mine):
    """The kernel frees a moment later: programs wait for a grace period, maps for the last program."""
    end = time.monotonic() + seconds(5)
    while any((rest := left_over(mine)).values()) and time.monotonic() < end:
        time.sleep(0.1)
    check(not any(rest.values()), f"left in the kernel: { {k: sorted(v) for k, v in rest.items() if v} }")


@case("detach/sigint-leaves-nothing", matrix=True)
def sigint(ctx):
    need(tool("bpftool"), "bpftool is not installed")
    server, before = python_http.start(ctx), pinned()
    clew = Clew(ctx, *server.select).ready()
    mine = bpf_objects(clew.pid)
    check(mine["prog"] and mine["link"], "it holds no program")
    clew.stop()
    nothing_left(mine)
    check(pinned() <= before, f"pinned: {pinned() - before}")


def killed_at(ctx, start, **more):
    """SIGKILL of clew at 64 busy connections: no failed request, none delayed, nothing left; a new clew goes on."""
    need(tool("bpftool"), "bpftool is not installed")
    server, before = start(ctx), pinned()
    load = {**server.load, "concurrency": 64, **more}
    if SLOW > 1:  # one emulated CPU, which clew shares with all of them while it starts
        load["concurrency"] = min(load["concurrency"], 2)
    background = Background(ctx, server.port, **load)
    time.sleep(seconds(0.4))
    clew = Clew(ctx, *server.select).ready()
    mine = bpf_objects(clew.pid)
    time.sleep(seconds(1))
    killed = time.time_ns()
    os.kill(clew.pid, signal.SIGKILL)
    clew.popen.wait()
    time.sleep(seconds(0.3))
    fresh = Clew(ctx, *server.select).ready()
    begin = time.time_ns() + GRACE_NS
    time.sleep(seconds(0.7))
    end = time.time_ns() - GRACE_NS
    result = fresh.stop()
    seen = background.result()
    failed = [r for r in seen if r.error]
    check(not failed, f"{len(failed)} requests failed: {failed[0].error if failed else ''}")
    slowest = lambda some: max((r.end - r.start for r in some), default=0) / 1e6  # noqa: E731
    usual = slowest([r for r in seen if r.end < killed])
    then = slowest([r for r in seen if r.end > killed and r.start < killed + 300_000_000 * SLOW])
    ctx.note(f"slowest before {usual:.1f} ms, around the kill {then:.1f} ms")
    check(then < 2 * usual + 50 * SLOW, f"a request took {then:.1f} ms around the kill, {usual:.1f} ms was the slowest before")
    sure, _ = inside(seen, begin, end)
    known = {r.path for r in sure}
    truth.expect(sure, [s for s in result.spans if s.path in known], SERVER, losses=result.summary())
    sent = {r.path for r in seen}
    invented = [s for s in result.spans if s.path not in sent]
    check(not invented, f"{len(invented)} invented, e.g. {invented[:2]} {[str(s) for s in invented[:2]]}")
    nothing_left(mine)
    check(pinned() <= before, f"pinned: {pinned() - before}")

case("detach/sigkill/nginx")(lambda ctx: killed_at(ctx, nginx.start))
case("detach/sigkill/python", matrix=True)(lambda ctx: killed_at(ctx, python_http.start))


@case("detach/in-mid-exchange", matrix=True)
def stopped_in_exchange(ctx):
    """What is under way when clew is stopped gives a span that says so."""
    s = Peer(ctx, "server", "127.0.0.1", [[head(), step("a", "pause"), send(ANSWER)]])
    c = Peer(ctx, "client", "127.0.0.1", [[send(get("/open")), recv(size=len(ANSWER))]])
    clew = Clew(ctx, "--pid", s.pid, "--pid", c.pid).ready()
    s.go()
    c.go(s.port)
    s.process.wait_text("paused")
    time.sleep(0.1)
    result = clew.stop()
    s.go()
    for peer in (c, s):
        check(not peer.done()["failures"], "the application was disturbed by the stop")
    for kind in (SERVER, CLIENT):
        mine = [x for x in result.spans if x.kind == kind]
        check(len(mine) == 1 and mine[0].path == "/open", f"{len(mine)} spans of kind {kind}")
        check("tracer_stopped" in mine[0].incomplete, f"{mine[0]} does not say tracer_stopped")
        check("http.response.status_code" not in mine[0].attributes, f"a status that was never sent: {mine[0]}")
