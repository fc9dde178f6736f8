# SPDX-License-Identifier: Apache-2.0
"""Who is traced: each way to select, what is left out, what starts later. A second, unselected server is always under load too."""
import os
import shutil
import socket
import time
from pathlib import Path

from harness import truth
from harness.case import case, check, need
from harness.env import PYTHON, SUITE, built
from harness.load import load
from harness.process import Process, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew
from servers import python_http

APP = SUITE / "servers" / "apps" / "python_http_app.py"


def go_server(ctx, name: str, folder: Path | None = None, start=True):
    """A copy of the Go server under a name of its own, so that a pattern finds this one alone. Returns (path, process, port)."""
    need(built("go-server").exists(), "the Go server is not built: run tests/integration/prepare with Go installed")
    folder = folder or ctx.dir("exe")
    path = folder / name
    shutil.copy(built("go-server"), path)
    return (path, *launch(ctx, path)) if start else (path, None, 0)


def launch(ctx, path):
    port = free_port()
    process = Process(ctx, path.name, [path, port])
    process.wait_port(port)
    return process, port


def selects(ctx, arguments, wanted, others=(), count: int = 15):
    """Loads all, compares with the load of the wanted ones alone. wanted, others: (process, port)."""
    clew = Clew(ctx, *arguments).ready()
    seen = [r for n, (_, port) in enumerate(wanted) for r in load(ctx, port, count, concurrency=3, tag=f"w{n}x")]
    for n, (_, port) in enumerate(others):
        load(ctx, port, count, concurrency=3, tag=f"o{n}x")
    clew.wait_spans(len(seen))
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, pids={p for process, _ in wanted for p in process.tree()}, losses=result.summary())
    check(not [s for s in result.spans if s.kind == CLIENT], "spans of the load client, which was not selected")
    return result


@case("select/pid", matrix=True)
def by_pid(ctx):
    a, b = python_http.start(ctx), python_http.start(ctx)
    selects(ctx, ["--pid", a.pid], [(a.process, a.port)], [(b.process, b.port)])


@case("select/two-pids")
def by_two_pids(ctx):
    a, b, c = python_http.start(ctx), python_http.start(ctx), python_http.start(ctx)
    selects(ctx, ["--pid", a.pid, "--pid", b.pid], [(a.process, a.port), (b.process, b.port)], [(c.process, c.port)])


@case("select/exe", matrix=True)
def by_exe(ctx):
    _, one, port = go_server(ctx, "shop-api")
    _, two, other = go_server(ctx, "bank-api")
    selects(ctx, ["--exe", f"{ctx.work}/*/shop-*"], [(one, port)], [(two, other)])


@case("select/exe-starts-later", matrix=True)
def exe_later(ctx):
    """A pattern that nothing matches yet is said and waited for; two processes come, one after the other."""
    path, *_ = go_server(ctx, "late-api", start=False)
    clew = Clew(ctx, "--exe", path).ready()
    waiting = [line for line in clew.lines if "ready" not in line]
    check(any("late-api" in line for line in waiting), f"nothing is said about a pattern without a match: {clew.lines}")
    seen, pids = [], set()
    for n in range(2):
        process, port = launch(ctx, path)
        seen += load(ctx, port, 10, tag=f"n{n}x")
        pids.add(process.pid)
    clew.wait_spans(len(seen))
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, pids=pids, losses=result.summary())


@case("select/exe-first-byte-of-a-late-client")
def exe_first_byte(ctx):
    """A client that lives for milliseconds, started after clew: its only request is seen."""
    server = python_http.start(ctx)
    curl = ctx.dir("exe") / "my-curl"
    shutil.copy(shutil.which("curl"), curl)
    for pattern in (curl, "my-curl"):
        clew = Clew(ctx, "--exe", pattern).ready()
        for n in range(10):
            run(ctx, [curl, "-s", f"http://127.0.0.1:{server.port}/late/{n}"])
        clew.wait_spans(10)
        result = clew.stop()
        truth.expect([truth.Request("GET", f"/late/{n}", 200, 0, 2) for n in range(10)], result.spans, CLIENT, losses=result.summary())


@case("select/port", matrix=True)
def by_port(ctx):
    a, b = python_http.start(ctx), python_http.start(ctx)
    selects(ctx, ["--port", a.port], [(a.process, a.port)], [(b.process, b.port)])


