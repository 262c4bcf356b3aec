"""What all connectors do with writes: many at a time, each sent once, none lost sight of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.connectors.failures import MaybeSentError
from runner.connectors.problems import UnreadableError
from runner.errors import SystemUnavailableError
from runner.wire import Unknown, WriteKind, Written

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from runner.connectors.http import Client, Reply, Request
    from runner.connectors.rows import Decoder
    from runner.wire import Outcome, Write


async def in_turn(
    batch: Sequence[Write], send: Callable[[Write], Awaitable[Outcome]], workers: int
) -> Sequence[Outcome]:
    """Send each write once, as many at a time as there are workers.

    What was answered is worth more than the news that the system went away: then the rest of the
    batch, of which nobody was told anything, is ``Unknown``, and the next batch brings the news.

    Raises:
        SystemUnavailableError: it went away before it answered anything.

    """
    turns = _Turns(batch, send)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, len(batch))):
            group.create_task(turns.work())
    if turns.gone is None:
        return [turns.outcomes[n] for n in range(len(batch))]
    if not turns.outcomes:
        raise turns.gone
    lost = Unknown(message=f"not answered: {turns.gone}")
    return [turns.outcomes.get(n, lost) for n in range(len(batch))]


class _Turns:
    def __init__(self, batch: Sequence[Write], send: Callable[[Write], Awaitable[Outcome]]) -> None:
        self._waiting: Iterator[tuple[int, Write]] = iter(enumerate(batch))
        self._send = send
        self.outcomes: dict[int, Outcome] = {}
        self.gone: SystemUnavailableError | None = None

    async def work(self) -> None:
        """Send what is next until nothing is left, or the system is gone."""
        for place, write in self._waiting:
            if self.gone is not None:
                return
            try:
                self.outcomes[place] = await self._send(write)
            except SystemUnavailableError as error:
                self.gone = error


async def sent(
    client: Client, request: Request, judged: Callable[[Reply], Awaitable[Outcome]]
) -> Outcome:
    """Send a write and judge the answer; where none came, nobody knows what was done (D1, D2)."""
    try:
        reply = await client.write(request)
    except MaybeSentError as error:
        return Unknown(message=client.words(str(error)))
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
    answer with nothing, and some answers cannot be read.
    """
    if write.kind is WriteKind.DELETE:
        return Written(key=write.key or "")
    if reply.content:
        try:
            page = decoder.one(reply.content)
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
