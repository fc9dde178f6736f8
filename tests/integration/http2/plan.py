# SPDX-License-Identifier: Apache-2.0
"""What clients are to call, what they say of it, and what must have come of each call. One place for all stacks."""
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
    out = []
    for i in range(n):
        kind, many = KINDS[i % 4], 1 + i // 4 % 5
        path = f"/bed.Bed/{kind.capitalize()}" if fixed else f"/l.{kind}/{tag}{i}" if kind != "unary" else f"/l/{tag}{i}"
        wish = Wish(path, send=many if kind in ("collect", "talk") else 1, answers=many if kind == "spread" else 1,
                    size=40_000 if i % 50 == 17 else i * 37 % 3000)
        if failures and i % 7 == 3:
            wish.status = 1 + i // 7 % 16
        elif given_up and i % 40 in (20, 21):
            wish.delay, wish.size, wish.send = 300, 10, 1
            wish.deadline, wish.cancel = (25, 0) if i % 40 == 20 else (0, 25)
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
            wish.delay, wish.cancel = 300, 25
        out.append(wish)
    return out


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
