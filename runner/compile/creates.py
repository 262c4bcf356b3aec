"""Records that are missing on one side: which, under which key, with which values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from runner import dialect, expression
from runner.compile import compare, values
from runner.compile.changes import Change, gathered, listed, lookup, pieces, shown
from runner.compile.fields import ROW, text_of
from runner.compile.tables import ACTION, COUPLING, HASH, KEY, LABEL, NO_FIELDS, PENDING, Tables
from runner.model import DeleteConflict, Side, When

if TYPE_CHECKING:
    from collections import abc

    from runner.compile.fields import CompiledField
    from runner.model import Lookup, Mapping, Template
    from runner.wire import EntityType


class KeySource(StrEnum):
    """Where the key of a new record comes from."""

    FIELD = "a mapped field"
    PATTERN = "the first free number"
    CLIENT = "a GUID made from the partner's key"
    SYSTEM = "the system, when it is created"
    FOUND = "a record that is made by another mapping, or along with one of its"


@dataclass(frozen=True, slots=True)
class Creates:
    """Writes the statements that list what one mapping creates.

    ``client_keys`` holds the sides that take a key we choose,
    ``seed`` what makes chosen keys differ between installations.
    """

    mapping: Mapping
    fields: tuple[CompiledField, ...]
    types: abc.Mapping[Side, EntityType]
    client_keys: frozenset[Side]
    seed: str
    lookups: abc.Mapping[Lookup, str]

    def restores(self, side: Side) -> bool:
        """Whether records that were deleted on that side are made anew."""
        restore = self.mapping.deleted is DeleteConflict.RESTORE
        return restore and self.mapping.direction.to(side)

    def possible(self, side: Side) -> bool:
        """Whether any record can be created on that side, or created by another mapping first."""
        return bool(self.mapping.coupled_by) or (side in self.mapping.create or self.restores(side))

    def statuses(self, side: Side) -> tuple[str, ...]:
        """What a record can stand as that has no partner on that side and gets one."""
        free, deleted = f"free {side.other.value}", f"deleted {side.value}"
        if self.mapping.coupled_by:
            return (free,)
        found = (free,) if side in self.mapping.create else ()
        return (*found, deleted) if self.restores(side) else found

    def _missing(self, side: Side) -> str:
        """SQL condition on the status table: records that have no partner there and get one."""
        known = ", ".join(dialect.text(status) for status in self.statuses(side))
        missing = f"status IN ({known})"
        if self.mapping.coupled_by:
            made = f"mapping = {dialect.text(self.mapping.coupled_by)} AND side = '{side.value}'"
            key = f"{side.other.value}_key"
            made = f"SELECT {key} FROM {ACTION} WHERE {made} AND kind = 'create'"
            missing += f" AND {key} IN ({made})"
        return missing

    def key_source(self, side: Side) -> KeySource:
        """Where the key of a new record on that side comes from."""
        key = self.mapping.entity(side).key
        if self.mapping.entity(side).comes_with or self.mapping.coupled_by:
            return KeySource.FOUND
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
        travelling, after = self._travelling(side), self.later(side)
        written = {field.number for field in (*travelling, *after)}
        afters = ",\n    ".join(
            self._after(field, side, written=field.number in written) for field in self.fields
        )
        changes = [
            *(self._field(field, side, judge) for field in travelling),
            *(self._default(name, side) for name in self._extra(side)),
        ]
        later = [self._field(field, side, judge) for field in after]
        # What is found wrong is looked for a SELECT further out (see `Actions._verdicts`).
        return f"""CREATE TABLE {tables.new(side)} AS
WITH {numbers} free AS (
    SELECT {source.value}_key AS "key" FROM {tables.status} WHERE {self._missing(side)}
    EXCEPT SELECT {source.value}_key FROM {tables.found})
