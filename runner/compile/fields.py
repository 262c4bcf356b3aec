"""One field mapping as SQL: its value on either side, carried across, and compared.

The SQL reads the rows ``l`` and ``r`` (both sides now, columns named as fields) and, for a lookup,
the link rows ``k<number>r`` (found by the left's key) and ``k<number>l`` (found by the right's).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.compile import dialect
from runner.errors import Problem, nearest
from runner.model import Direction, Side
from runner.wire import FieldType, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.errors import Location
    from runner.model import Constant, FieldMapping, Mapping
    from runner.wire import EntityType

TEXTUAL = frozenset({Type.TEXT, Type.CODE, Type.OPTION, Type.GUID})
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
ROW = {Side.LEFT: "l", Side.RIGHT: "r"}
_CARRIES = frozenset(
    {(Type.INTEGER, Type.DECIMAL), (Type.INTEGER, Type.TEXT), (Type.INTEGER, Type.CODE)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledField:
    """A field mapping with the types of both ends. ``id`` names it within its mapping.

    ``left`` or ``right`` is ``None`` where the constant stands.
    """

    number: int
    id: str
    rule: FieldMapping
    left: FieldType | None
    right: FieldType | None

    def end(self, side: Side) -> FieldType | None:
        """The field on that side."""
        return self.left if side is Side.LEFT else self.right

    def kind(self, side: Side) -> Type:
        """The canonical type on that side; a constant has that of the field it is written to."""
        end = self.end(side) or self.end(side.other)
        assert end is not None, "a field mapping has at least one field"
        return end.type

    def value(self, side: Side) -> str:
        """SQL of the value on that side now."""
        if self.end(side) is None:
            assert self.rule.constant is not None
            return _typed(self.rule.constant, self.kind(side))
        return dialect.name(ROW[side], self.rule.name(side))

    def link(self, to: Side) -> str:
        """SQL of the key that a lookup finds for that side; NULL where nothing is coupled."""
        return dialect.name(f"k{self.number}{ROW[to]}", f"{to.value}_key")

    def carried(self, to: Side) -> str:
        """SQL of the other side's value as this side would keep it."""
        if self.rule.lookup:
            return self.link(to)
        if self.rule.values:
            return self._translated(to)
        here, there = self.kind(to), self.kind(to.other)
        value = self.value(to.other)
        if here is Type.CODE and there is not Type.CODE:
            return f"upper(trim(CAST({value} AS VARCHAR)))"
        if here is Type.DECIMAL:
            return dialect.cast(_rounded(value, self.scale), here)
        return value if here is there or here in TEXTUAL >= {there} else dialect.cast(value, here)

    def same(self) -> str:
        """SQL that says whether both sides hold the same, as far as both can keep it.

        A longer text counts as the shorter side would cut it (Microsoft's rule, codeunit 5336), a
        number as the coarser side would round it, a reference by what it points to.
        """
        left, right = self.value(Side.LEFT), self.value(Side.RIGHT)
        if self.rule.lookup or self.rule.values:
            # What cannot be translated is the same as nothing, not even as a blank.
            found = f"{self.carried(Side.RIGHT)} = {right}"
            return f"(({left} IS NULL AND {right} IS NULL) OR coalesce({found}, FALSE))"
        kinds = {self.kind(Side.LEFT), self.kind(Side.RIGHT)}
        if kinds & TEXTUAL:
            left, right = (self._comparable(value, kinds) for value in (left, right))
        elif Type.DECIMAL in kinds:
            left, right = (
                _rounded(dialect.cast(v, Type.DECIMAL), self.scale) for v in (left, right)
            )
        return f"({left} {dialect.SAME} {right})"

    def too_long(self, to: Side) -> str:
        """SQL that says whether what travels is longer than that side can keep."""
        end = self.end(to)
        if end is None or end.max_length is None or self.kind(to.other) not in TEXTUAL:
            return "FALSE"
        source = self.end(to.other)
        if source is not None and (source.max_length or end.max_length + 1) <= end.max_length:
            return "FALSE"
        return f"coalesce(length({self.carried(to)}) > {end.max_length}, FALSE)"

    def untranslated(self, to: Side) -> str:
        """SQL that says whether a value stands in no pair of ``values``."""
        return f"({self.value(to.other)} IS NOT NULL AND {self._translated(to)} IS NULL)"

    def _translated(self, to: Side) -> str:
        here, there = self.kind(to), self.kind(to.other)
        arms = " ".join(
            f"WHEN {_typed(source, there)} THEN {_typed(target, here)}"
            for source, target in (p if to is Side.RIGHT else p[::-1] for p in self.rule.values)
        )
        return f"CASE {self.value(to.other)} {arms} END"

    @property
    def scale(self) -> int | None:
        """Decimal places that both sides keep; ``None``: all of them."""
        known = [self.rule.scale, *(end.scale for end in (self.left, self.right) if end)]
        return min((scale for scale in known if scale is not None), default=None)

    def _comparable(self, value: str, kinds: set[Type]) -> str:
        text = f"CAST({value} AS VARCHAR)" if kinds - TEXTUAL else value
        if Type.CODE in kinds and len(kinds) > 1:
            text = f"upper(trim({text}))"
        lengths = [end.max_length for end in (self.left, self.right) if end]
        known = [length for length in lengths if length is not None]
        differ = len(set(known)) > 1 or len(known) < len(lengths)
        return f"left({text}, {min(known)})" if known and differ else text


