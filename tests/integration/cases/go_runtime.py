# SPDX-License-Identifier: Apache-2.0
"""What clew does to a Go program whose requests it follows: probes, one hit a request, nothing left."""
import json
import os
import re

from harness import env
from harness.case import case, check, need
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT
from harness.tracer import Clew
from servers import python_http


def code_of(pid: int) -> bytes:
    """The executable's instructions, as the process has them in memory."""
    out = b""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        executable = os.readlink(f"/proc/{pid}/exe")
        for line in maps:
            if " r-xp " in line and line.rstrip().endswith(executable):
                first, last = (int(x, 16) for x in re.match(r"(\w+)-(\w+)", line).groups())
                memory.seek(first)
                out += memory.read(last - first)
    return out


@case("go/one-probe-one-hit-a-request-nothing-left")
def probe(ctx):
    need(env.tool("go"), "go is not installed")
    program, port, back = ctx.dir("go") / "go_hop", free_port(), python_http.start(ctx)
    run(ctx, [env.tool("go"), "build", "-o", program, env.ROOT / "tests" / "truth" / "programs" / "go_hop.go"], limit=300, env={"GO111MODULE": "off"})
    server = Process(ctx, "go", [program, port, back.port, "sequence"])
    server.wait_port(port)
    load(ctx, port, 50, concurrency=8, prefix="/h/", tag="w")  # connections that are open before
    before = code_of(server.pid)
    clew = Clew(ctx, "--pid", server.pid).ready()
    traced = code_of(server.pid)
    changed = [i for i, (a, b) in enumerate(zip(before, traced)) if a != b]
    # net/http's client, crypto/tls, HTTP/2; those that the traffic does not pass cost nothing
    check(0 < len(changed) < 16 and all(traced[i] == 0xCC for i in changed), f"{len(changed)} bytes of code changed")
    load(ctx, port, 300, concurrency=8, prefix="/h/")
    clew.wait_spans(4 * 300)
    asked = run(ctx, [env.CLEW, "status", "--json"]).stdout
    mine = next(each for each in json.loads(asked)["clews"] if each["pid"] == clew.pid)
    hits = [each["value"] for each in mine["counters"] if each["name"] == "clew_kernel_probe_hits_total"]
    check(hits == [900], f"{hits} hits for 900 requests")
    clew.kill()
    load(ctx, port, 50, concurrency=8, prefix="/h/", tag="k")
    check(code_of(server.pid) == before, "the code is not what it was")
    clients = [span for span in clew.read() if span.kind == CLIENT]
    check(len(clients) == 900 and all(span.parent_id for span in clients), f"{len(clients)} client spans, {sum(bool(s.parent_id) for s in clients)} with a parent")
