"""How requests are sent: who we are, how long we wait, what is tried again and what is not.

A read is tried again until its time is up. A write is tried again only where it is certain that
the server did not act; where it may have acted, the answer is ``MaybeDone`` and nobody sends it a
second time (protocols D1, D2).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from runner.connectors.problems import Fault, fault_of, one_line
from runner.errors import SystemUnavailableError

if TYPE_CHECKING:
    from runner.connectors.secret import Secret

Transport = Callable[[], httpx.AsyncBaseTransport]
Sleep = Callable[[float], Awaitable[None]]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_BUSY = frozenset({429, 503})
_LOST = frozenset({408, 500, 502, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are: a bearer token, or a user with a password."""

    token: Secret | None = None
    user: str = ""
    password: Secret | None = None

    def authorization(self) -> httpx.Auth | None:
        """What each request carries."""
        if self.token is not None:
            return _Bearer(self.token)
        if self.password is not None:
            return httpx.BasicAuth(self.user, self.password.reveal())
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited, in seconds: for a connection, for an answer, and with all repeats.

    ``away`` is the time for a server that cannot even be reached, ``total`` for one that is busy.
    """

    connect: float = 10.0
    answer: float = 120.0
    away: float = 20.0
    total: float = 300.0


class NotSentError(Exception):
    """The request never reached the server."""


class MaybeSentError(Exception):
    """The request may have reached the server, and no answer came."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def fault(self) -> Fault:
        """The error that it tells of."""
        return fault_of(self.status, self.headers.get("content-type", ""), self.content)


@dataclass(frozen=True, slots=True)
class MaybeDone:
    """A write of which nobody knows whether the server did it."""

    message: str


class Client:
    """Connections to one system, one for each worker: a shared pool collapses as it grows."""

    def __init__(
        self,
        system: str,
        url: str,
        credentials: Credentials | None,
        *,
        workers: int,
        transport: Transport | None = None,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        host = urlsplit(url)
        if (
            host.scheme == "http"
            and credentials
            and transport is None
            and host.hostname not in _LOOPBACK
        ):
            raise SystemUnavailableError(
                system, "plain http would show the password to the network", hint="use https"
            )
        self.system = system
        self._patience = patience or Patience()
        self._sleep = sleep
        self._idle: asyncio.Queue[httpx.AsyncClient] = asyncio.Queue()
        self._clients = [
            httpx.AsyncClient(
                auth=credentials.authorization() if credentials else None,
                transport=transport() if transport else None,
                timeout=httpx.Timeout(self._patience.answer, connect=self._patience.connect),
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
            for _ in range(workers)
        ]
        for client in self._clients:
            self._idle.put_nowait(client)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()

    async def read(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Get something; a server that is busy or away is asked again until the time is up.

        Raises:
            SystemUnavailableError: it stayed away, or does not let us in.

        """
        pauses, away = _Pauses(self._patience.total), _Pauses(self._patience.away)
        while True:
            try:
                reply = await self._send("GET", url, headers, None)
            except NotSentError as error:
                await self._pause(away, str(error), None)
                continue
            except MaybeSentError as error:
                await self._pause(pauses, str(error), None)
                continue
            if reply.status in _BUSY | _LOST:
                await self._pause(pauses, reply.fault.words, reply)
                continue
            self._let_in(reply)
            return reply

    async def write(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Reply | MaybeDone:
        """Send a write, once, or again where the server surely did not act.

        Raises:
            SystemUnavailableError: it stayed away, or does not let us in.

        """
        pauses, away = _Pauses(self._patience.total), _Pauses(self._patience.away)
        while True:
            try:
                reply = await self._send(method, url, headers, content)
            except NotSentError as error:
                await self._pause(away, str(error), None)
                continue
            except MaybeSentError as error:
                return MaybeDone(str(error))
            told = "retry-after" in reply.headers
            if reply.status == httpx.codes.TOO_MANY_REQUESTS or (reply.status in _BUSY and told):
                await self._pause(pauses, reply.fault.words, reply)
                continue
            if reply.status in _BUSY | _LOST and not reply.fault.code:
                return MaybeDone(reply.fault.words)
            if reply.status == httpx.codes.UNAUTHORIZED:
                self._let_in(reply)
            return reply

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        async with self._worker() as client:
            with translated():
                response = await client.request(
                    method, httpx.URL(url), headers=dict(headers), content=content
                )
                return Reply(response.status_code, response.headers, response.content)

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[httpx.AsyncClient]:
        client = await self._idle.get()
        try:
            yield client
        finally:
            self._idle.put_nowait(client)

    async def _pause(self, pauses: _Pauses, why: str, reply: Reply | None) -> None:
        asked = retry_after(reply.headers) if reply else None
        seconds = pauses.next(asked)
        if seconds is None:
            raise SystemUnavailableError(
                self.system,
                f"it did not answer within {pauses.total:.0f} seconds: {why}",
                hint="try again later; the next run goes on where this one stopped",
            )
        await self._sleep(seconds)

    def _let_in(self, reply: Reply) -> None:
        if reply.status == httpx.codes.UNAUTHORIZED:
            raise SystemUnavailableError(
                self.system,
                "it does not know us (HTTP 401)",
                hint="check `auth:` of the system, and that token or password has not expired",
            )
        if reply.status == httpx.codes.FORBIDDEN:
            raise SystemUnavailableError(
                self.system,
                f"it does not let us in (HTTP 403): {reply.fault.words}",
                hint="give the connection's user the permissions that the mappings need",
            )


class _Bearer(httpx.Auth):
    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        yield request


class _Pauses:
    """How long to wait before each further try: as told, else longer each time, with jitter."""

    def __init__(self, total: float) -> None:
        self.total = total
        self._left, self._next = total, _FIRST_PAUSE

    def next(self, told: float | None) -> float | None:
        """Return the seconds to wait, or ``None`` when there is no time left for it."""
        # Jitter, not secrecy: workers that were refused together must not come back together.
        seconds = told if told is not None else self._next * random.uniform(0.5, 1.5)  # noqa: S311
        self._next = min(self._next * 2, _LONGEST_PAUSE)
        # Even no wait uses up time, or a server that says "at once" would be asked forever.
        self._left -= max(seconds, 0.1)
        return seconds if self._left > 0 else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After``: seconds, or an HTTP date; ``None`` where it is neither."""
    told = headers.get("retry-after", "").strip()
    if told.isdigit():
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.ProxyError,
    httpx.InvalidURL,
)
_MAYBE_SENT = (httpx.HTTPError, httpx.StreamError, httpx.CookieConflict)


@contextmanager
def translated() -> Iterator[None]:
    """Turn every exception of the HTTP library into one of the two that matter here."""
    try:
        yield
    except _NOT_SENT as error:
        raise NotSentError(_words(error)) from error
    except _MAYBE_SENT as error:
        raise MaybeSentError(_words(error)) from error


def _words(error: Exception) -> str:
    text = one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
