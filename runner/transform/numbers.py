"""Transforms of numbers and of yes and no. Microsoft's rules 9 and 14, and two with an inverse."""

from __future__ import annotations

import re
from decimal import Decimal, Inexact, InvalidOperation, localcontext
from typing import TYPE_CHECKING

from runner import dialect
from runner.model import Step
from runner.transform.convert import as_text, lost
from runner.transform.cultures import known, number_marks
from runner.transform.kind import Transform
from runner.transform.texts import DERIVED, blank
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.transform.kind import Arguments


_DIGITS, _KEPT = 38, 28
"""Digits that DuckDB calculates with, and those of a canonical number."""
_PLACES = 10
"""Decimal places that a quotient keeps (Microsoft rounds exchange rates to 1e-10)."""


def _round(value: str, given: Arguments) -> str:
    """Rule 14: to a multiple of a precision; up is away from zero, down is towards it."""
    step = dialect.cast(dialect.literal(Decimal(str(given["to"]))), Type.DECIMAL)
    rest = f"({value} % {step})"
    down = f"({value} - {rest})"
    further = f"({down} + sign({value}) * {step})"
    match given.get("direction", "nearest"):
        case "down":
            sql = down
        case "up":
            sql = f"CASE WHEN {rest} = 0 THEN {value} ELSE {further} END"
        case _:
            sql = f"CASE WHEN abs({rest}) * 2 >= {step} THEN {further} ELSE {down} END"
    return _number(sql)


def _round_faults(given: Arguments) -> Iterator[str]:
    if Decimal(str(given["to"])) <= 0:
        yield "`to` must be greater than 0"


def _multiply(value: str, given: Arguments) -> str:
    factor = f"{Decimal(str(given['value'])):f}"
    if sum(digit.isdigit() for digit in factor) > _DIGITS - _KEPT:
        # The product itself may have more digits than there can be; and no TRY goes around what is
        # looked up.
        product = f"TRY({dialect.cast(f'x * {factor}', Type.DECIMAL)})"
        return f"list_transform([{value}], lambda x: {product})[1]"
    return _number(f"{value} * {factor}")


def _reciprocal(given: Arguments) -> Step | None:
    """Multiply by the reciprocal, where that has an end: 0.01 for 100, none for 3."""
    factor = Decimal(str(given["value"]))
    with localcontext() as context:
        context.traps[Inexact] = True
        try:
            undone = 1 / factor
        except (Inexact, ZeroDivisionError, InvalidOperation):
            return None
    return Step(name="multiply", arguments=(("value", f"{undone:f}"),), at=DERIVED)


def _multiply_faults(given: Arguments) -> Iterator[str]:
    if Decimal(str(given["value"])) == 0:
        yield "0 leaves nothing of a value"


def _divide_into(value: str, given: Arguments) -> str:
    """Divide a number by it, as Microsoft turns a currency factor around; 0 divides nothing."""
    dividend = f"{Decimal(str(given['value'])):f}"
    return _number(f"round({dividend} / nullif(CAST({value} AS DOUBLE), 0), {_PLACES})")


def _number(sql: str) -> str:
    """Take what was computed for a number; NULL where it has more digits than one keeps."""
    return dialect.try_cast(sql, Type.DECIMAL)


def _too_small(before: str, after: str) -> str:
    """0 is divided into nothing; anything else can be too small to be."""
    return f"({before} IS NOT NULL AND {before} <> 0 AND {after} IS NULL)"


def _culture_faults(given: Arguments) -> Iterator[str]:
    if not known(str(given["culture"])):
        yield f"there is no culture '{given['culture']}', write it like da-DK"


def _parse_number(value: str, given: Arguments) -> str:
    """Rule 9: the groups' marks taken out, the decimal mark made a point.

    What no number is grouped as, is none: 1.5, where the point is a mark of thousands, is not 15.
    """
    decimal, groups = number_marks(str(given["culture"]))
    plain = value
    for mark in groups:
        plain = f"replace({plain}, {dialect.text(mark)}, '')"
    plain = f"replace({plain}, {dialect.text(decimal)}, '.')"
    between = f"[{''.join(map(re.escape, groups))}]"
    # India's groups have two digits, but for the last.
    whole = f"[0-9]*|[0-9]{{1,3}}({between}[0-9]{{2,3}})*{between}[0-9]{{3}}"
    well = dialect.text(f"[+-]?({whole})({re.escape(decimal)}[0-9]*)?")
    number = f"regexp_full_match(trim({plain}), '[+-]?[0-9]*([.][0-9]*)?')"
    grouped = f"regexp_full_match(trim({value}), {well})"
    return blank(f"CASE WHEN {grouped} OR NOT {number} THEN {plain} END")


def _ungrouped(before: str, after: str) -> str:
    return f"(trim({before}) <> '' AND {after} IS NULL)"


def _write_number(value: str, given: Arguments) -> str:
    decimal, _ = number_marks(str(given["culture"]))
    return blank(f"replace({as_text(value, Type.DECIMAL)}, '.', {dialect.text(decimal)})")


def _same(name: str) -> Callable[[Arguments], Step]:
    return lambda given: Step(name=name, arguments=tuple(given.items()), at=DERIVED)


NUMBERS = {
    "parse_number": Transform(
        takes=Type.TEXT,
        gives=Type.TEXT,
        sql=_parse_number,
        inverse=_same("write_number"),
        faults=_culture_faults,
        fails=_ungrouped,
        failed="is grouped as no number is",
    ),
    "write_number": Transform(
        takes=Type.DECIMAL,
        gives=Type.TEXT,
        sql=_write_number,
        inverse=_same("parse_number"),
        faults=_culture_faults,
    ),
    "round": Transform(
        takes=Type.DECIMAL,
        gives=Type.DECIMAL,
        sql=_round,
        faults=_round_faults,
        fails=lost,
    ),
    "multiply": Transform(
        takes=Type.DECIMAL,
        gives=Type.DECIMAL,
        sql=_multiply,
        inverse=_reciprocal,
        faults=_multiply_faults,
        fails=lost,
    ),
    "divide_into": Transform(
        takes=Type.DECIMAL, gives=Type.DECIMAL, sql=_divide_into, fails=_too_small
    ),
    "not": Transform(
        takes=Type.BOOLEAN,
        gives=Type.BOOLEAN,
        sql=lambda value, _: f"(NOT {value})",
        inverse=_same("not"),
    ),
}
