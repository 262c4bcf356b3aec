"""What was asked of the sandboxes, one line of JSON a request, and how they were used (E1)."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from runner.sandbox.faults import FAULT, target
from runner.sandbox.store import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TOLD = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "callerobjectid",
        "connection",
        "consistency",
        "content-length",
        "content-type",
        "date",
        "host",
        "if-match",
        "if-none-match",
        "mscrm.bypasscustompluginexecution",
        "mscrm.solutionuniquename",
        "mscrm.suppressduplicatedetection",
        "mscrmcallerid",
        "odata-maxversion",
        "odata-version",
        "prefer",
        "transfer-encoding",
        "user-agent",
    }
)
"""Headers that hold no secret; of all others only the names are told."""


@dataclass(slots=True)
class Journal:
    """Notes requests to a file as they end; ``end`` adds the gauges."""

    file: IO[bytes]
    _busy: int = 0
    _most: int = 0
    _requests: int = 0
    _met: Counter[str] = field(default_factory=Counter)

    def begun(self) -> None:
        """Count a request that came in."""
        self._requests += 1
        self._busy += 1
        self._most = max(self._most, self._busy)

    def ended(self, line: Mapping[str, Any]) -> None:
        """Write one request down."""
        self._busy -= 1
        self._met.update([line["fault"]] if line["fault"] else [])
        self._write(line)

    def end(self) -> None:
        """Write the gauges."""
        told = {"requests": self._requests, "most_at_once": self._most, "faults": dict(self._met)}
        self._write({"gauges": told})

    def _write(self, line: Mapping[str, Any]) -> None:
        self.file.write(encode(line) + b"\n")
        self.file.flush()


@dataclass(frozen=True, slots=True)
class Journaled:
    """An application whose requests are noted, under the name of its system.

    ``status`` is ``None`` where no answer was begun.
    """

    app: ASGIApp
    system: str
    journal: Journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and note it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status: int | None = None
        started = time.monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        self.journal.begun()
        try:
            await self.app(scope, receive, noted)
        finally:
            self.journal.ended(
                {
                    "system": self.system,
                    "method": scope["method"],
                    "target": target(scope),
                    "headers": _headers(scope),
                    "status": status,
                    "fault": scope.get("extensions", {}).get(FAULT, ""),
                    "seconds": round(time.monotonic() - started, 3),
                }
            )


def _headers(scope: Scope) -> dict[str, str]:
    named = [(name.decode("latin-1").lower(), told) for name, told in scope["headers"]]
    return {n: told.decode("latin-1") if n in _TOLD else "****" for n, told in named}
