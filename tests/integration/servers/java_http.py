# SPDX-License-Identifier: Apache-2.0
"""The JDK's own HttpServer."""
from harness.case import need
from harness.env import CACHE, tool
from harness.process import Process, free_port
from . import FULL, Server


def start(ctx) -> Server:
    need(tool("java"), "java is not installed")
    need((CACHE / "java" / "HttpServerApp.class").exists(), "the Java server is not built: run tests/integration/prepare")
    port = free_port()
    process = Process(ctx, "java-server", [tool("java"), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                                           # its connections idle out after 200 by default; 64 are in use
                                           "-Dsun.net.httpserver.maxIdleConnections=500", "-Dsun.net.httpserver.nodelay=true",
                                           "-cp", CACHE / "java", "HttpServerApp", port])
    process.wait_port(port)
    return Server(process, port, dict(FULL))
