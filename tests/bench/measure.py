# SPDX-License-Identifier: Apache-2.0
"""What every row uses: children that end with the run, CPU clocks, clew as a child, rows with their figures."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLEW = Path(os.environ.get("CLEW", ROOT / "build" / "clew"))
CACHE = Path(os.environ.get("CLEW_CACHE", "/var/cache/clew"))
SERVER_CORE, LOAD_CORE = 0, 1  # the server on one; load and clew share the other
ALLOWANCE = 0.25  # a figure missed by more fails: machines that run this are shared


class Skip(Exception):
    """The row cannot be measured here; says why."""


class Broken(Exception):
    """A measurement went wrong: the row fails."""


def need(condition, reason: str):
    if not condition:
        raise Skip(reason)


def tool(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/go/bin")


@dataclass
class Row:
    """One line of the table. Values of one sort; `value` is their median unless another is given."""
    group: str
    what: str
    unit: str
    values: list
    figure: float | None = None
    at_least: bool = False  # the figure is a floor, not a ceiling
    noise: float = 0  # what two untraced measurements differ by (median); a miss below it is not a failure
    value: float | None = None
    note: str = ""

    def __post_init__(self):
        if self.value is None:
            self.value = statistics.median(self.values)

    def excess(self, value: float) -> float:
        return (self.figure - value) if self.at_least else (value - self.figure)

    def verdict(self) -> str:
        """A median fails when, beside, three of four samples miss the figure: one bad moment of the machine is not clew's."""
        if self.figure is None:
            return "info"
        if self.excess(self.value) <= 0:
            return "pass"
        clear = self.value != statistics.median(self.values) or sum(self.excess(v) > 0 for v in self.values) >= 0.75 * len(self.values)
        return "FAIL" if clear and self.excess(self.value) > max(abs(self.figure) * ALLOWANCE, self.noise) else "miss"

    def as_json(self) -> dict:
        return {"group": self.group, "what": self.what, "unit": self.unit, "median": statistics.median(self.values), "value": self.value,
                "min": min(self.values), "max": max(self.values), "samples": self.values, "figure": self.figure,
                "figure_is": "floor" if self.at_least else "ceiling", "noise": self.noise, "verdict": self.verdict(), "note": self.note}


@dataclass
class Bench:
    """One run: how long, where it may write, what to end afterwards."""
    short: bool
    work: Path
    cleanups: contextlib.ExitStack
    rows: list = field(default_factory=list)

    def add(self, *args, **kw):
        self.rows.append(Row(*args, **kw))

    def choose(self, short, full):
        return short if self.short else full


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def compiled(name: str) -> Path:
    """One of programs/, compiled when its source is newer."""
    source, target = HERE / "programs" / f"{name}.c", CACHE / "bench" / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        need(tool("cc"), "no C compiler")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([tool("cc"), "-O2", "-Wall", "-o", f"{target}.new", source], check=True)
        os.replace(f"{target}.new", target)
    return target


def pinned(core: int, *command) -> list[str]:
    return ["taskset", "-c", str(core), *map(str, command)]


def spawn(bench: Bench, *command, **popen) -> subprocess.Popen:
    """A child that is ended, by its id, when the group of rows is done."""
    name = Path(str(command[3] if command[0] == "taskset" else command[0])).name
    log = open(bench.work / f"{name}.log", "ab")  # noqa: SIM115
    child = subprocess.Popen([str(c) for c in command], stdin=popen.pop("stdin", subprocess.DEVNULL), stdout=popen.pop("stdout", log),
                             stderr=log, **popen)
    log.close()
    bench.cleanups.callback(end, child)
    return child


def end(child: subprocess.Popen):
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(5)


def output(*command, timeout: float = 120) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise Broken(f"{' '.join(map(str, command))[:120]} ended with {done.returncode}: {(done.stderr + done.stdout)[-300:]}")
    return done.stdout


def wait_port(port: int, child: subprocess.Popen, limit: float = 20):
    until = time.monotonic() + limit
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.03)
    raise Broken(f"{child.args[0]} … {child.args[-1]} does not listen on {port}")


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_ns(pids) -> int:
    """CPU time of all live threads of these processes, ns."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def busy_ns(core: int) -> int:
    """Time that a core has not idled, whoever had it (also a neighbour of this virtual machine), ns; in steps of 10 ms."""
    fields = re.search(rf"^cpu{core} (.+)$", Path("/proc/stat").read_text(), re.M).group(1).split()
    return sum(int(fields[i]) for i in (0, 1, 2, 5, 6, 7)) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def memory_kb(pid: int, name: str = "VmRSS") -> int:
    return int(re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def wrk(port: int, seconds: float, connections: int, scheme: str = "http") -> dict:
    """Saturates the server from the load's core: requests per second, requests."""
    need(tool("wrk"), "wrk is not installed")
    text = output(*pinned(LOAD_CORE, tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", f"{scheme}://127.0.0.1:{port}/"))
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), "requests": int(re.search(r"(\d+) requests in", text).group(1))}


