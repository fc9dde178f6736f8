# SPDX-License-Identifier: Apache-2.0
"""Where things lie and how slow the machine is. Everything that comes from the environment is read here."""
import os
import shutil
import sys
from pathlib import Path

SUITE = Path(__file__).resolve().parent.parent
ROOT = SUITE.parent.parent
CLEW = Path(os.environ.get("CLEW", ROOT / "build" / "clew"))
CACHE = Path(os.environ.get("CLEW_CACHE", "/var/cache/clew")) / "integration"
SLOW = float(os.environ.get("CLEW_SLOW", "1"))  # factor on every time limit; about 20 under emulation
PYTHON = [sys.executable, "-S"]  # without site packages, which take a second to look for under emulation
VENV_PYTHON = CACHE / "venv" / "bin" / "python"
NODE_MODULES = CACHE / "node" / "node_modules"


def seconds(limit: float) -> float:
    return limit * SLOW


def tool(name: str) -> str | None:
    """The path of a program; servers lie in sbin, which need not be in PATH. Go: what `prepare` has fetched where the machine's is old."""
    if name == "go" and (CACHE / "go/bin/go").exists():
        return str(CACHE / "go/bin/go")
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/go/bin")


def node_of(major: int) -> Path:
    """Node.js of that version, which `prepare` has fetched."""
    return CACHE / f"node{major}" / "node_modules" / "node" / "bin" / "node"


def built(name: str) -> Path:
    """A program that `prepare` has compiled."""
    return CACHE / "bin" / name