@case("select/port-range-and-list")
def by_port_range(ctx):
    first = neighbours(3)  # a range of them, so that no stranger's port lies in it
    a, b, c, d = (python_http.start(ctx, port=p) for p in (first, first + 2, 0, 0))
    selects(ctx, ["--port", f"{first}-{first + 2},{c.port}"], [(x.process, x.port) for x in (a, b, c)], [(d.process, d.port)])


def neighbours(count: int) -> int:
    """The first of so many ports in a row that are free."""
    while True:
        first, held = free_port(), []
        try:
            for port in range(first, first + count):
                s = socket.socket()
                held.append(s)
                s.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for s in held:
                s.close()


@case("select/port-listens-later", matrix=True)
def port_later(ctx):
    port = free_port()
    clew = Clew(ctx, "--port", port).ready()
    check(any(str(port) in line for line in clew.lines if "ready" not in line), f"nothing is said about a port without a listener: {clew.lines}")
    process = Process(ctx, "later", [*PYTHON, APP, port])
    process.wait_port(port)
    seen = load(ctx, port, 12, concurrency=2)
    clew.wait_spans(12)
    truth.expect(seen, clew.stop().spans, SERVER, pids={process.pid})


def cgroup_root() -> Path | None:
    for place in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if Path(place, "cgroup.procs").exists() and Path(place, "cgroup.controllers").exists():
            return Path(place)
    return None


@case("select/cgroup-and-below", matrix=True)
def by_cgroup(ctx):
    root = cgroup_root()
    need(root and os.access(root, os.W_OK), "no cgroup2 file system")
    group = root / f"clew-it-{os.getpid()}"
    below = group / "below"
    for one in (group, below):
        one.mkdir()
        ctx.later(one.rmdir)
    a, b, c = python_http.start(ctx), python_http.start(ctx), python_http.start(ctx)
    (group / "cgroup.procs").write_text(str(a.pid))
    (below / "cgroup.procs").write_text(str(b.pid))
    selects(ctx, ["--cgroup", group], [(a.process, a.port), (b.process, b.port)], [(c.process, c.port)])


@case("select/cgroup-joined-later")
def cgroup_later(ctx):
    root = cgroup_root()
    need(root and os.access(root, os.W_OK), "no cgroup2 file system")
    group = root / f"clew-it-later-{os.getpid()}"
    group.mkdir()
    ctx.later(group.rmdir)
    clew = Clew(ctx, "--cgroup", group).ready()
    port = free_port()
    process = Process(ctx, "in-cgroup", ["sh", "-c", f"echo $$ > {group}/cgroup.procs; exec {' '.join(PYTHON)} {APP} {port}"])
    process.wait_port(port)
    seen = load(ctx, port, 12, concurrency=2)
    clew.wait_spans(12)
    truth.expect(seen, clew.stop().spans, SERVER, pids={process.pid})


@case("select/container")
def by_container(ctx):
    """A container is a cgroup whose name holds its id; the beginning of the id is enough, and the span names the whole."""
    root = cgroup_root()
    need(root and os.access(root, os.W_OK), "no cgroup2 file system")
    ids = [f"{n}{os.getpid():07x}" + "c1e3" * 14 for n in "ab"]
    servers = []
    for one in ids:
        group = root / f"docker-{one}.scope"
        group.mkdir()
        ctx.later(group.rmdir)
        server = python_http.start(ctx)
        (group / "cgroup.procs").write_text(str(server.pid))
        servers.append((server.process, server.port))
    result = selects(ctx, ["--container", ids[0][:12]], servers[:1], servers[1:])
    wrong = [s for s in result.spans if s.resource.get("container.id") != ids[0]]
    check(not wrong, f"container.id is {wrong[0].resource.get('container.id') if wrong else ''!r}")


@case("select/not-exe", matrix=True)
def not_exe(ctx):
    folder = ctx.dir("exe")
    _, one, port = go_server(ctx, "web-a", folder)
    _, two, other = go_server(ctx, "web-b", folder)
    selects(ctx, ["--exe", f"{folder}/web-*", "--not-exe", f"{folder}/web-b"], [(one, port)], [(two, other)])


@case("select/not-port")
def not_port(ctx):
    folder = ctx.dir("exe")
    _, one, port = go_server(ctx, "web-a", folder)
    _, two, other = go_server(ctx, "web-b", folder)
    selects(ctx, ["--exe", f"{folder}/web-*", "--not-port", other], [(one, port)], [(two, other)])


