"""Dynamics NAV 2018 by OData V4: published pages of one company (protocols B)."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from runner.connectors import odata
from runner.connectors.csdl import MetadataError, entity_sets, names
from runner.connectors.filtering import Asking, condition
from runner.connectors.http import Client, Request
from runner.connectors.nav_writer import BLANKS, Published, Writer
from runner.connectors.patience import Clock
from runner.connectors.problems import UnreadableError
from runner.connectors.rows import Column, Decoder, chosen, decoded
from runner.connectors.writing import in_turn
from runner.errors import nearest
from runner.wire import Capabilities, Greeting, Type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from runner.connectors.csdl import Described
    from runner.connectors.http import Credentials, Transport
    from runner.connectors.patience import Patience, Sleep
    from runner.connectors.rows import Check
    from runner.wire import EntityType, Outcome, Page, Value, WireQuery, Write

_OVERLAP = timedelta(days=1)
"""How far a date of change may lag: some are local dates, some UTC (B7, D17)."""

_WILD = frozenset("'*?@|<>&()=")
_MOMENTS = (Type.DATE, Type.INSTANT)


class Nav:
    """A ``Connector`` to one company of NAV, which is named in every single request."""

    def __init__(
        self,
        name: str,
        base_url: str,
        company: str,
        credentials: Credentials | None,
        *,
        concurrency: int = 2,
        transport_factory: Transport | None = None,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._base, self._company = base_url.rstrip("/"), company
        self._user = credentials.user if credentials else ""
        self._client = Client(
            name,
            self._base,
            credentials,
            workers=concurrency,
            transport=transport_factory,
            patience=patience,
            clock=Clock(sleep=sleep),
        )
        self._published: dict[str, Published] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Keys come from number series, or from the record; table locks keep requests few."""
        return Capabilities(client_keys=False, concurrency=self._client.workers)

    async def greet(self) -> Greeting:
        """Look for the company; NAV tells nobody who they are, but whoever gets in is the user."""
        await self._check_company()
        return Greeting(
            where=f"{self._base} (company {self._company})",
            who=self._user or "whoever the token speaks for",
            ahead=self._client.ahead,
        )

    async def entities(self) -> Sequence[str]:
        """Read the names of the published pages."""
        request = self._get("$metadata", accept="application/xml")

        def understood(content: bytes) -> Sequence[str]:
            try:
                return names(content)
            except MetadataError as error:
                raise UnreadableError(str(error), garbled=error.garbled) from error

        return await self._client.read(request, understood)

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Read ``$metadata``; the company is checked first, for NAV would fall back to another."""
        await self._check_company()
        request = self._get("$metadata", accept="application/xml")
        wanted = frozenset(entities)

        def understood(content: bytes) -> Sequence[Published]:
            try:
                return [self._page(found) for found in entity_sets(content, wanted)]
            except MetadataError as error:
                raise UnreadableError(str(error), garbled=error.garbled) from error

        for found in await self._client.read(request, understood):
            self._published[found.type.name] = found
        return [self._published[name].type for name in entities if name in self._published]

    def explain(self, query: WireQuery) -> str:
        """Say how the first page is asked for."""
        published = self._published.get(query.entity)
        if published is None:
            return f"GET {self._service(query.entity)}"
        return f"GET {self._asked(query, published)[0].url}"

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the rows of a published page of NAV's; links are followed on the server we know."""
        published = await self._known(query.entity)

        def follow(link: str) -> str:
            return odata.rerooted(published.url, link)

        for part in odata.by_keys(query):
            first, decoder = self._asked(part, published)
            async for page in odata.pages(self._client, first, decoder, follow):
                yield page

    async def count(self, entity: str) -> int | None:
        """Count the rows of a page."""
        published = await self._known(entity)
        request = Request(
            method="GET",
            url=f"{published.url}/$count",
            headers={**odata.HEADERS, "Accept": "text/plain"},
            about=f"the number of {entity}",
        )

        def number(content: bytes) -> int:
            try:
                return int(content.decode("utf-8-sig"))
            except ValueError as error:
                raise UnreadableError("it is no number") from error

        return await self._client.read(request, number)

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Send the writes side by side, as many at a time as there are connections."""
        known = {write.entity: await self._known(write.entity) for write in batch}
        writers = {name: Writer(self._client, published) for name, published in known.items()}
        return await in_turn(
            batch, lambda write: writers[write.entity].send(write), self._client.workers
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()

    async def _check_company(self) -> None:
        """Make sure that the company exists, under exactly this name (B1, D22)."""
        companies = msgspec.json.Decoder(_Companies)
        told = await self._client.read(
            self._get("Company"), lambda content: decoded(content, companies)
        )
        names = [company.name for company in told.value]
        if self._company not in names:
            raise self._client.unavailable(
                f"there is no company '{self._company}'",
                hint=nearest(self._company, names) or f"there is: {', '.join(names)}",
            )

    async def _known(self, entity: str) -> Published:
        if entity not in self._published:
            await self.describe([entity])
        if entity not in self._published:
            raise self._client.unavailable(
                f"no page is published as '{entity}'", hint="publish it in NAV under Web Services"
            )
        return self._published[entity]

    def _page(self, found: Described) -> Published:
        if len(found.keys) != 1:
            raise UnreadableError(
                f"the key of {found.type.name} is {', '.join(found.keys) or 'missing'}: "
                "only pages with a key of one field can be synchronized"
            )
        columns = {
            field.name: Column(
                name=field.name,
                property=field.name,
                type=field.type,
                select=quote(field.name),
                midnight=field.name in found.midnights,
            )
            for field in found.type.fields.values()
        }
        return Published(type=found.type, columns=columns, url=self._service(found.type.name))

    def _asked(self, query: WireQuery, published: Published) -> tuple[Request, Decoder]:
        """Make the request for the first page, and what reads the answers."""
        try:
            columns = chosen(published.columns, query.fields, query.entity)
            chosen(published.columns, [name for name, _ in query.where], query.entity)
        except ValueError as error:
            raise self._client.unavailable(str(error)) from error
        conditions, checks = _conditions(query, published)
        looked_at = [*columns, *(check.column for check in checks)] or [published.key]
        request = Request(
            method="GET",
            url=odata.address(published.url, [c.select for c in looked_at], conditions),
            headers=odata.HEADERS,
            about=query.entity,
        )
        return request, Decoder(published.key, columns, checks)

    def _get(self, path: str, accept: str = "application/json") -> Request:
        headers = {**odata.HEADERS, "Accept": accept}
        return Request(method="GET", url=f"{self._base}/{path}", headers=headers, about=path)

    def _service(self, entity: str) -> str:
        return f"{self._base}/Company({odata.text(self._company, safe='')})/{quote(entity)}"


def asking(columns: Mapping[str, Column]) -> Asking:
    """Say what NAV can be asked: no nulls, and ``or`` on one field alone (B4).

    How a page writes the blank of an option is not known beforehand (D25).
    """
    blanks = {Type.TEXT: "", Type.CODE: "", **{k: v for k, v in BLANKS.items() if k in _MOMENTS}}
    return Asking(columns=columns, wild=_WILD, blanks=blanks, or_across=False)


def _conditions(query: WireQuery, published: Published) -> tuple[list[str], list[Check]]:
    """Say what NAV is asked and what is checked here instead.

    It turns conditions into filters of its own, in which these letters have a meaning: what holds
    one of them might not be found (B4).
    """
    conditions, checks = list(condition(query, asking(published.columns))), []
    wild_keys = [key for key in query.keys if ".." in key or not _WILD.isdisjoint(key)]
    if wild_keys:
        checks.append(odata.among(published.key, query.keys))
    elif query.keys:
        conditions.append(odata.one_of(published.key, query.keys))
    for name, value in query.where:
        column = published.columns[name]
        wild = isinstance(value, str) and (".." in value or not _WILD.isdisjoint(value))
        # How a page writes the blank of an option, " " or "_x0020_", is not known beforehand (D25).
        blank = value is None and column.type is Type.OPTION
        if wild or blank or not odata.fits(value):
            checks.append(odata.equals(column, value))
            continue
        asked: Value = BLANKS.get(column.type, "") if value is None else value
        conditions.append(f"{column.select}%20eq%20{odata.literal(asked, column)}")
    if query.since is not None and published.type.modified:
        conditions.append(_since(query.since, published.columns[published.type.modified]))
    return conditions, checks


def _since(since: datetime, column: Column) -> str:
    """Ask for what changed, and for what has no date yet: new records of some tables (D18)."""
    utc = since.astimezone(UTC) if since.tzinfo else since
    never: Value = BLANKS[column.type]
    from_then: Value = utc if column.type is Type.INSTANT else (utc - _OVERLAP).date()
    return (
        f"({column.select}%20ge%20{odata.literal(from_then, column)}"
        f"%20or%20{column.select}%20eq%20{odata.literal(never, column)})"
    )


class _Company(msgspec.Struct):
    name: str = msgspec.field(name="Name")


class _Companies(msgspec.Struct):
    value: list[_Company]
