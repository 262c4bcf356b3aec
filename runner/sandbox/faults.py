"""Servers that misbehave on demand: refused, dropped, cut, late; before and after they acted (E1).

A plan is written ``429:5%,reset-after:1%``: shares of the requests, drawn by chance from a seed, or
``503:2``: so many requests from now on. ``FAULTS`` are all there are.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from runner.sandbox.clocks import http_date, skewed
from runner.sandbox.drops import Way, drop
from runner.sandbox.store import decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from runner.sandbox.clocks import Now

FAULT = "sync_run.fault"
"""Under this name the scope's extensions tell which fault a request met."""
_PART = re.compile(r"(?P<name>[\w-]+):(?:(?P<percent>\d+(?:\.\d+)?)%|(?P<first>\d+))")
_PAGES_KEPT = 100


class PlanError(Exception):
    """A plan of faults that cannot be carried out; ``hint`` says what can."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


@dataclass(slots=True)
class Exchange:
    """One request to an application, and the means to answer it otherwise."""

    faulty: Faulty
    scope: Scope
    receive: Receive
    send: Send

    async def reply(self, response: Response) -> None:
        """Answer in the server's stead."""
        await response(self.scope, self.receive, self.send)

    async def acted(self) -> tuple[Message, bytes]:
        """Let the server act; return what it meant to answer."""
        start: Message = {}
        body = bytearray()

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self.faulty.app(self.scope, self.receive, kept)
        self.faulty.remember(self.scope, bytes(body))
        return start, bytes(body)

    async def tell(self, start: Message, *parts: bytes, whole: bool = True) -> None:
        """Send an answer in parts; one that is not ``whole`` ends in the middle."""
        await self.send(start)
        for part in parts:
            await self.send({"type": "http.response.body", "body": part, "more_body": True})
        if whole:
            await self.send({"type": "http.response.body", "body": b""})


async def _throttled(exchange: Exchange) -> None:
    """429, come back after a second."""
    await exchange.reply(_too_many({"Retry-After": "1"}))


async def _throttled_until(exchange: Exchange) -> None:
    """429, come back at a moment, told as an HTTP date by the server's clock."""
    until = http_date(exchange.faulty.now() + timedelta(seconds=2))
    await exchange.reply(_too_many({"Retry-After": until}))


async def _throttled_bare(exchange: Exchange) -> None:
    """429, without saying for how long."""
    await exchange.reply(_too_many({}))


