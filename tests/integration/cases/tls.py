# SPDX-License-Identifier: Apache-2.0
"""The same over TLS: real servers and clients with their own libraries, each request once, same attributes, on the right connection."""
from harness import truth
from harness.case import case, check, need
from harness.certificate import Certificate
from harness.env import NODE_MODULES, PYTHON, SUITE, VENV_PYTHON, built, tool
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import apache, go_http, nginx, node, python_http

SERVERS = {
    "nginx": (nginx.start, True), "node-https": (node.start, False), "http.server": (python_http.start, True), "apache-event": (apache.start, False),
    "go-net-http": (go_http.start, True),
}


def over_tls(spans, version: str = ""):
    """What a span says of it."""
    for s in spans:
        a = s.attributes
        if s.kind == SERVER:
            check(a.get("url.scheme") == "https", f"url.scheme of {s} is {a.get('url.scheme')!r}")
        else:
            check(a.get("url.full", "").startswith("https://"), f"url.full of {s} is {a.get('url.full')!r}")
        check(not version or a.get("tls.protocol.version") == version, f"tls.protocol.version of {s} is {a.get('tls.protocol.version')!r}")


def register(name, start, in_matrix):
    for concurrency in (1, 8, 64):
        for keep_alive in (True, False):
            in_quick = concurrency == 8 and keep_alive

            @case(f"tls/server/{name}/c{concurrency}/{'keepalive' if keep_alive else 'close'}", quick=in_quick, matrix=in_matrix and in_quick)
            def one(ctx, concurrency=concurrency, keep_alive=keep_alive):
                certificate = Certificate(ctx, "1.2" if concurrency == 1 else "any")
                server = start(ctx, tls=certificate)
                n = ctx.count(600, 10_000, 60) if keep_alive else ctx.count(200, 1000, 20)
                clew = Clew(ctx, *server.select).ready()
                seen = load(ctx, server.port, n, concurrency=concurrency, keep_alive=keep_alive, **server.load)
                clew.wait_spans(n)
                result = clew.stop()
                truth.expect(seen, result.spans, SERVER, pids=server.process.tree(), losses=result.summary())
                over_tls(result.spans, "" if name.startswith("go") else "1.2" if concurrency == 1 else "1.3")


for name, (start, in_matrix) in SERVERS.items():
    register(name, start, in_matrix)


@case("tls/both-ends/load-nginx", matrix=True)
def both_ends(ctx):
    """The client's and the server's count of the plaintext agree: each server span hangs below its client's."""
    n = ctx.count(600, 10_000, 60)
    server = nginx.start(ctx, tls=Certificate(ctx))
    clew = Clew(ctx, *server.select, "--exe", built("load")).ready()
    load(ctx, server.port, n, concurrency=8, **server.load)
    clew.wait_spans(2 * n)
    result = clew.stop()
    clients = {s.path: s for s in result.spans if s.kind == CLIENT}
    servers = {s.path: s for s in result.spans if s.kind == SERVER}
    check(len(clients) >= n * 0.9, f"{len(clients)} clients of {n}: {result.summary()}")
    check(len(servers) == n, f"{len(servers)} servers of {n}: {result.summary()}")
    wrong = [p for p, s in servers.items() if s.parent_id and (p not in clients or s.parent_id != clients[p].span_id)]
    joined = [p for p, s in servers.items() if s.parent_id]
    check(not wrong, f"{len(wrong)} wrong parents, first {wrong[:1]}")
    check(len(joined) >= 0.99 * len(clients), f"{len(joined)} of {len(clients)} have their parent")
    check(all(s.attributes.get("clew.parent.evidence") == "connection" for s in servers.values() if s.parent_id), "by another evidence")
