# SPDX-License-Identifier: Apache-2.0
"""Trace contexts in TCP options over a network that loses one segment in twenty: whatever is sent again still says the right parent."""
import os

from harness import env
from harness.case import case, check, need
from harness.process import Process, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew

LOSS = """typedef unsigned int u32;
static u32 (*random32)(void) = (void *)7;
__attribute__((section("tc"), used)) int lose(void *packet) { return random32() % 20 == 0 ? 2 : 0; }
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"""
SERVER_PROGRAM = """
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("content-length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *a): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads, request_queue_size = True, 128
server = Server(("127.0.0.1", 8000), Handler)
print("listens", flush=True)
server.serve_forever()
"""
CLIENT_PROGRAM = """
import http.client, sys, threading, time
time.sleep(1)  # where the kernel misreports how much a socket holds, an interpreter that has just begun may be one that asks
def ask(thread):
    connection = http.client.HTTPConnection("127.0.0.1", 8000)
    for n in range(int(sys.argv[1])):
        connection.request("POST", f"/r/{thread}-{n}", body=b"b" * (n * 7919 % 60000))
        connection.getresponse().read()
threads = [threading.Thread(target=ask, args=(t,)) for t in range(8)]
for t in threads: t.start()
for t in threads: t.join()
"""


def lossy_namespace(ctx):
    """A network namespace of its own whose loopback loses segments; the prefix of a command that runs in it."""
    need(env.tool("ip") and env.tool("tc") and env.tool("clang-19"), "ip, tc or clang-19 is missing")
    name, work = f"clew-lossy-{os.getpid()}", ctx.dir("loss")
    (work / "loss.c").write_text(LOSS)
    run(ctx, [env.tool("clang-19"), "-target", "bpf", "-O2", "-g", "-c", work / "loss.c", "-o", work / "loss.o"])
    run(ctx, [env.tool("ip"), "netns", "add", name])
    ctx.later(lambda: run(ctx, [env.tool("ip"), "netns", "del", name]))
    run(ctx, [env.tool("ip"), "-n", name, "link", "set", "lo", "up"])
    run(ctx, [env.tool("tc"), "-n", name, "qdisc", "add", "dev", "lo", "clsact"])
    run(ctx, [env.tool("tc"), "-n", name, "filter", "add", "dev", "lo", "egress", "bpf", "da", "obj", work / "loss.o", "sec", "tc"])
    return [env.tool("ip"), "netns", "exec", name]


@case("inject/tcp-option/lossy-network", matrix=False)
def lossy(ctx):
    each = ctx.count(25, 500, 10)
    count, inside = 8 * each, lossy_namespace(ctx)
    server = Process(ctx, "server", [*inside, *env.PYTHON, "-c", SERVER_PROGRAM])
    server.wait_text("listens")
    there = Clew(ctx, "--inject=tcp-option", "--pid", server.pid).ready()
    here = Clew(ctx, "--inject=tcp-option", command=[*inside, *env.PYTHON, "-c", CLIENT_PROGRAM, each])
    near = here.wait(120 + each)
    there.wait_spans(count)
    far = there.stop()
    clients = {s.path: s for s in near.spans if s.kind == CLIENT}
    pairs = [(clients[s.path], s) for s in far.spans if s.kind == SERVER]
    check(near.status == 0 and len(pairs) == count == len(clients), f"{len(pairs)} of {count} requests, {len(clients)} sent {near.summary()} {far.summary()}")
    wrong = [s for c, s in pairs if s.parent_id and (s.trace_id, s.parent_id) != (c.trace_id, c.span_id)]
    right = sum(s.attributes.get("clew.parent.evidence") == "tcp_option" for _, s in pairs)
    check(not wrong, f"{len(wrong)} wrong parents, the first {wrong[:1]}")
    check(right >= 0.99 * count, f"{right} of {count} requests have their parent {near.summary()} {far.summary()}")
    ctx.note(f"{right} of {count} right")
