"""Dynamics NAV 2018 by OData V4: published pages of one company (protocols B)."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from runner.connectors import odata
from runner.connectors.csdl import MetadataError, entity_types
from runner.connectors.http import Client, Credentials, MaybeDone, Patience, Reply, Sleep, Transport
from runner.errors import SystemUnavailableError, nearest
from runner.wire import (
    Capabilities,
    Drifted,
    EntityType,
    FieldType,
    Outcome,
    Page,
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

_STALE = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
_DUPLICATE = "Internal_EntityWithSameKeyExists"
_BLANKS: dict[Type, str | int | bool] = {
    Type.INTEGER: 0,
    Type.DECIMAL: 0,
    Type.BOOLEAN: False,
    Type.DATE: "0001-01-01",
}
_BLANKS |= {Type.INSTANT: "0001-01-01T00:00:00Z", Type.GUID: "00000000-0000-0000-0000-000000000000"}


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
        self._name, self._base, self._company = name, base_url.rstrip("/"), company
        self._concurrency = concurrency
        self._client = Client(
            name,
            self._base,
            credentials,
            workers=concurrency,
            transport=transport_factory,
            patience=patience,
            sleep=sleep,
        )
        self._types: dict[str, EntityType] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Keys come from number series, or from the record; table locks keep requests few."""
        return Capabilities(client_keys=False, concurrency=self._concurrency)

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Read ``$metadata``; the company is checked first, for NAV would fall back to another."""
        await self._check_company()
        reply = await self._client.read(f"{self._base}/$metadata", {"Accept": "application/xml"})
        if reply.status != HTTPStatus.OK:
            raise SystemUnavailableError(self._name, f"no $metadata: {odata.told(reply)}")
        try:
            self._types |= {
                found.name: found for found in entity_types(reply.content, set(entities))
            }
        except MetadataError as error:
            raise SystemUnavailableError(self._name, f"its $metadata is wrong: {error}") from error
        return [self._types[name] for name in entities if name in self._types]

    def explain(self, query: WireQuery) -> str:
        """Say how the first page is asked for."""
        return f"GET {self._url(query)}"

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the rows of a published page of NAV's."""
        await self._known(query.entity)
        decoder = self._decoder(query.entity, query.fields)

        def follow(link: str) -> str:
            return odata.rerooted(self._base, link)

        async for page in odata.pages(
            self._client, self._url(query), odata.HEADERS, decoder, follow
        ):
            yield page

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Send the writes side by side, as many at a time as there are connections."""
        for entity in {write.entity for write in batch}:
            await self._known(entity)
        return await odata.outcomes(self._write(write) for write in batch)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()

    async def _check_company(self) -> None:
        reply = await self._client.read(f"{self._base}/Company", odata.HEADERS)
        if reply.status != HTTPStatus.OK:
            raise SystemUnavailableError(self._name, f"no companies: {odata.told(reply)}")
        try:
            found = msgspec.json.decode(reply.content, type=_Companies).value
        except msgspec.DecodeError as error:
            raise SystemUnavailableError(
                self._name, "its list of companies cannot be read"
            ) from error
        names = [company.name for company in found]
        if self._company not in names:
            raise SystemUnavailableError(
                self._name,
                f"there is no company '{self._company}'",
                hint=nearest(self._company, names) or f"there are {', '.join(names)}",
            )

    async def _known(self, entity: str) -> None:
        if entity not in self._types and not await self.describe([entity]):
            raise SystemUnavailableError(self._name, f"no page is published as '{entity}'")

    async def _write(self, write: Write) -> Outcome:
        url, headers = self._service(write.entity), {**odata.HEADERS, **odata.JSON}
        if write.key is not None and write.kind is not WriteKind.CREATE:
            url = f"{url}({odata.text(write.key)})"
            # Never without: NAV refuses, and a lost update would be the alternative (D5).
            headers["If-Match"] = write.etag or "*"
        method = {"create": "POST", "update": "PATCH", "delete": "DELETE"}[write.kind]
        body = None if write.kind is WriteKind.DELETE else odata.encoded(self._body(write))
        reply = await self._client.write(method, url, headers, body)
        if isinstance(reply, MaybeDone):
            return Unknown(message=reply.message)
        return await self._outcome(write, reply)

    async def _outcome(self, write: Write, reply: Reply) -> Outcome:
        fault = reply.fault
        match reply.status:
            case HTTPStatus.OK | HTTPStatus.CREATED:
                page = self._decoder(write.entity, write.returning).one(reply.content)
                return Written(key=page.keys[0], page=page)
            case HTTPStatus.NO_CONTENT if write.key is not None:
                return Written(key=write.key, page=await self._reread(write))
            case HTTPStatus.NO_CONTENT:
                return Unknown(message="NAV did not say which record it made")
            case HTTPStatus.NOT_FOUND:
                return Rejected(code=fault.code, message=fault.message, missing=True)
            case status if fault.code == _DUPLICATE:
                return Rejected(code=fault.code, message=fault.message, duplicate=True)
            case status if status in _STALE:
                return Drifted(message=fault.message or "the record changed")
            case _:
                return Rejected(code=fault.code or str(reply.status), message=fault.message)

    async def _reread(self, write: Write) -> Page | None:
        """Some builds answer an update with nothing: what they made of it must be read."""
        if write.kind is WriteKind.DELETE or write.key is None:
            return None
        url = odata.url(
            f"{self._service(write.entity)}({odata.text(write.key)})", self._select(write.returning)
        )
        reply = await self._client.read(url, odata.HEADERS)
        if reply.status != HTTPStatus.OK:
            return None
        return self._decoder(write.entity, write.returning).one(reply.content)

    def _body(self, write: Write) -> dict[str, Any]:
        """Protocols B5: NAV knows no null; B6: fields are validated in order, the key first."""
        entity = self._types[write.entity]
        values: dict[str, Value] = {}
        if write.kind is WriteKind.CREATE and write.key is not None:
            values[entity.key] = write.key
        values |= write.values
        return {name: self._json(entity.fields[name], value) for name, value in values.items()}

    def _json(self, field: FieldType, value: Value) -> Any:
        return _BLANKS.get(field.type, "") if value is None else odata.json_value(value)

    def _url(self, query: WireQuery) -> str:
        conditions = [
            f"{name}%20eq%20{self._literal(query.entity, name, value)}"
            for name, value in query.where
        ]
        entity = self._types.get(query.entity)
        if query.since is not None and entity is not None and entity.modified:
            kind = entity.fields[entity.modified].type
            # A date is all that most pages tell, some in local time (B7): one day is overlap.
            moment: Value = query.since if kind is Type.INSTANT else query.since.date()
            conditions.append(f"{entity.modified}%20ge%20{odata.literal(moment, kind)}")
        return odata.url(
            self._service(query.entity), self._select(query.fields), odata.conditions(conditions)
        )

    def _literal(self, entity: str, name: str, value: Value) -> str:
        known = self._types.get(entity)
        kind = known.fields[name].type if known and name in known.fields else Type.TEXT
        if value is None:
            return odata.literal(_BLANKS.get(kind, ""), kind)
        return odata.literal(value, kind)

    def _service(self, entity: str) -> str:
        company = quote(self._company.replace("'", "''"), safe="")
        return f"{self._base}/Company('{company}')/{quote(entity)}"

    def _select(self, fields: Sequence[str]) -> str:
        return f"$select={','.join(quote(name) for name in fields)}" if fields else ""

    def _decoder(self, entity: str, fields: Sequence[str]) -> odata.Decoder:
        known = self._types[entity]
        columns = [odata.column(known.fields[name]) for name in fields]
        return odata.Decoder(self._name, entity, known.key, columns)


class _Company(msgspec.Struct):
    name: str = msgspec.field(name="Name")


class _Companies(msgspec.Struct):
    value: list[_Company]
