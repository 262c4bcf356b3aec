"""The functions that expressions may call: JMESPath's own, and a few for texts.

The texts' functions are jmespath's documented way to extend it (``Functions`` with signatures). A
blank goes through them as a blank, where jmespath's own would refuse it; ``join`` leaves blanks
out, so that a missing middle name leaves no double space.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import jmespath
from jmespath.functions import Functions, signature

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function")
_TEXT: dict[str, list[str]] = {"types": ["string", "null"]}
_NUMBER: dict[str, list[str]] = {"types": ["number", "null"]}

_DIGITS = re.compile(r"[+-]?[0-9]+([.][0-9]+)?")

FUNCTIONS = {
    "contains": 2,
    "starts_with": 2,
    "ends_with": 2,
    "length": 1,
    "join": 2,
    "split": 2,
    "upper": 1,
    "lower": 1,
    "trim": 1,
    "replace": 3,
    "to_string": 1,
    "to_number": 1,
    "abs": 1,
    "ceil": 1,
    "floor": 1,
    "not_null": -1,
}
"""Functions that have SQL, and how many arguments each takes; -1 is one or more."""


def arity(name: str) -> tuple[int, int]:
    """Return the least and the most arguments a function takes."""
    number = FUNCTIONS[name]
    return (1, 1000) if number < 0 else (number, number)


def only_on_rows(name: str) -> bool:
    """Whether jmespath knows a function that has no SQL."""
    return name in Functions.FUNCTION_TABLE and name not in FUNCTIONS


def plain(number: float) -> str:
    """Write a number as canonical values are written: no exponent, no trailing zeros."""
    text = format(Decimal(str(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _typed(*arguments: dict[str, list[str]]) -> Callable[[Function], Function]:
    """Declare what a function takes, as jmespath wants it declared."""
    declared: Callable[[Function], Function] = signature(*arguments)
    return declared


class _Texts(Functions):  # type: ignore[misc]  # jmespath has no types
    """JMESPath's functions and ours; each ``_func_name`` is the function ``name()``."""

    FUNCTION_TABLE: ClassVar[dict[str, Any]]

    @_typed(_TEXT, {"types": ["array"]})
    def _func_join(self, separator: str | None, array: list[Any]) -> str | None:
        parts = [part for part in array if part not in (None, "")]
        return (separator or "").join(parts) or None

    @_typed(_TEXT, _TEXT)
    def _func_split(self, text: str | None, separator: str | None) -> list[str]:
        if not text:
            return []
        return text.split(separator) if separator else list(text)

    @_typed(_TEXT)
    def _func_upper(self, text: str | None) -> str | None:
        return text and text.upper()

    @_typed(_TEXT)
    def _func_lower(self, text: str | None) -> str | None:
        return text and text.lower()

    @_typed(_TEXT)
    def _func_trim(self, text: str | None) -> str | None:
        return text and text.strip(" ")

    @_typed(_TEXT, _TEXT, _TEXT)
    def _func_replace(self, text: str | None, find: str | None, new: str | None) -> str | None:
        return text and text.replace(find, new or "") if find else text

    @_typed(_TEXT)
    def _func_length(self, text: str | None) -> int:
        return len(text or "")

    @_typed({"types": []})
    def _func_to_string(self, value: Any) -> str | None:
        if isinstance(value, bool):
            return "true" if value else "false"
        return plain(value) if isinstance(value, int | float) else value

    @_typed({"types": []})
    def _func_to_number(self, value: Any) -> float | None:
        if isinstance(value, str):
            return float(value) if _DIGITS.fullmatch(value) else None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if number else None

    @_typed(_NUMBER)
    def _func_abs(self, number: float | None) -> float | None:
        return None if number is None else abs(number)

    @_typed(_NUMBER)
    def _func_ceil(self, number: float | None) -> float | None:
        return None if number is None else math.ceil(number)

    @_typed(_NUMBER)
    def _func_floor(self, number: float | None) -> float | None:
        return None if number is None else math.floor(number)


OPTIONS = jmespath.Options(custom_functions=_Texts())
"""What every evaluation by jmespath is given."""
