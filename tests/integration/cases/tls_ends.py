# SPDX-License-Identifier: Apache-2.0
"""Ends at full load: of clew while it has probes in TLS libraries, and of the application that has them."""
import os
import signal
import time

from cases.attach import bpf_objects, killed_at, links_of, nothing_left
from harness import truth
from harness.case import case, check, need
from harness.certificate import Certificate
from harness.env import SLOW, seconds, tool
from harness.load import Background, load
from harness.process import free_port
from harness.spans import SERVER
from harness.tracer import Clew
from servers import go_http, nginx, node, python_http

for name, start in (("nginx", nginx.start), ("node", node.start), ("go", go_http.start)):
    case(f"tls/ends/clew-killed/{name}", matrix=name == "nginx")(
        lambda ctx, start=start: killed_at(ctx, lambda c: start(c, tls=Certificate(c)), concurrency=16))


def probes_of(pid: int) -> set[int]:
    """Before Linux 6.10 they are events of perf."""
    return links_of(pid, "uprobe") | links_of(pid, "perf")


def application_killed(ctx, start):
    """SIGKILL of the program: what was answered has its span, its probes go, and the next on that port is seen."""
    need(tool("bpftool"), "bpftool is not installed")
    certificate = Certificate(ctx)
    first = start(ctx, certificate)
    clew = Clew(ctx, "--port", first.port).ready()
    background = Background(ctx, first.port, seconds=2 * SLOW, concurrency=8, **first.load)
    time.sleep(seconds(0.8))
    probes = probes_of(clew.pid)
    for pid in first.process.tree():
        os.kill(pid, signal.SIGKILL)
    first.process.popen.wait(10)
    answered = [r for r in background.result() if not r.error]
    check(len(answered) > 20 and probes, f"{len(answered)} answered, {len(probes)} probes")
    end = time.monotonic() + seconds(5)
    while probes_of(clew.pid) & probes and time.monotonic() < end:
        time.sleep(0.1)
    rest = probes_of(clew.pid) & probes
    check(not rest, f"{len(rest)} of {len(probes)} probes outlived their process")
    again = start(ctx, certificate, first.port)
    time.sleep(seconds(0.5))
    seen = load(ctx, again.port, 200, concurrency=8, tag="again", **again.load)
    clew.wait_spans(len(answered) + 200)
    result = clew.stop()
    truth.expect(seen, [s for s in result.spans if "again" in s.path], SERVER, losses=result.summary())
    known = {r.path for r in answered}
    # a span may be missing whose answer was sent and not yet seen to be over
    found = {s.path for s in result.spans}
    check(len(known - found) <= 8, f"{len(known - found)} of {len(known)} answered requests have no span: {result.summary()}")
    cut = [s for s in result.spans if s.path not in known and "again" not in s.path]
    check(len(cut) <= 8, f"{len(cut)} spans of requests that were not answered, for 8 connections")
    ctx.notes = [f"{len(answered)} answered, {len(known - found)} without a span, {len(cut)} cut off"]


case("tls/ends/application-killed/python")(lambda ctx: application_killed(ctx, lambda c, t, port=0: python_http.start(c, port=port, tls=t)))