def _typed(value: Constant, kind: Type) -> str:
    return dialect.cast(_constant(value, kind), kind)


def _rounded(value: str, scale: int | None) -> str:
    return value if scale is None else f"round({value}, {scale})"


def _constant(value: Constant, kind: Type) -> str:
    if kind is Type.BOOLEAN or not isinstance(value, bool):
        return dialect.literal(value)
    return dialect.text(str(value).lower())


def fields_of(
    mapping: Mapping, left: EntityType, right: EntityType
) -> tuple[tuple[CompiledField, ...], tuple[Problem, ...]]:
    """Tie every field mapping to the types of both systems; say which of them cannot be."""
    problems: list[Problem] = []
    compiled: list[CompiledField] = []
    taken: set[str] = set()
    for number, rule in enumerate(mapping.fields, start=1):
        problems += _unknown(rule, left, right)
        ident = f"{rule.left or '='} {rule.right or '='}"
        ident = ident if ident not in taken else f"{ident} {number}"
        taken.add(ident)
        field = CompiledField(
            number=number,
            id=ident,
            rule=rule,
            left=left.fields.get(rule.left),
            right=right.fields.get(rule.right),
        )
        if not _unknown(rule, left, right):
            problems += _faults(field)
            compiled.append(field)
    return tuple(compiled), tuple(problems)


def unknown_field(name: str, entity: EntityType, at: Location) -> Iterator[Problem]:
    """Say that an entity has no such field, unless it has."""
    if name and name not in entity.fields:
        hint = nearest(name, entity.fields)
        yield Problem(at, f"{entity.name} has no field '{name}'", hint)


def _unknown(rule: FieldMapping, left: EntityType, right: EntityType) -> tuple[Problem, ...]:
    return (*unknown_field(rule.left, left, rule.at), *unknown_field(rule.right, right, rule.at))


def unfit(value: Constant, field: FieldType, at: Location) -> Iterator[Problem]:
    """Say that a field cannot hold a literal, unless it can."""
    fits = {
        Type.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        Type.DECIMAL: isinstance(value, int | float) and not isinstance(value, bool),
        Type.BOOLEAN: isinstance(value, bool),
        Type.DATE: isinstance(value, str) and _ISO.fullmatch(value) is not None,
        Type.INSTANT: isinstance(value, str) and _ISO.match(value) is not None,
    }
    if not fits.get(field.type, True):
        yield Problem(at, f"'{field.name}' is {field.type} and cannot hold '{value}'")


def _faults(field: CompiledField) -> Iterable[Problem]:
    rule = field.rule
    for left, right in rule.values:
        for value, end in ((left, field.left), (right, field.right)):
            if end is not None:
                yield from unfit(value, end, rule.at)
    if rule.constant is not None:
        for end in (field.left, field.right):
            if end is not None:
                yield from unfit(rule.constant, end, rule.at)
    for side in (side for side in Side if rule.direction.to(side)):
        end = field.end(side)
        if end is not None and not (end.on_create or end.on_update):
            yield Problem(
                rule.at,
                f"'{end.name}' is read-only",
                "give the field the other direction" if rule.direction is Direction.BOTH else "",
            )
        here, there = field.kind(side), field.kind(side.other)
        if rule.lookup or rule.values or field.end(side.other) is None or _fits(there, here):
            continue
        yield Problem(
            rule.at,
            f"'{rule.name(side.other)}' is {there} and '{rule.name(side)}' is {here}",
            "give it a `lookup:`"
            if Type.REFERENCE in (here, there)
            else "these cannot be converted",
        )


def _fits(source: Type, target: Type) -> bool:
    return source is target or {source, target} <= TEXTUAL or (source, target) in _CARRIES
