# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 in clear text with nghttp2's server and clients, curl and Apache: from the start, by an upgrade, from the middle on."""
import collections
import re
import subprocess
import time

from harness.case import case, check, need
from harness.env import built, seconds, tool
from harness.process import Process, free_port
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew


def nghttpd(ctx):
    need(tool("nghttpd") and tool("h2load"), "no nghttp2-server, nghttp2-client")
    root, port = ctx.dir("root"), free_port()
    (root / "small").write_text("12345")
    (root / "large").write_text("x" * 300_000)
    server = Process(ctx, "nghttpd", ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", root, port])
    server.wait_port(port)
    return server, port


def h2load(port, *arguments, path="small"):
    out = subprocess.run(["h2load", *map(str, arguments), f"http://127.0.0.1:{port}/{path}"], capture_output=True, text=True, timeout=seconds(30))
    return int(re.search(r"(\d+) succeeded", out.stdout).group(1))


def said(spans, kind):
    """How often each (method, path, status, size of the response, marks)."""
    return collections.Counter((s.attributes.get("http.request.method"), s.path, s.attributes.get("http.response.status_code"),
                                s.attributes.get("http.response.body.size"), *s.incomplete) for s in spans if s.kind == kind)


@case("http2/h2load-64-streams", matrix=True)
def many_streams(ctx):
    server, port = nghttpd(ctx)
    count = ctx.count(2000, 100_000, 200)
    clew = Clew(ctx, "--pid", server.pid).ready()
    sent = h2load(port, "-n", count, "-c", 1, "-m", 64) + h2load(port, "-n", count // 100, "-c", 2, "-m", 8, path="large")
    time.sleep(seconds(1))
    result = clew.stop()
    check(said(result.spans, SERVER) == {("GET", "/small", 200, 5): count, ("GET", "/large", 200, 300_000): count // 100},
          f"{said(result.spans, SERVER)} of {sent} {result.summary()}")
    check(all(s.attributes["network.protocol.version"] == "2" for s in result.spans), "not version 2")


@case("http2/both-ends-by-the-connection")
def both_ends(ctx):
    server, port = nghttpd(ctx)
    count = ctx.count(2000, 100_000, 200)
    clew = Clew(ctx, "--pid", server.pid, command=["h2load", "-n", count, "-c", 4, "-m", 64, f"http://127.0.0.1:{port}/small"])
    result = clew.wait(60)
    for kind in (SERVER, CLIENT):
        check(said(result.spans, kind) == {("GET", "/small", 200, 5): count}, f"{kind}: {said(result.spans, kind)} {result.summary()}")
    clients = {s.span_id: s for s in result.spans if s.kind == CLIENT}
    servers = [s for s in result.spans if s.kind == SERVER]
    joined = [s for s in servers if s.parent_id]
    check(len(joined) == count, f"{count - len(joined)} without a parent")
    check({s.attributes["clew.parent.evidence"] for s in joined} == {"connection"}, "another evidence")
    check(len({s.parent_id for s in joined}) == count and all(s.parent_id in clients for s in joined), "a parent twice, or none of the clients")
    late = [s for s in joined if s.start < clients[s.parent_id].start - 5_000_000 or s.end > clients[s.parent_id].end + 5_000_000]
    check(len(late) < count / 100, f"{len(late)} outside of their parents")


@case("http2/from-the-middle-on")
def middle(ctx):
    server, port = nghttpd(ctx)
    load = Process(ctx, "h2load", ["h2load", "-D", str(int(seconds(6))), "-c", 3, "-m", 8, "--rps", 100, f"http://127.0.0.1:{port}/small"])
    time.sleep(seconds(1))
    clew = Clew(ctx, "--pid", server.pid).ready()
    time.sleep(seconds(2))
    result = clew.stop()
    seen = said(result.spans, SERVER)
    check({key[:4] for key in seen if "tracer_stopped" not in key} <= {("GET", "/small", 200, 5), ("GET", "", 200, 5)}, f"{seen} {result.summary()}")
    check(sum(seen.values()) > 300, f"only {seen}")
    ctx.note(f"{sum(seen.values())} spans")
    load.popen.wait(seconds(20))


@case("http2/both-directions-begin-at-once", matrix=True)
def both_begin(ctx):
    """What two threads find of a new connection at the same time is one beginning."""
    need(built("both_begin").exists(), "both_begin is not built: run tests/integration/prepare")
    count = ctx.count(5000, 30000, 100)
    result = Clew(ctx, command=[built("both_begin"), count]).ready().wait(120)
    check(result.status == 0, f"ended with {result.status}: {result.stderr[-300:]}")
    for kind in (SERVER, CLIENT):
        found = said(result.spans, kind)
        check(set(found) <= {("GET", "/", 200, None), ("GET", "/", 200, 0)}, f"{kind}: {found} {result.summary()}")
        check(sum(found.values()) == count, f"{sum(found.values())} of {count} spans of kind {kind} {result.summary()}")


APACHE = """ServerRoot /usr/lib/apache2
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule http2_module modules/mod_http2.so
User nobody
Group nogroup
Listen 127.0.0.1:{port}
ServerName test
PidFile {work}/pid
ErrorLog {work}/error.log
DocumentRoot {root}
Protocols h2c http/1.1
H2Upgrade on
<Directory />
Require all granted
</Directory>
"""


@case("http2/upgrade")
def upgrade(ctx):
    need(tool("apache2") and tool("curl"), "no apache2, curl")
    root, work, port = ctx.dir("root"), ctx.dir("apache"), free_port()
    (root / "small").write_text("12345")
    for directory in (ctx.work, root):
        directory.chmod(0o755)
    (work / "conf").write_text(APACHE.format(port=port, work=work, root=root))
    server = Process(ctx, "apache2", ["apache2", "-f", work / "conf", "-DFOREGROUND"])
    server.wait_port(port)
    clew = Clew(ctx, "--port", port).ready()
    for path, options in (("small", []), ("missing", []), ("small", ["-I"])):
        subprocess.run(["curl", "-s", "--http2", "-o", "/dev/null", *options, f"http://127.0.0.1:{port}/{path}"], check=True, timeout=seconds(10))
    time.sleep(seconds(1))
    result = clew.stop()
    found = collections.Counter((s.path, s.attributes.get("http.response.status_code")) for s in result.spans)
    check(found == {("/small", 200): 2, ("/missing", 404): 1}, f"{found} {result.summary()}")
