"""The sandboxes over loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from runner.sandbox.clocks import Dated, skewed
from runner.sandbox.drops import Droppable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.types import ASGIApp

    Ended = Callable[[], None]

_PARTING = 1
"""Seconds that requests in progress get at the end: some clients are left without answer."""


def serve(apps: Mapping[str, ASGIApp], *, port: int, ended: Ended = lambda: None) -> None:
    """Serve each application below its name on 127.0.0.1, until interrupted."""
    server(apps, port=port, ended=ended).run()


def server(
    apps: Mapping[str, ASGIApp], *, port: int, ended: Ended = lambda: None
) -> uvicorn.Server:
    """Return the server, not yet running; ``ended`` is called when it has answered its last."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        ended()

    routes = [Mount(f"/{name}", app=app) for name, app in apps.items()]
    settings = uvicorn.Config(
        Dated(Starlette(routes=routes, lifespan=lifespan), skewed(0)),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        http=Droppable,
        # Each system tells the time by a clock of its own.
        date_header=False,
        timeout_graceful_shutdown=_PARTING,
    )
    return uvicorn.Server(settings)
