# SPDX-License-Identifier: Apache-2.0
"""Clients that flood a server of HTTP/2 or break its rules, beside one that does not: neither it nor clew takes harm, and its spans are right."""
import os
import re
import resource
import socket
import subprocess
import time
from pathlib import Path

from cases.http2 import nghttpd, said
from harness.case import case, check, need
from harness.env import built, seconds, tool
from harness.process import Process, free_port
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from http2 import hostile

NGINX = """daemon off; master_process off; pid {work}/pid; error_log {work}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port} http2; root {root}; location = /first {{ return 404 "no\\n"; }} }}
}}
"""


STATUS = "http.response.status_code"

# Whatever a server does then, it has read what these are counted for.
COUNTED = ("bad_frame_size", "bad_hpack_index", "bad_padding", "bad_window_increment", "frame_on_stream", "frame_too_large", "frame_without_stream",
           "hpack_table_too_large", "missing_continuation", "settings_missing", "unexpected_continuation")


def nginx(ctx):
    need(tool("nginx") and tool("h2load"), "no nginx, nghttp2-client")
    root, work, port = ctx.dir("root"), ctx.dir("nginx"), free_port()
    (root / "small").write_text("12345")
    (work / "conf").write_text(NGINX.format(work=work, root=root, port=port))
    for directory in (ctx.work, root, work):
        directory.chmod(0o755)
    server = Process(ctx, "nginx", ["nginx", "-p", work, "-e", work / "error.log", "-c", work / "conf"])
    server.wait_port(port)
    return server, port


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def honest(port, count):
    out = subprocess.run(["h2load", "-n", str(count), "-c", "1", "-m", "8", f"http://127.0.0.1:{port}/small"], capture_output=True, text=True,
                         timeout=seconds(60))
    return int(re.search(r"(\d+) succeeded", out.stdout).group(1))


for name, start in (("nghttpd", nghttpd), ("nginx", nginx)):
    @case(f"http2/hostile-clients/{name}")
    def hostile_clients(ctx, start=start):
        server, port = start(ctx)
        clew = Clew(ctx, "--pid", server.pid).ready()
        count = ctx.count(4000, 12_000, 400)  # spans: fewer than the queue of an output holds
        asked = 500
        check(honest(port, asked) == asked, "the honest client failed before any attack")
        before = resident(clew.pid)
        firsts = 0
        slowest = 0.0
        for kind, pieces in hostile.floods(count).items():
            used = processor_seconds(clew.pid)
            firsts += hostile.send(port, pieces)
            check(honest(port, 50) == 50, f"the honest client failed after {kind}")
            asked += 50
            slowest = max(slowest, processor_seconds(clew.pid) - used)
        for kind, bad in hostile.ILLEGAL.items():
            firsts += hostile.send(port, [bad, *(hostile.request(n) for n in (5, 7, 9))])
        for bad in hostile.BROKEN_BEGINNINGS:
            hostile.send(port, [bad], first=False)
        check(honest(port, 50) == 50, "the honest client failed after bad input")
        asked += 50
        time.sleep(seconds(1.2))
        grown = resident(clew.pid) - before
        result = clew.stop()
        check(server.popen.poll() is None, "the server has ended")
        right = {key: n for key, n in said(result.spans, SERVER).items() if key[1] in ("/small", "/first")}
        answers = {key: n for key, n in right.items() if key[2] is not None and len(key) == 4}
        check(firsts == len(hostile.floods(1)) + len(hostile.ILLEGAL), f"only {firsts} first requests were answered")
        check(sum(n for key, n in answers.items() if key[1] == "/small") == asked and answers.get(("GET", "/small", 200, 5)) == asked,
              f"{answers} of {asked} {result.summary()}")
        check(sum(n for key, n in right.items() if key[1] == "/first") == firsts and all(key[2] == 404 for key in right if key[1] == "/first"),
              f"{right} of {firsts} {result.summary()}")
        foreign = {s.path[:40] for s in result.spans} - {"/small", "/first", "/attack", "/attack".ljust(3900, "a")[:40]}
        check(not foreign, f"invented: {foreign}")
        check(grown < 256 << 20, f"clew grew by {grown >> 20} MiB")  # spans that wait for an output may have half of that
        uncounted = [reason for reason in COUNTED if not re.search(rf"clew:   parser_http2 {reason} +[1-9]", result.stderr)]
        check(not uncounted, f"not counted: {uncounted}: {result.stderr[-900:]}")
        ctx.note(f"{asked} honest requests right; clew grew by {grown / (1 << 20):.1f} MiB; a flood cost at most {slowest:.2f} s of processor; "
                 f"{len(result.spans)} spans")


