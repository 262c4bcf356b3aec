"""What the file system and DuckDB hold against a file, said in words."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from runner.errors import StateHeldError, StateUnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = ("No space left on device", "File too large", "Disk quota exceeded")
_CLOSED = ("Read-only file system", "Permission denied", "Operation not permitted")
_DAMAGED = (
    "Corrupt database file",
    "Could not read enough bytes",
    "not a valid DuckDB database",
    "Failed to deserialize",
    "Failure while replaying WAL",
)
_OURS = frozenset(
    {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
    | {errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOENT}
)
_FILE = re.compile(r'file "([^"]+?)(?:\.wal)?"')


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what goes wrong with files into errors for people; ``path`` is the state's.

    Raises:
        StateHeldError: another program has it open.
        StateUnusableError: it is damaged, or cannot be written or read; or memory ran out.

    """
    try:
        yield
    except duckdb.Error as error:
        told = _told(path, error)
        if told is None:
            raise
        raise told from error
    except OSError as error:
        if error.errno not in _OURS:
            raise
        file = error.filename or path
        raise StateUnusableError(f"{file} cannot be used: {error.strerror}") from error


def _told(path: Path, error: duckdb.Error) -> StateHeldError | StateUnusableError | None:
    words, line = str(error), str(error).splitlines()[0]
    if "Conflicting lock" in words:
        return StateHeldError(f"{path} is open in another program: {line}")
    named = _FILE.search(words)
    file = named[1] if named else path
    for reason in _FULL:
        if reason in words:
            hint = "make room, then do it again: what was begun is gone on with"
            return StateUnusableError(f"{file} cannot be written: {reason}", hint=hint)
    for reason in _CLOSED:
        if reason in words:
            return StateUnusableError(f"{file} cannot be written: {reason}")
    if isinstance(error, duckdb.SerializationException) or any(w in words for w in _DAMAGED):
        return StateUnusableError(
            f"{file} is damaged: {line}",
            hint="`sync-run state restore FILE` takes a backup, "
            "`sync-run state repair` couples everything anew",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        hint = "give it more memory, or more room for temporary files; then do it again"
        return StateUnusableError(f"the memory is not enough: {line}", hint=hint)
    if isinstance(error, duckdb.IOException | duckdb.FatalException):
        return StateUnusableError(f"{file} cannot be used: {line}")
    return None
