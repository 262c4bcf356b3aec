"""What really goes over the wire, seen by a server on loopback that notes every byte."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from runner.connectors.line import http
from runner.connectors.line.failures import MaybeSentError
from runner.connectors.line.http import Client, Credentials, Request
from runner.connectors.line.patience import Patience
from runner.connectors.line.secret import Secret
from runner.errors import SystemUnavailableError
from tests.connectors.systems import CRM, Time, crm, run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from runner.wire import Page

TRICKY = [
    "/api/accounts?$select=name&$filter=name%20eq%20'O%27%27B'",
    "/a?$skiptoken=%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22%253cid%2520last%253d%2527%22%20/%3E",
    "/a?$skiptoken=%253Ccookie%2520x%3d%2527%7e%2E",
    "/a?t=(;,@:!*'~`^{|}\"<>\\[])",
    "/Customer('A%2FB')?x=%2f%2F+%20",
    "/a/../b/./c?x",
    "/Customer('..')",
    "/a?q=100%",
    "/a?#no-fragment",
]


@dataclass(slots=True)
class Server:
    """Answers each request with ``answer``, notes what came, and may hang up after the first."""

    answer: Callable[[bytes], bytes]
    hang_up: bool = False
    lines: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head.decode("latin-1"))
                self.lines.append(head.split(b"\r\n")[0].decode("latin-1"))
                writer.write(self.answer(head))
                await writer.drain()
                if self.hang_up:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def served(
    answer: Callable[[bytes], bytes], *, hang_up: bool = False
) -> AsyncIterator[Server]:
    made = Server(answer, hang_up)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listening.close()
        await listening.wait_closed()


def ok(body: bytes, *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (*headers, f"Content-Length: {len(body)}"))
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body


def client(server: Server, **options: object) -> Client:
    known = Credentials(token=Secret("t0ken"))
    patience = Patience(connect=5, send=5, answer=5, total=50)
    settings = {"workers": 1, "patience": patience, "clock": Time().clock, **options}
    return Client("crm", server.url, known, **settings)  # type: ignore[arg-type]


def get(url: str, method: str = "GET") -> Request:
    return Request(method=method, url=url, headers={}, about="x")


@pytest.mark.parametrize("target", TRICKY)
def test_a_url_goes_over_the_wire_letter_by_letter(target: str) -> None:
    async def scenario() -> None:
        async with served(lambda _: ok(b"{}")) as server:
            made = client(server)
            await made.read(get(server.url + target), lambda body: body)
            assert server.lines == [f"GET {target} HTTP/1.1"]
            await made.close()

    run(scenario())


def test_what_cannot_stand_in_a_url_is_encoded() -> None:
    async def scenario() -> None:
        async with served(lambda _: ok(b"{}")) as server:
            made = client(server)
            await made.read(get(f"{server.url}/a?x=ö b"), lambda body: body)
            assert server.lines == ["GET /a?x=%C3%B6%20b HTTP/1.1"]
            await made.close()

    run(scenario())


def test_a_connection_is_kept_and_a_body_unpacked() -> None:
    async def scenario() -> None:
        packed = ok(gzip.compress(b'{"a":1}'), "Content-Encoding: gzip")
        async with served(lambda _: packed) as server:
            made = client(server)
            for _ in range(3):
                assert await made.read(get(f"{server.url}/a"), bytes) == b'{"a":1}'
            assert server.connections == 1
            assert "authorization: Bearer t0ken\r\n" in server.heads[0].replace("Auth", "auth")
            await made.close()

    run(scenario())


def test_an_answer_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST", 1 << 20)

    async def scenario() -> None:
        bomb = ok(gzip.compress(b"0" * (50 << 20)), "Content-Encoding: gzip")
        async with served(lambda _: bomb) as server:
            made = client(server)
            with pytest.raises(SystemUnavailableError, match="larger than 1 MB") as caught:
                await made.read(get(f"{server.url}/a"), bytes)
            assert "page_size" in caught.value.hint
            with pytest.raises(MaybeSentError, match="larger than 1 MB"):
                await made.write(get(f"{server.url}/a", "POST"))
            await made.close()

    run(scenario())


def test_each_worker_has_a_connection_of_its_own() -> None:
    async def scenario() -> None:
        async with served(lambda _: ok(b"{}")) as server:
            made = client(server, workers=3)
            url = f"{server.url}/a"
            await asyncio.gather(*(made.read(get(url), bytes) for _ in range(30)))
            assert len(server.lines) == 30
            assert 1 <= server.connections <= 3
            await made.close()

    run(scenario())


def test_a_redirect_gets_no_token() -> None:
    async def scenario() -> None:
        async with served(lambda _: ok(b"{}")) as thief:
            there = f"HTTP/1.1 302 Found\r\nLocation: {thief.url}/x\r\nContent-Length: 0\r\n\r\n"
            async with served(lambda _: there.encode()) as server:
                made = client(server)
                with pytest.raises(SystemUnavailableError, match=r"sends us to 127\.0\.0\.1"):
                    await made.read(get(f"{server.url}/a"), bytes)
                await made.close()
            assert thief.lines == []

    run(scenario())


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"", id="hung up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", id="cut"),
        pytest.param(b"garbage\r\n\r\n", id="no HTTP"),
        pytest.param(ok(b"no gzip", "Content-Encoding: gzip"), id="not packed as told"),
    ],
)
def test_broken_answers_leave_a_write_in_doubt(reply: bytes) -> None:
    async def scenario() -> None:
        async with served(lambda _: reply, hang_up=True) as server:
            made = client(server)
            with pytest.raises(MaybeSentError):
                await made.write(get(f"{server.url}/a", "POST"))
            assert len(server.lines) == 1
            await made.close()

    run(scenario())


def test_nobody_listens() -> None:
    async def scenario() -> None:
        async with served(lambda _: b"") as server:
            made = client(server)
        with pytest.raises(SystemUnavailableError, match="did not answer within 20 seconds"):
            await made.write(get(f"{server.url}/a", "POST"))
        await made.close()

    run(scenario())


def test_the_next_page_is_on_its_way_while_one_is_dealt_with(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        pages = cast("AsyncGenerator[Page, None]", connector.pages(CRM.query()))
        await anext(pages)
        before = len(line.passed)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(line.passed) == before + 1
        await pages.aclose()
        await connector.close()

    run(scenario())
