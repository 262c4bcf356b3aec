"""NTLM: a real handshake, with a server that is none of ours (pyspnego's)."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import spnego

from runner import sandbox
from runner.connectors.line.http import Credentials
from runner.connectors.line.secret import Secret
from runner.connectors.microsoft.nav import Nav
from runner.errors import SystemUnavailableError
from runner.wire import WireQuery, Write, WriteKind, Written
from tests.connectors.systems import COMPANY

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send


@pytest.fixture(autouse=True)
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The accounts that the server knows."""
    accounts = tmp_path / "accounts"
    accounts.write_text("CONTOSO:sync:s3cr3t-value\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(accounts))


class Windows(httpx.AsyncBaseTransport):
    """One connection to a Windows server before the sandbox: the handshake belongs to it."""

    def __init__(self, app: ASGIApp) -> None:
        self._context: Any = None
        self._inner = httpx.ASGITransport(app=self._asked)
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)

    async def _asked(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"").removeprefix(b"NTLM ")
        challenge = b"NTLM"
        if given:
            if self._context is None or self._context.complete:
                self._context = spnego.server(protocol="ntlm")
            try:
                answer = self._context.step(base64.b64decode(given)) or b""
            except spnego.exceptions.SpnegoError:
                self._context = None
            else:
                if self._context.complete:
                    basic = base64.b64encode(f"{sandbox.USER}:{sandbox.PASSWORD}".encode())
                    headers[b"authorization"] = b"Basic " + basic
                    await self._app({**scope, "headers": list(headers.items())}, receive, send)
                    return
                challenge += b" " + base64.b64encode(answer)
        told = [(b"www-authenticate", b"Negotiate"), (b"www-authenticate", challenge)]
        await send({"type": "http.response.start", "status": 401, "headers": told})
        await send({"type": "http.response.body", "body": b"<html>Unauthorized</html>"})


def nav(folder: Path, password: str) -> Nav:
    app = sandbox.nav(folder / "nav.sqlite", seed=None, company=COMPANY)
    known = Credentials(user="CONTOSO\\sync", password=Secret(password), ntlm=True)
    url = f"https://nav.example{sandbox.NAV_PATH}"
    return Nav("nav", url, COMPANY, known, transport_factory=lambda: Windows(app))


def test_a_windows_account_reads_and_writes(tmp_path: Path) -> None:
    async def walk() -> list[str]:
        connector = nav(tmp_path, "s3cr3t-value")
        new = Write(kind=WriteKind.CREATE, entity="Customer", key=None, values={"Name": "Alpha"})
        (outcome,) = await connector.write([new])
        assert isinstance(outcome, Written)
        query = WireQuery(entity="Customer", fields=("Name",))
        return [str(n) async for page in connector.pages(query) for n in page.columns["Name"]]

    assert asyncio.run(walk()) == ["Alpha"]


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SystemUnavailableError) as caught:
        asyncio.run(nav(tmp_path, "wr0ng-s3cr3t").describe(["Customer"]))
    assert "check `auth:`" in caught.value.hint
    assert "wr0ng" not in f"{caught.value} {caught.value.hint}"


def test_plain_http_is_refused() -> None:
    known = Credentials(user="CONTOSO\\sync", password=Secret("x"), ntlm=True)
    with pytest.raises(SystemUnavailableError, match="plain http"):
        Nav("nav", "http://nav.example", COMPANY, known)
