"""Records of one sandbox system in a SQLite file: rows by entity and key, each with a version."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DDL = """
CREATE TABLE IF NOT EXISTS record (
    entity TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (entity, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deleted (
    entity TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (entity, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One record. ``version`` is a number of its system's that grows with every write."""

    key: str
    version: int
    body: Body


@dataclass(frozen=True, slots=True)
class Store:
    """The records of one system; all calls belong to the transaction they are made in."""

    connection: sqlite3.Connection

    def get(self, entity: str, key: str) -> Row | None:
        """Return a record."""
        found = self.connection.execute(
            "SELECT key, version, body FROM record WHERE entity = ? AND key = ?", (entity, key)
        ).fetchone()
        return _row(found) if found else None

    def rows(self, entity: str, after: str = "") -> Iterator[Row]:
        """Yield the records of an entity in the order of their keys, beyond a key."""
        query = "SELECT key, version, body FROM record WHERE entity = ? AND key > ? ORDER BY key"
        for found in self.connection.execute(query, (entity, after)):
            yield _row(found)

    def put(self, entity: str, key: str, body: Body) -> Row:
        """Write a record, new or not; its version moves."""
        row = Row(key, self.next("version"), body)
        self.connection.execute(
            "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)",
            (entity, key, row.version, _ENCODER.encode(body)),
        )
        self.connection.execute("DELETE FROM deleted WHERE entity = ? AND key = ?", (entity, key))
        return row

    def delete(self, entity: str, key: str) -> None:
        """Remove a record; that it was removed is remembered, with a version of its own."""
        self.connection.execute("DELETE FROM record WHERE entity = ? AND key = ?", (entity, key))
        self.connection.execute(
            "INSERT OR REPLACE INTO deleted VALUES (?, ?, ?)", (entity, key, self.next("version"))
        )

    def changed(self, entity: str, after: int, until: int) -> Iterator[Row]:
        """Yield the records written after a version and up to another, by version."""
        query = """SELECT key, version, body FROM record
            WHERE entity = ? AND version > ? AND version <= ? ORDER BY version"""
        for found in self.connection.execute(query, (entity, after, until)):
            yield _row(found)

    def removed(self, entity: str, after: int, until: int) -> Iterator[tuple[str, int]]:
        """Yield the keys removed after a version and up to another, with their versions."""
        query = """SELECT key, version FROM deleted
            WHERE entity = ? AND version > ? AND version <= ? ORDER BY version"""
        yield from self.connection.execute(query, (entity, after, until))

    def version(self) -> int:
        """Return the version of what was written last."""
        found = self.connection.execute("SELECT value FROM counter WHERE name = 'version'")
        row = found.fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def savepoint(self, *, kept: bool = False) -> Iterator[None]:
        """Undo what was written inside if an error passes; ``kept``: do not."""
        self.connection.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            if not kept:
                self.connection.execute("ROLLBACK TO inner")
            raise
        finally:
            self.connection.execute("RELEASE inner")

    def next(self, name: str, *, at_least: int = 0) -> int:
        """Count: return the next number of a series."""
        ((value,),) = self.connection.execute(
            """INSERT INTO counter VALUES (?, max(1, ?))
            ON CONFLICT (name) DO UPDATE SET value = max(value + 1, ?) RETURNING value""",
            (name, at_least, at_least),
        ).fetchall()
        return int(value)

    def is_new(self) -> bool:
        """Whether nothing was ever written here."""
        return self.connection.execute("SELECT 1 FROM counter LIMIT 1").fetchone() is None


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """Hold one transaction on a file; it is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_DDL)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield Store(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    finally:
        connection.close()


def encode(document: Any) -> bytes:
    """Write JSON; decimals as numbers, digit for digit."""
    return _ENCODER.encode(document)


def decode(content: bytes) -> Any:
    """Read JSON; numbers with a fraction as decimals. Raises ``msgspec.DecodeError``."""
    return _DECODER.decode(content)


def _row(found: tuple[str, int, bytes]) -> Row:
    return Row(found[0], found[1], _DECODER.decode(found[2]))
