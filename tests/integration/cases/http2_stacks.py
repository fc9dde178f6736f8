# SPDX-License-Identifier: Apache-2.0
"""Plain HTTP/2 without TLS: Go, Node, nghttpd, nginx, Apache as servers; Go, Node, h2load, curl as clients."""
import time

from harness import env, truth
from harness.case import case, check, need
from harness.process import Process, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from http2 import check as compare
from http2 import plan, stacks
from http2.servers import apache, nghttpd, nginx

from cases.grpc import traced


def between(ctx, server_name, client_name, concurrency, n):
    wishes = plan.plain(n)
    server = stacks.serve(ctx, server_name)
    outcomes, result = traced(ctx, server, client_name, wishes, concurrency)
    wrong = plan.untrue(wishes, outcomes, http=True)
    check(not wrong, f"the stacks themselves: {'; '.join(wrong)}")
    at_client = {s.pid for s in result.spans if s.kind == CLIENT} - {server.pid}
    check(len(at_client) <= 1, f"CLIENT spans of {len(at_client)} processes")
    for kind, pids in ((SERVER, {server.pid}), (CLIENT, at_client)):
        seen = compare.requests(wishes, outcomes)
        for r in seen:
            if r.optional:  # given up: the server may go on longer than the client waits
                r.start = r.end = 0
        truth.expect(seen, result.spans, kind, pids=pids, losses=result.summary(), incomplete_ok=False)


for server_name, client_name in (("go-h2c", "node-http2"), ("node-http2", "go-h2c")):
    for concurrency in (1, 8, 64):
        @case(f"http2/{server_name}/{client_name}/c{concurrency}", quick=concurrency == 64)
        def one(ctx, server_name=server_name, client_name=client_name, concurrency=concurrency):
            between(ctx, server_name, client_name, concurrency, ctx.count(320, 10_000, 60))


def under_h2load(ctx, start, streams, n):
    """Every request has a path of its own, and a fixed answer."""
    need(env.tool("h2load"), "h2load is not installed")
    paths = [f"/f/{i}" for i in range(n)]
    server = start(ctx, paths)
    uris = ctx.work / "uris"
    uris.write_text("".join(f"http://127.0.0.1:{server.port}{path}\n" for path in paths))
    pids = sorted(server.process.tree())
    clew = Clew(ctx, *(x for pid in pids for x in ("--pid", pid)), command=["h2load", "-n", n, "-c", 1, "-m", streams, "-i", uris])
    result = clew.wait(300)
    check(f"{n} succeeded, 0 failed" in result.stdout, f"h2load: {result.stdout[-400:]}{result.stderr[-200:]}")
    for kind in (SERVER, CLIENT):
        seen = [truth.Request("GET", path, 200, 0, server.size, version="2") for path in paths]
        truth.expect(seen, result.spans, kind, pids=set(pids) if kind == SERVER else None, losses=result.summary())


for name, start in (("nghttpd", nghttpd), ("nginx", nginx)):
    @case(f"http2/{name}/h2load/m100", matrix=name == "nghttpd")
    def load(ctx, start=start):
        under_h2load(ctx, start, 100, ctx.count(2000, 10_000, 100))


@case("http2/nginx-proxy/grpc")
def proxy(ctx):
    """grpc_pass: each call is four spans, of the client, of nginx as both, of the server."""
    wishes = plan.mixed(ctx.count(200, 10_000, 40), given_up=False)
    back = stacks.serve(ctx, "grpc-c++-callback")
    front = nginx(ctx, [], upstream=back.port)
    pids = front.process.tree()
    outcomes, result = traced(ctx, back, "grpc-go", wishes, 64, *(x for pid in sorted(pids) for x in ("--pid", pid)), port=front.port)
    wrong = plan.untrue(wishes, outcomes)
    check(not wrong, f"the stacks themselves: {'; '.join(wrong)}")
    at_front = [s for s in result.spans if s.pid in pids]
    rest = [s for s in result.spans if s.pid not in pids]
    client = {s.pid for s in rest if s.kind == CLIENT}
    for spans, kind, who in ((at_front, SERVER, pids), (at_front, CLIENT, pids), (rest, SERVER, {back.pid}), (rest, CLIENT, client)):
        compare.expect(wishes, outcomes, spans, kind, who, result.summary())


def by_curl(ctx, server, paths, option):
    """One curl for each: curl 7.88 cannot use a connection of HTTP/2 without TLS again."""
    need("HTTP2" in run(ctx, ["curl", "-V"]).stdout, "this curl has no HTTP/2")
    lines = [f"curl -s --fail -o /dev/null {option} http://127.0.0.1:{server.port}{path} || exit 1" for path in paths]
    clew = Clew(ctx, *(x for pid in sorted(server.process.tree()) for x in ("--pid", pid)), command=["sh", "-c", "\n".join(lines)])
    result = clew.wait(60)
    check(result.status == 0, f"curl ended with {result.status}: {result.stderr[-300:]}")
    return result


