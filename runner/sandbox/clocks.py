"""The clock of a server, which need not be the client's (protocols E1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Now = Callable[[], datetime]


def skewed(seconds: float) -> Now:
    """Return a clock that goes so many seconds before ours."""
    ahead = timedelta(seconds=seconds)
    return lambda: datetime.now(UTC) + ahead


def http_date(moment: datetime) -> str:
    """Write a moment as headers do: whole seconds, GMT."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


@dataclass(frozen=True, slots=True)
class Dated:
    """An application whose every answer tells the time; what tells it already is left alone."""

    app: ASGIApp
    now: Now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Date", http_date(self.now()))
            await send(message)

        await self.app(scope, receive, dated)
