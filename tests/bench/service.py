"""An OData service for measurements: so many rows, each write answered after a while."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

CSDL = (
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    '<edmx:DataServices><Schema Namespace="B" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    '<EntityType Name="Row"><Key><PropertyRef Name="id"/></Key>'
    '<Property Name="id" Type="Edm.String" Nullable="false"/>'
    '<Property Name="t0" Type="Edm.String"/></EntityType>'
    '<EntityContainer Name="C"><EntitySet Name="rows" EntityType="B.Row"/></EntityContainer>'
    "</Schema></edmx:DataServices></edmx:Edmx>"
)


def row(key: str, value: str, version: int) -> dict[str, str]:
    return {"@odata.etag": f'W/"{version}"', "id": key, "t0": value}


def service(size: int, seconds: float, most: int) -> ASGIApp:
    """Serve rows; a write takes so many seconds, and more than ``most`` at a time get a 429."""
    busy = 0

    async def answered(scope: Scope, receive: Receive) -> tuple[int, bytes]:
        nonlocal busy
        if scope["path"].endswith("/$metadata"):
            return 200, CSDL.encode()
        if scope["method"] == "GET":
            found = [row(f"K{n:09}", "old", 1) for n in range(size)]
            return 200, json.dumps({"value": found}).encode()
        content, more = b"", True
        while more:
            message = await receive()
            content, more = content + message.get("body", b""), message.get("more_body", False)
        if busy >= most:
            return 429, b"{}"
        busy += 1
        await asyncio.sleep(seconds)
        busy -= 1
        key = unquote(scope["path"]).partition("('")[2].rstrip("')")
        return 200, json.dumps(row(key, json.loads(content)["t0"], 2)).encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, content = await answered(scope, receive)
        kind = b"application/xml" if content.startswith(b"<") else b"application/json"
        headers = [(b"content-type", kind), (b"odata-version", b"4.0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


def _serve(size: int, seconds: float, most: int, port: int) -> None:
    app = service(size, seconds, most)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")


@contextmanager
def served(size: int, seconds: float, most: int = 1_000) -> Iterator[str]:
    """Serve it in a process of its own, and tell where."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(size, seconds, most, port), daemon=True)
    server.start()
    try:
        while True:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.join()
