"""How commands speak: the result to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import io
import os
import shlex
import shutil
import sys
import tempfile
import traceback
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import typer

from runner import __version__
from runner.errors import ConfigError, ExitCode, RunnerError, called_off, cause, leaves
from runner.views import log
from runner.views.actions import Screen
from runner.views.drawing import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.events import Event, Tell


_SELF_EXPLANATORY = "SR1"
"""Errors of usage and configuration, which say what was meant themselves."""


class _Output(io.TextIOWrapper):
    """Standard output or error, which says of itself that it cannot be written."""

    def write(self, text: str, /) -> int:
        with _told_apart():
            return super().write(text)

    def flush(self) -> None:
        with _told_apart():
            super().flush()


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunnerError(f"what is printed cannot be written: {error.strerror}") from error


def stand_by_the_streams() -> None:
    """Let standard input, output and error be there, and tell their errors from those of files.

    Where the caller closed one, nothing is read from it or shown; and no file of ours takes its
    number, which libraries write to. What its encoding does not have is written as an escape.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)


def _guarded(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, by_line = stream.encoding, stream.line_buffering
    errors = "backslashreplace" if stream.errors == "strict" else stream.errors
    return _Output(stream.detach(), encoding, errors, line_buffering=by_line)


def colour() -> bool:
    """Whether the reader's terminal shows colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def asks() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a command speaks on stderr: for people, or in lines for programs.

    ``form`` is ``text`` or ``json``, empty for people; ``values``: programs are told what records
    hold, too. ``quiet``: nothing but warnings and errors.
    """

    form: str = ""
    values: bool = False
    quiet: bool = False


_FOR_PEOPLE = Manner()
_MANNER: ContextVar[Manner] = ContextVar("manner", default=_FOR_PEOPLE)


def speak(manner: Manner) -> None:
    """Speak in that manner for the rest of the command."""
    _MANNER.set(manner)


def structured() -> bool:
    """Whether what is told is lines for programs, which tell the time by themselves."""
    return bool(_MANNER.get().form)


def say(text: str, *, level: str = log.INFO) -> None:
    """Say something that is not the result."""
    if _MANNER.get().form:
        _write(log.Entry(level=level, event="message", told={"message": text.strip()}))
    elif level != log.INFO or not _MANNER.get().quiet:
        typer.echo(text, err=True)


def _write(entry: log.Entry) -> None:
    manner = _MANNER.get()
    if entry.level != log.INFO or not manner.quiet:
        line = log.as_json if manner.form == "json" else log.as_text
        typer.echo(line(entry, datetime.now(UTC)), err=True)


def columns() -> int:
    """How wide the reader's terminal is; a log is as wide as a wide terminal (``COLUMNS``)."""
    return shutil.get_terminal_size((120, 24)).columns


def for_programs() -> Tell | None:
    """Return who tells of events where nobody sees a screen; ``None``: somebody may."""
    manner = _MANNER.get()
    if not manner.form and not manner.quiet:
        return None

    def tell(event: Event) -> None:
        entry = log.entry(event, values=manner.values) if manner.form else None
        if entry is not None:
            _write(entry)

    return tell


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
    except (typer.Exit, typer.Abort, KeyboardInterrupt):
        raise
    except Exception as error:
        if any(isinstance(leaf, BrokenPipeError) for leaf in leaves(error)):
            raise BrokenPipeError(errno.EPIPE, "whoever read what we print went away") from error
        if called_off(error):
            raise KeyboardInterrupt from error
        told = cause(error)
        if told is None:
            _fault(error)
        _tell_error(told)


def _tell_error(error: RunnerError) -> NoReturn:
    for line in error.problems if isinstance(error, ConfigError) else (error,):
        say(f"error: {line}", level=log.ERROR)
    if error.hint:
        say(f"  hint: {error.hint}", level=log.ERROR)
    if not error.lesson.startswith(_SELF_EXPLANATORY):
        say(f"  more: `sync-run explain {error.lesson}`", level=log.ERROR)
    raise typer.Exit(error.exit_code) from error


def _fault(error: BaseException) -> NoReturn:
    say(f"error: {fault(error)}", level=log.ERROR)
    raise typer.Exit(ExitCode.FAULT) from error


def fault(error: BaseException) -> str:
    """Say that this is our fault, and keep the details where they can be sent in."""
    details = "".join(traceback.format_exception(error))
    handle, name = tempfile.mkstemp(prefix="sync-run-fault-", suffix=".log")
    with os.fdopen(handle, "w") as file:
        file.write(f"sync-run {__version__}, Python {sys.version}\n\n{details}")
    return f"a fault in sync-run itself; the details are in {Path(name)}"
