"""One field mapping as SQL: its value on either side, carried across, and compared.

The SQL reads the rows ``l`` and ``r`` (both sides now, columns named as fields) and, for a lookup,
the link rows ``k<number>r<n>`` (found by the left's key, in the n-th mapping looked up) and
``k<number>l<n>`` (found by the right's).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runner import dialect, expression
from runner.compile import values
from runner.compile.ends import (
    Made,
    fault_of,
    looked_up,
    made_of,
    names_of,
    plain,
    unknown_field,
)
from runner.compile.tables import PENDING
from runner.errors import Problem
from runner.model import Direction, Side, TooLong
from runner.transform import chained, convertible, faults
from runner.transform.convert import TEXTUAL, told
from runner.wire import FieldType, Type

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Iterable, Iterator

    from runner.compile.ends import Piece
    from runner.errors import Location
    from runner.model import Arrival, Constant, FieldMapping, Mapping
    from runner.transform import Chain
    from runner.wire import EntityType

_ISO = re.compile(r"\d{4}-\d\d-\d\d")
ROW = {Side.LEFT: "l", Side.RIGHT: "r"}
_MOST = 10**18 - 1
"""The largest whole number that a decimal keeps."""
_NUMBERS = frozenset({Type.INTEGER, Type.DECIMAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledField:
    """A field mapping with the types of both ends. ``id`` names it within its mapping.

    ``left`` or ``right`` is ``None`` where the constant stands. ``left_made`` and ``right_made``
    say how a value of several fields is made, and taken apart. ``conditions`` hold, by the number
    of a lookup and a side, SQL that says whether a reference of that side leads there.
    """

    number: int
    id: str
    rule: FieldMapping
    left: FieldType | None
    right: FieldType | None
    left_made: Made | None = None
    right_made: Made | None = None
    conditions: abc.Mapping[tuple[int, Side], str] = field(default_factory=dict)

    def end(self, side: Side) -> FieldType | None:
        """The value on that side, described as a field; ``None`` where the constant stands."""
        return self.left if side is Side.LEFT else self.right

    def made(self, side: Side) -> Made | None:
        """How the value of that side is made; ``None`` for a field or a constant."""
        return self.left_made if side is Side.LEFT else self.right_made

    def pieces(self, side: Side) -> tuple[Piece, ...]:
        """The fields of that side that are written; empty where nothing can be."""
        made, end = self.made(side), self.end(side)
        if made is not None:
            return made.pieces
        return plain(end) if end is not None else ()

    def reads(self, side: Side) -> tuple[str, ...]:
        """The fields of that side that the value is read from, or written to."""
        rule = self.rule.made(side)
        names = names_of(rule) if rule else tuple(filter(None, (self.rule.name(side),)))
        made = self.made(side)
        names = (*names, *(made.reads if made is not None else ()))
        conditions = [lookup.conditions.get(side) for lookup in self.rule.lookups]
        for text in (condition.text for condition in conditions if condition is not None):
            names = (*names, *expression.fields_of(expression.parse(text)))
        return names

    def kind(self, side: Side) -> Type:
        """The canonical type on that side; a constant has that of the field it is written to."""
        end = self.end(side)
        if end is None and self.rule.lookups:
            return Type.TEXT
        end = end or self.end(side.other)
        assert end is not None, "a field mapping has at least one field"
        return end.type

    def value(self, side: Side) -> str:
        """SQL of the value on that side now."""
        end = self.end(side)
        if end is None:
            assert self.rule.constant is not None
            return values.literal(self.rule.constant, self.kind(side))
        return dialect.name(ROW[side], end.name)

    def alias(self, to: Side, number: int) -> str:
        """The link row that a reference finds in the mapping of that number."""
        return f"k{self.number}{ROW[to]}{number}"

    def link(self, to: Side) -> str:
        """SQL of the key that a lookup finds for that side; NULL where nothing is coupled."""
        found = [
            self._where(n, to, dialect.name(self.alias(to, n), f"{to.value}_key"))
            for n in range(len(self.rule.lookups))
        ]
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def looked_up(self, to: Side) -> str:
        """SQL of the mapping in which a lookup finds the key for that side."""
        arms = [
            (self._where(n, to, dialect.name(self.alias(to, n), f"{to.value}_key")), lookup.mapping)
            for n, lookup in enumerate(self.rule.lookups)
        ]
        if len(arms) == 1:
            return dialect.text(arms[0][1])
        whens = " ".join(f"WHEN {sql} IS NOT NULL THEN {dialect.text(m)}" for sql, m in arms)
        return f"CASE {whens} END" if whens else "NULL"

    def _where(self, number: int, to: Side, key: str) -> str:
        """Let a key count only where the lookup's condition on the side it comes from holds."""
        condition = self.conditions.get((number, to.other))
        return key if condition is None else f"CASE WHEN {condition} THEN {key} END"

    def carried(self, to: Side) -> str:
        """SQL of the other side's value as this side would keep it."""
        way, kind = self.rule.to(to), self.kind(to)
        sql = self._fitted(self._across(to), to)
        if way.default is None:
            return sql
        blank = self.value(to.other) if self.rule.lookups or self.rule.values else sql
        return f"CASE WHEN {blank} IS NULL THEN {values.literal(way.default, kind)} ELSE {sql} END"

    def arriving(self, to: Side) -> str:
        """SQL of the same in that side's column type."""
        sql, kind = self.carried(to), self.kind(to)
        return sql if self._copied(sql, to) else dialect.cast(sql, kind)

    def _copied(self, sql: str, to: Side) -> bool:
        """Whether SQL is the other side's column, of the very type of this one's."""
        there = dialect.column_type(self.kind(to.other))
        return sql == self.value(to.other) and there == dialect.column_type(self.kind(to))

    def chain(self, to: Side) -> Chain:
        """The value on its way to that side through transforms and conversion."""
        steps, zone = self.rule.to(to).steps, self.rule.zone
        found = chained(self.value(to.other), self.kind(to.other), steps, zone)
        found = found.then(self.kind(to), zone)
        failures = (*self._unmade(to), *found.failures, *self._unrounded(found, to))
        return replace(found, failures=failures)

    def _unrounded(self, chain: Chain, to: Side) -> tuple[tuple[str, str], ...]:
        """Where rounding makes a number too large: the condition and the words, as SQL."""
        if self.kind(to) is not Type.DECIMAL or self.scale is None:
            return ()
        words = told(chain.sql, chain.kind, "comes to more than 18 digits by rounding")
        return ((f"(abs({chain.sql}) > {_MOST} AND {self._fitted(chain.sql, to)} IS NULL)", words),)

    def failures(self, to: Side) -> tuple[tuple[str, str], ...]:
        """Where a value is lost on its way to that side: conditions and words, as SQL.

        What cannot be translated is not among them: `unresolved` says what follows.
        """
        translated = self.rule.lookups or self.rule.values
        return self._unmade(to) if translated else self.chain(to).failures

    def _unmade(self, to: Side) -> tuple[tuple[str, str], ...]:
        """Where there is no value to set out to that side: the condition and the words, as SQL."""
        made = self.made(to.other)
        if made is None or not made.fault:
            return ()
        fault = dialect.name(ROW[to.other], fault_of(made.column.name))
        return ((f"({fault} IS NOT NULL)", fault),)

    def same(self) -> str:
        """SQL that says whether both sides hold the same, as far as both can keep it.

        A longer text counts as the shorter side would cut it (Microsoft's rule, codeunit 5336), a
        number as the coarser side would round it, a reference by what it points to, and a value
        that is changed on its way by what arrives.
        """
        left, right = self.value(Side.LEFT), self.value(Side.RIGHT)
        if not self._changed_on_its_way():
            kinds = {self.kind(Side.LEFT), self.kind(Side.RIGHT)}
            if kinds & TEXTUAL:
                left, right = (self._comparable(value, kinds) for value in (left, right))
            elif Type.DECIMAL in kinds:
                left, right = (
                    _rounded(dialect.cast(v, Type.DECIMAL), self.scale) for v in (left, right)
                )
            return f"({left} {dialect.SAME} {right})"
        arrives = [
            self._arrived(to) for to in Side if self.rule.direction.to(to) and self.pieces(to)
        ]
        if any(self.rule.blank_means(side) for side in Side):
            return f"({' OR '.join(arrives)})"
        return f"(({left} IS NULL AND {right} IS NULL) OR {' OR '.join(arrives)})"

    def _changed_on_its_way(self) -> bool:
        rule, kinds = self.rule, {self.kind(side) for side in Side}
        ways = (rule.to_left, rule.to_right)
        changed = rule.lookups or rule.values or any(w.steps or w.default is not None for w in ways)
        return bool(changed) or not (len(kinds) == 1 or kinds <= TEXTUAL or kinds <= _NUMBERS)

    def _arrived(self, to: Side) -> str:
        carried, held = self.carried(to), self.value(to)
        if self.rule.lookups or self.rule.values:
            # What cannot be translated is the same as nothing, not even as a blank.
            if self.rule.blank_means(to):
                known = f"{self.link(to)} IS NOT NULL OR {self.value(to.other)} IS NULL"
                return f"(({known}) AND {carried} {dialect.SAME} {held})"
            # No plain `=`: DuckDB 2.0 fails where it knows that a CASE comes to NULL in every row.
            return f"({held} IS NOT NULL AND {carried} {dialect.SAME} {held})"
        if self.kind(to) is Type.DECIMAL:
            held = _rounded(held, self.scale)
        failed = " OR ".join(condition for condition, _ in self.chain(to).failures)
        same = f"{carried} {dialect.SAME} {held}"
        return f"({same} AND NOT ({failed}))" if failed else f"({same})"

    def too_long(self, to: Side) -> str:
        """SQL that says whether what travels is longer than that side can keep."""
        end = self.end(to)
        if end is None or end.max_length is None or self.rule.too_long is TooLong.TRUNCATE:
            return "FALSE"
        if self.kind(to) not in TEXTUAL:
            return "FALSE"
        source = self.end(to.other)
        if (
            source is not None
            and source.type in TEXTUAL
            and not self.rule.to(to).steps
            and not self.rule.values
            and not self.rule.lookups
            and (source.max_length or end.max_length + 1) <= end.max_length
        ):
            return "FALSE"
        long = f"length({self.carried(to)}) > {end.max_length}"
        if self.rule.lookups:
            # The record that a reference leads to may not have its key yet.
            long = f"{long} AND NOT starts_with({self.carried(to)}, {dialect.text(PENDING)})"
        return f"coalesce({long}, FALSE)"

    def part(self, piece: Piece, to: Side, whole: str) -> str:
        """SQL of what a field of that side takes from a value, as long as it is to keep it."""
        part, most = piece.take(whole), piece.field.max_length
        if self.made(to) is None or most is None or self.rule.too_long is not TooLong.TRUNCATE:
            return part
        return _cut(part, most, piece.field.type) if piece.field.type in TEXTUAL else part

    def long_parts(self, to: Side) -> list[tuple[Piece, str]]:
        """List the parts of a value that may be longer than their fields keep, and SQL of each."""
        if self.made(to) is None or self.rule.too_long is TooLong.TRUNCATE:
            return []
        return [
            (piece, piece.take(self.arriving(to)))
            for piece in self.pieces(to)
            if piece.field.max_length is not None and piece.field.type in TEXTUAL
        ]

    def untranslated(self, to: Side) -> str:
        """SQL that says whether a value stands in no pair of ``values``."""
        value, there = self.value(to.other), self.kind(to.other)
        if self.rule.to(to).otherwise is not None:
            return "FALSE"
        # A value may be listed that becomes a blank; a blank is none that is translated.
        listed = [values.literal(v, there) for v, _ in self._pairs(to) if v != ""]
        unlisted = f" AND {value} NOT IN ({', '.join(listed)})" if listed else ""
        return f"({value} IS NOT NULL{unlisted})"

    def _across(self, to: Side) -> str:
        if self.rule.lookups:
            return self._as_blank(self.link(to), to)
        return self._translated(to) if self.rule.values else self.chain(to).sql

    def _as_blank(self, key: str, to: Side) -> str:
        """Let the record that a blank of that side means be blank there again."""
        for lookup in self.rule.lookups:
            if to in lookup.for_blank:
                key = f"nullif({key}, {dialect.text(lookup.for_blank[to])})"
        return key

    def _fitted(self, sql: str, to: Side) -> str:
        """Let a value be as long, and as precise, as that side is to keep it."""
        end, kind = self.end(to), self.kind(to)
        if kind is Type.DECIMAL:
            rounded = _rounded(sql, self.scale)
            if self.scale is None:
                return rounded if self._copied(rounded, to) else dialect.cast(rounded, kind)
            # What is rounded up may have a digit more.
            return dialect.try_cast(rounded, kind)
        truncate = self.rule.too_long is TooLong.TRUNCATE and end is not None
        if truncate and end is not None and end.max_length is not None and kind in TEXTUAL:
            return _cut(sql, end.max_length, kind)
        return sql

    def _translated(self, to: Side) -> str:
        here, there = self.kind(to), self.kind(to.other)
        arms = " ".join(
            f"WHEN {values.literal(source, there)} THEN {values.literal(target, here)}"
            for source, target in self._pairs(to)
        )
        otherwise = self.rule.to(to).otherwise
        value = self.value(to.other)
        rest = "" if otherwise is None else f" ELSE {values.literal(otherwise, here)}"
        return f"CASE WHEN {value} IS NOT NULL THEN CASE {value} {arms}{rest} END END"

    def _pairs(self, to: Side) -> tuple[tuple[Constant, Constant], ...]:
        """What is translated on the way to that side, and what it becomes."""
        if to is Side.RIGHT:
            return self.rule.values
        return tuple((right, left) for left, right in self.rule.values_back)

    @property
    def scale(self) -> int | None:
        """Decimal places that both sides keep; ``None``: all of them."""
        if any(self.rule.to(side).steps for side in Side):
            return self.rule.scale
        known = [self.rule.scale, *(end.scale for end in (self.left, self.right) if end)]
        return min((scale for scale in known if scale is not None), default=None)

    def _comparable(self, value: str, kinds: set[Type]) -> str:
        text = f"upper(trim({value}))" if Type.CODE in kinds and len(kinds) > 1 else value
        lengths = [end.max_length for end in (self.left, self.right) if end]
        known = [length for length in lengths if length is not None]
        differ = len(set(known)) > 1 or len(known) < len(lengths)
        return f"left({text}, {min(known)})" if known and differ else text


