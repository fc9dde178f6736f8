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

    @property
    def pid(self) -> int:
        return self.process.pid


FULL = {"vary": True, "methods": "GET,POST,GET,HEAD,PUT,GET,DELETE", "body_max": 6000, "chunked_every": 3}
PLAIN = {"methods": "GET,POST,GET,HEAD", "body_max": 400}
