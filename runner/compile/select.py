"""A mapping narrowed to what a run is about: which records, which way, who wins."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner import dialect, expression
from runner.compile import values
from runner.compile.ends import unknown_field
from runner.compile.snapshot import RowWise
from runner.compile.tables import ACTION, COUPLING, KEY, PENDING, Tables
from runner.dialect import text
from runner.errors import Location, Problem
from runner.model import Side, UpdateConflict
from runner.wire import Type

if TYPE_CHECKING:
    from collections import abc

    from runner.compile.snapshot import Reading
    from runner.model import Condition, Mapping
    from runner.wire import EntityType

_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
_SHAPES = {
    Type.GUID: _GUID,
    Type.REFERENCE: _GUID,
    Type.INTEGER: re.compile(r"-?[0-9]+"),
    Type.DECIMAL: re.compile(r"-?[0-9]+([.][0-9]+)?"),
    Type.DATE: re.compile(r"\d{4}-\d\d-\d\d"),
    Type.INSTANT: re.compile(r"\d{4}-\d\d-\d\dT.*"),
}
_CHOSEN = "#chosen"
"""The row-wise column of a condition that has no SQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that was chosen, as it was ``typed``, and SQL of it as couplings keep it.

    ``side`` is one whose keys are of this form; ``None`` where neither's are.
    """

    side: Side | None
    kept: str
    typed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Writes the statements that leave of one mapping what a run is about.

    ``keys`` are those chosen, ``condition`` is SQL on one side's snapshot. Both empty: all records.
    ``spared`` are the sides that are not written to.
    """

    mapping: str
    keys: tuple[Key, ...] = ()
    condition: tuple[Side, str] | None = None
    spared: tuple[Side, ...] = ()
    pairs_alone: bool = False

    @property
    def some(self) -> bool:
        """Whether some records are chosen, not all."""
        return bool(self.keys) or self.condition is not None

    @property
    def leaves_out(self) -> bool:
        """Whether some of what is found for these records is not for this run."""
        return bool(self.spared) or self.pairs_alone

    @property
    def _tables(self) -> Tables:
        return Tables(self.mapping)

    def by_key(self) -> str:
        """Create the table of the chosen keys; nothing needs to be read for that."""
        rows = ", ".join(
            f"({text(key.side.value) if key.side else 'NULL'}, {key.kept}, TRUE, {text(key.typed)})"
            for key in self.keys
        )
        return f"""CREATE OR REPLACE TABLE {self._tables.chosen}
    (side VARCHAR, "key" VARCHAR, given BOOLEAN, typed VARCHAR);
INSERT INTO {self._tables.chosen} VALUES {rows}"""

    def by_condition(self) -> list[str]:
        """Create the table of the chosen keys from the snapshot of the side that is asked."""
        if self.condition is None:
            return []
        side, condition = self.condition
        return [
            f"""CREATE TABLE {self._tables.chosen} AS
SELECT {text(side.value)} AS side, {KEY} AS "key", TRUE AS given, '' AS typed
FROM {self._tables.snapshot(side)} WHERE coalesce({condition}, FALSE)"""
        ]

    def given(self, side: Side) -> str:
        """SQL of the keys that were chosen on that side."""
        whose = f"given AND side = {text(side.value)}"
        return f'SELECT "key" FROM {self._tables.chosen} WHERE {whose}'

    def pair(self) -> str:
        """SQL condition on a row with both keys: one of them is chosen."""
        if not self.some:
            return "TRUE"
        ends = (f"coalesce({s.value}_key IN ({self.given(s)}), FALSE)" for s in Side)
        return f"({' OR '.join(ends)})"

    def coupled(self, pairs: str) -> str:
        """SQL condition on a row of the chosen keys: one of these pairs has it."""
        ends = (
            f'side = {text(s.value)} AND "key" IN (SELECT {s.value}_key FROM {pairs})' for s in Side
        )
        return f"coalesce({' OR '.join(ends)}, FALSE)"

    def partners(self) -> list[str]:
        """Add the partners of chosen records: what is wrong with them is wrong with the pair."""
        if not self.some:
            return []
        pairs = f"""SELECT left_key, right_key FROM {COUPLING} WHERE mapping = {text(self.mapping)}
    UNION SELECT left_key, right_key FROM {self._tables.found}"""
        added = " UNION ALL ".join(
            f"SELECT {text(side.value)}, {side.value}_key, FALSE, '' FROM p" for side in Side
        )
        return [
            f"""INSERT INTO {self._tables.chosen}
WITH p AS (SELECT * FROM ({pairs}) WHERE {self.pair()})
{added}"""
        ]

    def narrowed(self, picky: abc.Sequence[Side]) -> list[str]:
        """Take out of what stands and what matches whatever is not chosen.

        Matches were found among all records, so that one of several is still no guess.
        """
        if not self.some:
            return []
        tables = self._tables
        return [
            # Of a record that matches several all are told.
            f"""DELETE FROM {tables.found} WHERE left_key NOT IN
    (SELECT left_key FROM {tables.found} WHERE {self.pair()})""",
            f"DELETE FROM {tables.status} WHERE NOT {self.pair()}",
            *(
                f"""DELETE FROM {tables.aside(side)} WHERE "key" NOT IN
    (SELECT "key" FROM {tables.chosen} WHERE side = {text(side.value)})"""
                for side in picky
            ),
        ]

    def spares(self, created: abc.Container[Side]) -> list[str]:
        """Move the actions that are not for this run out of the plan.

        ``created`` are the sides that have a table of new records.
        """
        new = {side: self._new(side) if side in created else "FALSE" for side in Side}
        # A pair whose deleted record is not made anew here must not be forgotten either.
        conditions = [
            f"coalesce(side = {text(side.value)}, FALSE) OR {new[side]}" for side in self.spared
        ]
        if self.pairs_alone:
            conditions.append(
                f"NOT ({_is_pair()}) OR kind = 'error' AND ({' OR '.join(new.values())})"
            )
        if not conditions:
            return []
        spared = self._tables.spared
        return [
            f"""CREATE TABLE {spared} AS SELECT * FROM {ACTION}
WHERE mapping = {text(self.mapping)} AND ({" OR ".join(conditions)})""",
            f'DELETE FROM {ACTION} WHERE "id" IN (SELECT "id" FROM {spared})',
        ]

    def _new(self, side: Side) -> str:
        """SQL condition on an action: it follows from a new record of that side."""
        key = f"{side.other.value}_key"
        return f"coalesce({key} IN (SELECT {key} FROM {self._tables.new(side)}), FALSE)"


