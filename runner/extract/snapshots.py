"""Both sides of every mapping as tables of canonical values, systems read side by side."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from runner.compile import COUNTED_DDL
from runner.compile.incremental import Way
from runner.events import PhaseDone, RowsRead
from runner.extract import chosen, refresh, sources
from runner.extract.canonical import canonical, readable
from runner.extract.pages import append, empty, pull
from runner.extract.refresh import Taken
from runner.model import Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.compile.lookups import Sought
    from runner.connectors.protocol import Connector
    from runner.events import Tell
    from runner.extract.refresh import Manner
    from runner.extract.sources import Source

Takings = dict[tuple[str, Side], Taken]
"""How each side was read, by mapping and side."""

_MOST_BY_KEY = 2_000
"""Records that are read one by one, by their keys, before all are read instead."""


async def take(
    mappings: Sequence[CompiledMapping],
    connectors: Mapping[str, Connector],
    connection: duckdb.DuckDBPyConnection,
    tell: Tell,
    manner: Manner | None = None,
) -> Takings:
    """Read both sides of each mapping into snapshot tables of the run file.

    Where the system itself filters, ``counted`` says how many rows its entity has in all (NULL:
    nobody knows), so that what was held back can be counted. With a ``manner``, sides that tell
    what changed are brought up to date in the mirror (attached), and no snapshot is made of them.

    Raises:
        SystemUnavailableError: a system could not be read, or sent a value that is none of its
            type.

    """
    connection.execute(COUNTED_DDL)
    by_key = chosen.keys(mappings, connection)
    await _look_into(mappings, connectors, connection)
    taken: Takings = {}
    async with asyncio.TaskGroup() as group:
        for system in sorted({m.rule.entity(side).system for m in mappings for side in Side}):
            connector = connectors[system]
            group.create_task(
                _of_system(system, mappings, connector, connection, by_key, tell, manner, taken)
            )
    chosen.must_be_there(mappings, connection)
    return taken


async def _of_system(
    system: str,
    mappings: Sequence[CompiledMapping],
    connector: Connector,
    connection: duckdb.DuckDBPyConnection,
    by_key: Mapping[tuple[str, Side], tuple[str, ...]],
    tell: Tell,
    manner: Manner | None,
    taken: Takings,
) -> None:
    def kept(mapping: CompiledMapping, side: Side) -> bool:
        return manner is not None and refresh.keeps(mapping, side, manner)

    ends = [(m, side) for m in mappings for side in Side if m.rule.entity(side).system == system]
    common = sources.shared(
        [end for end in ends if not kept(*end) and (end[0].name, end[1]) not in by_key]
    )
    # Each task has a cursor of its own: statements of one connection must not interleave.
    with connection.cursor() as cursor:
        for mapping, side in ends:
            began, entity = monotonic(), mapping.rule.entity(side).entity
            told = RowsRead(mapping=mapping.name, system=system, entity=entity, rows=0)
            with readable(system, entity):
                if manner is not None and kept(mapping, side):
                    found = await refresh.bring_up(mapping, side, connector, cursor, manner, tell)
                elif (keys := by_key.get((mapping.name, side))) is not None:
                    found = await _some(mapping, side, connector, cursor, keys)
                    tell(replace(told, rows=found.rows, done=True))
                else:
                    source = common[mapping.name, side]
                    found = await _whole(mapping, side, connector, cursor, source, tell, told)
            taken[mapping.name, side] = found
            tell(_read(told, found.rows, began))


async def _some(
    mapping: CompiledMapping,
    side: Side,
    connector: Connector,
    cursor: duckdb.DuckDBPyConnection,
    keys: tuple[str, ...],
) -> Taken:
    """Make a snapshot of the records of one side that have these keys."""
    raw, snapshot = mapping.tables.raw(side), mapping.tables.snapshot(side)
    rows = await chosen.pull(connector, mapping.reading(side), keys, cursor, raw)
    canonical(cursor, mapping, side, raw, snapshot)
    cursor.execute(f"DROP TABLE {raw}")
    return Taken(way=Way.WHOLE, rows=rows, relation=snapshot)


async def _whole(
    mapping: CompiledMapping,
    side: Side,
    connector: Connector,
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    tell: Tell,
    told: RowsRead,
) -> Taken:
    """Make a snapshot of all records of one side; others may have read them already."""
    if source.readers[0] == (mapping.name, side):
        rows = await pull(connector, source.query, source.columns, cursor, source.raw, tell, told)
    else:
        [(rows,)] = cursor.execute(f"SELECT count(*) FROM {source.raw}").fetchall()
        tell(replace(told, rows=rows, done=True))
    await _missing(mapping, side, connector, cursor, source)
    if source.query.filter:
        total = await connector.count(told.entity)
        cursor.execute("INSERT INTO counted VALUES (?, ?, ?)", [mapping.name, side.value, total])
    snapshot = mapping.tables.snapshot(side)
    canonical(cursor, mapping, side, source.raw, snapshot)
    if source.readers[-1] == (mapping.name, side):
        cursor.execute(f"DROP TABLE {source.raw}")
    return Taken(way=Way.WHOLE, rows=rows, relation=snapshot)


def _read(told: RowsRead, rows: int, began: float) -> PhaseDone:
    return PhaseDone(
        mapping=told.mapping,
        phase="read",
        seconds=monotonic() - began,
        counts={"rows": rows},
        system=told.system,
    )


async def by_keys(
    mapping: CompiledMapping,
    side: Side,
    keys: Sequence[str],
    connector: Connector,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Read records of one side by their keys into its snapshot; more may come."""
    raw, reading = mapping.tables.raw(side), mapping.reading(side)
    empty(connection, raw, reading.columns)
    with readable(mapping.rule.entity(side).system, mapping.rule.entity(side).entity):
        if keys:
            whole = len(keys) > _MOST_BY_KEY
            query = replace(reading.query, filter="", keys=() if whole else tuple(keys))
            await append(connector, query, reading.columns, connection, raw)
        canonical(connection, mapping, side, raw, mapping.tables.snapshot(side), looks=False)
    connection.execute(f"DROP TABLE {raw}")


