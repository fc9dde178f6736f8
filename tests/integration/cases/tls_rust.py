# SPDX-License-Identifier: Apache-2.0
"""TLS of Rust programs: native-tls is OpenSSL, and seen; rustls is not, and `explain` says so. What nobody sees into is said while it is traced."""
from cases.tls import below_clients, over_tls
from harness import truth
from harness.case import case, check, need
from harness.certificate import Certificate
from harness.conversation import Peer, recv, send
from harness.env import CLEW, built
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import nginx, rust_tls


@case("tls/rust/native-tls/server")
def native_server(ctx):
    server = rust_tls.start(ctx, "native", Certificate(ctx))
    n = ctx.count(400, 10_000, 60)
    clew = Clew(ctx, *server.select).ready()
    seen = load(ctx, server.port, n, concurrency=8, **server.load)
    clew.wait_spans(n)
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, pids=server.process.tree(), losses=result.summary())
    over_tls(result.spans, "1.2")  # its acceptor offers no more


@case("tls/rust/native-tls/client")
def native_client(ctx):
    need(built("rust_tls").exists(), "Rust's program is not built: run tests/integration/prepare with cargo installed")
    certificate = Certificate(ctx)
    n = ctx.count(200, 10_000, 20)
    back = nginx.start(ctx, tls=certificate)
    clew = Clew(ctx, *back.select, command=[built("rust_tls"), "client", "native", back.port, n, 8, certificate.certificate])
    result = clew.wait(120)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-500:]}")
    clients = [s for s in result.spans if s.kind == CLIENT]
    check(len(clients) == n, f"{len(clients)} of {n}: {result.summary()}")
    over_tls(result.spans)
    below_clients(result, n)


@case("tls/rust/rustls/said-by-explain")
def rustls(ctx):
    """With symbols and without: no spans, and a sentence that names the library; nothing is invented."""
    certificate = Certificate(ctx)
    server = rust_tls.start(ctx, "rustls", certificate)
    clew = Clew(ctx, *server.select).ready()
    load(ctx, server.port, 40, concurrency=4, **server.load)
    result = clew.stop()
    check(not result.spans, f"{len(result.spans)} spans: {result.spans[:1]}")
    stripped = ctx.work / "stripped"
    run(ctx, ["strip", "-o", stripped, built("rust_tls")])
    port = free_port()
    process = Process(ctx, "stripped", [stripped, "server", "rustls", port, *certificate.files])
    process.wait_port(port)
    for pid in (server.pid, process.pid):
        text = run(ctx, [CLEW, "explain", pid]).stdout
        check(any("rustls" in line and "no spans" in line for line in text.splitlines()), f"explain does not say it: {text}")


@case("tls/unseen-library/said", matrix=True)
def unseen(ctx):
    """The first bytes of a connection are TLS, and no library is there: said once for each process, whatever the number of connections."""
    alert = "\x15\x03\x01\x00\x02\x02\x28"
    hello = "\x16\x03\x01\x00\x40" + "h" * 64
    s = Peer(ctx, "server", "127.0.0.1", [[x for on in "ab" for x in (recv(on, size=len(hello)), send(alert, on))]])
    c = Peer(ctx, "client", "127.0.0.1", [[x for on in "ab" for x in (send(hello, on), recv(on, size=len(alert)))]])
    clew = Clew(ctx, "--pid", s.pid, "--pid", c.pid).ready()
    s.go()
    c.go(s.port)
    for peer in (c, s):
        failures = peer.done()["failures"]
        check(not failures, f"the conversation itself failed: {failures}")
        peer.leave()
    result = clew.stop()
    check(not result.spans, f"spans of what cannot be seen: {result.spans[:1]}")
    for pid in (s.pid, c.pid):
        said = result.stderr.count(f"process {pid} has TLS by a library")
        check(said == 1, f"said {said} times of {pid}: {result.stderr[-500:]}")
