# SPDX-License-Identifier: Apache-2.0
"""`clew trace` as a child: starts it, waits until it is ready, stops it, reads what it wrote."""
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from . import env, spans
from .case import Context, Failure


@dataclass
class Result:
    status: int
    spans: list
    stderr: str
    stdout: str
    file: Path | None

    def lost(self) -> int:
        """The sum of what the summary says was lost, whatever the place and reason."""
        _, found, rest = self.stderr.rpartition("clew: lost\n")
        return sum(int(line.split()[-1]) for line in rest.splitlines() if line.split()[-1:] and line.split()[-1].isdigit()) if found else 0

    def lost_of(self, place_and_reason: str) -> int:
        """What the summary says of one reason, such as "kernel ring_full"."""
        return sum(int(n) for n in re.findall(rf"^clew:   {re.escape(place_and_reason)} +(\d+)$", self.stderr, re.M))

    def summary(self) -> str:
        """What was said after the stop; for messages."""
        lines = [line for line in self.stderr.splitlines() if "clew: ready" not in line]
        return " | ".join(" ".join(line.split()) for line in lines[-10:])[-500:]


class Clew:
    def __init__(self, ctx: Context, *arguments, file: bool = True, environment=None, command=(), binary=None, checked: bool = True,
                 incomplete=None, prefix=(), stdin=os.devnull, stdout=()):
        """`checked`: every span must keep the conventions. `prefix`: a program that starts it (setpriv, unshare). `stdin`: a file, for the command.
        `stdout`: a command that reads it through a pipe."""
        self.checked = checked
        self.file = Path(ctx.dir("clew")) / "spans.jsonl" if file else None
        line = [*prefix, str(binary or env.CLEW), "trace", *map(str, arguments), *os.environ.get("CLEW_TRACE_OPTIONS", "").split()]
        if file:
            line += ["--file", str(self.file)]
        if command:
            line += ["--", *map(str, command)]
        self.command = line
        self.started = time.monotonic()
        self.ready_after = None
        self.lines, self.out = [], []
        ctx.said.append(self.lines)
        self._ready = threading.Event()
        reader = subprocess.Popen(stdout, stdin=subprocess.PIPE, stdout=subprocess.PIPE) if stdout else None
        with open(stdin, "rb") as wanted:
            self.popen = subprocess.Popen(line, stdout=reader.stdin if reader else subprocess.PIPE, stderr=subprocess.PIPE, stdin=wanted,
                                          env={**os.environ, **(environment or {})}, cwd=ctx.work, start_new_session=True)
        self.pid = self.popen.pid
        self._out = reader.stdout if reader else self.popen.stdout
        if reader:
            reader.stdin.close()
            ctx.later(reader.wait)
        self._threads = [threading.Thread(target=self._read_err, daemon=True), threading.Thread(target=self._read_out, daemon=True)]
        for t in self._threads:
            t.start()
        ctx.later(self.kill)

    def _read_err(self):
        for raw in self.popen.stderr:
            line = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(line)
            if line == "clew: ready":
                self.ready_after = time.monotonic() - self.started
                self._ready.set()
        self._ready.set()

    def _read_out(self):
        for raw in self._out:
            self.out.append(raw.decode(errors="replace"))

    def ready(self, limit: float = 10) -> "Clew":
        self._ready.wait(env.seconds(limit))
        if self.ready_after is None:
            state = "ended with " + str(self.popen.wait(5)) if self._ready.is_set() else f"said nothing for {env.seconds(limit):.0f} s"
            raise Failure(f"clew was not ready, {state}: {' | '.join(self.lines[-5:])}")
        return self

    def wait_said(self, text: str, limit: float = 10):
        """Until a line of its messages contains the text."""
        end = time.monotonic() + env.seconds(limit)
        while not any(text in line for line in self.lines):
            if time.monotonic() > end:
                raise Failure(f"clew did not say {text!r}: {' | '.join(self.lines[-5:])}")
            time.sleep(0.05)

    def read(self) -> list:
        """The spans that are in the file now; a line that is being written is left out."""
        if not self.file.exists():
            return []
        text = self.file.read_text()
        return spans.parse(text[:text.rfind("\n") + 1])

    def wait_spans(self, count: int, limit: float = 5, matching=lambda s: True) -> list:
        """Waits until so many spans are in the file; returns those that are there when time is up."""
        end = time.monotonic() + env.seconds(limit)
        while True:
            found = [s for s in self.read() if matching(s)]
            if len(found) >= count or time.monotonic() > end or self.popen.poll() is not None:
                return found
            time.sleep(0.05)

    def wait(self, limit: float = 20) -> Result:
        """Waits for its own end."""
        try:
            status = self.popen.wait(env.seconds(limit))
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"clew did not end within {env.seconds(limit):.0f} s: {' | '.join(self.lines[-5:])}") from None
        for t in self._threads:
            t.join(5)
        found = self._parse()
        return Result(status, found, "\n".join(self.lines), "".join(self.out), self.file)

    def _parse(self) -> list:
        if not self.file or not self.file.exists():
            return []
        try:
            found = spans.parse(self.file.read_text())
        except (ValueError, KeyError) as error:
            raise Failure(f"the spans file is malformed: {error}") from None
        broken = spans.violations(found) if self.checked else []
        if broken:
            raise Failure(f"{len(broken)} violations of the conventions: " + "; ".join(broken[:4]))
        return found

    def stop(self, limit: float = 20) -> Result:
        """SIGINT, the end, exit status 0. The program under test has had its time: the last span has a second to arrive."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        result = self.wait(limit)
        if result.status != 0:
            raise Failure(f"clew ended with {result.status}: {result.summary()}")
        return result

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)
