"""An expression as SQL that finds exactly what jmespath finds, for all rows at once.

Values are canonical: blank is NULL, never ``''``, so the literal ``''`` means blank too. Three
things go beyond JMESPath: dates and instants may be compared with a text in ISO 8601, codes are the
same whatever their case, and a value on a condition (``isdisabled && name``) is blank, not false,
where the condition fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from runner.expression.parse import (
    And,
    Call,
    Comparison,
    ExpressionError,
    Field,
    Item,
    ListOf,
    Literal,
    Node,
    Not,
    Opaque,
    Or,
)
from runner.wire import Type

Column = Callable[[str], tuple[str, Type]]
"""Gives the SQL and the canonical type of a field; ``KeyError`` for a field that is none."""

_NUMBERS = frozenset({Type.INTEGER, Type.DECIMAL})
_MOMENTS = frozenset({Type.DATE, Type.INSTANT})
_FAMILIES = {
    "text": Type.TEXT,
    "number": Type.DECIMAL,
    "boolean": Type.BOOLEAN,
    "null": Type.TEXT,
}
_WIDE = "DECIMAL(38,10)"
"""Holds any whole number of a field as well, also without its sign."""
_NUMBER = "[+-]?[0-9]+([.][0-9]+)?"


@dataclass(frozen=True, slots=True)
class _Value:
    """SQL of a value, and which family it is of: text, number, boolean, moment, null, list."""

    sql: str
    family: str
    upper: bool = False
    kind: Type | None = None
    items: tuple[_Value, ...] = ()


def to_sql(node: Node, column: Column) -> str:
    """Write an expression as a SQL condition that is TRUE or FALSE, never NULL.

    Raises:
        ExpressionError: a part of it has no meaning in SQL.

    """
    match node:
        case And(left, right):
            return f"({to_sql(left, column)} AND {to_sql(right, column)})"
        case Or(left, right):
            return f"({to_sql(left, column)} OR {to_sql(right, column)})"
        case Not(inner):
            return f"(NOT {to_sql(inner, column)})"
        case Literal(constant):
            # As JMESPath has it: 0 is true, and so is everything that is not empty.
            empty = constant is None or constant is False or constant in ("", [])
            return "FALSE" if empty else "TRUE"
        case _:
            return _truth(_value(node, column))


def to_value(node: Node, column: Column) -> tuple[str, Type]:
    """Write an expression as SQL of a value, and say of which type it is.

    A number may have more digits than its type keeps.

    Raises:
        ExpressionError: a part of it has no meaning in SQL, or may be of several types.

    """
    found = _value(node, column)
    if found.family == "list":
        raise ExpressionError("it is a list; take one of it ([0]) or join() it")
    return found.sql, found.kind or _FAMILIES[found.family]


def _truth(value: _Value) -> str:
    if value.family == "list":
        return "TRUE" if value.items else f"(len({value.sql}) > 0)"
    sql = value.sql if value.family == "boolean" else f"{value.sql} IS NOT NULL"
    return f"coalesce({sql}, FALSE)"


def _compared(operator: str, left: Node, right: Node, column: Column) -> str:
    one, other = _value(left, column), _value(right, column)
    if operator in ("==", "!="):
        return _equal(one, other) if operator == "==" else f"(NOT {_equal(one, other)})"
    families = {one.family, other.family}
    if families == {"moment", "text"}:
        one, other = _moment(one), _moment(other)
    elif families not in ({"number"}, {"text"}, {"moment"}):
        return "FALSE"
    below, above = (_cased(value, one.upper or other.upper) for value in (one, other))
    return f"coalesce({below} {operator} {above}, FALSE)"


def _equal(one: _Value, other: _Value) -> str:
    if "list" in (one.family, other.family):
        raise ExpressionError("a list can only be searched, with contains(list, field)")
    if "null" not in (one.family, other.family) and one.family != other.family:
        if {one.family, other.family} != {"moment", "text"}:
            return f"({one.sql} IS NULL AND {other.sql} IS NULL)"
        one, other = _moment(one), _moment(other)
    left, right = (_cased(value, one.upper or other.upper) for value in (one, other))
    return f"({left} IS NOT DISTINCT FROM {right})"


def _value(node: Node, column: Column) -> _Value:
    match node:
        case Field(name):
            return _field(*column(name))
        case Literal(value):
            return _literal(value)
        case Comparison(operator, left, right):
            return _Value(_compared(operator, left, right, column), "boolean")
        case Not():
            return _Value(to_sql(node, column), "boolean")
        case Or(left, right):
            return _either(_value(left, column), _value(right, column))
        case And(left, right):
            return _provided(_value(left, column), _value(right, column))
        case ListOf(items):
            return _Value("NULL", "list", items=tuple(_value(item, column) for item in items))
        case Item(inner, position):
            return _item(_value(inner, column), position)
        case Call(name, arguments):
            return _CALLS[name]([_value(argument, column) for argument in arguments])
        case Opaque():
            raise ExpressionError("a part of it can only be evaluated record by record")


def _field(sql: str, kind: Type) -> _Value:
    if kind in _NUMBERS:
        return _Value(sql, "number", kind=kind)
    if kind in _MOMENTS:
        return _Value(sql, "moment", kind=kind)
    if kind is Type.BOOLEAN:
        return _Value(sql, "boolean", kind=kind)
    return _Value(sql, "text", upper=kind is Type.CODE, kind=kind)


def _literal(value: Any) -> _Value:
    match value:
        case None | "":
            return _Value("NULL", "null")
        case bool():
            return _Value("TRUE" if value else "FALSE", "boolean")
        case int():
            return _Value(repr(value), "number", kind=Type.INTEGER)
        case float():
            return _Value(repr(value), "number", kind=Type.DECIMAL)
        case str():
            return _Value("'" + value.replace("'", "''") + "'", "text")
        case list():
            return _Value("NULL", "list", items=tuple(_literal(item) for item in value))
        case _:
            raise ExpressionError("a value is a text, a number, a boolean, null or a list of these")


def _either(one: _Value, other: _Value) -> _Value:
    """``a || b``: the second where the first is blank (or false)."""
    same, left, right = _of_one_type(one, other)
    if same.family == "boolean":
        return _Value(f"CASE WHEN {_truth(one)} THEN TRUE ELSE {right} END", "boolean")
    return replace(same, sql=f"coalesce({left}, {right})")


def _provided(one: _Value, other: _Value) -> _Value:
    """``a && b``: the second where the first is not blank; a condition that fails is blank."""
    if one.family == "boolean":
        return replace(other, sql=f"CASE WHEN {_truth(one)} THEN {other.sql} END")
    same, left, right = _of_one_type(one, other)
    return replace(same, sql=f"CASE WHEN {_truth(one)} THEN {right} ELSE {left} END")


def _of_one_type(one: _Value, other: _Value) -> tuple[_Value, str, str]:
    if "null" in (one.family, other.family):
        known = other if one.family == "null" else one
        return known, one.sql, other.sql
    if one.family != other.family or "list" in (one.family, other.family):
        what = f"it is either {one.family} or {other.family}"
        raise ExpressionError(f"{what}: both must be of one type")
    kinds = {one.kind or _FAMILIES.get(one.family), other.kind or _FAMILIES.get(other.family)}
    if len(kinds) == 1:
        return one, one.sql, other.sql
    if one.family == "moment":
        raise ExpressionError("it is either a date or an instant: both must be of one type")
    if one.family == "number":
        decimal = [f"CAST({value.sql} AS {_WIDE})" for value in (one, other)]
        return _Value("", "number", kind=Type.DECIMAL), decimal[0], decimal[1]
    return _Value("", "text", kind=Type.TEXT), one.sql, other.sql


def _item(inner: _Value, position: int) -> _Value:
    if inner.family != "list":
        raise ExpressionError(f"[{position}] takes one of a list, such as split() makes")
    if inner.items:
        inside = -len(inner.items) <= position < len(inner.items)
        return inner.items[position] if inside else _literal(None)
    index = position + 1 if position >= 0 else position
    return _Value(f"nullif({inner.sql}[{index}], '')", "text")


def _searching(name: str) -> Callable[[list[_Value]], _Value]:
    def search(arguments: list[_Value]) -> _Value:
        whole, sought = arguments
        if name == "contains" and whole.family == "list":
            found = [_equal(sought, item) for item in whole.items]
            return _Value(f"({' OR '.join(found)})" if found else "FALSE", "boolean")
        if whole.family != "text" or sought.family not in ("text", "null"):
            raise ExpressionError(f"{name}() searches a text for a text")
        upper = whole.upper or sought.upper
        left, right = _cased(whole, upper), _cased(sought, upper)
        right = "''" if sought.sql == "NULL" else right
        return _Value(f"coalesce({name}({left}, {right}), FALSE)", "boolean")

    return search


def _text(name: str, value: _Value) -> str:
    if value.family not in ("text", "null"):
        raise ExpressionError(f"{name}() takes texts; to_string() makes one of a {value.family}")
    return value.sql


def _on_text(name: str, template: str) -> Callable[[list[_Value]], _Value]:
    def call(arguments: list[_Value]) -> _Value:
        texts = [_text(name, argument) for argument in arguments]
        return _Value(f"nullif({template.format(*texts)}, '')", "text")

    return call


def _on_number(name: str, template: str) -> Callable[[list[_Value]], _Value]:
    def call(arguments: list[_Value]) -> _Value:
        (value,) = arguments
        if value.family not in ("number", "null"):
            raise ExpressionError(f"{name}() takes a number; to_number() makes one of a text")
        return _Value(template.format(value.sql), "number", kind=value.kind or Type.DECIMAL)

    return call


def _join(arguments: list[_Value]) -> _Value:
    separator, parts = arguments
    if parts.family != "list" or not parts.items:
        raise ExpressionError("join() takes a separator and a list: join(' ', [a, b])")
    texts = ", ".join(_text("join", part) for part in parts.items)
    between = "''" if separator.sql == "NULL" else _text("join", separator)
    return _Value(f"nullif(concat_ws({between}, {texts}), '')", "text")


def _split(arguments: list[_Value]) -> _Value:
    whole, separator = arguments
    between = "''" if separator.sql == "NULL" else _text("split", separator)
    return _Value(f"string_split({_text('split', whole)}, {between})", "list")


def _replace(arguments: list[_Value]) -> _Value:
    whole, find, new = (_text("replace", argument) for argument in arguments)
    if find == "NULL":
        return arguments[0]
    new = "''" if new == "NULL" else f"coalesce({new}, '')"
    return _Value(f"nullif(replace({whole}, {find}, {new}), '')", "text")


def _length(arguments: list[_Value]) -> _Value:
    (whole,) = arguments
    sql = f"CAST(coalesce(length({_text('length', whole)}), 0) AS BIGINT)"
    return _Value(sql, "number", kind=Type.INTEGER)


def _to_string(arguments: list[_Value]) -> _Value:
    (value,) = arguments
    match value.family:
        case "list":
            raise ExpressionError("to_string() takes one value")
        case "number":
            text = f"CAST({value.sql} AS VARCHAR)"
            trimmed = f"rtrim(rtrim({text}, '0'), '.')"
            return _Value(f"CASE WHEN contains({text}, '.') THEN {trimmed} ELSE {text} END", "text")
        case "moment" if value.kind is Type.INSTANT:
            return _Value(f"strftime({value.sql}, '%Y-%m-%dT%H:%M:%SZ')", "text")
        case _:
            return _Value(f"CAST({value.sql} AS VARCHAR)", "text")


def _to_number(arguments: list[_Value]) -> _Value:
    (value,) = arguments
    if value.family == "number":
        return value
    text = f"CAST({_text('to_number', value)} AS VARCHAR)"
    number = f"CASE WHEN regexp_full_match({text}, '{_NUMBER}') THEN "
    return _Value(f"{number}try_cast({text} AS {_WIDE}) END", "number", kind=Type.DECIMAL)


def _not_null(arguments: list[_Value]) -> _Value:
    found = arguments[0]
    for value in arguments[1:]:
        same, left, right = _of_one_type(found, value)
        found = replace(same, sql=f"coalesce({left}, {right})")
    return found


_CALLS: dict[str, Callable[[list[_Value]], _Value]] = {
    "contains": _searching("contains"),
    "starts_with": _searching("starts_with"),
    "ends_with": _searching("ends_with"),
    "length": _length,
    "join": _join,
    "split": _split,
    "upper": _on_text("upper", "upper({0})"),
    "lower": _on_text("lower", "lower({0})"),
    "trim": _on_text("trim", "trim({0})"),
    "replace": _replace,
    "to_string": _to_string,
    "to_number": _to_number,
    "abs": _on_number("abs", f"abs(CAST({{0}} AS {_WIDE}))"),
    "ceil": _on_number("ceil", "ceil({0})"),
    "floor": _on_number("floor", "floor({0})"),
    "not_null": _not_null,
}


def _cased(value: _Value, upper: bool) -> str:  # noqa: FBT001 - a switch of one line
    """Codes are kept in upper case, trimmed: what they are compared with is taken likewise."""
    return f"upper(trim({value.sql}))" if upper and value.family == "text" else value.sql


def _moment(value: _Value) -> _Value:
    """Read a text as a moment; one without a zone is UTC, as connections are set to.

    A cast to ``TIMESTAMP`` would leave the zone out of account.
    """
    if value.family == "moment":
        return _Value(f"try_cast({value.sql} AS TIMESTAMP)", "moment")
    return _Value(f"(try_cast({value.sql} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')", "moment")
