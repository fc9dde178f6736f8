# SPDX-License-Identifier: Apache-2.0
"""TLS of Rust programs: native-tls, which is OpenSSL, and rustls, without symbols only named. What nobody sees into is said while it is traced."""
import subprocess

from cases.attach import attach_to_load
from cases.tls import below_clients, over_tls
from harness import truth
from harness.case import case, check, need
from harness.certificate import Certificate
from harness.conversation import Peer, recv, send
from harness.env import CLEW, built, tool
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import PLAIN, nginx, rust_tls


def serves(ctx, library: str, version: str | None, concurrency: int = 8):
    server = rust_tls.start(ctx, library, Certificate(ctx))
    n = ctx.count(400, 10_000, 60)
    clew = Clew(ctx, *server.select).ready()
    seen = load(ctx, server.port, n, concurrency=concurrency, **server.load)
    clew.wait_spans(n)
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, pids=server.process.tree(), losses=result.summary())
    over_tls(result.spans, version)


def asks(ctx, library: str, workers: int = 8):
    need(built("rust_tls").exists(), "Rust's program is not built: run tests/integration/prepare with cargo installed")
    certificate = Certificate(ctx)
    n = ctx.count(200, 10_000, 20)
    back = nginx.start(ctx, tls=certificate)
    clew = Clew(ctx, *back.select, command=[built("rust_tls"), "client", library, back.port, n, workers, certificate.certificate])
    result = clew.wait(120)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-500:]}")
    clients = [s for s in result.spans if s.kind == CLIENT]
    check(len(clients) == n, f"{len(clients)} of {n}: {result.summary()}")
    over_tls(result.spans, None if library == "rustls" else "1.3")
    below_clients(result, n)


# The acceptor of native-tls offers no more than 1.2; of rustls the version is not read.
case("tls/rust/native-tls/server")(lambda ctx: serves(ctx, "native", "1.2"))
case("tls/rust/native-tls/client")(lambda ctx: asks(ctx, "native"))
for concurrency in (1, 8, 64):
    case(f"tls/rust/rustls/server/c{concurrency}")(lambda ctx, n=concurrency: serves(ctx, "rustls", None, n))
    case(f"tls/rust/rustls/client/c{concurrency}")(lambda ctx, n=concurrency: asks(ctx, "rustls", n))


@case("tls/rust/rustls/slow-readers")
def slow_readers(ctx):
    """Answers of several records that their socket does not take at once, on one thread with short ones."""
    need(tool("curl"), "curl is not installed")
    certificate = Certificate(ctx)
    server = rust_tls.start(ctx, "rustls", certificate)
    clew = Clew(ctx, *server.select).ready()
    sizes = [400_000 + i for i in range(8)]
    slow = [subprocess.Popen([tool("curl"), "-sk", "--http1.1", "--limit-rate", "300k", "-o", "/dev/null", f"https://localhost:{server.port}/slow/b{n}"])
            for n in sizes]
    seen = load(ctx, server.port, 300, concurrency=8, **server.load)
    check(all(process.wait(60) == 0 for process in slow), "curl failed")
    clew.wait_spans(len(seen) + len(slow))
    result = clew.stop()
    truth.expect(seen, [s for s in result.spans if "/slow/" not in s.path], SERVER, losses=result.summary())
    got = sorted(s.attributes["http.response.body.size"] for s in result.spans if "/slow/" in s.path)
    check(got == sizes, f"sizes {got}: {result.summary()}")
    over_tls(result.spans)


case("tls/rust/rustls/attach-under-load/c8")(
    lambda ctx: attach_to_load(ctx, lambda c: rust_tls.start(c, "rustls", Certificate(c)), 8))


@case("tls/rust/rustls/said-by-explain")
def rustls(ctx):
    """With symbols it says what is probed; without: no spans, and a sentence that names the library; nothing is invented."""
    certificate = Certificate(ctx)
    stripped = ctx.work / "stripped"
    run(ctx, ["strip", "-o", stripped, built("rust_tls")])
    port = free_port()
    process = Process(ctx, "stripped", [stripped, "server", "rustls", port, *certificate.files])
    process.wait_port(port)
    clew = Clew(ctx, "--pid", process.pid).ready()
    load(ctx, port, 40, concurrency=4, **PLAIN, **certificate.load)
    result = clew.stop()
    check(not result.spans, f"{len(result.spans)} spans: {result.spans[:1]}")
    server = rust_tls.start(ctx, "rustls", certificate)
    for pid, words in ((process.pid, "no spans"), (server.pid, "buffer_plaintext")):
        text = run(ctx, [CLEW, "explain", pid]).stdout
        check(any("rustls" in line and words in line for line in text.splitlines()), f"explain does not say it: {text}")


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
