"""Records that are missing on one side: which, under which key, with which values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from runner.compile import compare, dialect, values
from runner.compile.fields import ROW
from runner.compile.tables import FIELD_TYPE, KEY, LABEL, PENDING, Tables
from runner.model import DeleteConflict, Side

if TYPE_CHECKING:
    from runner.compile.fields import CompiledField
    from runner.model import Mapping
    from runner.wire import EntityType


class KeySource(StrEnum):
    """Where the key of a new record comes from."""

    FIELD = "a mapped field"
    PATTERN = "the first free number"
    CLIENT = "a GUID made from the partner's key"
    SYSTEM = "the system, when it is created"


@dataclass(frozen=True, slots=True)
class Creates:
    """Writes the statements that list what one mapping creates.

    ``types`` are left's and right's. ``client_keys`` holds the sides that take a key we choose,
    ``seed`` what makes chosen keys differ between installations.
    """

    mapping: Mapping
    fields: tuple[CompiledField, ...]
    types: tuple[EntityType, EntityType]
    client_keys: frozenset[Side]
    seed: str
    lookups: dict[str, str]

    def restores(self, side: Side) -> bool:
        """Whether records that were deleted on that side are made anew."""
        restore = self.mapping.deleted is DeleteConflict.RESTORE
        return restore and self.mapping.direction.to(side)

    def possible(self, side: Side) -> bool:
        """Whether any record can be created on that side."""
        return side in self.mapping.create or self.restores(side)

    def _missing(self, side: Side) -> str:
        """SQL condition on the status table: records that have no partner there and get one."""
        statuses = [f"free {side.other.value}"] if side in self.mapping.create else []
        statuses += [f"deleted {side.value}"] if self.restores(side) else []
        return f"status IN ({', '.join(dialect.text(status) for status in statuses)})"

    def key_source(self, side: Side) -> KeySource:
        """Where the key of a new record on that side comes from."""
        key = self.mapping.entity(side).key
        if any(f.rule.name(side) == key for f in self._travelling(side)):
            return KeySource.FIELD
        if self.mapping.entity(side).new_key:
            return KeySource.PATTERN
        return KeySource.CLIENT if side in self.client_keys else KeySource.SYSTEM

    def statement(self, side: Side) -> str:
        """Create the table of new records of that side: keys, values after, fields, first fault."""
        tables, source = Tables(self.mapping.name), side.other
        row = ROW[source]
        judge = compare.Judge(self.mapping)
        numbers = self._numbers(side)
        afters = ",\n    ".join(self._after(field, side) for field in self.fields)
        structs = ",\n        ".join(
            [self._field(field, side, judge) for field in self._travelling(side)]
            + [self._default(name, value, side) for name, value in self._extra(side)]
        )
        return f"""CREATE TABLE {tables.new(side)} AS
WITH {numbers} free AS (
    SELECT {source.value}_key AS "key" FROM {tables.status} WHERE {self._missing(side)}
    EXCEPT SELECT {source.value}_key FROM {tables.found})
SELECT {row}.{KEY} AS {source.value}_key, {self._key(side)} AS {side.value}_key,
    {row}.{LABEL} AS label,
    {afters},
    list_filter(CAST([{structs}] AS {FIELD_TYPE}[]),
        lambda f: f."new" IS NOT NULL OR f.verdict = 'error') AS fields
