"""How many requests are under way at a time: more while it goes well, fewer when it is too much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_FIRST = 8
"""Requests to begin with: a server that is met with all at once is slower to take them (A13)."""


class Places:
    """Places for requests: halved when the server is crowded, one more after each full round.

    Additive increase, multiplicative decrease (D40). ``most`` is never exceeded.
    """

    def __init__(self, most: int) -> None:
        self._most, self.open = most, min(most, _FIRST)
        self._busy = self._well = 0
        self._changed = asyncio.Condition()

    def recommended(self, most: int) -> None:
        """Take the server's advice, as far as it stays within what is allowed here."""
        self._most = max(1, min(self._most, most))
        self.open = min(self.open, self._most)

    def went_well(self) -> None:
        """Count an answer; a round of them earns one more place."""
        self._well += 1
        if self._well >= self.open:
            self._well = 0
            self.open = min(self.open + 1, self._most)

    def crowded(self) -> None:
        """Give up half of the places."""
        self._well = 0
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
