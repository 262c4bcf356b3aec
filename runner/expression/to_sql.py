"""An expression as SQL that holds exactly where JMESPath would find the record truthy.

Values are canonical: blank is NULL, never ``''``, so the literal ``''`` means blank too. One thing
goes beyond JMESPath: dates and instants may be ordered against a text in ISO 8601.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runner.expression.parse import (
    And,
    Call,
    Comparison,
    ExpressionError,
    Field,
    Literal,
    Node,
    Not,
    Or,
)
from runner.wire import Type

Column = Callable[[str], tuple[str, Type]]
"""Gives the SQL and the canonical type of a field; ``KeyError`` for a field that is none."""

_NUMBERS = frozenset({Type.INTEGER, Type.DECIMAL})
_MOMENTS = frozenset({Type.DATE, Type.INSTANT})
_SQL_ORDER = ("<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class _Value:
    """SQL of a value, and which family it is of: text, number, boolean, moment, null, list."""

    sql: str
    family: str
    upper: bool = False


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
        case Comparison(operator, left, right):
            return _compared(operator, left, right, column)
        case Call(name, arguments):
            return _called(name, arguments, column)
        case Field():
            held = _value(node, column)
            truth = held.sql if held.family == "boolean" else f"{held.sql} IS NOT NULL"
            return f"coalesce({truth}, FALSE)"
        case Literal(constant):
            # As JMESPath has it: 0 is true, and so is everything that is not empty.
            empty = constant is None or constant is False or constant in ("", [])
            return "FALSE" if empty else "TRUE"


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


def _called(name: str, arguments: tuple[Node, ...], column: Column) -> str:
    subject, part = arguments
    if name == "contains" and isinstance(subject, Literal) and isinstance(subject.value, list):
        found = [_equal(_value(part, column), _literal(item)) for item in subject.value]
        return f"({' OR '.join(found)})" if found else "FALSE"
    whole, sought = _value(subject, column), _value(part, column)
    if whole.family != "text" or sought.family not in ("text", "null"):
        raise ExpressionError(f"{name}() searches a text for a text")
    upper = whole.upper or sought.upper
    left, right = _cased(whole, upper), _cased(sought, upper)
    if isinstance(part, Literal) and part.value == "":
        right = "''"
    return f"coalesce({name}({left}, {right}), FALSE)"


def _value(node: Node, column: Column) -> _Value:
    match node:
        case Field(name):
            sql, kind = column(name)
            if kind in _NUMBERS:
                return _Value(sql, "number")
            if kind in _MOMENTS:
                return _Value(sql, "moment")
            if kind is Type.BOOLEAN:
                return _Value(sql, "boolean")
            return _Value(sql, "text", upper=kind is Type.CODE)
        case Literal(value):
            return _literal(value)
        case _:
            raise ExpressionError("only fields and values can be compared")


def _literal(value: Any) -> _Value:
    match value:
        case None | "":
            return _Value("NULL", "null")
        case bool():
            return _Value("TRUE" if value else "FALSE", "boolean")
        case int() | float():
            return _Value(repr(value), "number")
        case str():
            return _Value("'" + value.replace("'", "''") + "'", "text")
        case list():
            return _Value("NULL", "list")
        case _:
            raise ExpressionError("a value is a text, a number, a boolean, null or a list of these")


def _cased(value: _Value, upper: bool) -> str:  # noqa: FBT001 - a switch of one line
    """Codes are kept in upper case, trimmed: what they are compared with is taken likewise."""
    return f"upper(trim({value.sql}))" if upper and value.family == "text" else value.sql


def _moment(value: _Value) -> _Value:
    return _Value(f"try_cast({value.sql} AS TIMESTAMP)", "moment")
