"""How commands speak: the result to stdout, everything else to stderr."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from runner import __version__
from runner.errors import ConfigError, ExitCode, RunnerError
from runner.views.actions import Screen
from runner.views.drawing import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator


_SELF_EXPLANATORY = "SR1"
"""Errors of usage and configuration, which say what was meant themselves."""


def colour() -> bool:
    """Whether the reader's terminal shows colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def asks() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def say(text: str) -> None:
    """Say something that is not the result."""
    typer.echo(text, err=True)


def columns() -> int:
    """How wide the reader's terminal is; a log is as wide as a wide terminal (``COLUMNS``)."""
    return shutil.get_terminal_size((120, 24)).columns


def screen(context: typer.Context, *, full: bool = False) -> Screen:
    """Say what views are drawn on, and with which words sync-run was called."""
    words = ["sync-run"]
    where = context.obj
    words += ["-C", str(where.folder)] if where.folder != Path() else []
    words += ["--env", where.environment] if where.environment else []
    return Screen(paint=Paint(colour()), width=columns(), full=full, command=shlex.join(words))


@contextmanager
def words_for_errors() -> Iterator[None]:
    """Turn errors into words and exit codes: the one place that does."""
    try:
        yield
    except RunnerError as error:
        _tell_error(error)
    except ExceptionGroup as group:
        # Tasks that ran side by side fail together; the first that is no fault of ours is told.
        told = next((e for e in _leaves(group) if isinstance(e, RunnerError)), None)
        if told is None:
            _fault(group)
        _tell_error(told)
    except (typer.Exit, typer.Abort, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours, told as one
        _fault(error)


def _tell_error(error: RunnerError) -> NoReturn:
    for line in error.problems if isinstance(error, ConfigError) else (error,):
        say(f"error: {line}")
    if error.hint:
        say(f"  hint: {error.hint}")
    if not error.lesson.startswith(_SELF_EXPLANATORY):
        say(f"  more: `sync-run explain {error.lesson}`")
    raise typer.Exit(error.exit_code) from error


def _leaves(group: BaseException) -> Iterator[BaseException]:
    if isinstance(group, BaseExceptionGroup):
        for inner in group.exceptions:
            yield from _leaves(inner)
    else:
        yield group


def _fault(error: BaseException) -> NoReturn:
    say(f"error: {fault(error)}")
    raise typer.Exit(ExitCode.FAULT) from error


def fault(error: BaseException) -> str:
    """Say that this is our fault, and keep the details where they can be sent in."""
    details = "".join(traceback.format_exception(error))
    handle, name = tempfile.mkstemp(prefix="sync-run-fault-", suffix=".log")
    with os.fdopen(handle, "w") as log:
        log.write(f"sync-run {__version__}, Python {sys.version}\n\n{details}")
    return f"a fault in sync-run itself; the details are in {Path(name)}"
