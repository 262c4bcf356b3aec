"""The spelling of DuckDB's SQL: quoting, literals, type names. The only room that quotes."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from runner.errors import SPECIAL
from runner.wire import Type

_TYPES = {
    Type.INTEGER: "BIGINT",
    Type.DECIMAL: "DECIMAL(28,10)",
    Type.BOOLEAN: "BOOLEAN",
    Type.DATE: "DATE",
    Type.INSTANT: "TIMESTAMP",
}
SETTINGS = "SET GLOBAL TimeZone = 'UTC'; SET enable_progress_bar = false"
"""What every connection begins with. Instants are UTC everywhere, also for its cursors: DuckDB
would take the machine's zone. And what is shown while it works is not DuckDB's to decide."""

_RAW = frozenset({Type.INTEGER, Type.BOOLEAN, Type.DECIMAL})
"""The types whose values are kept as they come in: all others come as texts."""

SAME = "IS NOT DISTINCT FROM"
"""Equality for which NULL is a value like any other."""
OTHER = "IS DISTINCT FROM"


def name(*parts: str) -> str:
    """Quote an identifier; several parts make a qualified one."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def text(value: str) -> str:
    """Write a text literal."""
    return "'" + value.replace("'", "''") + "'"


def shell_word(sql: str) -> str:
    """SQL of a text as one word of a command, as ``errors.shell_word`` writes it."""
    return f"""CASE WHEN regexp_full_match({sql}, '[A-Za-z0-9_@%+=:,./-]+') THEN {sql}
        WHEN contains({sql}, '''') AND NOT regexp_matches({sql}, {text(SPECIAL.pattern)})
            THEN '"' || {sql} || '"'
        ELSE '''' || replace({sql}, '''', '''"''"''') || '''' END"""


def literal(value: str | float | Decimal | date | None) -> str:
    """Write any literal of YAML or of the wire."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float() | Decimal():
            return str(value)
        case datetime():
            return f"TIMESTAMP {text(value.isoformat(sep=' '))}"
        case date():
            return f"DATE {text(value.isoformat())}"
        case _:
            return text(value)


def column_type(kind: Type) -> str:
    """Return the column type that canonical values of this type are kept in."""
    return _TYPES.get(kind, "VARCHAR")


def raw_type(kind: Type) -> str:
    """Return the column type that values are kept in as they come (``wire.Page``).

    A number that came as a text is a number here.
    """
    return column_type(kind) if kind in _RAW else "VARCHAR"


def cast(sql: str, kind: Type) -> str:
    """Convert an expression to the column type of a canonical type."""
    return f"CAST({sql} AS {column_type(kind)})"


def try_cast(sql: str, kind: Type) -> str:
    """Convert as ``cast`` does; NULL where an expression has no form in that type."""
    return f"try_cast({sql} AS {column_type(kind)})"
