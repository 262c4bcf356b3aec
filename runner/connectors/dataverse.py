"""Dynamics 365 for Sales by the Dataverse Web API (protocols A)."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runner.connectors import odata
from runner.connectors.definitions import Definition, Definitions
from runner.connectors.http import Client, Credentials, MaybeDone, Patience, Reply, Sleep, Transport
from runner.errors import SystemUnavailableError
from runner.wire import (
    Capabilities,
    Drifted,
    EntityType,
    Outcome,
    Page,
    Reference,
    Rejected,
    Type,
    Unknown,
    Value,
    WireQuery,
    Write,
    WriteKind,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_LOOKUP = "Microsoft.Dynamics.CRM.lookuplogicalname"
_DUPLICATES = frozenset({"0x80040237", "0x80060892", "0x80040333", "0x80048cf3", "0x80043b06"})
_STALE = "0x80060882"
_ENTITY_ID = re.compile(r"\(([0-9a-fA-F-]{36})\)$")


class Dataverse:
    """A ``Connector`` to one organisation."""

    def __init__(
        self,
        name: str,
        base_url: str,
        credentials: Credentials | None,
        *,
        concurrency: int = 8,
        page_size: int = 5_000,
        transport_factory: Transport | None = None,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        base = base_url.rstrip("/")
        self._name = name
        self._base = base if "/api/data/" in base else f"{base}/api/data/v9.2"
        self._concurrency, self._page_size = concurrency, page_size
        self._client = Client(
            name,
            self._base,
            credentials,
            workers=concurrency,
            transport=transport_factory,
            patience=patience,
            sleep=sleep,
        )
        self._definitions = Definitions(name, self._base, self._client)

    @property
    def capabilities(self) -> Capabilities:
        """The client chooses GUIDs, so that no create can happen twice."""
        return Capabilities(client_keys=True, concurrency=self._concurrency)

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Ask for the definitions of entity sets."""
        found = await self._definitions.of(entities)
        return [definition.type for definition in found]

    def explain(self, query: WireQuery) -> str:
        """Say how the first page is asked for."""
        definition = self._definitions.known(query.entity)
        if definition is None:
            return f"GET {self._base}/{query.entity}"
        headers = self._reading(query.fields, definition)
        return f"GET {self._url(query, definition)}\nPrefer: {headers['Prefer']}"

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the rows of an entity set; links lead nowhere but to this organisation."""
        definition = await self._definition(query.entity)

        def follow(link: str) -> str:
            return odata.same_origin(self._name, self._base, link)

        async for page in odata.pages(
            self._client,
            self._url(query, definition),
            self._reading(query.fields, definition),
            self._decoder(definition, query.fields),
            follow,
        ):
            yield page

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Send the writes side by side, as many at a time as there are connections."""
        for entity in {write.entity for write in batch}:
            await self._definition(entity)
        return await odata.outcomes(self._write(write) for write in batch)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()

    async def _definition(self, entity: str) -> Definition:
        found = await self._definitions.of([entity])
        if not found:
            raise SystemUnavailableError(self._name, f"there is no entity set '{entity}'")
        return found[0]

    async def _write(self, write: Write) -> Outcome:
        definition = await self._definition(write.entity)
        headers = {**odata.HEADERS, **odata.JSON}
        headers["Prefer"] = (
            f"return=representation,{self._annotations(write.returning, definition)}"
        )
        url = f"{self._base}/{write.entity}"
        method = "POST" if write.key is None else "PATCH"
        if write.key is not None:
            url = f"{url}({quote(write.key, safe='')})"
        if write.kind is WriteKind.CREATE and write.key is not None:
            # A bare PATCH would overwrite a record that is there already (A8).
            headers["If-None-Match"] = "*"
        elif write.kind is not WriteKind.CREATE:
            # Without a condition a PATCH re-creates what was deleted (D5, D6).
            headers["If-Match"] = write.etag or "*"
        if write.kind is WriteKind.DELETE:
            reply = await self._client.write("DELETE", url, headers, None)
        else:
            url = odata.url(url, self._select(write.returning, definition))
            body = odata.encoded(self._body(write, definition))
            reply = await self._client.write(method, url, headers, body)
        if isinstance(reply, MaybeDone):
            return Unknown(message=reply.message)
        return self._outcome(write, reply, definition)

    def _outcome(self, write: Write, reply: Reply, definition: Definition) -> Outcome:
        fault = reply.fault
        code = fault.code.lower()
        match reply.status:
            case HTTPStatus.OK | HTTPStatus.CREATED:
                page = self._decoder(definition, write.returning).one(reply.content)
                return Written(key=page.keys[0].lower(), page=page)
            case HTTPStatus.NO_CONTENT:
                found = _ENTITY_ID.search(reply.headers.get("odata-entityid", ""))
                return Written(key=(found[1] if found else write.key or "").lower())
            case _ if code in _DUPLICATES:
                return Rejected(code=code, message=fault.message, duplicate=True)
            case HTTPStatus.PRECONDITION_FAILED:
                if code == _STALE or write.kind is not WriteKind.CREATE:
                    return Drifted(message=fault.message or "the record changed")
                return Rejected(code=code, message=fault.message, duplicate=True)
            case HTTPStatus.NOT_FOUND:
                there = write.kind is WriteKind.CREATE
                return Rejected(code=code, message=fault.message, missing=not there)
            case _:
                return Rejected(code=code or str(reply.status), message=fault.message)

    def _body(self, write: Write, definition: Definition) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in write.values.items():
            if definition.type.fields[name].type is Type.REFERENCE:
                body |= self._bound(definition, name, value)
            else:
                body[name] = odata.json_value(value)
        return body

    def _bound(self, definition: Definition, name: str, value: Value) -> dict[str, Any]:
        """Protocols A5: a lookup is written through the navigation property of its target."""
        targets = definition.navigation[name]
        if value is None:
            return {f"{prop}@odata.bind": None for prop in dict.fromkeys(targets.values())}
        assert isinstance(value, Reference), f"{name} takes a reference"
        return {f"{targets[value.entity]}@odata.bind": f"/{value.entity}({value.key})"}

    def _url(self, query: WireQuery, definition: Definition) -> str:
        conditions = [
            f"{definition.property(name)}%20eq%20{self._literal(definition, name, value)}"
            for name, value in query.where
        ]
        if query.since is not None:
            conditions.append(f"modifiedon%20ge%20{odata.literal(query.since, Type.INSTANT)}")
        return odata.url(
            f"{self._base}/{query.entity}",
            self._select(query.fields, definition),
            odata.conditions(conditions),
        )

    def _literal(self, definition: Definition, name: str, value: Value) -> str:
        kind = definition.type.fields[name].type
        return odata.literal(value, Type.GUID if kind is Type.REFERENCE else kind)

    def _select(self, fields: Sequence[str], definition: Definition) -> str:
        names = dict.fromkeys(definition.selected(name) for name in fields)
        return f"$select={','.join(names)}" if names else ""

    def _reading(self, fields: Sequence[str], definition: Definition) -> dict[str, str]:
        prefer = f"odata.maxpagesize={self._page_size}"
        annotations = self._annotations(fields, definition)
        return {**odata.HEADERS, "Prefer": ",".join(filter(None, (prefer, annotations)))}

    def _annotations(self, fields: Sequence[str], definition: Definition) -> str:
        asked = any(name in definition.companions for name in fields)
        return f'odata.include-annotations="{_LOOKUP}"' if asked else ""

    def _decoder(self, definition: Definition, fields: Sequence[str]) -> odata.Decoder:
        columns = [
            odata.Column(
                name,
                f"{definition.selected(name)}@{_LOOKUP}"
                if name in definition.companions
                else definition.property(name),
                definition.type.fields[name].type,
            )
            for name in fields
        ]
        return odata.Decoder(self._name, definition.type.name, definition.type.key, columns)
