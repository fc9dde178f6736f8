# SPDX-License-Identifier: Apache-2.0
"""What clew takes when it is there: memory, time to start, time to the file, size of the program."""
import os
import subprocess
import time

import measure
from measure import LOAD_CORE, Bench, Clew, compiled, get, kernel_bytes, memory_kb, need, output, pinned, tool, wrk
from rows.servers import nginx

MB = 1 << 20


def memory(bench: Bench):
    server = nginx(bench, workers=3)
    clew = Clew(bench, server.pids)
    wrk(server.port, bench.choose(2, 5), 64)
    maps, programs = kernel_bytes(clew.pid)
    need(maps > 0, "fdinfo names no maps")
    bench.add("memory", "maps and programs in the kernel", "MB", [(maps + programs) / MB], 32, note=f"maps {maps / MB:.1f} MB, programs {programs / MB:.2f} MB")
    bench.add("memory", "RSS while tracing 3 processes", "MB", [memory_kb(clew.pid) / 1024], 40,
              note=f"3 nginx workers, 64 connections, saturated; highest {memory_kb(clew.pid, 'VmHWM') / 1024:.1f} MB")
    count = bench.choose(10_000, 100_000)
    opener = pinned(LOAD_CORE, compiled("connections"), server.port, "/")
    output(*opener, count // 10)
    time.sleep(1.5)
    rss, kernel = memory_kb(clew.pid), sum(kernel_bytes(clew.pid))
    output(*opener, count)
    time.sleep(1.5)
    # A map or a list that kept 64 B of each connection would grow by 6 MB; the allocator's own breathing is below 1 MB.
    bench.add("memory", f"RSS grown after {count:,} connections", "MB", [(memory_kb(clew.pid) - rss) / 1024], 1, note=f"{rss / 1024:.1f} MB before")
    bench.add("memory", f"kernel memory grown after {count:,} connections", "MB", [(sum(kernel_bytes(clew.pid)) - kernel) / MB], 0)
    clew.stop()


def start(bench: Bench):
    server = nginx(bench)
    ready = []
    for _ in range(10):
        clew = Clew(bench, server.pids, file=False)
        ready.append(clew.ready_after)
        clew.stop()
    bench.add("start", "clew trace --pid to ready", "s", ready, 1, note=f"median of {len(ready)}")
    clew, delays, size = Clew(bench, server.pids), [], 0
    for i in range(bench.choose(15, 40)):
        time.sleep(0.03 + 0.017 * (i % 11))  # at every phase of a timer
        get(server.port, "/")
        ended = time.monotonic()
        while time.monotonic() < ended + 5:
            now = clew.file.stat().st_size if clew.file.exists() else 0
            if now > size:
                size = now
                break
            time.sleep(0.002)
        delays.append(time.monotonic() - ended)
    clew.stop()
    bench.add("start", "end of request to span in the file", "s", delays, 1, value=max(delays), note=f"longest of {len(delays)}")


def binary(bench: Bench):
    need(tool("strip"), "strip is not installed")
    stripped = bench.work / "clew"
    subprocess.run([tool("strip"), "-o", stripped, measure.CLEW], check=True)
    bench.add("binary", "stripped", "MB", [os.path.getsize(stripped) / MB], 12)


GROUPS = {"memory": memory, "start": start, "binary": binary}
