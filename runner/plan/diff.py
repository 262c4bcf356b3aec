"""Runs the compiled statements in dependency order: snapshots become actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.compile import ACTION_DDL
from runner.errors import GuardError
from runner.events import MappingPlanned
from runner.model import Side
from runner.plan.actions import MappingSummary
from runner.state import couplings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import duckdb

    from runner.compile import CompiledMapping, Statement
    from runner.events import Tell


def decide(
    connection: duckdb.DuckDBPyConnection,
    mappings: Sequence[CompiledMapping],
    chosen: Collection[str],
    tell: Tell,
) -> tuple[MappingSummary, ...]:
    """Fill the action table and say what was found in each chosen mapping.

    ``connection`` is the run file's, with snapshots taken and the state attached read-only.
    Mappings that were not chosen lend their couplings to the lookups of those that were.
    """
    connection.execute(ACTION_DDL)
    found = []
    for mapping in mappings:
        if mapping.name not in chosen:
            if mapping.looked_up:
                _run(connection, mapping.known_links())
            continue
        found.append(_decide_one(connection, mapping))
        tell(MappingPlanned(mapping=mapping.name))
    return tuple(found)


def _decide_one(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> MappingSummary:
    kept = couplings.fitting(connection, mapping.name)
    fitting = {c.name for c in mapping.base if kept.get(c.name) == c.fingerprint}
    whole = len(fitting) < len(mapping.base) or len(kept) > len(mapping.base)
    for statement in mapping.status(whole=whole):
        _run(connection, statement)
    _must_not_be_empty(connection, mapping)
    _run(connection, mapping.base_view(fitting) if kept else mapping.empty_base())
    for statement in (*mapping.matching(), *mapping.deciding()):
        _run(connection, statement)
    return _summary(connection, mapping)


def _must_not_be_empty(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> None:
    """Refuse to read "there is nothing" as "everything was deleted".

    Where only some records were read, that no other is there means nothing.

    Raises:
        GuardError: a system returned no record at all of an entity that has coupled ones.

    """
    [(some,)] = connection.execute(
        'SELECT count(*) FROM "by_key" WHERE mapping = ?', [mapping.name]
    ).fetchall()
    coupled = _coupled(connection, mapping, mapping.narrowing.pair() if some else "TRUE")
    for side in Side:
        snapshot = mapping.tables.snapshot(side)
        [(read,)] = connection.execute(f"SELECT count(*) FROM {snapshot}").fetchall()
        if coupled and not read:
            entity = mapping.rule.entity(side)
            raise GuardError(
                f"{entity.system} returned no {entity.entity} at all, and {coupled} are coupled "
                f"(mapping {mapping.name})",
                hint="is it the right company, with all permissions? "
                "If they are gone indeed, uncouple them",
            )


def _summary(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> MappingSummary:
    tables, rule = mapping.tables, mapping.rule
    counts = connection.execute(
        """SELECT kind || coalesce(' ' || side, ''), count(*) FROM "action"
        WHERE mapping = ? GROUP BY ALL ORDER BY ALL""",
        [mapping.name],
    ).fetchall()
    statuses = dict(
        connection.execute(f"SELECT status, count(*) FROM {tables.status} GROUP BY ALL").fetchall()
    )
    [(unchanged,)] = connection.execute(mapping.unchanged().sql).fetchall()
    read: dict[str, int] = {}
    for side in Side:
        [(read[side.value],)] = connection.execute(
            f"SELECT count(*) FROM {tables.snapshot(side)}"
        ).fetchall()
    coupled = _coupled(connection, mapping, mapping.narrowing.pair())
    counted = dict(
        connection.execute(
            "SELECT side, total FROM counted WHERE mapping = ?", [mapping.name]
        ).fetchall()
    )
    filtered = {}
    for side in Side:
        held_back = max((counted.get(side.value) or 0) - read[side.value], 0)
        held_back = 0 if mapping.narrowing.some else held_back
        filtered[side.value] = statuses.get(f"filtered {side.value}", 0) + held_back
    return MappingSummary(
        name=mapping.name,
        direction=rule.direction.value,
        left=rule.left.system,
        right=rule.right.system,
        left_entity=rule.left.entity,
        right_entity=rule.right.entity,
        counts=dict(counts),
        filtered={**filtered, "coupled": statuses.get("filtered", 0)},
        read=read,
        unchanged=unchanged,
        coupled=coupled,
        uncoupled=_uncoupled(connection, mapping),
        spared=_spared(connection, mapping),
    )


def _coupled(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, among: str) -> int:
    """Count the pairs of a mapping that fulfil an SQL condition."""
    [(pairs,)] = connection.execute(
        f"SELECT count(*) FROM state.main.coupling WHERE mapping = ? AND {among}", [mapping.name]
    ).fetchall()
    return int(pairs)


def _uncoupled(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> dict[str, int]:
    """Count the records that nothing is coupled with and that match none."""
    found = {}
    for side in Side:
        key = f"{side.value}_key"
        [(found[side.value],)] = connection.execute(
            f"""SELECT count(*) FROM {mapping.tables.status} s ANTI JOIN {mapping.tables.found} f
            ON f.{key} = s.{key} WHERE s.status = 'free {side.value}'"""
        ).fetchall()
    return found


def _spared(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> dict[str, int]:
    """Count the writes that were left out, because they go the other way, by kind and side."""
    if not mapping.narrowing.spared:
        return {}
    rows = connection.execute(
        f"""SELECT kind || ' ' || side, count(*) FROM {mapping.tables.spared}
        WHERE list_contains($sides, side) GROUP BY ALL ORDER BY ALL""",
        {"sides": [side.value for side in mapping.narrowing.spared]},
    ).fetchall()
    return dict(rows)


def _run(connection: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    connection.execute(statement.sql)
