"""Judges one field of one pair, by the very SQL that a plan runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from runner import run
from runner.model import Direction, Drift, FieldMapping, Project, Side, UpdateConflict
from runner.wire import EntityType, FieldType, Type
from tests.fakes import HERE, Fake, fields, system
from tests.world import CUSTOMERS, mapping

if TYPE_CHECKING:
    from runner.compile import CompiledMapping

NOTHING = object()
"""The base of a pair that was never synchronized."""


def compiled(
    direction: Direction = Direction.BOTH,
    *,
    left: FieldType | None = None,
    right: FieldType | None = None,
    conflict: UpdateConflict = UpdateConflict.FAIL,
    drift: Drift = Drift.OVERWRITE,
    scale: int | None = None,
) -> CompiledMapping:
    """Compile a mapping of the one field ``x`` (left) to ``y`` (right)."""
    ends = {
        "L": fields(id=Type.CODE, x=left or FieldType(name="x", type=Type.TEXT)),
        "R": fields(id=Type.CODE, y=right or FieldType(name="y", type=Type.TEXT)),
    }
    fakes = {
        name: Fake({end: EntityType(name=end, key="id", fields=ends[end])})
        for name, end in (("l", "L"), ("r", "R"))
    }
    rule = FieldMapping(
        left="x",
        right="y",
        direction=direction,
        conflict=conflict,
        drift=drift,
        scale=scale,
        at=HERE,
    )
    entities = [
        type(CUSTOMERS.left)(system=name, entity=end, key="id", at=HERE)
        for name, end in (("l", "L"), ("r", "R"))
    ]
    project = Project(
        name="one",
        root=Path(),
        environment="",
        systems=(system("l"), system("r")),
        state=Path("state"),
        mappings=(mapping("one", entities[0], entities[1], rule, direction=direction),),
    )
    (made,) = asyncio.run(run.compiled(project, fakes))
    return made


def judged(made: CompiledMapping, left: Any, right: Any, base: Any) -> dict[str, Any]:
    """Return the field of the action table: its verdict, what is new, why it is wrong."""
    tables = made.tables
    types = {column.side: column.type for column in made.base}
    with duckdb.connect() as connection:
        for side, name, value in ((Side.LEFT, "x", left), (Side.RIGHT, "y", right)):
            connection.execute(
                f"""CREATE TABLE {tables.snapshot(side)} AS SELECT 'k' AS "#key", 'e' AS "#etag",
                'label' AS "#label", 0 AS "#hash", CAST($value AS {types[side]}) AS {name}""",
                {"value": value},
            )
        connection.execute(made.empty_base().sql)
        if base is not NOTHING:
            both = base if isinstance(base, tuple) else (base, base)
            connection.execute(f"INSERT INTO {tables.base} VALUES ('k', 'k', ?, ?)", list(both))
        connection.execute(
            f"CREATE TABLE {tables.status} AS "
            "SELECT 'k' AS left_key, 'k' AS right_key, 'changed' AS status"
        )
        connection.execute(
            f"CREATE TABLE {tables.found} "
            "(left_key VARCHAR, right_key VARCHAR, lefts BIGINT, rights BIGINT)"
        )
        statement = next(s for s in made.deciding() if "verdict" in s.purpose)
        connection.execute(statement.sql)
        [(found,)] = connection.execute(f"SELECT fields FROM {tables.judged}").fetchall()
    return dict(found[0]) if found else {"verdict": "unchanged", "new": None, "reason": None}
