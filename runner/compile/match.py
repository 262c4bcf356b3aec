"""Coupling what stands on both sides already: the first criterion that finds exactly one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.compile import compare
from runner.compile.ends import unknown_field
from runner.compile.fields import ROW
from runner.compile.tables import KEY, Tables
from runner.dialect import name, text
from runner.errors import Problem
from runner.model import Side
from runner.transform import chained
from runner.transform.convert import TEXTUAL, as_text
from runner.wire import Type

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Iterator, Sequence

    from runner.compile.fields import CompiledField
    from runner.model import Lookup, Mapping, MatchPair
    from runner.wire import EntityType


def problems(
    mapping: Mapping, fields: Sequence[CompiledField], types: dict[Side, EntityType]
) -> Iterator[Problem]:
    """Say which match fields do not exist, or cannot be matched together."""
    for criterion in mapping.match:
        for pair in criterion:
            yield from unknown_field(pair.left, types[Side.LEFT], pair.at)
            yield from unknown_field(pair.right, types[Side.RIGHT], pair.at)
            if not (pair.left and pair.right) and _field(pair, fields) is None:
                there = pair.left or pair.right
                what = f"nothing is written to '{there}' that could be matched with it"
                yield Problem(pair.at, what, "name a field of the other system as well")
        if _start(criterion, fields) is None:
            what = "these fields change on their way, one there and another back"
            yield Problem(criterion[0].at, what, "make a criterion of each")


def criteria(
    mapping: Mapping,
    fields: tuple[CompiledField, ...],
    types: dict[Side, EntityType],
    lookups: abc.Mapping[Lookup, str],
) -> Iterator[str]:
    """Yield one statement a criterion: pairs among records that nothing claims yet.

    A record that a criterion finds, clearly or not, is out of the next ones: two candidates are a
    finding that lists them, never a guess. Blank matches nothing. A field whose value changes on
    its way is matched by what arrives. ``lookups`` names the links table of each mapping that a
    field looks up.
    """
    tables = Tables(mapping.name)
    if mapping.coupled_by:
        yield _by_other(mapping, tables)
    for criterion in mapping.match:
        start = _start(criterion, fields) or Side.RIGHT
        known = {pair: _field(pair, fields) for pair in criterion}
        conditions = [_condition(pair, known[pair], types, start) for pair in criterion]
        words = " and ".join(_words(pair) for pair in criterion)
        source, target = start.other, start
        used = tuple(field for field in known.values() if field is not None)
        joins = compare.links(used, lookups, source)
        yield f"""INSERT INTO {tables.found}
WITH candidate AS (
    SELECT l.{KEY} AS left_key, r.{KEY} AS right_key
    FROM ({_free(tables, source)}) {ROW[source]}
{joins}
    JOIN ({_free(tables, target)}) {ROW[target]} ON {" AND ".join(conditions)}
), counted AS (
    SELECT *, count(*) OVER (PARTITION BY left_key) AS rights,
        count(*) OVER (PARTITION BY right_key) AS lefts
    FROM candidate)
SELECT left_key, right_key, {text(words)} AS criterion, lefts, rights FROM counted"""


def _by_other(mapping: Mapping, tables: Tables) -> str:
    """Take the pairs of another mapping over the same records."""
    return f"""INSERT INTO {tables.found}
SELECT k.left_key, k.right_key, {text(f"mapping {mapping.coupled_by}")}, 1, 1
FROM {Tables(mapping.coupled_by).links} k
    JOIN ({_free(tables, Side.LEFT)}) l ON l.{KEY} = k.left_key
    JOIN ({_free(tables, Side.RIGHT)}) r ON r.{KEY} = k.right_key"""


def _free(tables: Tables, side: Side) -> str:
    key = f"{side.value}_key"
    return f"""SELECT s.* FROM {tables.snapshot(side)} s
        SEMI JOIN (SELECT {key} FROM {tables.status} WHERE status = 'free {side.value}') f
            ON f.{key} = s.{KEY}
        ANTI JOIN {tables.found} m ON m.{key} = s.{KEY}"""


def _field(pair: MatchPair, fields: Sequence[CompiledField]) -> CompiledField | None:
    """Find the field mapping that a pair is about; of one field alone, the one that writes it."""
    for field in fields:
        rule = field.rule
        both = bool(pair.left and pair.right)
        to = Side.RIGHT if pair.right else Side.LEFT
        if both and (rule.left, rule.right) == (pair.left, pair.right):
            return field
        if not both and rule.name(to) == (pair.left or pair.right) and rule.direction.to(to):
            return field
    return None


def _start(criterion: Sequence[MatchPair], fields: Sequence[CompiledField]) -> Side | None:
    """Return the side that what changes on its way arrives at; ``None`` if there is not one."""
    changing = [
        (pair, field)
        for pair in criterion
        if (field := _field(pair, fields)) is not None and _changes(field, pair)
    ]
    for to in (Side.RIGHT, Side.LEFT):
        if all(
            (field.rule.direction.to(to) or bool(field.rule.lookups))
            and ((pair.left and pair.right) or field.rule.name(to))
            for pair, field in changing
        ):
            return to
    return None


def _changes(field: CompiledField, pair: MatchPair) -> bool:
    """Whether a pair is matched by what arrives, not by what both sides hold."""
    rule = field.rule
    if pair.steps:
        return False
    alone = not (pair.left and pair.right)
    # A day begins at another moment in each zone.
    zoned = {field.kind(side) for side in Side} == {Type.DATE, Type.INSTANT}
    stepped = rule.to_left.steps or rule.to_right.steps
    return alone or zoned or bool(rule.lookups or rule.values or stepped)


def _condition(
    pair: MatchPair, field: CompiledField | None, types: dict[Side, EntityType], to: Side
) -> str:
    if field is not None and _changes(field, pair):
        return _alike(field.carried(to), field.value(to), [field.kind(to)] * 2, pair)
    kinds = [types[Side.LEFT].fields[pair.left].type, types[Side.RIGHT].fields[pair.right].type]
    left, right = f"l.{name(pair.left)}", f"r.{name(pair.right)}"
    if pair.steps:
        chains = [chained(v, k, pair.steps) for v, k in zip((left, right), kinds, strict=True)]
        (left, right), kinds = (c.sql for c in chains), [c.kind for c in chains]
    return _alike(left, right, kinds, pair)


def _alike(left: str, right: str, kinds: Sequence[Type], pair: MatchPair) -> str:
    """Compare two values; where one of them is a text, as texts: 1 is what '1' says, not 1.00."""
    if TEXTUAL.isdisjoint(kinds):
        return f"{left} = {right}"
    left, right = (as_text(v, kind) for v, kind in zip((left, right), kinds, strict=True))
    if pair.ignore_case or (Type.CODE in kinds and len(set(kinds)) > 1):
        left, right = f"upper(trim({left}))", f"upper(trim({right}))"
    return f"{left} = {right}"


def _words(pair: MatchPair) -> str:
    return " = ".join(filter(None, (pair.left, pair.right)))
