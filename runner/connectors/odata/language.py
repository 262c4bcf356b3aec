"""What every OData V4 server shares: keys, literals, queries, links, pages (A4, B1, B4)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import msgspec

from runner.connectors.line.http import Request
from runner.connectors.odata.rows import Check
from runner.wire import Changes, Reference, Type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from runner.connectors.line.http import Client
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.rows import Decoder
    from runner.wire import Page, Value, WireQuery

HEADERS = {"Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
JSON = {"Content-Type": "application/json"}

WHOLE = {"Prefer": "return=representation"}
"""Asks for the record as it is after a write."""

_PREDICATE = re.compile(r"\(([^/]*)\)/?$")
_PART = re.compile(r"(\w+)=([\w.]*'(?:[^']|'')*'|[^',]*)")
_OF_KEYS = "=,'-:."
"""What stands in the predicate of a key of several fields as it is."""

_LONGEST_TEXT = 400
"""Letters of a text that is still put into a ``$filter``: URLs have an end (A2)."""

_KEYS_A_REQUEST = 40
"""Records asked for by their keys in one request."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")


async def pages(
    client: Client, first: Request, decoder: Decoder, follow: Callable[[str], str]
) -> AsyncIterator[Page]:
    """Yield pages as the server links them. Links are opaque: they are followed as they are.

    The next page is on its way while the one before is dealt with.

    Raises:
        SystemUnavailableError: the server refuses, answers what cannot be read, or its links lead
            astray or round in a circle.

    """
    seen = {first.url}

    def after(request: Request, link: str) -> Request:
        try:
            url = follow(urljoin(request.url, link) if "://" not in link else link)
        except ValueError as error:
            raise client.unavailable(f"{first.about}: {error}") from error
        if url in seen:
            raise client.unavailable(f"{first.about}: its pages go round in a circle")
        seen.add(url)
        return Request(method="GET", url=url, headers=first.headers, about=first.about)

    request, coming = first, asyncio.ensure_future(client.read(first, decoder.page))
    try:
        while True:
            page, link = await coming
            if link:
                request = after(request, link)
                coming = asyncio.ensure_future(client.read(request, decoder.page))
            if page.keys:
                yield page
            if not link:
                return
    finally:
        # Whoever stops reading, or fails, leaves no request behind, and asks for no answer to it.
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def changes(
    client: Client, first: Request, decoder: Decoder, follow: Callable[[str], str]
) -> AsyncIterator[Changes]:
    """Yield what changed, page by page, and at the end the link that the next time begins with.

    Raises:
        SystemUnavailableError: as ``pages``; or it does not say where the next time begins.

    """
    request, seen = first, {first.url}
    while True:
        page, gone, link, delta = await client.read(request, decoder.changes)
        if page.keys or gone:
            yield Changes(page=page if page.keys else None, deleted=gone)
        if delta:
            yield Changes(token=delta)
            return
        if not link:
            raise client.unavailable(f"{first.about}: its changes come without a link to go on by")
        try:
            url = follow(link)
        except ValueError as error:
            raise client.unavailable(f"{first.about}: {error}") from error
        if url in seen:
            raise client.unavailable(f"{first.about}: its pages go round in a circle")
        seen.add(url)
        request = Request(method="GET", url=url, headers=first.headers, about=first.about)


def same_origin(base: str, link: str) -> str:
    """Follow a link only to where the credentials belong (D37).

    Raises:
        ValueError: it leads elsewhere.

    """
    if _origin(base) != _origin(link):
        raise ValueError(f"its next page is on another server: {urlsplit(link).netloc}")
    return link


def rerooted(collection: str, link: str) -> str:
    """Follow a link on the server we know, whatever name the server has for itself (D37).

    Raises:
        ValueError: it says nothing about where to go on.

    """
    _, mark, query = link.partition("?")
    if not mark:
        raise ValueError("its next page is nowhere")
    return f"{collection}?{query}"


def predicate(key: str, column: Column) -> str:
    """Write the key of one record as it stands in a path, whatever it holds (D31).

    Texts are quoted, all else stands bare; a key of several fields is kept as its predicate.
    """
    if column.parts:
        return f"({quote(key, safe=_OF_KEYS)})"
    if column.prefix:
        return f"({column.prefix}{text(key, safe='')})"
    return key_of(key, column.type)


def key_of(key: str, kind: Type) -> str:
    """Write a key of one field, given its type."""
    bare = kind not in (Type.TEXT, Type.CODE, Type.OPTION)
    return f"({quote(key, safe='')})" if bare else f"({text(key, safe='')})"


def named(url: str, column: Column) -> str | None:
    """Read the key of a record from its address; ``None`` where it does not end in one."""
    found = _PREDICATE.search(url)
    if found is None:
        return None
    told = unquote(found[1])
    if column.parts:
        return told
    name, equals, value = told.partition("=")
    told = value if equals and "'" not in name else told
    told = told.removeprefix(column.prefix)
    if column.type is Type.GUID:
        return told.lower()
    quoted = len(told) > 1 and told.startswith("'") and told.endswith("'")
    return told[1:-1].replace("''", "'") if quoted else told


