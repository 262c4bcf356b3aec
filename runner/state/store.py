"""The state file: held by one runner at a time, made, migrated, attached, opened."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
from filelock import FileLock, Timeout

from runner.dialect import SETTINGS
from runner.errors import StateHeldError, StateUnusableError
from runner.state.schema import MIGRATIONS, VERSION
from runner.state.words import translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Instance:
    """One DuckDB for all the times that a state is opened: to make one takes 14 ms of a run."""

    def __init__(self) -> None:
        self._made: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own, with temporary tables of its own. What fails ends them all."""
        if self._made is None:
            self._made = duckdb.connect()
            self._made.execute(SETTINGS)
        try:
            with self._made.cursor() as connection:
                yield connection
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of every file."""
        if self._made is not None:
            self._made.close()
            self._made = None


@dataclass(frozen=True, slots=True)
class Store:
    """A state file that this process holds, until ``held`` ends."""

    path: Path
    instance: _Instance = field(default_factory=_Instance, repr=False, compare=False)

    @property
    def exists(self) -> bool:
        """Whether anything was ever synchronized here."""
        return self.path.exists()

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Attach the state as ``state``, for reading only; an empty one where there is none."""
        if self.exists:
            connection.execute(f"ATTACH {_text(self.path)} AS state (READ_ONLY, TYPE duckdb)")
            return
        [(main,)] = connection.execute("SELECT current_database()").fetchall()
        connection.execute("ATTACH ':memory:' AS state; USE state")
        _migrate(connection)
        connection.execute(f"USE {_quoted(main)}")

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the state for writing, as ``state``; it is made if there is none.

        Raises:
            StateUnusableError: it cannot be written.

        """
        with translated(self.path), self.instance.connection() as connection:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(f"ATTACH {_text(self.path)} AS state (TYPE duckdb); USE state")
            _migrate(connection)
            _private(self.path)
            yield connection
            connection.execute("USE memory; DETACH state")


@contextmanager
def held(path: Path, command: str) -> Iterator[Store]:
    """Hold the state for the time of one command, and bring its file up to this version.

    Raises:
        StateHeldError: another runner holds it; the message says which one, and since when.
        StateUnusableError: the file is damaged, was written by a newer version, or the folder
            cannot be written.

    """
    with locked(path, command), translated(path):
        store = Store(path)
        try:
            if store.exists:
                with store.opened():
                    pass
            yield store
        finally:
            store.instance.close()


@contextmanager
def locked(path: Path, command: str) -> Iterator[None]:
    """Keep other runners away from a state for the time of one command, whatever the file holds.

    What this process makes in that time, nobody but its owner can read.

    Raises:
        StateHeldError, StateUnusableError: as ``held``.

    """
    with translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(lock_of(path), timeout=0, mode=0o600)
    holder = path.with_name(path.name + ".holder")
    try:
        lock.acquire()
    except Timeout:
        raise StateHeldError(
            f"{path} is held by {_held_by(holder)}",
            hint="wait until it is done; a state is written by one runner at a time",
        ) from None
    except OSError as error:
        raise StateUnusableError(f"{path} cannot be locked: {error.strerror}") from error
    # DuckDB's log beside the state has the rights that the process gives to new files.
    before = os.umask(0o077)
    try:
        with translated(path):
            since = datetime.now(UTC).isoformat(timespec="seconds")
            holder.write_text(
                json.dumps({"process": os.getpid(), "command": command, "since": since})
            )
        yield
    finally:
        os.umask(before)
        holder.unlink(missing_ok=True)
        lock.release()


def lock_of(path: Path) -> Path:
    """The file that is locked while a process holds a state; the lock goes with the process."""
    return path.with_name(path.name + ".lock")


@contextmanager
def readable(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a state as ``state``, for reading only, without holding it; an empty one for none.

    Raises:
        StateHeldError: a run is writing to it at this moment.
        StateUnusableError: it is damaged, or was written by a newer version.

    """
    with translated(path), duckdb.connect() as connection:
        connection.execute(SETTINGS)
        store = Store(path)
        store.attach(connection)
        if _version(connection) != VERSION:
            connection.execute("DETACH state")
            with held(path, "runs"):  # which brings the file up to this version
                pass
            store.attach(connection)
        yield connection


def _held_by(holder: Path) -> str:
    try:
        told = json.loads(holder.read_text())
        return f"process {told['process']} (sync-run {told['command']}, since {told['since']})"
    except (OSError, ValueError, KeyError):
        return "another process"


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    try:
        [(told,)] = connection.execute(
            'SELECT "value" FROM state.main.meta WHERE "key" = \'version\''
        ).fetchall()
        return int(told)
    except (duckdb.CatalogException, duckdb.BinderException, ValueError):
        others = "SELECT 1 FROM duckdb_tables() WHERE database_name = 'state' LIMIT 1"
        if connection.execute(others).fetchall():
            raise StateUnusableError(
                "the file that should be the state is another database",
                hint="`state:` of sync.yaml names it",
            ) from None
        return 0


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    version = _version(connection)
    if version > VERSION:
        raise StateUnusableError(
            f"the state is of version {version}; this sync-run knows version {VERSION}",
            hint="use the newer sync-run that wrote it",
        )
    if version == VERSION:
        return
    connection.execute("BEGIN")
    for script in MIGRATIONS[version:]:
        connection.execute(script)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('version', ?)", [str(VERSION)])
    connection.execute("COMMIT")


def _private(path: Path) -> None:
    """Let nobody but its owner read the records that the state holds."""
    path.chmod(0o600)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
