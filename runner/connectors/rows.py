"""Rows as JSON turned into columns: a struct type made for each query (protocols A6).

What is not as the entity's type says is an error, never a blank: a property that a server left
out would otherwise wipe a field of a whole table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from runner.connectors.problems import UnreadableError, fault_of, title
from runner.wire import Page, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Value = str | int | bool | None

Document = TypeVar("Document")

_PLAIN = re.compile(r"-?\d+(?:\.\d+)?").fullmatch
_JSON: Mapping[Type, Any] = {
    Type.INTEGER: int | None,
    Type.BOOLEAN: bool | None,
    Type.DECIMAL: msgspec.Raw,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field on the wire: what mappings call it, what an answer calls it, and its type.

    ``select`` is what to ask for to get it. ``annotation``: it comes only where there is something
    to tell, and nobody can filter by it. ``midnight``: a date that travels as an instant.
    """

    name: str
    property: str
    type: Type
    select: str
    annotation: bool = False
    midnight: bool = False


def chosen(known: Mapping[str, Column], names: Sequence[str], entity: str) -> list[Column]:
    """Return the columns of the fields named.

    Raises:
        ValueError: the entity has no such field.

    """
    for name in names:
        if name not in known:
            raise ValueError(f"{entity} has no field '{name}'")
    return [known[name] for name in names]


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that the server cannot be asked, so that it is checked on each row."""

    column: Column
    holds: Callable[[Value], bool]


class Decoder:
    """Reads answers about one entity into columns, each value as the wire module wants it."""

    def __init__(
        self, key: Column, columns: Sequence[Column], checks: Sequence[Check] = ()
    ) -> None:
        self._key, self._columns, self._checks = key, tuple(columns), tuple(checks)
        asked = {c.property: c for c in (*columns, *(check.column for check in checks), key)}
        self._names = {name: f"f{n}" for n, name in enumerate(asked)}
        row = msgspec.defstruct(
            "Row",
            [
                *(_field(self._names[name], column) for name, column in asked.items()),
                ("etag", str | None, msgspec.field(default=None, name="@odata.etag")),
            ],
            kw_only=True,
            gc=False,
        )
        rows = msgspec.defstruct(
            "Rows",
            [
                ("value", list[row]),  # type: ignore[valid-type]
                ("link", str | None, msgspec.field(default=None, name="@odata.nextLink")),
                # A server that fails halfway can say so only at the end of what it sent.
                ("error", msgspec.Raw, msgspec.field(default=msgspec.Raw(b""))),
            ],
        )
        self._row: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)
        self._rows: msgspec.json.Decoder[Any] = msgspec.json.Decoder(rows)

    def page(self, content: bytes) -> tuple[Page, str | None]:
        """Read a collection, and the link to what follows it.

        Raises:
            UnreadableError: it is not what the entity's type says.

        """
        document = decoded(content, self._rows)
        if bytes(document.error):
            broken = fault_of(200, content=b'{"error":' + bytes(document.error) + b"}")
            raise UnreadableError(f"it broke off: {broken.message}", garbled=True)
        return self._columnar(document.value), document.link

    def one(self, content: bytes) -> Page:
        """Read a single record as a page of one row.

        Raises:
            UnreadableError: it is not what the entity's type says.

        """
        return self._columnar([decoded(content, self._row)])

    def _columnar(self, rows: Sequence[Any]) -> Page:
        for check in self._checks:
            values = self._values(check.column, rows)
            rows = [row for row, value in zip(rows, values, strict=True) if check.holds(value)]
        keys = self._values(self._key, rows)
        if not all(keys):
            raise UnreadableError("a record came without its key")
        if self._key.type is Type.GUID:
            keys = [str(key).lower() for key in keys]
        return Page(
            keys=[str(key) for key in keys],
            etags=[row.etag for row in rows],
            columns={column.name: self._values(column, rows) for column in self._columns},
        )

    def _values(self, column: Column, rows: Sequence[Any]) -> list[Value]:
        found = map(attrgetter(self._names[column.property]), rows)
        return [_digits(raw) for raw in found] if column.type is Type.DECIMAL else list(found)


def decoded(content: bytes, decoder: msgspec.json.Decoder[Document]) -> Document:
    """Decode JSON.

    Raises:
        UnreadableError: it is none, ends too soon, or holds something else.

    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise UnreadableError(f"the answer is not as described: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = content.decode("utf-8", "replace").lstrip()
        if text.startswith("<"):
            raise UnreadableError(f"HTML came where JSON was asked for: {title(text)}") from error
        raise UnreadableError(f"the answer is garbled: {error}", garbled=True) from error


def _field(attribute: str, column: Column) -> tuple[Any, ...]:
    kind = _JSON.get(column.type, str | None)
    if column.annotation:
        return (attribute, kind, msgspec.field(default=None, name=column.property))
    return (attribute, kind, msgspec.field(name=column.property))


def _digits(raw: msgspec.Raw) -> str | None:
    """Return a number as it was written, without exponent; ``None`` for null."""
    text = bytes(raw).decode()
    if _PLAIN(text):
        return text
    text = text.strip('"')
    if text == "null":
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise UnreadableError(f"a number was expected, not {text[:40]}")
    return format(number, "f") if "e" in text.lower() else text