def parts_of(key: str, column: Column) -> Iterator[tuple[Column, str]]:
    """Yield the parts of a key of several fields, each as the literal that its predicate holds."""
    literals = {found[1]: found[2] for found in _PART.finditer(key)}
    for part in column.parts:
        yield part, literals.get(part.name, "null")


def text(value: str, safe: str = "(),:/$@!*") -> str:
    """Write a text literal for a URL: quotes doubled, what is not ``safe`` encoded."""
    return f"'{quote(value.replace(chr(39), chr(39) * 2), safe=safe)}'"


def literal(value: Value, column: Column) -> str:
    """Write a literal of ``$filter``; GUIDs, dates and numbers stand bare (V4)."""
    match value:
        case None:
            return "null"
        case str() if column.prefix:
            return f"{column.prefix}{text(value)}"
        case str() if column.bare:
            return quote(value, safe=":")
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return format(value, "f") if isinstance(value, Decimal) else str(value)
        case datetime():
            return quote(instant(value), safe=":")
        case date():
            return f"{value.isoformat()}T00:00:00Z" if column.midnight else value.isoformat()
        case Reference(key=key):
            return literal(key, column)
        case _ if column.type in (Type.GUID, Type.REFERENCE):
            return quote(value, safe="")
        case _:
            return text(value)


def instant(value: datetime) -> str:
    """Write a moment in UTC; one without zone is in UTC already."""
    utc = value.astimezone(UTC) if value.tzinfo else value
    return f"{utc.replace(tzinfo=None).isoformat()}Z"


def fits(value: Value) -> bool:
    """Whether a value can stand in a ``$filter``: it is short, and on one line (line ends vary)."""
    return not isinstance(value, str) or (len(value) <= _LONGEST_TEXT and "\n" not in value)


def by_keys(query: WireQuery, key: Column) -> Iterator[WireQuery]:
    """Ask for many keys a few at a time: URLs have an end (A2). Keys of several fields go alone.

    ``or`` over several fields is not everywhere to be had (B4).
    """
    if not query.keys:
        yield query
    size = 1 if key.parts else _KEYS_A_REQUEST
    for start in range(0, len(query.keys), size):
        yield replace(query, keys=query.keys[start : start + size])


def one_of(column: Column, keys: Sequence[str]) -> str:
    """Ask for the records with these keys; of a key of several fields there is one."""
    if column.parts:
        return is_equal(column, keys[0])
    return f"({'%20or%20'.join(is_equal(column, key) for key in keys)})"


def is_equal(column: Column, value: Value) -> str:
    """Ask for equality."""
    if column.parts and isinstance(value, str):
        return "%20and%20".join(
            f"{part.property}%20eq%20{quote(told, safe=_OF_KEYS)}"
            for part, told in parts_of(value, column)
        )
    return f"{column.property}%20eq%20{literal(value, column)}"


def among(column: Column, keys: Sequence[str]) -> Check:
    """Check on each row whether it has one of these keys."""
    wanted = {_folded(key) for key in keys}
    return Check(column, lambda found: _folded(found) in wanted)


def equals(column: Column, value: Value) -> Check:
    """Check on each row what the server cannot be asked: equality as both servers see it (D29)."""
    wanted = _folded(value.key if isinstance(value, Reference) else value)
    return Check(column, lambda found: _folded(found) == wanted)


def address(base: str, columns: Sequence[Column], conditions: Sequence[str] = ()) -> str:
    """Put a URL together, its conditions already encoded."""
    select = list(dict.fromkeys(column.select for column in columns if column.select))
    expand = list(dict.fromkeys(column.expand for column in columns if column.expand))
    options = [f"$select={','.join(select)}"] if select else []
    options += [f"$expand={','.join(expand)}"] if expand else []
    options += [f"$filter={'%20and%20'.join(conditions)}"] if conditions else []
    return f"{base}?{'&'.join(options)}" if options else base


def json_value(value: Value) -> Any:
    """Write a value for a body; references are the connector's own matter."""
    match value:
        case datetime():
            return instant(value)
        case date():
            return value.isoformat()
        case Reference(key=key):
            return key
        case _:
            return value


def encoded(body: Mapping[str, Any]) -> bytes:
    """Write a body; decimals as numbers, digit for digit."""
    return _ENCODER.encode(body)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    there = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(there.scheme)
    return there.scheme, there.hostname, there.port or usual


def _folded(value: Any) -> Any:
    match value:
        case str():
            return value.replace("_x0020_", " ").strip().casefold() or None
        case date():
            return value.isoformat()
        case _:
            return value
