"""How every record stands: found out of whole snapshots, or of what changed since the last time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from runner.compile import incremental
from runner.compile.actions import Sources
from runner.compile.incremental import Way
from runner.compile.tables import COUPLING, KEY
from runner.dialect import text
from runner.extract import Taken, mirror
from runner.model import Side
from runner.state import couplings
from runner.state.keys import among

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from runner.compile import CompiledMapping
    from runner.extract import Takings


def sides(mapping: CompiledMapping, takings: Takings) -> dict[Side, Taken]:
    """Return how both sides were read; what nobody tells of stands in snapshots."""
    return {
        side: takings.get((mapping.name, side))
        or Taken(way=Way.WHOLE, rows=0, relation=mapping.tables.snapshot(side))
        for side in Side
    }


def stand(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    taken: Mapping[Side, Taken],
    *,
    whole: bool,
) -> dict[str, int]:
    """Fill the status table, and see to it that the snapshots hold every record it names.

    Where the mirror keeps both sides, only what was touched is looked at: what changed since it
    was last found out how the records stand, what did not stand unchanged then, and the partners
    of both. How a record stands depends on itself, its partner and their coupling alone, so that
    everything else still stands as it did; unless couplings moved otherwise, which their digest
    tells, or the mapping did. ``whole``: as in ``CompiledMapping.status``.

    Returns how many records the table leaves out, by how they stand, because nothing about them
    changed and nothing follows from them.
    """
    if any(one.kept for one in taken.values()):
        return _of_mirror(connection, mapping, taken, whole=whole)
    connection.execute(mapping.status(whole=whole).sql)
    return {}


def _of_mirror(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    taken: Mapping[Side, Taken],
    *,
    whole: bool,
) -> dict[str, int]:
    meaning = hashlib.sha256(mapping.status(whole=False).sql.encode()).hexdigest()
    state = couplings.digest(connection, mapping.name)
    remembered = all(one.kept for one in taken.values()) and incremental.can_be_partial(mapping)
    partial = (
        remembered
        and not whole
        and mirror.judged(connection, mapping.name) == (meaning, state)
        and all(one.way is not Way.WHOLE for one in taken.values())
    )
    if partial:
        _touch(connection, mapping, taken)
        sources = Sources('"touched pairs"', *(mapping.tables.snapshot(side) for side in Side))
    else:
        pairs = f"(SELECT * FROM {COUPLING} WHERE mapping = {text(mapping.name)})"
        sources = Sources(pairs, *(taken[side].relation for side in Side))
    connection.execute(mapping.status(whole=whole, sources=sources).sql)
    if remembered:
        _remember(connection, mapping, meaning, state, partial=partial)
    if partial:
        return _resting(connection, mapping)
    _snapshots(connection, mapping, taken)
    return {}


def _touch(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, taken: Mapping[Side, Taken]
) -> None:
    """Take from the mirror what was touched, with its partners, and their couplings."""
    for side in Side:
        connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE "touched {side.value}" AS
            {incremental.touched(mapping, side)}"""
        )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE "touched pairs" AS
        {incremental.touched_pairs(mapping)}"""
    )
    for side in Side:
        touched = f'"touched {side.value}"'
        connection.execute(
            f"""INSERT INTO {touched} SELECT {side.value}_key FROM "touched pairs"
            EXCEPT SELECT "key" FROM {touched}"""
        )
        _copy(connection, mapping, side, taken[side].relation, f'SELECT "key" FROM {touched}')


def _snapshots(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, taken: Mapping[Side, Taken]
) -> None:
    """Make snapshots of what stands otherwise than unchanged; of all, where groups are judged."""
    for side, one in taken.items():
        if not one.kept:
            continue
        if incremental.as_a_whole(mapping, side):
            connection.execute(
                f"CREATE VIEW {mapping.tables.snapshot(side)} AS SELECT * FROM {one.relation}"
            )
        else:
            _copy(connection, mapping, side, one.relation, incremental.standing(mapping, side))


def _copy(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    side: Side,
    relation: str,
    keys: str,
) -> None:
    chosen = among(connection, KEY, keys)
    connection.execute(
        f"CREATE TABLE {mapping.tables.snapshot(side)} AS SELECT * FROM {relation} WHERE {chosen}"
    )


def _remember(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    meaning: str,
    state: str,
    *,
    partial: bool,
) -> None:
    """Keep what was found out, and that nothing is pending any more."""
    name = mapping.name
    inert = ", ".join(text(status) for status in incremental.INERT)
    outdated = "TRUE"
    if partial:
        outdated = f"""(status NOT IN ({inert})
            OR left_key IN (SELECT "key" FROM "touched left")
            OR right_key IN (SELECT "key" FROM "touched right"))"""
    connection.execute("BEGIN")
    connection.execute(f'DELETE FROM mirror.main."open" WHERE mapping = ? AND {outdated}', [name])
    connection.execute(
        f"""INSERT INTO mirror.main."open"
        SELECT ?, left_key, right_key, status FROM {mapping.tables.status}""",
        [name],
    )
    connection.execute("DELETE FROM mirror.main.pending WHERE mapping = ?", [name])
    mirror.unjudged(connection, name)
    connection.execute("INSERT INTO mirror.main.judged VALUES (?, ?, ?)", [name, meaning, state])
    connection.execute("COMMIT")


def _resting(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> dict[str, int]:
    inert = ", ".join(text(status) for status in incremental.INERT)
    counted = connection.execute(
        f"""SELECT status, count(*) - (SELECT count(*) FROM {mapping.tables.status} s
            WHERE s.status = o.status)
        FROM mirror.main."open" o WHERE mapping = ? AND status IN ({inert}) GROUP BY status""",
        [mapping.name],
    ).fetchall()
    return dict(counted)
