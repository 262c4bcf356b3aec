"""The mirror: what the systems held when they were last looked at, in a file beside the state.

It is a cache. Whoever loses it loses time: the next incremental run reads everything again. Rows
and the token that they belong to are written in one transaction, so that a run that dies has
either taken what it read in, or will read it again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from runner import dialect
from runner.compile.tables import COUPLING, KEY, PENDING
from runner.errors import RunnerError, leaves
from runner.model import Side
from runner.state import couplings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_VERSION = "1"
_DDL = f"""
CREATE TABLE mirror.main.version ("value" VARCHAR NOT NULL);
INSERT INTO mirror.main.version VALUES ('{_VERSION}');
CREATE TABLE mirror.main.side (
    mapping VARCHAR NOT NULL, side VARCHAR NOT NULL, "table" VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL, token VARCHAR NOT NULL, newest TIMESTAMP, scanned TIMESTAMP);
CREATE TABLE mirror.main.pending (
    mapping VARCHAR NOT NULL, side VARCHAR NOT NULL, "key" VARCHAR NOT NULL);
CREATE TABLE mirror.main."open" (
    mapping VARCHAR NOT NULL, left_key VARCHAR, right_key VARCHAR, status VARCHAR NOT NULL);
CREATE TABLE mirror.main.judged (
    mapping VARCHAR NOT NULL, meaning VARCHAR NOT NULL, state VARCHAR NOT NULL);
CREATE SCHEMA mirror."rows";
"""
"""``side`` says of each side that is kept in which table of ``rows`` it is, how it was read
(``fingerprint``), and where the next time begins: with a ``token``, or with the ``newest`` moment
of change; ``scanned`` is when all keys were last looked at. ``open`` holds how records stand that
are not simply unchanged, as of the ``state`` (a digest) that ``judged`` names, and ``pending`` the
keys of what changed since that was found out."""


_DAMAGE = (
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.FatalException,
    duckdb.InternalException,
)
"""What DuckDB raises where a file is not as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One side as the mirror keeps it.

    ``relation`` is the SQL name of its rows; ``token`` is empty, ``newest`` and ``scanned`` are
    ``None`` where there is none. Moments are UTC; ``newest`` is the system's own, ``scanned`` ours.
    """

    table: str
    fingerprint: str
    token: str = ""
    newest: datetime | None = None
    scanned: datetime | None = None

    @property
    def relation(self) -> str:
        """The SQL name of the rows."""
        return dialect.name("mirror", "rows", self.table)


@contextmanager
def attached(
    connection: duckdb.DuckDBPyConnection, path: Path, mappings: Collection[str]
) -> Iterator[None]:
    """Attach the mirror as ``mirror`` for the time of the block; it is made if there is none.

    One that is damaged, or was written by another version, is begun anew. What it holds of other
    than these mappings is dropped.

    Raises:
        RunnerError: it turned out to be damaged in the middle of the run, and was removed.

    """
    if not _usable(connection, path):
        remove(path)
        try:
            connection.execute(f"ATTACH {dialect.text(str(path))} AS mirror (TYPE duckdb)")
        except duckdb.IOException as error:
            raise RunnerError(f"{path} cannot be made: {str(error).splitlines()[0]}") from error
        connection.execute(_DDL)
    path.chmod(0o600)
    # The run's own file may be lost with the machine; this one is to be whole or not to be.
    connection.execute("SET fsync_mode = 'STANDARD'")
    try:
        _tidy(connection, mappings)
        yield
    except Exception as error:
        suspects = [one for one in leaves(error) if isinstance(one, _DAMAGE)]
        if suspects:
            # Whoever is to blame: to read everything again costs time, and nothing else.
            remove(path)
        if any(str(path) in str(one) for one in suspects):
            raise RunnerError(
                f"{path} is damaged and was removed", hint="run again: everything is read anew"
            ) from error
        raise
    connection.execute("CHECKPOINT mirror")
    connection.execute("DETACH mirror")


def remove(path: Path) -> None:
    """Remove a mirror. The next incremental run reads everything."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)


def known(connection: duckdb.DuckDBPyConnection, mapping: str, side: Side) -> Known | None:
    """Return what the mirror knows of a side; ``None`` where it was never kept."""
    rows = connection.execute(
        """SELECT "table", fingerprint, token, newest, scanned FROM mirror.main.side
        WHERE mapping = ? AND side = ?""",
        [mapping, side.value],
    ).fetchall()
    if not rows:
        return None
    [(table, fingerprint, token, newest, scanned)] = rows
    return Known(
        table=table,
        fingerprint=fingerprint,
        token=token,
        newest=_utc(newest),
        scanned=_utc(scanned),
    )


