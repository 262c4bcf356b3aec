"""How requests are sent: who we are, how long we wait, what is tried again and what is not.

A read is tried again until its time is up. A write is tried again only where it is certain that
the server did not act; where it may have acted, ``MaybeSentError`` says so and nobody sends it a
second time (protocols D1, D2).
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import httpx

from runner.connectors.line import addresses
from runner.connectors.line.failures import MaybeSentError, NotSentError, translated
from runner.connectors.line.patience import (
    Allowance,
    Clock,
    Patience,
    Standstill,
    backoff,
    moment_of,
    retry_after,
)
from runner.connectors.line.places import Places
from runner.connectors.problems import Fault, UnreadableError, fault_of, one_line
from runner.errors import SystemUnavailableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

    from runner.connectors.line.secret import Secret
    from runner.connectors.line.tokens import Tokens

    Transport = Callable[[], httpx.AsyncBaseTransport]

Read = TypeVar("Read")

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
LARGEST = 256 << 20
"""Bytes of one answer, unpacked; a page of Dataverse or Business Central has a tenth of it."""
_LARGE = 256 << 10
"""Bytes from which on it takes longer to understand a body than to hand it to a thread."""
_LOCKED_OUT = 6
"""Tries after which a lock or a deadlock is no accident any more."""
_DIGITS = 6
"""Digits of a number of requests; what has more of them is none."""
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_ORIGIN = re.compile(r"[a-z]+://[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are: a bearer token, one that is renewed, or a user with a password; else nobody.

    ``header`` with ``value`` is a header that lets us in. ``ntlm``: the password is proved to a
    Windows server, once for each connection, and not sent.
    """

    token: Secret | None = None
    header: str = ""
    value: Secret | None = None
    tokens: Tokens | None = None
    user: str = ""
    password: Secret | None = None
    ntlm: bool = False

    def authorization(self) -> str:
        """What each request carries; empty for nobody."""
        if self.token is not None:
            return f"Bearer {self.token.reveal()}"
        if self.password is not None and not self.ntlm:
            pair = f"{self.user}:{self.password.reveal()}"
            return f"Basic {b64encode(pair.encode()).decode()}"
        return ""

    def handshake(self) -> httpx.Auth | None:
        """What a connection is opened with; ``None`` where each request says who we are."""
        if not self.ntlm or self.password is None:
            return None
        # Imported where it is needed: it brings the cryptography of Windows along.
        from httpx_ntlm import HttpNtlmAuth  # noqa: PLC0415

        found: httpx.Auth = HttpNtlmAuth(self.user, self.password.reveal())
        return found

    async def current(self) -> Credentials:
        """Return credentials that hold now, with the token of this moment."""
        return self if self.tokens is None else replace(self, token=await self.tokens.current())

    def hidden(self, text: str) -> str:
        """Take what is secret out of a text, should a server or a library have repeated it."""
        secrets = [s.reveal() for s in (self.token, self.password, self.value) if s is not None]
        for secret in (self.authorization().rpartition(" ")[2], *secrets):
            text = text.replace(secret, "****") if secret else text
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent. ``url`` goes over the wire letter by letter; ``about`` is for messages."""

    method: str
    url: str
    headers: Mapping[str, str]
    about: str
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered. ``told``: how its words are passed on, without what is secret."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    told: Callable[[str], str] = one_line

    @property
    def fault(self) -> Fault:
        """The error that it tells of."""
        return fault_of(self.status, self.content, self.told)


class Client:
    """Connections to one system, one for each worker: a shared pool collapses as it grows.

    ``workers`` are so many requests at a time at the most; how many there are is ``Places``'.

    ``ahead`` is by how many seconds the system's clock was ahead of ours in its last answer;
    ``None`` where it never told the time. ``requests`` counts all that were sent.
    """

    def __init__(
        self,
        system: str,
        url: str,
        credentials: Credentials | None,
        *,
        workers: int,
        transport: Transport | None = None,
        patience: Patience | None = None,
        clock: Clock | None = None,
        held_off: Callable[[Reply], bool] = lambda _: False,
    ) -> None:
        self.system, self.workers = system, workers
        self._refused_for_now = held_off
        self.patience, self.clock = patience or Patience(), clock or Clock()
        self._credentials = credentials or Credentials()
        self._used = [self._credentials]
        _check(system, url, self._credentials, in_process=transport is not None)
        self._transport = transport
        self._standstill = Standstill(self.clock)
        self._places = Places(workers)
        self._idle: list[httpx.AsyncClient] = []
        self._trust: ssl.SSLContext | None = None
        self.ahead: float | None = None
        self.requests = 0

    async def close(self) -> None:
        """Close all connections."""
        while self._idle:
            await self._idle.pop().aclose()

    async def read(self, request: Request, understood: Callable[[bytes], Read]) -> Read:
        """Get something; a server that is busy, away or stammers is asked again.

        ``understood`` makes of the body what is wanted; it may raise ``UnreadableError``, and may
        be called in a thread of its own.

        Raises:
            SystemUnavailableError: it stayed away, refuses, or cannot be understood.

        """
        tries = _Tries(self, request)
        while True:
            reply, away = None, False
            try:
                reply = await self._send(request)
                if reply.status == HTTPStatus.OK:
                    if len(reply.content) < _LARGE:
                        return understood(reply.content)
                    # What other systems answer is received meanwhile, and read on other cores.
                    return await asyncio.to_thread(understood, reply.content)
                if self._renewable(reply) and tries.first_refusal():
                    self._renew()
                    continue
                if reply.status not in _AGAIN and not self._worth_it(reply, tries):
                    raise self._refusal(request, reply)
                why = reply.fault.words
            except (NotSentError, MaybeSentError) as error:
                why, away = str(error), isinstance(error, NotSentError)
            except UnreadableError as error:
                why = str(error)
                if not error.garbled:
                    raise self.unavailable(f"{request.about}: {why}") from error
            await tries.again(why, reply, away=away)

    async def write(self, request: Request) -> Reply:
        """Send a write, once, or again where the server surely did not act.

        Raises:
            MaybeSentError: nobody knows whether the server acted.
            SystemUnavailableError: it stayed away, or does not let us in.

        """
        tries = _Tries(self, request)
        while True:
            try:
                reply = await self._send(request)
            except NotSentError as error:
                await tries.again(str(error), None, away=True)
                continue
            if self.held_off(reply) or self._worth_it(reply, tries):
                await tries.again(reply.fault.words, reply)
            elif reply.status == HTTPStatus.UNAUTHORIZED and tries.first_refusal():
                # 401 comes before anything is done, so that it is safe to ask once more (D44).
                self._renew()
                continue
            elif reply.status == HTTPStatus.UNAUTHORIZED or _elsewhere(reply):
                raise self._refusal(request, reply)
            else:
                return reply

    def unavailable(self, reason: str, *, hint: str = "") -> SystemUnavailableError:
        """Make the error that says why this system is of no use now."""
        return SystemUnavailableError(self.system, self.words(reason), hint=hint)

    def words(self, text: str) -> str:
        """Put a server's words on one line, without what is secret."""
        for known in self._used:
            text = known.hidden(text)
        return one_line(text)

    async def wait(self, seconds: float, *, everybody: bool) -> None:
        """Wait; ``everybody``: the system asked for it, and the next to send anything waits."""
        if everybody:
            self._standstill.extend(seconds)
        else:
            await self.clock.sleep(seconds)

    async def _send(self, request: Request) -> Reply:
        async with self._worker() as client:
            await self._standstill.over()
            known = await self._credentials.current()
            if known not in self._used:
                # A token that was renewed in between may still be repeated in an answer.
                self._used.append(known)
            self.requests += 1
            try:
                with translated():
                    made = self._made(client, request, known)
                    response = await client.send(made, stream=True)
                    try:
                        content = await self._content(request, response)
                    finally:
                        await response.aclose()
            except NotSentError as error:
                if not error.hopeless:
                    raise
                raise self.unavailable(f"{request.about}: cannot be sent: {error}") from error
        self._look_at_the_clock(response.headers.get("date", ""))
        self._look_at_the_crowd(response.status_code, response.headers)
        return Reply(response.status_code, response.headers, content, self.words)

    async def _content(self, request: Request, response: httpx.Response) -> bytes:
        """Read a body as far as it may go: what was packed small may be endless unpacked."""
        parts, size = [], 0
        async for part in response.aiter_bytes():
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                what = f"{request.about}: the answer is larger than {LARGEST >> 20} MB"
                if request.method == "GET":
                    raise self.unavailable(what, hint="ask for smaller pages: `page_size:`")
                raise MaybeSentError(what)
        return b"".join(parts)

    def _look_at_the_crowd(self, status: int, headers: Mapping[str, str]) -> None:
        """Note how many requests at a time the system wants, as far as it tells (A13)."""
        hint = headers.get("x-ms-dop-hint", "")
        if hint.isascii() and hint.isdigit() and len(hint) <= _DIGITS:
            self._places.recommended(int(hint))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._places.crowded()
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._places.went_well()

    def _look_at_the_clock(self, told: str) -> None:
        """Note by how many seconds the system's clock is ahead; whole seconds are told."""
        there = moment_of(told)
        if there is not None:
            self.ahead = (there - self.clock.wall()).total_seconds()

    def _made(
        self, client: httpx.AsyncClient, request: Request, known: Credentials
    ) -> httpx.Request:
        """Make a request whose URL is sent as it stands; what the library rewrites is put beside.

        A page cookie is refused if a single letter of it was changed (D36).
        """
        url = httpx.URL(request.url)
        target = quote(_ORIGIN.sub("", request.url, count=1), safe=_VISIBLE).encode("ascii")
        exactly = {} if url.raw_path == target else {"target": target}
        headers = dict(request.headers)
        if known.authorization():
            headers["Authorization"] = known.authorization()
        if known.header and known.value is not None:
            headers[known.header] = known.value.reveal()
        return client.build_request(
            request.method, url, headers=headers, content=request.content, extensions=exactly
        )

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self._places:
            client = self._idle.pop() if self._idle else self._opened()
            try:
                yield client
            finally:
                self._idle.append(client)

    def _opened(self) -> httpx.AsyncClient:
        if self._trust is None and self._transport is None:
            # Made once, and late: it takes longer than a request, and not every command sends one.
            self._trust = httpx.create_ssl_context()
        waits = self.patience
        return httpx.AsyncClient(
            auth=self._credentials.handshake(),
            verify=self._trust or False,
            transport=self._transport() if self._transport else None,
            timeout=httpx.Timeout(waits.answer, connect=waits.connect, write=waits.send),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            headers={"Accept-Encoding": "gzip"},
            # No cookies: that of Dataverse would bind us to one server and its limits (A13).
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
        )

    def _renewable(self, reply: Reply) -> bool:
        """Whether another token may let us in."""
        return reply.status == HTTPStatus.UNAUTHORIZED and self._credentials.tokens is not None

    def _renew(self) -> None:
        if self._credentials.tokens is not None:
            self._credentials.tokens.refused()

    def held_off(self, reply: Reply) -> bool:
        """Whether the server says that it did nothing, and that we are to come back later."""
        asked = retry_after(reply.headers, self.clock) is not None
        return reply.status == HTTPStatus.TOO_MANY_REQUESTS or (
            reply.status == HTTPStatus.SERVICE_UNAVAILABLE and asked
        )

    def not_begun(self, reply: Reply) -> bool:
        """Whether nothing was done for a reason that may pass, or that another token ends."""
        return (
            self.held_off(reply)
            or reply.status == HTTPStatus.UNAUTHORIZED
            or self._refused_for_now(reply)
        )

    def _worth_it(self, reply: Reply, tries: _Tries) -> bool:
        """Whether others were in the way, who may be gone the next time (D49)."""
        return self._refused_for_now(reply) and tries.few()

    def _refusal(self, request: Request, reply: Reply) -> SystemUnavailableError:
        what, hint = f"{request.about}: {reply.fault.words}", ""
        match reply.status:
            case HTTPStatus.UNAUTHORIZED:
                hint = "check `auth:` of the system, and that token or password has not expired"
            case HTTPStatus.FORBIDDEN:
                hint = "give the connection's user the permissions that the mappings need"
            case HTTPStatus.NOT_FOUND:
                hint = "check `url:` of the system, and that the entity is published"
            case HTTPStatus.BAD_REQUEST if "$filter=" in request.url:
                hint = "if it cannot filter by this, `read: all` on that side of the mapping helps"
            case _ if _elsewhere(reply):
                there = addresses.host_of(reply.headers.get("location", ""))
                what += f": it sends us to {there or 'another path'}"
                hint = "put the address that it really has into `url:` of the system"
        fault = reply.fault
        return SystemUnavailableError(
            self.system, self.words(what), hint=hint, status=fault.status, code=fault.code
        )


