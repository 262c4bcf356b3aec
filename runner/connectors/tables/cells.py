"""Tables as DuckDB holds them: which columns, of which type, and the SQL that reads and fills them.

A cell is kept in one of three forms, so that what nobody touches stays as it was written: of its
column's own type (a database, Parquet), as plain text (CSV), or as a piece of JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from runner.wire import EntityType, FieldType, Reference, Type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.wire import Value


TEXTUAL = frozenset({Type.TEXT, Type.CODE, Type.OPTION, Type.GUID, Type.REFERENCE})
"""Types that travel as the text that they are; blank may be ``''`` as well as NULL."""

_SQL = {
    Type.INTEGER: "BIGINT",
    Type.DECIMAL: "DECIMAL(38,10)",
    Type.BOOLEAN: "BOOLEAN",
    Type.DATE: "DATE",
    Type.INSTANT: "TIMESTAMPTZ",
}
_BROKEN = ("DECIMAL", "DOUBLE", "FLOAT")
"""DuckDB's types of numbers that need not be whole."""
_ID = frozenset({Type.GUID, Type.REFERENCE})
_LABELS = ("name", "title", "label")
_BARE = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?|true|false").fullmatch


def quoted(*names: str) -> str:
    """Quote an identifier; several names make a qualified one."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """Write a text literal."""
    return "'" + text.replace("'", "''") + "'"


class Form(StrEnum):
    """How a cell is kept."""

    NATIVE = "of the column's own type"
    TEXT = "plain text, blank is ''"
    JSON = "a piece of JSON; NULL where the record lacks it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: what it is called, what its values are, how they are kept.

    ``storage`` is DuckDB's type of it. ``scale`` counts decimal places, ``None`` is "not limited".
    ``filled``: a new row gets a value without our doing. ``computed``: nobody can write it.
    ``in_quotes``: JSON that holds its values as strings, numbers too.
    """

    name: str
    type: Type
    form: Form = Form.NATIVE
    storage: str = "VARCHAR"
    scale: int | None = None
    nullable: bool = True
    filled: bool = False
    computed: bool = False
    in_quotes: bool = True

    @property
    def value(self) -> str:
        """SQL of the value as one compares it: NULL where blank, but for text."""
        match self.type:
            case Type.TEXT:
                return self._text
            case Type.OPTION:
                return f"trim({self._text})"
            case Type.CODE:
                return f"upper(trim({self._text}))"
            case Type.GUID | Type.REFERENCE:
                return f"lower(trim({self._text}, '{{}} '))"
            case Type.INSTANT:
                return self._dated(f"CAST({self._bare} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'")
            case Type.DATE:
                return self._dated(f"CAST({self._bare} AS DATE)")
            case Type.DECIMAL if self.storage in ("DOUBLE", "FLOAT"):
                # As it is read and written: DuckDB would make 1234567.8899999998 of 1234567.89.
                return f"CAST(CAST({self._bare} AS VARCHAR) AS {_SQL[self.type]})"
            case Type.INTEGER if self.storage == "VARCHAR":
                return self._whole
            case Type.INTEGER if self.storage.startswith(_BROKEN):
                return self._unbroken
            case _:
                return f"CAST({self._bare} AS {_SQL[self.type]})"

    @property
    def wire(self) -> str:
        """SQL of the value as a page holds it (``wire.Page``)."""
        match self.type:
            case Type.INTEGER | Type.BOOLEAN:
                return self.value
            case Type.DECIMAL | Type.DATE:
                return f"CAST({self.value} AS VARCHAR)"
            case Type.INSTANT:
                return f"strftime({self.value}, '%Y-%m-%dT%H:%M:%S.%fZ')"
            case _:
                return self._text

    @property
    def key(self) -> str:
        """SQL of the value as the key of a row, which is text."""
        return self.value if self.type in TEXTUAL else f"CAST({self.value} AS VARCHAR)"

    @property
    def blank(self) -> str:
        """SQL that says whether there is no value."""
        return (
            f"coalesce({self.value} = '', TRUE)"
            if self.type in TEXTUAL
            else f"{self.value} IS NULL"
        )

    @property
    def told(self) -> str:
        """SQL of the value as a text for people, whether it is one of its type or not."""
        return self._text

    @property
    def unreadable(self) -> str:
        """SQL that says whether there is a value that is none of its type."""
        return f"(TRY({self.value}) IS NULL AND {self._bare} IS NOT NULL)"

    @property
    def equals(self) -> str:
        """SQL that says whether the value is the one given as ``?`` (its ``wanted`` form)."""
        return self.is_that_of("?")

    @property
    def since(self) -> str:
        """SQL that says whether the moment in it is not before the one given as ``?``, or is blank.

        Whoever wrote it had a clock and a time zone of their own, hence a day of grace.
        """
        moment = "CAST(? AS TIMESTAMPTZ) AT TIME ZONE 'UTC' - INTERVAL 1 DAY"
        if self.type is Type.DATE:
            moment = f"CAST({moment} AS DATE)"
        return f"coalesce({self.value} >= {moment}, TRUE)"

    @property
    def placed(self) -> str:
        """SQL of what is kept, made of the ``given`` form of a value (``?``)."""
        return self.placed_from("?")

    def is_that_of(self, sql: str) -> str:
        """SQL that says whether the value is the one whose ``wanted`` form that SQL has."""
        if self.storage == "UUID":  # as it is kept, so that the table's index finds it
            return f"{quoted(self.name)} = TRY_CAST({sql} AS UUID)"
        if self.type is Type.INSTANT:
            return f"{self.value} = CAST({sql} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
        return f"{self.value} = CAST({sql} AS {_SQL.get(self.type, 'VARCHAR')})"

    def placed_from(self, sql: str) -> str:
        """SQL of what is kept, made of the ``given`` form of a value that SQL has."""
        if self.storage == "VARCHAR":
            return sql
        return f"CAST(CAST({sql} AS {_SQL.get(self.type, 'VARCHAR')}) AS {self.storage})"

    def wanted(self, value: Value) -> str:
        """Give the form of a value that ``equals`` asks for."""
        told = text_of(value)
        match self.type:
            case Type.CODE:
                return told.strip().upper()
            case Type.GUID | Type.REFERENCE:
                return told.strip("{} ").lower()
            case Type.OPTION:
                return told.strip()
            case _:
                return told

    def given(self, value: Value) -> str | None:
        """Give the form of a value that ``placed`` asks for."""
        if self.form is Form.JSON:
            return self._token(value)
        if value is None:
            text = self.form is Form.TEXT or (self.type in TEXTUAL and not self.nullable)
            return "" if text and self.storage == "VARCHAR" else None
        return text_of(value)

    @property
    def field(self) -> FieldType:
        """The field as the runner sees it."""
        return FieldType(
            name=self.name,
            type=self.type,
            scale=self.scale if self.type is Type.DECIMAL else None,
            on_create=not self.computed,
            on_update=not self.computed,
        )

    @property
    def _cell(self) -> str:
        name = quoted(self.name)
        if self.form is not Form.JSON:
            return name
        # DuckDB would make a double of a number, and lose digits.
        return f"CASE WHEN {name}[1] = '\"' THEN {name} ->> '$' ELSE nullif({name}, 'null') END"

    @property
    def _whole(self) -> str:
        """SQL of a text as an integer: DuckDB would round 12.5 to 13 and say nothing."""
        wrong = literal(f" in {self.name} is no whole number")
        return f"""CASE WHEN coalesce(regexp_full_match({self._bare}, '[+-]?[0-9]+'), TRUE)
            THEN CAST({self._bare} AS BIGINT) ELSE CAST({self._bare} || {wrong} AS BIGINT) END"""

    @property
    def _unbroken(self) -> str:
        """SQL of a number as an integer, which DuckDB would round in the same way."""
        wrong = literal(f" in {self.name} is no whole number")
        return f"""CASE WHEN {self._cell} <> trunc({self._cell})
            THEN CAST({self._text} || {wrong} AS BIGINT)
            ELSE CAST({self._cell} AS BIGINT) END"""

    def _dated(self, moment: str) -> str:
        """SQL of a moment that a calendar has: DuckDB's go on before it and after it, for ever."""
        wrong = literal(f" in {self.name} is out of range")
        return f"""(CASE WHEN year({moment}) BETWEEN 1 AND 9999 OR {self._bare} IS NULL
            THEN {moment} ELSE CAST({self._text} || {wrong} AS {_SQL[self.type]}) END)"""

    @property
    def _text(self) -> str:
        return f"CAST({self._cell} AS VARCHAR)"

    @property
    def _bare(self) -> str:
        return f"nullif(trim({self._cell}), '')" if self.storage == "VARCHAR" else self._cell

    def _token(self, value: Value) -> str:
        if value is None:
            return "null"
        told = text_of(value)
        bare = not self.in_quotes and _BARE(told)
        return told if bare else json.dumps(told, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: where it is (SQL), its key, and the columns that can be synchronized.

    ``every`` names all columns, for the rest counts when one asks whether a row has changed.
    ``modified`` is empty where no column tells when it did.
    """

    name: str
    source: str
    key: Column
    columns: Mapping[str, Column]
    every: tuple[str, ...]
    modified: str = ""

    @property
    def etag(self) -> str:
        """SQL that tells one content of a row from another."""
        content = ", ".join(quoted(name) for name in self.every)
        if self.key.form is Form.JSON:
            # What a record lacks does not count: a column begins when any record has it.
            named = (f"{literal(f'{name}=')} || {quoted(name)}" for name in sorted(self.every))
            content = f"concat_ws(chr(0), {', '.join(named)})"
        return f"CAST(hash({content}) AS VARCHAR)"

    @property
    def hides_rows(self) -> bool:
        """Whether a column has the name by which DuckDB itself knows where a row is."""
        return "rowid" in map(str.lower, self.every)

    @property
    def type(self) -> EntityType:
        """The entity as the runner sees it. What says when a row changed is ours to write."""
        fields = {name: column.field for name, column in self.columns.items()}
        if self.modified:
            fields[self.modified] = FieldType(
                name=self.modified,
                type=self.columns[self.modified].type,
                on_create=False,
                on_update=False,
            )
        key = FieldType(
            name=self.key.name,
            type=self.key.type,
            on_create=not self.key.computed,
            on_update=False,
        )
        known = {name.lower(): name for name in reversed(fields) if name != self.key.name}
        return EntityType(
            name=self.name,
            key=self.key.name,
            fields={**fields, self.key.name: key},
            modified=self.modified,
            label=next((known[name] for name in _LABELS if name in known), ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the project says of a system's tables, over what they say themselves.

    ``keys`` names by entity the column that mappings know its rows by. ``types`` holds types by
    entity and column. ``modified`` is the column that tells when a row changed, in every entity
    that has it; empty: none does.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    modified: str = ""


def text_of(value: Value) -> str:
    """Write a canonical value as text; blank is ``''``."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case datetime():
            utc = value.astimezone(UTC) if value.tzinfo else value
            return utc.replace(tzinfo=None).isoformat() + "Z"
        case date():
            return value.isoformat()
        case Reference():
            return value.key
        case _:
            return str(value)
