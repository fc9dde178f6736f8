# SPDX-License-Identifier: Apache-2.0
"""Go net/http."""
from harness.case import need
from harness.env import built
from harness.process import Process, free_port
from . import FULL, Server


def start(ctx) -> Server:
    need(built("go-server").exists(), "the Go server is not built: run tests/integration/prepare with Go installed")
    port = free_port()
    process = Process(ctx, "go-server", [built("go-server"), port])
    process.wait_port(port)
    return Server(process, port, dict(FULL))
