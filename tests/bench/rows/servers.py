# SPDX-License-Identifier: Apache-2.0
"""What tracing costs real servers: throughput kept, µs a request, latency at half load, every request accounted for."""
import os
import re
import statistics
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

from measure import (CACHE, HERE, SERVER_CORE, Bench, Clew, between, busy_ns, children, cpu_ns, free_port, get, need, noise, paced, pinned, spawn,
                     saturated, tool, unaccounted, wait_port, wrk)

NGINX = """
daemon off; worker_processes {workers}; worker_cpu_affinity {affinity}; pid {work}/nginx.pid; error_log {work}/nginx-error.log; user root;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {work}/nb; proxy_temp_path {work}/np; fastcgi_temp_path {work}/nf;
  uwsgi_temp_path {work}/nu; scgi_temp_path {work}/ns;
  server {{ listen 127.0.0.1:{port}; {tls}
    location / {{ return 200 "ok\\n"; }} location = /count {{ stub_status; }} }}
}}
"""


PROXY = """
daemon off; worker_processes 1; worker_cpu_affinity 01; pid {work}/proxy.pid; error_log {work}/nginx-error.log; user root;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {work}/pb; proxy_temp_path {work}/pp; fastcgi_temp_path {work}/pf;
  uwsgi_temp_path {work}/pu; scgi_temp_path {work}/ps;
  upstream back {{ server 127.0.0.1:{following}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""


@dataclass
class Server:
    port: int
    pids: list  # the processes that answer, which are traced
    connections: int = 64  # so many that it has work while others have the load's core for some hundred microseconds
    options: tuple = ()   # of clew
    traced: bool = False  # each request has a trace context
    spans: int = 1        # of each request
    tls_port: int = 0  # the load goes there, the count is asked for in plain text

    def served(self) -> int:
        """Requests so far by the server's own count, this one included."""
        text = get(self.port, "/count")
        stub = re.search(r"^ \d+ \d+ (\d+)", text, re.M)
        return int(stub.group(1) if stub else text)


