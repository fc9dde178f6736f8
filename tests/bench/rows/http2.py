# SPDX-License-Identifier: Apache-2.0
"""What tracing costs servers of HTTP/2 and gRPC whose streams share one connection: throughput kept, µs a stream, every stream accounted for; and with injection.

h2load is the load of gRPC as well: a unary call is a POST with one message in its frame. It costs a tenth of what a client of gRPC does."""
import os
import re
import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from measure import (CACHE, CLEW, LOAD_CORE, SERVER_CORE, Bench, Broken, Clew, between, busy_ns, children, free_port, need, noise, output, pinned,
                     spans_in_summary, spawn, tool, unaccounted, wait_port)

BUILT = CACHE / "integration" / "http2"
NGINX = """
daemon off; worker_processes 1; worker_cpu_affinity 01; pid {work}/nginx.pid; error_log {work}/nginx-error.log; user root;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {work}/nb; proxy_temp_path {work}/np; fastcgi_temp_path {work}/nf;
  uwsgi_temp_path {work}/nu; scgi_temp_path {work}/ns; http2_max_concurrent_streams 256;
  server {{ listen 127.0.0.1:{port} http2; location / {{ return 200 "ok\\n"; }} }}
}}
"""


@dataclass
class Server:
    port: int
    pids: list
    path: str = "/"
    call: bool = False  # of gRPC
    streams: int = 100


def nginx(bench: Bench) -> Server:
    need(tool("nginx"), "nginx is not installed")
    port = free_port()
    config = bench.work / f"nginx-{port}.conf"
    config.write_text(NGINX.format(work=bench.work, port=port))
    master = spawn(bench, tool("nginx"), "-p", bench.work, "-e", bench.work / "nginx-error.log", "-c", config)
    wait_port(port, master)
    return Server(port, children(master.pid))


def nghttpd(bench: Bench) -> Server:
    need(tool("nghttpd"), "nghttpd is not installed")
    port, www = free_port(), bench.work / "www"
    www.mkdir(exist_ok=True)
    (www / "ok").write_text("ok\n")
    server = spawn(bench, *pinned(SERVER_CORE, tool("nghttpd"), "--no-tls", "-a", "127.0.0.1", "-d", www, port))
    wait_port(port, server)
    return Server(port, [server.pid], "/ok")


def grpc(program: str, *mode):
    def start(bench: Bench) -> Server:
        need((BUILT / "bin" / program).exists(), f"{program} is not built: run tests/integration/prepare")
        port = free_port()
        server = spawn(bench, *pinned(SERVER_CORE, BUILT / "bin" / program, *mode, "serve", port, 0, "sequence"))
        wait_port(port, server)
        return Server(port, [server.pid], "/bed.Bed/Unary", True, 64)
    return start


def load_command(bench: Bench, server: Server, requests: int) -> list:
    need(tool("h2load"), "h2load is not installed")
    message = bench.work / "message"
    message.write_bytes(b"\x00\x00\x00\x00\x12" + b"\x3a\x10" + bytes(16))  # an Ask with 16 bytes of payload
    more = ["-d", message, "-H", "content-type: application/grpc", "-H", "te: trailers"] if server.call else []
    return [tool("h2load"), "-n", requests, "-c", 1, "-m", server.streams, *more, f"http://127.0.0.1:{server.port}{server.path}"]


def rate_of(text: str, requests: int) -> float:
    if f" {requests} succeeded, 0 failed" not in text:
        raise Broken(f"h2load: {text[-300:]}")
    return float(re.search(r"([\d.]+) req/s", text).group(1))


@dataclass
class Sample:
    rate: float  # streams per second
    cpu: float  # the server's CPU time per stream, µs
    others: float  # share of the server's core that others had, %
    agent: float = 0  # clew's CPU time per span, µs
    streams: int = 0  # that should have spans
    spans: int = 0
    lost: dict = field(default_factory=dict)


