"""An expression over one record at a time, by jmespath itself: what the SQL must agree with."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import jmespath
from jmespath.exceptions import JMESPathError

from runner.expression.parse import (
    And,
    Call,
    Comparison,
    Field,
    Literal,
    Node,
    Not,
    Or,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def evaluate(node: Node, row: Mapping[str, Any]) -> bool:
    """Say whether a record is let through. Blank is ``None`` in the record.

    What jmespath refuses to compare (a text with a number, say) lets nothing through.
    """
    plain = {
        name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()
    }
    match node:
        case And(left, right):
            return evaluate(left, row) and evaluate(right, row)
        case Or(left, right):
            return evaluate(left, row) or evaluate(right, row)
        case Not(inner):
            return not evaluate(inner, row)
        case Field() | Literal() | Comparison() | Call():
            try:
                found = jmespath.search(_text(node), plain)
            except (JMESPathError, TypeError):
                return False
            return not (found is None or found is False or found in ("", [], {}))


def _text(node: Node) -> str:
    """Write a node back as JMESPath; the literal ``''`` as null, which is what blank is."""
    match node:
        case Field(name):
            return _quoted(name)
        case Literal(value):
            return _literal(None if value == "" and isinstance(value, str) else value)
        case Comparison(operator, left, right):
            return f"{_text(left)} {operator} {_text(right)}"
        case Call(name, arguments):
            texts = [_literal(a.value) if isinstance(a, Literal) else _text(a) for a in arguments]
            return f"{name}({', '.join(texts)})"
        case Not(inner):
            return f"!({_text(inner)})"
        case And(left, right):
            return f"({_text(left)} && {_text(right)})"
        case Or(left, right):
            return f"({_text(left)} || {_text(right)})"


def _quoted(name: str) -> str:
    return json.dumps(name)


def _literal(value: Any) -> str:
    return "`" + json.dumps(value).replace("`", "\\`") + "`"
