"""What every OData V4 server shares: keys, literals, queries, and pages as columns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

import msgspec

from runner.connectors.problems import one_line
from runner.errors import SystemUnavailableError
from runner.wire import FieldType, Page, Reference, Type, Unknown, Value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence

    from runner.connectors.http import Client, Reply
    from runner.wire import Outcome

_PYTHON: Mapping[Type, Any] = {
    Type.INTEGER: int | None,
    Type.BOOLEAN: bool | None,
    Type.DECIMAL: msgspec.Raw,
}
HEADERS = {"Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Column:
    """One field of an answer: what mappings call it, what the wire calls it, and its type."""

    name: str
    property: str
    type: Type


class Rerooted(Protocol):
    """Says where a next link leads, or refuses to follow it."""

    def __call__(self, link: str) -> str:
        """Return the URL to ask."""
        ...


class Decoder:
    """Reads answers about one entity into columns, each value as the wire module wants it."""

    def __init__(self, system: str, entity: str, key: str, columns: Sequence[Column]) -> None:
        self._about, self._system, self._columns = entity, system, tuple(columns)
        names = {key: Column(key, key, Type.TEXT), **{c.property: c for c in columns}}
        self._attributes = {name: f"f{n}" for n, name in enumerate(names)}
        self._key = self._attributes[key]
        fields: list[Any] = [
            (
                attribute,
                _PYTHON.get(names[name].type, str | None),
                msgspec.field(default=None, name=name),
            )
            for name, attribute in self._attributes.items()
        ]
        etag = ("etag", str | None, msgspec.field(default=None, name="@odata.etag"))
        self._row = msgspec.defstruct("Row", [*fields, etag])
        link = ("link", str | None, msgspec.field(default=None, name="@odata.nextLink"))
        self._rows = msgspec.defstruct("Rows", [("value", list[self._row]), link])  # type: ignore[name-defined]

    def page(self, content: bytes) -> tuple[Page, str | None]:
        """Read a collection and the link to what follows it.

        Raises:
            SystemUnavailableError: it is not what the entity's type says.

        """
        document = self._decoded(content, self._rows)
        return self._columnar(document.value), document.link

    def one(self, content: bytes) -> Page:
        """Read a single record as a page of one row."""
        return self._columnar([self._decoded(content, self._row)])

    def _decoded(self, content: bytes, kind: Any) -> Any:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            words = str(error)
            for name, attribute in self._attributes.items():
                words = words.replace(f".{attribute}`", f".{name}`")
            raise SystemUnavailableError(
                self._system, f"the answer about {self._about} cannot be read: {one_line(words)}"
            ) from error

    def _columnar(self, rows: Sequence[Any]) -> Page:
        keys = [getattr(row, self._key) for row in rows]
        if not all(keys):
            raise SystemUnavailableError(
                self._system, f"a record of {self._about} came without its key"
            )
        return Page(
            keys=keys,
            etags=[row.etag for row in rows],
            columns={column.name: self._column(column, rows) for column in self._columns},
        )

    def _column(self, column: Column, rows: Sequence[Any]) -> list[Any]:
        attribute = self._attributes[column.property]
        if column.type is not Type.DECIMAL:
            return [getattr(row, attribute) for row in rows]
        return [_digits(getattr(row, attribute)) for row in rows]


async def pages(
    client: Client, url: str, headers: Mapping[str, str], decoder: Decoder, follow: Rerooted
) -> AsyncIterator[Page]:
    """Yield pages as the server links them. Links are opaque: they are followed as they are.

    Raises:
        SystemUnavailableError: the server refuses, answers what cannot be read, or its links go
            round in a circle.

    """
    seen = {url}
    link: str | None = url
    while link is not None:
        try:
            page, following = decoder.page(await _content(client, link, headers))
        except SystemUnavailableError:
            # A stream that broke off leaves half a document behind a good status (D43).
            page, following = decoder.page(await _content(client, link, headers))
        yield page
        link = follow(following) if following else None
        if link in seen:
            raise SystemUnavailableError(client.system, "its pages go round in a circle")
        if link:
            seen.add(link)


async def _content(client: Client, url: str, headers: Mapping[str, str]) -> bytes:
    reply = await client.read(url, headers)
    if reply.status != 200:  # noqa: PLR2004
        raise SystemUnavailableError(client.system, f"it refused to be read: {told(reply)}")
    return reply.content


async def outcomes(writes: Iterable[Awaitable[Outcome]]) -> list[Outcome]:
    """Wait for writes that are sent side by side; one outcome for each, in their order.

    A system that went away after it answered some is known by the others: of those nobody knows
    what became of them.

    Raises:
        SystemUnavailableError: it answered none.

    """
    found = await asyncio.gather(*writes, return_exceptions=True)
    gone = [answer for answer in found if isinstance(answer, BaseException)]
    if gone and (len(gone) == len(found) or not isinstance(gone[0], SystemUnavailableError)):
        raise gone[0]
    return [
        Unknown(message=str(answer)) if isinstance(answer, BaseException) else answer
        for answer in found
    ]


def told(reply: Reply) -> str:
    """Say what a server said, with its code."""
    fault = reply.fault
    return f"{fault.words} ({fault.code})" if fault.code else fault.words


def same_origin(system: str, base: str, link: str) -> str:
    """Follow a link only to where the credentials belong."""
    here, there = urlsplit(base), urlsplit(link)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        raise SystemUnavailableError(system, f"its next page is on another server: {there.netloc}")
    return link


def rerooted(base: str, link: str) -> str:
    """Follow a link on the server we know, whatever name the server has for itself (proxies)."""
    here, there = urlsplit(base), link.split("://", 1)[-1]
    return f"{here.scheme}://{here.netloc}/{there.split('/', 1)[-1]}"


def text(value: str) -> str:
    """Write a text literal for a URL: quotes doubled, everything else encoded."""
    return quote("'" + value.replace("'", "''") + "'", safe="'")


def literal(value: Value, kind: Type) -> str:
    """Write a literal of ``$filter``; GUIDs, dates and numbers stand bare (V4)."""
    match value:
        case None:
            return "null"
        case Reference(key=key):
            return quote(key, safe="")
        case bool():
            return "true" if value else "false"
        case datetime():
            return quote(value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")
        case date():
            return value.isoformat()
        case int() | Decimal():
            return str(value)
        case _:
            return quote(value, safe="") if kind is Type.GUID else text(value)


def conditions(parts: Sequence[str]) -> str:
    """Join conditions into a ``$filter`` option; empty where there are none."""
    return f"$filter={'%20and%20'.join(parts)}" if parts else ""


def url(base: str, *options: str) -> str:
    """Put a URL together, its options already encoded."""
    kept = [option for option in options if option]
    return f"{base}?{'&'.join(kept)}" if kept else base


def json_value(value: Value) -> Any:
    """Write a value for a body; references are the connector's own matter."""
    match value:
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return value.isoformat()
        case Reference(key=key):
            return key
        case _:
            return value


def encoded(body: Mapping[str, Any]) -> bytes:
    """Write a body; decimals as numbers, digit for digit."""
    return _ENCODER.encode(body)


def column(field: FieldType) -> Column:
    """The column of a field that is read under its own name."""
    return Column(field.name, field.name, field.type)


def _digits(raw: Any) -> str | None:
    number = bytes(raw).decode() if raw is not None else "null"
    return None if number in ("null", "") else number.strip('"')


_ENCODER = msgspec.json.Encoder(decimal_format="number")
