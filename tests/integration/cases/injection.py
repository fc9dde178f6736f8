# SPDX-License-Identifier: Apache-2.0
"""Trace contexts put into requests: two clews, each of which sees one end, as on two nodes. Streams byte by byte: tests/integration/inject."""
import http.client
import json
import re
import socket
import time

from harness import env
from harness.case import case, check, need
from harness.certificate import Certificate
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import apache, python_http

PROGRAMS = env.SUITE.parent / "truth" / "programs"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NGINX = """daemon off; worker_processes 1; pid {work}/pid; error_log {work}/error.log warn; user root;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  upstream back {{ server 127.0.0.1:{following}; {keepalive} }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
"""


def python_threads(ctx, following):
    port = free_port()
    process = Process(ctx, "hop", [*env.PYTHON, PROGRAMS / "python_threads.py", port, following, "pooled"])
    process.wait_port(port)
    return process, port


def python_over_tls(ctx, following):
    """Both what it serves and what it asks for."""
    port = free_port()
    process = Process(ctx, "hop", [*env.PYTHON, PROGRAMS / "python_threads.py", port, following, "pooled", *ctx.tls.files])
    process.wait_port(port)
    ctx.load_options = ctx.tls.load
    return process, port


def python_behind_tls(ctx, following):
    port, certificate = free_port(), Certificate(ctx)
    process = Process(ctx, "hop", [*env.PYTHON, PROGRAMS / "python_threads.py", port, following, "plain", *certificate.files])
    process.wait_port(port)
    ctx.load_options = certificate.load
    return process, port


def go_sequence(ctx, following):
    need(env.tool("go"), "go is not installed")
    program, port = ctx.dir("go") / "go_hop", free_port()
    run(ctx, [env.tool("go"), "build", "-o", program, PROGRAMS / "go_hop.go"], limit=300, env={"GO111MODULE": "off"})
    process = Process(ctx, "go", [program, port, following, "sequence"])
    process.wait_port(port)
    return process, port


def node(how):
    def start(ctx, following):
        need(env.tool("node"), "node is not installed")
        port = free_port()
        process = Process(ctx, "node", [env.tool("node"), PROGRAMS / "node_hop.js", port, following, how])
        process.wait_port(port)
        return process, port
    return start


def java_pool(ctx, following):
    need(env.tool("javac"), "no JDK is installed")
    classes, port = ctx.dir("java"), free_port()
    run(ctx, [env.tool("javac"), "-d", classes, PROGRAMS / "JavaHop.java"], limit=120)
    process = Process(ctx, "java", [env.tool("java"), "-XX:+UseSerialGC", "-Xmx128m", "-Dhttp.keepAlive=false", "-cp", classes, "JavaHop", port, following])
    process.wait_port(port, limit=30)
    return process, port


def nginx(keepalive):
    def start(ctx, following):
        need(env.tool("nginx"), "nginx is not installed")
        work, port = ctx.dir("nginx"), free_port()
        (work / "conf").write_text(NGINX.format(work=work, port=port, following=following, keepalive=keepalive))
        process = Process(ctx, "nginx", [env.tool("nginx"), "-p", work, "-e", work / "error.log", "-c", work / "conf"])
        process.wait_port(port)
        return process, port
    return start


def two_nodes(ctx, start, way="header"):
    """A program that passes requests on, seen with injection, and its server, seen by a clew that sees nothing else."""
    ctx.tls = Certificate(ctx) if start is python_over_tls else None
    back = python_http.start(ctx, tls=ctx.tls)
    hop, port = start(ctx, back.port)
    here = Clew(ctx, f"--inject={way}", *(x for pid in sorted(hop.tree()) for x in ("--pid", pid))).ready()
    there = Clew(ctx, *([] if way == "header" else [f"--inject={way}"]), *back.select).ready()
    return back, port, here, there


def joined(here, there):
    """The two nodes' results, and the pairs of spans of one request, by path."""
    near, far = here.stop(), there.stop()
    clients = {s.path: s for s in near.spans if s.kind == CLIENT}
    return near, far, [(clients[s.path], s) for s in far.spans if s.kind == SERVER and s.path in clients]


