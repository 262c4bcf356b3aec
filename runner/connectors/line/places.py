"""How many requests are under way at a time: more while it goes well, fewer when it is too much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_FIRST = 8
"""Requests to begin with: a server that is met with all at once is slower to take them (A13)."""


_ROUNDS = 16
"""Rounds before it is tried again whether the server takes as many as it last refused."""


class Places:
    """Places for requests: halved when the server is crowded, one more after each full round.

    Additive increase, multiplicative decrease (D40). ``most`` is never exceeded. Where it was too
    much the last time, growing waits longer: the server's limit is found, and then kept to.
    """

    def __init__(self, most: int) -> None:
        self._most, self.open = most, min(most, _FIRST)
        self._too_much = most + 2
        self._busy = self._well = self._from_before = 0
        self._changed = asyncio.Condition()

    def recommended(self, most: int) -> None:
        """Take the server's advice, as far as it stays within what is allowed here."""
        self._most = max(1, min(self._most, most))
        self.open = min(self.open, self._most)

    def went_well(self) -> None:
        """Count an answer; a round of them earns one more place."""
        self._from_before = max(0, self._from_before - 1)
        self._well += 1
        if self._well < self.open * (_ROUNDS if self.open == self._too_much - 1 else 1):
            return
        self._well = 0
        if self.open >= self._too_much:
            # It is not too much any more.
            self._too_much = self._most + 2
        self.open = min(self.open + 1, self._most)

    def crowded(self) -> None:
        """Give up half of the places, once for all requests that were under way together."""
        self._well = 0
        if self._from_before:
            self._from_before -= 1
            return
        self._from_before = max(0, self._busy - 1)
        self._too_much = self.open
        self.open = max(1, self.open // 2)

    async def __aenter__(self) -> None:
        """Wait for a place."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._busy < self.open)
            self._busy += 1

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the place back."""
        async with self._changed:
            self._busy -= 1
            self._changed.notify_all()
