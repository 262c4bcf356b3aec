"""One form for every value: what came from the wire, as a canonical value, in SQL.

Done once, at extract, so that no value ping-pongs between two systems' ways to write the same
thing: a blank is NULL whether it came as null, ``''``, ``0001-01-01`` or the zero GUID (NAV has no
nulls, Dataverse has no blanks), codes are upper case and trimmed, GUIDs lower case, instants UTC.
"""

from __future__ import annotations

from runner.compile import dialect
from runner.wire import Type

_ZERO_GUID = "00000000-0000-0000-0000-000000000000"


def canonical(sql: str, kind: Type) -> str:
    """Turn a raw column (``wire.Page``) into its canonical value."""
    match kind:
        case Type.TEXT:
            return f"nullif(replace({sql}, chr(13) || chr(10), chr(10)), '')"
        case Type.CODE:
            return f"nullif(upper(trim({sql})), '')"
        case Type.OPTION:
            return f"nullif(trim(replace({sql}, '_x0020_', ' ')), '')"
        case Type.GUID | Type.REFERENCE:
            return f"nullif(nullif(lower(trim({sql}, '{{}} ')), '{_ZERO_GUID}'), '')"
        case Type.DATE:
            return f"nullif(CAST(left({sql}, 10) AS DATE), DATE '0001-01-01')"
        case Type.INSTANT:
            utc = f"CAST({sql} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
            return f"nullif({utc}, TIMESTAMP '0001-01-01 00:00:00')"
        case Type.DECIMAL:
            return dialect.cast(sql, kind)
        case Type.INTEGER | Type.BOOLEAN:
            return sql


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
