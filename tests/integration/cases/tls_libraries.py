# SPDX-License-Identifier: Apache-2.0
"""Where TLS libraries come from: replaced on disk, loaded later, two in a process, a container's own, one in a thousand processes."""
import contextlib
import os
import re
import shutil
import time
from pathlib import Path

from cases.attach import links_of
from cases.tls import below_clients, over_tls
from harness import truth
from harness.case import case, check, need
from harness.certificate import Certificate
from harness.env import PYTHON, SLOW, built, seconds, tool
from harness.load import load
from harness.process import Process, free_port
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import nginx, python_http

SYSTEM = Path("/usr/lib/x86_64-linux-gnu")


def copied_libraries(ctx) -> Path:
    """A folder with an OpenSSL of its own."""
    lib = ctx.dir("lib")
    for file in ("libssl.so.3", "libcrypto.so.3"):
        need((SYSTEM / file).exists(), "no OpenSSL 3 library")
        shutil.copy(SYSTEM / file, lib / file)
    return lib


@case("tls/library/replaced-on-disk")
def replaced(ctx):
    """A package's upgrade: the file has another inode then, the process still runs the old one."""
    lib = copied_libraries(ctx)
    certificate = Certificate(ctx)
    port = free_port()
    process = Process(ctx, "http.server", [*PYTHON, python_http.APP, port, "127.0.0.1", *certificate.files], env={"LD_LIBRARY_PATH": str(lib)})
    process.wait_port(port)
    check(str(lib) in Path(f"/proc/{process.pid}/maps").read_text(), "it does not use that library")
    for file in lib.iterdir():
        shutil.copy(file, file.with_suffix(".new"))
        file.with_suffix(".new").rename(file)
    check("(deleted)" in Path(f"/proc/{process.pid}/maps").read_text(), "the old file is still there")
    clew = Clew(ctx, "--pid", process.pid).ready()
    seen = load(ctx, port, 200, concurrency=8, **certificate.load)
    clew.wait_spans(200)
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, losses=result.summary())
    over_tls(result.spans)


@case("tls/library/loaded-later")
def later(ctx):
    """A process that loads its TLS library when clew follows it already."""
    certificate = Certificate(ctx)
    port, gate = free_port(), ctx.work / "go"
    program = ctx.work / "late.py"
    program.write_text("import os, sys, time\n"
                       f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
                       f"sys.argv = ['x', '{port}', '127.0.0.1', '{certificate.certificate}', '{certificate.key}']\n"
                       f"sys.path.insert(0, {str(python_http.APP.parent)!r})\n"
                       f"exec(compile(open({str(python_http.APP)!r}).read(), 'app', 'exec'))\n")
    process = Process(ctx, "late", [*PYTHON, program])
    time.sleep(seconds(0.3))
    clew = Clew(ctx, "--pid", process.pid).ready()
    check("libssl" not in Path(f"/proc/{process.pid}/maps").read_text(), "the library is there already")
    gate.touch()
    process.wait_port(port)
    load(ctx, port, 1, tag="first", **certificate.load)  # its handshake is the sign; it may itself be over by then
    time.sleep(seconds(0.5))
    seen = load(ctx, port, 200, concurrency=8, **certificate.load)
    clew.wait_spans(200)
    result = clew.stop()
    truth.expect(seen, [s for s in result.spans if "first" not in s.path], SERVER, losses=result.summary())