def _cut(sql: str, length: int, kind: Type) -> str:
    cut = f"left({sql}, {length})"
    # A code never ends in a blank, wherever it was cut.
    return f"rtrim({cut})" if kind is Type.CODE else cut


def _rounded(value: str, scale: int | None) -> str:
    return value if scale is None else f"round({value}, {scale})"


def fields_of(
    mapping: Mapping, left: EntityType, right: EntityType
) -> tuple[tuple[CompiledField, ...], tuple[Problem, ...]]:
    """Tie every field mapping to the types of both systems; say which of them cannot be."""
    problems: list[Problem] = []
    compiled: list[CompiledField] = []
    taken: set[str] = set()
    made_before: set[str] = set()
    for number, written in enumerate(mapping.fields, start=1):
        rule, before = written, len(problems)
        if rule.optional and not _there(rule, {Side.LEFT: left, Side.RIGHT: right}):
            continue
        ends, mades = {}, {}
        for side, entity in zip(Side, (left, right), strict=True):
            made = rule.made(side)
            column = made_of(made, entity, rule.at, problems) if made else None
            mades[side] = column
            problems += unknown_field(rule.name(side), entity, rule.at)
            ends[side] = column.column if column else entity.fields.get(rule.name(side))
        if rule.finds and len(problems) == before:
            if rule.direction is Direction.BOTH:
                at, what = rule.finds[0].at, "`find` looks one way, and the field travels both"
                problems.append(Problem(at, what, "give it one direction"))
            source = Side.LEFT if rule.direction.to(Side.RIGHT) else Side.RIGHT
            entity = left if source is Side.LEFT else right
            found = looked_up(rule.name(source), rule.to(source.other).steps, entity)
            if found.column.name in made_before:
                # The same words, and other arguments.
                named = f"{found.column.name} {number}"
                found = replace(found, column=replace(found.column, name=named))
            made_before.add(found.column.name)
            ends[source], mades[source] = found.column, found
            rule = replace(rule, to_left=_arrived(rule.to_left), to_right=_arrived(rule.to_right))
        if len(problems) > before:
            continue
        ident = " ".join(end.name if end else "=" for end in ends.values())
        ident = ident if ident not in taken else f"{ident} {number}"
        taken.add(ident)
        bound = CompiledField(
            number=number,
            id=ident,
            rule=rule,
            left=ends[Side.LEFT],
            right=ends[Side.RIGHT],
            left_made=mades[Side.LEFT],
            right_made=mades[Side.RIGHT],
            conditions=_conditions(rule, {Side.LEFT: left, Side.RIGHT: right}, problems),
        )
        problems += _faults(bound)
        compiled.append(bound)
    return tuple(compiled), tuple(problems)


