# SPDX-License-Identifier: Apache-2.0
"""The program as a user meets it: help, mistakes, missing rights, limits, several at once, how fast it is there."""
import json
import re
import shutil
import time

from harness import env, truth
from harness.case import case, check, need
from harness.env import SLOW, tool
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import SERVER
from harness.tracer import Clew
from servers import nginx, python_http


def clew(ctx, *arguments, status: int | None = 0, limit: float = 15, **more):
    done = run(ctx, [env.CLEW, *arguments], limit=limit, check_status=False, **more)
    if status is not None:
        check(done.returncode == status, f"clew {' '.join(map(str, arguments))} ended with {done.returncode}, should be {status}: {done.stderr[-300:]}")
    return done


@case("cli/help-and-version", matrix=True)
def help_and_version(ctx):
    done = clew(ctx, "--help")
    for command in ("trace", "doctor", "status", "explain", "replay"):
        check(command in done.stdout, f"--help does not name {command}")
        check(len(clew(ctx, command, "--help").stdout) > 100, f"{command} --help says little")
    check("--pid" in clew(ctx, "trace", "--help").stdout, "trace --help does not name --pid")
    check(re.search(r"clew.*\d+\.\d+", clew(ctx, "--version").stdout), "--version has no version")
    check(not done.stderr, f"--help writes to stderr: {done.stderr[:100]!r}")


@case("cli/wrong-usage", matrix=True)
def wrong_usage(ctx):
    """Exit status 2, the nearest right word, nothing on stdout."""
    for line, nearest in ((["trace", "--prot", "80"], "--port"), (["trace", "--pdi", "1"], "--pid"), (["trase"], "trace"), (["docter"], "doctor"),
                          (["trace", "--pid", "1", "--fil", "x"], "--file"), (["trace", "--pid", "1", "--console=tre"], "tree"),
                          (["trace", "--pid", "1", "--otlp", "http://127.0.0.1:4318", "--otlp-protocol", "http/protobuff"], "http/protobuf"),
                          (["trace", "--durration", "1s", "--pid", "1"], "--duration")):
        done = clew(ctx, *line, status=2)
        check(nearest in done.stderr, f"{line}: does not name {nearest}: {done.stderr!r}")
        check(not done.stdout, f"{line}: writes to stdout")
    for line in (["trace", "--pid", "x"], ["trace", "--port", "70000"], ["trace", "--port", "9-5"], ["trace", "--pid", "1", "--duration", "soon"],
                 ["trace", "--pid"], ["trace", "--pid", "1", "--count", "-3"], ["explain"], ["replay"], ["trace", "--pid", "1", "--otlp", "not a url"],
                 ["trace", "--pid", "1", "--otlp", "http://127.0.0.1:0"], ["trace", "--pid", "1", "--otlp", "http://127.0.0.1:70000"]):
        clew(ctx, *line, status=2)


@case("cli/nothing-selected", matrix=True)
def nothing_selected(ctx):
    done = clew(ctx, "trace", status=2)
    check("--pid" in done.stderr and "--" in done.stderr, f"does not teach: {done.stderr!r}")


@case("cli/dead-pid", matrix=True)
def dead_pid(ctx):
    gone = Process(ctx, "gone", ["true"])
    gone.wait()
    done = clew(ctx, "trace", "--pid", gone.pid, status=1)
    check(str(gone.pid) in done.stderr, f"does not name the process: {done.stderr!r}")


@case("cli/options-of-later-versions")
def later(ctx):
    """What is promised but not there yet is an honest error, never ignored."""
    server = python_http.start(ctx)
    for line in (["--namespace", "shop"], ["--not-namespace", "kube-system"], ["--prometheus", "127.0.0.1:9464"]):
        done = run(ctx, [env.CLEW, "trace", *server.select, "--duration", "1s", *line], check_status=False, limit=10)
        check(done.returncode == 2, f"{line} ended with {done.returncode}: {done.stderr[-200:]}")
        check(line[0] in done.stderr, f"{line}: {done.stderr!r}")


@case("cli/file-that-cannot-be-written", matrix=True)
def unwritable(ctx):
    server = python_http.start(ctx)
    done = run(ctx, [env.CLEW, "trace", *server.select, "--duration", "1s", "--file", "/nonexistent/x.jsonl"], check_status=False)
    check(done.returncode in (1, 2) and "/nonexistent/x.jsonl" in done.stderr, f"ended with {done.returncode}: {done.stderr!r}")


