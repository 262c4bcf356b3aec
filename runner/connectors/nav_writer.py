"""How records of NAV are written, and what its answers mean (protocols B5, B6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from runner.connectors import odata, writing
from runner.connectors.http import Request
from runner.connectors.problems import Fault
from runner.connectors.rows import Decoder, chosen
from runner.wire import Drifted, Rejected, Type, Unknown, WriteKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.connectors.http import Client, Reply
    from runner.connectors.rows import Column
    from runner.wire import EntityType, Outcome, Value, Write

BLANKS: Mapping[Type, Value] = {
    Type.INTEGER: 0,
    Type.DECIMAL: 0,
    Type.BOOLEAN: False,
    Type.DATE: date(1, 1, 1),
    Type.INSTANT: datetime(1, 1, 1, tzinfo=UTC),
    Type.GUID: "00000000-0000-0000-0000-000000000000",
}
"""NAV knows no null (B5): how it writes nothing; for all other types it is the empty text."""

_DUPLICATE = "Internal_EntityWithSameKeyExists"
_STALE = "Request_EntityChanged"
_NO_SUCH_PAGE = frozenset({"BadRequest_ResourceNotFound", "Internal_CompanyNotFound"})
_EXISTS = re.compile(r"already exists", re.IGNORECASE)
_LOCATION = re.compile(r"\((?:\w+=)?'([^/]*)'\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A page of NAV's as a web service: its type, its columns by field, where it is."""

    type: EntityType
    columns: Mapping[str, Column]
    url: str

    @property
    def key(self) -> Column:
        """The column of the key."""
        return self.columns[self.type.key]


class Writer:
    """Writes records of one published page."""

    def __init__(self, client: Client, published: Published) -> None:
        self._client, self._page = client, published
        self._decoders: dict[tuple[str, ...], Decoder] = {}

    async def send(self, write: Write) -> Outcome:
        """Send one write and say what came of it."""
        try:
            decoder, request = self._decoder(write.returning), self._request(write)
        except ValueError as error:
            return Rejected(code="", message=str(error))

        async def judged(reply: Reply) -> Outcome:
            return await self._judged(write, reply, decoder)

        return await writing.sent(self._client, request, judged)

    def _request(self, write: Write) -> Request:
        """Make a request.

        Raises:
            ValueError: the write holds what the page does not have.

        """
        about = self._page.type.name
        if write.kind is WriteKind.CREATE:
            return Request(
                method="POST",
                url=self._page.url,
                headers={**odata.HEADERS, **odata.JSON},
                about=about,
                content=odata.encoded(self._body(write)),
            )
        # Never without condition: NAV refuses, and a lost update would be the alternative (D5).
        headers = {**odata.HEADERS, "If-Match": write.etag or "*"}
        url = self._one(write.key or "")
        if write.kind is WriteKind.DELETE:
            return Request(method="DELETE", url=url, headers=headers, about=about)
        return Request(
            method="PATCH",
            url=url,
            headers={**headers, **odata.JSON},
            about=about,
            content=odata.encoded(self._body(write)),
        )

    def _reading(self, write: Write, key: str) -> Request:
        select = [self._page.columns[name].select for name in write.returning]
        return Request(
            method="GET",
            url=odata.address(self._one(key), select),
            headers=odata.HEADERS,
            about=self._page.type.name,
        )

    async def _judged(self, write: Write, reply: Reply, decoder: Decoder) -> Outcome:
        if reply.status // 100 == 2:  # noqa: PLR2004 - it is done
            named = _LOCATION.search(reply.headers.get("location", ""))
            return await writing.done(
                self._client,
                write,
                reply,
                decoder,
                unquote(named[1]).replace("''", "'") if named else None,
                lambda key: self._reading(write, key),
            )
        fault = reply.fault
        words = self._client.words(fault.message)
        return _refused(write, Fault(fault.status, fault.code, words))

    def _one(self, key: str) -> str:
        return f"{self._page.url}{odata.predicate(key, self._page.key.type)}"

    def _decoder(self, returning: tuple[str, ...]) -> Decoder:
        if returning not in self._decoders:
            columns = chosen(self._page.columns, returning, self._page.type.name)
            self._decoders[returning] = Decoder(self._page.key, columns)
        return self._decoders[returning]

    def _body(self, write: Write) -> dict[str, Any]:
        """NAV validates fields in the order given, the key first (B6)."""
        values: dict[str, Value] = {}
        if write.kind is WriteKind.CREATE and write.key is not None:
            values[self._page.type.key] = write.key
        values |= write.values
        return {name: self._json(name, value) for name, value in values.items()}

    def _json(self, name: str, value: Value) -> Any:
        [column] = chosen(self._page.columns, [name], self._page.type.name)
        if value is None:
            value = BLANKS.get(column.type, "")
        written = odata.json_value(value)
        return f"{written}T00:00:00Z" if column.midnight else written


def _refused(write: Write, fault: Fault) -> Outcome:
    """Judge by status, code and, where builds differ, by what the message says (B6)."""
    code, message = fault.code, fault.message or fault.words
    creating = write.kind is WriteKind.CREATE
    match fault.status:
        case _ if code == _STALE and not creating:
            return Drifted(message=message)
        case _ if code == _DUPLICATE:
            return Rejected(code=code, message=message, duplicate=True)
        case 400 | 409 | 412 if creating:
            there = bool(_EXISTS.search(message)) and write.key is not None
            return Rejected(code=code, message=message, duplicate=there)
        case HTTPStatus.CONFLICT | HTTPStatus.PRECONDITION_FAILED:
            return Drifted(message=message)
        case HTTPStatus.NOT_FOUND:
            missing = not creating and code not in _NO_SUCH_PAGE
            return Rejected(code=code, message=message, missing=missing)
        case HTTPStatus.REQUEST_TIMEOUT:
            return Unknown(message=fault.words)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            known = status == HTTPStatus.NOT_IMPLEMENTED
            return Rejected(code=code, message=message) if known else Unknown(message=fault.words)
        case _:
            return Rejected(code=code, message=message)
