"""Rows on their way into a table: one INSERT that goes on for as long as they come."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROWS = 4_000
"""Rows that go in together: smaller pages are put together first."""
_WAITING = 4
"""Batches that may wait to be taken in. More would lie in memory that was never used before, and
be out of the processor's caches by the time they are wanted (``tests/bench/profiles.md``)."""
_IN_TURN = 'UNION ALL BY NAME SELECT NULL AS "#key" FROM repeat(NULL, 0)'
"""Adds no row. But DuckDB cannot number the batches of ``repeat``, so it appends what comes as it
comes, in the place of letting threads make a small table of every batch and copying them together:
a quarter less work in all (``tests/bench/profiles.md``)."""


class Inflow:
    """Takes batches into a table, in their order, while the next ones arrive.

    The columns of a batch may be of other types than those of the one before it. Whoever makes one
    closes it, also when called off: what was not ``taken`` by then may be in the table or not.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        self._connection, self._table = connection, table
        self._waiting = list[pa.RecordBatch]()
        self._inserting: _Insert | None = None

    async def put(self, batch: pa.RecordBatch) -> None:
        """Hand a batch over, as soon as there is room for it.

        Raises:
            duckdb.Error: this or an earlier one does not fit the table.

        """
        if not batch.num_rows:
            return
        held = [*self._waiting, *filter(None, (self._inserting,))]
        if any(one.schema != batch.schema for one in held):
            await self.taken()
        self._waiting.append(batch)
        if sum(one.num_rows for one in self._waiting) >= _ROWS:
            self._inserting = self._inserting or _Insert(
                self._connection, self._table, batch.schema
            )
            await self._inserting.put(self._together())

    async def taken(self) -> None:
        """Wait until everything that was handed over is in the table.

        Raises:
            duckdb.Error: something does not fit the table.

        """
        inserting, self._inserting = self._inserting, None
        try:
            if self._waiting and inserting:
                await inserting.put(self._together())
            elif self._waiting:
                # Few rows are in before a thread has begun.
                self._connection.register("incoming", self._together())
                self._connection.execute(f"INSERT INTO {self._table} SELECT * FROM incoming")
                self._connection.unregister("incoming")
        finally:
            if inserting:
                await inserting.end()

    async def aclose(self) -> None:
        """Stop taking in."""
        if self._inserting:
            with suppress(duckdb.Error):
                await self._inserting.end()

    def _together(self) -> pa.RecordBatch:
        waiting, self._waiting = self._waiting, []
        if len(waiting) == 1:
            return waiting[0]
        [whole] = pa.Table.from_batches(waiting).combine_chunks().to_batches()
        return whole


class _Insert:
    """One INSERT in a thread of its own, over a cursor: the connection stays free."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema
    ) -> None:
        self.schema = schema
        self._coming = SimpleQueue[pa.RecordBatch | None]()
        self._room = asyncio.Semaphore(_WAITING)
        # The loop's own threads could all be waiting here, with none left to decode what comes.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inflow")
        loop = asyncio.get_running_loop()
        coming = _until_end(self._coming, partial(loop.call_soon_threadsafe, self._room.release))
        rows = pa.RecordBatchReader.from_batches(schema, coming)
        # Nothing that runs there knows this object: an error would keep it, and the cursor, alive.
        self._done = loop.run_in_executor(self._thread, _insert, connection.cursor(), table, rows)

    async def put(self, batch: pa.RecordBatch) -> None:
        room = asyncio.ensure_future(self._room.acquire())
        either: set[asyncio.Future[Any]] = {room, self._done}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.cancel()
        if self._done.done():
            self._done.result()
        self._coming.put(batch)

    async def end(self) -> None:
        self._coming.put(None)
        try:
            await asyncio.wait({self._done})
        finally:
            # Whoever is called off leaves nothing running on a connection that is about to close.
            await asyncio.wait({self._done})
            self._thread.shutdown()
        self._done.result()


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, rows: pa.RecordBatchReader) -> None:
    with cursor:
        cursor.register("incoming", rows)
        cursor.execute(f"INSERT INTO {table} FROM incoming {_IN_TURN}")


def _until_end(
    coming: SimpleQueue[pa.RecordBatch | None], taken: Callable[[], object]
) -> Iterator[pa.RecordBatch]:
    while (batch := coming.get()) is not None:
        taken()
        yield batch
