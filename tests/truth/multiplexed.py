# SPDX-License-Identifier: Apache-2.0
"""Servers whose calls share connections: many at a time come over one, and go on over one, by HTTP/2 or gRPC. /l/2~t5 is the second call made for /h/t5."""
import collections
import time

from edges import Edges
from harness import case, env
from harness.process import Process, free_port
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from http2 import stacks
from http2.plan import KINDS, Wish

WARM_UP = 64  # calls before those that count: connections, compilers, and pools that must have shown how they work
NGINX = """daemon off; worker_processes 1; pid {work}/pid; error_log {work}/error.log warn; user root;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  upstream back {{ server 127.0.0.1:{following}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port} http2 backlog=2048; keepalive_requests 1000000; http2_max_concurrent_streams 256;
    location /h/ {{ rewrite ^/h/(.*)$ /l/1~$1 break; grpc_pass grpc://back; }} }}
}}
"""


def nginx(ctx, following, paths):
    case.need(env.tool("nginx"), "nginx is not installed")
    work, port = ctx.dir("nginx"), free_port()
    (work / "conf").write_text(NGINX.format(work=work, port=port, following=following))
    process = Process(ctx, "nginx", [env.tool("nginx"), "-p", work, "-e", work / "error.log", "-c", work / "conf"])
    process.wait_port(port)
    return stacks.Server(process, port)


def stack(name, how="sequence", streams=False):
    """(how it is started, its calls for each call, whether what comes in is of all kinds, other stacks to be asked by and to ask)"""
    plain = name in stacks.PLAIN
    client, back = ("go-h2c", "go-h2c") if plain else ("grpc-c++-sync", "grpc-c++-callback") if name == "grpc-go" else ("grpc-go", "grpc-go")
    return lambda ctx, following, paths: stacks.serve(ctx, name, following, how, paths), 3, streams, client, back


# name → (what runs, the only kinds of evidence that may be shown inside the process, least share of right parents inside it)
TABLE = {
    **{f"{name}/{how}": (stack(name, how), "execution causal inferred", least) for name, least, hows in (
        ("grpc-go", 0.99, "sequence parallel"), ("grpc-js", 0.95, "sequence parallel"), ("go-h2c", 0.99, "sequence parallel"),
        ("go-x-net", 0.99, "sequence parallel"), ("node-http2", 0.95, "sequence parallel"),
        # who sends does so for whoever waits, and nothing shows for whom: right while one request is under way, else none or links
        ("grpc-c++-sync", 0.0, "sequence"), ("grpcio", 0.0, "sequence"), ("grpcio-aio", 0.0, "sequence parallel"), ("tonic", 0.0, "sequence parallel"),
        # calls hop between threads of pools: the same
        ("grpc-java", 0.0, "sequence parallel"), ("grpc-c++-callback", 0.0, "sequence parallel"), ("grpc-c++-queue", 0.0, "sequence parallel")) for how in hows.split()},
    **{f"{name}/streams": (stack(name, streams=True), "execution causal inferred", least) for name, least in (
        ("grpc-go", 0.99), ("grpc-js", 0.95), ("grpc-c++-sync", 0.0), ("grpcio", 0.0), ("grpcio-aio", 0.0), ("tonic", 0.0), ("grpc-java", 0.0))},
    "nginx/grpc_pass": ((nginx, 1, False, "grpc-go", "grpc-go"), "causal", 0.0),
}


def wishes(n, tag, streams):
    for i in range(n):
        kind = KINDS[i % 4] if streams else "unary"
        yield Wish(f"/h.{kind}/{tag}{i}" if kind != "unary" else f"/h/{tag}{i}", send=2 if kind in ("collect", "talk") else 1, answers=2 if kind == "spread" else 1)


def measure(ctx, what, concurrency, requests, options=()):
    """Edges inside the process, edges between processes. `what`: a first column of TABLE. `options`: of clew."""
    start, calls, streams, client_name, back_name = what
    plan = [*wishes(WARM_UP, "w", streams), *wishes(requests, "t", streams)]
    if client_name == "go-h2c":
        plan = [Wish(wish.path, send=0) for wish in plan]
    back = stacks.serve(ctx, back_name, paths=[])
    hop = start(ctx, back.port, [wish.path for wish in plan])
    time.sleep(env.seconds(0.5))  # workers of nginx; the connection to the next server
    pids = sorted(hop.process.tree()) + [back.pid]
    clew = Clew(ctx, *(x for pid in pids for x in ("--pid", pid)), *options).ready()
    outcomes = stacks.call(ctx, client_name, hop.port, plan, concurrency)
    ok = 200 if client_name == "go-h2c" else 0
    failed = [o for o in outcomes if o.code != ok]
    case.check(not failed, f"{len(failed)} calls failed, e.g. {failed[:1]}")
    clew.wait_spans((1 + 2 * calls) * len(plan), limit=5)
    result = clew.stop()
    ends = collections.defaultdict(dict)
    for span in result.spans:
        service, name = span.path.split("/")[1:3]
        ends[service[:1] + "/" + name][span.kind] = span
    inside, between = Edges(), Edges()
    for name, spans in ends.items():
        asked_for = name.split("~")[-1]
        if not name.startswith("l/") or asked_for.startswith("w"):
            continue
        if CLIENT in spans:
            inside.judge(spans[CLIENT], ends.get("h/" + asked_for, {}).get(SERVER))
        if SERVER in spans:
            between.judge(spans[SERVER], spans.get(CLIENT))
    case.check(inside.right + inside.missing + inside.wrong >= calls * requests, f"only {inside} of {calls * requests}: {result.summary()}")
    return inside, between
