"""What reaches the scheduler from outside: the wish that it ends, and jobs that are to run now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from runner.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Bell:
    """It is rung by signals and requests, and heard by whoever waits."""

    def __init__(self) -> None:
        self._stopped, self._rung = asyncio.Event(), asyncio.Event()
        self._ready: list[str] = []

    def stop(self) -> None:
        """Ask to end, after the window of writes that is in progress."""
        self._stopped.set()
        self._rung.set()

    def ready(self, job: str) -> None:
        """Let a job run as soon as may be; told twice before it runs, it runs once."""
        if job not in self._ready:
            self._ready.append(job)
        self._rung.set()

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to end."""
        return self._stopped.is_set()

    @property
    def waiting(self) -> str:
        """The job that was called first and has not run yet; empty: none."""
        return self._ready[0] if self._ready else ""

    def heard(self, job: str) -> None:
        """It runs now, or is none of those that run here."""
        self._ready = [name for name in self._ready if name != job]

    async def wait(self) -> None:
        """Wait until it rings; what rang while nobody waited is not lost."""
        await self._rung.wait()
        self._rung.clear()

    async def unless_stopped(self, reading: Coroutine[None, None, T]) -> T:
        """Do what only reads; it is left where it is when somebody asks to end.

        Raises:
            StoppedError: somebody did.

        """
        task, stop = asyncio.ensure_future(reading), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StoppedError("it was asked to end")
            return task.result()
        finally:
            for one in (task, stop):
                one.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)
