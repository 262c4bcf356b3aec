"""An expression as an OData ``$filter`` that misses no row: what a server can say of it, and more.

A server compares texts in its own way (without regard to case, with wildcards), so what it is asked
is the weakest condition that every wanted row fulfils; the rows that come too many are taken out by
the SQL of the same expression. What a server can be asked of one field its ``Asking`` knows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from runner.expression.parse import (
    And,
    Call,
    Comparison,
    Field,
    Literal,
    Node,
    Not,
    Or,
    fields_of,
)

if TYPE_CHECKING:
    from runner.wire import Value

_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SEARCHES = frozenset({"contains", "starts_with", "ends_with"})


class Asking(Protocol):
    """What one server can be asked about the fields of one entity.

    Each method returns a condition, encoded for a URL, that holds at least for every record that
    is meant, or ``None`` where the server has none.
    """

    @property
    def or_across(self) -> bool:
        """Whether ``or`` may stand between different fields."""
        ...

    def compare(self, field: str, operator: str, value: Value) -> str | None:
        """Compare a field with a value that is not blank; ``operator`` is JMESPath's."""
        ...

    def blank(self, field: str, *, is_blank: bool) -> str | None:
        """Ask for records in which a field is blank, or is not."""
        ...

    def true(self, field: str) -> bool:
        """Whether a field is a boolean, whose ``false`` counts as nothing."""
        ...

    def search(self, field: str, function: str, text: str) -> str | None:
        """Ask for records in which a text holds, begins or ends with another."""
        ...


def to_odata(node: Node, asking: Asking) -> str:
    """Write what the server can say of a filter; empty where it can say nothing."""
    return _weak(node, asking, holds=True) or ""


def _weak(node: Node, asking: Asking, *, holds: bool) -> str | None:
    match node:
        case Not(inner):
            return _weak(inner, asking, holds=not holds)
        case And(left, right) | Or(left, right):
            parts = [_weak(part, asking, holds=holds) for part in (left, right)]
            if isinstance(node, And) is holds:
                return _all(parts)
            together = asking.or_across or len(fields_of(node)) == 1
            return _any(parts, together=together)
        case Comparison(operator, left, right):
            return _comparison(operator, left, right, asking, holds=holds)
        case Field(name) if asking.true(name):
            return _compared(name, "==" if holds else "!=", value=True, asking=asking)
        case Field(name):
            return asking.blank(name, is_blank=not holds)
        case Call("contains", (Literal(list() as values), Field(name))) if holds:
            return _any([_compared(name, "==", value, asking) for value in values])
        case Call(function, (Field(name), Literal(str() as text))) if holds and text:
            return asking.search(name, function, text) if function in _SEARCHES else None
        case _:
            return None


def _comparison(
    operator: str, left: Node, right: Node, asking: Asking, *, holds: bool
) -> str | None:
    if isinstance(right, Field) and isinstance(left, Literal):
        left, right, operator = right, left, _TURNED[operator]
    if not isinstance(left, Field) or not isinstance(right, Literal):
        return None
    if not holds and operator not in ("==", "!="):
        # What cannot be compared, a blank, is not below: it fulfils the contrary.
        return _any(
            [
                _compared(left.name, _NEGATED[operator], right.value, asking),
                asking.blank(left.name, is_blank=True),
            ]
        )
    return _compared(left.name, operator if holds else _NEGATED[operator], right.value, asking)


def _compared(name: str, operator: str, value: object, asking: Asking) -> str | None:
    if isinstance(value, list | dict):
        return None
    if value is None or value == "":
        known = operator in ("==", "!=")
        return asking.blank(name, is_blank=operator == "==") if known else None
    assert isinstance(value, str | int | float), "JSON has no other values"
    number = Decimal(str(value)) if isinstance(value, float) else value
    asked = asking.compare(name, operator, number)
    if asked is None or operator != "!=":
        return asked
    # A server leaves blanks out where it compares; here a blank is no value, and differs.
    return _any([asked, asking.blank(name, is_blank=True)])


def _all(parts: list[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return "%20and%20".join(known) if known else None


def _any(parts: list[str | None], *, together: bool = True) -> str | None:
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts) or not together:
        return None
    return known[0] if len(known) == 1 else f"({'%20or%20'.join(known)})"
