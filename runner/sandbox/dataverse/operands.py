"""What a ``$filter`` is made of: its words, its values, how they compare (protocols A4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse.session import BAD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.sandbox.dataverse.manners import DataverseManners
    from runner.sandbox.dataverse.metadata import Attribute

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"[^"]*")
    |(?P<guid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})
    |(?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)
    |(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    |(?P<mark>[(),/:=\[\]]))""",
    re.VERBOSE,
)
_KINDS: Mapping[str, str] = {
    "Boolean": "flag",
    "Uniqueidentifier": "guid",
    "Lookup": "guid",
    "Customer": "guid",
    "Owner": "guid",
    "Integer": "number",
    "BigInt": "number",
    "Picklist": "number",
    "State": "number",
    "Status": "number",
    "Decimal": "number",
    "Money": "number",
    "Double": "number",
}
_CLASS = re.compile(r"[\\\[\]^]")
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in a filter."""

    kind: str
    value: Any


class Tokens:
    """The words of one filter, taken one after the other."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        self._found, self._at = found, 0

    @classmethod
    def of(cls, text: str) -> Tokens:
        """Take a filter apart. Raises ``Refusal`` for what is no word."""
        found, position = [], 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                words = f"Syntax error at position {position} in '{text}'."
                raise Refusal(400, BAD, words)
            assert match.lastgroup is not None
            found.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return cls(found)

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        """Look at a word without taking it."""
        place = self._at + ahead
        return self._found[place] if place < len(self._found) else ("end", "")

    def next(self) -> tuple[str, str]:
        """Take a word."""
        found = self.peek()
        if found[0] == "end":
            raise Refusal(400, BAD, "Syntax error: the expression ends too soon.")
        self._at += 1
        return found

    def takes(self, kind: str, text: str) -> bool:
        """Take a word if it is this one."""
        if self.peek() != (kind, text):
            return False
        self._at += 1
        return True

    def needs(self, kind: str, text: str) -> None:
        """Take a word that must be this one."""
        if not self.takes(kind, text):
            raise Refusal(400, BAD, f"Syntax error near '{self.peek()[1]}': '{text}' expected.")

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self.peek()[0] != "end":
            raise Refusal(400, BAD, f"Syntax error near '{self.peek()[1]}'.")

    def listed(self) -> list[str]:
        """Take the argument of a function: one value, or a list of texts."""
        if not self.takes("mark", "["):
            return [str(self.literal().value)]
        found = []
        while not self.takes("mark", "]"):
            found.append(self.next()[1].strip("\"'"))
            self.takes("mark", ",")
        return found

    def literal(self) -> Literal:
        """Take a value."""
        kind, text = self.next()
        match kind:
            case "text":
                return Literal("text", text[1:-1].replace("''", "'"))
            case "number":
                return Literal("number", Decimal(text))
            case "guid" | "moment" | "date":
                return Literal(kind, normal(kind, text))
            case "word" if text in ("true", "false"):
                return Literal("flag", text == "true")
            case "word" if text == "null":
                return Literal("null", None)
            case _:
                raise Refusal(400, BAD, f"Syntax error near '{text}'.")


def kind_of(attribute: Attribute) -> str:
    """Say what the values of a column are compared as."""
    if attribute.type == "DateTime":
        return "date" if attribute.format == "DateOnly" else "moment"
    return _KINDS.get(attribute.type, "text")


def normal(kind: str, held: Any) -> Any:
    """Bring a value into the form that it is compared in. Raises ``Refusal`` for what is none."""
    if held is None:
        return None
    match kind:
        case "guid":
            return str(held).lower()
        case "date":
            return str(held)[:10]
        case "moment":
            try:
                moment = datetime.fromisoformat(str(held))
            except ValueError as error:
                raise Refusal(400, BAD, f"'{held}' is not a valid date-time.") from error
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        case _:
            return held


def compared(
    manners: DataverseManners, operator: str, literal: Any, right: str, left: str
) -> Callable[[Any, Any], bool]:
    """Make the test of a comparison; ``literal`` is what stands on its right, if that is fixed."""
    act = COMPARE[operator]
    if right == "null":
        return lambda held, _: (held is None) == (operator == "eq")
    if left == "moment" and right == "date":
        midnight = normal("moment", literal)
        return lambda held, _: held is not None and act(held, midnight)
    if right == "text" and isinstance(literal, str) and operator in ("eq", "ne"):
        fits = matches(manners, "eq", literal)
        blank = operator == "ne" and not manners.null_logic
        return lambda held, _: blank if held is None else fits(held) == (operator == "eq")

    def test(held: Any, other: Any) -> bool:
        if held is None or other is None:
            return operator == "ne" and not manners.null_logic
        return act(_folded(manners, held), _folded(manners, other))

    return test


def matches(manners: DataverseManners, name: str, part: str) -> Callable[[str], bool]:
    """Make the test of a text: SQL's wildcards count in all of them, even in ``eq``."""
    before = ".*" if name in ("contains", "endswith") else ""
    behind = ".*" if name in ("contains", "startswith") else ""
    pattern = _wild(part) if manners.wildcards else re.escape(part)
    if name == "eq":
        # SQL compares texts as if the shorter one went on with blanks.
        pattern, behind = pattern.rstrip().removesuffix("\\"), r"\s*"
    flags = re.DOTALL | (re.IGNORECASE if manners.ignores_case else 0)
    found = re.compile(f"{before}{pattern}{behind}", flags)
    return lambda held: found.fullmatch(held) is not None


def _wild(part: str) -> str:
    """Turn a pattern of LIKE into a regular expression."""
    found, position = "", 0
    while position < len(part):
        letter, closed = part[position], part.find("]", position + 2)
        if letter == "[" and closed > 0:
            inner = part[position + 1 : closed]
            negated = "^" if inner.startswith("^") else ""
            found += f"[{negated}{_CLASS.sub(_escaped, inner.removeprefix('^'))}]"
            position = closed
        else:
            found += {"%": ".*", "_": "."}.get(letter, re.escape(letter))
        position += 1
    return found


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _folded(manners: DataverseManners, value: Any) -> Any:
    return value.casefold() if isinstance(value, str) and manners.ignores_case else value