@case("tls/library/two-in-a-process", matrix=True)
def two(ctx):
    """OpenSSL and GnuTLS in turn, each over its own connection: every request, below the right client."""
    need(built("two_tls").exists(), "two_tls is not built: libgnutls28-dev is missing")
    n = ctx.count(200, 10_000, 20)
    back = nginx.start(ctx, tls=Certificate(ctx))
    clew = Clew(ctx, *back.select, command=[built("two_tls"), back.port, n])
    result = clew.wait(60)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-300:]}")
    file = ctx.work / "truth.tsv"
    file.write_text("".join(line + "\n" for line in result.stdout.splitlines() if line.count("\t") == 9))
    seen = truth.read(file)
    check(len(seen) == n, f"the client did {len(seen)} of {n} requests")
    for r in seen:
        r.user_agent, r.peer_port, r.pid = "", 0, 0
    truth.expect(seen, result.spans, CLIENT, losses=result.summary())
    over_tls([s for s in result.spans if s.kind == SERVER], "1.3")
    versions = {s.attributes.get("tls.protocol.version") for s in result.spans if s.kind == CLIENT}
    check(versions == {"1.3", None}, f"not by both libraries: versions {versions}")
    below_clients(result, n)


for how in ("pair", "memory"):
    @case(f"tls/library/memory-bios/{how}")
    def memory_bios(ctx, how=how):
        """The program receives from all its sockets before the library sees a byte: each span is on the connection of its request."""
        certificate, port = Certificate(ctx), free_port()
        process = Process(ctx, "memory-bios", [built("memory_bios"), port, how, *certificate.files])
        process.wait_port(port)
        clew = Clew(ctx, "--pid", process.pid).ready()
        n = ctx.count(600, 10_000, 60)
        seen = load(ctx, port, n, concurrency=16, tag="closed", keep_alive=False, body_max=300, **certificate.load)
        seen += load(ctx, port, n, concurrency=16, tag="kept", body_max=300, **certificate.load)
        clew.wait_spans(2 * n)
        result = clew.stop()
        truth.expect(seen, result.spans, SERVER, losses=result.summary())
        over_tls(result.spans)


for way in ("inside", "descriptor", "peek", "again"):
    @case(f"tls/library/own-reads/{way}")
    def own_reads(ctx, way=way):
        """No handshake is asked for, the first read does it; one changes stacks within SSL_read, which no probe on a return would bear."""
        certificate, port, n = Certificate(ctx), free_port(), ctx.count(400, 10_000, 40)
        process = Process(ctx, "own-reads", [built("own_reads"), port, way, *certificate.files])
        process.wait_port(port)
        clew = Clew(ctx, "--pid", process.pid).ready()
        connections = 16
        seen = load(ctx, port, n, concurrency=connections, tag="kept", body_max=300, **certificate.load)
        if way != "inside":
            connections = 0
            seen += load(ctx, port, n, concurrency=16, tag="closed", keep_alive=False, body_max=300, **certificate.load)
        clew.wait_spans(len(seen) - connections)
        result = clew.stop()
        check(process.popen.poll() is None, f"the server ended with {process.popen.poll()}")
        if way != "inside":
            return truth.expect(seen, result.spans, SERVER, losses=result.summary())
        # Nothing tells the socket of a BIO of the program's own kind until it is written to: each first request is counted.
        missing = len(seen) - len(result.spans)
        check(missing <= connections and missing == result.lost_of("kernel tls_socket_unknown"), f"{missing} missing: {result.summary()}")
        names = {r.path for r in seen}
        check(all(s.path in names for s in result.spans) and len({s.path for s in result.spans}) == len(result.spans), "a span of no request")


@case("tls/library/own-mount-namespace")
def container(ctx):
    """What the process names as the system's library is another file than here."""
    need(tool("unshare"), "unshare is not installed")
    lib, certificate, port = copied_libraries(ctx), Certificate(ctx), free_port()
    script = "".join(f"mount --bind {lib / file} {(SYSTEM / file).resolve()} && " for file in ("libssl.so.3", "libcrypto.so.3"))
    process = Process(ctx, "container", [tool("unshare"), "-m", "sh", "-c", script + 'exec "$@"', "sh", *PYTHON, python_http.APP, port, "127.0.0.1", *certificate.files])
    process.wait_port(port)
    mapped = [line.split() for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines() if "libssl" in line]
    check(mapped and int(mapped[0][4]) == (lib / "libssl.so.3").stat().st_ino, f"it does not use that library: {mapped[:1]}")
    clew = Clew(ctx, "--pid", process.pid).ready()
    seen = load(ctx, port, 200, concurrency=8, **certificate.load)
    clew.wait_spans(200)
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, losses=result.summary())
    over_tls(result.spans)


