"""Both sides of every mapping as tables of canonical values, systems read side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import duckdb

from runner.errors import SystemUnavailableError
from runner.events import RowsRead
from runner.extract.pages import pull
from runner.model import Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector
    from runner.events import Tell


async def take(
    mappings: Sequence[CompiledMapping],
    connectors: Mapping[str, Connector],
    connection: duckdb.DuckDBPyConnection,
    tell: Tell,
) -> None:
    """Read both sides of each mapping into snapshot tables of the run file.

    Raises:
        SystemUnavailableError: a system could not be read, or sent a value that is none of its
            type.

    """
    async with asyncio.TaskGroup() as group:
        for system in sorted({m.rule.entity(side).system for m in mappings for side in Side}):
            group.create_task(_of_system(system, mappings, connectors[system], connection, tell))


async def _of_system(
    system: str,
    mappings: Sequence[CompiledMapping],
    connector: Connector,
    connection: duckdb.DuckDBPyConnection,
    tell: Tell,
) -> None:
    # Each task has a cursor of its own: statements of one connection must not interleave.
    with connection.cursor() as cursor:
        for mapping in mappings:
            for side in (side for side in Side if mapping.rule.entity(side).system == system):
                raw = mapping.tables.raw(side)
                entity = mapping.rule.entity(side).entity
                columns = mapping.raw_columns(side)
                told = RowsRead(mapping=mapping.name, system=system, entity=entity, rows=0)
                await pull(connector, mapping.queries[side], columns, cursor, raw, tell, told)
                snapshot = mapping.snapshot(side, source=raw, target=mapping.tables.snapshot(side))
                try:
                    cursor.execute(snapshot.sql)
                except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
                    raise SystemUnavailableError(
                        system, f"{entity} holds a value that cannot be read: {_first(error)}"
                    ) from error
                cursor.execute(f"DROP TABLE {raw}")


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
