"""How records of Dataverse are written, and what its answers mean (protocols A5, A7, A8, A16)."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from runner.connectors.line.http import Request
from runner.connectors.microsoft.definitions import TARGET
from runner.connectors.odata import language as odata
from runner.connectors.odata import writing
from runner.connectors.odata.rows import Decoder, chosen
from runner.connectors.odata.writing import Sending
from runner.connectors.problems import Fault
from runner.wire import Drifted, Reference, Rejected, Type, Unknown, Unsent, WriteKind, Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.connectors.line.http import Client, Reply
    from runner.connectors.microsoft.definitions import Definition
    from runner.connectors.odata.columns import Column
    from runner.wire import Outcome, Value, Write

_STALE = "0x80060882"
_DUPLICATES = frozenset(
    {
        "0x80040237",  # the same key
        "0x80060892",  # the same alternate key
        "0x80040333",  # found by duplicate detection, which answers 500
        "0x80043b06",  # the same product number
        "0x80043b08",  # the same line of a price list
        "0x80048cf3",  # the same ISO code
    }
)
DEADLOCK = "0x80044150"
"""Others were in the way; what was begun is rolled back (A16, D49)."""
_PLUGIN_SAID_NO = "0x80040265"
_INACTIVE = frozenset({"0x80040230", "0x8004f995", "0x8004f975"})
"""Codes of what a record refuses in the state that it has (A16)."""
_RETIRED, _DRAFT = "0x8004f995", "0x8004f978"
"""Codes of a product that takes nothing while it is retired, or cannot be retired as a draft."""
_ACTIVE, _NOT_ACTIVE = 0, 1
_SHUT_OUT = frozenset({"0x80040225", "0x8004a112", "0x80072560"})
"""Codes of a 403 that is about the connection's user as such, not about one record (A1, A16)."""

_ENTITY_ID = re.compile(r"\(([0-9a-fA-F-]{36})\)$")


def annotating(columns: Iterable[Column]) -> list[str]:
    """Say which annotations to ask for: none, where no column needs one."""
    asked = any(column.annotation for column in columns)
    return [f'odata.include-annotations="{TARGET}"'] if asked else []


class Writer:
    """Writes records of one entity set."""

    def __init__(
        self, client: Client, base: str, definition: Definition, headers: Mapping[str, str]
    ) -> None:
        self._client, self._definition, self._headers = client, definition, headers
        self._set = f"{base}/{definition.type.name}"
        self._decoders: dict[tuple[str, ...], Decoder] = {}

    def prepared(self, write: Write) -> Sending | Rejected:
        """Make the request of a write, and what judges its answer.

        State and other fields go one after the other: together they would run the server's logic
        twice (D59). What an inactive record refuses is tried again once its state is changed.
        """
        fields, state = self._steps(write)
        if state is None:
            return self._step(fields)
        first = self._step(fields)
        if isinstance(first, Rejected):
            return first
        then = state

        async def judged(reply: Reply) -> Outcome:
            outcome = await first.judged(reply)
            if isinstance(outcome, Written):
                return await self._sent(_after(outcome, then))
            if not isinstance(outcome, Rejected) or outcome.code not in _INACTIVE:
                return outcome
            outcome = await self._sent(replace(then, etag=write.etag))
            done = isinstance(outcome, Written)
            return await self._sent(_after(outcome, fields)) if done else outcome

        return Sending(first.request, judged)

    def _steps(self, write: Write) -> tuple[Write, Write | None]:
        """Split an update into that of its fields and that of its state; mostly there is one."""
        states = self._states(write)
        fields = {n: v for n, v in write.values.items() if n not in states}
        if write.kind is not WriteKind.UPDATE or not states or not fields:
            return write, None
        return replace(write, values=fields), replace(write, values=states)

    def _step(self, write: Write) -> Sending | Rejected:
        try:
            decoder, request = self._decoder(write.returning), self._request(write)
        except ValueError as error:
            return Rejected(code="", message=str(error))

        async def judged(reply: Reply) -> Outcome:
            outcome = await self._judged(write, reply, decoder)
            if isinstance(outcome, Rejected) and outcome.code in (_RETIRED, _DRAFT):
                return await self._while_active(write, outcome)
            return outcome

        return Sending(request, judged)

    async def _while_active(self, write: Write, refused: Rejected) -> Outcome:
        """Do to a product what only an active one takes: it is published for it, or anew.

        A draft is retired by way of being active; one that is retired stays so in the end. Cut off
        in between, it is active, and the next run sees that.
        """
        stays = refused.code == _RETIRED
        if write.kind is not WriteKind.UPDATE or (stays and self._states(write)):
            return refused
        outcome = await self._sent(replace(write, values={"statecode": _ACTIVE}))
        if isinstance(outcome, Written):
            outcome = await self._sent(_after(outcome, write))
        if isinstance(outcome, Written) and stays:
            again = replace(_after(outcome, write), values={"statecode": _NOT_ACTIVE})
            outcome = await self._sent(again)
        return outcome

    def _states(self, write: Write) -> dict[str, Value]:
        return {n: v for n, v in write.values.items() if n in self._definition.states}

    async def _sent(self, write: Write) -> Outcome:
        """Take a further step; one that is not taken leaves the write half done."""
        step = self._step(write)
        if isinstance(step, Rejected):
            return step
        outcome = await writing.sent(self._client, step.request, step.judged)
        return Unknown(message=str(outcome.why)) if isinstance(outcome, Unsent) else outcome

    def _request(self, write: Write) -> Request:
        """Make a request under a condition: a bare PATCH creates or overwrites (A8, D5, D6).

        Raises:
            ValueError: the write holds what the entity does not take.

        """
        headers = {**self._headers}
        if write.kind is not WriteKind.CREATE:
            headers["If-Match"] = (self._definition.guarded and write.etag) or "*"
        elif write.key is not None:
            headers["If-None-Match"] = "*"
        address = self._set
        if write.key is not None:
            address += odata.key_of(write.key, Type.GUID)
        about = self._definition.type.name
        if write.kind is WriteKind.DELETE:
            return Request(method="DELETE", url=address, headers=headers, about=about)
        columns = self._columns(write.returning)
        prefer = ",".join(["return=representation", *annotating(columns)])
        return Request(
            method="POST" if write.key is None else "PATCH",
            url=odata.address(address, columns),
            headers={**headers, **odata.JSON, "Prefer": prefer},
            about=about,
            content=odata.encoded(self.body(write)),
        )

    def _reading(self, write: Write, key: str) -> Request:
        columns = self._columns(write.returning)
        one = f"{self._set}{odata.key_of(key, Type.GUID)}"
        prefer = ",".join(annotating(columns))
        return Request(
            method="GET",
            url=odata.address(one, columns),
            headers={**self._headers, "Prefer": prefer} if prefer else self._headers,
            about=self._definition.type.name,
        )

    async def _judged(self, write: Write, reply: Reply, decoder: Decoder) -> Outcome:
        if reply.status // 100 == 2:  # noqa: PLR2004 - it is done
            named = _ENTITY_ID.search(reply.headers.get("odata-entityid", ""))
            return await writing.done(
                self._client,
                write,
                reply,
                decoder,
                named[1].lower() if named else None,
                lambda key: self._reading(write, key),
            )
        fault, code = reply.fault, reply.fault.code.lower()
        if reply.status == HTTPStatus.FORBIDDEN and code in _SHUT_OUT:
            raise self._client.unavailable(
                fault.words,
                hint="enable the connection's user, or make it one of this organisation",
            )
        return _refused(write, Fault(fault.status, code, self._client.words(fault.message)))

    def _columns(self, returning: Sequence[str]) -> list[Column]:
        definition = self._definition
        return chosen(definition.columns, returning, definition.type.name) or [definition.key]

    def _decoder(self, returning: tuple[str, ...]) -> Decoder:
        if returning not in self._decoders:
            self._decoders[returning] = Decoder(self._definition.key, self._columns(returning))
        return self._decoders[returning]

    def body(self, write: Write) -> dict[str, Any]:
        """Return the fields of a write as the Web API wants them.

        Raises:
            ValueError: the write holds what the entity does not take.

        """
        body: dict[str, Any] = {}
        for name, value in write.values.items():
            [column] = chosen(self._definition.columns, [name], self._definition.type.name)
            if column.type is not Type.REFERENCE:
                body[name] = odata.json_value(value)
            elif value is not None:
                body |= _bound(name, self._definition.navigation[name], value)
            elif write.kind is WriteKind.UPDATE:
                # Whatever it pointed to: each of its properties is emptied (A5).
                bound = self._definition.navigation[name].values()
                body |= {f"{target}@odata.bind": None for target in dict.fromkeys(bound)}
        return body


