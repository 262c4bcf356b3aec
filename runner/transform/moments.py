"""Transforms of dates and instants. Microsoft's rules 8, 12, 15 and 16."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner import dialect
from runner.model import Step
from runner.transform.convert import as_text, lost
from runner.transform.cultures import (
    UnknownPatternError,
    date_patterns,
    datetime_patterns,
    known,
    spelled,
)
from runner.transform.kind import Transform
from runner.transform.texts import DERIVED, blank
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.transform.kind import Arguments

_FIRST, _LAST = -62135596800, 253402300799
"""The seconds of Unix time in which the years 1 and 9999 begin and end."""
_PACKED = re.compile("%-?[A-Za-z]%")
"""Parts of a pattern with nothing between them."""


def _parse(
    patterns: Callable[[str], tuple[str, ...]], kind: Type
) -> Callable[[str, Arguments], str]:
    """Rules 8 and 12: by the format, else as the culture writes it; what is neither stays."""

    def parse(value: str, given: Arguments) -> str:
        found = patterns(str(given["culture"])) if "culture" in given else (_spelled(given),)
        formats = ", ".join(dialect.text(pattern) for pattern in found)
        read = f"try_strptime({value}, [{formats}])"
        # DuckDB takes 18 for the year 18 where four digits are meant.
        meant = f"(year({read}) >= 100 OR contains({value}, strftime({read}, '%Y')))"
        if "format" in given and _PACKED.search(found[0]) and "%z" not in found[0]:
            # Nothing tells where a part ends but its length.
            meant += f" AND lower(strftime({read}, {formats})) = lower(trim({value}))"
        moment = f"CAST({read} AS {dialect.column_type(kind)})"
        return f"CASE WHEN {meant} THEN {as_text(moment, kind)} ELSE {value} END"

    return parse


def _write(value: str, given: Arguments) -> str:
    return blank(f"strftime({value}, {dialect.text(_spelled(given))})")


def _spelled(given: Arguments) -> str:
    return spelled(str(given["format"]))


def _faults(given: Arguments) -> Iterator[str]:
    if ("format" in given) == ("culture" in given):
        yield "it needs a `format`, or a `culture` to read it as"
    elif "culture" in given and not known(str(given["culture"])):
        yield f"there is no culture '{given['culture']}', write it like da-DK"
    elif "format" in given:
        try:
            _spelled(given)
        except UnknownPatternError as error:
            yield str(error)


def _by_format(name: str) -> Callable[[Arguments], Step | None]:
    def inverse(given: Arguments) -> Step | None:
        if "format" not in given:
            return None
        return Step(name=name, arguments=(("format", given["format"]),), at=DERIVED)

    return inverse


def _plainly(name: str) -> Callable[[Arguments], Step]:
    return lambda _: Step(name=name, at=DERIVED)


def _part(value: str, given: Arguments) -> str:
    return f"CAST(date_part({dialect.text(str(given['value']))}, {value}) AS BIGINT)"


def _from_unix_time(value: str, _: Arguments) -> str:
    there = f"{value} BETWEEN {_FIRST} AND {_LAST}"
    within = f"least(greatest({value}, {_FIRST}), {_LAST})"
    return f"CASE WHEN {there} THEN make_timestamp({within} * 1000000) END"


MOMENTS = {
    "parse_date": Transform(
        takes=Type.TEXT,
        gives=Type.TEXT,
        sql=_parse(date_patterns, Type.DATE),
        inverse=_by_format("write_date"),
        faults=_faults,
    ),
    "write_date": Transform(
        takes=Type.DATE,
        gives=Type.TEXT,
        sql=_write,
        inverse=_by_format("parse_date"),
        faults=_faults,
    ),
    "parse_instant": Transform(
        takes=Type.TEXT,
        gives=Type.TEXT,
        sql=_parse(datetime_patterns, Type.INSTANT),
        inverse=_by_format("write_instant"),
        faults=_faults,
    ),
    "write_instant": Transform(
        takes=Type.INSTANT,
        gives=Type.TEXT,
        sql=_write,
        inverse=_by_format("parse_instant"),
        faults=_faults,
    ),
    "date_part": Transform(takes=Type.DATE, gives=Type.INTEGER, sql=_part),
    "from_unix_time": Transform(
        takes=Type.INTEGER,
        gives=Type.INSTANT,
        sql=_from_unix_time,
        inverse=_plainly("to_unix_time"),
        fails=lost,
        failed="comes to no year from 1 to 9999",
    ),
    "to_unix_time": Transform(
        takes=Type.INSTANT,
        gives=Type.INTEGER,
        sql=lambda value, _: f"CAST(epoch({value}) AS BIGINT)",
        inverse=_plainly("from_unix_time"),
    ),
}
