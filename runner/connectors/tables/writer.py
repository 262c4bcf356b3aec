"""Writes to one table: each checked against the row that is there, all of them in a transaction."""

from __future__ import annotations

import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

from runner.connectors.tables import many
from runner.connectors.tables.cells import quoted
from runner.connectors.tables.pages import of_page, page_of
from runner.connectors.tables.storage import first_line
from runner.wire import Drifted, Rejected, Type, Unknown, WriteKind, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from runner.connectors.tables.storage import Opened
    from runner.wire import Outcome, Value, Write

_OF_A_RECORD = (duckdb.IntegrityError, duckdb.DataError, duckdb.ProgrammingError)
"""What DuckDB raises for what a write says, not for what the file is."""


def carried_out(opened: Opened, batch: Sequence[Write], now: datetime) -> list[Outcome]:
    """Carry out writes in one transaction, and say what came of each.

    A row that breaks a rule of its table breaks the transaction, too: then each half of the
    writes gets one of its own, until the row stands alone.
    """
    try:
        with _transaction(opened.connection):
            return _all(opened, batch, now)
    except (*_OF_A_RECORD, duckdb.TransactionException) as error:
        if len(batch) == 1:
            return [_refused(batch[0], error)]
        half = len(batch) // 2
        return [part for b in (batch[:half], batch[half:]) for part in carried_out(opened, b, now)]
    except duckdb.Error as error:
        return [Unknown(message=first_line(error))] * len(batch)


def _all(opened: Opened, batch: Sequence[Write], now: datetime) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for run in many.runs(opened.table, batch):
        if many.possible(opened.table, run):
            outcomes += many.carried_out(opened, run, now)
        else:
            outcomes += [_one(opened, write, now) for write in run]
    return outcomes


def _one(opened: Opened, write: Write, now: datetime) -> Outcome:
    connection, table = opened.connection, opened.table
    if table.hides_rows:
        words = f"{table.name} has a column 'rowid', which hides DuckDB's own: no row is certain"
        return Rejected(code="", message=words)
    unknown = next((name for name in write.values if name not in table.columns), "")
    if unknown:
        return Rejected(code="", message=f"{table.name} has no field '{unknown}'")
    values = dict(write.values)
    if table.modified and write.kind is not WriteKind.DELETE:
        values[table.modified] = now
    if write.kind is WriteKind.CREATE:
        return _created(opened, write, values)
    key = write.key or ""
    found = _found(opened, key)
    if refused := many.refusal(table, write, [etag for _, etag in found]):
        return refused
    [(row, _)] = found
    if write.kind is WriteKind.DELETE:
        connection.execute(f"DELETE FROM {table.source} WHERE rowid = ?", [row]).fetchall()
        return Written(key=key)
    if values:
        places = ", ".join(f"{quoted(n)} = {table.columns[n].placed}" for n in values)
        given = [table.columns[name].given(value) for name, value in values.items()]
        # Without RETURNING: it would make DuckDB delete the row first, which foreign keys forbid.
        connection.execute(
            f"UPDATE {table.source} SET {places} WHERE rowid = ?", [*given, row]
        ).fetchall()
    selected = of_page(table, write.returning)
    sql = f"SELECT {selected} FROM {table.source} WHERE {table.key.equals}"
    return _written(opened, write, sql, [table.key.wanted(key)])


def _created(opened: Opened, write: Write, values: Mapping[str, Value]) -> Outcome:
    table = opened.table
    key = write.key or values.get(table.key.name)
    if key is None and not table.key.filled:
        key = _chosen(opened)
        if key is None:
            message = f"a new row of {table.name} needs its {table.key.name}"
            return Rejected(code="", message=f"{message}, and no field gives it")
    if key is not None:
        if _found(opened, key):
            return many.taken(table, key)
        values = {**values, table.key.name: key}
    names = ", ".join(quoted(name) for name in values)
    places = ", ".join(table.columns[name].placed for name in values)
    given = [table.columns[name].given(value) for name, value in values.items()]
    content = f"({names}) VALUES ({places})" if values else "DEFAULT VALUES"
    sql = f"INSERT INTO {table.source} {content} RETURNING {of_page(table, write.returning)}"
    return _written(opened, write, sql, given)


def _chosen(opened: Opened) -> str | None:
    """Choose a key: the number after the highest, or a GUID; no other type has a next one."""
    table = opened.table
    match table.key.type:
        case Type.INTEGER:
            [(highest,)] = opened.connection.execute(
                f"SELECT coalesce(max({table.key.value}), 0) FROM {table.source}"
            ).fetchall()
            return str(highest + 1)
        case Type.GUID | Type.TEXT:
            return str(uuid.uuid4())
        case _:
            return None


def _found(opened: Opened, key: Value) -> list[tuple[int, str]]:
    """Find the rows of a key: where they are, and their ETags."""
    table = opened.table
    return opened.connection.execute(
        f"SELECT rowid, {table.etag} FROM {table.source} WHERE {table.key.equals}",
        [table.key.wanted(key)],
    ).fetchall()


def _written(
    opened: Opened, write: Write, sql: str, parameters: Sequence[str | int | None]
) -> Written:
    page = page_of(opened.connection.execute(sql, parameters).fetchall(), write.returning)
    return Written(key=page.keys[0], page=page)


def _refused(write: Write, error: duckdb.Error) -> Outcome:
    """Say in DuckDB's words why a row was refused, or that somebody else just wrote it."""
    if isinstance(error, duckdb.TransactionException):
        return Drifted(message=first_line(error))
    kind, _, message = first_line(error).partition(": ")
    twice = write.kind is WriteKind.CREATE and message.startswith("Duplicate key")
    return Rejected(code=kind, message=message or kind, duplicate=twice)


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A commit that failed has ended the transaction already.
        with suppress(duckdb.TransactionException):
            connection.execute("ROLLBACK")
        raise