def put(connection: duckdb.DuckDBPyConnection, mapping: str, side: Side, told: Known) -> None:
    """Say how a side is kept from now on, in the caller's transaction."""
    forget(connection, mapping, side)
    connection.execute(
        "INSERT INTO mirror.main.side VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            mapping,
            side.value,
            told.table,
            told.fingerprint,
            told.token,
            _naive(told.newest),
            _naive(told.scanned),
        ],
    )


def forget(connection: duckdb.DuckDBPyConnection, mapping: str, side: Side) -> None:
    """Forget how a side is kept, in the caller's transaction."""
    connection.execute(
        "DELETE FROM mirror.main.side WHERE mapping = ? AND side = ?", [mapping, side.value]
    )


def unjudged(connection: duckdb.DuckDBPyConnection, mapping: str) -> None:
    """Forget how a mapping's records stand, in the caller's transaction: all are judged anew."""
    connection.execute("DELETE FROM mirror.main.judged WHERE mapping = ?", [mapping])


def judged(connection: duckdb.DuckDBPyConnection, mapping: str) -> tuple[str, str]:
    """Return for which meaning and which state it is known how records stand; empty: for none."""
    rows = connection.execute(
        "SELECT meaning, state FROM mirror.main.judged WHERE mapping = ?", [mapping]
    ).fetchall()
    return rows[0] if rows else ("", "")


@contextmanager
def accounted(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """Tell the mirror what an apply does to the couplings in this block.

    ``connection`` is the state's, with the plan attached. The records of the plan's actions are
    looked at again by the next run, and if no other coupling moved, no others. A block that does
    not end leaves the mirror as it was: then the next run sees that couplings moved.
    """
    if not _usable(connection, path):
        yield
        return
    names = connection.execute("SELECT DISTINCT mapping FROM mirror.main.judged").fetchall()
    known = [n for (n,) in names if judged(connection, n)[1] == couplings.digest(connection, n)]
    before = {name: _beside_the_plan(connection, name) for name in known}
    yield
    connection.execute("BEGIN")
    for name in known:
        if before[name] != _beside_the_plan(connection, name):
            unjudged(connection, name)
            continue
        for side in Side:
            connection.execute(
                f"INSERT INTO mirror.main.pending SELECT $name, '{side.value}', * FROM "
                f"({_planned(side)})",
                {"name": name},
            )
        connection.execute(
            "UPDATE mirror.main.judged SET state = ? WHERE mapping = ?",
            [couplings.digest(connection, name), name],
        )
    connection.execute("COMMIT; DETACH mirror")


def _planned(side: Side) -> str:
    return f"""SELECT DISTINCT {side.value}_key FROM plan."action" WHERE mapping = $name
    AND {side.value}_key IS NOT NULL AND NOT starts_with({side.value}_key, '{PENDING}')"""


def _beside_the_plan(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[int, int | None]:
    """Return a digest of the couplings that the plan does not speak of."""
    [found] = connection.execute(
        f"""SELECT count(*), bit_xor(hash(left_hash, right_hash)) FROM {COUPLING}
        WHERE mapping = $name AND left_key NOT IN ({_planned(Side.LEFT)})
            AND right_key NOT IN ({_planned(Side.RIGHT)})""",
        {"name": name},
    ).fetchall()
    count, hashed = found
    return count, hashed


def indexed(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Let the rows of a table be found by their keys."""
    name, relation = dialect.name(f"{table} by key"), dialect.name("mirror", "rows", table)
    connection.execute(f"CREATE INDEX {name} ON {relation} ({KEY})")


def _tidy(connection: duckdb.DuckDBPyConnection, mappings: Collection[str]) -> None:
    """Drop what is kept of mappings that are none any more."""
    kept = connection.execute('SELECT DISTINCT mapping, "table" FROM mirror.main.side').fetchall()
    for mapping, table in kept:
        if mapping in mappings:
            continue
        connection.execute("BEGIN")
        connection.execute(f"DROP TABLE IF EXISTS {dialect.name('mirror', 'rows', table)}")
        for about in ("side", "pending", "open", "judged"):
            connection.execute(f'DELETE FROM mirror.main."{about}" WHERE mapping = ?', [mapping])
        connection.execute("COMMIT")


def _usable(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        connection.execute(f"ATTACH {dialect.text(str(path))} AS mirror (TYPE duckdb)")
    except duckdb.Error:
        return False
    try:
        told = connection.execute('SELECT "value" FROM mirror.main.version').fetchall()
    except duckdb.Error:
        told = []
    if told == [(_VERSION,)]:
        return True
    connection.execute("DETACH mirror")
    return False


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
