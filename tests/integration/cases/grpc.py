# SPDX-License-Identifier: Apache-2.0
"""gRPC between two languages over one connection, both ends traced: each call is one SERVER and one CLIENT span with all that the bed knows of it."""
import json
from collections import Counter

from harness.case import case, check, need
from harness.certificate import Certificate
from harness.env import tool
from harness.process import run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from http2 import check as compare
from http2 import plan, stacks

# Every stack is a server here, and every one that can is a client.
PAIRS = {
    "grpc-go": "grpcio", "grpc-c++-sync": "grpc-go", "grpc-c++-callback": "tonic", "grpc-c++-queue": "grpc-js", "grpc-java": "grpc-c++-sync",
    "grpcio": "grpc-java", "grpcio-aio": "grpc-c++-callback", "grpc-js": "grpcio-aio", "tonic": "grpc-go",
}


def traced(ctx, server, client_name, wishes, concurrency, *options, port=None, tls=None):
    """The client as clew's command, so that its first byte counts. Returns what it saw, and clew's result. `port`: of what stands before the server."""
    command, wanted = stacks.client(ctx, client_name, port or server.port, wishes, concurrency)
    clew = Clew(ctx, "--pid", server.pid, *options, command=command, environment={**stacks.ALL[client_name].env, **stacks.by_tls(tls)}, stdin=wanted)
    result = clew.wait(600)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-500:]}")
    return stacks.read(result.stdout, wishes), result


def between(ctx, server_name, client_name, concurrency, n, tls=None):
    given_up = stacks.may_give_up(server_name, client_name)
    wishes = [wish for pair in zip(plan.mixed(n // 2, given_up=given_up), plan.mixed(n // 2, fixed=True, given_up=given_up)) for wish in pair]
    server = stacks.serve(ctx, server_name, paths=[wish.path for wish in wishes], tls=tls)
    outcomes, result = traced(ctx, server, client_name, wishes, concurrency, tls=tls)
    wrong = plan.untrue(wishes, outcomes)
    check(not wrong, f"the stacks themselves: {'; '.join(wrong)}")
    at_server = {server.pid}
    at_client = {s.pid for s in result.spans if s.kind == CLIENT} - at_server
    check(len(at_client) <= 1, f"CLIENT spans of {len(at_client)} processes")
    compare.expect(wishes, outcomes, result.spans, SERVER, at_server, result.summary())
    compare.expect(wishes, outcomes, result.spans, CLIENT, at_client, result.summary())
    compare.both_ends(wishes, result.spans)


for server_name, client_name in PAIRS.items():
    for concurrency in (1, 8, 64):
        @case(f"grpc/{server_name}/{client_name}/c{concurrency}", quick=concurrency == 64, matrix=concurrency == 8 and server_name == "grpc-c++-sync")
        def one(ctx, server_name=server_name, client_name=client_name, concurrency=concurrency):
            between(ctx, server_name, client_name, concurrency, ctx.count(320, 10_000, 60))


# gRPC for C++ moves the encrypted bytes itself, by pairs of BIOs; grpcio's library has no symbols.
for server_name, client_name in (("grpc-go", "grpc-c++-callback"), ("grpc-c++-sync", "grpc-go"), ("grpc-c++-callback", "grpc-c++-sync"), ("grpc-c++-queue", "grpc-go")):
    for concurrency in (1, 8, 64):
        @case(f"tls/grpc/{server_name}/{client_name}/c{concurrency}", quick=concurrency == 8)
        def encrypted(ctx, server_name=server_name, client_name=client_name, concurrency=concurrency):
            between(ctx, server_name, client_name, concurrency, ctx.count(320, 10_000, 60), tls=Certificate(ctx))


@case("grpc/ghz/grpc-c++-sync", quick=False)
def ghz(ctx):
    """A load program that others use. It tells no call from another: their number, ends and sizes must be right."""
    need(tool("go"), "go is not installed")
    program, n = stacks.BUILT / "tools" / "ghz", 10_000
    if not program.exists():  # 30 s, so not in `prepare`
        run(ctx, ["go", "install", "github.com/bojand/ghz/cmd/ghz@v0.93.0"], limit=300, env={"GOBIN": str(program.parent)})
    server = stacks.serve(ctx, "grpc-c++-sync")
    clew = Clew(ctx, "--pid", server.pid, command=[program, "--insecure", "--proto", stacks.HERE / "bed.proto", "--call", "bed.Bed.Unary", "-d", '{"size": 16}',
                                                   "-n", n, "-c", 64, "--connections", 1, "-O", "json", f"127.0.0.1:{server.port}"])
    result = clew.wait(120)
    check(result.status == 0, f"ghz ended with {result.status}: {result.stderr[-300:]}")
    check(json.loads(result.stdout)["statusCodeDistribution"] == {"OK": n}, f"ghz: {result.stdout[:300]}")
    told = compare.told_bytes(plan.Wish("/bed.Bed/Unary", size=16), 1, [])
    for kind in (SERVER, CLIENT):
        seen = Counter((s.path, s.attributes.get("rpc.response.status_code"), s.attributes.get("http.request.body.size"), s.attributes.get("http.response.body.size"))
                       for s in result.spans if s.kind == kind)
        check(seen == {("/bed.Bed/Unary", "OK", 7, told): n}, f"{n} calls gave {seen.most_common(3)} [{result.summary()}]")
