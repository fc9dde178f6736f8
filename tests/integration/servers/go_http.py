# SPDX-License-Identifier: Apache-2.0
"""Go net/http; `tls`: a Certificate, then over HTTPS."""
from harness.case import need
from harness.env import built
from harness.process import Process, free_port
from . import FULL, Server


def start(ctx, tls=None) -> Server:
    need(built("go-server").exists(), "the Go server is not built: run tests/integration/prepare with Go installed")
    port = free_port()
    process = Process(ctx, "go-server", [built("go-server"), port, *(tls.files if tls else ())])
    process.wait_port(port)
    return Server(process, port, {**FULL, **(tls.load if tls else {})})
