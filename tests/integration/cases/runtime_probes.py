# SPDX-License-Identifier: Apache-2.0
"""Probes in a runtime tell for which request another is sent. They stay in programs that send some."""
import json
import time

from harness import env
from harness.case import case, check
from harness.env import PYTHON
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import python_http


def probe_hits(clew) -> int:
    time.sleep(env.seconds(0.5))  # counters are read five times in a second
    mine = next(each for each in json.loads(run(clew.ctx, [env.CLEW, "status", "--json"]).stdout)["clews"] if each["pid"] == clew.pid)
    return sum(each["value"] for each in mine["counters"] if each["name"] == "clew_kernel_probe_hits_total")


@case("probes/taken-from-who-sends-nothing")
def taken_away(ctx):
    port, back = free_port(), python_http.start(ctx)
    server = Process(ctx, "asyncio", [*PYTHON, env.ROOT / "tests" / "truth" / "programs" / "python_asyncio.py", port, back.port])
    server.wait_port(port)
    clew = Clew(ctx, "--pid", server.pid).ready()
    clew.ctx = ctx
    load(ctx, port, 6000, concurrency=8, prefix="/leaf/")
    before = probe_hits(clew)
    load(ctx, port, 500, concurrency=8, prefix="/leaf/", tag="u")
    check(before > 500, f"only {before} hits by 6000 requests")
    check(probe_hits(clew) == before, f"{probe_hits(clew) - before} hits by 500 requests more")
    load(ctx, port, 200, concurrency=4, prefix="/h/", tag="h")
    check(probe_hits(clew) > before, "no hits since it sends")
    load(ctx, port, 200, concurrency=4, prefix="/h/", tag="i")  # over connections that begin with the probes there: of others a task may be late
    clew.wait_spans(7300)
    result = clew.stop()
    servers = {s.span_id: s.path for s in result.spans if s.kind == SERVER}
    clients = [s for s in result.spans if s.kind == CLIENT]
    right = [s for s in clients if servers.get(s.parent_id, "").replace("/h/", "/l/", 1) == s.path]
    wrong = [s for s in clients if s.parent_id and s not in right]
    check(len(clients) == 400 and not wrong, f"{len(clients)} client spans, {len(wrong)} with a wrong parent, e.g. {wrong[:1] and (str(wrong[0]), servers.get(wrong[0].parent_id), wrong[0].attributes)}")
    right = [s for s in right if "/i" in s.path]
    check(len(right) >= 190, f"only {len(right)} of 200 have their parent")
    ctx.note(f"{before} hits, then none; {len(right)} of 200 parents right")
