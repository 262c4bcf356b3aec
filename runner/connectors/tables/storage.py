"""Where tables are kept: what both places have in common, and a DuckDB file."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import duckdb

from runner.connectors.problems import UnreadableError, one_line
from runner.connectors.tables import catalogue
from runner.connectors.tables.cells import quoted
from runner.dialect import SETTINGS
from runner.errors import SystemUnavailableError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from runner.connectors.tables.cells import Rules, Table
    from runner.wire import Outcome

_ALONE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Nothing is fetched from anywhere because of what a file begins with."""
_STILL_OPEN = "different configuration than existing connections"
_PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Seconds between attempts: a thread of DuckDB's may hold what we closed for a moment longer, and
nothing is opened for reading and for writing at the same time."""
_HINTS = {
    "sqlite_scanner": "it is an SQLite file; `connector: duckdb` takes DuckDB's",
    "Conflicting lock": "another program has it open; DuckDB lets one process in that writes",
    "not a valid DuckDB": "it is no DuckDB file, or damaged: restore a backup",
    "Corrupt": "it is damaged: restore a backup",
    "Could not read enough": "it is damaged: restore a backup",
    "Permission denied": "whoever runs sync-run must be allowed to read and to write it",
    "read-only": "whoever runs sync-run must be allowed to write it",
    "Read-only": "whoever runs sync-run must be allowed to write it",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A table in reach. Whoever asked for it closes the connection."""

    connection: duckdb.DuckDBPyConnection
    table: Table


class Storage(Protocol):
    """A place that keeps tables.

    Everything raises ``SystemUnavailableError`` where the place, or a table in it, is not there or
    cannot be used.
    """

    @property
    def where(self) -> str:
        """Its place."""
        ...

    def names(self) -> Sequence[str]:
        """Name all tables."""
        ...

    def find(self, entity: str) -> Table | None:
        """Describe a table; ``None`` where there is none of that name."""
        ...

    def open(self, entity: str) -> Opened:
        """Open a table for reading."""
        ...

    def change(self, entity: str, work: Callable[[Opened], Sequence[Outcome]]) -> Sequence[Outcome]:
        """Open a table for writing, let ``work`` change it, and keep what became of it.

        ``work`` may be called again, on what is there then: it keeps nothing itself.
        """
        ...


class Database:
    """A DuckDB file. It is open only while we read or write, so that others can use it as well.

    ``seed`` is an SQL script that makes the file where there is none.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        rules: Rules,
        seed: Path | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name, self._path, self._rules, self._seed = name, path, rules, seed
        self._sleep = sleep

    @property
    def where(self) -> str:
        """The path of the file."""
        return str(self._path)

    def names(self) -> Sequence[str]:
        """Name all tables."""
        with self._in_words(), self._connected(writing=False) as connection:
            return sorted(catalogue.places(connection))

    def find(self, entity: str) -> Table | None:
        """Describe a table, or ``schema.table``."""
        with self._in_words(), self._connected(writing=False) as connection:
            return self._table(connection, entity)

    def open(self, entity: str) -> Opened:
        """Open the file for reading; nobody can write it until the connection is closed."""
        with self._in_words():
            connection = self._connected(writing=False)
            try:
                return Opened(connection, self._there(connection, entity))
            except BaseException:
                connection.close()
                raise

    def change(self, entity: str, work: Callable[[Opened], Sequence[Outcome]]) -> Sequence[Outcome]:
        """Open the file for writing; what ``work`` commits is kept."""
        with self._in_words(), self._connected(writing=True) as connection:
            return work(Opened(connection, self._there(connection, entity)))

    def _connected(self, *, writing: bool) -> duckdb.DuckDBPyConnection:
        if self._seed is not None and not self._path.exists():
            self._made(self._seed)
        if not self._path.is_file():
            hint = "look at `url:`; `seed:` names an SQL script that makes one"
            raise SystemUnavailableError(self._name, f"there is no file {self._path}", hint=hint)
        pauses = iter(_PAUSES)
        while True:
            try:
                connection = duckdb.connect(self._path, read_only=not writing, config=_ALONE)
            except duckdb.ConnectionException as error:
                pause = next(pauses, None)
                if pause is None or _STILL_OPEN not in str(error):
                    raise
                self._sleep(pause)
            else:
                connection.execute(SETTINGS)
                return connection

    def _made(self, seed: Path) -> None:
        """Run the script into a file beside the one that is wanted, which is there whole or not."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        # A process of our number may have been killed here: in a container it always has the same.
        new.unlink(missing_ok=True)
        try:
            script = seed.read_text(encoding="utf-8")
            with duckdb.connect(new) as connection:
                connection.execute(SETTINGS)
                connection.execute(script)
            new.replace(self._path)
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise SystemUnavailableError(
                self._name, f"the seed {seed.name} fails: {first_line(error)}"
            ) from error
        finally:
            new.unlink(missing_ok=True)

    def _there(self, connection: duckdb.DuckDBPyConnection, entity: str) -> Table:
        found = self._table(connection, entity)
        if found is None:
            known = list(catalogue.places(connection))
            hint = nearest(entity, known) or f"there is: {', '.join(known) or 'none'}"
            raise SystemUnavailableError(self._name, f"there is no table '{entity}'", hint=hint)
        return found

    def _table(self, connection: duckdb.DuckDBPyConnection, entity: str) -> Table | None:
        where = catalogue.places(connection).get(entity)
        if where is None:
            return None
        columns, every = catalogue.columns(connection, *where)
        key = catalogue.primary_key(connection, *where)
        if not key and entity not in self._rules.keys:
            raise UnreadableError(f"{entity} has no primary key of one column")
        return catalogue.table(entity, quoted(*where), columns, every, self._rules, key)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        with in_words(self._name, self._path):
            yield


@contextmanager
def in_words(system: str, path: Path) -> Iterator[None]:
    """Say in words what DuckDB or the file system holds against a file."""
    try:
        yield
    except duckdb.Error as error:
        line = first_line(error)
        hint = next((hint for words, hint in _HINTS.items() if words in line), "")
        raise SystemUnavailableError(system, f"{path} cannot be used: {line}", hint=hint) from error
    except UnreadableError as error:
        raise SystemUnavailableError(system, f"{path.name}: {error}") from error
    except OSError as error:
        words = error.strerror or str(error)
        hint = next((hint for told, hint in _HINTS.items() if told in words), "")
        raise SystemUnavailableError(
            system, f"{path} cannot be used: {words}", hint=hint
        ) from error


def first_line(error: Exception) -> str:
    """Shorten what DuckDB says: below the first line it points into SQL that nobody knows."""
    return one_line((str(error).splitlines() or [type(error).__name__])[0])
