# SPDX-License-Identifier: Apache-2.0
"""What is not HTTP gives no span, ever, and does clew no harm."""
import os
import random
import shutil
import socket
import time

from harness import truth
from harness.case import case, check, need
from harness.env import PYTHON, tool
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import SERVER
from harness.tracer import Clew
from servers import python_http


def silent(ctx, clew):
    """Stops it: no span, and no crash (a status of 0)."""
    time.sleep(0.3)
    result = clew.stop()
    check(not result.spans, f"{len(result.spans)} spans of what is not HTTP, e.g. {result.spans[:1]}")
    return result


@case("not-http/redis")
def redis(ctx):
    need(tool("redis-server") and tool("redis-benchmark"), "redis is not installed")
    port = free_port()
    server = Process(ctx, "redis", [tool("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", ctx.work])
    server.wait_port(port)
    clew = Clew(ctx, "--pid", server.pid, command=[tool("redis-benchmark"), "-p", port, "-n", ctx.count(2000, 20000, 100), "-P", "4", "-q", "-t", "ping,set,get,lrange_100,mset"])
    result = clew.wait(60)
    check(result.status == 0, f"redis-benchmark under clew ended with {result.status}: {result.stderr[-300:]}")
    check(not result.spans, f"{len(result.spans)} spans, e.g. {result.spans[:1]}")


@case("not-http/redis-with-http-values")
def redis_http(ctx):
    """Values that look like requests, at the start of a bulk string."""
    need(tool("redis-server"), "redis is not installed")
    port = free_port()
    server = Process(ctx, "redis", [tool("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", ctx.work])
    server.wait_port(port)
    clew = Clew(ctx, "--pid", server.pid).ready()
    text = b"GET /fake HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as s:
        for n in range(50):
            s.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$%d\r\n" % len(text))
            s.sendall(text + b"\r\n")
            s.recv(100)
            s.sendall(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n")
            s.recv(200)
    silent(ctx, clew)


@case("not-http/memcached")
def memcached(ctx):
    need(tool("memcached"), "memcached is not installed")
    port = free_port()
    server = Process(ctx, "memcached", [tool("memcached"), "-p", port, "-U", "0", "-l", "127.0.0.1", "-u", "nobody"])
    server.wait_port(port)
    clew = Clew(ctx, "--pid", server.pid).ready()
    with socket.create_connection(("127.0.0.1", port)) as s:
        for n in range(200):
            s.sendall(b"set k%d 0 0 30\r\n%s\r\nget k%d\r\n" % (n, b"GET / HTTP/1.1\r\nHost: h\r\n\r\nab"[:30].ljust(30), n))
            s.recv(4096)
    silent(ctx, clew)


@case("not-http/postgresql")
def postgresql(ctx):
    places = ["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin"]
    home = next((p for p in places if os.path.exists(p + "/initdb")), None)
    need(home, "postgresql is not installed")
    data, port = ctx.dir("pg") / "data", free_port()
    for p in (ctx.work, data.parent):
        p.chmod(0o755)
    user = "nobody"
    shutil.chown(data.parent, user)
    as_user = [tool("setpriv"), "--reuid", user, "--clear-groups"]
    run(ctx, as_user + [f"{home}/initdb", "-D", data, "-A", "trust", "-U", "pg", "--no-sync"], env={"HOME": str(data.parent)})
    server = Process(ctx, "postgres", as_user + [f"{home}/postgres", "-D", data, "-p", port, "-k", data.parent, "-c", "listen_addresses=127.0.0.1",
                                                 "-c", "fsync=off"])
    server.wait_port(port)
    clew = Clew(ctx, "--pid", server.pid, command=[tool("psql"), "-h", "127.0.0.1", "-p", port, "-U", "pg", "-d", "postgres", "-c",
                                                   "create table t(x text)", "-c", "insert into t select 'GET / HTTP/1.1' from generate_series(1,2000)",
                                                   "-c", "select * from t"])
    result = clew.wait(60)
    check(result.status == 0, f"psql ended with {result.status}: {result.stderr[-300:]}")
    check(not result.spans, f"{len(result.spans)} spans, e.g. {result.spans[:1]}")


@case("not-http/tls")
def tls(ctx):
    """Inside TLS something else than HTTP is spoken, which clew can read: no span, neither at server nor at client."""
    need(tool("openssl"), "openssl is not installed")
    run(ctx, ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"])
    port = free_port()
    server = Process(ctx, "s_server", ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem", "-cert", "cert.pem", "-rev", "-quiet"])
    server.wait_port(port)
    clew = Clew(ctx, "--pid", server.pid, command=["sh", "-c", f"for n in 1 2 3 4 5; do (printf 'hello, '$n'\\n\\0\\377\\n'; sleep 0.2) | openssl s_client "
                                                                f"-connect 127.0.0.1:{port} -quiet -no_ign_eof; done"])
    result = clew.wait(60)
    check("1 ,olleh" in result.stdout, f"the conversation itself failed: {result.stdout[-100:]} {result.stderr[-300:]}")
    check(not result.spans, f"{len(result.spans)} spans, e.g. {result.spans[:1]}")


@case("not-http/tls-asked-in-plain")
def tls_plain(ctx):
    """A plain request to a TLS server: the request was HTTP, its answer is an alert, which is no response."""
    need(tool("openssl"), "openssl is not installed")
    run(ctx, ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"])
    port = free_port()
    server = Process(ctx, "s_server", ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem", "-cert", "cert.pem", "-www", "-quiet"])
    server.wait_port(port)
    clew = Clew(ctx, "--pid", server.pid).ready()
    run(ctx, ["curl", "-s", f"http://127.0.0.1:{port}/plain"], check_status=False)
    result = clew.stop()
    wrong = [s for s in result.spans if "http.response.status_code" in s.attributes or s.path != "/plain"]
    check(not wrong and len(result.spans) <= 1, f"{len(result.spans)} spans, with a status: {wrong[:1]}")


ECHO = """
import socket, sys, threading
l = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
def serve(s):
    try:
        while d := s.recv(65536): s.sendall(d)
    except OSError: pass
    s.close()
while True:
    threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
"""


def echo(ctx):
    port = free_port()
    process = Process(ctx, "echo", [*PYTHON, "-c", ECHO, port])
    process.wait_port(port)
    return process, port


@case("not-http/random-bytes", matrix=True)
def random_bytes(ctx):
    """An echo server: what goes in comes out, at all lengths and with beginnings that are almost HTTP."""
    process, port = echo(ctx)
    clew = Clew(ctx, "--pid", process.pid).ready()
    chance = random.Random(7)
    almost = [b"", b"GET ", b"GET / HTTP/1.1", b"GET / HTTP/2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"POST", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n",
              b"GET  / HTTP/1.1\r\n\r\n", b"G\0T / HTTP/1.1\r\n\r\n", b"GET / HTTX/1.1\r\n\r\n", b"GET / \r\n\r\n", b"SSH-2.0-x\r\n", b"EHLO x\r\n", b"\x16\x03\x01\x02\x00\x01"]
    for n in range(ctx.count(150, 2000, 30)):
        with socket.create_connection(("127.0.0.1", port)) as s:
            for _ in range(chance.randrange(1, 5)):
                s.sendall(almost[n % len(almost)] + chance.randbytes(chance.randrange(1, 3000)))
                s.recv(65536)
    silent(ctx, clew)


@case("not-http/echoed-requests")
def echoed(ctx):
    """The server sends back the very request: there is no response, so no span has a status, and each says that something is wrong."""
    process, port = echo(ctx)
    clew = Clew(ctx, "--pid", process.pid).ready()
    for n in range(10):
        with socket.create_connection(("127.0.0.1", port)) as s:
            for _ in range(3):
                s.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
                s.recv(65536)
    time.sleep(0.3)
    result = clew.stop()
    wrong = [s for s in result.spans if "http.response.status_code" in s.attributes or "error.type" not in s.attributes and not s.incomplete]
    check(not wrong and len(result.spans) <= 30, f"{len(result.spans)} spans of 30 requests, {len(wrong)} as if they had been answered")


@case("not-http/empty-connections", matrix=True)
def empty(ctx):
    """Connections without a byte, closed and reset; then a real request still works."""
    server = python_http.start(ctx)
    clew = Clew(ctx, *server.select).ready()
    for n in range(ctx.count(300, 3000, 30)):
        s = socket.create_connection(("127.0.0.1", server.port))
        if n % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    seen = load(ctx, server.port, 5)
    clew.wait_spans(5)
    truth.expect(seen, clew.stop().spans, SERVER)


@case("not-http/udp-and-pipes")
def other_sockets(ctx):
    """Datagrams, socketpairs and pipes that carry HTTP-looking bytes are no connections of clients and servers."""
    code = ("import socket, os, time, sys\n"
            "a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0))\n"
            "b = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); b.bind('" + str(ctx.work) + "/d')\n"
            "r, w = os.pipe(); m = b'GET /u HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'\n"
            "sys.stdin.readline()\n"
            "for _ in range(20):\n a.sendto(m, a.getsockname()); a.recv(999); b.sendto(m, b.getsockname()); b.recv(999); os.write(w, m); os.read(r, 999)\n"
            "print('done', flush=True); time.sleep(60)\n")
    import subprocess
    process = Process(ctx, "datagrams", [*PYTHON, "-c", code], stdin=subprocess.PIPE)
    clew = Clew(ctx, "--pid", process.pid).ready()
    process.popen.stdin.write(b"\n")
    process.popen.stdin.flush()
    process.wait_text("done")
    silent(ctx, clew)