def _is_pair() -> str:
    """SQL condition on an action: it couples what is there, or says why that cannot be."""
    known = " AND ".join(f"NOT starts_with({s.value}_key, {text(PENDING)})" for s in Side)
    alone = "(left_key IS NULL) <> (right_key IS NULL) AND len(fields) = 0"
    return f"kind = 'couple' AND {known} OR kind = 'error' AND {alone}"


def could_be_key(key: str, name: str, entity: EntityType) -> bool:
    """Whether a text has the form that keys of an entity have; ``name`` is that of the key."""
    if "," in name:
        # A key of several fields names each of them.
        return all(f"{part}=" in key for part in name.split(","))
    known = entity.fields.get(name)
    if known is not None and known.max_length is not None and len(key) > known.max_length:
        return False
    shape = _SHAPES.get(key_type(entity, name))
    return bool(key) if shape is None else shape.fullmatch(key) is not None


def key_type(entity: EntityType, name: str) -> Type:
    """Return the type of an entity's keys; ``name`` is that of the key."""
    known = entity.fields.get(name)
    return known.type if known else Type.TEXT


def kept(sql: str, name: str, entity: EntityType) -> str:
    """SQL of a key as couplings keep it."""
    return values.canonical(sql, key_type(entity, name))


def keys_of(
    mapping: Mapping, types: abc.Mapping[Side, EntityType], typed: abc.Sequence[str]
) -> tuple[Key, ...]:
    """Say which record of which side each key may mean."""
    found: list[Key] = []
    names = {side: mapping.entity(side).key for side in Side}
    for key in typed:
        ends = [side for side in Side if could_be_key(key, names[side], types[side])]
        found += [Key(side=s, kept=kept(text(key), names[s], types[s]), typed=key) for s in ends]
        if not ends:
            found.append(Key(side=None, kept="NULL", typed=key))
    return tuple(found)


def winning(mapping: Mapping, system: str) -> UpdateConflict:
    """Return the policy by which a system wins wherever both sides changed."""
    side = side_of(mapping, system)
    assert side is not None, "whoever selects knows the systems of a mapping"
    return UpdateConflict.PREFER_LEFT if side is Side.LEFT else UpdateConflict.PREFER_RIGHT


def side_of(mapping: Mapping, system: str) -> Side | None:
    """Return the side that a system stands on; ``None`` where it takes no part."""
    return next((side for side in Side if mapping.entity(side).system == system), None)


def asked(mapping: Mapping, condition: Condition, entity: EntityType) -> abc.Iterator[Problem]:
    """Say what is wrong with a condition that was typed, held against the entity it is about."""
    try:
        node = expression.parse(condition.text)
    except expression.ExpressionError as error:
        yield Problem(Location("--where", 1, error.column), str(error))
        return
    here = Location("--where", 1, 1)
    missing = [name for name in expression.fields_of(node) if name not in entity.fields]
    for name in missing:
        yield from unknown_field(name, entity, here)
    if missing or expression.on_rows_alone(node):
        return
    try:
        expression.to_sql(node, lambda name: (dialect.name(name), entity.fields[name].type))
    except expression.ExpressionError as error:
        yield Problem(here, f"mapping {mapping.name}: {error}")


def with_condition(reading: Reading, condition: Condition) -> tuple[Reading, str]:
    """Read what a condition asks for as well; return how, and the condition as SQL."""
    node = expression.parse(condition.text)
    names = tuple(dict.fromkeys((*reading.query.fields, *expression.fields_of(node))))
    reading = replace(reading, query=replace(reading.query, fields=names))
    if not expression.on_rows_alone(node):
        types = reading.entity.fields
        return reading, expression.to_sql(node, lambda n: (dialect.name(n), types[n].type))
    column = RowWise(_CHOSEN, node, Type.BOOLEAN)
    return replace(reading, row_wise=(*reading.row_wise, column)), dialect.name(_CHOSEN)
