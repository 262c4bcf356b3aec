"""Processes of their own: one that kills itself at a point of its run, one that runs a command."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli import main
from tests.crash.catalogue import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.crash.kinds import Kind

_CONTEXT = multiprocessing.get_context("forkserver")
# Whoever is forked has imported everything, and has no thread, no database, no connection.
_CONTEXT.set_forkserver_preload([__name__])
_LONGEST = 300


def killed(kind: Kind, folder: Path, at: int) -> bool:
    """Apply in a process that kills itself at that point; whether it came so far.

    It does so by signal 9: nothing is closed, undone or said.
    """
    process = _CONTEXT.Process(target=_dying, args=(kind.name, str(folder), at))
    process.start()
    process.join(_LONGEST)
    code = process.exitcode
    assert code in (0, -signal.SIGKILL), f"{kind.name}, to be killed at {at}: exit code {code}"
    return code != 0


def begun(words: Sequence[str], said: Path) -> multiprocessing.process.BaseProcess:
    """Run a command line; what it says goes to a file."""
    process = _CONTEXT.Process(target=_typed, args=(list(words), str(said), dict(os.environ)))
    process.start()
    return process


def _dying(name: str, folder: str, at: int) -> None:
    (kind,) = [known for known in KINDS if known.name == name]
    points = count(1)

    def die(_: str) -> None:
        if next(points) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    kind.apply(Path(folder), die)


def _typed(words: list[str], said: str, environment: dict[str, str]) -> None:
    # Who forks us may have been started before these were set.
    os.environ.update(environment)
    with open(said, "wb", buffering=0) as file:  # noqa: PTH123 - by its number, for what prints
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["sync-run", *words]
    main()
