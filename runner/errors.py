"""What can go wrong, where it stands, and the exit code it ends with."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ExitCode(IntEnum):
    """How a command ended. Scripts rely on these numbers."""

    DONE = 0
    UNUSABLE = 1
    """Usage, configuration or connection: nothing was touched."""
    CHANGES = 2
    """``plan --detailed-exitcode`` found changes."""
    RECORDS_FAILED = 3
    """It finished, but some records failed or are in conflict."""
    STOPPED = 4
    """A guard or a stale plan stopped it before its first write."""
    FAULT = 70
    """A fault of ours; the message names the file that holds the details."""
    INTERRUPTED = 130
    """The user stopped it by Ctrl-C."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file the user wrote. ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong: where, what, and what to do about it (empty: nothing to add)."""

    at: Location
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.at}: {self.what}" + (f" — {self.hint}" if self.hint else "")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the known word that is spelled most alike, else nothing."""
    found = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean '{found[0]}'?" if found else ""


def shell_word(text: str) -> str:
    """Write a text as one word of a command that people paste into a shell.

    Keys of several fields hold single quotes: they come in double quotes, as far as no shell reads
    anything into those. ``dialect.shell_word`` is the same in SQL.

    >>> print(shell_word("No='10',Type='All Customers'"))
    "No='10',Type='All Customers'"
    """
    if "'" in text and not SPECIAL.search(text):
        return f'"{text}"'
    return shlex.quote(text)


SPECIAL = re.compile(r'["$`\\!]')
"""What shells read something into, within double quotes."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what tasks that ran side by side failed of; an error that is no group is its own."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def called_off(error: BaseException) -> bool:
    """Whether it is Ctrl-C; DuckDB has words of its own for one in the middle of a query."""
    return any(
        isinstance(leaf, KeyboardInterrupt)
        or (type(leaf) is RuntimeError and str(leaf) == "Query interrupted")
        for leaf in leaves(error)
    )


class RunnerError(Exception):
    """What a user can meet: ``str()`` says what, ``hint`` what to do, ``exit_code`` ends it.

    ``lesson`` names the section of ``schemas/errors.md`` that teaches about it.
    """

    exit_code = ExitCode.UNUSABLE
    lesson = "SR100"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def cause(error: BaseException) -> RunnerError | None:
    """Return what a user can meet in an error, if that is what it is.

    Tasks that ran side by side fail together; the first that is no fault of ours is told.
    """
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := cause(inner))), None)
    return error if isinstance(error, RunnerError) else None


class ConfigError(RunnerError):
    """The configuration is wrong: every problem of every file, in the order of the files."""

    lesson = "SR101"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NoSuchRecordError(RunnerError):
    """Neither side has a record with the key that was asked for."""

    lesson = "SR102"


class SystemUnavailableError(RunnerError):
    """A system could not be reached, let us in, or understood, within the time allowed.

    ``status`` is that of its answer over HTTP, 0 where none came; ``code`` is its own.
    """

    lesson = "SR200"

    def __init__(
        self, system: str, reason: str, *, hint: str = "", status: int = 0, code: str = ""
    ) -> None:
        super().__init__(f"{system}: {reason}", hint=hint)
        self.system, self.status, self.code = system, status, code


class StoppedError(RunnerError):
    """Somebody asked to end before all was done; what was begun is finished and kept."""

    lesson = "SR103"


class StateHeldError(RunnerError):
    """Another runner holds the state."""

    lesson = "SR300"


class StateUnusableError(RunnerError):
    """The state file cannot be opened: damaged, of a newer version, or not writable."""

    lesson = "SR301"


class RunStoppedError(RunnerError):
    """The state could not be written in the middle of a run: the next one goes on with it."""

    lesson = "SR302"
    exit_code = ExitCode.RECORDS_FAILED


class GuardError(RunnerError):
    """A plan is above a ceiling that nobody lifted: nothing was written."""

    lesson = "SR400"
    exit_code = ExitCode.STOPPED


class StalePlanError(RunnerError):
    """A saved plan no longer fits what it was computed from."""

    lesson = "SR401"
    exit_code = ExitCode.STOPPED
