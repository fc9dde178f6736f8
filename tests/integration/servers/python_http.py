# SPDX-License-Identifier: Apache-2.0
"""Python's http.server, a thread per connection; `tls`: a Certificate, then over HTTPS."""
from harness.env import PYTHON, SUITE
from harness.process import Process, free_port
from . import FULL, Server

APP = SUITE / "servers" / "apps" / "python_http_app.py"


def start(ctx, host: str = "127.0.0.1", port: int = 0, tls=None) -> Server:
    port = port or free_port()
    process = Process(ctx, "http.server", [*PYTHON, APP, port, host, *(tls.files if tls else ())])
    process.wait_port(port, host)
    return Server(process, port, {**FULL, **(tls.load if tls else {})}, host=host)
