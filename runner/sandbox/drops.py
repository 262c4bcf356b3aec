"""Connections that break: really over loopback, as the errors of the HTTP library in process (E1).

An application drops its client by ``await drop(scope, way)`` and returns; what stands below it,
``Droppable`` of uvicorn or ``InProcess`` of httpx, put the means to do so into the scope.
"""

from __future__ import annotations

import socket
import struct
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import httpx
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Drop = Callable[["Way"], Awaitable[None]]

_NAME = "sync_run.drop"
_AT_ONCE = struct.pack("ii", 1, 0)
"""A socket that lingers for no time: it is reset, not closed in good order."""


class Way(Enum):
    """How a client is left: with a reset connection, or waiting until it gives up."""

    RESET = auto()
    SILENCE = auto()


async def drop(scope: Scope, way: Way) -> None:
    """Leave the client without (the rest of) its answer; returns when it is gone."""
    found: Drop | None = scope.get("extensions", {}).get(_NAME)
    if found is None:
        raise ConnectionResetError("nothing here can drop the connection in good order")
    await found(way)


class Droppable(H11Protocol):
    """HTTP over a socket, as uvicorn speaks it, whose applications may drop the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        served: ASGIApp = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            async def dropped(way: Way) -> None:
                if way is Way.RESET:
                    self._reset()
                while (await receive())["type"] != "http.disconnect":
                    pass

            await served(_with(scope, dropped), receive, send)

        self.app = app

    def _reset(self) -> None:
        line = self.transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()


class InProcess(httpx.AsyncBaseTransport):
    """An application in this process, whose faults look like those of a line to it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or raise what a client over a socket would see."""
        way: Way | None = None

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            started = False

            async def dropped(how: Way) -> None:
                nonlocal way
                way = how

            async def watched(message: Message) -> None:
                nonlocal started
                started = started or message["type"] == "http.response.start"
                await send(message)

            await self._app(_with(scope, dropped), receive, watched)
            if way is not None:
                # The transport below insists on an answer; nobody gets to see this one.
                if not started:
                    await send({"type": "http.response.start", "status": 500, "headers": []})
                await send({"type": "http.response.body"})

        below = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        response = await below.handle_async_request(request)
        if way is Way.RESET:
            raise httpx.ReadError("connection reset by peer", request=request)
        if way is Way.SILENCE:
            raise httpx.ReadTimeout("no answer", request=request)
        return response


def _with(scope: Scope, dropped: Drop) -> Scope:
    if scope["type"] != "http":
        return scope
    return {**scope, "extensions": {**scope.get("extensions", {}), _NAME: dropped}}