def certificate(bench: Bench) -> list:
    need(tool("openssl"), "openssl is not installed")
    files = [bench.work / "cert.pem", bench.work / "key.pem"]
    subprocess.run([tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-keyout", files[1], "-out", files[0]], check=True, capture_output=True)
    return files


def nginx(bench: Bench, workers: int = 1, tls: bool = False, affinity: str = "01") -> Server:
    need(tool("nginx"), "nginx is not installed")
    port = free_port()
    config = bench.work / f"nginx-{port}.conf"
    tls_port = free_port() if tls else 0
    listen = "listen 127.0.0.1:{} ssl; ssl_certificate {}; ssl_certificate_key {};".format(tls_port, *certificate(bench)) if tls else ""
    config.write_text(NGINX.format(workers=workers, tls=listen, affinity=" ".join([affinity] * workers), work=bench.work, port=port))
    master = spawn(bench, tool("nginx"), "-p", bench.work, "-e", bench.work / "nginx-error.log", "-c", config)
    wait_port(port, master)
    return Server(port, children(master.pid), tls_port=tls_port)


def go(bench: Bench, tls: bool = False) -> Server:
    need(tool("go"), "go is not installed")
    source, binary, port = HERE / "servers" / "go_server.go", CACHE / "bench" / "go_server", free_port()
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        binary.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([tool("go"), "build", "-o", binary, source], check=True, env={**os.environ, "GO111MODULE": "off"})
    tls_port = free_port() if tls else 0
    server = spawn(bench, *pinned(SERVER_CORE, binary, port, *([tls_port, *certificate(bench)] if tls else [])), env={**os.environ, "GOMAXPROCS": "1"})
    wait_port(port, server)
    return Server(port, [server.pid], tls_port=tls_port)


def node(bench: Bench, tls: bool = False) -> Server:
    need(tool("node"), "node is not installed")
    port = free_port()
    tls_port = free_port() if tls else 0
    server = spawn(bench, *pinned(SERVER_CORE, tool("node"), HERE / "servers" / "node_server.js", port, *([tls_port, *certificate(bench)] if tls else [])))
    wait_port(port, server)
    return Server(port, [server.pid], tls_port=tls_port)


def flask(bench: Bench) -> Server:
    python, port = CACHE / "integration" / "venv" / "bin" / "python", free_port()
    need(python.exists(), "no Flask: run tests/integration/prepare")
    master = spawn(bench, *pinned(SERVER_CORE, python, "-m", "gunicorn", "-w1", "-k", "gthread", "--threads", "1", "--worker-tmp-dir", bench.work,
                                  "--no-control-socket", "-b", f"127.0.0.1:{port}", "flask_server:app"), cwd=HERE / "servers",
                   env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    wait_port(port, master)
    return Server(port, children(master.pid), connections=8)


def nginx_with_context(bench: Bench) -> Server:
    server = nginx(bench)
    server.traced = True
    return server


def nginx_proxy(bench: Bench) -> Server:
    """A proxy that keeps its connections; each request that it passes on is given a context. What it asks lies on the load's core."""
    following = nginx(bench, affinity="10").port
    port = free_port()
    config = bench.work / f"nginx-{port}.conf"
    config.write_text(PROXY.format(work=bench.work, port=port, following=following))
    master = spawn(bench, tool("nginx"), "-p", bench.work, "-e", bench.work / "nginx-error.log", "-c", config)
    wait_port(port, master)
    return Server(port, children(master.pid), options=("--inject",), spans=2)


@dataclass
class Sample:
    rate: float  # requests per second at saturation
    cpu: float  # the server's CPU time per request, µs
    p50: float  # at half load, µs
    p99: float
    others: float  # share of the server's core that others had at saturation, %
    agent: float = 0  # clew's CPU time per span, µs
    requests: int = 0
    spans: int = 0
    lost: dict = field(default_factory=dict)


def saturate(server: Server, seconds: float) -> dict:
    """The client that never sleeps speaks no TLS."""
    if server.tls_port:
        return wrk(server.tls_port, seconds, server.connections, "https")
    return saturated(server.port, seconds, server.connections, server.traced)


def sample(bench: Bench, server: Server, half: float | None, traced: bool) -> Sample:
    """One A or B: saturation, then half load; with clew started before and stopped after."""
    seconds = bench.choose(1, 2)
    before = server.served()
    clew = Clew(bench, server.pids, *server.options) if traced else None
    agent = clew.cpu_ns() if clew else 0
    count, cpu, busy, at = server.served(), cpu_ns(server.pids), busy_ns(SERVER_CORE), time.monotonic()
    load = saturate(server, seconds)
    cpu, count = cpu_ns(server.pids) - cpu, server.served() - count
    others = max(0, 100 * (busy_ns(SERVER_CORE) - busy - cpu) / (time.monotonic() - at) / 1e9)
    # the paced client speaks no TLS: latency is measured in plain text only
    slow = paced(server.port, half or load["rate"] / 2, bench.choose(0.5, 1)) if not server.tls_port else {"p50": 0, "p99": 0}
    result = Sample(load["rate"], cpu / count / 1e3, slow["p50"] / 1e3, slow["p99"] / 1e3, others)
    if clew:
        result.requests = server.served() - before
        agent = clew.cpu_ns() - agent  # what is written after this, at the stop, is a tenth of a second's spans
        clew.stop()
        result.spans, result.lost = clew.spans_in_file(), clew.lost()
        result.agent = agent / max(result.spans, 1) / 1e3
    return result


def measure(bench: Bench, name: str, start, kept: float, cost: float):
    server = start(bench)
    saturate(server, 1)  # warm
    rounds = bench.choose(5, 11)
    plain = [sample(bench, server, None, False)]
    half = plain[0].rate / 2
    traced = []
    for _ in range(rounds):
        traced.append(sample(bench, server, half, True))
        plain.append(sample(bench, server, half, False))

    def paired(of):
        return [of(t) - between([of(p) for p in plain], i) for i, t in enumerate(traced)]

    rates = [p.rate for p in plain]
    middle = statistics.median
    bench.add(name, "throughput kept at saturation", "%", [100 * t.rate / between(rates, i) for i, t in enumerate(traced)], kept, at_least=True,
              noise=100 * noise(rates) / middle(rates), note=f"untraced {middle(rates):,.0f}/s; others had {middle(s.others for s in plain + traced):.0f} % of the server's core")
    bench.add(name, "server's CPU per request, added", "µs", paired(lambda s: s.cpu), cost, noise=noise([p.cpu for p in plain]),
              note=f"untraced {middle(p.cpu for p in plain):.1f} µs")
    if not server.tls_port:
        bench.add(name, "p50 at half load, added", "µs", paired(lambda s: s.p50), 10, noise=noise([p.p50 for p in plain]),
                  note=f"untraced {middle(p.p50 for p in plain):.0f} µs, p99 {middle(paired(lambda s: s.p99)):+.0f} µs")
    open_ends = [unaccounted(t.requests * server.spans, t.spans, t.lost) for t in traced]
    lost = sum((Counter(t.lost) for t in traced), Counter())
    bench.add(name, "requests unaccounted for", "", open_ends, 0, value=max(open_ends),
              note=f"{sum(t.requests for t in traced):,} requests, {sum(t.spans for t in traced):,} spans")
    bench.add(name, "requests without a span, counted as lost", "%", [100 * max(t.requests * server.spans - t.spans, 0) / t.requests for t in traced],
              note=", ".join(f"{reason} {n:,}" for reason, n in lost.items()))
    bench.add(name, "clew's CPU per span, to a file", "µs", [t.agent for t in traced])


GROUPS = {
    "nginx": lambda bench: measure(bench, "nginx", nginx, 85, 1.2),
    "context": lambda bench: measure(bench, "nginx, a context in each request", nginx_with_context, 75, 2.5),
    "inject": lambda bench: measure(bench, "nginx as a proxy, injecting", nginx_proxy, 80, 4),
    "go": lambda bench: measure(bench, "go", go, 94, 1.2),
    "node": lambda bench: measure(bench, "node", node, 97, 1.2),
    "nginx-tls": lambda bench: measure(bench, "nginx-tls", lambda b: nginx(b, tls=True), 80, 4),
    "go-tls": lambda bench: measure(bench, "go-tls", lambda b: go(b, tls=True), 93, 3),
    "node-tls": lambda bench: measure(bench, "node-tls", lambda b: node(b, tls=True), 93, 4),
    "flask": lambda bench: measure(bench, "flask", flask, 99, 1.2),
}
