# SPDX-License-Identifier: Apache-2.0
"""Connections and processes that change hands: the right process on each span, none lost, none invented."""
import os
import socket
import subprocess
import time

from harness import truth
from harness.case import case, check, need
from harness.env import PYTHON, SUITE, built, seconds, tool
from harness.load import arguments, load
from harness.process import Process, alive, descendants, free_port, run
from harness.spans import CLIENT, SERVER
from harness.tracer import Clew

APP = SUITE / "odd" / "lifecycle.py"


def server(ctx, mode, port=None, **popen):
    port = port or free_port()
    process = Process(ctx, mode, [*PYTHON, APP, mode, port], **popen)
    return process, port


def changing_hands(mode: str, keep_alive: bool, concurrency: int = 4, matrix: bool = False, quick_count: int = 60, whose_span=True):
    """The span belongs to the process that X-Pid names: the one that answered, or (`whose_span` false) any of the family."""
    @case(f"lifecycle/{mode}{'' if keep_alive else '/close'}", matrix=matrix)
    def one(ctx):
        process, port = server(ctx, mode)
        process.wait_port(port)
        time.sleep(seconds(0.3))  # the child that the probe of the port has brought about ends
        clew = Clew(ctx, *(x for pid in process.tree() for x in ("--pid", pid))).ready()
        n = ctx.count(quick_count, quick_count * 5, 8)
        seen = load(ctx, port, n, concurrency=concurrency, keep_alive=keep_alive)
        family = {r.pid for r in seen} | {process.pid}
        if not whose_span:
            for r in seen:
                r.pid = 0
        clew.wait_spans(n)
        result = clew.stop()
        truth.expect(seen, result.spans, SERVER, pids=family, losses=result.summary())
        check(not [s for s in result.spans if s.kind == CLIENT], "a server made CLIENT spans")


changing_hands("fork_after_accept", True, matrix=True)
changing_hands("fork_after_accept", False, matrix=True)
changing_hands("fork_after_head", True, whose_span=False)
changing_hands("pass_fd", True, matrix=True)
changing_hands("pass_fd", False)
changing_hands("dup", True, matrix=True)
changing_hands("close_elsewhere", False)
changing_hands("exec_with_socket", False, quick_count=16)
changing_hands("inetd", False, quick_count=16)
changing_hands("inetd", True, quick_count=16)


@case("lifecycle/exit-in-mid-request", matrix=True)
def exit_in_request(ctx):
    """A process that dies while it serves: its span says so, the others are whole."""
    process, port = server(ctx, "exit_in_request")
    process.wait_port(port)
    clew = Clew(ctx, "--pid", process.pid).ready()
    good = load(ctx, port, 6, concurrency=2, tag="good")
    bad = load(ctx, port, 3, tag="x", prefix="/die/", allow_errors=True) + load(ctx, port, 3, tag="y", prefix="/quit/", allow_errors=True)
    more = load(ctx, port, 6, concurrency=2, tag="more")
    clew.wait_spans(18)
    result = clew.stop()
    for r in bad:
        check(r.error, f"{r.path} should have failed")
        r.status, r.pid = None, 0
    truth.expect(good + bad + more, result.spans, SERVER, losses=result.summary(), incomplete_ok=True)
    for s in result.spans:
        if s.path.startswith(("/die/", "/quit/")):
            check("error.type" in s.attributes, f"no error.type: {s} {s.attributes}")
            check(s.pid != process.pid, f"{s} belongs to a child")


@case("lifecycle/child-started-later", matrix=True)
def child_later(ctx):
    """--pid of a parent that only later starts a server, which forks for each connection."""
    port = free_port()
    process = Process(ctx, "late_child", [*PYTHON, APP, "late_child", port], stdin=subprocess.PIPE)
    process.wait_text("waiting")
    clew = Clew(ctx, "--pid", process.pid).ready()
    process.popen.stdin.write(b"\n")
    process.popen.stdin.flush()
    process.wait_port(port)
    seen = load(ctx, port, 20, concurrency=2, keep_alive=False)
    clew.wait_spans(20)
    truth.expect(seen, clew.stop().spans, SERVER)


@case("lifecycle/command-with-children", matrix=True)
def command_children(ctx):
    """`-- COMMAND`: a shell that starts clients one after another; each one's first byte counts."""
    process, port = server(ctx, "plain")
    process.wait_port(port)
    clew = Clew(ctx, command=["sh", "-c", f"for n in 1 2 3 4 5; do curl -s -o /dev/null http://127.0.0.1:{port}/child/$n & done; wait; exit 9"])
    result = clew.wait(60)
    check(result.status == 9, f"ended with {result.status}, should be the command's 9")
    truth.expect([truth.Request("GET", f"/child/{n}", 200, 0, 5) for n in range(1, 6)], result.spans, CLIENT, losses=result.summary())
    check(len({s.pid for s in result.spans}) == 5, "five curls, but not five processes")
    check({s.resource["service.name"] for s in result.spans} == {"curl"}, f"services {[s.resource['service.name'] for s in result.spans]}")


