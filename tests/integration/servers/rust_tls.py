# SPDX-License-Identifier: Apache-2.0
"""axum over HTTPS, by native-tls (OpenSSL) or rustls."""
from harness.case import need
from harness.env import built
from harness.process import Process, free_port
from . import PLAIN, Server


def start(ctx, library: str, tls) -> Server:
    need(built("rust_tls").exists(), "Rust's program is not built: run tests/integration/prepare with cargo installed")
    port = free_port()
    process = Process(ctx, f"rust-{library}", [built("rust_tls"), "server", library, port, *tls.files])
    process.wait_port(port)
    return Server(process, port, {**PLAIN, **tls.load})
