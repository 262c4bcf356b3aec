"""A server under contract, wherever it is: in this process, on loopback, or a real one.

``SYNC_RUN_CONTRACT_DATAVERSE`` (an address that ends in ``/api/data/v9.2``) with ``…_TOKEN``,
``SYNC_RUN_CONTRACT_NAV`` (ends in ``/ODataV4``) and ``SYNC_RUN_CONTRACT_BC`` (ends in
``/api/v2.0``) with ``…_COMPANY`` and either ``…_TOKEN`` or ``…_USER`` and ``…_PASSWORD`` point the
same cases at a real server. They create records of their own there, and delete them again.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from runner.sandbox.serve import server as over_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Server:
    """Who is asked, and as whom. ``url`` is what all paths are added to; ``company`` is NAV's."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None
    company: str = ""
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: bytes | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Ask; header names are written with ``_`` for ``-``, an empty one is left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {name: value for name, value in {**self.headers, **named}.items() if value}

        async def ask() -> httpx.Response:
            transport = self.transport() if self.transport else None
            async with httpx.AsyncClient(transport=transport, auth=self.auth) as client:
                url = path if "://" in path else f"{self.url}{path}"
                return await client.request(
                    method, httpx.URL(url), json=body, content=content, headers=told
                )

        return asyncio.run(ask())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the checklist. ``sandbox``: it needs what only the double can be told to do."""

    line: str
    holds: Callable[[Server], None]
    sandbox: bool = False

    @property
    def name(self) -> str:
        """What the test is called."""
        return self.holds.__name__


def in_process(app: ASGIApp, path: str, **known: Any) -> Server:
    """Reach an application without a socket."""
    return Server(
        f"http://sandbox{path}",
        transport=lambda: httpx.ASGITransport(app=app, raise_app_exceptions=False),
        **known,
    )


@contextmanager
def on_loopback(app: ASGIApp, path: str, **known: Any) -> Iterator[Server]:
    """Reach an application over a socket."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    served = over_loopback({"system": app}, port=port)
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    try:
        while not served.started and thread.is_alive():
            thread.join(0.01)
        yield Server(f"http://127.0.0.1:{port}/system{path}", **known)
    finally:
        served.should_exit = True
        thread.join()


def real(name: str) -> Server | None:
    """Reach the server that the environment names; ``None`` where it names none."""
    prefix = f"SYNC_RUN_CONTRACT_{name}"
    if prefix not in os.environ:
        return None
    token, user = os.environ.get(f"{prefix}_TOKEN"), os.environ.get(f"{prefix}_USER")
    return Server(
        os.environ[prefix].rstrip("/"),
        headers={"Authorization": f"Bearer {token}"} if token else {},
        auth=(user, os.environ[f"{prefix}_PASSWORD"]) if user else None,
        company=os.environ.get(f"{prefix}_COMPANY", ""),
    )
