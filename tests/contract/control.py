"""A double with a handle: its manners and its clock can be set by HTTP, wherever it runs.

``PUT …/control`` takes ``{"later": seconds, "manners": {…}}``. Told its manners, the double begins
anew: whatever it remembers beside its records is forgotten.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.contract.server import Server


@dataclass(slots=True)
class Controlled:
    """Passes requests on to the double that ``made`` makes, anew whenever it is told to behave."""

    made: Callable[[dict[str, Any], Callable[[], datetime]], ASGIApp]
    app: ASGIApp | None = None
    later: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].endswith("/control"):
            told = msgspec.json.decode(await Request(scope, receive).body())
            if "manners" in told:
                self.app = self.made(told["manners"], self.now)
            self.later = timedelta(seconds=told.get("later", 0))
            await Response(status_code=204)(scope, receive, send)
            return
        self.app = self.app or self.made({}, self.now)
        await self.app(scope, receive, send)


@contextmanager
def behaving(server: Server, *, later: float = 0, **manners: Any) -> Iterator[None]:
    """Let the double behave like this for a while; its clock is ``later`` by so many seconds."""
    tell(server, later=later, **manners)
    try:
        yield
    finally:
        tell(server)


def wait(server: Server, seconds: float) -> None:
    """Let time pass for the double, which goes on as it is."""
    assert server("PUT", "/control", {"later": seconds}).status_code == 204


def tell(server: Server, *, later: float = 0, **manners: Any) -> None:
    """Tell the double how to behave from now on."""
    told = server("PUT", "/control", {"later": later, "manners": manners})
    assert told.status_code == 204, told.text