def spent_ns(pids) -> int:
    """CPU time of these processes, threads that have ended too (gRPC for C++ ends and starts them under way), ns; in steps of 10 ms."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def watched(server: Server, requests: int, run) -> Sample:
    cpu, busy = spent_ns(server.pids), busy_ns(SERVER_CORE)
    rate = rate_of(run(), requests)
    cpu = spent_ns(server.pids) - cpu
    return Sample(rate, cpu / requests / 1e3, max(0, 100 * (busy_ns(SERVER_CORE) - busy - cpu) / (requests / rate) / 1e9))


def untraced(bench: Bench, server: Server, requests: int) -> Sample:
    return watched(server, requests, lambda: output(*pinned(LOAD_CORE, *load_command(bench, server, requests))))


def traced(bench: Bench, server: Server, requests: int) -> Sample:
    """The server's end alone, as in the rows of HTTP/1."""
    clew = Clew(bench, server.pids)
    agent = clew.cpu_ns()
    result = untraced(bench, server, requests)
    agent = clew.cpu_ns() - agent
    clew.stop()
    result.streams, result.spans, result.lost = requests, clew.spans_in_file(), clew.lost()
    result.agent = agent / max(result.spans, 1) / 1e3
    return result


def injected(bench: Bench, server: Server, requests: int) -> Sample:
    """Both ends, every request given a context; h2load is clew's command."""
    file = bench.work / "spans.jsonl"
    selection = [x for pid in server.pids for x in ("--pid", pid)]
    command = pinned(LOAD_CORE, CLEW, "trace", *selection, "--inject", "--file", file, "--", *load_command(bench, server, requests))
    said = []

    def run() -> str:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, check=False)
        said.append(done.stderr)
        return done.stdout
    result = watched(server, requests, run)
    with open(file, encoding="utf-8") as spans:
        need('"clew.injected"' in spans.read(1 << 20), "this clew injects nothing into HTTP/2")
    file.unlink()
    result.streams, result.spans = 2 * requests, spans_in_summary(said[0])
    result.lost = {m[1]: int(m[2]) for m in re.finditer(r"^clew:   (.+?)\s+(\d+)$", said[0].partition("clew: lost\n")[2], re.M)}
    return result


def measure(bench: Bench, name: str, start, sample, kept: float):
    server = start(bench)
    rate = max(untraced(bench, server, 3000).rate for _ in range(3))
    requests = max(1000, int(rate * bench.choose(1, 2)) // 1000 * 1000)
    rounds = bench.choose(3, 9)
    plain, with_clew = [untraced(bench, server, requests)], []
    for _ in range(rounds):
        with_clew.append(sample(bench, server, requests))
        plain.append(untraced(bench, server, requests))
    rates, middle = [p.rate for p in plain], statistics.median
    bench.add(name, "throughput kept at saturation", "%", [100 * t.rate / between(rates, i) for i, t in enumerate(with_clew)], kept, at_least=True,
              noise=100 * noise(rates) / middle(rates),
              note=f"untraced {middle(rates):,.0f}/s, {server.streams} streams on one connection; others had {middle(s.others for s in plain + with_clew):.0f} % of the server's core")
    bench.add(name, "server's CPU per stream, added", "µs", [t.cpu - between([p.cpu for p in plain], i) for i, t in enumerate(with_clew)],
              noise=noise([p.cpu for p in plain]), note=f"untraced {middle(p.cpu for p in plain):.1f} µs")
    bench.add(name, "time per stream, added", "µs", [1e6 / t.rate - 1e6 / between(rates, i) for i, t in enumerate(with_clew)])
    open_ends = [unaccounted(t.streams, t.spans, t.lost) for t in with_clew]
    lost = sum((Counter(t.lost) for t in with_clew), Counter())
    bench.add(name, "streams unaccounted for", "", open_ends, 0, value=max(open_ends),
              note=f"{sum(t.streams for t in with_clew):,} streams' ends, {sum(t.spans for t in with_clew):,} spans")
    bench.add(name, "streams without a span, counted as lost", "%", [100 * max(t.streams - t.spans, 0) / t.streams for t in with_clew],
              note=", ".join(f"{reason} {n:,}" for reason, n in lost.items()))
    if any(t.agent for t in with_clew):
        bench.add(name, "clew's CPU per span, to a file", "µs", [t.agent for t in with_clew])


# name → (server, least share of the throughput when traced, and with injection)
SERVERS = {"http2-nghttpd": (nghttpd, 75, 70), "http2-nginx": (nginx, 75, 70), "grpc-go": (grpc("grpc_go"), 93, 90), "grpc-c++": (grpc("grpc_cpp", "sync"), 93, 90)}
GROUPS = {name: lambda bench, name=name, start=start, kept=kept: measure(bench, name, start, traced, kept) for name, (start, kept, _) in SERVERS.items()}
GROUPS |= {f"{name}-inject": lambda bench, name=name, start=start, kept=kept: measure(bench, f"{name}-inject", start, injected, kept)
           for name, (start, _, kept) in SERVERS.items()}