def _there(rule: FieldMapping, types: dict[Side, EntityType]) -> bool:
    """Whether both systems have the fields that an entry ties together."""
    for side, entity in types.items():
        made = rule.made(side)
        names = names_of(made) if made else tuple(filter(None, (rule.name(side),)))
        if any(name not in entity.fields for name in names):
            return False
    return True


def unfit(value: Constant, field: FieldType, at: Location) -> Iterator[Problem]:
    """Say that a field cannot hold a literal, unless it can."""
    fits = {
        Type.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        Type.DECIMAL: isinstance(value, int | float) and not isinstance(value, bool),
        Type.BOOLEAN: isinstance(value, bool),
        Type.DATE: isinstance(value, str) and _ISO.fullmatch(value) is not None and _day(value),
        Type.INSTANT: isinstance(value, str) and _ISO.match(value) is not None and _day(value),
    }
    if not fits.get(field.type, True):
        yield Problem(at, f"'{field.name}' is {field.type} and cannot hold '{value}'")
    elif field.options and value not in [option for option, _ in field.options]:
        known = ", ".join(f"{option} {caption}".strip() for option, caption in field.options)
        yield Problem(at, f"'{field.name}' has no option {value}", f"there are {known}")


def _day(value: str) -> bool:
    """Whether there is such a day, or moment."""
    try:
        values.moment(value)
    except (ValueError, OverflowError):
        return False
    return True