def expect_joined(near, far, pairs, count, least, evidence="header"):
    """`least`: so many must be injected; whatever is must be right."""
    check(len(pairs) == count, f"{len(pairs)} of {count} requests seen from both ends {near.summary()} {far.summary()}")
    servers = {s.span_id: s for s in near.spans if s.kind == SERVER}
    injected = 0
    for client, server in pairs:
        if not client.attributes.get("clew.injected"):
            check(server.parent_id in ("", PARENT), f"{server} has the parent {server.parent_id}, which nobody has sent")
            continue
        injected += 1
        check((server.trace_id, server.parent_id) == (client.trace_id, client.span_id), f"{server}: {server.parent_id} is not {client.span_id}")
        check(server.attributes.get("clew.parent.evidence") == evidence, f"{server}: {server.attributes}")
        check(client.parent_id in servers, f"{client} has no parent {near.summary()}")
    check(injected >= least, f"{injected} of {count} injected, {least} expected {near.summary()}")
    return injected


def register(name, start, concurrency=8, calls=1, least=lambda count: count, way="header"):
    @case(f"inject/{name}" if way == "header" else f"inject/{way}/{name}", matrix=False)
    def one(ctx):
        count = ctx.count(200, 4000, 50)
        _, port, here, there = two_nodes(ctx, start, way)
        load(ctx, port, count, concurrency=concurrency, prefix="/h/", **getattr(ctx, "load_options", {}))
        here.wait_spans((1 + calls) * count)
        there.wait_spans(calls * count)
        near, far, pairs = joined(here, there)
        done = expect_joined(near, far, pairs, calls * count, least(calls * count), way.replace("-", "_"))
        ctx.note(f"{done} of {calls * count} injected")