FROM {tables.snapshot(source)} {row} SEMI JOIN free ON free."key" = {row}.{KEY}
{compare.links(self.fields, self.lookups, source)}
{f'    LEFT JOIN numbered ON numbered."key" = {row}.{KEY}' if numbers else ""}"""

    def written_back(self, side: Side) -> tuple[CompiledField, ...]:
        """Fields of the other side that take the key that a new record of this side was given."""
        key = self.mapping.entity(side).key
        return tuple(
            field
            for field in self.fields
            if field.rule.name(side) == key
            and field.rule.direction.to(side.other)
            and not field.rule.direction.to(side)
            and not field.rule.lookup
            and field.end(side.other) is not None
        )

    def _travelling(self, side: Side) -> tuple[CompiledField, ...]:
        return tuple(
            field
            for field in self.fields
            if (end := field.end(side)) is not None
            and field.rule.direction.to(side)
            and end.on_create
        )

    def _extra(self, side: Side) -> tuple[tuple[str, object], ...]:
        mapped = {field.rule.name(side) for field in self._travelling(side)}
        return tuple(d for d in self.mapping.defaults.get(side, ()) if d[0] not in mapped)

    def _value(self, field: CompiledField, side: Side) -> str:
        value = dialect.cast(field.carried(side), field.kind(side))
        default = dict(self.mapping.defaults.get(side, ())).get(field.rule.name(side))
        if default is None:
            return value
        return f"coalesce({value}, {dialect.cast(dialect.literal(default), field.kind(side))})"

    def _key(self, side: Side) -> str:
        source = side.other
        partner = f"{ROW[source]}.{KEY}"
        match self.key_source(side):
            case KeySource.FIELD:
                key = self.mapping.entity(side).key
                field = next(f for f in self._travelling(side) if f.rule.name(side) == key)
                return values.as_text(self._value(field, side), field.kind(side))
            case KeySource.PATTERN:
                return "numbered.new_key"
            case KeySource.CLIENT:
                return _guid(f"{dialect.text(f'{self.seed}|{self.mapping.name}|')} || {partner}")
            case KeySource.SYSTEM:
                return f"{dialect.text(f'{PENDING}{side.value}:{self.mapping.name}:')} || {partner}"

    def _numbers(self, side: Side) -> str:
        """Give each new record the first number that is free, in the order of its partner's key."""
        if self.key_source(side) is not KeySource.PATTERN:
            return ""
        tables, source = Tables(self.mapping.name), side.other
        prefix, suffix = self.mapping.entity(side).new_key.split("{number}")
        number = (
            f"try_cast(substr({KEY}, {len(prefix) + 1}, "
            f"length({KEY}) - {len(prefix) + len(suffix)}) AS BIGINT)"
        )
        begin, end = dialect.text(prefix), dialect.text(suffix)
        return f"""taken AS (
    SELECT {number} AS n FROM {tables.snapshot(side)}
    WHERE starts_with({KEY}, {begin}) AND ends_with({KEY}, {end}) AND {number} IS NOT NULL
), untaken AS (
    SELECT n, row_number() OVER (ORDER BY n) AS position
    FROM range(1, (SELECT count(*) FROM taken) + (SELECT count(*) FROM {tables.status}) + 2) t(n)
    WHERE n NOT IN (SELECT n FROM taken)
), numbered AS (
    SELECT "key", {begin} || CAST(n AS VARCHAR) || {end} AS new_key
    FROM (SELECT s.{source.value}_key AS "key", row_number() OVER (ORDER BY s.{source.value}_key)
              AS position
          FROM {tables.status} s ANTI JOIN {tables.found} m
              ON m.{source.value}_key = s.{source.value}_key
          WHERE {self._missing(side)}) JOIN untaken USING (position)
),"""

    def _after(self, field: CompiledField, side: Side) -> str:
        """Both halves of the base to be: the source as it is, the target as it will be."""
        kind = dialect.column_type(field.kind(side))
        held = "NULL"
        if field.end(side) is None:
            held = field.value(side)
        elif field in self._travelling(side):
            held = self._value(field, side)
        source = f"{field.value(side.other)} AS {compare.base_column(field, side.other)}"
        return f"{source}, CAST({held} AS {kind}) AS {compare.base_column(field, side)}"

    def _field(self, field: CompiledField, side: Side, judge: compare.Judge) -> str:
        kind = field.kind(side)
        new = values.as_text(self._value(field, side), kind)
        source = values.as_text(field.value(side.other), field.kind(side.other))
        faults = judge.faults(field, side)
        arms = " ".join(f"WHEN {condition} THEN {words}" for condition, words in faults)
        reason = f"CASE {arms} END" if faults else "NULL"
        verdict = f"CASE WHEN ({reason}) IS NULL THEN 'to {side.value}' ELSE 'error' END"
        left, right = (source, "NULL") if side is Side.RIGHT else ("NULL", source)
        return struct(
            field.id, field.rule.left, field.rule.right, verdict, left, right, new, reason
        )

    def _default(self, name: str, value: object, side: Side) -> str:
        assert isinstance(value, str | int | float | bool)
        kind = self.types[0 if side is Side.LEFT else 1].fields[name].type
        new = values.as_text(dialect.cast(dialect.literal(value), kind), kind)
        left, right = (name, "") if side is Side.LEFT else ("", name)
        return struct(
            f"default {name}", left, right, f"'to {side.value}'", "NULL", "NULL", new, "NULL"
        )


def struct(ident: str, left: str, right: str, verdict: str, *rest: str) -> str:
    """SQL of one field of an action: what it is of, its verdict, then left, right, new, reason."""
    left_value, right_value, new, reason = rest
    names = ", ".join(dialect.text(word) for word in (ident, left, right))
    return (
        f"row({names}, {verdict}, FALSE, {left_value}, {right_value}, NULL, NULL, {new}, {reason})"
    )


def _guid(seed: str) -> str:
    """SQL of a GUID that is always the same for the same seed (RFC 9562, version 8)."""
    digest = f"md5({seed})"
    parts = [
        f"substr({digest}, 1, 8)",
        f"substr({digest}, 9, 4)",
        f"'8' || substr({digest}, 14, 3)",
        f"'a' || substr({digest}, 18, 3)",
        f"substr({digest}, 21, 12)",
    ]
    return " || '-' || ".join(parts)
