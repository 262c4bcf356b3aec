"""An expression over one record at a time, by jmespath itself: what the SQL must agree with.

Records hold canonical values: blank is ``None``, moments are ``date`` and ``datetime``. Where SQL
goes beyond JMESPath (moments against ISO texts, codes whatever their case, a failed ``a && b`` is
blank and not false), so does this, and nowhere else.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from runner.expression.functions import OPTIONS
from runner.expression.parse import (
    And,
    Call,
    Comparison,
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SEARCHES = frozenset({"contains", "starts_with", "ends_with"})
# Texts that stand before and after all moments as `_moment` writes them.
_BEFORE_ALL, _AFTER_ALL = "0000", ":"
_NAMES = {"==": "eq", "!=": "ne", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def evaluate(node: Node, row: Mapping[str, Any], kinds: Mapping[str, Type]) -> bool:
    """Say whether a record is let through; ``kinds`` are the types of its fields.

    What jmespath refuses to compare (a text with a number, say) lets nothing through.
    """
    match node:
        case And(left, right):
            return evaluate(left, row, kinds) and evaluate(right, row, kinds)
        case Or(left, right):
            return evaluate(left, row, kinds) or evaluate(right, row, kinds)
        case Not(inner):
            return not evaluate(inner, row, kinds)
        case _:
            return truthy(compute(node, row, kinds))


def compute(node: Node, row: Mapping[str, Any], kinds: Mapping[str, Type]) -> Any:
    """Return what an expression makes of a record; ``None`` where jmespath refuses it."""
    match node:
        case Or(left, right):
            found = compute(left, row, kinds)
            return found if truthy(found) else compute(right, row, kinds)
        case And(left, right):
            found = compute(left, row, kinds)
            if truthy(found):
                return compute(right, row, kinds)
            return None if found is False else found
        case Comparison(operator, left, right):
            folded = _folded((left, right), row, kinds)
            return _search(
                {"type": "comparator", "value": _NAMES[operator], "children": folded}, row
            )
        case Call(name, arguments) if name in _SEARCHES:
            folded = _folded(arguments, row, kinds)
            if isinstance(arguments[1], Literal) and arguments[1].value in (None, ""):
                folded[1] = {"type": "literal", "value": "", "children": []}
            return _search({"type": "function_expression", "value": name, "children": folded}, row)
        case Call(name, arguments):
            values = [_literal(compute(a, row, kinds)) for a in arguments]
            return _search({"type": "function_expression", "value": name, "children": values}, row)
        case ListOf(items):
            return [compute(item, row, kinds) for item in items]
        case Item(inner, position):
            found = compute(inner, row, kinds)
            inside = isinstance(found, list) and -len(found) <= position < len(found)
            return _blank(found[position]) if inside else None
        case Field(name):
            return _plain(row.get(name))
        case Literal(value):
            return _blank(value)
        case Not(inner):
            return not truthy(compute(inner, row, kinds))
        case Opaque(tree):
            return _blank(_search(tree, row))


def truthy(value: Any) -> bool:
    """Say what counts as true, as JMESPath has it: 0 does, what is empty does not."""
    return not (value is None or value is False or value in ("", [], {}))


def _search(tree: dict[str, Any], row: Mapping[str, Any]) -> Any:
    record = {name: _written(_plain(value)) for name, value in row.items()}
    try:
        return ParsedResult("", tree).search(record, options=OPTIONS)
    except (JMESPathError, TypeError, ValueError, ArithmeticError):
        return None


def _folded(
    operands: tuple[Node, ...], row: Mapping[str, Any], kinds: Mapping[str, Type]
) -> list[dict[str, Any]]:
    """Evaluate what is compared, and bring both to one form: moments, codes in upper case."""
    values = [compute(operand, row, kinds) for operand in operands]
    moment: Callable[[Any], Any] | None = _moment if _moments(operands, kinds) else None
    code = any(isinstance(o, Field) and kinds.get(o.name) is Type.CODE for o in operands)
    fold = moment or (_upper if code else _same)
    return [_literal(fold(value)) for value in values]


def _moments(operands: tuple[Node, ...], kinds: Mapping[str, Type]) -> bool:
    moments = (Type.DATE, Type.INSTANT)
    return any(isinstance(o, Field) and kinds.get(o.name) in moments for o in operands)


def _moment(value: Any) -> Any:
    """Bring a moment or an ISO text to one spelling, whose order is that of time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        try:
            utc = value.astimezone(UTC) if value.tzinfo else value
        except OverflowError:  # hours before the first or after the last that has a name
            return _BEFORE_ALL if value.year == 1 else _AFTER_ALL
        return utc.replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{value.isoformat()}T00:00:00.000000" if isinstance(value, date) else value


def _upper(value: Any) -> Any:
    if isinstance(value, list):
        return [_upper(item) for item in value]
    return value.strip(" ").upper() if isinstance(value, str) else value


def _same(value: Any) -> Any:
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return _blank(value)


def _blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value else value


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat()}Z"
    return value.isoformat() if isinstance(value, date) else value


def _literal(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": _written(value), "children": []}
