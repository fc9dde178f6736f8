# SPDX-License-Identifier: Apache-2.0
"""What a case is: a function with a name, the modes it runs in, and three ways to end."""
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable


class Failure(Exception):
    """The case ran and clew was wrong."""


class Skip(Exception):
    """The case cannot run here; the text says why."""


@dataclass
class Case:
    name: str
    run: Callable
    quick: bool
    full: bool
    matrix: bool


@dataclass
class Context:
    """One run of one case: its mode, its own directory and what must be ended afterwards."""
    mode: str  # quick, full, matrix
    work: Path
    cleanups: list = field(default_factory=list)
    notes: list = field(default_factory=list)  # measured figures, printed beside the result
    said: list = field(default_factory=list)  # of each clew: the lines of its messages

    def count(self, quick: int, full: int, matrix: int) -> int:
        return {"quick": quick, "full": full, "matrix": matrix}[self.mode]

    def later(self, action: Callable):
        self.cleanups.append(action)
        return action

    def note(self, text: str):
        self.notes.append(text)

    def dir(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=name + "-", dir=self.work))

    def close(self) -> list[str]:
        """Ends everything in reverse order; what went wrong meanwhile."""
        problems = []
        while self.cleanups:
            try:
                self.cleanups.pop()()
            except Exception as error:  # the remaining actions must still run
                problems.append(f"cleanup: {error}")
        return problems


ALL: list[Case] = []


def case(name: str, *, quick: bool = True, full: bool = True, matrix: bool = False):
    """Registers the function below it. `matrix`: cheap enough for an emulated kernel."""
    def register(run):
        ALL.append(Case(name, run, quick, full, matrix))
        return run
    return register


def need(condition, reason: str):
    if not condition:
        raise Skip(reason)


def check(condition, message: str):
    if not condition:
        raise Failure(message)