@case("http2/more-than-clew-can-follow")
def overload(ctx):
    """clew gets less of the processor than a program that has many streams: holes at any place, in any order. It counts what it has not seen, goes on,
    and gives no answer to another request."""
    connections = ctx.count(400, 1500, 10)
    one = str(min(os.sched_getaffinity(0)))
    clew = Clew(ctx, "--exe", built("h2_overload"), prefix=["taskset", "-c", one, "chrt", "-i", "0"]).ready()
    out = subprocess.run(["taskset", "-c", one, built("h2_overload"), str(connections)], capture_output=True, text=True, timeout=seconds(120))
    check(out.returncode == 0, f"the program itself ended with {out.returncode}")
    requests = int(out.stdout)
    result = clew.stop(120)
    full = result.lost_of("kernel ring_full_streams")
    whole = 0
    for kind in (SERVER, CLIENT):
        found = [s for s in result.spans if s.kind == kind]
        paired = [s for s in found if s.path and s.attributes.get(STATUS)]
        swapped = [f"{s.path} {s.attributes.get(STATUS)}" for s in paired if s.attributes.get(STATUS) != 200 + int(s.path[1:]) % 100]
        check(not swapped, f"{len(swapped)} answers at another's request: {swapped[:5]} {result.summary()}")
        check(len(found) <= requests, f"{len(found)} spans of {requests} requests {result.summary()}")
        whole += len([s for s in paired if not s.incomplete])
    check(whole == 2 * requests or result.lost() > 0, f"{whole} whole spans of {requests} requests, and no word of a loss: {result.summary()}")
    ctx.note(f"{requests} requests: {whole} whole spans of both ends; {full} heads lost, ring_full")


@case("http2/streams-left-open")
def left_open(ctx):
    """100 requests on each of many connections, whose bodies never end: what clew holds of each, and that none is lost."""
    server, port = nghttpd(ctx)
    connections, streams = ctx.count(200, 1000, 10), 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    clew = Clew(ctx, "--pid", server.pid).ready()
    check(honest(port, 1000) == 1000, "the server does not answer")
    clew.wait_spans(1000)
    before = resident(clew.pid)
    opened = []
    for n in range(connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        ctx.later(connection.close)
        connection.sendall(hostile.PREFACE + hostile.frame(hostile.SETTINGS, 0, 0) +
                           b"".join(hostile.request(2 * i + 1, b"/open/%d/%d" % (n, i), flags=hostile.END_HEADERS) for i in range(streams)))
        opened.append(connection)
    time.sleep(seconds(2))
    grown = resident(clew.pid) - before
    each = grown / (connections * streams)
    check(honest(port, 100) == 100, "the server does not answer any more")
    for n, connection in enumerate(opened):
        connection.close()
        if n % 20 == 19:
            time.sleep(seconds(0.15))  # more at once than an output's queue holds are dropped, and counted
    time.sleep(seconds(1))
    result = clew.stop(60)
    seen = {s.path for s in result.spans if s.path.startswith("/open/")}
    check(len(seen) == connections * streams, f"{len(seen)} of {connections * streams} streams {result.summary()}")
    ctx.note(f"{connections * streams} streams, {each:.0f} bytes of clew's memory for each")
    check(each <= 1024 or ctx.mode == "matrix", f"{each:.0f} bytes of clew's memory for each stream")
