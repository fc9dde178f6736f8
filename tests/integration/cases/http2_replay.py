# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 and gRPC captured by dumpcap while clew traces the server: `clew replay` of the capture gives the spans that were traced live."""
import collections
import signal
import statistics
import subprocess
import time

from cases.recording import replay
from harness.case import case, check, need
from harness.env import seconds, tool
from harness.process import Process
from harness.spans import SERVER
from harness.tracer import Clew
from http2 import plan, stacks

# What a capture cannot know, or live tracing need not find: the trace (there are no processes), and so the evidence of a parent.
OWN = ("clew.parent.evidence", "clew.parent.confidence")


class Capture:
    def __init__(self, ctx, port):
        need(tool("dumpcap"), "dumpcap is not installed")
        folder = ctx.dir("capture")
        folder.chmod(0o777)
        ctx.work.chmod(0o755)
        self.file = folder / "traffic.pcapng"
        self.process = Process(ctx, "dumpcap", ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-B", "32", "-w", self.file])
        end = time.monotonic() + seconds(10)
        while not (self.file.exists() and self.file.stat().st_size) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(seconds(0.5))

    def stop(self):
        time.sleep(seconds(1.5))  # it takes packets from the kernel in batches
        self.process.popen.send_signal(signal.SIGINT)
        self.process.popen.wait(seconds(20))
        self.file.chmod(0o644)
        return self.file


def words(span):
    """All that a span says of its request."""
    return (span.name, span.status, *sorted((key, str(value)) for key, value in span.attributes.items() if key not in OWN))


def as_live(ctx, live, again):
    live = [span for span in live if span.kind == SERVER]
    was, now = collections.Counter(map(words, live)), collections.Counter(map(words, again))
    missing, invented = was - now, now - was
    check(not missing and not invented, f"{len(live)} live, {len(again)} replayed; only live: {list(missing)[:2]}; only replayed: {list(invented)[:2]}")
    starts = {span.path: span.start for span in live}
    apart = [abs(span.start - starts[span.path]) for span in again]
    check(statistics.median(apart) < seconds(0.2) * 1e9, f"half of them begin {statistics.median(apart) / 1e6:.1f} ms apart or more")
    ctx.note(f"{len(again)} spans alike, begun {statistics.median(apart) / 1e3:.0f} µs apart")


def captured(ctx, server, client_name, wishes, concurrency):
    capture = Capture(ctx, server.port)
    clew = Clew(ctx, "--pid", server.pid).ready()
    outcomes = stacks.call(ctx, client_name, server.port, wishes, concurrency)
    wrong = plan.untrue(wishes, outcomes, client_name in stacks.PLAIN)
    check(not wrong, f"the stacks themselves: {'; '.join(wrong)}")
    time.sleep(seconds(1))
    result = clew.stop()
    check(len(result.spans) == len(wishes), f"{len(result.spans)} live spans of {len(wishes)} {result.summary()}")
    again, _ = replay(ctx, capture.stop())
    as_live(ctx, result.spans, again)


PAIRS = {"grpc-go": "grpcio", "grpc-c++-sync": "grpc-go", "grpc-js": "tonic", "go-h2c": "node-http2", "node-http2": "go-h2c"}
for server_name, client_name in PAIRS.items():
    @case(f"http2/capture-replayed-is-as-live/{server_name}/{client_name}")
    def replayed(ctx, server_name=server_name, client_name=client_name):
        count = ctx.count(160, 4000, 40)
        wishes = (plan.plain if server_name in stacks.PLAIN else plan.mixed)(count, given_up=False)
        server = stacks.serve(ctx, server_name, paths=[wish.path for wish in wishes])
        captured(ctx, server, client_name, wishes, 32)
