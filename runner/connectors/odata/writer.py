"""How records of an OData service are written, each under its condition (4.01 part 1, 11.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.connectors.line.http import Request
from runner.connectors.odata import language as odata
from runner.connectors.odata import writing
from runner.connectors.odata.rows import Decoder, chosen
from runner.connectors.odata.writing import Sending
from runner.connectors.problems import Fault
from runner.wire import Reference, Rejected, WriteKind

if TYPE_CHECKING:
    from runner.connectors.line.http import Client, Reply
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.edm import Bound, Table
    from runner.connectors.odata.profile import Profile
    from runner.wire import Outcome, Value, Write


class Writer:
    """Writes records of one entity set. ``root`` is the address of all of them."""

    def __init__(self, client: Client, table: Table, profile: Profile, root: str) -> None:
        self._client, self._table, self._profile, self._root = client, table, profile, root
        self._headers = {**odata.HEADERS, **profile.headers}
        self._decoders: dict[tuple[str, ...], Decoder] = {}

    def prepared(self, write: Write) -> Sending | Rejected:
        """Make the request of a write, and what judges its answer."""
        try:
            decoder, request = self._decoder(write.returning), self._request(write)
        except ValueError as error:
            return Rejected(code="", message=str(error))

        async def judged(reply: Reply) -> Outcome:
            return await self._judged(write, reply, decoder)

        return Sending(request, judged)

    def _request(self, write: Write) -> Request:
        """Make a request.

        Raises:
            ValueError: the write holds what the entity set does not have.

        """
        about = self._table.type.name
        if write.kind is WriteKind.CREATE:
            return Request(
                method="POST",
                url=self._table.url,
                headers={**self._headers, **odata.JSON, **odata.WHOLE},
                about=about,
                content=odata.encoded(self._body(write)),
            )
        # Never without condition: some refuse that, and others would lose an update (D5).
        headers = {**self._headers, "If-Match": write.etag or "*"}
        url = self._one(write.key or "")
        if write.kind is WriteKind.DELETE:
            return Request(method="DELETE", url=url, headers=headers, about=about)
        return Request(
            method="PATCH",
            url=url,
            headers={**headers, **odata.JSON, **odata.WHOLE},
            about=about,
            content=odata.encoded(self._body(write)),
        )

    def _reading(self, write: Write, key: str) -> Request:
        columns = chosen(self._table.columns, write.returning, self._table.type.name)
        return Request(
            method="GET",
            url=odata.address(self._one(key), columns),
            headers=self._headers,
            about=self._table.type.name,
        )

    async def _judged(self, write: Write, reply: Reply, decoder: Decoder) -> Outcome:
        if reply.status // 100 == 2:  # noqa: PLR2004 - it is done
            place = reply.headers.get("odata-entityid") or reply.headers.get("location", "")
            return await writing.done(
                self._client,
                write,
                reply,
                decoder,
                odata.named(place, self._table.key),
                lambda key: self._reading(write, key),
            )
        fault = reply.fault
        told = Fault(fault.status, fault.code, self._client.words(fault.message))
        return self._profile.refused(write, told)

    def _one(self, key: str) -> str:
        return f"{self._table.url}{odata.predicate(key, self._table.key)}"

    def _decoder(self, returning: tuple[str, ...]) -> Decoder:
        if returning not in self._decoders:
            columns = chosen(self._table.columns, returning, self._table.type.name)
            self._decoders[returning] = Decoder(self._table.key, columns)
        return self._decoders[returning]

    def _body(self, write: Write) -> dict[str, Any]:
        """Write the fields in the order given, the key first: NAV validates them so (B6)."""
        values: dict[str, Value] = {}
        if write.kind is WriteKind.CREATE and write.key is not None and not self._table.key.parts:
            values[self._table.type.key] = write.key
        values |= write.values
        body: dict[str, Any] = {}
        for name, value in values.items():
            [column] = chosen(self._table.columns, [name], self._table.type.name)
            bound = self._table.bound.get(name)
            if bound is None:
                _put(body, column, self._profile.body(column, value))
            elif value is not None or write.kind is WriteKind.UPDATE:
                # Relative to the service's root, as its context is.
                body[f"{bound.navigation}@odata.bind"] = self._there(bound, value)
        return body

    def _there(self, bound: Bound, value: Value) -> str | None:
        """Return the address of the record that a lookup is to point to."""
        key = value.key if isinstance(value, Reference) else value
        if key is None:
            return None
        return f"{self._root}/{bound.target}{odata.key_of(str(key), bound.key)}"


def _put(body: dict[str, Any], column: Column, value: Any) -> None:
    """Put a value where it stands; what lies within a complex property is merged into it."""
    *above, last = column.property.split("/")
    for step in above:
        body = body.setdefault(step, {})
    body[last] = value