@case("cli/no-permission", matrix=True)
def no_permission(ctx):
    """As nobody: exit status 3, and where to look."""
    need(tool("setpriv"), "setpriv is not installed")
    ctx.work.chmod(0o755)
    binary = ctx.work / "clew"
    shutil.copy(env.CLEW, binary)
    server = python_http.start(ctx)
    as_nobody = [tool("setpriv"), "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    done = run(ctx, [*as_nobody, binary, "trace", *server.select], check_status=False, cwd="/")
    check(done.returncode == 3, f"ended with {done.returncode}: {done.stderr!r}")
    check("run: clew doctor" in done.stderr.strip().splitlines()[-1], f"last line: {done.stderr!r}")
    doctor = run(ctx, [*as_nobody, binary, "doctor", "--json"], check_status=False, cwd="/")
    check(isinstance(json.loads(doctor.stdout), dict), "doctor --json as nobody is not an object")
    check(run(ctx, [*as_nobody, binary, "--help"], cwd="/").returncode == 0, "--help needs rights")


@case("cli/unreachable-collector")
def unreachable(ctx):
    """One clear line, not one for each span; the traffic and the file do not suffer."""
    server, port = python_http.start(ctx), free_port()
    for protocol, where in (("grpc", f"http://127.0.0.1:{port}"), ("http/protobuf", f"http://127.0.0.1:{port}")):
        c = Clew(ctx, *server.select, "--otlp", where, "--otlp-protocol", protocol, environment={"OTEL_BSP_SCHEDULE_DELAY": "100"}).ready()
        seen = []
        for n in range(4):
            seen += load(ctx, server.port, 20, tag=f"n{n}x")
            time.sleep(0.4)
        c.wait_spans(80)
        result = c.stop(40)
        lines = [x for x in result.stderr.splitlines() if str(port) in x]
        check(1 <= len(lines) <= 3, f"{protocol}: {len(lines)} lines about the collector: {lines[:4]}")
        truth.expect(seen, result.spans, SERVER, losses=result.summary())
        check(re.search(r"80", result.stderr), f"{protocol}: the 80 lost spans are not in the summary: {result.summary()}")


@case("cli/console-line", matrix=True)
def console_line(ctx):
    """Without an output and without a terminal: a line per span on stdout, no colours."""
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select, file=False).ready()
    load(ctx, server.port, 10)
    time.sleep(env.seconds(1.2))
    result = c.stop()
    lines = [x for x in result.stdout.splitlines() if "/r/t" in x]
    check(len(lines) == 10, f"{len(lines)} lines for 10 requests: {result.stdout[:300]!r}")
    check("\x1b" not in result.stdout, "colours although stdout is no terminal")
    check(all("200" in x for x in lines), f"no status in {lines[0]!r}")


@case("cli/console-tree")
def console_tree(ctx):
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select, "--console=tree", file=False).ready()
    load(ctx, server.port, 5)
    time.sleep(env.seconds(2.5))
    result = c.stop()
    check(sum(result.stdout.count(f"/r/t{n}") for n in range(5)) >= 5, f"not all requests are shown: {result.stdout[:500]!r}")


@case("cli/file-dash-is-stdout")
def file_dash(ctx):
    from harness import spans
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select, "--file", "-", file=False).ready()
    load(ctx, server.port, 10)
    result = c.stop()
    check(len(spans.parse(result.stdout)) == 10, f"{len(spans.parse(result.stdout))} spans of 10 on stdout")


@case("cli/several-outputs")
def several_outputs(ctx):
    server = nginx.start(ctx)
    other = ctx.work / "second.jsonl"
    c = Clew(ctx, *server.select, "--file", other, "--console=line").ready()
    load(ctx, server.port, 10)
    c.wait_spans(10)
    result = c.stop()
    from harness import spans
    check(len(result.spans) == 10 and len(spans.parse(other.read_text())) == 10, f"{len(result.spans)} and {len(spans.parse(other.read_text()))} spans of 10")
    check(len([x for x in result.stdout.splitlines() if "/r/t" in x]) == 10, "the console misses spans")


@case("cli/ready-within-a-second")
def ready_soon(ctx):
    server = nginx.start(ctx)
    took = []
    for _ in range(3):
        c = Clew(ctx, *server.select).ready()
        took.append(c.ready_after)
        c.stop()
    ctx.note(f"ready after {min(took):.2f} to {max(took):.2f} s")
    check(sorted(took)[1] <= 1.0 * SLOW, f"ready after {took} s")


@case("cli/span-in-file-within-a-second", matrix=True)
def span_soon(ctx):
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select).ready()
    waits = []
    for n in range(5):
        load(ctx, server.port, 1, tag=f"n{n}x")
        began = time.monotonic()
        found = c.wait_spans(n + 1, limit=5)
        waits.append(time.monotonic() - began)
        check(len(found) == n + 1, f"{len(found)} spans in the file after 5 s, should be {n + 1}")
        time.sleep(0.13)
    c.stop()
    ctx.note(f"in the file after {min(waits):.2f} to {max(waits):.2f} s")
    check(max(waits) <= 1.05 * SLOW, f"in the file after {waits} s")


@case("cli/duration", matrix=True)
def duration(ctx):
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select, "--duration", f"{2 * max(1, int(SLOW / 4))}s").ready()
    began = time.monotonic()
    seen = load(ctx, server.port, 10)
    result = c.wait(15)
    took = time.monotonic() - began
    check(result.status == 0, f"ended with {result.status}")
    check(took < 4 * SLOW, f"ran for {took:.1f} s")
    truth.expect(seen, result.spans, SERVER, losses=result.summary())
    check(re.search(r"\b10\b", result.stderr), f"the summary does not say 10 spans: {result.summary()}")