def _arrived(way: Arrival) -> Arrival:
    """Take out steps that are done before the value leaves."""
    return replace(way, steps=())


def _conditions(
    rule: FieldMapping, types: dict[Side, EntityType], problems: list[Problem]
) -> dict[tuple[int, Side], str]:
    found: dict[tuple[int, Side], str] = {}
    for number, lookup in enumerate(rule.lookups):
        for side, text in lookup.conditions.items():
            node, known = expression.parse(text.text), types[side].fields
            names = expression.fields_of(node)
            unknown = [p for name in names for p in unknown_field(name, types[side], text.at)]
            problems += unknown
            if unknown:
                continue
            try:
                found[number, side] = expression.to_sql(
                    node,
                    lambda name, row=ROW[side], known=known: (  # type: ignore[misc]
                        dialect.name(row, name),
                        known[name].type,
                    ),
                )
            except expression.ExpressionError as error:
                problems.append(Problem(text.at, f"when: {error}"))
    return found


def _faults(field: CompiledField) -> Iterable[Problem]:
    rule = field.rule
    for left, right in rule.values:
        for value, end in ((left, field.left), (right, field.right)):
            if end is not None:
                yield from unfit(value, end, rule.at)
    for side in Side:
        end, way = field.end(side), rule.to(side)
        # A constant that is looked up is the name of a record, of whatever type its key is.
        constant = None if rule.lookups else rule.constant
        for literal in (constant, way.default, way.otherwise):
            if literal is not None and end is not None:
                yield from unfit(literal, end, rule.at)
    for side in (side for side in Side if rule.direction.to(side)):
        yield from _way_faults(field, side)


