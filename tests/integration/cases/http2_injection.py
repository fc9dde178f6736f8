# SPDX-License-Identifier: Apache-2.0
"""`--inject` into HTTP/2: every request arrives with exactly one trace context, and all else arrives as it was sent."""
import re
import socket
import threading
import time

from harness import env
from harness.case import case, check, need
from harness.env import tool
from harness.process import Process, free_port
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from http2 import plan, stacks
from http2 import raw as bytewise
from http2.servers import nginx

from cases.grpc import PAIRS, traced


def injected_into(ctx, server_name, client_name, wishes, http=False):
    server = stacks.serve(ctx, server_name, paths=[wish.path for wish in wishes])
    outcomes, result = traced(ctx, server, client_name, wishes, 64, "--inject")
    wrong = plan.untrue(wishes, outcomes, http)
    check(not wrong, f"what was sent did not arrive: {'; '.join(wrong)}")
    injected = [s for s in result.spans if s.kind == CLIENT and s.attributes.get("clew.injected")]
    own = [w for w in wishes if "traceparent=" in w.metadata or "b3=" in w.metadata]
    given = sum(bool(o.traces) and "traceparent=0" not in wish.metadata for wish, o in zip(wishes, outcomes))
    # A frame that is full, a head that is cut by two calls, a send buffer that is nearly full, heads far behind others in one call.
    possible = len(wishes) - len(own)
    need(given or "let_go" not in result.stderr, "this kernel misreports how much a socket holds, and the client may ask")
    left_alone = possible // 10
    wrong = plan.wrong_contexts(wishes, outcomes, left_alone)
    check(not wrong, f"of {len(wishes)} requests {'; '.join(wrong)} [{result.summary()}]")
    check(len(injected) == given, f"clew.injected on {len(injected)} spans, but {given} requests were given a context")
    ctx.note(f"{given} of {possible}")
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
    """Many HEADERS in one send; the access log tells what arrived. It connects as it begins: where the kernel misreports how much a socket holds,
    that it does not ask must be known by then."""
    need(tool("h2load"), "h2load is not installed")
    n, paths = ctx.count(6000, 150_000, 600), [f"/f/{i}" for i in range(50)]
    log = ctx.work / "access.log"
    server = nginx(ctx, paths, log=str(log))
    uris = ctx.work / "uris"
    uris.write_text("".join(f"http://127.0.0.1:{server.port}{path}\n" for path in paths))
    result = Clew(ctx, "--inject", command=["h2load", "-n", n, "-c", 6, "-m", 100, "-i", uris]).wait(300)
    check(f"{n} succeeded, 0 failed" in result.stdout, f"h2load: {result.stdout[-400:]}{result.stderr[-200:]}")
    server.process.stop()  # and its log is whole
    lines = log.read_text().splitlines()
    contexts = [line.split()[1] for line in lines]
    check(len(lines) == n, f"nginx has logged {len(lines)} of {n}")
    need(set(contexts) != {"-"}, "this clew injects nothing into HTTP/2")
    good = {c for c in contexts if re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9a-f]", c)}
    check(len(good) == n, f"{len(good)} different trace contexts for {n} requests; {contexts.count('-')} have none [{result.summary()}]")
    spans = {f"00-{s.trace_id}-{s.span_id}" for s in result.spans if s.attributes.get("clew.injected")}
    check(spans == {c[:-3] for c in good}, f"{len(spans)} spans, {len(good)} contexts {result.summary()}")
    ctx.note(f"{len(good)} of {n}")


