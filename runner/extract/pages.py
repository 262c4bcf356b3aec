"""Pages from a system as typed Arrow batches in a raw table."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import pyarrow as pa

from runner import dialect
from runner.events import RowsRead
from runner.extract.inflow import Inflow
from runner.wire import Page, Type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    import duckdb

    from runner.connectors.protocol import Connector
    from runner.events import Tell
    from runner.wire import WireQuery

_RAW = ("#key", "#etag")
_ARROW = {Type.INTEGER: pa.int64(), Type.BOOLEAN: pa.bool_()}


def schema(columns: Mapping[str, Type]) -> pa.Schema:
    """Return the Arrow schema of raw rows: key, ETag, then the fields (see ``wire.Page``)."""
    return pa.schema(
        [(name, pa.string()) for name in _RAW]
        + [(name, _ARROW.get(kind, pa.string())) for name, kind in columns.items()]
    )


def batch(pages: Sequence[Page], columns: Mapping[str, Type]) -> pa.Table:
    """Put many small pages together into one Arrow table of raw rows, in one piece."""
    whole = Page(
        keys=[key for page in pages for key in page.keys],
        etags=[etag for page in pages for etag in page.etags],
        columns={name: [v for page in pages for v in page.columns[name]] for name in columns},
    )
    return pa.Table.from_batches([_arrow(whole, schema(columns))])


def _arrow(page: Page, shape: pa.Schema) -> pa.RecordBatch:
    key, etag, *fields = shape
    return pa.record_batch(
        [
            pa.array(page.keys, key.type),
            pa.array(page.etags, etag.type),
            *(pa.array(page.columns[field.name], field.type) for field in fields),
        ],
        schema=shape,
    )


def _as_it_came(page: Page, columns: Mapping[str, Type]) -> pa.RecordBatch:
    """Return a page as Arrow; decimals that did not come as texts stay what they are."""
    shape = schema(columns)
    for n, name in enumerate(columns, len(_RAW)):
        told = page.columns[name]
        if columns[name] is Type.DECIMAL and hasattr(told, "__arrow_array__"):
            shape = shape.set(n, pa.field(name, pa.array(told).type))
    return _arrow(page, shape)


async def pull(
    connector: Connector,
    query: WireQuery,
    columns: Mapping[str, Type],
    connection: duckdb.DuckDBPyConnection,
    table: str,
    tell: Tell,
    told: RowsRead,
) -> int:
    """Read everything the query asks for into a raw table; return the number of rows.

    All that fill raw tables raise DuckDB's error where a value is none of its type (``readable``).
    A record that came twice because it moved while paging is kept once, as it was last read.
    """
    empty(connection, table, columns)

    def read(rows: int) -> None:
        tell(RowsRead(mapping=told.mapping, system=told.system, entity=told.entity, rows=rows))

    rows = await append(connector, query, columns, connection, table, read)
    done = RowsRead(
        mapping=told.mapping, system=told.system, entity=told.entity, rows=rows, done=True
    )
    tell(done)
    return rows


def empty(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, Type]) -> None:
    """Make a raw table without rows, in the place of whatever has its name."""
    kinds = {
        **dict.fromkeys(_RAW, "VARCHAR"),
        **{name: dialect.raw_type(kind) for name, kind in columns.items()},
    }
    shape = ", ".join(f"{dialect.name(name)} {kind}" for name, kind in kinds.items())
    connection.execute(f"CREATE OR REPLACE TABLE {table} ({shape})")


async def append(
    connector: Connector,
    query: WireQuery,
    columns: Mapping[str, Type],
    connection: duckdb.DuckDBPyConnection,
    table: str,
    read: Callable[[int], None] = lambda _: None,
) -> int:
    """Read what the query asks for into a raw table that is there; return the number of rows."""
    rows = await gather(connector.pages(query), columns, connection, table, read)
    keep_last(connection, table)
    return rows


async def gather(
    pages: AsyncIterator[Page],
    columns: Mapping[str, Type],
    connection: duckdb.DuckDBPyConnection,
    table: str,
    read: Callable[[int], None] = lambda _: None,
) -> int:
    """Take pages into a raw table that is there, in their order; return how many rows came."""
    rows = 0
    async with aclosing(Inflow(connection, table)) as inflow:
        async for page in pages:
            # Pages wait as Arrow, which takes a fifth of the memory of Python's texts.
            await inflow.put(_as_it_came(page, columns))
            rows += len(page.keys)
            read(rows)
        await inflow.taken()
    return rows


def repeated(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Count the rows whose key another row has, too, but for one of each."""
    [(rows,)] = connection.execute(
        f'SELECT count(*) - count(DISTINCT "#key") FROM {table}'
    ).fetchall()
    return int(rows)


def keep_last(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Keep a record that came more than once as it was last read."""
    if repeated(connection, table):
        connection.execute(
            f"""DELETE FROM {table} WHERE rowid NOT IN
            (SELECT max(rowid) FROM {table} GROUP BY "#key")"""
        )
