"""Runs the compiled statements in dependency order: snapshots become actions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runner.compile import ACTION_DDL, PENDING
from runner.events import MappingPlanned
from runner.model import Side
from runner.plan.actions import Kind, MappingSummary
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


def only(
    connection: duckdb.DuckDBPyConnection,
    summaries: Sequence[MappingSummary],
    kinds: Collection[Kind],
) -> tuple[MappingSummary, ...]:
    """Keep actions of some kinds, of which none waits for a record that would be created."""
    connection.execute(
        """DELETE FROM "action" WHERE NOT list_contains(?, kind)
            OR starts_with(left_key, ?) OR starts_with(right_key, ?)""",
        [[str(kind) for kind in kinds], PENDING, PENDING],
    )
    return tuple(replace(found, counts=counted(connection, found.name)) for found in summaries)


def counted(connection: duckdb.DuckDBPyConnection, mapping: str) -> dict[str, int]:
    """Count the actions of a mapping by kind and side."""
    return dict(
        connection.execute(
            """SELECT kind || coalesce(' ' || side, ''), count(*) FROM "action"
            WHERE mapping = ? GROUP BY ALL ORDER BY ALL""",
            [mapping],
        ).fetchall()
    )


def _decide_one(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> MappingSummary:
    kept = couplings.fitting(connection, mapping.name)
    fitting = {c.name for c in mapping.base if kept.get(c.name) == c.fingerprint}
    whole = len(fitting) < len(mapping.base) or len(kept) > len(mapping.base)
    for statement in mapping.status(whole=whole):
        _run(connection, statement)
    coupled, gone = _gone(connection, mapping)
    _run(connection, mapping.base_view(fitting) if kept else mapping.empty_base())
    for statement in (*mapping.matching(), *mapping.deciding()):
        _run(connection, statement)
    return replace(_summary(connection, mapping), coupled=coupled, gone=gone)


def _gone(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> tuple[int, int]:
    """Count the pairs that the state knows, and those of them that lack a record now."""
    [(coupled,)] = connection.execute(
        "SELECT count(*) FROM state.main.coupling WHERE mapping = ?", [mapping.name]
    ).fetchall()
    [(gone,)] = connection.execute(
        f"""SELECT count(*) FROM {mapping.tables.status}
        WHERE status IN ('deleted left', 'deleted right', 'gone')"""
    ).fetchall()
    return coupled, gone


def _summary(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> MappingSummary:
    tables, rule = mapping.tables, mapping.rule
    counts = counted(connection, mapping.name)
    statuses = dict(
        connection.execute(f"SELECT status, count(*) FROM {tables.status} GROUP BY ALL").fetchall()
    )
    [(unchanged,)] = connection.execute(mapping.unchanged().sql).fetchall()
    read: dict[str, int] = {}
    for side in Side:
        [(read[side.value],)] = connection.execute(
            f"SELECT count(*) FROM {tables.snapshot(side)}"
        ).fetchall()
    totals = dict(
        connection.execute(
            "SELECT side, total FROM counted WHERE mapping = ?", [mapping.name]
        ).fetchall()
    )
    filtered = {}
    for side in Side:
        held_back = max((totals.get(side.value) or 0) - read[side.value], 0)
        filtered[side.value] = statuses.get(f"filtered {side.value}", 0) + held_back
    return MappingSummary(
        name=mapping.name,
        direction=rule.direction.value,
        left=rule.left.system,
        right=rule.right.system,
        left_entity=rule.left.entity,
        right_entity=rule.right.entity,
        counts=counts,
        filtered={**filtered, "coupled": statuses.get("filtered", 0)},
        read=read,
        unchanged=unchanged,
    )


def _run(connection: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    connection.execute(statement.sql)