@case("cli/count", matrix=True)
def count(ctx):
    """--count N: N spans, no more, then the end."""
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select, "--count", 7).ready()
    load(ctx, server.port, 30, concurrency=2)
    result = c.wait(10)
    check(result.status == 0 and len(result.spans) == 7, f"ended with {result.status}, {len(result.spans)} spans")
    check(re.search(r"^clew: 7 spans in", result.stderr, re.M), f"the summary says something else: {result.summary()}")


@case("cli/two-at-once", matrix=True)
def two(ctx):
    """The second sees the same requests; the first is not disturbed, also when the second leaves."""
    server = python_http.start(ctx)
    one = Clew(ctx, *server.select).ready()
    two = Clew(ctx, *server.select).ready()
    first = load(ctx, server.port, 30, concurrency=3, tag="both")
    two.wait_spans(30)
    both = two.stop()
    second = load(ctx, server.port, 30, concurrency=3, tag="one")
    one.wait_spans(60)
    result = one.stop()
    truth.expect(first, both.spans, SERVER, losses=both.summary())
    truth.expect(first + second, result.spans, SERVER, losses=result.summary())


@case("cli/sigterm-and-second-signal")
def sigterm(ctx):
    import signal
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select).ready()
    seen = load(ctx, server.port, 10)
    c.popen.send_signal(signal.SIGTERM)
    result = c.wait(10)
    check(result.status == 0, f"ended with {result.status}")
    truth.expect(seen, result.spans, SERVER, losses=result.summary())


@case("cli/status", matrix=True)
def status(ctx):
    """`status --json` of a running clew counts its spans; without one it says so."""
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select).ready()
    load(ctx, server.port, 12)
    c.wait_spans(12)
    time.sleep(env.seconds(1))
    told = json.loads(clew(ctx, "status", "--json").stdout)
    text = json.dumps(told)
    check(str(c.pid) in text, f"the running clew {c.pid} is not named: {text[:400]}")
    check("12" in text, f"12 spans are not in it: {text[:600]}")
    check(str(c.pid) in clew(ctx, "status").stdout, "plain status does not name the process")
    c.stop()
    check(str(c.pid) not in clew(ctx, "status", "--json", status=None).stdout, "a clew that has ended is still listed")


@case("cli/doctor", matrix=True)
def doctor(ctx):
    told = json.loads(clew(ctx, "doctor", "--json").stdout)
    check(isinstance(told, dict) and told, "doctor --json is empty")
    text = json.dumps(told).lower()
    check("socket tracepoints" in text or "sys_exit" in text, f"does not say which hook is used: {text[:300]}")
    check(len(clew(ctx, "doctor").stdout.splitlines()) > 3, "doctor says little")


@case("cli/explain", matrix=True)
def explain(ctx):
    server = python_http.start(ctx)
    for what in (server.pid, server.port, "/usr/bin/no-such-program"):
        done = clew(ctx, "explain", what, status=None)
        check(done.returncode in (0, 1) and len(done.stdout + done.stderr) > 30, f"explain {what}: {done.returncode} {done.stdout!r} {done.stderr!r}")
    check(str(server.pid) in clew(ctx, "explain", server.port).stdout, "explain PORT does not find its process")
    c = Clew(ctx, *server.select).ready()
    load(ctx, server.port, 3)
    c.wait_spans(3)
    check(str(server.pid) in clew(ctx, "explain", server.pid).stdout, "explain PID does not name it while it is traced")
    c.stop()


@case("cli/disabled", matrix=True)
def disabled(ctx):
    """OTEL_SDK_DISABLED: nothing is traced, COMMAND runs as if clew were not there."""
    off = {"env": {"OTEL_SDK_DISABLED": "true"}}
    done = clew(ctx, "trace", "--", "sh", "-c", "echo here; exit 7", status=7, **off)
    check(done.stdout == "here\n", f"the command wrote {done.stdout!r}")
    check("nothing is traced" in done.stderr and "ready" not in done.stderr, f"says {done.stderr!r}")
    clew(ctx, "trace", "--pid", "1", **off)
    clew(ctx, "trace", "--", "/no/such/program", status=1, **off)


@case("cli/environment")
def environment(ctx):
    """Variables of the SDK specification reach the resource; a disabled SDK gives no span."""
    server = nginx.start(ctx)
    c = Clew(ctx, *server.select, environment={"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=lab,service.namespace=a%2Cb"}).ready()
    load(ctx, server.port, 3)
    c.wait_spans(3)
    result = c.stop()
    for s in result.spans:
        check(s.resource.get("deployment.environment.name") == "lab" and s.resource.get("service.namespace") == "a,b", f"resource {s.resource}")
        check(s.resource.get("service.name") == "nginx", f"service.name is {s.resource.get('service.name')!r}")
    named = python_http.start(ctx)
    check(len(result.spans) == 3, f"{len(result.spans)} spans of 3")
    c = Clew(ctx, "--pid", named.pid).ready()
    load(ctx, named.port, 1)
    c.wait_spans(1)
    got = c.stop().spans
    check(got and got[0].resource["service.name"].removesuffix(".py") == "python_http_app", f"service.name of a script is {got[0].resource['service.name'] if got else None!r}")
