"""What connectors would meet otherwise, rule by rule of the doubles (protocols E5: mutation check).

A ``Rule`` names a manner, what switches it off, and a witness: it holds with the rule, and fails
without it. A ``Position`` names one that is not confirmed, or a matter of the tenant (protocols F),
and a witness that holds in all of them: the connector lives with each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import msgspec

from runner.wire import Drifted, Rejected, Value, Write, WriteKind, Written
from tests.connectors.systems import Wrap, one

if TYPE_CHECKING:
    from runner.connectors.protocol import Connector
    from tests.connectors.systems import Line, Time

Opened = Callable[..., "tuple[Connector, Line, Time]"]
Witness = Callable[[Opened], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A manner that some test must miss: ``off`` is its value when it is switched off."""

    manner: str
    witness: Witness
    off: Any
    beside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Position:
    """A manner of which nobody knows, or everybody has another: all of ``values`` must do."""

    manner: str
    values: tuple[Any, ...]
    witness: Witness
    beside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unused:
    """A manner of what our connector never does, which is checked: no request holds ``mark``."""

    manner: str
    mark: str


Check = Rule | Position | Unused


@dataclass(frozen=True, slots=True)
class Meddling(httpx.AsyncBaseTransport):
    """A line on which requests become others: what our connector would have sent, were it not."""

    inner: httpx.AsyncBaseTransport
    change: Callable[[httpx.Request], httpx.Request]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.inner.handle_async_request(self.change(request))


def meddled(change: Callable[[httpx.Request], httpx.Request]) -> Wrap:
    return lambda inner: Meddling(inner, change)


def without(name: str, method: str) -> Wrap:
    """Lose a header of such requests."""

    def change(request: httpx.Request) -> httpx.Request:
        if request.method == method:
            request.headers.pop(name, None)
        return request

    return meddled(change)


def saying(**values: Any) -> Wrap:
    """Say more in every body."""

    def change(request: httpx.Request) -> httpx.Request:
        if request.method not in ("POST", "PATCH"):
            return request
        body = msgspec.json.decode(request.content)
        headers = {k: v for k, v in request.headers.items() if k != "content-length"}
        return httpx.Request(request.method, request.url, headers=headers, json=body | values)

    return meddled(change)


def targeted(old: str, new: str) -> Wrap:
    """Ask for something else: the raw target of a request holds ``new`` where it held ``old``."""

    def change(request: httpx.Request) -> httpx.Request:
        raw = request.url.raw_path.decode("ascii")
        request.url = request.url.copy_with(raw_path=raw.replace(old, new).encode("ascii"))
        return request

    return meddled(change)


def filtered(text: str) -> Wrap:
    """Ask with a filter of our own choice, where the connector asks for one key."""

    def change(request: httpx.Request) -> httpx.Request:
        raw = request.url.raw_path
        if b"$filter=" in raw and b"EntityDefinitions" not in raw:
            before, _, after = raw.decode("ascii").partition("$filter=")
            rest = after.partition("&")[2]
            asked = quote(text)
            target = f"{before}$filter={asked}{'&' + rest if rest else ''}"
            request.url = request.url.copy_with(raw_path=target.encode("ascii"))
        return request

    return meddled(change)


async def accepted(opened: Opened, write: Write, wrap: Wrap | None = None) -> Written:
    outcome = await tried(opened, write, wrap)
    assert isinstance(outcome, Written), outcome
    return outcome


async def refused(
    opened: Opened, write: Write, code: str = "", wrap: Wrap | None = None
) -> Rejected:
    outcome = await tried(opened, write, wrap)
    assert isinstance(outcome, Rejected), outcome
    assert code in (outcome.code or ""), outcome
    return outcome


async def drifted(opened: Opened, write: Write) -> None:
    outcome = await tried(opened, write)
    assert isinstance(outcome, Drifted), outcome


async def tried(opened: Opened, write: Write, wrap: Wrap | None = None) -> Any:
    connector, _, _ = opened(wrap=wrap) if wrap else opened()
    try:
        await connector.describe([write.entity])
        return await one(connector, write)
    finally:
        await connector.close()


def create(entity: str, key: str | None = None, /, *returning: str, **values: Value) -> Write:
    return Write(
        kind=WriteKind.CREATE,
        entity=entity,
        key=key,
        values=values,
        returning=(*returning, *values),
    )


def update(entity: str, key: str, /, etag: str | None = None, **values: Value) -> Write:
    return Write(
        kind=WriteKind.UPDATE,
        entity=entity,
        key=key,
        etag=etag,
        values=values,
        returning=tuple(values),
    )


def told(outcome: Written, name: str) -> Any:
    assert outcome.page is not None
    return outcome.page.columns[name][0]