async def _expired(exchange: Exchange) -> None:
    """401, the token has expired."""
    words = {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="expired"'}
    await exchange.reply(Response(status_code=401, headers=words))


async def _failed(exchange: Exchange) -> None:
    """500 with a page of HTML, before it acted."""
    await exchange.reply(_page(500, "Server error"))


async def _bad_gateway(exchange: Exchange) -> None:
    """502 with a page of HTML, before it acted."""
    await exchange.reply(_page(502, "Bad gateway"))


async def _unavailable(exchange: Exchange) -> None:
    """503 with a page of HTML, before it acted."""
    await exchange.reply(_page(503, "Service unavailable"))


async def _late(exchange: Exchange) -> None:
    """504 with a page of HTML, after it acted."""
    await exchange.acted()
    await exchange.reply(_page(504, "Gateway time-out"))


async def _reset_before(exchange: Exchange) -> None:
    """The connection is reset, before it acted."""
    await drop(exchange.scope, Way.RESET)


async def _reset_after(exchange: Exchange) -> None:
    """The connection is reset, after it acted."""
    await exchange.acted()
    await drop(exchange.scope, Way.RESET)


async def _reset_amid(exchange: Exchange) -> None:
    """The connection is reset in the middle of the answer."""
    start, body = await exchange.acted()
    await exchange.tell(start, body[: len(body) // 2], whole=False)
    await drop(exchange.scope, Way.RESET)


async def _silent_after(exchange: Exchange) -> None:
    """It acts, and never answers."""
    await exchange.acted()
    await drop(exchange.scope, Way.SILENCE)


async def _truncated(exchange: Exchange) -> None:
    """Half of the JSON, in an answer that is whole as HTTP."""
    start, body = await exchange.acted()
    half = body[: len(body) // 2]
    await exchange.tell(_measured(start, half), half)


async def _slow(exchange: Exchange) -> None:
    """The answer comes in drips."""
    start, body = await exchange.acted()
    size = max(1, len(body) // exchange.faulty.drips)
    await exchange.send(start)
    for at in range(0, len(body), size):
        await exchange.faulty.sleep(0.1)
        part = body[at : at + size]
        await exchange.send({"type": "http.response.body", "body": part, "more_body": True})
    await exchange.send({"type": "http.response.body", "body": b""})


async def _page_instead(exchange: Exchange) -> None:
    """200 with a page of HTML, as a proxy asks for its password; it did not act."""
    await exchange.reply(_page(200, "Please sign in"))


async def _repeated(exchange: Exchange) -> None:
    """The last row of a page comes again on the next one; other answers are as they are."""
    before = exchange.faulty.last_rows.get(target(exchange.scope))
    start, body = await exchange.acted()
    document = _page_of(exchange.scope, body)
    if before is not None and document is not None:
        body = encode({**document, "value": [before, *document["value"]]})
    await exchange.tell(_measured(start, body), body)


FAULTS: Mapping[str, Callable[[Exchange], Awaitable[None]]] = {
    "429": _throttled,
    "429-date": _throttled_until,
    "429-bare": _throttled_bare,
    "401": _expired,
    "500": _failed,
    "502": _bad_gateway,
    "503": _unavailable,
    "504-after": _late,
    "reset-before": _reset_before,
    "reset-after": _reset_after,
    "reset-amid": _reset_amid,
    "silent-after": _silent_after,
    "truncated": _truncated,
    "slow": _slow,
    "page-instead": _page_instead,
    "repeated-row": _repeated,
}
"""What can go wrong, by the names that people type."""


@dataclass(frozen=True, slots=True)
class Portion:
    """How many requests meet a fault: a share of all, or the ``first`` so many."""

    fault: str
    share: float = 0.0
    first: int = 0


def planned(text: str) -> tuple[Portion, ...]:
    """Read a plan.

    Raises:
        PlanError: it is none.

    """
    portions = tuple(_portion(part.strip()) for part in text.split(",") if part.strip())
    if sum(portion.share for portion in portions) > 1:
        raise PlanError(f"more than 100% of the requests would fail: {text}", "take less")
    return portions


def _portion(text: str) -> Portion:
    found = _PART.fullmatch(text)
    if found is None or found["name"] not in FAULTS:
        what = "cannot be read" if found is None else "is no fault that can be had"
        known = ", ".join(FAULTS)
        raise PlanError(f"'{text}' {what}", f"write FAULT:5% or FAULT:3, with one of {known}")
    return Portion(found["name"], float(found["percent"] or 0) / 100, int(found["first"] or 0))


@dataclass(slots=True)
class Faulty:
    """An application in front of which things go wrong.

    ``drips`` and ``sleep`` are the pace of a slow answer: so many parts, a tenth of a second each.
    """

    app: ASGIApp
    portions: Sequence[Portion]
    seed: int = 0
    now: Now = field(default_factory=lambda: skewed(0))
    drips: int = 10
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    last_rows: OrderedDict[str, Any] = field(default_factory=OrderedDict, init=False)
    _chance: random.Random = field(init=False)
    _left: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - to be repeated, not to be secret
        self._left = {p.fault: p.first for p in self.portions if p.first}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it meet a fault."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fault = self._next()
        if fault:
            scope.setdefault("extensions", {})[FAULT] = fault
            await FAULTS[fault](Exchange(self, scope, receive, send))
        elif self._repeats:
            exchange = Exchange(self, scope, receive, send)
            start, body = await exchange.acted()
            await exchange.tell(start, body)
        else:
            await self.app(scope, receive, send)

    def remember(self, scope: Scope, body: bytes) -> None:
        """Keep the last row of a page under the address of the page that follows it."""
        document = _page_of(scope, body) if self._repeats else None
        link = document.get("@odata.nextLink") if document else None
        if document and link:
            self.last_rows[_address(link)] = document["value"][-1]
            if len(self.last_rows) > _PAGES_KEPT:
                self.last_rows.popitem(last=False)

    @property
    def _repeats(self) -> bool:
        return any(portion.fault == "repeated-row" for portion in self.portions)

    def _next(self) -> str:
        """Say what the next request meets; nothing for most of them."""
        for fault, left in self._left.items():
            if left:
                self._left[fault] -= 1
                return fault
        drawn = self._chance.random()
        for portion in self.portions:
            drawn -= portion.share
            if drawn < 0:
                return portion.fault
        return ""


def target(scope: Scope) -> str:
    """Return path and query of a request as they were sent."""
    raw = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    whole: bytes = raw.split(b"?")[0] + (b"?" + query if query else b"")
    return whole.decode("ascii", "replace")


def _page_of(scope: Scope, body: bytes) -> dict[str, Any] | None:
    """Read a page that has rows; ``None`` for any other answer."""
    if scope["method"] != "GET" or body[:1] != b"{":
        return None
    document = decode(body)
    rows = document.get("value")
    return document if isinstance(rows, list) and rows else None


def _address(link: str) -> str:
    """Take path and query of a link, letter by letter."""
    return "/" + link.partition("://")[2].partition("/")[2]


def _measured(start: Message, body: bytes) -> Message:
    others = [(name, told) for name, told in start["headers"] if name != b"content-length"]
    return {**start, "headers": [*others, (b"content-length", str(len(body)).encode())]}


def _page(status: int, title: str) -> Response:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return HTMLResponse(page, status_code=status)


def _too_many(headers: Mapping[str, str]) -> Response:
    words = {"error": {"code": "TooManyRequests", "message": "Too many requests."}}
    return Response(
        encode(words),
        status_code=429,
        headers={"OData-Version": "4.0", **headers},
        media_type="application/json",
    )
