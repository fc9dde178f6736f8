# SPDX-License-Identifier: Apache-2.0
"""The requests as one end saw them, and their comparison with the spans: each exactly once, none invented, all fields and times right."""
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from .case import Failure
from .env import SLOW
from .spans import CLIENT, SERVER, METHODS, Span

# The tracepoint fires after the bytes are visible to the peer, and the thread may lose its core in between.
USUAL_NS = 5_000_000 * SLOW
WORST_NS = 250_000_000 * SLOW
UNUSUAL_SHARE = 0.02


@dataclass(slots=True)
class Request:
    method: str
    path: str
    status: int | None
    request_body: int | None
    response_body: int | None
    start: int = 0  # ns of CLOCK_REALTIME; 0: not known
    end: int = 0
    pid: int = 0  # of the process that must own the span; 0: not known
    peer_port: int = 0  # what network.peer.port must say
    version: str = ""
    user_agent: str = ""
    error: str = ""  # what the client saw go wrong
    optional: bool = False  # may be missing: it was cut off


def read(path: Path, local_port_is_peer: bool = True) -> list[Request]:
    """The file of clients/load.cc."""
    out = []
    for line in path.read_text().splitlines():
        method, uri, status, sent, got, start, end, pid, port, error = line.split("\t")
        out.append(Request(method, uri, int(status), int(sent), int(got), int(start), int(end), int(pid),
                           int(port) if local_port_is_peer else 0, "1.1", "clew-load/1", "" if error == "-" else error))
    return out


def differences(truth: list[Request], spans: list[Span], kind: int, pids: set[int] | None = None,
                incomplete_ok: bool = False) -> list[str]:
    """Everything in which the spans of one kind differ from the truth, as readable lines, worst first."""
    mine = [s for s in spans if s.kind == kind]
    by_key = defaultdict(list)
    for s in mine:
        by_key[s.path].append(s)
    wanted = defaultdict(list)
    for r in truth:
        wanted[r.path].append(r)
    out = Problems()
    for path, found in by_key.items():
        extra = len(found) - len(wanted.get(path, []))
        if path not in wanted:
            out.add("invented", str(found[0]), len(found))
        elif extra > 0:
            out.add("twice", str(found[0]), extra)
    late = []
    for path, requests in wanted.items():
        found = sorted(by_key.get(path, []), key=lambda s: s.start)
        if len(found) < len(requests):
            missing = len(requests) - len(found) - sum(r.optional for r in requests)
            if missing > 0:
                out.add("missing", f"{requests[0].method} {path}", missing)
            if len(requests) > 1:
                continue
        for r, s in zip(sorted(requests, key=lambda r: r.start), found):
            fields(r, s, out, pids, incomplete_ok)
            late.append(overrun(r, s))
    times(late, out)
    return out.lines()


class Problems:
    def __init__(self):
        self.count, self.example = Counter(), {}

    def add(self, what: str, example: str, n: int = 1):
        self.count[what] += n
        self.example.setdefault(what, example)

    def lines(self) -> list[str]:
        return [f"{n} × {what}, e.g. {self.example[what]}" for what, n in self.count.most_common()]


def fields(r: Request, s: Span, out: Problems, pids, incomplete_ok: bool):
    a = s.attributes
    method = r.method if r.method in METHODS else "_OTHER"

    def same(name, want, seen):
        if want is not None and want != seen:
            out.add(f"wrong {name}", f"{s}: {seen!r}, should be {want!r}")

    same("method", method, a.get("http.request.method"))
    same("status", r.status, a.get("http.response.status_code"))
    for name, want in (("http.request.body.size", r.request_body), ("http.response.body.size", r.response_body)):
        same(name, want, a.get(name, 0 if want == 0 else None))  # no body: 0 or absent
    same("network.protocol.version", r.version or None, a.get("network.protocol.version"))
    same("user_agent.original", r.user_agent or None, a.get("user_agent.original") if s.kind == SERVER else r.user_agent or None)
    same("network.peer.port", r.peer_port or None, a.get("network.peer.port"))
    if pids and s.pid not in pids:
        out.add("wrong process", f"{s}: not one of {sorted(pids)[:8]}")
    same("process.pid", r.pid or None, s.pid)
    if s.incomplete and not incomplete_ok:
        out.add("incomplete", f"{s}")


def overrun(r: Request, s: Span) -> tuple[float, str]:
    """By how much the span leaves the interval in which its request was under way, in ns."""
    if not r.start or not r.end:
        return 0, ""
    worst = max((r.start - s.start, f"starts before {r.method} {r.path}"), (s.end - r.end, f"ends after {r.method} {r.path}"),
                ((s.end - s.start) - (r.end - r.start), f"is longer than {r.method} {r.path}"))
    return worst


def times(late: list[tuple[float, str]], out: Problems):
    for over, what in late:
        if over > WORST_NS:
            out.add("span outside of its request", f"{what} by {over / 1e6:.1f} ms")
    unusual = [x for x in late if USUAL_NS < x[0] <= WORST_NS]
    if len(unusual) > max(2, UNUSUAL_SHARE * len(late)):
        over, what = max(unusual)
        out.add("span a little outside of its request", f"{what} by {over / 1e6:.1f} ms", len(unusual))


def expect(truth, spans, kind, *, pids=None, losses="", incomplete_ok=False):
    problems = differences(truth, spans, kind, pids, incomplete_ok)
    if problems:
        raise Failure(f"{len(truth)} requests, {sum(s.kind == kind for s in spans)} spans: " + "; ".join(problems[:6])
                      + (f" [{losses}]" if losses else ""))
