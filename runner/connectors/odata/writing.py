"""What all connectors do with writes: many at a time, each sent once, none lost sight of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.connectors.line.failures import MaybeSentError
from runner.connectors.odata.batch import packed, unpacked
from runner.connectors.problems import UnreadableError, html_of
from runner.errors import SystemUnavailableError
from runner.wire import Rejected, Unknown, Unsent, WriteKind, Written

if TYPE_CHECKING:
    from runner.connectors.line.http import Client, Reply, Request
    from runner.connectors.odata.batch import Form
    from runner.connectors.odata.rows import Decoder
    from runner.wire import Outcome, Write


Send = Callable[[Sequence["Write"]], Awaitable[Sequence["Outcome"]]]
"""Sends some writes and says what came of each."""


async def in_turn(
    batch: Sequence[Write], send: Send, workers: int, together: int = 1
) -> Sequence[Outcome]:
    """Send each write once, so many at a time as there are workers, so many in one request.

    What was answered is worth more than the news that the system went away: then the rest of the
    batch, which was not begun, is ``Unsent``.

    Raises:
        SystemUnavailableError: it went away, or shut us out, before it answered anything.

    """
    # Every worker has something to do before any of them gets more.
    size = max(1, min(together, -(-len(batch) // workers)))
    turns = _Turns(batch, send, size)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, len(batch))):
            group.create_task(turns.work())
    if turns.gone is not None and not turns.answered:
        raise turns.gone
    return [turns.outcome(n) for n in range(len(batch))]


class _Turns:
    def __init__(self, batch: Sequence[Write], send: Send, size: int) -> None:
        self._batch, self._send, self._size = batch, send, size
        self._waiting = iter(range(0, len(batch), size))
        self._begun: set[int] = set()
        self._outcomes: dict[int, Outcome] = {}
        self.gone: SystemUnavailableError | None = None

    @property
    def answered(self) -> bool:
        """Whether anything is known of any write, but that it was not sent."""
        return any(not isinstance(one, Unsent) for one in self._outcomes.values())

    async def work(self) -> None:
        """Send what is next until nothing is left, or the system is gone."""
        for start in self._waiting:
            if self.gone is not None:
                return
            some = range(start, min(start + self._size, len(self._batch)))
            self._begun |= {*some}
            try:
                found = await self._send(self._batch[start : start + self._size])
            except SystemUnavailableError as error:
                self.gone = error
                return
            self._outcomes |= dict(zip(some, found, strict=True))
            self.gone = next((one.why for one in found if isinstance(one, Unsent)), self.gone)

    def outcome(self, number: int) -> Outcome:
        """Say what came of one write; of one that nobody was told of, whether it was sent."""
        if number in self._outcomes:
            return self._outcomes[number]
        assert self.gone is not None, "only a system that went away leaves writes behind"
        if number in self._begun:
            return Unknown(message=f"not answered: {self.gone}")
        return Unsent(why=self.gone)


@dataclass(frozen=True, slots=True)
class Sending:
    """A write on its way: its request, and what makes of the answer what came of it."""

    request: Request
    judged: Callable[[Reply], Awaitable[Outcome]]


class Together:
    """Sends writes in batches as long as the server takes them; else one by one.

    ``root`` is the address that ``$batch`` stands below.
    """

    def __init__(self, client: Client, form: Form | None, root: str) -> None:
        self._client, self._form, self._root = client, form, root

    async def send(self, writes: Sequence[Sending]) -> Sequence[Outcome]:
        """Send all and say what came of each, in their order."""
        form = self._form
        if form is None or len(writes) < _WORTH_IT:
            return await self._one_by_one(writes)
        requests = [one.request for one in writes]
        about = f"{len(writes)} writes to {requests[0].about}"
        try:
            reply = await self._client.write(packed(form, self._root, requests, about))
        except MaybeSentError as error:
            return [Unknown(message=self._client.words(str(error)))] * len(writes)
        except SystemUnavailableError as error:
            return [Unsent(why=error)] * len(writes)
        if reply.status in _NO_BATCHES:
            self._form = None
        if reply.status in _NO_BATCHES or reply.status in _NOTHING_DONE:
            return await self._one_by_one(writes)
        if reply.status // 100 != 2:  # noqa: PLR2004 - it failed, and nobody knows where
            return [Unknown(message=self._client.words(reply.fault.words))] * len(writes)
        try:
            replies = unpacked(form, reply, len(writes))
        except UnreadableError as error:
            return [Unknown(message=self._client.words(str(error)))] * len(writes)
        return [
            await sent(self._client, one.request, one.judged)
            if answer is None or self._client.not_begun(answer)
            else await one.judged(answer)
            for one, answer in zip(writes, replies, strict=True)
        ]

    async def _one_by_one(self, writes: Sequence[Sending]) -> Sequence[Outcome]:
        """Send one after the other, as long as the system takes them."""
        found: list[Outcome] = []
        for one in writes:
            away = found[-1] if found and isinstance(found[-1], Unsent) else None
            found.append(away or await sent(self._client, one.request, one.judged))
        return found


async def outcomes(prepared: Sequence[Sending | Rejected], together: Together) -> Sequence[Outcome]:
    """Send what can be sent; what cannot is refused without a word to the server."""
    found = iter(await together.send([one for one in prepared if isinstance(one, Sending)]))
    return [next(found) if isinstance(one, Sending) else one for one in prepared]


_WORTH_IT = 2
"""Writes from which on a batch is worth its words."""
_NO_BATCHES = frozenset({404, 405, 415, 501})
"""How a server answers that knows no ``$batch``."""
_NOTHING_DONE = frozenset({400, 413})
"""How it answers to one that it does not even begin with."""


async def sent(
    client: Client, request: Request, judged: Callable[[Reply], Awaitable[Outcome]]
) -> Outcome:
    """Send a write and judge the answer; where none came, nobody knows what was done (D1, D2)."""
    try:
        reply = await client.write(request)
    except MaybeSentError as error:
        return Unknown(message=client.words(str(error)))
    except SystemUnavailableError as error:
        return Unsent(why=error)
    return await judged(reply)


async def done(
    client: Client,
    write: Write,
    reply: Reply,
    decoder: Decoder,
    named: str | None,
    where: Callable[[str], Request],
) -> Outcome:
    """Say what a write that succeeded made of its record (D9).

    ``named`` is the key that the answer's headers tell; ``where`` asks for a record: some servers
    answer with nothing, and some answers cannot be read. A page for people is no answer at all:
    whoever asks to sign in has passed nothing on.
    """
    if (page_told := html_of(reply.content)) is not None:
        return Unknown(message=client.words(f"HTML came where JSON was asked for: {page_told}"))
    if write.kind is WriteKind.DELETE:
        return Written(key=write.key or "")
    if reply.content:
        try:
            page = decoder.one(reply.content)
            if page.etags == [None]:
                page = replace(page, etags=[reply.headers.get("etag")])
            return Written(key=page.keys[0], page=page)
        except UnreadableError:
            pass  # It is done all the same: the record is read instead.
    key = write.key or named
    if key is None:
        return Unknown(message="it was created, but the answer does not say as which record")
    try:
        return Written(key=key, page=await client.read(where(key), decoder.one))
    except SystemUnavailableError:
        return Written(key=key)
