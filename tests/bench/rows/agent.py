# SPDX-License-Identifier: Apache-2.0
"""The agent's own CPU: per span from ring buffer to OTLP, and per span of a replay."""
import os
import subprocess
import sys
import time

import measure
from measure import HERE, LOAD_CORE, Bench, Broken, Clew, pinned, spans_in_summary, spawn, unaccounted, wrk
from rows.servers import nginx


def otlp(bench: Bench):
    """Everything clew does for a span, the sending through the kernel included."""
    server = nginx(bench)
    sink = spawn(bench, sys.executable, HERE / "servers" / "otlp_sink.py", stdout=subprocess.PIPE)
    port = int(sink.stdout.readline())
    costs, rates, lost, requests, spans = [], [], 0, 0, 0
    for _ in range(bench.choose(3, 7)):
        before = server.served()
        clew = Clew(bench, server.pids, "--otlp", f"http://127.0.0.1:{port}", "--otlp-protocol", "http/protobuf", file=False)
        cpu, began = clew.cpu_ns(), time.monotonic()
        wrk(server.port, bench.choose(2, 4), server.connections)
        time.sleep(1.2)  # until the last batch is out
        cpu, took = clew.cpu_ns() - cpu, time.monotonic() - began - 1.2
        requests += server.served() - before
        clew.stop()
        lost += sum(clew.lost().values())
        spans += clew.said_spans()
        costs.append(cpu / clew.said_spans() / 1e3)
        rates.append(clew.said_spans() / took)
    note = f"{requests:,} requests, {spans:,} spans, {lost:,} counted as lost"
    bench.add("agent", "CPU per span to OTLP/HTTP", "µs", costs, 5, note=note)
    bench.add("agent", "spans per second meanwhile", "/s", rates, note="the figure is for 20,000 and more" if min(rates) < 20000 else "")


def replay(bench: Bench):
    server = nginx(bench)
    record, wanted = bench.work / "traffic.rec", bench.choose(100_000, 250_000)
    before = server.served()
    clew = Clew(bench, server.pids, "--record", record, file=False)
    while server.served() - before < wanted:
        wrk(server.port, 2, server.connections)
    requests = server.served() - before
    clew.stop()
    speeds, walls = [], []
    for _ in range(bench.choose(3, 7)):
        began = time.monotonic()
        child = subprocess.Popen(pinned(LOAD_CORE, measure.CLEW, "replay", record, "--file", "/dev/null"), stderr=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True)
        bench.cleanups.callback(child.kill)
        text = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise Broken(f"replay ended with {child.returncode}: {text[-300:]}")
        spans = spans_in_summary(text)
        speeds.append(spans / (usage.ru_utime + usage.ru_stime))
        walls.append(spans / (time.monotonic() - began))
    bench.add("replay", "spans per second of one core's CPU", "/s", speeds, 300_000, at_least=True,
              note=f"{spans:,} spans of {requests:,} requests recorded, {record.stat().st_size / 1e6:.0f} MB; by the wall clock {sorted(walls)[len(walls) // 2]:,.0f}/s")
    bench.add("replay", "recorded requests neither span nor counted loss", "", [unaccounted(requests, spans, clew.lost())], 0)


GROUPS = {"agent": otlp, "replay": replay}
