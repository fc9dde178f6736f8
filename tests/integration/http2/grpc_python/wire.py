# SPDX-License-Identifier: Apache-2.0
"""What both halves of grpcio use: kinds of calls, the plan's lines, what an outcome says."""
import time
from dataclasses import dataclass, field

import bed_pb2

ASK, TOLD = bed_pb2.Ask, bed_pb2.Told
KINDS = {"unary": "unary_unary", "collect": "stream_unary", "spread": "unary_stream", "talk": "stream_stream"}


def kind_of(path: str) -> str:
    """/bed.Bed/Talk and /l.talk/ID are talks, /l/ID is unary."""
    _, service, method = path.split("/")
    return method.lower() if service == "bed.Bed" else service.partition(".")[2] or "unary"


def callable_of(channel, path: str):
    return getattr(channel, KINDS[kind_of(path)])(path, ASK.SerializeToString, TOLD.FromString)


@dataclass
class Wish:
    """A line of the plan."""
    path: str
    send: int
    answers: int
    size: int
    code: int
    delay: int
    deadline: int
    cancel: int
    metadata: tuple

    @classmethod
    def parse(cls, line: str):
        path, *numbers, metadata = line.split()
        pairs = () if metadata == "-" else tuple(tuple(pair.split("=", 1)) for pair in metadata.split(","))
        return cls(path, *map(int, numbers), pairs)

    def ask(self):
        return ASK(id=self.path, answers=self.answers, size=self.size, status=self.code, delay_ms=self.delay, payload=bytes(self.size))

    @property
    def streams(self) -> bool:
        return kind_of(self.path) in ("collect", "talk")


@dataclass
class Outcome:
    index: int
    wish: Wish
    code: int = 0
    sent: int = 0
    received: int = 0
    traces: list = field(default_factory=list)
    trouble: str = ""
    start: int = field(default_factory=time.time_ns)

    def take(self, told):
        self.received += 1
        if told.id != self.wish.path or len(told.payload) != self.wish.size:
            self.trouble = f"answer-of-{told.id}"
        self.traces = list(told.traceparent)

    def line(self, code: int, details: str) -> str:
        traces = details.partition(";")[2].split(",") if ";" in (details or "") else self.traces
        return f"{self.index}\t{code}\t{self.sent}\t{self.received}\t{self.start}\t{time.time_ns()}\t{','.join(traces)}\t{self.trouble}"


@dataclass
class Served:
    """A call that a server works on."""
    path: str
    traces: list
    first: object
    asked: int = 1

    def told(self):
        return TOLD(id=self.path, asked=self.asked, traceparent=self.traces, payload=bytes(self.first.size))

    @property
    def details(self) -> str:
        return "asked for;" + ",".join(self.traces)


def traces_of(pairs) -> list:
    return [value for key, value in pairs if key == "traceparent"]


def onward_paths(path: str) -> list:
    name = path.rsplit("/", 1)[1]
    return [f"/l/{n}~{name}" for n in (1, 2, 3)]
