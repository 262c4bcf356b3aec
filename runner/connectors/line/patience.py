"""How long to wait, and for what: time-outs, repeats, pauses that a system asks for (A13)."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Sleep = Callable[[float], Awaitable[None]]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited, in seconds.

    ``connect``, ``send`` and ``answer`` bound the phases of one request (``answer`` is the silence
    between two parts of it), ``total`` a request with all its repeats, ``away`` those to a server
    that cannot even be reached.
    """

    connect: float = 10.0
    send: float = 60.0
    answer: float = 120.0
    away: float = 20.0
    total: float = 300.0


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and chance, as far as waiting needs them; tests bring their own, and never wait.

    ``now`` counts seconds and only goes forward, ``wall`` is the time in UTC, ``jitter`` is in
    [0, 1): workers that were refused together must not come back together.
    """

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = _utc
    sleep: Sleep = asyncio.sleep
    jitter: Callable[[], float] = random.random


class Standstill:
    """The pause that a system asked of all its callers; its workers share it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = float("-inf")

    def extend(self, seconds: float) -> None:
        """Let nobody send anything for so long from now, or longer if that was asked before."""
        self._until = max(self._until, self._clock.now() + seconds)

    async def over(self) -> None:
        """Wait for its end; what was slept is over, whatever the clock says."""
        while (until := self._until) > self._clock.now():
            await self._clock.sleep(until - self._clock.now())
            if until == self._until:
                return


class Allowance:
    """Time to wait in all, in seconds; it runs from the first wait asked for, or from ``begun``."""

    def __init__(self, total: float, clock: Clock, begun: float | None = None) -> None:
        self.total = total
        self._clock, self._begun, self._waited = clock, begun, 0.0

    def allows(self, seconds: float) -> bool:
        """Whether there is time left for a wait; it counts, whatever the clock says."""
        now = self._clock.now()
        self._begun = now if self._begun is None else self._begun
        spent = max(now - self._begun, self._waited)
        self._waited += seconds
        return spent + seconds <= self.total


def backoff(attempt: int, clock: Clock) -> float:
    """Seconds to wait after that many attempts: longer each time, a part of it by chance."""
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt, 10))
    return longest * (1 - clock.jitter() / 2)


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Read ``Retry-After``: seconds, or the moment of an HTTP date; ``None`` where it is neither.

    A moment is measured by the server's own clock where it tells it (``Date``): ours may be wrong.
    """
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    until = moment_of(told)
    if until is None:
        return None
    now = moment_of(headers.get("date", "")) or clock.wall()
    return max(0.0, (until - now).total_seconds())


def moment_of(told: str) -> datetime | None:
    """Read the date of a header; ``None`` where it is none."""
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
