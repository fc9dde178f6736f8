# SPDX-License-Identifier: Apache-2.0
"""HAProxy: each request to a server belongs to the client's request that it is sent for, whatever comes between them."""
import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

from harness import env
from harness.case import case, check, need
from harness.process import Process, free_port
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew

CONFIG = """global
  nbthread 2
defaults
  timeout client 60s
  timeout server 60s
  timeout connect 10s
frontend requests
  mode http
  bind 127.0.0.1:{http}
  http-request return status 200 if {{ path_beg /local }}
  default_backend few
backend few
  mode http
  option httpchk GET /check
  option redispatch
  retries 3
  retry-on 503
  http-reuse always
  server a 127.0.0.1:{back} maxconn 4 check inter 100
  server b 127.0.0.1:{back} maxconn 4
frontend bytes
  mode tcp
  bind 127.0.0.1:{tcp}
  default_backend all
backend all
  mode tcp
  server a 127.0.0.1:{back}
"""


class Back:
    """Answers every request; the first for a path below /again with 503."""

    def __init__(self, ctx):
        self.seen, self.lock = set(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        ctx.later(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(ConnectionError):  # a health check ends with a reset
            self.answer(peer)

    def answer(self, peer):
        with peer, peer.makefile("rb") as lines:
            while line := lines.readline():
                path, last = line.split()[1], False
                while field := lines.readline().strip().lower():
                    last |= field == b"connection: close"
                with self.lock:
                    again = path.startswith(b"/again") and path not in self.seen
                    self.seen.add(path)
                peer.sendall(b"HTTP/1.1 " + (b"503 Not Yet" if again else b"200 OK") + b"\r\nContent-Length: 2\r\n\r\nok")
                if last:
                    return


def pipelined(port: int, paths: list, at_once: bool) -> int:
    """All requests on one connection, none waits for an answer; how many came."""
    requests = [f"GET {path} HTTP/1.1\r\nHost: h\r\n".encode() for path in paths]
    requests[-1] += b"Connection: close\r\n"
    answers = b""
    with socket.create_connection(("127.0.0.1", port), timeout=env.seconds(30)) as peer:
        for piece in [b"\r\n".join([*requests, b""])] if at_once else [request + b"\r\n" for request in requests]:
            peer.sendall(piece)
        while data := peer.recv(65536):
            answers += data
    return answers.count(b"HTTP/1.1 ")


def start(ctx, back: int):
    need(env.tool("haproxy"), "haproxy is not installed")
    http, tcp = free_port(), free_port()
    work = ctx.dir("haproxy")
    (work / "conf").write_text(CONFIG.format(http=http, tcp=tcp, back=back))
    process = Process(ctx, "haproxy", [env.tool("haproxy"), "-f", work / "conf"])
    process.wait_port(http)
    process.wait_port(tcp)
    return process, http, tcp


def paths_of(client: int, mode: str) -> list:
    """Some are answered by HAProxy itself, some asked for twice."""
    kinds = ("a", "local", "again", "b", "a", "local", "b") if mode == "http" else ("a", "b", "c", "d")
    return [f"/{kind}/{mode}-{client}-{n}" for n, kind in enumerate(kinds)]


@case("haproxy/each-request-for-the-client-that-it-is-sent-for")
def parents(ctx):
    """Pipelined, answered by HAProxy itself, tried again, waiting for one of a few connections, as bytes; health checks are nobody's."""
    back = Back(ctx)
    process, http, tcp = start(ctx, back.port)
    clients = ctx.count(40, 400, 8)
    clew = Clew(ctx, "--pid", process.pid).ready()
    asked = [(port, paths_of(n, mode), n % 2 == 0) for n in range(clients) for port, mode in ((http, "http"), (tcp, "tcp"))]
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda each: pipelined(*each), asked))
    check(all(got == len(paths) for got, (_, paths, _) in zip(answers, asked)), f"answers {answers}")
    clew.wait_spans(clients * (7 + 6 + 4 + 4))
    result = clew.stop()
    servers = {span.path: span for span in result.spans if span.kind == SERVER}
    sent = [span for span in result.spans if span.kind == CLIENT and span.path != "/check"]
    check(len(servers) == clients * 11 and len(sent) == clients * 10, f"{len(servers)} and {len(sent)} spans of {clients} clients {result.summary()}")
    for span in sent:
        parent = servers[span.path]
        check((span.trace_id, span.parent_id) == (parent.trace_id, parent.span_id), f"{span}: {span.parent_id} is not {parent.span_id}")
        check(span.attributes.get("clew.parent.evidence") == "execution", f"{span}: {span.attributes}")
    checks = [span for span in result.spans if span.kind == CLIENT and span.path == "/check"]
    check(checks and not any(span.parent_id for span in checks), f"{len(checks)} health checks, one has a parent")
    ctx.note(f"{len(sent)} requests, {len(checks)} health checks")
