# SPDX-License-Identifier: Apache-2.0
"""The same over TLS: real servers and clients with their own libraries, each request once, same attributes, on the right connection."""
import re
from pathlib import Path

from cases.attach import attach_to_load
from cases.recording import recorded, replay, same
from harness import truth
from harness.case import case, check, need
from harness.certificate import Certificate
from harness.env import PYTHON, SUITE, VENV_PYTHON, built, tool
from harness.load import arguments, load
from harness.process import Process, free_port
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


# Clients, each with the library that it has. "-- COMMAND": every request from its first byte.
CLIENTS = {
    "python-requests": lambda c, port, n: [VENV_PYTHON, SUITE / "clients" / "requests_client.py", port, n, 8, c.certificate],
    "node-https": lambda c, port, n: [tool("node"), SUITE / "clients" / "node_client.js", "http", port, n, 8, c.certificate],
    "node-fetch": lambda c, port, n: [tool("node"), SUITE / "clients" / "node_client.js", "fetch", port, n, 8, c.certificate],
    "go-net-http": lambda c, port, n: [built("go-client"), port, n, 8, "tls"],
}


def client_case(name, command):
    @case(f"tls/client/{name}")
    def one(ctx):
        certificate = Certificate(ctx)
        n = ctx.count(200, 10_000, 20)
        back = python_http.start(ctx, tls=certificate)
        line = command(certificate, back.port, n)
        need(line[0] and (Path(line[0]).exists()), f"{line[0]} is not there: run tests/integration/prepare")
        clew = Clew(ctx, *back.select, command=line, environment={"NODE_EXTRA_CA_CERTS": str(certificate.certificate)})
        result = clew.wait(300)
        check(result.status == 0, f"ended with {result.status}: {result.stderr[-500:]}")
        file = ctx.work / "truth.tsv"
        file.write_text("".join(line + "\n" for line in result.stdout.splitlines() if line.count("\t") == 9))
        seen = truth.read(file)
        check(len(seen) == n, f"the client did {len(seen)} of {n} requests: {result.stderr[-300:]}")
        for r in seen:
            r.user_agent, r.peer_port, r.pid = "", 0, 0
        truth.expect(seen, result.spans, CLIENT, losses=result.summary())
        over_tls(result.spans)
        below_clients(result, n)


for name, command in CLIENTS.items():
    client_case(name, command)


def below_clients(result, n: int):
    """The client's and the server's count of the plaintext agree: each server span hangs below its client's."""
    clients = {s.path: s for s in result.spans if s.kind == CLIENT}
    servers = {s.path: s for s in result.spans if s.kind == SERVER}
    check(len(clients) == n and len(servers) == n, f"{len(clients)} clients, {len(servers)} servers of {n}: {result.summary()}")
    wrong = [p for p, s in servers.items() if s.parent_id and s.parent_id != clients[p].span_id]
    joined = [s for s in servers.values() if s.parent_id]
    check(not wrong, f"{len(wrong)} wrong parents, first {wrong[:1]}")
    check(len(joined) >= 0.99 * n, f"{len(joined)} of {n} have their parent")
    check(all(s.attributes.get("clew.parent.evidence") == "connection" for s in joined), "by another evidence")


@case("tls/both-ends/load-nginx", matrix=True)
def both_ends(ctx):
    n = ctx.count(600, 10_000, 60)
    server = nginx.start(ctx, tls=Certificate(ctx))
    clew = Clew(ctx, *server.select, command=arguments(server.port, n, concurrency=8, **server.load))
    result = clew.wait(120)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-300:]}")
    below_clients(result, n)


def fetched(ctx, command, certificate):
    """One short-lived client per request, below a shell."""
    server = nginx.start(ctx, tls=certificate)
    clew = Clew(ctx, *server.select, command=command(server.port))
    result = clew.wait(60)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-300:]}")
    over_tls(result.spans)
    below_clients(result, 3)


@case("tls/client/curl-openssl", matrix=True)
def curl(ctx):
    need(tool("curl"), "curl is not installed")
    c = Certificate(ctx)
    fetched(ctx, lambda port: [tool("curl"), "-s", "-o", "/dev/null", "--http1.1", "--cacert", c.certificate, f"https://localhost:{port}/r/[1-3]"], c)