@case("http2/curl/prior-knowledge")
def curl(ctx):
    paths = [f"/f/{i}" for i in range(ctx.count(8, 100, 4))]
    server = nghttpd(ctx, paths)
    result = by_curl(ctx, server, paths, "--http2-prior-knowledge")
    for kind in (SERVER, CLIENT):
        truth.expect([truth.Request("GET", path, 200, 0, server.size, version="2") for path in paths], result.spans, kind, losses=result.summary())


@case("http2/curl/upgrade")
def upgrade(ctx):
    """The request is HTTP/1.1 and asks for HTTP/2: it is answered as stream 1."""
    paths = [f"/f/{i}" for i in range(ctx.count(8, 100, 4))]
    server = apache(ctx, paths)
    result = by_curl(ctx, server, paths, "--http2")
    check("h2c" in run(ctx, ["curl", "-s", "-o", "/dev/null", "-D", "-", "--http2", f"http://127.0.0.1:{server.port}/f/0"]).stdout, "Apache did not upgrade")
    for kind in (SERVER, CLIENT):
        truth.expect([truth.Request("GET", path, 200, 0, server.size) for path in paths], result.spans, kind, losses=result.summary())


def open_before(ctx, server_name, wishes):
    """The connection is there and has been used before clew comes: what follows has its spans at both ends, by name once each path is new to the tables."""
    at_a_time, server = 8, stacks.serve(ctx, "go-h2c")
    front = stacks.serve(ctx, server_name, server.port)
    client = "go-h2c"
    stacks.call(ctx, client, front.port, [plan.Wish("/h/first", send=0)], 1)
    clew = Clew(ctx, "--pid", server.pid, "--pid", front.pid).ready()
    stacks.call(ctx, client, front.port, wishes, at_a_time)
    clew.wait_spans(7 * len(wishes) - 3 * at_a_time)
    result = clew.stop()
    onward = {f"/l/{n}~{wish.path[3:]}" for wish in wishes for n in (1, 2, 3)}
    for kind, pid in ((CLIENT, front.pid), (SERVER, server.pid)):
        found = [s.path for s in result.spans if s.kind == kind and s.pid == pid]
        check(len(found) == len(set(found)) and set(found) <= onward | {""}, f"invented or twice: {sorted(set(found) - onward)[:3]}")
        # net/http reads a frame's header by itself, which is known for one only once an answer has gone.
        check(len(found) >= len(onward) - at_a_time, f"{len(found)} of {len(onward)} {'SERVER' if kind == SERVER else 'CLIENT'} spans [{result.summary()}]")


for name in ("go-h2c", "node-http2"):
    @case(f"http2/{name}/open-before")
    def before(ctx, name=name):
        open_before(ctx, name, [plan.Wish(f"/h/t{i}", send=0) for i in range(ctx.count(100, 2000, 20))])


@case("grpc/attach-in-mid-stream")
def attach(ctx):
    """clew comes to a connection that is busy: spans of new calls, none with a wrong path; a path that is not known is not guessed."""
    wishes = plan.mixed(ctx.count(4000, 20_000, 400), given_up=False)
    for wish in wishes:
        wish.delay = 8
    server = stacks.serve(ctx, "grpc-c++-callback")
    client = Process(ctx, "client", stacks.client_command(ctx, "grpc-go", server.port, wishes, 16), env=stacks.ALL["grpc-go"].env)
    time.sleep(env.seconds(0.3))
    clew = Clew(ctx, "--pid", server.pid, "--pid", client.pid).ready()
    attached = time.time_ns()
    client.wait(120)
    outcomes = stacks.read(client.text(), wishes)
    result = clew.stop()
    check(not plan.untrue(wishes, outcomes), "the stacks themselves")
    check(outcomes[-1].end > attached, "the client was done before clew was ready")
    for kind in (SERVER, CLIENT):
        ends = {wish.path: o for wish, o in zip(wishes, outcomes)}
        mine = [s for s in result.spans if s.kind == kind]
        known = [s for s in mine if "rpc.method" in s.attributes and s.attributes["rpc.method"] != "_OTHER"]
        wrong = [s for s in known if s.path not in ends or not ends[s.path].start - truth.WORST_NS < s.start < ends[s.path].end + truth.WORST_NS]
        check(not wrong, f"{len(wrong)} wrong paths, e.g. {wrong[:1]}")
        check(len({s.path for s in known}) == len(known), "a call has two spans")
        late = [wish.path for wish, o in zip(wishes, outcomes) if o.start > attached + 5e8]
        missing = set(late) - {s.path for s in known}
        check(len(missing) <= len(mine) - len(known), f"{len(missing)} of {len(late)} calls that began after clew was ready have no span, e.g. {sorted(missing)[:2]}")
        ctx.note(f"{'server' if kind == SERVER else 'client'}: {len(late)} later calls, {len(late) - len(missing)} by name, {len(mine) - len(known)} spans with an unknown path")
