# SPDX-License-Identifier: Apache-2.0
"""`--inject` into HTTP/2: every request arrives with exactly one trace context, and all else arrives as it was sent."""
import re

from harness.case import case, check, need
from harness.env import tool
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from http2 import plan, stacks
from http2.servers import nginx

from cases.grpc import PAIRS, traced


def injected_into(ctx, server_name, client_name, wishes, http=False):
    server = stacks.serve(ctx, server_name, paths=[wish.path for wish in wishes])
    outcomes, result = traced(ctx, server, client_name, wishes, 64, "--inject")
    wrong = plan.untrue(wishes, outcomes, http)
    check(not wrong, f"what was sent did not arrive: {'; '.join(wrong)}")
    injected = [s for s in result.spans if s.kind == CLIENT and s.attributes.get("clew.injected")]
    given = sum(bool(o.traces) and "traceparent=0" not in wish.metadata for wish, o in zip(wishes, outcomes))
    need(injected or given, "this clew injects nothing into HTTP/2")
    wrong = plan.wrong_contexts(wishes, outcomes)
    check(not wrong, f"of {len(wishes)} requests {'; '.join(wrong)} [{result.summary()}]")
    check(len(injected) == given, f"clew.injected on {len(injected)} spans, but {given} requests were given a context")
    on_wire = {trace[3:52] for o in outcomes for trace in o.traces}
    lying = [s for s in injected if f"{s.trace_id}-{s.span_id}" not in on_wire]
    check(not lying, f"{len(lying)} CLIENT spans are not what was injected, e.g. {lying[:1]}")
    parents = {s.span_id for s in injected}
    hanging = sum(s.kind == SERVER and s.attributes.get("clew.parent.evidence") == "header" and s.parent_id in parents for s in result.spans)
    check(hanging == len(injected), f"{hanging} of {len(injected)} SERVER spans hang below what was injected")


def every_head(ctx, server_name, client_name, http=False):
    # Most servers take heads of 8 KiB at the most; net/http's and grpc-go's, of a mebibyte and more.
    large = 40_000 if server_name in ("grpc-go", "go-h2c") else 5000
    injected_into(ctx, server_name, client_name, plan.headed(ctx.count(400, 10_000, 60), http, large), http)


for server_name, client_name in PAIRS.items():
    @case(f"grpc-inject/{server_name}/{client_name}", quick=server_name in ("grpc-go", "grpc-js"))
    def grpc(ctx, server_name=server_name, client_name=client_name):
        every_head(ctx, server_name, client_name)

    @case(f"grpc-inject/{server_name}/{client_name}/many", quick=False)
    def many(ctx, server_name=server_name, client_name=client_name):
        injected_into(ctx, server_name, client_name, plan.mixed(ctx.count(1000, 100_000, 60), fixed=True, given_up=False))

for server_name, client_name in (("go-h2c", "node-http2"), ("node-http2", "go-h2c")):
    @case(f"http2-inject/{server_name}/{client_name}", quick=server_name == "go-h2c")
    def plain(ctx, server_name=server_name, client_name=client_name):
        every_head(ctx, server_name, client_name, http=True)


@case("http2-inject/nginx/h2load/m100")
def h2load(ctx):
    """Many HEADERS in one send; the access log tells what arrived."""
    need(tool("h2load"), "h2load is not installed")
    n, paths = ctx.count(4000, 100_000, 200), [f"/f/{i}" for i in range(50)]
    log = ctx.work / "access.log"
    server = nginx(ctx, paths, log=str(log))
    uris = ctx.work / "uris"
    uris.write_text("".join(f"http://127.0.0.1:{server.port}{path}\n" for path in paths))
    result = Clew(ctx, "--inject", command=["h2load", "-n", n, "-c", 2, "-m", 100, "-i", uris]).wait(300)
    check(f"{n} succeeded, 0 failed" in result.stdout, f"h2load: {result.stdout[-400:]}{result.stderr[-200:]}")
    server.process.stop()  # and its log is whole
    lines = log.read_text().splitlines()
    contexts = [line.split()[1] for line in lines]
    check(len(lines) == n, f"nginx has logged {len(lines)} of {n}")
    need(set(contexts) != {"-"}, "this clew injects nothing into HTTP/2")
    good = {c for c in contexts if re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9a-f]", c)}
    check(len(good) == n, f"{len(good)} different trace contexts for {n} requests; {contexts.count('-')} have none")
