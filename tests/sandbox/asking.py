"""Bare HTTP to a sandbox: what a client that knows nothing of the runner sees."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Asking:
    """A server under test: its application, the path it lives under, and who asks."""

    app: ASGIApp
    base: str
    headers: dict[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Ask; header names are written with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, auth=self.auth) as client:
                url = path if "://" in path else f"http://sandbox{self.base}{path}"
                return await client.request(
                    method, httpx.URL(url), json=body, headers={**self.headers, **named}
                )

        return asyncio.run(ask())
