"""Tokens of Entra: kept in memory, renewed before they end and when they are refused."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
import pytest

from runner import sandbox
from runner.connectors.line.http import Credentials
from runner.connectors.line.secret import Secret
from runner.connectors.line.tokens import Application, Entra
from runner.connectors.microsoft.dataverse import Dataverse
from runner.errors import SystemUnavailableError
from runner.wire import WireQuery, Write, WriteKind, Written

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

SECRET = "s3cr3t-value"
AUTHORITY = "https://login.test"


class Authority:
    """Where tokens are given: ``token-1``, ``token-2`` and so on, to who knows the secret."""

    def __init__(self, **more: Any) -> None:
        self.asked: Counter[str] = Counter()
        self.more = more
        self.signed_in = False

    @property
    def latest(self) -> str:
        return f"token-{self.asked['token']}"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = {name: value[0] for name, value in parse_qs(request.content.decode()).items()}
        path = request.url.path
        if path.endswith("openid-configuration"):
            base = f"{AUTHORITY}/contoso"
            return httpx.Response(
                200,
                json={
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                    "issuer": f"{base}/v2.0",
                },
            )
        if path.endswith("devicecode"):
            flow = {"device_code": "d", "user_code": "ABCD", "verification_uri": "https://sign.in"}
            words = "Enter ABCD at https://sign.in"
            return httpx.Response(
                200, json={**flow, "expires_in": 60, "interval": 0, "message": words}
            )
        if form["grant_type"] == "client_credentials" and form["client_secret"] != SECRET:
            told = (
                f"AADSTS7000215: Invalid client secret {form['client_secret']} provided.\r\nTrace"
            )
            return httpx.Response(401, json={"error": "invalid_client", "error_description": told})
        assert form.get("scope", "https://crm.test/.default").startswith("https://crm.test/")
        self.asked["token"] += 1
        token: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": 3599,
            "access_token": self.latest,
        }
        return httpx.Response(200, json={**token, **self.more})


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def tokens(authority: Any, *, secret: str | None = SECRET, **more: Any) -> Entra:
    application = Application(
        tenant="contoso",
        client_id="app",
        secret=None if secret is None else Secret(secret),
        authority=AUTHORITY,
    )
    return Entra(
        "crm",
        application,
        "https://crm.test/.default",
        transport=httpx.MockTransport(authority),
        **more,
    )


def crm(folder: Path, authority: Authority, known: Entra, *, takes: Any = None) -> Dataverse:
    """A system that takes the latest token alone, or what ``takes`` says."""
    app = sandbox.dataverse(folder / "crm.sqlite")

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        good = given == authority.latest if takes is None else takes(given)
        headers[b"authorization"] = f"Bearer {sandbox.TOKEN if good else 'no'}".encode()
        await app({**scope, "headers": list(headers.items())}, receive, send)

    return Dataverse(
        "crm",
        f"http://sandbox{sandbox.DATAVERSE_PATH}",
        Credentials(tokens=known),
        transport_factory=lambda: httpx.ASGITransport(app=guarded),
    )


async def names(connector: Dataverse) -> list[str]:
    query = WireQuery(entity="accounts", fields=("name",))
    return [str(n) async for page in connector.pages(query) for n in page.columns["name"]]


def account(name: str) -> Write:
    key = "11111111-1111-4111-8111-111111111111"
    return Write(kind=WriteKind.CREATE, entity="accounts", key=key, values={"name": name})


def test_one_token_serves_all_until_shortly_before_its_end() -> None:
    authority, clock = Authority(), Clock()
    known = tokens(authority, now=clock)

    async def asked() -> list[Secret]:
        return list(await asyncio.gather(*(known.current() for _ in range(5))))

    assert {token.reveal() for token in asyncio.run(asked())} == {"token-1"}
    clock.seconds = 3298
    assert asyncio.run(known.current()).reveal() == "token-1"
    clock.seconds = 3300
    assert asyncio.run(known.current()).reveal() == "token-2"


@pytest.mark.parametrize("revoked", [0, 1, 3])
def test_a_token_that_is_refused_in_the_middle_is_renewed(tmp_path: Path, revoked: int) -> None:
    authority, requests = Authority(), Counter[str]()

    def takes(token: str) -> bool:
        requests["all"] += 1
        return token == authority.latest and (token != "token-1" or requests["all"] <= revoked)

    async def walk() -> list[str]:
        connector = crm(tmp_path, authority, tokens(authority), takes=takes)
        (outcome,) = await connector.write([account("Alpha")])
        assert isinstance(outcome, Written)
        return await names(connector)

    assert asyncio.run(walk()) == ["Alpha"]
    assert authority.latest == "token-2"


def test_a_system_that_takes_no_token_at_all_says_so(tmp_path: Path) -> None:
    authority = Authority()
    connector = crm(tmp_path, authority, tokens(authority), takes=lambda _: False)
    with pytest.raises(SystemUnavailableError) as caught:
        asyncio.run(names(connector))
    assert "token-" not in str(caught.value) + caught.value.hint
    assert authority.asked["token"] == 2


@pytest.mark.parametrize(
    ("authority", "words", "hint"),
    [
        (Authority(), "Entra gives no token: AADSTS7000215: Invalid client secret ****", "value"),
        (
            lambda _: httpx.Response(500, text="<html>busy</html>"),
            "https://login.test/contoso gives no token",
            "can it be reached",
        ),
        (lambda _: httpx.Response(200, text="[]"), "https://login.test/contoso gives no token", ""),
    ],
)
def test_what_entra_says_is_told_without_the_secret(authority: Any, words: str, hint: str) -> None:
    with pytest.raises(SystemUnavailableError) as caught:
        asyncio.run(tokens(authority, secret="wr0ng-s3cr3t").current())
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert "wr0ng" not in repr(caught.value) + caught.value.hint


def test_an_authority_that_is_away_is_told() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    with pytest.raises(SystemUnavailableError, match="gives no token: no route"):
        asyncio.run(tokens(away).current())


def test_a_person_signs_in_by_a_code() -> None:
    authority = Authority()
    told: list[str] = []
    known = tokens(authority, secret=None, tell=told.append)
    assert asyncio.run(known.current()).reveal() == "token-1"
    assert told == ["Enter ABCD at https://sign.in"]


def test_a_token_is_never_shown() -> None:
    known = tokens(Authority())
    token = asyncio.run(known.current())
    assert "token-1" not in f"{token} {token!r} {Credentials(tokens=known)!r}"
    with pytest.raises(TypeError):
        json.dumps(token)
