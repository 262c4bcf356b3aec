"""Functions of ``$filter`` that are Dataverse's own: ``Microsoft.Dynamics.CRM.In`` & co. (A4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse.operands import kind_of, normal
from runner.sandbox.dataverse.session import BAD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.sandbox.dataverse.metadata import Attribute
    from runner.sandbox.dataverse.session import Session

_SPACE = "Microsoft.Dynamics.CRM."
_DAYS: Mapping[str, Callable[[str, str], bool]] = {
    "On": lambda day, wanted: day == wanted,
    "NotOn": lambda day, wanted: day != wanted,
    "OnOrAfter": lambda day, wanted: day >= wanted,
    "OnOrBefore": lambda day, wanted: day <= wanted,
}
_SETS = frozenset({"In", "NotIn"})
_RANGES = frozenset({"Between", "NotBetween"})
_USERS = frozenset({"EqualUserId", "NotEqualUserId"})
_SPANS = frozenset({"LastXDays", "LastXHours"})
FUNCTIONS = frozenset(_SPACE + name for name in (*_DAYS, *_SETS, *_RANGES, *_USERS, *_SPANS))


def within(
    session: Session, name: str, attribute: Attribute, given: Mapping[str, Sequence[str]]
) -> Callable[[Any], bool]:
    """Make the test of a function. A blank value fulfils none of them."""
    short = name.removeprefix(_SPACE)
    test = _test(session, short, attribute, given)
    return lambda held: held is not None and test(held)


def _test(
    session: Session, name: str, attribute: Attribute, given: Mapping[str, Sequence[str]]
) -> Callable[[Any], bool]:
    if name in _USERS:
        return lambda held: (held == session.caller.user) == (name == "EqualUserId")
    if name in _SETS | _RANGES:
        values = [_value(attribute, text) for text in _needed(given, "PropertyValues")]
        return _among(name, values)
    [told] = _needed(given, "PropertyValue")
    if name in _SPANS:
        unit = timedelta(days=1) if name == "LastXDays" else timedelta(hours=1)
        since = session.now - int(told) * unit
        return lambda held: since <= held <= session.now
    act, wanted = _DAYS[name], normal("date", told)
    return lambda held: act(_day(held), wanted)


def _among(name: str, values: list[Any]) -> Callable[[Any], bool]:
    if name in _SETS:
        return lambda held: (_folded(held) in values) == (name == "In")
    if len(values) != 2:  # noqa: PLR2004 - from, to
        raise Refusal(400, BAD, f"{name} takes two values.")
    low, high = values
    return lambda held: (low <= _folded(held) <= high) == (name == "Between")


def _needed(given: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    if name not in given:
        raise Refusal(400, BAD, f"The parameter '{name}' is missing.")
    return given[name]


def _value(attribute: Attribute, text: str) -> Any:
    """Read a value, which is written as a text whatever the type of its column."""
    kind = kind_of(attribute)
    if kind == "number":
        try:
            return Decimal(text)
        except InvalidOperation as error:
            raise Refusal(400, BAD, f"'{text}' is not a valid number.") from error
    if kind == "flag":
        return text.lower() in ("true", "1")
    return _folded(normal(kind, text))


def _day(held: Any) -> str:
    return held.date().isoformat() if isinstance(held, datetime) else str(held)[:10]


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
