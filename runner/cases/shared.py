"""Cases shared out among processes: each is on its own, and all of them compute."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from runner.cases.play import play
from runner.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.cases.model import Likeness, Result, Test
    from runner.model import Project

_FEW = 12
"""Cases that are played sooner than a second process has begun."""
_SHARE = 6
"""Cases that a process takes at a time."""


def cores() -> int:
    """How many processes this one may keep busy."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system knows it
        return os.cpu_count() or 1


def play_all(
    project: Project, tests: Iterable[Test], likenesses: Mapping[str, Likeness], *, jobs: int
) -> list[Result]:
    """Play the cases of several files, so many at a time; the results are in their order.

    Raises:
        ConfigError: a mapping cannot be compiled.

    """
    shares = [
        replace(test, cases=test.cases[n : n + _SHARE])
        for test in tests
        for n in range(0, len(test.cases), _SHARE)
    ]
    played = partial(_played, project, likenesses)
    if jobs == 1 or sum(len(share.cases) for share in shares) <= _FEW:
        return [result for share in shares for result in played(share)]
    # Forked, a process would hold locks of threads that it does not have.
    pool = ProcessPoolExecutor(
        min(jobs, len(shares)), multiprocessing.get_context("spawn"), initializer=_left_alone
    )
    try:
        found = list(pool.map(partial(_told, project, likenesses), shares))
    except BrokenProcessPool:
        found = [None for _ in shares]
    finally:
        pool.shutdown(cancel_futures=True)
    return [
        result
        for share, results in zip(shares, found, strict=True)
        # What a process could not do is done here, where its error is told as any other.
        for result in (played(share) if results is None else results)
    ]


def _played(project: Project, likenesses: Mapping[str, Likeness], share: Test) -> Sequence[Result]:
    async def played() -> list[Result]:
        return [result async for result in play(project, share, likenesses)]

    return asyncio.run(played())


def _told(
    project: Project, likenesses: Mapping[str, Likeness], share: Test
) -> Sequence[Result] | None:
    """Play in a process of its own; ``None`` where that cannot be done."""
    try:
        return _played(project, likenesses, share)
    except RunnerError:
        return None


def _left_alone() -> None:
    """Leave it to the first process to end when somebody stops it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
