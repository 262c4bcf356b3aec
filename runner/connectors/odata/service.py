"""An OData V4 service that describes itself by ``$metadata``, whatever its kind (``profile``)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from runner.connectors.line.http import Client, Request
from runner.connectors.line.patience import Clock
from runner.connectors.odata import language as odata
from runner.connectors.odata.csdl import MetadataError, entity_sets, names
from runner.connectors.odata.edm import table
from runner.connectors.odata.rows import Decoder, chosen
from runner.connectors.odata.writer import Writer
from runner.connectors.odata.writing import Together, in_turn, outcomes
from runner.connectors.problems import UnreadableError
from runner.errors import nearest
from runner.wire import Capabilities, Greeting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from runner.connectors.line.http import Credentials, Transport
    from runner.connectors.line.pace import Pace
    from runner.connectors.line.patience import Patience, Sleep
    from runner.connectors.odata.edm import Table
    from runner.connectors.odata.profile import Profile
    from runner.wire import EntityType, Outcome, Page, WireQuery, Write


Found = TypeVar("Found")


class Service:
    """A ``Connector`` to one service."""

    def __init__(
        self,
        name: str,
        base_url: str,
        credentials: Credentials | None,
        profile: Profile,
        pace: Pace,
        *,
        transport_factory: Transport | None = None,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._base, self._profile, self._pace = base_url.rstrip("/"), profile, pace
        self._user = credentials.user if credentials else ""
        self._client = Client(
            name,
            self._base,
            credentials,
            workers=pace.concurrency,
            transport=transport_factory,
            patience=patience,
            clock=Clock(sleep=sleep),
            held_off=profile.held_off,
        )
        self._root = ""
        self._together: Together | None = None
        self._tables: dict[str, Table] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What services of this kind can do."""
        return Capabilities(client_keys=self._profile.client_keys, concurrency=self._client.workers)

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return self._client.requests

    async def greet(self) -> Greeting:
        """Look whether it is there; nobody is told who they are, but whoever gets in is the user.

        Raises:
            SystemUnavailableError: as all of a ``Connector``.

        """
        await self.entities()
        await self._rooted()
        place = self._profile.where()
        return Greeting(
            where=f"{self._base} ({place})" if place else self._base,
            who=self._user or "whoever the token speaks for",
            ahead=self._client.ahead,
        )

    async def entities(self) -> Sequence[str]:
        """Read the names of all entity sets."""
        return await self._metadata(names)

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Read ``$metadata``, and make sure of the place first."""
        root = await self._rooted()
        wanted = frozenset(entities)
        for found in await self._metadata(lambda content: entity_sets(content, wanted)):
            made = table(found, self._profile, lambda name: f"{root}/{name}")
            if made is None:
                keys = ", ".join(found.keys) or "missing"
                reason = f"$metadata: the key of {found.name} is {keys}: no record is known by that"
                raise self._client.unavailable(reason)
            self._tables[found.name] = made
        return [self._tables[name].type for name in entities if name in self._tables]

    def explain(self, query: WireQuery) -> str:
        """Say how the first page is asked for."""
        known = self._tables.get(query.entity)
        if known is None:
            return f"GET {self._base}/{query.entity}"
        first, _ = self._asked(query, known)
        prefer = first.headers.get("Prefer")
        return f"GET {first.url}" + (f"\nPrefer: {prefer}" if prefer else "")

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the rows of an entity set."""
        known = await self._known(query.entity)

        def follow(link: str) -> str:
            return self._profile.followed(self._base, known.url, link)

        for part in odata.by_keys(query, known.key):
            first, decoder = self._asked(part, known)
            async for page in odata.pages(self._client, first, decoder, follow):
                yield page

    async def count(self, entity: str) -> int | None:
        """Count the rows of an entity set."""
        known = await self._known(entity)
        request = Request(
            method="GET",
            url=f"{known.url}/$count",
            headers={**odata.HEADERS, **self._profile.headers, "Accept": "text/plain"},
            about=f"the number of {entity}",
        )

        def number(content: bytes) -> int:
            try:
                return int(content.decode("utf-8-sig"))
            except ValueError as error:
                raise UnreadableError("it is no number", garbled=True) from error

        return await self._client.read(request, number)

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Send the writes side by side, as many at a time as there are connections."""
        writers = {
            entity: Writer(self._client, await self._known(entity), self._profile, self._root)
            for entity in dict.fromkeys(write.entity for write in batch)
        }
        together = self._together or Together(self._client, self._profile.batch, self._base)
        self._together = together

        async def send(some: Sequence[Write]) -> Sequence[Outcome]:
            return await outcomes(
                [writers[write.entity].prepared(write) for write in some], together
            )

        return await in_turn(batch, send, self._client.workers, self._pace.together)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()

    async def _rooted(self) -> str:
        self._root = self._root or await self._profile.root(self._client, self._base)
        return self._root

    async def _known(self, entity: str) -> Table:
        if entity not in self._tables:
            await self.describe([entity])
        if entity not in self._tables:
            hint = nearest(entity, await self.entities())
            raise self._client.unavailable(f"nothing is published as '{entity}'", hint=hint)
        return self._tables[entity]

    async def _metadata(self, read: Callable[[bytes], Found]) -> Found:
        request = Request(
            method="GET",
            url=f"{self._base}/$metadata",
            headers={**odata.HEADERS, **self._profile.headers, "Accept": "application/xml"},
            about="$metadata",
        )

        def understood(content: bytes) -> Found:
            try:
                return read(content)
            except MetadataError as error:
                raise UnreadableError(str(error), garbled=error.garbled) from error

        return await self._client.read(request, understood)

    def _asked(self, query: WireQuery, known: Table) -> tuple[Request, Decoder]:
        """Make the request for the first page, and what reads the answers."""
        try:
            columns = chosen(known.columns, query.fields, query.entity)
            chosen(known.columns, [name for name, _ in query.where], query.entity)
        except ValueError as error:
            raise self._client.unavailable(str(error)) from error
        conditions, checks = self._profile.conditions(query, known)
        looked_at = [*columns, *(check.column for check in checks)] or [known.key]
        headers = {**odata.HEADERS, **self._profile.headers, **self._profile.reading}
        if self._pace.page_size:
            headers["Prefer"] = f"odata.maxpagesize={self._pace.page_size}"
        request = Request(
            method="GET",
            url=odata.address(known.url, looked_at, conditions),
            headers=headers,
            about=query.entity,
        )
        return request, Decoder(known.key, columns, checks)
