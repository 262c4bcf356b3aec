"""Some records alone: read by their keys, where that is enough to decide about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runner import dialect
from runner.compile import COUPLING
from runner.errors import NoSuchRecordError
from runner.extract.pages import append, empty
from runner.model import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.compile.snapshot import Reading
    from runner.connectors.protocol import Connector

_NEAR = 3
"""Keys that are told at the most where one is not there."""

Keys = dict[tuple[str, Side], tuple[str, ...]]


def keys(mappings: Sequence[CompiledMapping], connection: duckdb.DuckDBPyConnection) -> Keys:
    """Return the keys to be read, by mapping and side; a mapping that is left out is read whole.

    The tables of the chosen keys are made, and ``by_key`` names the mappings that are in.
    """
    found: Keys = {}
    for mapping in mappings:
        if not mapping.narrowing.keys:
            continue
        connection.execute(mapping.narrowing.by_key())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE pair AS {_pairs(mapping)}")
        connection.execute(_coupled_first(mapping))
        if mapping.read_whole(free=_some_free(mapping, connection)):
            continue
        read = {side: _wanted(mapping, side, connection) for side in Side}
        found |= {(mapping.name, side): wanted for side, wanted in read.items()}
        connection.execute("INSERT INTO by_key VALUES (?)", [mapping.name])
    return found


async def pull(
    connector: Connector,
    reading: Reading,
    wanted: Sequence[str],
    connection: duckdb.DuckDBPyConnection,
    table: str,
) -> int:
    """Read records by their keys into a raw table; return the number of rows.

    Where a system returns none of them, all are read: whether they are gone, or everything is,
    shows in the rest.
    """
    columns = reading.columns
    empty(connection, table, columns)
    if not wanted:
        return 0
    query = replace(reading.query, filter="", keys=tuple(wanted))
    found = await append(connector, query, columns, connection, table)
    if found:
        return found
    return await append(connector, replace(query, keys=()), columns, connection, table)


def must_be_there(
    mappings: Sequence[CompiledMapping], connection: duckdb.DuckDBPyConnection
) -> None:
    """Refuse keys that neither side has, and that nothing is coupled under.

    Raises:
        NoSuchRecordError: there is no such record; the nearest keys are told.

    """
    for mapping in (mapping for mapping in mappings if mapping.narrowing.keys):
        there = " UNION ".join(
            f"""SELECT '{side.value}' AS side, "#key" AS "key" FROM {mapping.tables.snapshot(side)}
            UNION SELECT '{side.value}', {side.value}_key FROM {COUPLING}
            WHERE mapping = {dialect.text(mapping.name)}"""
            for side in Side
        )
        missing = connection.execute(
            f"""SELECT typed FROM {mapping.tables.chosen}
            EXCEPT SELECT typed FROM {mapping.tables.chosen} JOIN ({there}) USING (side, "key")
            ORDER BY ALL LIMIT 1"""
        ).fetchall()
        for (key,) in missing:
            near = connection.execute(
                f"""SELECT DISTINCT "key", levenshtein(upper("key"), upper($key)) AS apart
                FROM ({there}) WHERE apart <= ceil(length($key) / 3) ORDER BY apart, "key"
                LIMIT $near""",
                {"key": key, "near": _NEAR},
            ).fetchall()
            raise _not_there(mapping, key, [found for found, _ in near])


def _not_there(mapping: CompiledMapping, key: str, near: Sequence[str]) -> NoSuchRecordError:
    left, right = mapping.rule.left, mapping.rule.right
    hint = f"near it are {', '.join(near)}" if near else ""
    return NoSuchRecordError(
        f"there is no record '{key}': neither a {left.entity} of {left.system} nor "
        f"one of {right.system}'s {right.entity} has this key (mapping {mapping.name})",
        hint=hint or f"`sync-run couplings {mapping.name} --search TEXT` looks for what is coupled",
    )


def _pairs(mapping: CompiledMapping) -> str:
    return f"""SELECT left_key, right_key FROM {COUPLING}
    WHERE mapping = {dialect.text(mapping.name)} AND {mapping.narrowing.pair()}"""


def _coupled_first(mapping: CompiledMapping) -> str:
    """Let a key that a pair has mean that pair, whatever else could have the same key."""
    chosen = mapping.tables.chosen
    return f"""DELETE FROM {chosen} WHERE typed IN ({_coupled(mapping)})
    AND NOT {mapping.narrowing.coupled("pair")}"""


def _coupled(mapping: CompiledMapping) -> str:
    coupled = mapping.narrowing.coupled("pair")
    return f"SELECT typed FROM {mapping.tables.chosen} WHERE {coupled}"


def _some_free(mapping: CompiledMapping, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a key was chosen that no pair has."""
    free = f"SELECT typed FROM {mapping.tables.chosen} EXCEPT {_coupled(mapping)} LIMIT 1"
    return bool(connection.execute(free).fetchall())


def _wanted(
    mapping: CompiledMapping, side: Side, connection: duckdb.DuckDBPyConnection
) -> tuple[str, ...]:
    """Return the keys chosen on a side, and those of the partners of what is chosen across."""
    rows = connection.execute(
        f"{mapping.narrowing.given(side)} UNION SELECT {side.value}_key FROM pair ORDER BY ALL"
    ).fetchall()
    return tuple(str(row[0]) for row in rows)
