"""Dynamics 365 for Sales by the Dataverse Web API (protocols A)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from runner.connectors.line.http import Client, Request
from runner.connectors.line.pace import Pace
from runner.connectors.line.patience import Clock
from runner.connectors.microsoft.bulk import MOST, WORTH_IT, Bulk
from runner.connectors.microsoft.choices import Choices
from runner.connectors.microsoft.dataverse_writer import DEADLOCK, Writer, annotating
from runner.connectors.microsoft.definitions import Definitions
from runner.connectors.odata import language as odata
from runner.connectors.odata.batch import Form
from runner.connectors.odata.filtering import Asking, condition
from runner.connectors.odata.rows import Decoder, chosen, decoded
from runner.connectors.odata.writing import Together, in_turn, outcomes
from runner.errors import SystemUnavailableError
from runner.wire import Capabilities, Changes, Greeting, Type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from runner.connectors.line.http import Credentials, Reply, Transport
    from runner.connectors.line.patience import Patience, Sleep
    from runner.connectors.microsoft.definitions import Definition
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.rows import Check
    from runner.wire import EntityType, Outcome, Page, WireQuery, Write

_WILD = frozenset("%_[]")
_MOST_COUNTED = 5_000


class _WhoAmI(msgspec.Struct):
    user: str = msgspec.field(name="UserId")


class _User(msgspec.Struct):
    name: str | None = msgspec.field(default=None, name="fullname")
    domain: str | None = msgspec.field(default=None, name="domainname")


_WHO_AM_I, _USER = msgspec.json.Decoder(_WhoAmI), msgspec.json.Decoder(_User)


class _Counted(msgspec.Struct):
    count: int = msgspec.field(name="@odata.count")


_COUNTED = msgspec.json.Decoder(_Counted)

PACE = Pace(concurrency=16, page_size=5_000, together=10)
"""Small batches side by side are faster than large ones one after the other (A13)."""

_EXPIRED = "0x80044352"
_EXPIRED_WORDS = re.compile(r"version ?stamp.*expired|delta ?token.*expired", re.IGNORECASE)

_OVERLAP = timedelta(minutes=5)
"""How far ``modifiedon`` may lag: it is the second in which a transaction began (D14, D15)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an organisation is to take what we do.

    ``caller``: in whose name, a system user's id, or ``entra:`` and an object id (A14); empty for
    our own. ``detect``: its rules for duplicates hold for what we write (A15).
    """

    caller: str = ""
    detect: bool = False

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes along with every request."""
        headers = dict(odata.HEADERS)
        if self.caller.startswith("entra:"):
            headers["CallerObjectId"] = self.caller.removeprefix("entra:")
        elif self.caller:
            headers["MSCRMCallerID"] = self.caller
        if self.detect:
            headers["MSCRM.SuppressDuplicateDetection"] = "false"
        return headers


