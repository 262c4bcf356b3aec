"""Tokens of Microsoft Entra, by MSAL: for an application with its secret, or for a person.

A token is kept in memory alone, asked for anew five minutes before it ends and when a system no
longer takes it (protocols A1, D44).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import msal
from msal.exceptions import MsalError

from runner.connectors.line import addresses
from runner.connectors.line.secret import Secret
from runner.connectors.problems import one_line
from runner.errors import SystemUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PUBLIC = "https://login.microsoftonline.com"
_EARLY = 300.0
"""Seconds before its end in which a token is not used any more."""
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_GARBLED = (
    httpx.HTTPError, MsalError, ValueError, KeyError, AttributeError, TypeError,
)  # fmt: skip
"""What MSAL lets through where the answer is none, or not what it expects."""
_CODE = re.compile(r"AADSTS\d+")
_HINTS = {
    "AADSTS7000215": "the secret is wrong: it is the secret's value, not its id",
    "AADSTS7000222": "the secret has expired: make a new one in Entra",
    "AADSTS7000218": "Entra wants a secret: give the application one, or use `device_code: true`",
    "AADSTS700016": "there is no such application in this tenant: check `client_id:`",
    "AADSTS90002": "there is no such tenant: check `tenant:`",
    "AADSTS900023": "there is no such tenant: check `tenant:`",
    "AADSTS500011": "the tenant does not know this system: check `url:`",
}


class Tokens(Protocol):
    """Where tokens come from. Raises ``SystemUnavailableError`` where none is to be had."""

    async def current(self) -> Secret:
        """Return a token that holds for a while yet."""
        ...

    def refused(self) -> None:
        """Take note that the system did not take the last one: the next is a new one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application of Entra; without ``secret`` it speaks for a person who signs in."""

    tenant: str
    client_id: str
    secret: Secret | None = None
    authority: str = PUBLIC


class Entra:
    """Tokens for one system.

    ``scope`` is what they are for. A person is asked by ``tell`` to sign in, with a code on
    another device.
    """

    def __init__(
        self,
        system: str,
        application: Application,
        scope: str,
        *,
        tell: Callable[[str], None] = lambda _: None,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        # Even where no secret goes there, a token comes back.
        addresses.must_do(system, application.authority, "authority", secret=True)
        self._system, self._scopes, self._tell = system, [scope], tell
        self._authority = f"{application.authority.rstrip('/')}/{application.tenant}"
        self._client_id, self._secret = application.client_id, application.secret
        self._line, self._now = _Line(transport), now
        self._app: Any = None
        self._token: Secret | None = None
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def current(self) -> Secret:
        """Return the token that is known, or ask for one; many who ask at once ask once."""
        async with self._asking:
            now = self._now()
            if self._token is None or now >= self._until:
                found = await asyncio.to_thread(self._ask)
                self._token = Secret(found["access_token"])
                self._until = now + max(float(found.get("expires_in", 0)) - _EARLY, 1.0)
            return self._token

    def refused(self) -> None:
        """Forget the token."""
        self._token = None

    def _ask(self) -> Mapping[str, Any]:
        try:
            result = self._by_secret() if self._secret is not None else self._by_device()
        except _GARBLED as error:
            words = self._hidden(str(error)) or type(error).__name__
            raise SystemUnavailableError(
                self._system,
                f"{self._authority} gives no token: {words}",
                hint="can it be reached from here? A proxy or firewall may be in the way",
            ) from None
        if "access_token" not in result:
            told = result.get("error_description") or result.get("error") or "it says nothing"
            words = self._hidden(str(told))
            code = _CODE.search(words)
            hint = _HINTS.get(code[0] if code else "", "check `auth:` of the system")
            raise SystemUnavailableError(self._system, f"Entra gives no token: {words}", hint=hint)
        return result

    def _by_secret(self) -> Mapping[str, Any]:
        assert self._secret is not None
        if self._app is None:
            self._app = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._secret.reveal(),
                authority=self._authority,
                http_client=self._line,
                instance_discovery=False,
            )
        # MSAL keeps tokens as well; one that was refused must not come back.
        self._app.remove_tokens_for_client()
        found: Mapping[str, Any] = self._app.acquire_token_for_client(scopes=self._scopes)
        return found

    def _by_device(self) -> Mapping[str, Any]:
        if self._app is None:
            self._app = msal.PublicClientApplication(
                self._client_id,
                authority=self._authority,
                http_client=self._line,
                instance_discovery=False,
            )
        found: Mapping[str, Any] | None = None
        for account in self._app.get_accounts():
            found = self._app.acquire_token_silent(
                self._scopes, account=account, force_refresh=True
            )
        if found:
            return found
        flow: dict[str, Any] = self._app.initiate_device_flow(scopes=self._scopes)
        if "message" not in flow:
            return flow
        self._tell(str(flow["message"]))
        asked: Mapping[str, Any] = self._app.acquire_token_by_device_flow(flow)
        return asked

    def _hidden(self, text: str) -> str:
        hidden = text if self._secret is None else text.replace(self._secret.reveal(), "****")
        return one_line(hidden)


class _Line:
    """What MSAL sends by: the client that all the rest is sent by, too."""

    def __init__(self, transport: httpx.BaseTransport | None) -> None:
        self._transport = transport

    def get(self, url: str, **given: Any) -> _Answer:
        return self._sent("GET", url, given)

    def post(self, url: str, **given: Any) -> _Answer:
        return self._sent("POST", url, given)

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _sent(self, method: str, url: str, given: Mapping[str, Any]) -> _Answer:
        with httpx.Client(transport=self._transport, timeout=_TIMEOUT) as client:
            response = client.request(
                method,
                url,
                params=given.get("params"),
                data=given.get("data"),
                headers=given.get("headers"),
            )
            return _Answer(response)


class _Answer:
    """An answer in the form that MSAL expects."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code, self.text = response.status_code, response.text
        self.headers = response.headers
        self._response = response

    def raise_for_status(self) -> None:
        self._response.raise_for_status()
