"""Types of entities without their system: as far as they are known, the rest from the values."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from runner import expression
from runner.compile.ends import names_of
from runner.model import Side
from runner.wire import EntityType, FieldType, Type

if TYPE_CHECKING:
    from collections import abc

    from runner.cases.model import Likeness
    from runner.model import FieldMapping, Mapping
    from runner.wire import Value

_TEXTS = frozenset({Type.TEXT, Type.CODE, Type.OPTION, Type.GUID, Type.REFERENCE})
_DATE = re.compile(r"\d{4}-\d\d-\d\d").fullmatch
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?"
).fullmatch
_WIDER = {
    frozenset({Type.INTEGER, Type.DECIMAL}): Type.DECIMAL,
    frozenset({Type.DATE, Type.INSTANT}): Type.INSTANT,
}


def types_of(
    mapping: Mapping,
    likenesses: abc.Mapping[str, Likeness],
    values: abc.Mapping[Side, abc.Mapping[str, abc.Sequence[Any]]],
) -> dict[Side, EntityType]:
    """Return the types of a mapping's entities.

    A field that is not known but named by the mapping (a field of one's own, or any field of an
    entity that nobody described) takes the type of its ``values`` in the cases, else of the
    literals in the mapping, else of its partner, and is a text where nothing tells.
    """
    found = {}
    for side in Side:
        rule = mapping.entity(side)
        known = likenesses[rule.system].types.get(rule.entity)
        known = known or EntityType(name=rule.entity, key=rule.key, fields={})
        inferred = {
            name: FieldType(name=name, type=_inferred(mapping, side, name, likenesses, values))
            for name in _named(mapping, side)
            if name not in known.fields
        }
        found[side] = replace(known, key=rule.key, fields={**known.fields, **inferred})
    return found


def typed(value: Any, field: FieldType) -> Value:
    """Turn a value of YAML into a canonical one of the field's type.

    Raises:
        ValueError: it is none; the message says what it must be.

    """
    kind = field.type
    if value is None or value == "":
        return None
    if kind in _TEXTS:
        if not isinstance(value, str):
            raise ValueError("a text: write it in quotes")
        return _text(value, kind)
    if kind is Type.BOOLEAN:
        return bool(_must(value, isinstance(value, bool), "true or false"))
    if kind is Type.INTEGER:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return int(_must(value, whole, "a whole number"))
    if kind is Type.DECIMAL:
        return _decimal(value)
    text = str(value)
    if kind is Type.DATE and _DATE(text):
        return date.fromisoformat(text)
    if kind is Type.INSTANT and (_DATE(text) or _INSTANT(text)):
        moment = datetime.fromisoformat(text.upper())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise ValueError("a date: 2018-01-31" if kind is Type.DATE else "a moment: 2018-01-31T12:00Z")


def shown(value: Value) -> str | None:
    """Write a value as plans do (``compile.values.as_text``); ``None`` for blank."""
    match value:
        case None | "":
            return None
        case bool():
            return str(value).lower()
        case Decimal():
            text = format(value, "f")
            return text.rstrip("0").rstrip(".") if "." in text else text
        case datetime():
            text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
            return text.rstrip("0").rstrip(".") + "Z"
        case _:
            return str(value)


def _text(value: str, kind: Type) -> str | None:
    """Bring a text into its canonical form, as ``compile.values`` does in SQL."""
    match kind:
        case Type.CODE:
            return value.strip(" ").upper() or None
        case Type.OPTION:
            return value.replace("_x0020_", " ").strip(" ") or None
        case Type.GUID | Type.REFERENCE:
            return value.strip("{} ").lower() or None
        case _:
            return value.replace("\r\n", "\n")


def _must(value: Any, fits: bool, what: str) -> Any:  # noqa: FBT001 - what was found out about it
    if not fits:
        raise ValueError(what)
    return value


def _decimal(value: Any) -> Decimal:
    try:
        number = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    return Decimal(_must(number, number.is_finite(), "a number"))


def _named(mapping: Mapping, side: Side) -> tuple[str, ...]:
    """Name the fields of one side that the mapping names, each once."""
    rule, left = mapping.entity(side), side is Side.LEFT
    pairs = (pair for criterion in mapping.match for pair in criterion)
    names = (
        rule.key,
        rule.label,
        *(name for rule in mapping.fields for name in _ends(rule, side)),
        *(pair.left if left else pair.right for pair in pairs),
        *(expression.fields_of(expression.parse(rule.filter.text)) if rule.filter else ()),
        *(name for template in mapping.templates.get(side, ()) for name, _ in template.values),
        rule.one_per,
        *(name for pair in rule.same_per for name in pair),
        *(
            name
            for requirement in rule.requires
            for name in expression.fields_of(expression.parse(requirement.when.text))
        ),
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _ends(rule: FieldMapping, side: Side) -> tuple[str, ...]:
    """Name the fields that one side of a field mapping is made of."""
    made = rule.made(side)
    names = (rule.name(side),) if made is None else names_of(made)
    conditions = (lookup.conditions.get(side) for lookup in rule.lookups)
    for text in (condition.text for condition in conditions if condition is not None):
        names = (*names, *expression.fields_of(expression.parse(text)))
    return names


def _inferred(
    mapping: Mapping,
    side: Side,
    name: str,
    likenesses: abc.Mapping[str, Likeness],
    values: abc.Mapping[Side, abc.Mapping[str, abc.Sequence[Any]]],
) -> Type:
    rules = [rule for rule in mapping.fields if rule.name(side) == name]
    literals = [
        *(rule.constant for rule in rules),
        *(pair[0 if side is Side.LEFT else 1] for rule in rules for pair in rule.values),
        *(
            value
            for template in mapping.templates.get(side, ())
            for default, value in template.values
            if default == name
        ),
    ]
    for told in (values.get(side, {}).get(name, ()), literals):
        kinds = frozenset(_kind(value) for value in told if value is not None)
        if kinds:
            return next(iter(kinds)) if len(kinds) == 1 else _WIDER.get(kinds, Type.TEXT)
    across = mapping.entity(side.other)
    known = likenesses[across.system].types.get(across.entity)
    for rule in rules:
        partner = known.fields.get(rule.name(side.other)) if known else None
        if partner and not rule.lookups and partner.type not in _TEXTS:
            return partner.type
    return Type.TEXT


def _kind(value: Any) -> Type:
    match value:
        case bool():
            return Type.BOOLEAN
        case int():
            return Type.INTEGER
        case float():
            return Type.DECIMAL
        case str() if _DATE(value):
            return Type.DATE
        case str() if _INSTANT(value):
            return Type.INSTANT
        case _:
            return Type.TEXT
