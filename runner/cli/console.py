"""How commands speak: the result to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from runner import __version__
from runner.errors import ConfigError, ExitCode, RunnerError, leaves
from runner.events import Event, Recovered, RowsRead, WritesDone

if TYPE_CHECKING:
    from collections.abc import Iterator


def colour() -> bool:
    """Whether the reader's terminal shows colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def asks() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def say(text: str) -> None:
    """Say something that is not the result."""
    typer.echo(text, err=True)


def tell(event: Event) -> None:
    """Show progress: on a terminal one line that is written over, in a log the ends alone."""
    match event:
        case Recovered(mapping=mapping, key=key, what=what):
            say(f"{mapping} {key}: the interrupted create was {what}")
        case RowsRead(done=False) | WritesDone() if not sys.stderr.isatty():
            return
        case RowsRead(mapping=mapping, system=system, entity=entity, rows=rows, done=done):
            _line(f"{mapping}: {rows} {entity} read from {system}", last=done)
        case WritesDone(mapping=mapping, done=done, total=total, failed=failed):
            words = f", {failed} failed" if failed else ""
            _line(f"{mapping}: {done} of {total} written{words}", last=done == total)
        case _:
            return


def _line(text: str, *, last: bool) -> None:
    if not sys.stderr.isatty():
        say(text)
        return
    sys.stderr.write(f"\r\x1b[K{text}" if not last else "\r\x1b[K")
    sys.stderr.flush()


@contextmanager
def words_for_errors() -> Iterator[None]:
    """Turn errors into words and exit codes: the one place that does."""
    try:
        yield
    except RunnerError as error:
        _tell_error(error)
    except ExceptionGroup as group:
        # Tasks that ran side by side fail together; the first that is no fault of ours is told.
        told = next((e for e in leaves(group) if isinstance(e, RunnerError)), None)
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
    raise typer.Exit(error.exit_code) from error


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
