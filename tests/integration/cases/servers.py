# SPDX-License-Identifier: Apache-2.0
"""Every server under load: each request is one SERVER span with the right fields, process and times."""
from harness import truth
from harness.case import case
from harness.load import load
from harness.spans import SERVER
from harness.tracer import Clew
from servers import apache, flask_gunicorn, go_http, java_http, nginx, node, python_http

SERVERS = {
    "nginx": (nginx.start, True), "apache-event": (apache.start, True), "apache-prefork": (lambda ctx: apache.start(ctx, "prefork"), False),
    "http.server": (python_http.start, True), "gunicorn-sync": (flask_gunicorn.start, True),
    "gunicorn-threads": (lambda ctx: flask_gunicorn.start(ctx, "gthread"), False), "node-http": (node.start, True),
    "node-express": (lambda ctx: node.start(ctx, "express"), False), "go-net-http": (go_http.start, True),
    "java-httpserver": (java_http.start, False),
}


def under_load(ctx, start, concurrency: int, keep_alive: bool, requests: int, **more):
    server = start(ctx)
    clew = Clew(ctx, *server.select).ready()
    # An emulator translates code when it first runs, and takes longer than a thread may have the CPU: of many first requests at once some are missed.
    seen = load(ctx, server.port, 4, tag="first", **{**server.load, **more}) if ctx.mode == "matrix" else []
    seen += load(ctx, server.port, requests, concurrency=concurrency, keep_alive=keep_alive, **{**server.load, **more})
    clew.wait_spans(len(seen))
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, pids=server.process.tree(), losses=result.summary())


def register(name, start, in_matrix):
    for concurrency in (1, 8, 64):
        for keep_alive in (True, False):
            in_quick = concurrency == 8

            @case(f"server/{name}/c{concurrency}/{'keepalive' if keep_alive else 'close'}", quick=in_quick, matrix=in_matrix and in_quick)
            def one(ctx, concurrency=concurrency, keep_alive=keep_alive):
                under_load(ctx, start, concurrency, keep_alive, ctx.count(600, 10_000, 60))


for name, (start, in_matrix) in SERVERS.items():
    register(name, start, in_matrix)


@case("server/nginx/file-by-sendfile", matrix=True)
def nginx_file(ctx):
    """102,400 bytes by sendfile: the size must be right although no byte of the body can be read."""
    under_load(ctx, nginx.start, 4, True, ctx.count(200, 10_000, 20), prefix="/f/", methods="GET,HEAD")


@case("server/nginx/small-file")
def nginx_small_file(ctx):
    under_load(ctx, nginx.start, 4, True, ctx.count(200, 10_000, 20), prefix="/s/", methods="GET")


@case("server/nginx/status-503", matrix=True)
def nginx_status(ctx):
    under_load(ctx, nginx.start, 4, True, ctx.count(200, 2000, 20), prefix="/e/", methods="GET")


@case("server/nginx/no-query-in-spans")
def query_is_redacted(ctx):
    """Values of the query are private by default."""
    server = nginx.start(ctx)
    clew = Clew(ctx, *server.select).ready()
    load(ctx, server.port, 20)
    clew.wait_spans(20)
    result = clew.stop()
    text = result.file.read_text()
    from harness.case import check
    check(len(result.spans) == 20, f"{len(result.spans)} spans of 20")
    check("hush" not in text, "a value of the query string is in the spans file")


@case("server/nginx-proxy/python", matrix=True)
def proxy(ctx):
    """A SERVER span and a CLIENT span of nginx for each request, and a SERVER span of the Python server behind it."""
    back = python_http.start(ctx)
    front = nginx.start(ctx, upstream=back.port)
    clew = Clew(ctx, *front.select, *back.select).ready()
    requests = ctx.count(400, 10_000, 30)
    seen = load(ctx, front.port, requests, concurrency=8, prefix="/p/", **{**back.load, "methods": "GET,POST,GET,GET,PUT"})
    clew.wait_spans(3 * requests)
    result = clew.stop()
    for r in seen:
        r.pid = 0  # two X-Pid headers come back
    workers, behind = front.process.tree(), back.process.tree()
    at_front = [s for s in result.spans if s.pid in workers]
    at_back = [s for s in result.spans if s.pid in behind]
    check_all(at_front + at_back, result)
    truth.expect(seen, at_front, SERVER, pids=workers, losses=result.summary())
    inner = [truth.Request(r.method, r.path, r.status, r.request_body, r.response_body, r.start, r.end) for r in seen]
    truth.expect(inner, at_front, truth.CLIENT, pids=workers, losses=result.summary())
    truth.expect(inner, at_back, SERVER, pids=behind, losses=result.summary())


def check_all(known, result):
    from harness.case import check
    check(len(known) == len(result.spans), f"{len(result.spans) - len(known)} spans of processes that were not selected")
