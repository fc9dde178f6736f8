# SPDX-License-Identifier: Apache-2.0
"""Every client under trace: each request is one CLIENT span. The client is the command of `clew trace -- …`, so its first byte counts."""
from harness import truth
from harness.case import case, check, need
from harness.env import CACHE, NODE_MODULES, PYTHON, SUITE, VENV_PYTHON, built, node_of, tool
from harness.process import run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import go_http, nginx, python_http

HERE = SUITE / "clients"


def back_end(ctx):
    return go_http.start(ctx) if built("go-server").exists() else python_http.start(ctx)


def traced(ctx, command, requests: int, environment=None):
    """Runs the client under clew; its stdout is the truth."""
    clew = Clew(ctx, command=command, environment=environment)
    result = clew.wait(300)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-500:]}")
    file = ctx.work / "truth.tsv"
    file.write_text("".join(line + "\n" for line in result.stdout.splitlines() if line.count("\t") == 9))
    seen = truth.read(file)
    check(len(seen) == requests, f"the client did {len(seen)} of {requests} requests: {result.stderr[-300:]}")
    for r in seen:
        r.user_agent, r.peer_port, r.pid = "", 0, 0
    truth.expect(seen, result.spans, CLIENT, losses=result.summary())
    check(all(s.kind == CLIENT for s in result.spans), "spans of another kind than CLIENT")
    for s in result.spans:
        check(s.attributes.get("server.address") in ("127.0.0.1", "localhost"), f"server.address of {s} is {s.attributes.get('server.address')!r}")
    return result


def plain_client(name, command, quick=200, full=10_000, matrix=20, needs=lambda: None, in_matrix=True, environment=None):
    for concurrency in (1, 8, 64):
        @case(f"client/{name}/c{concurrency}", quick=concurrency == 8, matrix=in_matrix and concurrency == 8)
        def one(ctx, concurrency=concurrency):
            needs()
            n = ctx.count(quick, full, matrix)
            traced(ctx, command(back_end(ctx).port, n, concurrency), n, environment)


def in_venv():
    need(VENV_PYTHON.exists(), "requests is not installed: run tests/integration/prepare")


def with_node():
    need(tool("node"), "node is not installed")


NODE22 = node_of(22)  # undici asks for more than Debian 12's


def with_undici():
    need(NODE22.exists() and (NODE_MODULES / "undici").exists(), "undici or Node.js 22 is not installed: run tests/integration/prepare")


def with_java():
    need(tool("java") and (CACHE / "java" / "HttpClientApp.class").exists(), "no Java client: run tests/integration/prepare with a JDK")


def with_go():
    need(built("go-client").exists(), "no Go client: run tests/integration/prepare with Go installed")


plain_client("python-requests", lambda port, n, c: [VENV_PYTHON, HERE / "requests_client.py", port, n, c], needs=in_venv, in_matrix=False)
plain_client("node-fetch", lambda port, n, c: ["node", HERE / "node_client.js", "fetch", port, n, c], needs=with_node, in_matrix=False)
plain_client("node-http", lambda port, n, c: ["node", HERE / "node_client.js", "http", port, n, c], needs=with_node, in_matrix=False)
plain_client("node-undici", lambda port, n, c: [NODE22, HERE / "node_client.js", "undici", port, n, c], needs=with_undici, in_matrix=False,
             environment={"NODE_PATH": str(NODE_MODULES)})
plain_client("go-net-http", lambda port, n, c: [built("go-client"), port, n, c], needs=with_go)
plain_client("java-httpclient", lambda port, n, c: ["java", "-Xmx256m", "-cp", CACHE / "java", "HttpClientApp", port, n, c], needs=with_java,
             in_matrix=False)
plain_client("load", lambda port, n, c: [built("load"), "--port", port, "--requests", n, "--concurrency", c, "--vary", "--methods",
                                         "GET,POST,HEAD,PUT", "--body-max", 3000, "--chunked-every", 3])


@case("client/curl/many-urls", matrix=True)
def curl(ctx):
    """One curl, many URLs over one kept connection. curl's own -w says what it saw."""
    n = ctx.count(100, 10_000, 20)
    port = back_end(ctx).port
    clew = Clew(ctx, command=["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download} %{url_effective}\\n",
                              f"http://127.0.0.1:{port}/curl/[1-{n}]/s200/b123"])
    result = clew.wait(120)
    check(result.status == 0, f"ended with {result.status}")
    seen = []
    for line in result.stdout.splitlines():
        status, size, url = line.split()
        seen.append(truth.Request("GET", url.split(str(port), 1)[1], int(status), 0, int(size), version="1.1"))
    check(len(seen) == n, f"curl did {len(seen)} of {n}")
    truth.expect(seen, result.spans, CLIENT, losses=result.summary())
    check(all(s.attributes["server.port"] == port for s in result.spans), "server.port is wrong")


