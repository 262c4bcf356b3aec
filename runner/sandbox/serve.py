"""The sandboxes over loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp


def serve(apps: Mapping[str, ASGIApp], *, port: int) -> None:
    """Serve each application below its name on 127.0.0.1, until interrupted."""
    server(apps, port=port).run()


def server(apps: Mapping[str, ASGIApp], *, port: int) -> uvicorn.Server:
    """Return the server, not yet running."""
    routes = [Mount(f"/{name}", app=app) for name, app in apps.items()]
    settings = uvicorn.Config(
        Starlette(routes=routes), host="127.0.0.1", port=port, log_level="warning"
    )
    return uvicorn.Server(settings)
