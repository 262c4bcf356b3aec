"""``$filter`` and ``$orderby`` as NAV and Business Central understand them (protocols B4, C4).

``or`` only on one and the same field; how values compare is each server's own matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<guid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
    r"|(?P<moment>\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<member>[A-Za-z_][A-Za-z0-9_.]*'(?:[^']|'')*')"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<mark>[(),]))"
)
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
}
_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda whole, part: part in whole,
    "startswith": lambda whole, part: whole.startswith(part),
    "endswith": lambda whole, part: whole.endswith(part),
}
DEEPEST = 100


class FilterError(Exception):
    """The server does not understand a filter. The message is the server's."""


Values = Mapping[str, Any]
Test = Callable[[Values], bool]
Compare = Callable[[str, str, str, Any], Callable[[Any], bool]]
"""Makes the test of one field: its name, the operator or function, the kind of the literal (its
token) and the literal. Raises ``FilterError``."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter read: a test of one record, and the fields that it looks at."""

    test: Test
    fields: frozenset[str]


def folded(field: str, operator: str, kind: str, value: Any) -> Callable[[Any], bool]:
    """Compare without regard to case; nothing but ``null`` is equal to ``null``."""
    del kind
    act = _FUNCTIONS.get(operator) or COMPARE[operator]

    def test(held: Any) -> bool:
        if value is None:
            return (held is None) == (operator == "eq")
        if held is None:
            return False
        try:
            return bool(act(_folded(held), _folded(value)))
        except TypeError as error:
            raise FilterError(f"'{field}' cannot be compared with this value.") from error

    return test


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server reads filters. ``fields`` are the names it knows; ``or_across``: over fields."""

    fields: frozenset[str]
    or_across: bool
    compare: Compare = folded


def read(text: str, manner: Manner) -> Filter:
    """Read a ``$filter``.

    Raises:
        FilterError: it is malformed, or asks for what this server cannot do.

    """
    reader = _Reader(_tokens(text), manner)
    found = reader.either()
    reader.end()
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"Syntax error at position {position} in '{text}'.")
        assert match.lastgroup is not None
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Reader:
    """Descends through one filter. Binds as OData does: not, comparison, and, or."""

    def __init__(self, tokens: list[tuple[str, str]], manner: Manner) -> None:
        self._tokens, self._position, self._manner, self._depth = tokens, 0, manner, 0

    def either(self) -> Filter:
        self._depth += 1
        if self._depth > DEEPEST:
            raise FilterError("The filter is nested too deep.")
        found = self._both()
        while self._takes("word", "or"):
            other = self._both()
            if not self._manner.or_across and found.fields | other.fields != found.fields:
                raise FilterError(
                    "The 'OR' operator is not supported on distinct fields on an OData filter."
                )
            found = Filter(_or(found.test, other.test), found.fields | other.fields)
        self._depth -= 1
        return found

    def end(self) -> None:
        if self._position < len(self._tokens):
            raise FilterError(f"Syntax error near '{self._tokens[self._position][1]}'.")

    def _both(self) -> Filter:
        found = self._single()
        while self._takes("word", "and"):
            other = self._single()
            found = Filter(_and(found.test, other.test), found.fields | other.fields)
        return found

    def _single(self) -> Filter:
        if self._takes("word", "not"):
            inner = self._single()
            return Filter(lambda row: not inner.test(row), inner.fields)
        if self._takes("mark", "("):
            inner = self.either()
            self._needs("mark", ")")
            return inner
        kind, word = self._next()
        if kind != "word":
            raise FilterError(f"Syntax error near '{word}'.")
        if word in _FUNCTIONS and self._takes("mark", "("):
            return self._function(word)
        return self._comparison(word)

    def _function(self, name: str) -> Filter:
        field = self._field(self._next()[1])
        self._needs("mark", ",")
        found = self._compared(field, name)
        self._needs("mark", ")")
        return found

    def _comparison(self, word: str) -> Filter:
        field = self._field(word)
        kind, operator = self._next()
        if kind != "word" or operator not in COMPARE:
            raise FilterError(f"'{operator}' is not a comparison that is supported here.")
        return self._compared(field, operator)

    def _compared(self, field: str, operator: str) -> Filter:
        kind = self._kind()
        test = self._manner.compare(field, operator, kind, self._literal())
        return Filter(lambda row: test(row.get(field)), frozenset({field}))

    def _kind(self) -> str:
        return self._tokens[self._position][0] if self._position < len(self._tokens) else ""

    def _field(self, word: str) -> str:
        if word not in self._manner.fields:
            raise FilterError(f"Could not find a property named '{word}'.")
        return word

    def _literal(self) -> Any:
        kind, text = self._next()
        match kind:
            case "text":
                return text[1:-1].replace("''", "'")
            case "member":
                return text[text.index("'") + 1 : -1]
            case "number":
                return Decimal(text)
            case "guid":
                return text.lower()
            case "moment":
                return text
            case "word" if text in {"true", "false", "null"}:
                return {"true": True, "false": False, "null": None}[text]
            case _:
                raise FilterError(f"Syntax error near '{text}'.")

    def _next(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise FilterError("The filter ends too soon.")
        self._position += 1
        return self._tokens[self._position - 1]

    def _takes(self, kind: str, text: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position] == (kind, text):
            self._position += 1
            return True
        return False

    def _needs(self, kind: str, text: str) -> None:
        if not self._takes(kind, text):
            raise FilterError(f"'{text}' is missing.")


def _and(one: Test, other: Test) -> Test:
    return lambda row: one(row) and other(row)


def _or(one: Test, other: Test) -> Test:
    return lambda row: one(row) or other(row)


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def order(text: str, known: frozenset[str]) -> list[tuple[str, bool]]:
    """Read an ``$orderby``: the fields, each with whether it descends."""
    found = []
    for part in text.split(","):
        words = part.split()
        if (
            len(words) not in (1, 2)
            or words[0] not in known
            or words[1:] not in ([], ["asc"], ["desc"])
        ):
            raise FilterError(f"'{part.strip()}' cannot be ordered by.")
        found.append((words[0], words[1:] == ["desc"]))
    return found


def ordered(
    rows: list[Any], by: list[tuple[str, bool]], body: Callable[[Any], Values]
) -> list[Any]:
    """Sort records; blank comes first."""
    for name, descending in reversed(by):
        rows = sorted(
            rows,
            key=lambda row: (body(row).get(name) is not None, _folded(body(row).get(name) or "")),
            reverse=descending,
        )
    return rows
