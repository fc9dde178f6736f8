# SPDX-License-Identifier: Apache-2.0
"""Two scripted peers (odd/peer.py) under one clew, and the exchanges that their spans must show."""
import json
import subprocess
from dataclasses import dataclass

from . import truth
from .case import Context, Failure, case, check
from .env import PYTHON, SUITE
from .process import Process
from .spans import CLIENT, SERVER
from .tracer import Clew


@dataclass
class Exchange:
    """What a span must say. None for a size or status: whatever it is. `ok` gets the span and returns a complaint or nothing."""
    method: str
    path: str
    status: int | None = None
    request: int | None = 0
    response: int | None = 0
    answered: bool = True  # False: no response head came, so there must be no status, but an error
    optional: bool = False
    incomplete: str = "never"  # never, may, must
    ok: object = None


def step(connection, verb, **options):
    return [connection, verb, options]


def send(data, c="a", **options):
    return step(c, "send", data=data if isinstance(data, str) else data.decode("latin-1"), **options)


def recv(c="a", **options):
    return step(c, "recv", **options)


def head(c="a", **options):
    """Reads up to the end of a head."""
    return recv(c, until="\r\n\r\n", **options)


def sleep(ms, c="a"):
    return step(c, "sleep", ms=ms)


class Peer:
    def __init__(self, ctx: Context, role: str, address: str, threads: list):
        file = ctx.work / f"{role}.json"
        file.write_text(json.dumps({"role": role, "address": address, "threads": threads}))
        self.process = Process(ctx, role, [*PYTHON, SUITE / "odd" / "peer.py", file], stdin=subprocess.PIPE)
        self.pid = self.process.pid

    @property
    def port(self) -> int:
        return int(self.process.wait_text("port ").split()[1])

    def go(self, port: int = 0):
        self.process.popen.stdin.write(f"go {port}\n".encode())
        self.process.popen.stdin.flush()

    def done(self, limit: float = 30) -> dict:
        return json.loads(self.process.wait_text("done ", limit)[5:])

    def leave(self):
        self.process.popen.stdin.close()
        self.process.wait(10)


def threads_of(steps) -> list:
    """A list of steps is one thread, a list of lists of steps several."""
    return [steps] if not steps or isinstance(steps[0][1], str) else steps


def converse(ctx: Context, client, server, address: str = "127.0.0.1", failures_ok: bool = False):
    """Plays it with both ends selected. Returns (result, server peer, client peer, start, end)."""
    at_server, at_client = Peer(ctx, "server", address, threads_of(server)), Peer(ctx, "client", address, threads_of(client))
    clew = Clew(ctx, "--pid", at_server.pid, "--pid", at_client.pid)
    port = at_server.port
    clew.ready()
    at_server.go()
    at_client.go(port)
    reports = [at_client.done(), at_server.done()]
    trouble = [f for r in reports for f in r["failures"]]
    if trouble and not failures_ok:
        raise Failure(f"the conversation itself failed: {trouble}")
    at_client.leave()
    at_server.leave()
    return clew.stop(), at_server, at_client, min(r["start"] for r in reports), max(r["end"] for r in reports)


def compare(expected: list[Exchange], result, kind: int, pid: int, start: int, end: int):
    requests = [truth.Request(x.method, x.path, x.status if x.answered else None, x.request, x.response, start, end, optional=x.optional)
                for x in expected]
    truth.expect(requests, result.spans, kind, pids={pid}, losses=result.summary(), incomplete_ok=True)
    by_path = {s.path: s for s in result.spans if s.kind == kind}
    for x in expected:
        s = by_path.get(x.path)
        if s is None:
            continue
        check(x.incomplete != "never" or not s.incomplete, f"incomplete: {s}")
        check(x.incomplete != "must" or s.incomplete, f"clew.incomplete is missing: {s}")
        if not x.answered:
            check("http.response.status_code" not in s.attributes, f"a status that was never sent: {s}")
            check("error.type" in s.attributes and s.status == 2, f"no error.type or no error status without a response: {s} {s.attributes}")
        complaint = x.ok(s) if x.ok else None
        check(not complaint, f"{s}: {complaint}")


def odd(name: str, client, server, expected: list[Exchange], *, address="127.0.0.1", kinds=(SERVER, CLIENT), failures_ok=False,
        at_client: list[Exchange] | None = None, quick=True, matrix=False):
    """Registers a conversation. `at_client`: what the CLIENT spans must show, where it differs."""
    @case(f"odd/{name}", quick=quick, matrix=matrix)
    def one(ctx):
        where = address.replace("WORK", str(ctx.work))
        result, s, c, start, end = converse(ctx, client, server, where, failures_ok)
        if SERVER in kinds:
            compare(expected, result, SERVER, s.pid, start, end)
        if CLIENT in kinds:
            compare(expected if at_client is None else at_client, result, CLIENT, c.pid, start, end)


def get(path: str, extra: str = "", version: str = "1.1") -> str:
    return f"GET {path} HTTP/{version}\r\nHost: odd.test\r\n{extra}\r\n"


def post(path: str, body: str, extra: str = "", method: str = "POST") -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: odd.test\r\nContent-Length: {len(body)}\r\n{extra}\r\n{body}"


def reply(body: str = "", status: str = "200 OK", extra: str = "", version: str = "1.1") -> str:
    return f"HTTP/{version} {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n{body}"


def chunked(body: str, sizes, trailers: str = "", extension: str = "") -> str:
    """The body in chunks of these sizes, the last one repeated."""
    out, at, sizes = [], 0, list(sizes)
    while at < len(body):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        part = body[at:at + size]
        out.append(f"{len(part):x}{extension}\r\n{part}\r\n")
        at += size
    return "".join(out) + f"0\r\n{trailers}\r\n"
