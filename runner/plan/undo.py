"""The plan that undoes a run: journal and records now become actions, like any others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from runner.compile import ACTION_DDL, CLEARED_DDL, UNDONE_DDL, Inverse
from runner.errors import RunnerError
from runner.model import Selection, Side
from runner.plan import file
from runner.plan.actions import Header, MappingSummary
from runner.plan.diff import with_counts
from runner.plan.guards import tripped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.model import Guards
    from runner.plan.actions import Origin
    from runner.plan.make import RunFile


@dataclass(frozen=True, slots=True)
class Touched:
    """The records of one mapping that a run did anything to or with, by side and key."""

    mapping: CompiledMapping
    keys: dict[Side, tuple[str, ...]]


def begin(
    connection: duckdb.DuckDBPyConnection, mappings: Sequence[CompiledMapping], run: int
) -> tuple[Touched, ...]:
    """Read what a run did (the state is attached); the records are to be read next.

    Raises:
        RunnerError: there is no such run, it did nothing, its outcome is open, or one of its
            mappings is there no more.

    """
    runs = [row[0] for row in connection.execute("SELECT id FROM state.main.run").fetchall()]
    if run not in runs:
        there = f"there are 1 to {max(runs)}" if runs else "nothing was applied yet"
        raise RunnerError(f"there is no run {run}", hint=there)
    [(unfinished,)] = connection.execute(
        "SELECT count(*) FROM state.main.journal WHERE run = ? AND outcome IS NULL", [run]
    ).fetchall()
    if unfinished:
        raise RunnerError(
            f"the outcome of {unfinished} writes of run {run} is open",
            hint="`sync-run apply` asks the systems about them first",
        )
    connection.execute(UNDONE_DDL, [run])
    names = [
        str(row[0])
        for row in connection.execute("SELECT DISTINCT mapping FROM undone ORDER BY ALL").fetchall()
    ]
    if not names:
        raise RunnerError(f"run {run} wrote nothing", hint="there is nothing to undo")
    missing = [name for name in names if name not in {mapping.name for mapping in mappings}]
    if missing:
        raise RunnerError(
            f"run {run} wrote by mapping {', '.join(missing)}, which is there no more",
            hint="put the mapping back",
        )
    return tuple(
        _touched(connection, mapping, run) for mapping in mappings if mapping.name in names
    )


def _touched(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, run: int) -> Touched:
    inverse = Inverse(mapping, run)
    connection.execute(inverse.written())
    keys = {
        side: tuple(str(row[0]) for row in connection.execute(inverse.keys(side)).fetchall())
        for side in Side
    }
    return Touched(mapping, keys)


def undo(
    run_file: RunFile, touched: Sequence[Touched], run: int, *, origin: Origin, guards: Guards
) -> file.Plan:
    """Decide what is to be done; the records stand in the snapshots."""
    connection = run_file.connection
    connection.execute(ACTION_DDL)
    connection.execute(CLEARED_DDL)
    summaries = []
    for part in touched:
        inverse = Inverse(part.mapping, run)
        statements = [inverse.now(side) for side in Side]
        statements += [inverse.fields(side) for side in Side]
        for sql in (*statements, inverse.insert(), inverse.after()):
            connection.execute(sql)
        summaries.append(_summary(connection, part.mapping))
    found = with_counts(connection, summaries)
    of_mapping = {part.mapping.name: part.mapping.rule.guards for part in touched}
    header = Header(
        version=file.VERSION,
        id=str(uuid4()),
        origin=origin,
        selection=Selection(mappings=tuple(summary.name for summary in found)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        interrupted=0,
        mappings=found,
        guards=tripped(found, guards, of_mapping),
        undoes=run,
    )
    return file.sealed(run_file.path, connection, header)


def _summary(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> MappingSummary:
    rule = mapping.rule
    [(coupled,)] = connection.execute(
        "SELECT count(*) FROM state.main.coupling WHERE mapping = ?", [mapping.name]
    ).fetchall()
    read = {}
    for side in Side:
        [(read[side.value],)] = connection.execute(
            f"SELECT count(*) FROM {mapping.tables.snapshot(side)}"
        ).fetchall()
    return MappingSummary(
        name=mapping.name,
        direction=rule.direction.value,
        left=rule.left.system,
        right=rule.right.system,
        left_entity=rule.left.entity,
        right_entity=rule.right.entity,
        read=read,
        coupled=coupled,
    )