@case("lifecycle/own-pid-and-network-namespace", matrix=True)
def namespaces(ctx):
    """A container in all but name: the span carries the process id that clew's user sees."""
    need(tool("unshare") and tool("nsenter"), "unshare or nsenter is missing")
    port = free_port()
    outer = Process(ctx, "container", [tool("unshare"), "-pfn", "--mount-proc", "sh", "-c",
                                       f"ip link set lo up; exec {' '.join(PYTHON)} {APP} fork_after_accept {port}"])
    inner = wait_for_child(outer)
    enter = [tool("nsenter"), "-t", str(inner), "-n"]
    wait_inside(ctx, enter, port)
    clew = Clew(ctx, "--pid", inner).ready()
    done = run(ctx, enter + arguments(port, 30, concurrency=3, keep_alive=False))
    file = ctx.work / "truth.tsv"
    file.write_text(done.stdout)
    seen = truth.read(file)
    clew.wait_spans(30)
    result = clew.stop()
    inside = {r.pid for r in seen}  # the numbers below 300 are given out once only, to the first processes of a namespace
    check(len(inside) == 30 and max(inside) < 300, f"30 children served, process ids {sorted(inside)} in their namespace")
    for r in seen:
        r.pid = 0
    truth.expect(seen, result.spans, SERVER, losses=result.summary())
    outside = {s.pid for s in result.spans}
    check(len(outside) == 30 and not outside & inside, f"30 children served, process ids {sorted(outside)}, {sorted(inside)} in their namespace")


def command_line(pid):
    try:
        return open(f"/proc/{pid}/cmdline").read()
    except OSError:
        return ""  # it has ended


def wait_for_child(process):
    end = time.monotonic() + seconds(10)
    while time.monotonic() < end:
        below = [p for p in descendants(process.pid) - {process.pid} if "lifecycle" in command_line(p)]
        if below:
            return min(below)
        time.sleep(0.02)
    check(False, f"nothing started in the namespace: {process.text()}")


def wait_inside(ctx, enter, port):
    end = time.monotonic() + seconds(10)
    probe = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    while run(ctx, enter + [*PYTHON, "-c", probe], check_status=False).returncode != 0:
        check(time.monotonic() < end, "the server inside does not listen")
        time.sleep(0.05)


@case("lifecycle/pid-reuse")
def pid_reuse(ctx):
    """A selected process ends and another program gets its number: that one was not selected."""
    need(built("clone_pid").exists(), "clone_pid is not built: run tests/integration/prepare")
    first, port = server(ctx, "plain")
    first.wait_port(port)
    bystander, other_port = server(ctx, "plain")
    clew = Clew(ctx, "--pid", first.pid, "--pid", bystander.pid).ready()
    seen = load(ctx, port, 10)
    first.stop()
    check(not alive(first.pid), "the first server is still there")
    new_port = free_port()
    second = Process(ctx, "second", [built("clone_pid"), first.pid, *PYTHON, APP, "plain", new_port])
    time.sleep(0.1)
    need(second.popen.poll() is None, f"the kernel does not give out a chosen id: {second.text().strip()}")
    second.wait_port(new_port)
    check(os.readlink(f"/proc/{first.pid}/exe"), "the number is not in use again")
    load(ctx, new_port, 10, tag="stranger")
    clew.wait_spans(11, limit=1.5)
    result = clew.stop()
    truth.expect(seen, result.spans, SERVER, losses=result.summary())


@case("lifecycle/pid-reuse-by-a-selected-program")
def pid_reuse_selected(ctx):
    """The number of a traced process goes to another traced program: its spans carry the new one's resource."""
    need(built("clone_pid").exists() and built("go-server").exists(), "clone_pid or the Go server is not built")
    work = ctx.dir("exe")
    os.link(built("go-server"), work / "go-second") if os.stat(work).st_dev == os.stat(built("go-server")).st_dev else \
        (work / "go-second").write_bytes(built("go-server").read_bytes())
    (work / "go-second").chmod(0o755)
    first, port = server(ctx, "plain")
    first.wait_port(port)
    clew = Clew(ctx, "--pid", first.pid, "--exe", f"{work}/go-*").ready()
    seen = load(ctx, port, 5, tag="first")
    first.stop()
    new_port = free_port()
    second = Process(ctx, "second", [built("clone_pid"), first.pid, work / "go-second", new_port])
    time.sleep(0.1)
    need(second.popen.poll() is None, f"the kernel does not give out a chosen id: {second.text().strip()}")
    second.wait_port(new_port)
    more = load(ctx, new_port, 5, tag="second")
    clew.wait_spans(10)
    result = clew.stop()
    truth.expect(seen + more, result.spans, SERVER, losses=result.summary())
    names = {s.path.split("/")[2][:5]: s.resource["service.name"] for s in result.spans}
    check(names.get("secon") == "go-second", f"service names {names}")


MPTCP = """
import socket, threading
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind(("127.0.0.1", 0)); listener.listen()
def serve():
    c = listener.accept()[0]
    while c.recv(65536):
        c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello")
thread = threading.Thread(target=serve); thread.start()
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
s.connect(listener.getsockname())
for n in range(5):
    s.sendall(b"GET /m/%d HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n" % n); s.recv(65536)
s.close(); thread.join()
"""


@case("lifecycle/mptcp")
def mptcp(ctx):
    """Both ends are followed, without the positions of TCP: nobody claims that one's request is the other's."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    except OSError:
        need(False, "this kernel has no MPTCP")
    need(os.environ.get("CLEW_BACKEND") != "sys_exit", "not followed by that backend")
    clew = Clew(ctx, command=[*PYTHON, "-c", MPTCP])
    result = clew.wait()
    found = sorted((s.kind, s.path) for s in result.spans)
    check(found == sorted((kind, f"/m/{n}") for n in range(5) for kind in (CLIENT, SERVER)), f"spans: {found}: {result.summary()}")
    check(not [s for s in result.spans if s.incomplete], "a span is not whole")
    check(result.lost() == 0, result.summary())