async def _look_into(
    mappings: Sequence[CompiledMapping],
    connectors: Mapping[str, Connector],
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Read the entities that values are looked up in: each once, with the fields of all."""
    merged: dict[str, Sought] = {}
    for sought in (sought for mapping in mappings for sought in mapping.sought):
        known = merged.get(sought.table, sought)
        columns = {**known.columns, **sought.columns}
        query = replace(sought.query, fields=tuple(columns))
        merged[sought.table] = replace(sought, columns=columns, query=query)
    for sought in merged.values():
        connector, columns = connectors[sought.system], dict(sought.columns)
        empty(connection, "looked", columns)
        with readable(sought.system, sought.query.entity):
            await append(connector, sought.query, columns, connection, "looked")
        connection.execute(sought.statement("looked"))
        connection.execute("DROP TABLE looked")


async def _missing(
    mapping: CompiledMapping,
    side: Side,
    connector: Connector,
    connection: duckdb.DuckDBPyConnection,
    source: Source,
) -> None:
    """Read the coupled and chosen records that did not come, by keys: only asking tells why.

    One left the filter, and rests; one was skipped, because others went while pages were read; and
    one is not there any more: that alone was deleted.
    """
    rows = connection.execute(
        f"""SELECT c."key" FROM ({mapping.known(side)}) c
        ANTI JOIN {source.raw} r ON {mapping.canonical_key(side, 'r."#key"')} = c."key" """
    ).fetchall()
    missing = tuple(str(row[0]) for row in rows)
    if not missing:
        return
    # Many at once are read faster with everything than by their keys.
    whole = len(missing) > _MOST_BY_KEY
    query = replace(source.query, filter="", keys=() if whole else missing)
    await append(connector, query, source.columns, connection, source.raw)