@case("client/curl/one-request", matrix=True)
def curl_once(ctx):
    """The whole life of a process: connect, one request, exit. All attributes of its one span."""
    port = back_end(ctx).port
    clew = Clew(ctx, command=["curl", "-s", "-d", "x=1&y=2", f"http://127.0.0.1:{port}/once?secret=hush"])
    result = clew.wait(30)
    check(result.status == 0 and result.stdout == "ok", f"ended with {result.status}, {result.stdout!r}")
    truth.expect([truth.Request("POST", "/once", 200, 7, 2)], result.spans, CLIENT, losses=result.summary())
    a, r = result.spans[0].attributes, result.spans[0].resource
    for key, want in {"server.address": "127.0.0.1", "server.port": port, "network.peer.address": "127.0.0.1", "network.peer.port": port,
                      "network.protocol.version": "1.1"}.items():
        check(a.get(key) == want, f"{key} is {a.get(key)!r}, should be {want!r}")
    check("hush" not in result.file.read_text(), "the query's value is in the file")
    check(r.get("service.name") == "curl", f"service.name is {r.get('service.name')!r}")


@case("client/curl/refused-and-closed")
def curl_fails(ctx):
    """A refused connection carried no request: no span, and curl's status is passed on."""
    from harness.process import free_port
    clew = Clew(ctx, command=["curl", "-s", f"http://127.0.0.1:{free_port()}/nobody"])
    result = clew.wait(30)
    check(result.status == 7, f"curl's status 7 became {result.status}")
    check(not result.spans, f"{len(result.spans)} spans of a connection that was refused")


@case("client/wrk/nginx")
def wrk(ctx):
    """wrk keeps no truth of single requests: the access log of the server does, and both sides' spans must agree with it."""
    need(tool("wrk"), "wrk is not installed")
    server = nginx.start(ctx, access_log=True)
    script = ctx.work / "paths.lua"
    script.write_text('local n, t = 0, 0\nfunction setup(thread) thread:set("id", t); t = t + 1 end\n'
                      'function request() n = n + 1; return wrk.format("GET", "/r/w" .. id .. "x" .. n) end\n')
    clew = Clew(ctx, *server.select, command=["wrk", "-t2", f"-c{ctx.count(8, 64, 2)}", f"-d{ctx.count(1, 3, 1)}s", "-s", script,
                                                   f"http://127.0.0.1:{server.port}"])
    result = clew.wait(120)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-400:]}")
    logged = [line.split() for line in (server.work / "access.log").read_text().splitlines()]
    logged = [x for x in logged if x[1].startswith("/r/")]
    check(len(logged) > 100, f"wrk did only {len(logged)} requests")
    # When its time is over, wrk closes in mid-request: at the most one request for each connection, on either side.
    last = {}
    for method, path, status, pid in logged:
        last[path.split("x")[0]] = path
    numbers = {k: int(v.split("x")[1]) for k, v in last.items()}
    cut = ctx.count(8, 64, 2)
    seen = [truth.Request(m, p, int(s), 0, 17, pid=int(pid), version="1.1", optional=int(p.split("x")[1]) > numbers[p.split("x")[0]] - cut)
            for m, p, s, pid in logged]
    known = {r.path for r in seen}
    workers = server.process.tree()
    at_server = [s for s in result.spans if s.kind == SERVER and s.pid in workers]
    sure = {r.path for r in seen if not r.optional}
    if lost := result.lost():
        # At saturation not every span need arrive, but what does not is counted: both ends of each request, or a number.
        check(len(result.spans) + lost >= 2 * len(sure), f"{len(result.spans)} spans and {lost} counted losses for {len(sure)} requests at two ends")
        arrived = {(s.kind, s.path) for s in result.spans}
        for r in seen:
            r.optional = r.optional or (SERVER, r.path) not in arrived or (CLIENT, r.path) not in arrived
        sure = {r.path for r in seen if not r.optional}
        ctx.note(f"{lost} counted losses")
    truth.expect([r for r in seen if not r.optional], [s for s in at_server if s.path in sure], SERVER, losses=result.summary())
    for r in seen:
        r.pid = 0
    truth.expect([r for r in seen if not r.optional], [s for s in result.spans if s.kind == CLIENT and s.path in sure], CLIENT,
                 losses=result.summary())
    strange = [s for s in result.spans if s.path not in known and not s.incomplete and "http.response.status_code" in s.attributes]
    check(not strange, f"{len(strange)} invented, e.g. {strange[:1]}")
    ctx.note(f"{len(logged)} requests")