def paced(port: int, rate: float, seconds: float) -> dict:
    return json.loads(output(*pinned(LOAD_CORE, compiled("paced"), port, "/", 5, int(rate), seconds)))


def saturated(port: int, seconds: float, connections: int, traced: bool = False) -> dict:
    """The same by a client that never sleeps: what a server pays for waking its client is not in it, which changes with the load."""
    return json.loads(output(*pinned(LOAD_CORE, compiled("paced"), port, "/", connections, 0, seconds, *(["traced"] if traced else []))))


class Clew:
    """`clew trace` pinned to the load's core. Its summary tells what it lost."""

    def __init__(self, bench: Bench, pids, *options, file: bool = True):
        self.file = bench.work / f"spans-{time.monotonic_ns()}.jsonl" if file else None
        selection = [x for pid in pids for x in ("--pid", str(pid))]
        more = ["--file", str(self.file)] if file else []
        began = time.monotonic()
        self.popen = subprocess.Popen(pinned(LOAD_CORE, CLEW, "trace", *selection, *more, *options), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        bench.cleanups.callback(end, self.popen)
        self.lines = []
        for line in self.popen.stderr:
            self.lines.append(line.rstrip("\n"))
            if self.lines[-1] == "clew: ready":
                break
        else:
            raise Broken(f"clew was not ready: {' | '.join(self.lines[-4:])}")
        self.ready_after = time.monotonic() - began

    @property
    def pid(self) -> int:
        return self.popen.pid

    def cpu_ns(self) -> int:
        return cpu_ns([self.pid])

    def stop(self) -> "Clew":
        self.popen.send_signal(signal.SIGINT)
        try:
            rest = self.popen.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            end(self.popen)
            raise Broken("clew did not end within 60 s of SIGINT") from None
        self.lines += rest.splitlines()
        if self.popen.returncode != 0:
            raise Broken(f"clew ended with {self.popen.returncode}: {' | '.join(self.lines[-4:])}")
        return self

    def said_spans(self) -> int:
        return spans_in_summary("\n".join(self.lines))

    def lost(self) -> dict:
        """where and reason → number, from the summary."""
        found, inside = {}, False
        for line in self.lines:
            if line == "clew: lost":
                inside = True
            elif inside and (m := re.fullmatch(r"clew:   (.+?)\s+(\d+)", line)):
                found[m.group(1)] = int(m.group(2))
        return found

    def spans_in_file(self, remove: bool = True) -> int:
        count = 0
        with open(self.file, "rb") as spans:
            for line in spans:
                count += line.count(b'"startTimeUnixNano"')
        if remove:
            self.file.unlink()
        return count


def unaccounted(requests: int, spans: int, lost: dict) -> int:
    """Requests that are neither a span nor a counted loss, or spans without a request."""
    return max(requests - spans - sum(lost.values()), spans - requests, 0)


def spans_in_summary(text: str) -> int:
    m = re.search(r"^clew: (\d+) spans? in", text, re.M)
    if not m:
        raise Broken(f"no summary: {text[-300:]}")
    return int(m.group(1))


def kernel_bytes(pid: int) -> tuple[int, int]:
    """What the maps and programs that a process holds cost in the kernel, bytes (its bpf file descriptors' memlock, each object once)."""
    maps, programs = {}, {}
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            text = entry.read_text()
            memlock = re.search(r"^memlock:\s+(\d+)", text, re.M)
            for kind, held in (("map_id", maps), ("prog_id", programs)):
                if memlock and (m := re.search(rf"^{kind}:\s+(\d+)", text, re.M)):
                    held[m.group(1)] = int(memlock.group(1))
    return sum(maps.values()), sum(programs.values())


def between(untraced: list, i: int) -> float:
    """The untraced value beside the i-th traced one: A B A B … A, the mean of both neighbours, so that drift cancels."""
    return (untraced[i] + untraced[i + 1]) / 2


def noise(untraced: list) -> float:
    """What neighbouring untraced measurements differ by, median."""
    return statistics.median(abs(a - b) for a, b in zip(untraced, untraced[1:])) if len(untraced) > 1 else 0
