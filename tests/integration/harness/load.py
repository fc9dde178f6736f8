# SPDX-License-Identifier: Apache-2.0
"""The load client as a function: what it sent and what it saw."""
import signal
from pathlib import Path

from . import truth
from .case import Context, Failure, need
from .env import built, seconds
from .process import Process, run


def arguments(port: int, requests: int = 0, concurrency: int = 1, keep_alive: bool = True, tag: str = "t", seconds: float = 0,
              methods: str = "GET", body_max: int = 0, chunked_every: int = 0, vary: bool = False, unix: str = "", host: str = "",
              prefix: str = "/r/", tls: str = "") -> list:
    need(built("load").exists(), "the load client is not built: run tests/integration/prepare")
    out = [built("load"), "--port", port, "--concurrency", concurrency, "--tag", tag, "--methods", methods, "--prefix", prefix]
    out += ["--requests", requests] if requests else ["--seconds", seconds]
    out += ["--close"] if not keep_alive else []
    out += ["--vary"] if vary else []
    out += ["--body-max", body_max] if body_max else []
    out += ["--chunked-every", chunked_every] if chunked_every else []
    out += ["--unix", unix] if unix else []
    out += ["--tls1.2" if tls == "1.2" else "--tls"] if tls else []
    return out + (["--host", host] if host else [])


def load(ctx: Context, port: int, requests: int, *, allow_errors: bool = False, **options) -> list[truth.Request]:
    """Runs to the end; an error of the server is a failure of the case unless allowed."""
    done = run(ctx, arguments(port, requests, **options), limit=300, check_status=False)
    file = Path(ctx.dir("load")) / "truth.tsv"
    file.write_text(done.stdout)
    seen = truth.read(file, local_port_is_peer=not options.get("unix"))
    bad = [r for r in seen if r.error]
    if len(seen) != requests or (bad and not allow_errors):
        raise Failure(f"load: {len(seen)} of {requests} requests, {len(bad)} failed ({bad[0].error if bad else done.stderr.strip()[-200:]})")
    ctx.note(done.stderr.strip().split(" in ")[-1])
    return seen


class Background:
    """Load that runs beside what the case does, as long as that takes."""

    def __init__(self, ctx: Context, port: int, **options):
        self.process = Process(ctx, "load", arguments(port, **{"seconds": seconds(60), **options}))

    def result(self, limit: float = 120) -> list[truth.Request]:
        """Ends it, unless it has come to its end already."""
        if self.process.popen.poll() is None:
            self.process.popen.send_signal(signal.SIGTERM)
        self.process.wait(limit)
        lines = [line for line in self.process.text().splitlines() if line.count("\t") == 9]
        file = self.process.log.with_suffix(".tsv")
        file.write_text("".join(line + "\n" for line in lines))
        return truth.read(file)