class Dataverse:
    """A ``Connector`` to one organisation."""

    def __init__(
        self,
        name: str,
        base_url: str,
        credentials: Credentials | None,
        *,
        pace: Pace = PACE,
        manner: Manner | None = None,
        transport_factory: Transport | None = None,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        base = base_url.rstrip("/")
        self._base = base if "/api/data/" in urlsplit(base).path else f"{base}/api/data/v9.2"
        self._pace, self._headers = pace, (manner or Manner()).headers
        self._client = Client(
            name,
            self._base,
            credentials,
            workers=pace.concurrency,
            transport=transport_factory,
            patience=patience,
            clock=Clock(sleep=sleep),
            held_off=_deadlocked,
        )
        self._advised = False
        self._together = Together(self._client, Form.PATHS, self._base)
        self._definitions = Definitions(self._base, self._client)
        self._choices = Choices(self._base, self._client, self._definitions, self._headers)
        self._bulk = Bulk(self._client, self._base, self._headers, self.pages)

    @property
    def capabilities(self) -> Capabilities:
        """The client chooses GUIDs, so that no create can happen twice."""
        return Capabilities(client_keys=True, concurrency=self._client.workers)

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return self._client.requests

    async def greet(self) -> Greeting:
        """Ask who we are, and what that user is called (A1)."""
        known = await self._client.read(
            self._get("WhoAmI"), lambda content: decoded(content, _WHO_AM_I)
        )
        path = f"systemusers({known.user})?$select=fullname,domainname"
        found = await self._client.read(self._get(path), lambda content: decoded(content, _USER))
        who = f"{found.name or 'nameless'} ({found.domain or known.user})"
        return Greeting(where=self._base, who=who, ahead=self._client.ahead)

    def _get(self, path: str) -> Request:
        return Request(
            method="GET", url=f"{self._base}/{path}", headers=self._headers, about="who we are"
        )

    async def entities(self) -> Sequence[str]:
        """Ask for the names of all entity sets."""
        return await self._definitions.names()

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Ask for the definitions of entity sets; first of all, who we are.

        The answer to that says how many requests at a time the organisation wants (A13).
        """
        if not self._advised:
            await self._client.read(self._get("WhoAmI"), bytes)
            self._advised = True
        tables = [name for name in entities if not Choices.owns(name)]
        found = {d.type.name: d.type for d in await self._definitions.of(tables)}
        for name in (name for name in entities if Choices.owns(name)):
            if (choice := await self._choices.type(name)) is not None:
                found[name] = choice
        return [found[name] for name in entities if name in found]

    def explain(self, query: WireQuery) -> str:
        """Say how the first page is asked for."""
        if Choices.owns(query.entity):
            return self._choices.explain(query)
        definition = self._definitions.known(query.entity)
        if definition is None:
            return f"GET {self._base}/{query.entity}"
        first, _ = self._asked(query, definition)
        return f"GET {first.url}\nPrefer: {first.headers['Prefer']}"

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the rows of an entity set; links lead nowhere but to this organisation."""
        if Choices.owns(query.entity):
            async for page in self._choices.pages(query):
                yield page
            return
        definition = await self._definition(query.entity)

        def follow(link: str) -> str:
            return odata.same_origin(self._base, link)

        for part in odata.by_keys(query, definition.key):
            first, decoder = self._asked(part, definition)
            async for page in odata.pages(self._client, first, decoder, follow):
                yield page

    async def changes(self, query: WireQuery, token: str) -> AsyncIterator[Changes]:
        """Yield what changed since a delta link was given; all where it is none any more (A10)."""
        definition = await self._definition(query.entity)
        # Nothing but fields may be asked for: with conditions the server refuses (A10, D13).
        everything = replace(query, where=(), keys=(), since=None, filter="")
        begin, decoder = self._asked(everything, definition)
        prefer = f"odata.track-changes,{begin.headers['Prefer']}"

        def follow(link: str) -> str:
            return odata.same_origin(self._base, link)

        if token:
            url = follow(token)
            request = Request(method="GET", url=url, headers=begin.headers, about=begin.about)
            try:
                async for found in odata.changes(self._client, request, decoder, follow):
                    yield found
            except SystemUnavailableError as error:
                if not _expired(error):
                    raise
            else:
                return
        yield Changes(whole=True)
        whole = replace(begin, headers={**begin.headers, "Prefer": prefer})
        async for found in odata.changes(self._client, whole, decoder, follow):
            yield replace(found, whole=True)

    async def count(self, entity: str) -> int | None:
        """Count as far as the server does: it stops at 5,000 (A4)."""
        if Choices.owns(entity):
            return await self._choices.count(entity)
        definition = await self._definition(entity)
        request = Request(
            method="GET",
            url=f"{self._base}/{entity}?$select={definition.key.select}&$top=1&$count=true",
            headers=self._headers,
            about=f"the number of {entity}",
        )
        counted = await self._client.read(request, lambda content: decoded(content, _COUNTED))
        return counted.count if counted.count < _MOST_COUNTED else None

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Send the writes side by side, as many at a time as there are connections.

        Many new records of one table go together, in few requests. Options of choice columns go
        one after the other, each published before the next.
        """
        if batch and all(Choices.owns(write.entity) for write in batch):
            return [await self._choices.write(write) for write in batch]
        known = {write.entity: await self._definition(write.entity) for write in batch}
        writers = {
            name: Writer(self._client, self._base, known[name], self._headers) for name in known
        }

        async def send(some: Sequence[Write]) -> Sequence[Outcome]:
            return await outcomes([writers[w.entity].prepared(w) for w in some], self._together)

        async def create(some: Sequence[Write]) -> Sequence[Outcome]:
            entity = some[0].entity
            made = await self._bulk.created(some, known[entity], writers[entity])
            return made or await in_turn(some, send, 1, self._pace.together)

        together, workers = self._pace.together, self._client.workers
        if together > 1 and batch and self._bulk.takes(batch, known[batch[0].entity]):
            return await in_turn(batch, create, min(workers, len(batch) // WORTH_IT), MOST)
        return await in_turn(batch, send, workers, together)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()

    async def _definition(self, entity: str) -> Definition:
        found = await self._definitions.of([entity])
        if not found:
            raise self._client.unavailable(f"there is no entity set '{entity}'")
        return found[0]

    def _asked(self, query: WireQuery, definition: Definition) -> tuple[Request, Decoder]:
        """Make the request for the first page, and what reads the answers."""
        try:
            columns = chosen(definition.columns, query.fields, query.entity)
            chosen(definition.columns, [name for name, _ in query.where], query.entity)
        except ValueError as error:
            raise self._client.unavailable(str(error)) from error
        conditions, checks = _conditions(query, definition)
        looked_at = [*columns, *(check.column for check in checks)] or [definition.key]
        prefer = [f"odata.maxpagesize={self._pace.page_size}", *annotating(looked_at)]
        request = Request(
            method="GET",
            url=odata.address(f"{self._base}/{query.entity}", looked_at, conditions),
            headers={**self._headers, "Prefer": ",".join(prefer)},
            about=query.entity,
        )
        return request, Decoder(definition.key, columns, checks)


def _expired(error: SystemUnavailableError) -> bool:
    """Whether a delta link is too old; with which status that is told is not documented (F1)."""
    gone = error.status == HTTPStatus.GONE
    refused = HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    told = error.code.lower() == _EXPIRED or bool(_EXPIRED_WORDS.search(str(error)))
    return gone or (refused and told)


def _deadlocked(reply: Reply) -> bool:
    """Whether others were in the way: what was begun is rolled back (A16, D49)."""
    return reply.status >= HTTPStatus.BAD_REQUEST and reply.fault.code.lower() == DEADLOCK


def asking(columns: Mapping[str, Column]) -> Asking:
    """Say what Dataverse can be asked: blank is null, texts are alike whatever their case."""
    return Asking(columns=columns, wild=_WILD, blanks=dict.fromkeys(Type), or_across=True)


def _conditions(query: WireQuery, definition: Definition) -> tuple[list[str], list[Check]]:
    """Say what the server is asked and what is checked here instead.

    ``%``, ``_`` and ``[`` may be wildcards in its eyes (A4): with the first two it finds what is
    meant, and more; with the third it may not even find that (D30).
    """
    conditions, checks = list(condition(query, asking(definition.columns))), []
    if query.keys:
        conditions.append(odata.one_of(definition.key, query.keys))
    for name, value in query.where:
        column = definition.columns[name]
        wild = isinstance(value, str) and not _WILD.isdisjoint(value)
        alone = not column.askable or not odata.fits(value) or (wild and "[" in str(value))
        if alone or wild:
            checks.append(odata.equals(column, value))
        if not alone:
            conditions.append(odata.is_equal(column, value))
    if query.since is not None and definition.type.modified:
        column = definition.columns[definition.type.modified]
        since = odata.literal(query.since.replace(microsecond=0) - _OVERLAP, column)
        conditions.append(f"{column.property}%20ge%20{since}")
    return conditions, checks