class _Tries:
    """How often one request was tried, and whether there is time left to try again."""

    def __init__(self, client: Client, request: Request) -> None:
        self._client, self._request = client, request
        patience, clock = client.patience, client.clock
        self._whole = Allowance(patience.total, clock, clock.now())
        self._away = Allowance(min(patience.away, patience.total), clock)
        self._count = self._refused = 0

    def few(self) -> bool:
        """Whether it was tried so seldom that what others do may be the reason."""
        return self._count < _LOCKED_OUT

    def first_refusal(self) -> bool:
        """Whether we were not let in for the first time."""
        self._refused += 1
        return self._refused == 1

    async def again(self, why: str, reply: Reply | None, *, away: bool = False) -> None:
        """Wait before the next try: as long as the system asks, else longer each time.

        ``away``: it could not even be reached, which is waited for not as long.

        Raises:
            SystemUnavailableError: the time is up, or would be.

        """
        client = self._client
        asked = retry_after(reply.headers, client.clock) if reply else None
        # A server that says "at once" each time is asked less and less often, and not forever.
        least = min(1.0, 0.1 * 2.0 ** min(self._count, 10))
        seconds = backoff(self._count, client.clock) if asked is None else max(asked, least)
        self._count += 1
        allowances = (self._whole, self._away) if away else (self._whole,)
        spent = [allowance.total for allowance in allowances if not allowance.allows(seconds)]
        if spent:
            raise client.unavailable(
                f"{self._request.about}: it did not answer within {min(spent):.0f} seconds: {why}",
                hint="try again later; the next run goes on where this one stopped",
            )
        await client.wait(seconds, everybody=asked is not None)


def _elsewhere(reply: Reply) -> bool:
    return reply.status // 100 == 3  # noqa: PLR2004 - redirects: not followed, for they get no token


def _check(system: str, url: str, credentials: Credentials, *, in_process: bool) -> None:
    """Refuse an address that would not do, or that would lay open the credentials."""
    known = bool(
        credentials.authorization() or credentials.tokens or credentials.ntlm or credentials.value
    )
    addresses.must_do(system, url, secret=known and not in_process)
    told = credentials.token or credentials.value
    if told is not None and not re.fullmatch("[!-~]+", told.reveal()):
        hint = "a token is one line of ASCII without blanks; was a line end stored with it?"
        raise SystemUnavailableError(system, "its token cannot be sent", hint=hint)