@case("tls/client/wget-gnutls")
def wget(ctx):
    need(tool("wget"), "wget is not installed")
    c = Certificate(ctx)
    fetched(ctx, lambda port: [tool("wget"), "-q", "-O", "/dev/null", "--ca-certificate", c.certificate, *(f"https://localhost:{port}/r/{i}" for i in (1, 2, 3))], c)


@case("tls/client/go-below-a-shell")
def below_a_shell(ctx):
    """Nobody knows what a shell will execute: the first connections may be there before the program's probes. What they had is counted."""
    back, n = python_http.start(ctx, tls=Certificate(ctx)), 100
    need(built("go-client").exists(), "go-client is not built: run tests/integration/prepare")
    result = Clew(ctx, command=["sh", "-c", f"{built('go-client')} {back.port} {n} 8 tls >/dev/null; true"]).wait(60)
    counted = re.search(r"tls_begun_before_probes +(\d+)", result.stderr)
    late = int(counted.group(1)) if counted else 0
    check(late <= 8 and n - 8 <= len(result.spans) <= n, f"{len(result.spans)} of {n}: {result.summary()}")
    check(bool(late) == (len(result.spans) < n), f"{len(result.spans)} of {n} spans, {late} connections counted: {result.summary()}")
    ctx.note(f"{len(result.spans)} of {n} spans, {late} connections counted")


# Attached in mid-stream, and torn away.
for name, start in (("nginx", nginx.start), ("node", node.start), ("python", python_http.start), ("go", go_http.start)):
    case(f"tls/attach/under-load/{name}/c8", matrix=name == "nginx")(
        lambda ctx, start=start: attach_to_load(ctx, lambda c: start(c, tls=Certificate(c)), 8))


@case("tls/connect/through-a-proxy")
def tunnel(ctx):
    """A connection that turns to TLS after plain text: CONNECT and its answer, then what is encrypted."""
    certificate = Certificate(ctx)
    back = nginx.start(ctx, tls=certificate)
    proxy = ctx.work / "proxy.py"
    proxy.write_text(PROXY)
    port = free_port()
    process = Process(ctx, "proxy", [*PYTHON, proxy, port])
    process.wait_port(port)
    clew = Clew(ctx, command=[tool("curl"), "-s", "-o", "/dev/null", "--http1.1", "--cacert", certificate.certificate, "-x", f"http://127.0.0.1:{port}",
                              f"https://localhost:{back.port}/r/1", f"https://localhost:{back.port}/r/2"])
    result = clew.wait(60)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-300:]}")
    plain = [s for s in result.spans if s.attributes["http.request.method"] == "CONNECT"]
    inside = sorted(s.path for s in result.spans if s.attributes["http.request.method"] == "GET")
    check(len(plain) == 1 and inside == ["/r/1", "/r/2"], f"{len(plain)} CONNECT, {inside}: {result.summary()}")
    over_tls([s for s in result.spans if s not in plain])


PROXY = """import socket, sys, threading
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
def serve(client):
    head = b""
    while b"\\r\\n\\r\\n" not in head:
        part = client.recv(4096)
        if not part:
            return
        head += part
    host, port = head.split()[1].rsplit(b":", 1)
    back = socket.create_connection(("127.0.0.1", int(port)))
    client.sendall(b"HTTP/1.1 200 Connection established\\r\\n\\r\\n")
    threading.Thread(target=pump, args=(back, client), daemon=True).start()
    pump(client, back)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


@case("tls/recording/replayed", matrix=True)
def recording(ctx):
    """The plaintext's heads are in the recording: the same spans again."""
    file, live, _ = recorded(ctx, lambda c: nginx.start(c, tls=Certificate(c)), ctx.count(200, 2000, 40), concurrency=8)
    again, _ = replay(ctx, file)
    same(live, again)
    over_tls(again)


@case("tls/inject/left-alone", matrix=True)
def injection(ctx):
    """--inject: not a byte is added to what is encrypted, and the spans are those of before."""
    n = ctx.count(200, 2000, 40)
    server = nginx.start(ctx, tls=Certificate(ctx))
    clew = Clew(ctx, "--inject", *server.select, command=arguments(server.port, n, concurrency=8, **server.load))
    result = clew.wait(120)
    need("injection needs the kernel's socket tracepoints" not in result.stderr, "this kernel is too old for injection")
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-300:]}")
    below_clients(result, n)
    check(not any("clew.injected" in s.attributes for s in result.spans), "a span says that it was injected into")