def _way_faults(field: CompiledField, side: Side) -> Iterator[Problem]:
    rule, end = field.rule, field.end(side)
    if end is not None and not (end.on_create or end.on_update):
        yield Problem(
            rule.at,
            f"'{end.name}' is read-only",
            "give the field the other direction" if rule.direction is Direction.BOTH else "",
        )
    if rule.lookups or rule.values or field.end(side.other) is None:
        return
    here, there = field.kind(side), field.kind(side.other)
    way: Arrival = rule.to(side)
    wrong = list(faults(way.steps, there))
    for step, words in wrong:
        yield Problem(step.at if step.at.file else rule.at, words)
    if wrong:
        return
    arrives = chained("v", there, way.steps).kind
    if not convertible(arrives, here):
        yield Problem(
            rule.at,
            f"'{_shown(field, side.other)}' is {arrives} and '{_shown(field, side)}' is {here}",
            "give it a `lookup:`"
            if Type.REFERENCE in (here, there)
            else "these cannot be converted",
        )


def _shown(field: CompiledField, side: Side) -> str:
    end = field.end(side)
    return end.name if end else str(field.rule.constant)


def text_of(field: CompiledField, side: Side) -> str:
    """SQL of the value on that side as people read it."""
    return values.as_text(field.value(side), field.kind(side))
