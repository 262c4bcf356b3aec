"""Runs the compiled statements in dependency order: snapshots become actions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from runner.compile import ACTION_DDL, CLEARED_DDL, COUPLING, Present
from runner.events import MappingPlanned, PhaseDone
from runner.model import Side
from runner.plan.actions import MappingSummary
from runner.plan.standing import sides, stand
from runner.state import couplings, errors
from runner.state.keys import among

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import duckdb

    from runner.compile import CompiledMapping, Statement
    from runner.events import Tell
    from runner.extract import Taken, Takings


def decide(
    connection: duckdb.DuckDBPyConnection,
    mappings: Sequence[CompiledMapping],
    chosen: Collection[str],
    taken: Takings,
    tell: Tell,
    *,
    interrupted: bool,
) -> tuple[MappingSummary, ...]:
    """Fill the action table and say what was found in each chosen mapping.

    ``connection`` is the run file's, with snapshots taken and the state attached read-only;
    ``taken`` says where the rows are that no snapshot was made of, ``interrupted``: its journal
    holds writes of which nobody knows what became.
    Mappings that were not chosen lend their couplings to the lookups of those that were.
    """
    connection.execute(ACTION_DDL)
    connection.execute(CLEARED_DDL)
    remembered = errors.mappings(connection)
    found = []
    for mapping in mappings:
        if mapping.name not in chosen:
            if mapping.looked_up:
                _run(connection, mapping.known_links())
            continue
        began = monotonic()
        one = _decide_one(
            connection,
            mapping,
            taken,
            interrupted=interrupted,
            remembered=mapping.name in remembered,
        )
        found.append(one)
        tell(
            PhaseDone(
                mapping=mapping.name,
                phase="decide",
                seconds=monotonic() - began,
                counts={"unchanged": one.unchanged},
            )
        )
    whole = with_counts(connection, found)
    for one in whole:
        tell(MappingPlanned(mapping=one.name, counts=one.counts))
    return whole


def with_counts(
    connection: duckdb.DuckDBPyConnection, summaries: Sequence[MappingSummary]
) -> tuple[MappingSummary, ...]:
    """Put in how many actions there are of each kind and side."""
    kinds = connection.execute(
        """SELECT mapping, kind || coalesce(' ' || side, '') AS kind, count(*)
        FROM "action" GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    return tuple(
        replace(one, counts={kind: n for mapping, kind, n in kinds if mapping == one.name})
        for one in summaries
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """How many pairs of a mapping are coupled, and how many records there are of either side.

    Where some records were read by their keys, their pairs count.
    """

    coupled: int
    read: Mapping[Side, int]


def _decide_one(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    takings: Takings,
    *,
    interrupted: bool,
    remembered: bool,
) -> MappingSummary:
    taken = sides(mapping, takings)
    counted = _counted(connection, mapping, taken)
    kept = couplings.fitting(connection, mapping.name) if counted.coupled else {}
    fitting = {c.name for c in mapping.base if kept.get(c.name) == c.fingerprint}
    whole = len(fitting) < len(mapping.base) or len(kept) > len(mapping.base)
    resting = stand(connection, mapping, taken, whole=whole)
    if interrupted:
        for statement in mapping.undecided():
            _run(connection, statement)
    statuses = _statuses(connection, mapping)
    if kept and "changed" in statuses:
        chosen = among(connection, "left_key", mapping.changed, rows=counted.coupled)
        _run(connection, mapping.base_view(fitting, chosen))
    else:
        _run(connection, mapping.empty_base())
    for statement in mapping.matching(statuses):
        _run(connection, statement)
    matched = connection.execute(f"FROM {mapping.tables.found} LIMIT 1").fetchall()
    present = Present(statuses=statuses, matched=bool(matched), remembered=remembered)
    for statement in mapping.deciding(present):
        _run(connection, statement)
    gone = _gone(connection, mapping)
    empty = tuple(side.value for side in Side if counted.coupled and not counted.read[side])
    reading = {side.value: one.told for side, one in taken.items()}
    found = _summary(connection, mapping, counted, resting)
    return replace(found, gone=gone, empty=empty, reading=reading)


def _counted(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, taken: Mapping[Side, Taken]
) -> _Counted:
    left, right = (taken[side].relation for side in Side)
    by_key = (
        mapping.narrowing.keys
        and connection.execute(
            'SELECT 1 FROM "by_key" WHERE mapping = ?', [mapping.name]
        ).fetchall()
    )
    chosen = mapping.narrowing.pair() if by_key else "TRUE"
    [(coupled, lefts, rights)] = connection.execute(
        f"""SELECT (SELECT count(*) FROM {COUPLING} WHERE mapping = ? AND {chosen}),
        (SELECT count(*) FROM {left}), (SELECT count(*) FROM {right})""",
        [mapping.name],
    ).fetchall()
    return _Counted(coupled, {Side.LEFT: lefts, Side.RIGHT: rights})


def _statuses(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> dict[str, int]:
    """Count the records by how they stand."""
    return dict(
        connection.execute(
            f"SELECT status, count(*) FROM {mapping.tables.status} GROUP BY ALL"
        ).fetchall()
    )


def _summary(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    counted: _Counted,
    resting: Mapping[str, int],
) -> MappingSummary:
    """Say what was found, but for the actions; ``resting`` is not in the status table."""
    rule, some = mapping.rule, mapping.narrowing.some
    statuses = Counter(_statuses(connection, mapping))
    statuses.update(resting)
    unchanged = 0
    if counted.coupled:
        [(unchanged,)] = connection.execute(mapping.unchanged().sql).fetchall()
    totals = dict(
        connection.execute(
            "SELECT side, total FROM counted WHERE mapping = ?", [mapping.name]
        ).fetchall()
    )
    filtered = {}
    for side in Side:
        held_back = max((totals.get(side.value) or 0) - counted.read[side], 0)
        held_back = 0 if some else held_back
        filtered[side.value] = statuses.get(f"filtered {side.value}", 0) + held_back
    return MappingSummary(
        name=mapping.name,
        direction=rule.direction.value,
        left=rule.left.system,
        right=rule.right.system,
        left_entity=rule.left.entity,
        right_entity=rule.right.entity,
        filtered={**filtered, "coupled": statuses.get("filtered", 0)},
        read={side.value: n for side, n in counted.read.items()},
        unchanged=unchanged - resting.get("filtered", 0),
        coupled=_coupled(connection, mapping) if some else counted.coupled,
        uncoupled=_uncoupled(connection, mapping),
        spared=_spared(connection, mapping),
    )


def _coupled(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> int:
    """Count the pairs that a run is about."""
    [(pairs,)] = connection.execute(
        f"SELECT count(*) FROM {COUPLING} WHERE mapping = ? AND {mapping.narrowing.pair()}",
        [mapping.name],
    ).fetchall()
    return int(pairs)


def _gone(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> int:
    """Count the pairs that a run is about and that lack a record; others were not even read."""
    [(pairs,)] = connection.execute(
        f"""SELECT count(*) FROM {mapping.tables.status}
        WHERE status IN ('deleted left', 'deleted right', 'gone') AND {mapping.narrowing.pair()}"""
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
