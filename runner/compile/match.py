"""Coupling what stands on both sides already: the first criterion that finds exactly one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.compile.ends import unknown_field
from runner.compile.tables import KEY, Tables
from runner.dialect import name, text
from runner.model import Side
from runner.transform.convert import TEXTUAL
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.compile.fields import CompiledField
    from runner.errors import Problem
    from runner.model import Mapping, MatchPair
    from runner.wire import EntityType


def problems(mapping: Mapping, left: EntityType, right: EntityType) -> Iterator[Problem]:
    """Say which match fields do not exist."""
    for pair in (pair for criterion in mapping.match for pair in criterion):
        yield from unknown_field(pair.left, left, pair.at)
        yield from unknown_field(pair.right, right, pair.at)


def criteria(
    mapping: Mapping,
    fields: tuple[CompiledField, ...],
    types: tuple[EntityType, EntityType],
    lookups: dict[str, str],
) -> Iterator[str]:
    """Yield one statement a criterion: pairs among records that nothing claims yet.

    A record that a criterion finds, clearly or not, is out of the next ones: two candidates are a
    finding that lists them, never a guess. Blank matches nothing. ``lookups`` names the links
    table of each mapping that a field looks up.
    """
    tables = Tables(mapping.name)
    by_ends = {(field.rule.left, field.rule.right): field for field in fields}
    for criterion in mapping.match:
        conditions = [
            _condition(pair, by_ends.get((pair.left, pair.right)), types, lookups)
            for pair in criterion
        ]
        words = " and ".join(f"{pair.left} = {pair.right}" for pair in criterion)
        yield f"""INSERT INTO {tables.found}
WITH candidate AS (
    SELECT l.{KEY} AS left_key, r.{KEY} AS right_key
    FROM ({_free(tables, Side.LEFT)}) l JOIN ({_free(tables, Side.RIGHT)}) r
        ON {" AND ".join(conditions)}
), counted AS (
    SELECT *, count(*) OVER (PARTITION BY left_key) AS rights,
        count(*) OVER (PARTITION BY right_key) AS lefts
    FROM candidate)
SELECT left_key, right_key, {text(words)} AS criterion, lefts, rights FROM counted"""


def _free(tables: Tables, side: Side) -> str:
    key = f"{side.value}_key"
    return f"""SELECT s.* FROM {tables.snapshot(side)} s
        SEMI JOIN (SELECT {key} FROM {tables.status} WHERE status = 'free {side.value}') f
            ON f.{key} = s.{KEY}
        ANTI JOIN {tables.found} m ON m.{key} = s.{KEY}"""


def _condition(
    pair: MatchPair,
    field: CompiledField | None,
    types: tuple[EntityType, EntityType],
    lookups: dict[str, str],
) -> str:
    left, right = f"l.{name(pair.left)}", f"r.{name(pair.right)}"
    if field is not None and field.rule.lookups:
        found = ", ".join(
            f"(SELECT k.right_key FROM {lookups[lookup.mapping]} k WHERE k.left_key = {left})"
            for lookup in field.rule.lookups
        )
        return f"coalesce({found}) = {right}"
    kinds = {types[0].fields[pair.left].type, types[1].fields[pair.right].type}
    if kinds & TEXTUAL:
        left, right = f"CAST({left} AS VARCHAR)", f"CAST({right} AS VARCHAR)"
    if pair.ignore_case or (Type.CODE in kinds and len(kinds) > 1):
        left, right = f"upper(trim({left}))", f"upper(trim({right}))"
    return f"{left} = {right}"
