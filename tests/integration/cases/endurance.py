# SPDX-License-Identifier: Apache-2.0
"""What many connections leave behind: nothing."""
import os
from pathlib import Path

from harness import truth
from harness.case import case, check
from harness.load import load
from harness.spans import SERVER
from harness.tracer import Clew
from servers import nginx


def resident_kb(pid: int) -> int:
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))


@case("endurance/connections-leave-no-memory")
def connections(ctx):
    """Each request on a connection of its own; the second half must not need more memory than the first."""
    server = nginx.start(ctx)
    clew = Clew(ctx, *server.select).ready()
    rounds, each, seen, sizes = 6, ctx.count(2000, 20_000, 0), [], []
    for n in range(rounds):
        seen += load(ctx, server.port, each, concurrency=16, keep_alive=False, tag=f"n{n}x")
        clew.wait_spans(len(seen), limit=15)
        sizes.append(resident_kb(clew.pid))
    files = len(os.listdir(f"/proc/{clew.pid}/fd"))
    result = clew.stop()
    ctx.notes = [f"{rounds * each} connections; resident {sizes[0] // 1024} MB after the first sixth, {sizes[-1] // 1024} MB at the end, {files} descriptors"]
    truth.expect(seen, result.spans, SERVER, losses=result.summary())
    check(sizes[-1] - sizes[rounds // 2 - 1] < 3000, f"resident kB after each round of {each}: {sizes}")
    check(files < 200, f"{files} descriptors are open")