register("python-threads", python_threads)
register("python-behind-tls", python_behind_tls)
register("go", go_sequence, calls=3)
register("node", node("sequence"), least=lambda count: count * 8 // 10)  # not what waited for a connection of the pool
register("node-after-timers", node("timer"), least=lambda count: 0)
# Connections of their own: where the kernel misreports how much a socket holds, as for nginx below. The first 16 answers earn trust.
register("java-pool", java_pool, concurrency=4, least=lambda count: count - 40)
# Where the kernel misreports how much a socket holds, nginx's connections are injected into once each, and to a server that has answered before.
register("nginx-new-connections", nginx(""), concurrency=1, least=lambda count: count - 1)
register("nginx-kept-connections", nginx("keepalive 8;"), concurrency=1, least=lambda count: 0)
register("python-threads", python_threads, way="tcp-option")
register("python-over-tls", python_over_tls, way="tcp-option")
register("go", go_sequence, calls=3, way="tcp-option")
register("nginx-new-connections", nginx(""), concurrency=1, least=lambda count: count - 1, way="tcp-option")


@case("inject/tcp-option/open-connections", matrix=False)
def open_connections(ctx):
    """Connections that were there before both clews: from the second exchange on."""
    back = python_http.start(ctx)
    hop, port = python_threads(ctx, back.port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(path):
        connection.request("GET", path)
        check(connection.getresponse().read() is not None, "no answer")

    for n in range(3):
        ask(f"/h/before-{n}")
    here = Clew(ctx, "--inject=tcp-option", "--pid", hop.pid).ready()
    there = Clew(ctx, "--inject=tcp-option", *back.select).ready()
    for n in range(40):
        ask(f"/h/{n}")
    here.wait_spans(79)
    there.wait_spans(39)
    near, far, pairs = joined(here, there)
    ctx.note(f"{expect_joined(near, far, pairs, len(pairs), 37, 'tcp_option')} of 40")


ASKER = """import fcntl, select, socket, struct, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))


def ask(n):
    connection.sendall(f"GET /{n} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n".encode())
    select.select([connection], [], [], 10)


for n in range(20):
    time.sleep(0.1)
    ask(n)
    connection.recv(65536)
import termios
time.sleep(float(sys.argv[2]))
ask("asked")
told = struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))[0]
print("told", told, "read", len(connection.recv(65536)))
"""


@case("inject/asks-later", matrix=False)
def asks_later(ctx):
    """A program that loads what it asks its sockets with when it has a connection that is injected into already: it must be told the truth."""
    back = python_http.start(ctx)
    script = ctx.work / "asker.py"
    script.write_text(ASKER)
    result = Clew(ctx, "--inject", command=[*env.PYTHON, script, back.port, 8]).wait(40)
    told = re.search(r"told (\d+) read (\d+)", result.stdout)
    check(told is not None and told[1] == told[2], f"{result.stdout} {result.summary()}")
    injected = sum(1 for s in result.spans if s.kind == CLIENT and s.attributes.get("clew.injected"))
    check(injected >= 10, f"{injected} of 20 were injected {result.summary()}")


HEIR = """import fcntl, os, select, socket, struct, sys, time


def ask(connection, path):
    connection.sendall(f"GET /{path} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n".encode())
    select.select([connection], [], [], 10)


if sys.argv[1] == "heir":
    import termios
    connection = socket.socket(fileno=int(sys.argv[2]))
    time.sleep(3)
    ask(connection, "asked")
    time.sleep(1)
    told = struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))[0]
    print("told", told, "read", len(connection.recv(65536)), flush=True)
    sys.exit()
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for n in range(20):
    time.sleep(0.1)
    ask(connection, n)
    connection.recv(65536)
connection.set_inheritable(True)
environment = {**os.environ, **({"LD_PRELOAD": sys.argv[2]} if sys.argv[2] else {})}
os.waitpid(os.posix_spawn(sys.executable, [sys.executable, sys.argv[0], "heir", str(connection.fileno())], environment), 0)
"""


@case("inject/asks-what-it-inherits", matrix=False)
def asks_what_it_inherits(ctx):
    """A program is executed with a connection of one that did not ask, and asks: it must be told the truth, followed or not."""
    back = python_http.start(ctx)
    script = ctx.work / "heir.py"
    script.write_text(HEIR)
    for preload in ("", "libm.so.6"):  # under it a program is taken for one that asks as soon as it begins
        result = Clew(ctx, "--inject", command=[*env.PYTHON, script, back.port, preload]).wait(60)
        told = re.search(r"told (\d+) read (\d+)", result.stdout)
        check(told is not None and told[1] == told[2], f"{result.stdout} {result.summary()}")
        injected = sum(1 for s in result.spans if s.kind == CLIENT and s.attributes.get("clew.injected"))
        check(injected >= 10, f"{injected} of 20 were injected {result.summary()}")


@case("inject/contexts-in-odd-forms", matrix=False)
def odd_contexts(ctx):
    """A traceparent that the kernel does not read, but user space does or refuses: what is injected is of the trace that the spans have, or nothing is."""
    other, xray = {"b3": f"{TRACE[::-1]}-{PARENT}-1"}, {"X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[:7:-1]};Parent={PARENT};Sampled=0"}
    usual = f"traceparent: 00-{TRACE}-{PARENT}"
    heads = [[f"{usual}-01 \t", *more] for more in ([], [other], [xray])]  # white space at its end is not part of it
    heads += [[f"traceparent: 02-{TRACE}-{PARENT}-01-more", *more] for more in ([], [other], [xray])]
    heads += [[f"{usual}-00", f"TraceParent: 00-{TRACE[::-1]}-{PARENT}-01", *more] for more in ([], [other], [xray])]  # two are none
    heads += [[*more, f"{usual}-01-more"] for more in ([other], [xray])]
    _, port, here, there = two_nodes(ctx, python_threads)
    for n, head in enumerate(heads):
        fields = [f"{k}: {v}" for field in head if isinstance(field, dict) for k, v in field.items()] + [field for field in head if isinstance(field, str)]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall("\r\n".join([f"GET /h/{n} HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""]).encode())
            while connection.recv(65536):
                pass
    time.sleep(1)
    near, far = here.stop(), there.stop()
    servers = {s.path.rsplit("/", 1)[1]: s for s in near.spans if s.kind == SERVER}
    clients = {s.path.rsplit("/", 1)[1]: s for s in near.spans if s.kind == CLIENT}
    check(servers.keys() == clients.keys() and len(servers) >= 8, f"{sorted(servers)} served, {sorted(clients)} sent {near.summary()}")
    for n, server in servers.items():
        check((clients[n].trace_id, clients[n].parent_id) == (server.trace_id, server.span_id), f"{heads[int(n)]}: the trace is another one behind it")
    check(len(far.spans) >= len(servers), far.summary())


@case("inject/never-over-a-servers-limit", matrix=False)
def limits(ctx):
    """A request that a server just takes is answered as without clew: it would be refused with one more field, or some bytes more."""
    need(env.tool("node"), "node is not installed")
    server, port = apache.start(ctx), free_port()
    Process(ctx, "node", [env.tool("node"), "-e", f"require('http').createServer((q, s) => s.end('ok')).listen({port}, '127.0.0.1')"]).wait_port(port)
    client = [*env.PYTHON, env.SUITE / "odd" / "long_heads.py", server.port, port]
    without = run(ctx, client).stdout.splitlines()
    result = Clew(ctx, "--inject", command=client).wait(120)
    check(result.stdout.splitlines() == without, f"not as without clew: {[a for a, b in zip(result.stdout.splitlines(), without) if a != b][:5]}")
    refused = [line for line in without if not line.endswith("200")]
    check(0 < len(refused) < len(without) / 2, f"{len(refused)} of {len(without)} are refused without clew")
    left = int((re.search(r"too_long +(\d+)", result.stderr) or [0, 0])[1])
    check(0 < left < len(without) / 2, f"{left} of {len(without)} left alone as too long: {result.summary()}")


@case("inject/own-context-stays")
def own_context(ctx):
    """Whatever format: what the program sends is what the server reads."""
    forms = [{"traceparent": f"00-{TRACE}-{PARENT}-01"}, {"B3": f"{TRACE}-{PARENT}-1"}, {"X-B3-TraceId": TRACE}, {"uber-trace-id": f"{TRACE}:{PARENT}:0:1"},
             {"X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[8:]}"}, {"x-datadog-trace-id": "1"}]
    back = python_http.start(ctx)
    program = ("import http.client, json, sys\n"
               "connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))\n"
               "for n, headers in enumerate(json.loads(sys.argv[2])):\n"
               "    connection.request('GET', f'/r/{n}', headers=headers)\n"
               "    connection.getresponse().read()\n")
    there = Clew(ctx, *back.select).ready()
    here = Clew(ctx, "--inject", command=[*env.PYTHON, "-c", program, back.port, json.dumps([*forms, {}])])
    result = here.wait()
    there.wait_spans(len(forms) + 1)
    there.stop()
    check(result.status == 0, result.summary())
    injected = [s.path for s in result.spans if s.attributes.get("clew.injected")]
    check(injected == [f"/r/{len(forms)}"], f"injected into {injected} {result.summary()}")


@case("inject/forwarded-context-is-updated")
def forwarded(ctx):
    """A proxy that passes on what it has received: its own span stands between, with no second header."""
    _, port, here, there = two_nodes(ctx, nginx(""))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for n in range(10):
        connection.request("GET", f"/h/{n}", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        check(connection.getresponse().read() is not None, "no answer")
    here.wait_spans(20)
    there.wait_spans(10)
    near, far, pairs = joined(here, there)
    injected = expect_joined(near, far, pairs, 10, 9)
    check({s.trace_id for s in near.spans + far.spans} == {TRACE}, "another trace")
    check(all(s.parent_id == PARENT for s in near.spans if s.kind == SERVER), "the proxy's own parent is not the caller")
    check(re.search(rf"{injected} requests passed on with clew's own parent id", near.stderr), near.summary())


@case("inject/contexts-of-other-forms")
def other_forms(ctx):
    """A caller that speaks B3, Jaeger's, X-Ray's or Datadog's form: what is sent on its behalf carries its trace, and its decision."""
    low = str(int(TRACE[16:], 16))
    forms = [{"b3": f"{TRACE}-{PARENT}-1"}, {"b3": f"{TRACE}-{PARENT}-d-{PARENT}"}, {"B3": f"{TRACE}-{PARENT}"},
             {"X-B3-SpanId": PARENT, "X-B3-TraceId": TRACE, "X-B3-Sampled": "1"}, {"X-B3-TraceId": TRACE, "X-B3-SpanId": PARENT, "X-B3-Flags": "1"},
             {"uber-trace-id": f"{TRACE}:{PARENT}:0:1"}, {"X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1"},
             {"x-datadog-tags": f"_dd.p.dm=-0,_dd.p.tid={TRACE[:16]}", "x-datadog-trace-id": low, "x-datadog-parent-id": "7", "x-datadog-sampling-priority": "2"}]
    refused = [{"b3": f"{TRACE}-{PARENT}-0"}, {"X-B3-TraceId": TRACE, "X-B3-SpanId": PARENT, "X-B3-Sampled": "0"}, {"uber-trace-id": f"{TRACE}:{PARENT}:0:0"}]
    _, port, here, there = two_nodes(ctx, python_threads)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for n, headers in enumerate(forms + refused):
        connection.request("GET", f"/h/{n}", headers=headers)
        check(connection.getresponse().read() is not None, "no answer")
    here.wait_spans(2 * len(forms))
    there.wait_spans(len(forms))
    near, far, pairs = joined(here, there)
    expect_joined(near, far, pairs, len(forms), len(forms))
    strange = [s for s in near.spans + far.spans if s.trace_id != TRACE]
    check(not strange, f"{len(strange)} spans of other traces, e.g. {strange[:1]}")
    check(len(far.spans) == len(forms), f"{len(far.spans)} spans of the server, though {len(refused)} requests were decided against")
    check(f"{len(forms) + len(refused)} requests given a traceparent" in near.stderr, near.summary())


@case("inject/what-a-callers-tracestate-may-decide", matrix=False)
def tracestate(ctx):
    """By `traceidratio` the caller's `rv` counts, which only user space reads: such requests are left alone, so no flag is another one than the span's."""
    back = python_http.start(ctx)
    hop, port = python_threads(ctx, back.port)
    here = Clew(ctx, "--inject", "--pid", hop.pid, environment={"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}).ready()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for n in range(40):
        state = {"tracestate": f"a=1,ot=rv:{n * 6 + 1:02x}{n:012x}"} if n % 2 else {}
        connection.request("GET", f"/h/{n}", headers={"traceparent": f"00-{n + 1:032x}-{PARENT}-01", **state})
        check(connection.getresponse().read() is not None, "no answer")
    here.wait_spans(20)
    result = here.stop()
    injected = [s for s in result.spans if s.attributes.get("clew.injected")]
    check(all(s.trace_state == "" for s in injected), f"{injected[:1]} is of a trace with a tracestate")
    check("20 requests given a traceparent" in result.stderr and "no_context           20" in result.stderr, result.summary())


@case("inject/ends-with-the-agent")
def ends(ctx):
    """After SIGKILL requests go on unchanged on the same connection, and the next agent goes on injecting."""
    back = python_http.start(ctx)
    hop, port = python_threads(ctx, back.port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(n):
        connection.request("GET", f"/h/{n}")
        response = connection.getresponse()
        check(response.read() is not None and response.status == 200, "no answer")

    for round_ in range(3):
        here = Clew(ctx, "--inject", "--pid", hop.pid).ready()
        for n in range(20):
            ask(f"{round_}-{n}")
        found = here.wait_spans(40)
        injected = [s for s in found if s.attributes.get("clew.injected")]
        check(len(injected) >= 18, f"round {round_}: {len(injected)} of 20 injected")
        here.kill()
        for n in range(20):
            ask(f"{round_}-after-{n}")