@contextlib.contextmanager
def libraries_of(directory: Path):
    """What is started meanwhile loads its libraries from there: a file that has probes for all touches no other program of this machine."""
    os.environ["LD_LIBRARY_PATH"] = str(directory)
    try:
        yield
    finally:
        del os.environ["LD_LIBRARY_PATH"]


def status(pid: int, field: str) -> int:
    return int(re.search(rf"^{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


@case("tls/library/thousand-processes")
def thousand(ctx):
    """One library in 1,000 processes that were there before two servers: their spans are right, and nothing grows with the processes."""
    need(built("tls_sleepers").exists(), "tls_sleepers is not built: run tests/integration/prepare")
    need(tool("bpftool"), "bpftool is not installed")
    count = ctx.count(1000, 1000, 40)
    certificate = Certificate(ctx)
    with libraries_of(copied_libraries(ctx)):
        sleepers = Process(ctx, "sleepers", [built("tls_sleepers"), count, "libssl.so.3"])
        sleepers.wait_text("started")
        servers = [nginx.start(ctx, tls=certificate), python_http.start(ctx, tls=certificate)]
    selected = ["--exe", built("tls_sleepers"), *servers[0].select, *servers[1].select]
    small = Clew(ctx, *servers[0].select).ready()
    usual = status(small.pid, "VmRSS")
    small.stop()
    clew = Clew(ctx, *selected).ready()
    grown, held = status(clew.pid, "VmRSS") - usual, len(links_of(clew.pid, ""))
    n, seen = 200, []
    for server, tag in zip(servers, "np"):
        seen += load(ctx, server.port, n, concurrency=8, tag=tag, **{**server.load, "methods": "GET,POST"})
    clew.wait_spans(2 * n)
    began = time.monotonic()
    result = clew.stop()
    stopped = time.monotonic() - began
    ctx.notes = [f"ready after {clew.ready_after:.2f} s, {grown} KiB more than for one, {held} links, stopped in {stopped:.2f} s"]
    truth.expect(seen, result.spans, SERVER, losses=result.summary())
    over_tls(result.spans)
    check(held <= 100, f"{held} links for {count} processes")
    check(grown < 16384, f"{grown} KiB more")
    check(clew.ready_after < 8 * SLOW and stopped < 8 * SLOW, f"ready after {clew.ready_after:.1f} s, stopped in {stopped:.1f} s")


@case("tls/library/others-that-share-it", matrix=True)
def others(ctx):
    """A file's probes are for all processes after the first few: one that is not selected still gives nothing, children and new ones do."""
    need(built("tls_sleepers").exists(), "tls_sleepers is not built: run tests/integration/prepare")
    certificate = Certificate(ctx)
    lib, port = copied_libraries(ctx), free_port()
    with libraries_of(lib):
        sleepers = Process(ctx, "sleepers", [built("tls_sleepers"), 20, "libssl.so.3"])
        sleepers.wait_text("started")
        other = python_http.start(ctx, tls=certificate)
    clew = Clew(ctx, "--exe", built("tls_sleepers"), "--port", port).ready()
    with libraries_of(lib):
        mine = python_http.start(ctx, port=port, tls=certificate)
    time.sleep(seconds(0.5))
    load(ctx, other.port, 100, concurrency=4, tag="other", **certificate.load)
    seen = load(ctx, mine.port, 100, concurrency=4, tag="mine", **certificate.load)
    clew.wait_spans(100)
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, pids=mine.process.tree(), losses=result.summary())
