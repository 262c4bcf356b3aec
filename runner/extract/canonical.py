"""Raw rows as canonical ones: by SQL, and record by record where an expression leaves no choice."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from runner import dialect, expression
from runner.connectors.problems import one_line
from runner.errors import SystemUnavailableError
from runner.extract.pages import repeated
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.compile import CompiledMapping
    from runner.compile.snapshot import Reading, RowWise
    from runner.model import Side

_BATCH = 20_000


@contextmanager
def readable(system: str, entity: str) -> Iterator[None]:
    """Say whose fault it is that a value is none of its type.

    Raises:
        SystemUnavailableError: that of the system that sent it.

    """
    try:
        yield
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        first = one_line(str(error).splitlines()[0])
        raise SystemUnavailableError(
            system, f"{entity} holds a value that cannot be read: {first}"
        ) from error


def canonical(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    side: Side,
    source: str,
    target: str,
    *,
    looks: bool = True,
    temporary: bool = False,
) -> None:
    """Make the snapshot ``target`` from the raw rows of ``source`` (see ``Reading.snapshot``).

    Raises:
        SystemUnavailableError: records have the same key, but for how it is written.

    """
    reading = mapping.reading(side)
    computed = ""
    if reading.row_wise:
        computed = f'"computed {side.value}"'
        _compute(connection, reading, source, computed)
    made = mapping.snapshot(
        side, source=source, target=target, computed=computed, looks=looks, temporary=temporary
    )
    connection.execute(made.sql)
    if computed:
        connection.execute(f"DROP TABLE {computed}")
    if not temporary:
        _each_once(connection, mapping, side, source, target)


def _each_once(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    side: Side,
    source: str,
    target: str,
) -> None:
    """See that each key stands for one record: every join would take each of several for all.

    A file may have both é and e with an accent after it, which are one letter to us.
    """
    if not repeated(connection, target):
        return
    key = mapping.reading(side).key('"#key"')
    [(keys,)] = connection.execute(
        f"""SELECT list("#key" ORDER BY "#key")[:3] FROM {source}
        GROUP BY {key} HAVING count(*) > 1 ORDER BY min("#key") LIMIT 1"""
    ).fetchall()
    entity, shown = mapping.rule.entity(side), " and ".join(map(ascii, keys))
    raise SystemUnavailableError(
        entity.system,
        f"{entity.entity} has records whose keys are one, written differently: {shown}",
    )


def _compute(
    connection: duckdb.DuckDBPyConnection, reading: Reading, source: str, target: str
) -> None:
    """Evaluate by jmespath what has no SQL, into a table by key."""
    names = sorted({n for column in reading.row_wise for n in expression.fields_of(column.node)})
    kinds = {name: reading.entity.fields[name].type for name in names}
    fields = ", ".join(dialect.name(name) for name in names)
    shape = pa.schema(
        [("#key", pa.string())] + [(column.column, pa.string()) for column in reading.row_wise]
    )
    columns = ", ".join(column.columns for column in reading.row_wise)
    connection.register("evaluated", shape.empty_table())
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE {target} AS SELECT "#key", {columns} FROM evaluated'
    )
    query = connection.execute(f'SELECT "#key", {fields} FROM ({reading.canonical(source)})')
    batches = []
    # Read to its end before anything is inserted: an open result would be lost.
    while rows := query.fetchmany(_BATCH):
        batches.append(_evaluated(rows, names, kinds, reading.row_wise, shape))
    for batch in batches:
        connection.register("evaluated", batch)
        connection.execute(f'INSERT INTO {target} SELECT "#key", {columns} FROM evaluated')
    connection.unregister("evaluated")


def _evaluated(
    rows: list[tuple[Any, ...]],
    names: list[str],
    kinds: dict[str, Type],
    columns: tuple[RowWise, ...],
    shape: pa.Schema,
) -> pa.Table:
    records = [dict(zip(names, row[1:], strict=True)) for row in rows]
    found = {"#key": [row[0] for row in rows]}
    for column in columns:
        values = [expression.compute(column.node, record, kinds) for record in records]
        if column.kind is Type.BOOLEAN:
            values = [expression.truthy(value) for value in values]
        found[column.column] = [_text(value) for value in values]
    return pa.table(found, schema=shape)


def _text(value: Any) -> str | None:
    match value:
        case None | "" | [] | {}:
            return None
        case bool():
            return "true" if value else "false"
        case int() | float():
            return format(Decimal(str(value)), "f")
        case list():
            return ", ".join(text for item in value if (text := _text(item)) is not None)
        case _:
            return str(value)