def raw(ctx, connections, first_seed=1, kill_after=None):
    """A client whose every byte is known, with small buffers, impatient, in vectors. Returns (contexts added, requests without one of their own)."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    ctx.later(listener.close)
    results: dict = {}
    reader = threading.Thread(target=bytewise.serve, args=(listener, first_seed, connections, results), daemon=True)
    reader.start()
    command = [*env.PYTHON, bytewise.__file__, listener.getsockname()[1], first_seed, connections]
    if kill_after is None:
        result = Clew(ctx, "--inject", command=command).wait(300)
        check(result.status == 0, f"the client: {result.stderr[-400:]}")
    else:  # it outlives its tracer
        client = Process(ctx, "client", ["sh", "-c", 'sleep 4; exec "$@"', "sh", *command])
        clew = Clew(ctx, "--inject", "--pid", client.pid).ready()
        while len(results) < kill_after and reader.is_alive():
            time.sleep(0.01)
        clew.kill()
        result = None
    reader.join(200)
    check(not reader.is_alive() and len(results) == connections, f"{len(results)} of {connections} connections")
    wrong = [f"seed {seed}: {what}" for seed, (what, _, _) in results.items() if what]
    check(not wrong, f"{len(wrong)} of {connections} streams are not as they were sent: {'; '.join(wrong[:3])}")
    added = [context for _, contexts, _ in results.values() for context in contexts]
    check(len(set(added)) == len(added), "the same context twice")
    if result:
        spans = {f"00-{s.trace_id}-{s.span_id}" for s in result.spans if s.attributes.get("clew.injected")}
        lying = spans ^ {context[:-3] for context in added}
        check(not lying, f"{len(lying)} contexts are not those of CLIENT spans {result.summary()}")
    return len(added), sum(possible for _, _, possible in results.values())


@case("http2-inject/byte-by-byte", matrix=False)
def byte_by_byte(ctx):
    added, possible = raw(ctx, ctx.count(60, 2000, 0))
    check(added > possible / 5, f"{added} of {possible} only")
    ctx.note(f"{added} of {possible}")


@case("http2-inject/agent-dies", matrix=False)
def agent_dies(ctx):
    added, possible = raw(ctx, 40, first_seed=100_000, kill_after=15)
    check(0 < added < possible, f"{added} of {possible}")


@case("grpc-inject/serves/grpc-js", quick=False)
def serves(ctx):
    """Who writes a stream is seldom who has asked for it: a program that serves begins no traces with what it sends."""
    back = stacks.serve(ctx, "grpc-js")
    server = stacks.serve(ctx, "grpc-js", back.port)
    wishes = [plan.Wish(f"/h/{n}") for n in range(ctx.count(60, 1000, 20))]
    clew = Clew(ctx, "--inject", "--pid", server.pid).ready()
    outcomes = stacks.call(ctx, "grpc-js", server.port, wishes, 16)
    clew.wait_spans(2 * len(wishes))
    result = clew.stop()
    check(all(o.code == 0 for o in outcomes), f"a call has failed: {outcomes[:1]}")
    sent = [s for s in result.spans if s.kind == CLIENT]
    check(len(sent) >= len(wishes), f"{len(sent)} CLIENT spans {result.summary()}")
    injected = [s for s in sent if s.attributes.get("clew.injected")]
    check(not injected, f"{len(injected)} of {len(sent)} requests of a server begin traces")


@case("grpc-inject/through-nginx")
def through_nginx(ctx):
    """nginx passes on what it was given, for any of its streams; each call is one trace of four spans, one below the other."""
    wishes = plan.mixed(ctx.count(200, 10_000, 40), given_up=False)
    back = stacks.serve(ctx, "grpc-go")
    front = nginx(ctx, [], upstream=back.port)
    pids = front.process.tree()
    outcomes, result = traced(ctx, back, "grpcio", wishes, 32, "--inject", *(x for pid in sorted(pids) for x in ("--pid", pid)), port=front.port)
    wrong = plan.untrue(wishes, outcomes)
    check(not wrong, f"what was sent did not arrive: {'; '.join(wrong)}")
    of = {span.span_id: span for span in result.spans}
    ends = [s for s in result.spans if s.kind == SERVER and s.pid == back.pid]
    check(len(ends) == len(wishes), f"{len(ends)} spans of {len(wishes)} calls at the end {result.summary()}")
    for end in ends:
        line = [end]
        while line[-1].parent_id in of:
            line.append(of[line[-1].parent_id])
        check([(s.kind, s.pid in pids) for s in line] == [(SERVER, False), (CLIENT, True), (SERVER, True), (CLIENT, False)] and len({(s.trace_id, s.path) for s in line}) == 1,
              f"not one below the other: {' < '.join(map(str, line))}")


def asks_onward(ctx, name, how, streams, idle=0):
    """A server in Go asks another for each call. What it sends for a request, in the goroutine that serves it, carries the trace of that one; what other
    goroutines send carries none. `idle`: so many requests come before on the same connection for which it asks nobody, so that its goroutines are not
    asked for any more; it takes a moment until they are again."""
    back, port = stacks.serve(ctx, name), free_port()
    stack, n = stacks.ALL[name], ctx.count(300, 20_000, 20)
    clew = Clew(ctx, "-v", "--inject", "--pid", back.pid, command=[*stack.command, "serve", port, back.port, how], environment=stack.env).ready()
    clew.wait_said("goroutines at offset")
    time.sleep(env.seconds(2))  # its probes are set, it listens, and its connection to the next one is there
    wishes = [plan.Wish(f"/l/idle-{i}", send=int(name not in stacks.PLAIN)) for i in range(idle)]
    kinds = [k if streams else "unary" for k in plan.KINDS]
    wishes += [plan.Wish(f"/h{'' if kinds[i % 4] == 'unary' else '.' + kinds[i % 4]}/{i}", send=int(name not in stacks.PLAIN)) for i in range(n)]
    outcomes = stacks.call(ctx, name, port, wishes, 64)
    check(all(o.code in (0, 200) for o in outcomes), "a call has failed")
    clew.wait_spans(7 * n + idle)
    result = clew.stop()
    check(not idle or "its runtime is read again" in result.stderr, f"was never left unread [{result.stderr[-600:]}]")
    spans = {s.span_id: s for s in result.spans}
    of = {s.path.rpartition("/")[2]: s for s in result.spans if s.kind == SERVER and s.path.startswith("/h")}
    sent = [s for s in result.spans if s.kind == CLIENT]
    injected = [s for s in sent if s.attributes.get("clew.injected")]
    check(len(result.spans) == 7 * n + idle, f"{len(result.spans)} spans, not {7 * n + idle} [{result.summary()}]")
    check(len(of) == n and len(sent) == 3 * n, f"{len(of)} requests, {len(sent)} sent for them [{result.summary()}]")
    wrong = [s for s in injected if s.trace_id != of[s.path.rpartition("~")[2]].trace_id]
    wrong += [s for s in sent if s.parent_id and s.parent_id != of[s.path.rpartition("~")[2]].span_id]
    check(not wrong, f"{len(wrong)} of {len(injected)} have the trace of another request, or another parent, e.g. {wrong[:1]}")
    arrived = [s for s in result.spans if s.attributes.get("clew.parent.evidence") == "header"]
    lost = [s for s in arrived if s.parent_id not in spans or spans[s.parent_id].path != s.path]
    check(len(arrived) == len(injected) and not lost, f"{len(arrived)} of {len(injected)} contexts arrived, {len(lost)} are nobody's")
    ctx.note(f"{len(injected)} of {len(sent)}")
    need(injected or how != "sequence", "this clew injects nothing into HTTP/2")
    check(len(injected) >= (0.5 if idle else 0.95) * len(sent) if how == "sequence" else not injected, f"{len(injected)} of {len(sent)} carry a context [{result.summary()}]")


@case("http2-inject/onward/go-h2c/after-none")
def idle_before(ctx):
    asks_onward(ctx, "go-h2c", "sequence", False, idle=ctx.count(6000, 20_000, 5000))


for server_name, way, every_kind in (("grpc-go", "sequence", False), ("grpc-go", "sequence", True), ("grpc-go", "parallel", False), ("go-h2c", "sequence", False)):
    @case(f"http2-inject/onward/{server_name}/{way}{'/streams' if every_kind else ''}", quick=not every_kind)
    def onward(ctx, server_name=server_name, way=way, every_kind=every_kind):
        asks_onward(ctx, server_name, way, every_kind)