SELECT *, list_filter(list_concat(fields, later), lambda f: f.verdict = 'error') AS errors
FROM (SELECT {row}.{KEY} AS {source.value}_key, {self._key(side)} AS {side.value}_key,
    {row}.{LABEL} AS label, {row}.{HASH} AS seen,
    {afters},
    {self._expected(side)} AS expected,
    {_worth_telling(changes)} AS fields,
    {_worth_telling(later)} AS later
FROM {tables.snapshot(source)} {row} SEMI JOIN free ON free."key" = {row}.{KEY}
{compare.links(self.fields, self.lookups, source)}
{f'    LEFT JOIN numbered ON numbered."key" = {row}.{KEY}' if numbers else ""})"""

    def _expected(self, side: Side) -> str:
        """SQL that says whether a record comes: made here, or along with one that is."""
        other = self.mapping.entity(side).comes_with
        if not other:
            return "TRUE"
        made = f"mapping = {dialect.text(other)} AND kind = 'create'"
        key = f"{ROW[side.other]}.{KEY}"
        return f"{key} IN (SELECT {side.other.value}_key FROM {ACTION} WHERE {made})"

    def written_back(self, side: Side) -> tuple[CompiledField, ...]:
        """Fields of the other side that take the key that a new record of this side was given."""
        key = self.mapping.entity(side).key
        return tuple(
            field
            for field in self.fields
            if field.rule.name(side) == key
            and field.made(side) is None
            and field.rule.direction.to(side.other)
            and not field.rule.direction.to(side)
            and not field.rule.lookups
            and field.end(side.other) is not None
        )

    def _travelling(self, side: Side) -> tuple[CompiledField, ...]:
        """Fields that a new record of that side is made with."""
        if self.mapping.coupled_by:
            return self._written(side, later=True)
        later = self.later(side)
        return tuple(f for f in self._written(side, later=False) if f not in later)

    def later(self, side: Side) -> tuple[CompiledField, ...]:
        """Fields that a new record takes only once it is there: in a second write, same plan."""
        return tuple(
            field
            for field in self._written(side, later=True)
            if not self.mapping.coupled_by
            if field.rule.when is When.AFTER_CREATE
            or not all(piece.field.on_create for piece in field.pieces(side))
        )

    def _written(self, side: Side, *, later: bool) -> tuple[CompiledField, ...]:
        return tuple(
            field
            for field in self.fields
            if field.rule.direction.to(side)
            and (pieces := field.pieces(side))
            and all(p.field.on_update if later else p.field.on_create for p in pieces)
        )

    def _extra(self, side: Side) -> tuple[str, ...]:
        """Fields that a template alone fills."""
        mapped = {
            piece.field.name for field in self._travelling(side) for piece in field.pieces(side)
        }
        named = (name for t in self.mapping.templates.get(side, ()) for name, _ in t.values)
        return tuple(dict.fromkeys(name for name in named if name not in mapped))

    def _template(self, name: str, side: Side, *, wins: bool) -> str | None:
        """SQL of what the first template that holds gives a field; ``None`` if none ever does."""
        templates = self.mapping.templates.get(side, ())
        given = [dict(t.values).get(name) if t.wins is wins else None for t in templates]
        if all(value is None for value in given):
            return None
        kind = self.types[side].fields[name].type
        arms = [
            f"WHEN {self._holds(template, side)} THEN "
            + ("NULL" if value is None else values.literal(value, kind))
            for template, value in zip(templates, given, strict=True)
        ]
        return f"CASE {' '.join(arms)} END"

    def _holds(self, template: Template, side: Side) -> str:
        if template.when is None:
            return "TRUE"
        source = side.other
        return expression.to_sql(
            expression.parse(template.when.text),
            lambda name: (
                dialect.name(ROW[source], name),
                self.types[source].fields[name].type,
            ),
        )

    def _value(self, field: CompiledField, side: Side) -> str:
        value = field.arriving(side)
        name = field.rule.name(side)
        return self._filled(name, value, side) if name else value

    def _filled(self, name: str, value: str, side: Side) -> str:
        """SQL of what a field is made with, of what is mapped to it and what templates give."""
        wins, fills = (self._template(name, side, wins=wins) for wins in (True, False))
        found = [sql for sql in (wins, value, fills) if sql is not None]
        return value if len(found) == 1 else f"coalesce({', '.join(found)})"

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
            case KeySource.SYSTEM | KeySource.FOUND:
                # What another mapping creates is known by that one's couplings.
                maker = self.mapping.coupled_by or self.mapping.name
                return f"{dialect.text(f'{PENDING}{side.value}:{maker}:')} || {partner}"

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
    -- A key that a pair still has is taken, whatever became of its record.
    SELECT {number} AS n FROM (
        SELECT {KEY} FROM {tables.snapshot(side)} UNION
        SELECT {side.value}_key FROM {COUPLING} WHERE mapping = {dialect.text(self.mapping.name)})
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

    def _after(self, field: CompiledField, side: Side, *, written: bool) -> str:
        """Both halves of the base to be: the source as it is, the target as it will be."""
        held = dialect.cast("NULL", field.kind(side))
        if field.end(side) is None:
            held = field.value(side)
        elif written:
            held = self._value(field, side)
        source = f"{field.value(side.other)} AS {compare.base_column(field, side.other)}"
        return f"{source}, {held} AS {compare.base_column(field, side)}"

    def _field(self, field: CompiledField, side: Side, judge: compare.Judge) -> Change | str:
        kind = field.kind(side)
        source = text_of(field, side.other)
        faults = judge.faults(field, side)
        arms = " ".join(f"WHEN {condition} THEN {words}" for condition, words in faults)
        reason = f"CASE {arms} END" if faults else "NULL"
        verdict = travels = f"'to {side.value}'"
        if faults:
            verdict = f"CASE WHEN ({reason}) IS NULL THEN {travels} ELSE 'error' END"
        left, right = (source, "NULL") if side is Side.RIGHT else ("NULL", source)
        value = self._value(field, side)
        one = Change(
            field.id,
            shown(field, Side.LEFT),
            shown(field, Side.RIGHT),
            verdict,
            left_value=left,
            right_value=right,
            new=values.as_text(value, kind),
            reason=reason,
            lookup=lookup(field, side),
        )
        if field.made(side) is None:
            return one
        filled = partial(self._filled, side=side)
        apart = listed(pieces(field, side, value, travels, coupled=False, filled=filled))
        return f"CASE WHEN ({reason}) IS NULL THEN {apart} ELSE {listed([one])} END"

    def _default(self, name: str, side: Side) -> Change:
        wins, fills = (self._template(name, side, wins=wins) for wins in (True, False))
        found = ", ".join(sql for sql in (wins, fills) if sql is not None)
        new = values.as_text(f"coalesce({found})", self.types[side].fields[name].type)
        left, right = (name, "") if side is Side.LEFT else ("", name)
        return Change(f"default {name}", left, right, f"'to {side.value}'", new=new)


def _worth_telling(entries: list[Change | str]) -> str:
    """SQL of the entries that say something: a value that arrives, or what is wrong."""
    if not entries:
        return NO_FIELDS
    told = """f."new" IS NOT NULL OR f.verdict = 'error'"""
    return f"list_filter({gathered(entries)}, lambda f: {told})"


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
