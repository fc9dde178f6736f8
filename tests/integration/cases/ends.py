# SPDX-License-Identifier: Apache-2.0
"""How a run ends, and what it does when an output fails: in every case it says what it saw and what it lost."""
import os
import re
import signal
import socket
import time

from harness import env, spans
from harness.case import case, check
from harness.load import load
from harness.process import alive, descendants, run
from harness.tracer import Clew
from servers import python_http


@case("ends/reader-gone")
def reader_gone(ctx):
    """`clew trace | head`: the end if nothing else is written, else only that output is left out."""
    server = python_http.start(ctx)
    for others in (False, True):
        c = Clew(ctx, *server.select, "--console=line", file=others, stdout=["head", "-n", "1"]).ready()
        for n in range(6):
            load(ctx, server.port, 5, tag=f"n{n}x")
            time.sleep(0.3)
        if others:
            check(len(c.wait_spans(30)) == 30, f"{len(c.read())} spans of 30 in the file")
            check(c.popen.poll() is None, "it ended although there is a file to write")
            result = c.stop()
        else:
            result = c.wait(10)
        check(result.status == 0, f"ended with {result.status}")
        check(len([x for x in result.stderr.splitlines() if "reader has gone" in x]) == 1, f"does not say once that the reader has gone: {result.stderr}")
        check(re.search(r"^clew: \d+ spans in", result.stderr, re.M), f"no summary: {result.stderr}")
        check(result.lost_of("exporter_console reader_gone") > 0, f"what was not shown is not counted: {result.summary()}")


@case("ends/recording-cannot-be-written")
def full_device(ctx):
    """It is said once, while it happens; spans do not suffer."""
    server = python_http.start(ctx)
    c = Clew(ctx, *server.select, "--record", "/dev/full").ready()
    load(ctx, server.port, 10)
    c.wait_said("--record /dev/full: cannot write: No space left on device")
    load(ctx, server.port, 10, tag="more")
    check(len(c.wait_spans(20)) == 20, f"{len(c.read())} spans of 20")
    result = c.stop()
    check(len([x for x in result.stderr.splitlines() if "/dev/full" in x]) == 1, f"not said once: {result.stderr}")
    check(result.lost_of("recording write_failed") > 10, f"what was not recorded is not counted: {result.summary()}")


@case("ends/closed-descriptors")
def closed(ctx):
    """With stdin, stdout and stderr closed nothing of what clew says or shows gets into its files; COMMAND has them closed as well."""
    file, recording, out = ctx.work / "spans.jsonl", ctx.work / "events.clew", ctx.work / "fds"
    app = (f"import os, threading, http.server, urllib.request\n"
           f"of_clew = [os.readlink(f'/proc/{{os.getppid()}}/fd/{{n}}') for n in range(3)]\n"
           f"open({str(out)!r}, 'w').write(' '.join(os.listdir('/proc/self/fd') + of_clew))\n"
           f"class Handler(http.server.SimpleHTTPRequestHandler):\n"
           f"    def log_message(self, *_): pass\n"
           f"s = http.server.HTTPServer(('127.0.0.1', 0), Handler)\n"
           f"threading.Thread(target=s.serve_forever, daemon=True).start()\n"
           f"urllib.request.urlopen(f'http://127.0.0.1:{{s.server_port}}/').read()\n")
    line = [env.CLEW, "trace", "--console=line", "--file", file, "--record", recording, "--", *env.PYTHON, "-c", app]
    done = run(ctx, ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *line])
    check(not done.stdout and not done.stderr, f"writes {done.stdout!r} {done.stderr!r}")
    found = spans.parse(file.read_text())
    check(len(found) == 2, f"{len(found)} spans of 2")
    again = run(ctx, [env.CLEW, "replay", recording, "--file", "-"])
    check(len(spans.parse(again.stdout)) == 2, f"the recording is damaged: {again.stderr}")
    check(out.read_text() == "0 1" + 3 * " /dev/null", f"descriptors of the command, then clew's first: {out.read_text()}")


@case("ends/hangup")
def hangup(ctx):
    """The terminal closes: the end in good order, of COMMAND too; but not under nohup, of which COMMAND knows as well."""
    server = python_http.start(ctx)
    c = Clew(ctx, *server.select, prefix=["env", "--default-signal=HUP"], command=["sleep", "1000"]).ready()  # these tests may run under nohup
    load(ctx, server.port, 10)
    command = descendants(c.pid) - {c.pid}
    c.popen.send_signal(signal.SIGHUP)
    result = c.wait(10)
    check(result.status == 0 and len(result.spans) == 10, f"ended with {result.status}, {len(result.spans)} spans of 10: {result.summary()}")
    check(re.search(r"^clew: 10 spans in", result.stderr, re.M), f"no summary: {result.stderr}")
    check(not [pid for pid in command if alive(pid)], "COMMAND goes on")

    c = Clew(ctx, *server.select, prefix=["env", "--ignore-signal=HUP"], command=["sleep", "1000"]).ready()
    for pid in sorted(descendants(c.pid)):
        os.kill(pid, signal.SIGHUP)
    load(ctx, server.port, 10, tag="more")
    check(len(c.wait_spans(10)) == 10 and c.popen.poll() is None, f"nohup does not hold: {c.lines}")
    check(len(descendants(c.pid)) == 2, "COMMAND has ended")
    c.stop()


@case("ends/second-signal")
def second_signal(ctx):
    """A collector that does not answer is waited for, but not longer than the user wants; a second signal at once is the same wish."""
    server = python_http.start(ctx)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for protocol in ("grpc", "http/protobuf"):
            c = Clew(ctx, *server.select, "--otlp", where, "--otlp-protocol", protocol, environment={"OTEL_BSP_SCHEDULE_DELAY": "100"}).ready()
            load(ctx, server.port, 10, tag=protocol[0])
            c.wait_spans(10)
            time.sleep(0.3)
            c.popen.send_signal(signal.SIGINT)
            c.popen.send_signal(signal.SIGINT)
            time.sleep(1)
            check(c.popen.poll() is None, f"{protocol}: did not wait for the collector: {c.lines}")
            began = time.monotonic()
            c.popen.send_signal(signal.SIGTERM)
            result = c.wait(10)
            took = time.monotonic() - began
            check(result.status == 0 and took < 1 * env.SLOW, f"{protocol}: ended with {result.status} after {took:.1f} s")
            check(result.lost() == 10, f"{protocol}: {result.lost()} lost spans of 10 counted: {result.summary()}")


@case("ends/fifo-without-reader")
def fifo(ctx):
    """It is said that somebody is waited for, and a signal ends the wait."""
    server, path = python_http.start(ctx), ctx.work / "fifo"
    os.mkfifo(path)
    for option in ("--file", "--record"):
        c = Clew(ctx, *server.select, option, path, file=False)
        c.wait_said(f"{option} {path}: waits until somebody reads it")
        c.popen.send_signal(signal.SIGINT)
        check(c.wait(5).status == 1, "a signal does not end the wait")