@case("select/nothing-is-put-into-what-is-left-out")
def left_out(ctx):
    """Neither into one that listens on a wanted port and is left out, nor into what a chosen one executes and no rule matches."""
    port, other = free_port(), free_port()
    clew = Clew(ctx, "--port", port, "--port", other, "--not-exe", f"{ctx.work}/**", "-vv").ready()
    python = ctx.dir("exe") / "left-out"
    shutil.copy(os.path.realpath(PYTHON[0]), python)
    code = "import ssl, sys, time, socket, subprocess\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\ntime.sleep(0.5)\n"
    starts = "p = subprocess.Popen([sys.executable, '-c', 'import ssl, time; time.sleep(30)'])\nprint('child', p.pid, flush=True)\n"
    excluded = Process(ctx, "left-out", [python, "-c", code + "time.sleep(30)", port])
    chosen = Process(ctx, "chosen", [*PYTHON, "-c", code + starts + "time.sleep(30)", other])
    excluded.wait_port(port)
    chosen.wait_text("child ")
    clew.wait_said(f"process {chosen.pid}: ")
    time.sleep(1)
    executed = [p for p in chosen.tree() if p != chosen.pid]
    clew.stop()
    check(executed, "the chosen one has executed nothing")
    for pid, what in [(excluded.pid, ""), *((pid, "cpython") for pid in executed)]:  # which has its parent's TLS until it executes
        said = [line for line in clew.lines if f"process {pid}: {what}" in line]
        check(not said, f"{pid} was looked into: {said[:2]}")


@case("select/exclusion-beats-pid")
def exclusion_wins(ctx):
    a = python_http.start(ctx)
    clew = Clew(ctx, "--pid", a.pid, "--not-port", a.port).ready()
    load(ctx, a.port, 10)
    time.sleep(1)
    result = clew.stop()
    check(not result.spans, f"{len(result.spans)} spans of an excluded port")


@case("select/pid-and-its-later-children", matrix=True)
def shell_children(ctx):
    """--pid of a shell: what it starts afterwards is traced, its own parent is not."""
    import subprocess
    server = python_http.start(ctx)
    shell = Process(ctx, "shell", ["sh"], stdin=subprocess.PIPE)
    clew = Clew(ctx, "--pid", shell.pid).ready()
    shell.popen.stdin.write(f"for n in 1 2 3; do (curl -s http://127.0.0.1:{server.port}/sub/$n); done; echo finished\n".encode())
    shell.popen.stdin.flush()
    shell.wait_text("finished")
    run(ctx, ["curl", "-s", f"http://127.0.0.1:{server.port}/stranger"])
    clew.wait_spans(3)
    truth.expect([truth.Request("GET", f"/sub/{n}", 200, 0, 2) for n in (1, 2, 3)], clew.stop().spans, CLIENT)


@case("select/command-runs-as-the-calling-user")
def sudo_user(ctx):
    """Under sudo the command is not root's."""
    ctx.work.chmod(0o755)
    clew = Clew(ctx, command=["id", "-u"], environment={"SUDO_UID": "65534", "SUDO_GID": "65534", "SUDO_USER": "nobody"}, file=False)
    result = clew.wait(20)
    check(result.stdout.strip().splitlines()[-1:] == ["65534"], f"id -u says {result.stdout!r}")


@case("select/command-status", matrix=True)
def command_status(ctx):
    for script, want in (("exit 0", 0), ("exit 7", 7)):
        result = Clew(ctx, command=["sh", "-c", script]).wait(20)
        check(result.status == want, f"{script!r} gave {result.status}")
    result = Clew(ctx, command=["/nonexistent/program"]).wait(20)
    check(result.status != 0 and "/nonexistent/program" in result.stderr, f"a missing command: {result.status}, {result.stderr[-200:]}")


@case("select/command-output-is-its-own")
def command_output(ctx):
    """stdout and stdin of the command pass through untouched."""
    result = Clew(ctx, command=["sh", "-c", "echo out; echo err >&2; cat"]).wait(20)
    check(result.stdout == "out\n", f"stdout is {result.stdout!r}")
    check("err" in result.stderr.splitlines(), "stderr of the command is lost")
