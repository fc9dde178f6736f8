# SPDX-License-Identifier: Apache-2.0
"""The torture bed as Python sees it: compiles the programs, runs server and client, compares what both say."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import env
from harness.case import Context, Failure

HERE = Path(__file__).resolve().parent
FLAGS = ["-std=c++20", "-O2", "-g1", "-Wall", "-Wextra", "-pthread"]
# Of which files a program is made; all others are a library of theirs.
PROGRAMS = {"client": ["client", "not_asking"], "asking_client": ["client", "asking"], "server": ["server"], "self_check": ["self_check"]}
BUILDS_KEPT = 3


def build() -> Path:
    """The programs, compiled once for each state of the sources."""
    sources = sorted(HERE.glob("*.cc"))
    state = hashlib.sha256(b"".join(p.read_bytes() for p in sorted([*sources, *HERE.glob("*.h")])) + " ".join(FLAGS).encode())
    root = env.CACHE / "inject"
    out = root / state.hexdigest()[:16]
    if not (out / "done").exists():
        print("compiling the torture programs (about 30 s)", file=sys.stderr, flush=True)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(lambda s: subprocess.run(["c++", *FLAGS, "-c", str(s), "-o", str(out / f"{s.stem}.o")], check=True), sources))
        own = {part for parts in PROGRAMS.values() for part in parts}
        library = str(out / "libtorture.a")
        subprocess.run(["ar", "rcs", library, *(str(out / f"{s.stem}.o") for s in sources if s.stem not in own)], check=True)
        for name, parts in PROGRAMS.items():
            subprocess.run(["c++", *FLAGS, "-o", str(out / f"torture_{name}"), *(str(out / f"{p}.o") for p in parts), library], check=True)
        (out / "done").touch()
    for old in sorted((p for p in root.iterdir() if p != out), key=lambda p: p.stat().st_mtime)[:-BUILDS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return out


def difference(after, before):
    """Of two reports of the server: what happened between them."""
    if isinstance(after, dict):
        return {k: difference(v, before.get(k, {} if isinstance(v, dict) else [] if isinstance(v, list) else 0)) for k, v in after.items()}
    if isinstance(after, list):
        return after[len(before):]
    return after - before


class Talker:
    """A child that is written to and answers with lines. Its stderr is ours, so that progress is seen."""

    def __init__(self, ctx: Context, command):
        self.command = [str(c) for c in command]
        self.popen = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ctx.work, start_new_session=True)
        self.pid = self.popen.pid
        ctx.later(self.end)

    def say(self, line: str):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def hear(self, limit: float) -> str:
        clock = threading.Timer(env.seconds(limit), self.popen.kill)
        clock.start()
        try:
            line = self.popen.stdout.readline()
        finally:
            clock.cancel()
        if not line:
            raise Failure(f"{Path(self.command[0]).name} said nothing within {limit:.0f} s, status {self.popen.wait(5)}")
        return line.strip()

    def end(self):
        self.popen.kill()
        self.popen.wait(10)


class Bed:
    """One server and one client. `run` is a run of the client, and what both saw of it."""

    def __init__(self, ctx: Context, programs: Path, log: bool = False, client: str = "client"):
        work = ctx.dir("bed")
        self.log = work / "requests.log" if log else None
        table, name = work / "table", f"clew-torture-{os.getpid()}-{work.name}"
        self.server = Talker(ctx, [programs / "torture_server", "--table", table, "--unix", name, *(["--log", self.log] if log else [])])
        _, port4, port6 = self.server.hear(10).split()
        self.client = Talker(
            ctx, [programs / f"torture_{client}", "--table", table, "--unix", name, "--port4", port4, "--port6", port6,
                  "--commands"])
        self.pid = int(self.client.hear(10).split()[1])
        self.before = self.report()

    def report(self) -> dict:
        self.server.say("")
        return json.loads(self.server.hear(20))

    def start(self, seed: int, **options):
        """Options of the client; True is a flag."""
        self.limit = options.pop("limit", 120)
        words = [f"--seed {seed}"]
        words += [f"--{name}" if value is True else f"--{name} {value}" for name, value in options.items()]
        self.line = " ".join(words)
        self.client.say(self.line)

    def finish(self) -> tuple[dict, dict]:
        """What the client and the server saw of the run."""
        client = json.loads(self.client.hear(self.limit))
        now = self.report()
        for _ in range(200):  # the last connections' ends are still on their way
            if now["open"] == 0:
                break
            threading.Event().wait(0.02)
            now = self.report()
        server, self.before = difference(now, self.before), now
        return client, server

    def run(self, seed: int, **options) -> tuple[dict, dict]:
        self.start(seed, **options)
        return self.finish()

    def problems(self, client: dict, server: dict) -> list[str]:
        """All that must not be, whether or not anything is injected. Each says how to see it again."""
        found = [f"{server['corrupted']} streams corrupted: {json.dumps(server['examples'][:1])}"] if server["corrupted"] else []
        found += [f"{client[k]} {k}" for k in ("broken", "wrong_answers", "probe_failures") if client[k]]
        found += [f"{server[k]} {k}" for k in ("ended_early", "unknown", "open") if server[k]]
        if client["added_bytes"] > 70 * server["injected"]:
            found.append(f"{client['added_bytes']} bytes were added on the wire for {server['injected']} lines")
        if client["complaints"]:
            found.append(" / ".join(client["complaints"][:2]))
        return [*found, f"again: {self.line}"] if found else []
