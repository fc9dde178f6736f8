# SPDX-License-Identifier: Apache-2.0
"""--record and `clew replay`: the same spans again, without rights; a damaged file is told apart from a whole one."""
import dataclasses
import shutil
import socket
import time

from harness import env, spans, truth
from harness.case import case, check, need
from harness.env import PYTHON, SUITE, tool
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import nginx, node, python_http

APPS = SUITE / "servers" / "apps"


def recorded(ctx, start, requests: int, **options):
    """(the file, the spans as traced, the truth)"""
    server = start(ctx)
    file = ctx.work / "events.clew"
    c = Clew(ctx, *server.select, "--record", file).ready()
    seen = load(ctx, server.port, requests, **{**server.load, **options})
    c.wait_spans(requests)
    result = c.stop()
    truth.expect(seen, result.spans, SERVER, losses=result.summary())
    return file, result.spans, seen


def replay(ctx, *arguments, status: int = 0, prefix=()):
    out = ctx.dir("replay") / "spans.jsonl"
    out.parent.chmod(0o777)
    ctx.work.chmod(0o755)
    done = run(ctx, [*prefix, env.CLEW, "replay", *arguments, "--file", out], check_status=False, limit=60)
    check(done.returncode == status, f"replay ended with {done.returncode}, should be {status}: {done.stderr[-300:]}")
    return (spans.parse(out.read_text()) if out.exists() else []), done


def same(live, again):
    """All fields of all spans, in whatever order they came."""
    check(len(live) == len(again), f"{len(again)} spans replayed of {len(live)}")
    key = lambda s: (s.start, s.path)  # noqa: E731
    for a, b in zip(sorted(live, key=key), sorted(again, key=key)):
        for field in dataclasses.fields(a):
            was, now = getattr(a, field.name), getattr(b, field.name)
            check(was == now, f"{a}: {field.name} was {str(was)[:300]}, is {str(now)[:300]}")


for name, start in (("nginx", nginx.start), ("python", python_http.start), ("node", node.start)):
    @case(f"record/replay-gives-the-same-spans/{name}", matrix=name == "python")
    def replayed(ctx, start=start):
        file, live, _ = recorded(ctx, start, ctx.count(300, 10_000, 30), concurrency=8)
        again, _ = replay(ctx, file)
        same(live, again)


def ask(port, path):
    """The server waits for the request, and not the request for the server."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        time.sleep(0.2)
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        check(s.recv(4096).startswith(b"HTTP/1.1 200"), f"{path} was not answered")


@case("record/another-program-in-the-same-process")
def another_program(ctx):
    """What was known of the threads of the first program says nothing of the second's, in a replay neither."""
    below, port, file = python_http.start(ctx), free_port(), ctx.work / "events.clew"
    process = Process(ctx, "two-programs", [*PYTHON, APPS / "two_programs.py", port, below.port])
    process.wait_port(port)
    c = Clew(ctx, "--pid", process.pid, "--record", file).ready()
    for n in range(3):
        ask(port, f"/first/{n}")
    time.sleep(0.5)
    process.wait_port(port)
    for n in range(3):
        ask(port, f"/second/{n}")
    c.wait_spans(9)
    live = c.stop().spans
    evidence = [s.attributes.get("clew.parent.evidence") for s in live if s.kind == CLIENT]
    check(evidence == ["execution"] * 3, f"the second program's requests have their parents by {evidence}")
    again, _ = replay(ctx, file)
    same(live, again)


@case("record/replay-needs-no-rights", matrix=True)
def unprivileged(ctx):
    need(tool("setpriv"), "setpriv is not installed")
    file, live, _ = recorded(ctx, python_http.start, 10)
    file.chmod(0o644)
    binary = ctx.work / "clew"
    shutil.copy(env.CLEW, binary)
    out = ctx.dir("nobody")
    out.chmod(0o777)
    ctx.work.chmod(0o755)
    done = run(ctx, [tool("setpriv"), "--reuid", "65534", "--regid", "65534", "--clear-groups", binary, "replay", file, "--file", out / "s.jsonl"],
               check_status=False, cwd="/")
    check(done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-300:]}")
    same(live, spans.parse((out / "s.jsonl").read_text()))


@case("record/truncated-at-many-places")
def truncated(ctx):
    """Cut anywhere: status 1 with the position (0 at an event's end may pass as whole), the spans before the cut are kept, none is invented."""
    file, live, _ = recorded(ctx, python_http.start, 20)
    whole = file.read_bytes()
    ids = {s.span_id for s in live}
    told = 0
    for n in range(1, 12):
        size = len(whole) * n // 12 + n % 3
        cut = ctx.work / f"cut{n}"
        cut.write_bytes(whole[:size])
        out = ctx.dir("cut") / "s.jsonl"
        done = run(ctx, [env.CLEW, "replay", cut, "--file", out], check_status=False)
        check(done.returncode in (0, 1), f"cut at {size}: ended with {done.returncode}: {done.stderr[-200:]}")
        again = spans.parse(out.read_text()) if out.exists() else []
        check({s.span_id for s in again} <= ids, f"cut at {size}: spans that were not there before")
        whole_ones = [s for s in again if not s.incomplete]
        check(len(whole_ones) <= len(live), f"cut at {size}: more spans than before")
        if done.returncode == 1:
            told += 1
            check(any(ch.isdigit() for ch in done.stderr) and str(cut) in done.stderr, f"cut at {size}: no position: {done.stderr!r}")
        if n == 11:
            check(len(whole_ones) >= 10, f"cut near the end: only {len(whole_ones)} of 20 spans")
    check(told >= 8, f"only {told} of 11 cuts were noticed")


@case("record/foreign-files", matrix=True)
def foreign(ctx):
    for name, content in (("text", b"this is not a recording\n" * 100), ("empty", b""), ("zeros", b"\0" * 5000), ("elf", open("/bin/true", "rb").read()[:9000])):
        file = ctx.work / name
        file.write_bytes(content)
        found, done = replay(ctx, file, status=1)
        check(not found, f"{name}: {len(found)} spans")
        check(str(file) in done.stderr, f"{name}: the file is not named: {done.stderr!r}")
    _, done = replay(ctx, ctx.work, status=1)
    check("Is a directory" in done.stderr, f"a directory is not named as such: {done.stderr!r}")
    _, done = replay(ctx, "/nonexistent/recording", status=1)
    check("/nonexistent/recording" in done.stderr, "a missing file is not named")


@case("record/flipped-bytes")
def flipped(ctx):
    """Damage in the middle: no crash, nothing but 0 or 1, well-formed output."""
    file, _, _ = recorded(ctx, python_http.start, 10)
    whole = bytearray(file.read_bytes())
    for n in range(40):
        bad = bytearray(whole)
        at = (n * 7919 + 13) % len(bad)
        bad[at] ^= 1 << n % 8
        cut = ctx.work / "flipped"
        cut.write_bytes(bad)
        out = ctx.dir("flip") / "s.jsonl"
        done = run(ctx, [env.CLEW, "replay", cut, "--file", out], check_status=False)
        check(done.returncode in (0, 1), f"bit {n % 8} of byte {at}: ended with {done.returncode}: {done.stderr[-300:]}")
        if out.exists():
            spans.parse(out.read_text())
