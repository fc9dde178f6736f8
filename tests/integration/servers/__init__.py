# SPDX-License-Identifier: Apache-2.0
"""Real servers, one file each. `start(ctx)` gives a running Server on loopback; the case's end ends it."""
from dataclasses import dataclass, field

from harness.process import Process


@dataclass
class Server:
    process: Process
    port: int
    load: dict = field(default_factory=dict)  # what its handlers can take: options of harness.load
    host: str = "127.0.0.1"
    x_pid: bool = True  # answers with X-Pid, so that the load client knows which process it was

    by_port: bool = False  # too many workers to name each

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def select(self) -> list:
        """--pid takes a process and its later children: workers that are there already are named one by one."""
        if self.by_port:
            return ["--port", self.port]
        return [x for pid in sorted(self.process.tree()) for x in ("--pid", pid)]


FULL = {"vary": True, "methods": "GET,POST,GET,HEAD,PUT,GET,DELETE", "body_max": 6000, "chunked_every": 3}
PLAIN = {"methods": "GET,POST,GET,HEAD", "body_max": 400}
