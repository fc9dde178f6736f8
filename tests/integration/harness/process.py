# SPDX-License-Identifier: Apache-2.0
"""Child processes with a log, an end and a port to wait for. Only processes started here are ever ended, by their ids."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .case import Context, Failure
from .env import seconds


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: state, parent …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def descendants(pid: int) -> set[int]:
    """The process and all below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(int(entry))
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = set(), [pid]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += parents.get(one, [])
    return found


def alive(pid: int) -> bool:
    fields = stat_fields(pid)
    return fields is not None and fields[0] != "Z"


class Process:
    """A program under test. Its output goes to a file in the case's directory."""

    def __init__(self, ctx: Context, name: str, command, *, env=None, cwd=None, stdin=None, umask=-1):
        self.name = name
        self.command = [str(c) for c in command]
        self.log = ctx.work / f"{name}-{len(ctx.cleanups)}.log"
        with open(self.log, "wb") as out:
            self.popen = subprocess.Popen(self.command, stdout=out, stderr=subprocess.STDOUT, stdin=stdin or subprocess.DEVNULL,
                                          env={**os.environ, **(env or {})}, cwd=cwd or ctx.work, start_new_session=True, umask=umask)
        self.pid = self.popen.pid
        ctx.later(self.stop)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def tree(self) -> set[int]:
        return descendants(self.pid)

    def wait_text(self, needle: str, limit: float = 15) -> str:
        """The first line of its output that contains the text."""
        end = time.monotonic() + seconds(limit)
        while time.monotonic() < end:
            for line in self.text().splitlines():
                if needle in line:
                    return line
            if self.popen.poll() is not None:
                raise Failure(f"{self.name} ended with {self.popen.returncode}: {self.text()[-600:]}")
            time.sleep(0.02)
        raise Failure(f"{self.name} did not say {needle!r}: {self.text()[-600:]}")

    def wait_port(self, port: int, host: str = "127.0.0.1", limit: float = 20):
        end = time.monotonic() + seconds(limit)
        while time.monotonic() < end:
            if self.popen.poll() is not None:
                raise Failure(f"{self.name} ended with {self.popen.returncode}: {self.text()[-600:]}")
            try:
                socket.create_connection((host, port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.03)
        raise Failure(f"{self.name} does not listen on {port}: {self.text()[-600:]}")

    def wait(self, limit: float = 60) -> int:
        try:
            return self.popen.wait(seconds(limit))
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds(limit):.0f} s: {self.text()[-600:]}") from None

    def stop(self):
        family = self.tree() if self.popen.poll() is None else set()
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds(4))
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(10)
        for pid in family - {self.pid}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def run(ctx: Context, command, *, limit: float = 120, env=None, check_status: bool = True, stdin: bytes | None = None, cwd=None,
        **popen) -> subprocess.CompletedProcess:
    """Runs a program to its end; stdout and stderr as text."""
    command = [str(c) for c in command]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds(limit), env={**os.environ, **(env or {})}, input=stdin,
                              cwd=cwd or ctx.work, **popen)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{command[0]} did not end within {seconds(limit):.0f} s: {(error.stderr or b'')[-400:]!r}") from None
    done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if check_status and done.returncode != 0:
        raise Failure(f"{' '.join(command[:6])} ended with {done.returncode}: {done.stderr[-600:]}{done.stdout[-200:]}")
    return done
