"""Runs the compiled statements in dependency order: snapshots become actions."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from runner.compile import ACTION_DDL, CLEARED_DDL
from runner.errors import GuardError
from runner.events import MappingPlanned, PhaseDone
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
    connection.execute(CLEARED_DDL)
    found = []
    for mapping in mappings:
        if mapping.name not in chosen:
            if mapping.looked_up:
                _run(connection, mapping.known_links())
            continue
        began = monotonic()
        summary = _decide_one(connection, mapping)
        found.append(summary)
        tell(MappingPlanned(mapping=mapping.name))
        tell(
            PhaseDone(
                mapping=mapping.name,
                phase="decide",
                seconds=monotonic() - began,
                counts=summary.counts,
            )
        )
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

    Raises:
        GuardError: a system returned no record at all of an entity that has coupled ones.

    """
    [(coupled,)] = connection.execute(
        "SELECT count(*) FROM state.main.coupling WHERE mapping = ?", [mapping.name]
    ).fetchall()
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
    counted = dict(
        connection.execute(
            "SELECT side, total FROM counted WHERE mapping = ?", [mapping.name]
        ).fetchall()
    )
    filtered = {}
    for side in Side:
        held_back = max((counted.get(side.value) or 0) - read[side.value], 0)
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
    )


def _run(connection: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    connection.execute(statement.sql)