def _after(done: Outcome, write: Write) -> Write:
    """Bind a write to what the one before it left."""
    page = done.page if isinstance(done, Written) else None
    return replace(write, etag=page.etags[0] if page else None)


def _bound(name: str, navigation: Mapping[str, str], value: Value) -> dict[str, Any]:
    """Write a lookup through the navigation property of its target (A5).

    Raises:
        ValueError: it does not lead there.

    """
    if isinstance(value, str) and len(navigation) == 1:
        value = Reference(next(iter(navigation)), value)
    if not isinstance(value, Reference) or value.entity not in navigation:
        given = value.entity if isinstance(value, Reference) else value
        raise ValueError(f"{name} points to {' or '.join(navigation)}, not to {given}")
    key = odata.key_of(value.key, Type.GUID)
    return {f"{navigation[value.entity]}@odata.bind": f"/{value.entity}{key}"}


def _refused(write: Write, fault: Fault) -> Outcome:
    code, message = fault.code, fault.message or fault.words
    match fault.status:
        case _ if code in _DUPLICATES:
            return Rejected(code=code, message=message, duplicate=True)
        case _ if code in (_PLUGIN_SAID_NO, DEADLOCK):
            return Rejected(code=code, message=message)
        case HTTPStatus.PRECONDITION_FAILED if write.kind is WriteKind.CREATE and code != _STALE:
            return Rejected(code=code, message=message, duplicate=True)
        case HTTPStatus.PRECONDITION_FAILED:
            return Drifted(message=message)
        case HTTPStatus.NOT_FOUND:
            return Rejected(code=code, message=message, missing=_is_gone(write, message))
        case HTTPStatus.REQUEST_TIMEOUT:
            return Unknown(message=fault.words)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            known = status == HTTPStatus.NOT_IMPLEMENTED
            return Rejected(code=code, message=message) if known else Unknown(message=fault.words)
        case _:
            return Rejected(code=code, message=message)


def _is_gone(write: Write, message: str) -> bool:
    """Tell a record that is not there from a target of its lookups: both are answered 404 (A5)."""
    if write.kind is WriteKind.CREATE:
        return False
    points = any(isinstance(value, Reference) for value in write.values.values())
    return not points or (write.key or "").lower() in message.lower()
