# SPDX-License-Identifier: Apache-2.0
"""What clients are to call, what they say of it, and what must have come of each call. One place for all stacks."""
import re
from collections import Counter
from dataclasses import dataclass

CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
         "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
CANCELLED, DEADLINE_EXCEEDED = 1, 4
KINDS = ("unary", "collect", "spread", "talk")


@dataclass
class Wish:
    """A call to make. Of plain HTTP/2: `send` pieces of `size` bytes are posted (none: GET), and `status` is not sent but in the path."""
    path: str
    send: int = 1
    answers: int = 1
    size: int = 0
    status: int = 0
    delay: int = 0
    deadline: int = 0
    cancel: int = 0
    metadata: str = "-"

    def line(self) -> str:
        return (f"{self.path} {self.send} {self.answers} {self.size} {self.status} {self.delay} {self.deadline} {self.cancel} {self.metadata}")

    @property
    def kind(self) -> str:
        _, service, method = self.path.split("/", 2)
        return method.lower() if service == "bed.Bed" else service.partition(".")[2] or "unary"

    @property
    def given_up(self) -> bool:
        return bool(self.deadline or self.cancel)

    @property
    def codes(self) -> tuple:
        """How the call may end. A deadline passes at both ends: the client may hear the server's CANCELLED before its own clock rings."""
        return (DEADLINE_EXCEEDED, CANCELLED) if self.deadline else (CANCELLED,) if self.cancel else (self.status,)

    @property
    def received(self) -> int:
        """Messages of the answer."""
        if self.given_up:
            return 0
        return {"spread": self.answers, "talk": self.send}.get(self.kind, int(self.status == 0))


@dataclass
class Outcome:
    """What the client saw."""
    index: int
    code: int
    sent: int
    received: int
    start: int  # ns of CLOCK_REALTIME
    end: int
    traces: list  # every traceparent that the server got
    trouble: str

    @classmethod
    def parse(cls, line: str):
        index, code, sent, received, start, end, traces, trouble = line.split("\t")
        return cls(int(index), int(code), int(sent), int(received), int(start), int(end), [t.strip() for t in traces.split(",") if t.strip()], trouble)


def mixed(n: int, tag: str = "t", fixed: bool = False, failures: bool = True, given_up: bool = True) -> list[Wish]:
    """Calls of all kinds, lengths and ends. `fixed`: by the service's own four paths instead of a path for each call."""
    out, every = [], max(40, n // 25)  # servers close a connection on which too many are given up
    for i in range(n):
        kind, many = KINDS[i % 4], 1 + i // 4 % 5
        path = f"/bed.Bed/{kind.capitalize()}" if fixed else f"/l.{kind}/{tag}{i}" if kind != "unary" else f"/l/{tag}{i}"
        wish = Wish(path, send=many if kind in ("collect", "talk") else 1, answers=many if kind == "spread" else 1,
                    size=40_000 if i % 50 == 17 else i * 37 % 3000)
        if failures and i % 7 == 3:
            wish.status = 1 + i // 7 % 16
        elif given_up and i % every in (20, 21):
            wish.delay, wish.size, wish.send = 1000, 10, 1
            wish.deadline, wish.cancel = (25, 0) if i % every == 20 else (0, 25)
        out.append(wish)
    return out


def plain(n: int, tag: str = "t", given_up: bool = True) -> list[Wish]:
    """Requests of plain HTTP/2."""
    out = []
    for i in range(n):
        size = 40_000 if i % 50 == 17 else i * 37 % 3000
        status = (200, 200, 404, 200, 503, 201, 200, 400)[i % 8]
        wish = Wish(f"/l/{tag}{i}/b{size}" + (f"/s{status}" if status != 200 else ""), send=(0, 1, 0, 3)[i % 4], size=size, status=status)
        if given_up and i % 40 == 20:
            wish.delay, wish.cancel = 1000, 25
        out.append(wish)
    return out


def own_context(n: int) -> str:
    return f"00-{n + 1:032x}-{n + 1:016x}-01"


def headed(n: int, http: bool = False, large: int = 5000) -> list[Wish]:
    """Requests with heads of many shapes, for whoever adds a field to them: none may get two trace contexts, none without one may stay without.
    `large`: bytes of the largest field; beyond 16,384 a head has CONTINUATION frames, and some heads (`x-edge`) fill the first frame almost or just."""
    shapes = (lambda i: "-", lambda i: f"traceparent={own_context(i)}", lambda i: f"traceparent={own_context(0)}",  # the same again: an entry of the table
              lambda i: f"x-large={'v' * (large - i % 97)}", lambda i: ",".join(f"x-{k}-{i % 3}={'w' * (k * i % 50)}" for k in range(40)),
              lambda i: f"x-note=traceparent,x-traceparent-like={own_context(i)}", lambda i: f"b3={i + 1:032x}-{i + 1:016x}-1",
              lambda i: f"x-first=1,traceparent={own_context(i)},x-last={'z' * 200}", lambda i: f"x-edge={'X' * (16_000 + i * 13 % 500)}" if large > 16_384 else f"x-short={i}", lambda i: f"x-same={'s' * 300}")
    plan = plain(n, given_up=False) if http else mixed(n, fixed=True, given_up=False)
    for i, wish in enumerate(plan):
        wish.metadata = shapes[(i * 7 + i // 10) % len(shapes)](i)
    return plan


def wrong_contexts(plan: list[Wish], outcomes: list[Outcome], left_alone: int = 0) -> list[str]:
    """Requests that did not arrive with exactly one trace context: their own, or else one that nobody else has. `left_alone`: so many may have none."""
    found, example, given = Counter(), {}, set()
    for wish, o in zip(plan, outcomes):
        own = [pair[12:] for pair in wish.metadata.split(",") if pair.startswith("traceparent=")]
        what = ""
        if own:
            what = "" if o.traces == own else "its own changed"
        elif "b3=" in wish.metadata:
            what = "one beside B3" if o.traces else ""
        elif "x-edge=" in wish.metadata and not o.traces:
            continue  # there may be no room
        elif len(o.traces) != 1:
            what = "none" if not o.traces else f"{len(o.traces)} of them"
        elif not re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-9a-f]", o.traces[0]) or o.traces[0] in given:
            what = "not well formed, or twice"
        else:
            given.add(o.traces[0])
        if what:
            found[what] += 1
            example.setdefault(what, f"{wish.line()[:100]}: {o.traces}")
    return [f"{n} × {what}, e.g. {example[what]}" for what, n in found.items() if what != "none" or n > left_alone]


def untrue(plan: list[Wish], outcomes: list[Outcome], http: bool = False) -> list[str]:
    """Where the stacks themselves did not do what the plan says: the bed must be right before anything is said of a tracer."""
    found, example = Counter(), {}
    for wish, o in zip(plan, outcomes):
        if http:
            codes, sent, received = ((0,), None, None) if wish.given_up else ((wish.status,), wish.send * wish.size, wish.size)
        else:
            codes, received, sent = wish.codes, wish.received, None if wish.given_up else wish.send
        for what, want, got in (("code", codes, o.code), ("sent", (sent,), o.sent), ("received", (received,), o.received), ("trouble", ("",), o.trouble)):
            if want != (None,) and got not in want:
                found[what] += 1
                example.setdefault(what, f"{wish.line()}: {what} {got!r}, should be {' or '.join(map(repr, want))}")
    return [f"{n} × {example[what]}" for what, n in found.items()]
