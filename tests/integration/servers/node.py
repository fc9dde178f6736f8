# SPDX-License-Identifier: Apache-2.0
"""Node: its http module, or Express; `tls`: a Certificate, then https."""
from harness.case import need
from harness.env import NODE_MODULES, SUITE, tool
from harness.process import Process, free_port
from . import FULL, Server


def start(ctx, kind: str = "http", tls=None) -> Server:
    need(tool("node"), "node is not installed")
    need(kind != "express" or (NODE_MODULES / "express").exists(), "Express is not installed: run tests/integration/prepare")
    port = free_port()
    process = Process(ctx, f"node-{kind}", [tool("node"), SUITE / "servers" / "apps" / "node_app.js", kind, port, *(tls.files if tls else ())], env={"NODE_PATH": str(NODE_MODULES)})
    process.wait_port(port)
    return Server(process, port, {**FULL, **(tls.load if tls else {})})
