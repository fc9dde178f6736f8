# SPDX-License-Identifier: Apache-2.0
"""Flask under gunicorn: two workers, sync (no keep-alive) or with threads."""
from harness.case import need
from harness.env import SUITE, VENV_PYTHON
from harness.process import Process, free_port
from . import FULL, Server


def start(ctx, kind: str = "sync", workers: int = 2) -> Server:
    need(VENV_PYTHON.exists(), "no Python environment with Flask: run tests/integration/prepare")
    port = free_port()
    process = Process(ctx, "gunicorn", [VENV_PYTHON, "-m", "gunicorn", "-w", workers, "-b", f"127.0.0.1:{port}", "-k", kind,
                                        *(["--threads", "8"] if kind == "gthread" else []), "--worker-connections", "500",
                                        "--worker-tmp-dir", ctx.work, "--no-control-socket", "flask_app:app"], cwd=SUITE / "servers" / "apps",
                      env={"PYTHONDONTWRITEBYTECODE": "1"})
    process.wait_port(port)
    return Server(process, port, dict(FULL), by_port=True)
