"""Any tables: a DuckDB file, or a folder of CSV, JSON and Parquet files."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import duckdb

from runner.connectors.tables import writer as table_writer
from runner.connectors.tables.cells import TEXTUAL, literal, text_of
from runner.connectors.tables.pages import of_page, page_of
from runner.connectors.tables.storage import first_line
from runner.errors import SystemUnavailableError
from runner.wire import Capabilities, Greeting, Unknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from runner.connectors.tables.cells import Table
    from runner.connectors.tables.storage import Opened, Storage
    from runner.wire import EntityType, Outcome, Page, WireQuery, Write

PAGE_SIZE = 5_000


def _now() -> datetime:
    return datetime.now(UTC)


class Tables:
    """A ``Connector`` to the tables of one storage. One thing at a time, off the event loop."""

    def __init__(
        self,
        name: str,
        storage: Storage,
        *,
        page_size: int = PAGE_SIZE,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._name, self._storage = name, storage
        self._page_size, self._now = page_size, now
        self._known: dict[str, Table] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Keys may be chosen where every table described has a key that can hold a GUID.

        Else each create leaves its key to the table: a GUID, the number after the highest, or
        what the table fills in by itself.
        """
        keys = [table.key for table in self._known.values()]
        guids = all(key.type in TEXTUAL and not key.filled for key in keys)
        return Capabilities(client_keys=bool(keys) and guids, concurrency=1)

    async def greet(self) -> Greeting:
        """Say where the tables are; they are as much ours as their files."""
        await asyncio.to_thread(self._storage.names)
        return Greeting(where=self._storage.where, who="the user of this process")

    async def entities(self) -> Sequence[str]:
        """Name all tables."""
        return await asyncio.to_thread(self._storage.names)

    async def count(self, entity: str) -> int | None:
        """Count the rows of a table."""
        opened = await asyncio.to_thread(self._storage.open, entity)
        with closing(opened.connection) as connection:
            sql = f"SELECT count(*) FROM {opened.table.source}"
            [(rows,)] = (await asyncio.to_thread(connection.execute, sql)).fetchall()
        return int(rows)

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Read what the tables say of themselves, and the project of them."""
        for entity in entities:
            found = await asyncio.to_thread(self._storage.find, entity)
            if found is not None:
                self._known[entity] = found
        return [self._known[name].type for name in entities if name in self._known]

    def explain(self, query: WireQuery) -> str:
        """Say how the rows are asked for."""
        table = self._known.get(query.entity)
        if table is None:
            return f"SELECT * FROM {query.entity}"
        try:
            conditions = self._conditions(query, table)
        except SystemUnavailableError as error:
            return str(error)
        return _asked(query, table, [_put_in(*condition) for condition in conditions])

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the rows in the order of their keys, as they were when the first was asked for."""
        opened = await asyncio.to_thread(self._storage.open, query.entity)
        with closing(opened.connection) as connection:
            conditions = self._conditions(query, opened.table)
            sql = _asked(query, opened.table, [condition for condition, _ in conditions])
            parameters = [value for _, value in conditions if value is not None]
            last = None
            try:
                found = await asyncio.to_thread(connection.execute, sql, parameters)
                while rows := await asyncio.to_thread(found.fetchmany, self._page_size):
                    page = page_of(rows, query.fields)
                    self._check_keys([last, *page.keys] if last else page.keys, query.entity)
                    last = page.keys[-1]
                    yield page
            except duckdb.Error as error:
                where = await asyncio.to_thread(_unreadable, opened, query.fields)
                raise self._unavailable(
                    f"{query.entity} holds a value that cannot be read: {first_line(error)}{where}"
                ) from error

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Carry out the writes in their order, those to one table that follow each other at once.

        What was done to one table is worth more than the news that the next cannot be reached:
        then the rest is ``Unknown``, and the next batch brings the news.
        """
        outcomes: list[Outcome] = []
        for entity, writes in groupby(batch, key=lambda write: write.entity):
            work = partial(table_writer.carried_out, batch=list(writes), now=self._now())
            try:
                outcomes += await asyncio.to_thread(self._storage.change, entity, work)
            except SystemUnavailableError as gone:
                if not outcomes:
                    raise
                lost = Unknown(message=f"not answered: {gone}")
                return [*outcomes, *[lost] * (len(batch) - len(outcomes))]
        return outcomes

    async def close(self) -> None:
        """Nothing is held between two calls."""

    def _conditions(self, query: WireQuery, table: Table) -> list[tuple[str, str | None]]:
        """Return what rows must fulfil: SQL, and the value that its ``?`` stands for, if any."""
        asked = [*query.fields, *(name for name, _ in query.where)]
        unknown = next((name for name in asked if name not in table.columns), "")
        if unknown:
            raise self._unavailable(f"{table.name} has no field '{unknown}'")
        conditions: list[tuple[str, str | None]] = [
            (table.columns[name].blank, None)
            if value is None
            else (table.columns[name].equals, table.columns[name].wanted(value))
            for name, value in query.where
        ]
        if query.keys:
            keys = ", ".join(literal(key) for key in query.keys)
            conditions.append((f"{table.key.key} IN ({keys})", None))
        if query.since is not None and table.modified:
            conditions.append((table.columns[table.modified].since, text_of(query.since)))
        return conditions

    def _check_keys(self, keys: Sequence[str | None], entity: str) -> None:
        """A row that cannot be told from another one cannot be synchronized."""
        if not all(keys):
            raise self._unavailable(f"a row of {entity} has no key")
        for key, following in pairwise(keys):
            if key == following:
                raise self._unavailable(
                    f"two rows of {entity} have the key '{key}'", "`key:` must tell rows apart"
                )

    def _unavailable(self, reason: str, hint: str = "") -> SystemUnavailableError:
        return SystemUnavailableError(self._name, reason, hint=hint)


def _asked(query: WireQuery, table: Table, conditions: Sequence[str]) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {of_page(table, query.fields)} FROM {table.source}{where} ORDER BY 1"


def _unreadable(opened: Opened, fields: Sequence[str]) -> str:
    """Say in which row and column there is a value that is none of its type, if it can be found."""
    table = opened.table
    for column in (table.key, *(table.columns[name] for name in fields)):
        sql = f"SELECT {table.key.told} FROM {table.source} WHERE {column.unreadable} LIMIT 1"
        with suppress(duckdb.Error):
            for (key,) in opened.connection.execute(sql).fetchall():
                return f" ({column.name} of '{key}')"
    return ""


def _put_in(condition: str, value: str | None) -> str:
    """Write a value where its ``?`` stands, which is the last one: a name may hold another."""
    if value is None:
        return condition
    before, _, after = condition.rpartition("?")
    return f"{before}{literal(value)}{after}"
