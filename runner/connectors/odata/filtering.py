"""Filters of mappings as ``$filter``, by what each server makes of a comparison (A4, B4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from runner import expression
from runner.connectors.odata import language as odata
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from runner.connectors.odata.columns import Column
    from runner.wire import Value, WireQuery

_LONGEST = 1_500
"""Letters of a condition that is still sent: URLs have an end (A2)."""
_OPERATORS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_FUNCTIONS = {"contains": "contains", "starts_with": "startswith", "ends_with": "endswith"}
_EXACT = frozenset({Type.INTEGER, Type.DECIMAL, Type.DATE, Type.INSTANT})
_ISO = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """An ``expression.Asking`` of one server.

    ``columns`` are the entity's. ``wild`` are the letters that the server may take for wildcards.
    ``blanks`` hold by type the value that stands for blank; ``None`` as a value is null, a type
    that is missing has none that can be asked for. ``or_across``: ``or`` may join fields.
    """

    columns: Mapping[str, Column]
    wild: AbstractSet[str]
    blanks: Mapping[Type, Value]
    or_across: bool

    def compare(self, field: str, operator: str, value: Value) -> str | None:
        """Compare exactly what has one spelling; of texts ask only which are alike."""
        column = self.columns.get(field)
        if column is None or not column.askable:
            return None
        wanted = _typed(value, column.type)
        if wanted is None:
            return None
        if column.type is Type.BOOLEAN and operator not in ("==", "!="):
            return None
        if isinstance(wanted, str) and (operator != "==" or not self._plain(wanted)):
            return None
        return f"{column.property}%20{_OPERATORS[operator]}%20{odata.literal(wanted, column)}"

    def blank(self, field: str, *, is_blank: bool) -> str | None:
        """Compare with what the server keeps for a blank."""
        column = self.columns.get(field)
        if column is None or not column.askable or column.type not in self.blanks:
            return None
        operator = "eq" if is_blank else "ne"
        blank = odata.literal(self.blanks[column.type], column)
        return f"{column.property}%20{operator}%20{blank}"

    def true(self, field: str) -> bool:
        """Whether a field is a boolean."""
        return field in self.columns and self.columns[field].type is Type.BOOLEAN

    def search(self, field: str, function: str, text: str) -> str | None:
        """Search a text without wildcards."""
        column = self.columns.get(field)
        if column is None or not column.askable or not self._plain(text):
            return None
        if column.type not in (Type.TEXT, Type.CODE):
            return None
        return f"{_FUNCTIONS[function]}({column.property},{odata.text(text)})"

    def _plain(self, text: str) -> bool:
        return odata.fits(text) and ".." not in text and self.wild.isdisjoint(text)


def condition(query: WireQuery, asking: Asking) -> Iterator[str]:
    """Yield the condition that a query's filter comes to; nothing where it comes to none."""
    if not query.filter:
        return
    asked = expression.to_odata(expression.parse(query.filter), asking)
    if asked and len(asked) <= _LONGEST:
        yield asked


def _typed(value: Value, kind: Type) -> Value:
    """Read a literal of JMESPath as a value of a field; ``None`` where it can be none."""
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    match kind:
        case Type.BOOLEAN:
            return value if isinstance(value, bool) else None
        case Type.INTEGER | Type.DECIMAL:
            return Decimal(str(value)) if number else None
        case Type.DATE | Type.INSTANT:
            return _moment(value, kind) if isinstance(value, str) else None
        case Type.TEXT | Type.CODE | Type.OPTION:
            # Blanks at the ends and in the middle are written in more than one way.
            plain = isinstance(value, str) and value == value.strip()
            return value if plain and (kind is not Type.OPTION or " " not in str(value)) else None
        case _:
            return value if isinstance(value, str) else None


def _moment(value: str, kind: Type) -> Value:
    try:
        if kind is Type.DATE:
            return date.fromisoformat(value) if _ISO.fullmatch(value) else None
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the first and last hours of time have none in UTC
        return None
