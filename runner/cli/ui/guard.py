"""Who is let in: who was given the address, from pages of our own, by the name we listen under."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not "no-referrer": with that, browsers keep the origin of our own forms to themselves.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SAFE = frozenset({"GET", "HEAD"})


class Guard:
    """Stands before the application.

    A request must be for the very host we listen on (a name that was made to lead here, DNS
    rebinding, is turned away) and begin with the token, which is then taken off its path. What
    changes something must come from a page of ours (``Origin``); its form is asked for a token of
    its own by whoever reads it.
    """

    def __init__(self, app: ASGIApp, *, host: str, token: str) -> None:
        """``host`` is name and port, as browsers send them."""
        self._app, self._host, self._token = app, host, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, _guarded(send))
            return
        inner = {**scope, "root_path": f"/{self._token}"}
        await self._app(inner, receive, _guarded(send))

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        if scope["type"] != "http":
            return PlainTextResponse("only pages are here", 400)
        headers = Headers(scope=scope)
        if headers.get("host") != self._host:
            return PlainTextResponse("this is not the host that was asked for", 421)
        told = str(scope["path"]).split("/")[1]
        if not secrets.compare_digest(told.encode(), self._token.encode()):
            return PlainTextResponse("the address that sync-run ui printed leads here", 404)
        own = f"http://{self._host}"
        if scope["method"] not in _SAFE and headers.get("origin") != own:
            return PlainTextResponse("this was not asked for by a page of ours", 403)
        return None


def _guarded(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return guarded
