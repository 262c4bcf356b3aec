"""From one canonical type to another: what always goes, what goes for some values, what never.

A value that cannot be converted becomes blank, and its fault says so: a blank that came of a value
is never written.
"""

from __future__ import annotations

from runner import dialect
from runner.wire import Type

TEXTUAL = frozenset({Type.TEXT, Type.CODE, Type.OPTION, Type.GUID})
_FROM_TEXT = {
    Type.INTEGER: "[+-]?[0-9]{1,18}",
    Type.DECIMAL: "[+-]?[0-9]{1,18}([.][0-9]+)?",
    Type.DATE: "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    Type.INSTANT: "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+)?(Z|[+-][0-9:]+)?",
}
"""How a text must look to be read as a value of that type."""
_QUOTE = dialect.text("'")
_YES, _NO = "'true', 'yes', '1'", "'false', 'no', '0'"
_AMONG_NUMBERS = frozenset(
    {
        (Type.INTEGER, Type.DECIMAL),
        (Type.DECIMAL, Type.INTEGER),
        (Type.BOOLEAN, Type.INTEGER),
        (Type.INTEGER, Type.BOOLEAN),
        (Type.DATE, Type.INSTANT),
        (Type.INSTANT, Type.DATE),
    }
)


def convertible(source: Type, target: Type) -> bool:
    """Whether any value of one type can be one of another. References go through lookups alone."""
    if Type.REFERENCE in (source, target):
        return source is target
    plain = source is target or source in TEXTUAL or target in TEXTUAL
    return plain or (source, target) in _AMONG_NUMBERS


def converted(sql: str, source: Type, target: Type, zone: str = "UTC") -> str:
    """Write SQL of the value as the other type keeps it; NULL where it has no such form.

    ``zone`` is the time zone in which a date and an instant are the same day.
    """
    if source is target:
        return sql
    if target is Type.CODE:
        return f"nullif(upper(trim({as_text(sql, source)})), '')"
    if target in TEXTUAL:
        return as_text(sql, source)
    if source in TEXTUAL:
        return _read(f"trim({sql})", target)
    where = dialect.text(zone)
    match source, target:
        case Type.DATE, Type.INSTANT:
            moment = f"((CAST({sql} AS TIMESTAMP) AT TIME ZONE {where}) AT TIME ZONE 'UTC')"
            return _in_calendar(moment)
        case Type.INSTANT, Type.DATE:
            return _in_calendar(f"CAST((({sql}) AT TIME ZONE 'UTC') AT TIME ZONE {where} AS DATE)")
        case Type.DECIMAL, Type.INTEGER:
            return f"CASE WHEN {sql} = trunc({sql}) THEN CAST({sql} AS BIGINT) END"
        case Type.INTEGER, Type.DECIMAL:
            return dialect.try_cast(sql, target)
        case Type.INTEGER, Type.BOOLEAN:
            return f"CASE {sql} WHEN 0 THEN FALSE WHEN 1 THEN TRUE END"
        case _:
            return dialect.cast(sql, target)


def may_fail(source: Type, target: Type) -> bool:
    """Whether some values of one type have no form in the other."""
    if source is target or target in TEXTUAL:
        return False
    hard = (
        (Type.DECIMAL, Type.INTEGER),
        (Type.INTEGER, Type.DECIMAL),
        (Type.INTEGER, Type.BOOLEAN),
        (Type.DATE, Type.INSTANT),
        (Type.INSTANT, Type.DATE),
    )
    return source in TEXTUAL or (source, target) in hard


def as_text(sql: str, kind: Type) -> str:
    """Write a canonical value as text: the form that plans, journals and people read.

    Decimals lose their trailing zeros, dates and instants are ISO 8601 (instants end in ``Z``).
    ``apply.resolve`` reads it back.
    """
    match kind:
        case Type.DECIMAL:
            return f"rtrim(rtrim(CAST({sql} AS VARCHAR), '0'), '.')"
        case Type.INSTANT:
            return f"rtrim(rtrim(strftime({sql}, '%Y-%m-%dT%H:%M:%S.%f'), '0'), '.') || 'Z'"
        case Type.INTEGER | Type.BOOLEAN | Type.DATE:
            return f"CAST({sql} AS VARCHAR)"
        case _:
            return sql


def lost(before: str, after: str) -> str:
    """SQL of whether a value has become a blank on its way."""
    return f"({before} IS NOT NULL AND {after} IS NULL)"


def told(sql: str, kind: Type, words: str) -> str:
    """SQL of words that go on from a value in quotes."""
    return f"{_QUOTE} || {as_text(sql, kind)} || {_QUOTE} || {dialect.text(f' {words}')}"


def _read(text: str, target: Type) -> str:
    if target is Type.BOOLEAN:
        yes, no = (f"lower({text}) IN ({words})" for words in (_YES, _NO))
        return f"CASE WHEN {yes} THEN TRUE WHEN {no} THEN FALSE END"
    looks = f"regexp_full_match({text}, '{_FROM_TEXT[target]}')"
    read = dialect.try_cast(text, target)
    if target is Type.INSTANT:
        read = _in_calendar(f"(try_cast({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')")
    elif target is Type.DATE:
        read = _in_calendar(read)
    return f"CASE WHEN {looks} THEN {read} END"


def _in_calendar(sql: str) -> str:
    """Take a day or moment of the years that systems know; DuckDB counts on, and back before 1."""
    return f"CASE WHEN year({sql}) BETWEEN 1 AND 9999 THEN {sql} END"
