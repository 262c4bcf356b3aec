"""Writes that are of one kind and fill the same columns: a few statements for all of them.

One at a time, each looks for its row in the whole table: what took seconds for 1,000 rows would
take hours for a million.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from runner.connectors.tables.cells import TEXTUAL, quoted, text_of
from runner.connectors.tables.pages import of_page, page_of
from runner.wire import Drifted, Rejected, Type, WriteKind, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from runner.connectors.tables.cells import Column, Table
    from runner.connectors.tables.storage import Opened
    from runner.wire import Outcome, Page, Value, Write

FEW = 4
"""Writes that are done sooner one by one."""
_NAME = "sync-run incoming"
_INCOMING = quoted(_NAME)
"""What the writes say: their numbers, the keys they are about, and a column for each that is
filled, by its place. Named as no table names its own."""
_NUMBER, _KEY = ('i."#number"', 'i."#key"')
_AMONG = f"list_contains(?, {_NUMBER})"


def runs(table: Table, batch: Sequence[Write]) -> Iterator[list[Write]]:
    """Split a batch, in its order, into writes that can be done together."""
    for _, alike in groupby(batch, key=_shape):
        run: list[Write] = []
        keys: set[str] = set()
        for write in alike:
            key = wanted(table, write)
            if key in keys:
                yield run
                run, keys = [], set()
            run.append(write)
            keys.add(key)
        yield run


def possible(table: Table, run: Sequence[Write]) -> bool:
    """Whether there are statements for such writes; whatever else there is goes one by one."""
    return (
        len(run) >= FEW
        and not table.hides_rows
        and table.key.type in (*TEXTUAL, Type.INTEGER)
        and all(name in table.columns for name in run[0].values)
        and all(wanted(table, write) for write in run)
    )


def carried_out(opened: Opened, run: Sequence[Write], now: datetime) -> list[Outcome]:
    """Carry out such writes, within a transaction, and say what came of each.

    Raises:
        duckdb.Error: one of them breaks a rule of the table, or is not what it seems.

    """
    table, kind = opened.table, run[0].kind
    stamp = {table.modified: now} if table.modified and kind is not WriteKind.DELETE else {}
    filled: list[dict[str, Value]] = [{**write.values, **stamp} for write in run]
    if kind is WriteKind.CREATE:
        for write, values in zip(run, filled, strict=True):
            values[table.key.name] = write.key or values[table.key.name]
    columns = [table.columns[name] for name in filled[0]]
    opened.connection.register(_NAME, _incoming(table, run, columns, filled))
    try:
        if kind is WriteKind.CREATE:
            return _created(opened, run, columns)
        return _changed(opened, run, columns)
    finally:
        opened.connection.unregister(_NAME)


def wanted(table: Table, write: Write) -> str:
    """Return the key of the row that a write is about, as ``Table.key.key`` has it; empty: none."""
    key = write.key
    if key is None and write.kind is WriteKind.CREATE:
        key = text_of(write.values.get(table.key.name))
    if not key:
        return ""
    if table.key.type is Type.INTEGER:
        return str(int(key)) if key.removeprefix("-").isdecimal() and key.isascii() else ""
    return table.key.wanted(key)


def _shape(write: Write) -> tuple[object, ...]:
    return write.kind, tuple(sorted(write.values)), write.returning


def _incoming(
    table: Table,
    run: Sequence[Write],
    columns: Sequence[Column],
    filled: Sequence[Mapping[str, Value]],
) -> pa.Table:
    given = {
        f"#{n}": pa.array([column.given(values[column.name]) for values in filled], pa.string())
        for n, column in enumerate(columns)
    }
    keys = pa.array([wanted(table, write) for write in run], pa.string())
    return pa.table({"#number": range(len(run)), "#key": keys, **given})


def _created(opened: Opened, run: Sequence[Write], columns: Sequence[Column]) -> list[Outcome]:
    table, found = opened.table, _found(opened)
    new = [n for n in range(len(run)) if n not in found]
    names = ", ".join(quoted(column.name) for column in columns)
    places = ", ".join(column.placed_from(_cell(n)) for n, column in enumerate(columns))
    opened.connection.execute(
        f"""INSERT INTO {table.source} ({names}) SELECT {places} FROM {_INCOMING} i
        WHERE {_AMONG} ORDER BY {_NUMBER}""",
        [new],
    ).fetchall()
    pages = _read(opened, run, new)
    outcomes: list[Outcome] = []
    for n, write in enumerate(run):
        if page := pages.get(n):
            outcomes.append(Written(key=page.keys[0], page=page))
            continue
        key = write.key or write.values[table.key.name]
        outcomes.append(taken(table, key))
    return outcomes


def _changed(opened: Opened, run: Sequence[Write], columns: Sequence[Column]) -> list[Outcome]:
    """Change or delete rows; of those that are not there, twice there, or others, say so."""
    table, found, deletes = opened.table, _found(opened), run[0].kind is WriteKind.DELETE
    refused = {
        n: why
        for n, write in enumerate(run)
        if (why := refusal(table, write, [etag for _, etag in found.get(n, ())]))
    }
    sure = [n for n in range(len(run)) if n not in refused]
    rows = [found[n][0][0] for n in sure]
    if deletes:
        opened.connection.execute(
            f"DELETE FROM {table.source} WHERE list_contains(?, rowid)", [rows]
        ).fetchall()
        return [refused.get(n) or Written(key=write.key or "") for n, write in enumerate(run)]
    if columns:
        places = ", ".join(
            f"{quoted(column.name)} = {column.placed_from(_cell(n))}"
            for n, column in enumerate(columns)
        )
        # Without RETURNING: it would make DuckDB delete the row first, which foreign keys forbid.
        opened.connection.execute(
            f"""UPDATE {table.source} AS t SET {places}
            FROM (SELECT unnest(?) AS "#sure", unnest(?) AS "#row") s
                JOIN {_INCOMING} i ON {_NUMBER} = s."#sure"
            WHERE s."#row" = t.rowid""",
            [sure, rows],
        ).fetchall()
    pages = _read(opened, run, sure)
    return [refused.get(n) or Written(key=pages[n].keys[0], page=pages[n]) for n in range(len(run))]


def taken(table: Table, key: Value) -> Rejected:
    """Say that a new row cannot have that key."""
    message = f"{table.name} has a row '{text_of(key)}' already"
    return Rejected(code="", message=message, duplicate=True)


def refusal(table: Table, write: Write, etags: Sequence[str]) -> Outcome | None:
    """Say why a row cannot be changed, by the ETags of all that have its key; ``None``: it can."""
    key = write.key or ""
    if not etags:
        return Rejected(code="", message=f"{table.name} has no row '{key}'", missing=True)
    if len(etags) > 1:
        return Rejected(code="", message=f"{len(etags)} rows of {table.name} have the key '{key}'")
    if write.etag is not None and write.etag != etags[0]:
        return Drifted(message=f"'{key}' of {table.name} changed meanwhile")
    return None


def _found(opened: Opened) -> dict[int, list[tuple[int, str]]]:
    """Find the rows of all keys: by number of the write where they are, and their ETags."""
    table = opened.table
    rows = opened.connection.execute(
        f"""SELECT {_NUMBER}, t.rowid, {table.etag} FROM {table.source} t
        JOIN {_INCOMING} i ON {table.key.is_that_of(_KEY)} ORDER BY ALL"""
    ).fetchall()
    return {
        number: [(row, etag) for _, row, etag in some]
        for number, some in groupby(rows, key=lambda found: int(found[0]))
    }


def _read(opened: Opened, run: Sequence[Write], numbers: Sequence[int]) -> dict[int, Page]:
    """Read what was written, by number.

    Raises:
        duckdb.DataError: a row is not to be found by the key that it was given.

    """
    table, fields = opened.table, run[0].returning
    rows = opened.connection.execute(
        f"""SELECT {_NUMBER}, {of_page(table, fields)} FROM {table.source} t
        JOIN {_INCOMING} i ON {table.key.is_that_of(_KEY)} WHERE {_AMONG}""",
        [list(numbers)],
    ).fetchall()
    if sorted(number for number, *_ in rows) != list(numbers):
        raise duckdb.DataError("a row is not found by the key that it was given")
    return {number: page_of([tuple(row)], fields) for number, *row in rows}


def _cell(number: int) -> str:
    return f'i."#{number}"'
