"""Requests and answers, as far as both servers do them alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from runner.sandbox.store import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send


class Refusal(Exception):
    """A request is refused, with the server's own code and words."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with its path and query exactly as they were sent."""

    method: str
    path: str
    query: Mapping[str, str]
    raw_query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    root: str

    @property
    def origin(self) -> str:
        """Scheme and host that were asked."""
        scheme, host, *_ = urlsplit(self.root)
        return f"{scheme}://{host}"

    @property
    def prefer(self) -> Mapping[str, str]:
        """The preferences of the client, by name; of those without value the name itself."""
        found = {}
        for part in split(self.headers.get("prefer", "")):
            name, _, value = part.partition("=")
            found[name.strip().lower()] = value.strip().strip('"') or name.strip()
        return found

    def json(self, code: str) -> dict[str, Any]:
        """Read the body. Raises ``Refusal`` where it is no JSON object."""
        kind = self.headers.get("content-type", "").split(";")[0].strip()
        if kind != "application/json":
            raise Refusal(415, code, f"The content type '{kind}' is not supported.")
        try:
            document = decode(self.body)
        except ValueError as error:
            raise Refusal(400, code, f"The body is not valid JSON: {error}") from error
        if not isinstance(document, dict):
            raise Refusal(400, code, "The body is not a JSON object.")
        return document


async def respond(
    scope: Scope, receive: Receive, send: Send, below: str, answered: Callable[[Call], Response]
) -> None:
    """Answer one request of a service that lives under the path ``below``."""
    if scope["type"] != "http":
        return
    call = await call_of(Request(scope, receive), below)
    try:
        response = answered(call)
    except Refusal as refusal:
        response = refused(refusal)
    await response(scope, receive, send)


async def call_of(request: Request, below: str) -> Call:
    """Read a request; ``below`` is the path that the service lives under."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    root = request.scope.get("root_path", "")
    path = raw.split(b"?")[0].decode("ascii", "replace").removeprefix(root)
    query = request.scope.get("query_string", b"").decode("ascii", "replace")
    host = request.headers.get("host", "sandbox")
    return call_to(
        request.method,
        f"{path.removeprefix(below)}?{query}",
        headers=request.headers,
        body=await request.body(),
        root=f"{request.scope['scheme']}://{host}{root}{below}",
    )


def call_to(
    method: str, target: str, *, headers: Mapping[str, str], body: bytes, root: str
) -> Call:
    """Make a call; ``target`` is a path below ``root`` with its query, both as they were sent."""
    path, _, query = target.partition("?")
    raw_query = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            raw_query[unquote_plus(name)] = value
    return Call(
        method=method,
        path=path,
        query={name: unquote_plus(value) for name, value in raw_query.items()},
        raw_query=raw_query,
        headers=headers,
        body=body,
        root=root,
    )


def answer(status: int, document: Any = None, **headers: str) -> Response:
    """Make an answer; header names are written with ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["OData-Version"] = "4.0"
    if document is None:
        return Response(status_code=status, headers=named)
    return Response(
        encode(document),
        status_code=status,
        headers={"Content-Type": "application/json; odata.metadata=minimal", **named},
    )


def refused(refusal: Refusal) -> Response:
    """Make the answer that says no."""
    if not refusal.message and not refusal.code:
        return answer(refusal.status, None, **refusal.headers)
    document = {"error": {"code": refusal.code, "message": refusal.message}}
    return answer(refusal.status, document, **refusal.headers)


def options(call: Call, known: frozenset[str], code: str) -> None:
    """Refuse query options that the server does not know; other parameters are let through."""
    for name in call.query:
        if name.startswith("$") and name not in known:
            raise Refusal(400, code, f"The query parameter {name} is not supported.")


def number(call: Call, name: str, code: str) -> int | None:
    """Read a query option that is a whole number."""
    if name not in call.query:
        return None
    if not call.query[name].isdigit():
        raise Refusal(400, code, f"Invalid value '{call.query[name]}' for {name}.")
    return int(call.query[name])


def key_values(text: str) -> dict[str, str]:
    """Read a key predicate, still percent-encoded: ``'a''b'``, ``No='a'``, a bare value."""
    found: dict[str, str] = {}
    for part in split(unquote(text)):
        name, equals, value = part.partition("=")
        if not equals or "'" in name:
            name, value = "", part
        value = value.strip()
        if value.startswith("'") and value.endswith("'") and len(value) > 1:
            value = value[1:-1].replace("''", "'")
        found[name.strip()] = value
    return found


def split(text: str, at: str = ",") -> list[str]:
    """Split at commas, or other marks, that stand outside of quotes and parentheses."""
    parts, quote, part, depth = [], "", "", 0
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter == "(") - (letter == ")")
        if letter == at and not quote and not depth:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [p for p in (*parts, part) if p.strip()]
