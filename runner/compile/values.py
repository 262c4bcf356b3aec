"""One form for every value: what came from the wire, as a canonical value, in SQL.

Done once, at extract, so that no value ping-pongs between two systems' ways to write the same
thing: a blank is NULL whether it came as null, ``''``, ``0001-01-01`` or the zero GUID (NAV has no
nulls, Dataverse has no blanks), codes are upper case and trimmed, GUIDs lower case, instants UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner import dialect
from runner.transform.convert import as_text
from runner.wire import Type

if TYPE_CHECKING:
    from runner.model import Constant

__all__ = ["as_text", "canonical", "literal"]

_ZERO_GUID = "00000000-0000-0000-0000-000000000000"
_FIRST = {
    Type.DATE: "0001-01-01.*",
    Type.INSTANT: "0001-01-01([T ]00:00(:00([.]0+)?)?)?(Z|[+-].*)?",
}


def canonical(sql: str, kind: Type) -> str:
    """Turn a raw column (``wire.Page``) into its canonical value."""
    match kind:
        case Type.TEXT:
            # A letter with its accent is one letter, however it was typed (protocols D63, D64).
            lines = f"replace({sql}, chr(13) || chr(10), chr(10))"
            return f"nullif(nfc_normalize({lines}), '')"
        case Type.CODE:
            return f"nullif(upper(trim({sql})), '')"
        case Type.OPTION:
            return f"nullif(trim(replace({sql}, '_x0020_', ' ')), '')"
        case Type.GUID | Type.REFERENCE:
            return f"nullif(nullif(lower(trim({sql}, '{{}} ')), '{_ZERO_GUID}'), '')"
        case Type.DATE:
            return _moment(f"CAST(left({sql}, 10) AS DATE)", sql, kind)
        case Type.INSTANT:
            return _moment(f"CAST({sql} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'", sql, kind)
        case Type.DECIMAL:
            return dialect.cast(sql, kind)
        case Type.INTEGER | Type.BOOLEAN:
            return sql


def literal(value: Constant, kind: Type) -> str:
    """Write a literal of YAML as the canonical value of its type, which ``unfit`` found it to be.

    What it is compared with was made canonical, too: a code is 'DK' however it was typed, and a
    moment is UTC.
    """
    told = str(value).lower() if isinstance(value, bool) else str(value)
    match kind:
        case Type.INSTANT:
            return dialect.literal(moment(told))
        case Type.INTEGER | Type.DECIMAL | Type.BOOLEAN | Type.DATE:
            return dialect.cast(dialect.literal(value), kind)
        case _:
            return canonical(dialect.text(told), kind)


def moment(text: str) -> datetime:
    """Read a moment, in UTC where it does not say where.

    Raises:
        ValueError: there is no such day or hour.
        OverflowError: there is none in UTC.

    """
    read = datetime.fromisoformat(text)
    return read if read.tzinfo is None else read.astimezone(UTC).replace(tzinfo=None)


def _moment(moment: str, told: str, kind: Type) -> str:
    """SQL of a moment that a calendar has; one before or after it is as bad as no moment.

    Most are told at a glance by their text, and converted once. Blank is the first moment of all,
    with whatever offset: some servers add that of their own zone to it.
    """
    usual = f"{told} LIKE '____-%' AND {told} > '0002' AND {told} < '9999-12-31'"
    era = f"ends_with({told}, ')')"  # '0044-03-15 (BC)'
    never = dialect.cast(f"{told} || ' is out of range'", kind)
    return f"""CASE WHEN {usual} AND NOT {era} THEN {moment}
        WHEN {told} IS NULL OR regexp_full_match({told}, '{_FIRST[kind]}') THEN NULL
        WHEN NOT {era} AND year({moment}) BETWEEN 1 AND 9999 THEN {moment} ELSE {never} END"""
