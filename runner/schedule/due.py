"""What is to run next, and when: a pure function of the jobs, their last turns, and the time.

Two things always hold. Every time of a job is followed by a turn that began at it or after it: none
is lost, for a turn reads all there is when it begins. And no time has two turns that came to their
end: none is doubled, for what was due before a turn began is covered by it.

A clock that somebody sets back by more than ``TURNED``, or than a job's interval, counts anew from
there: its jobs go on, and what it shows twice are two times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from runner.schedule.times import folded
from runner.state.turns import Outcome, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from runner.model import Job

TURNED = timedelta(hours=3)
"""A clock that was set back by less repeats no time of a cron job (Debian's cron has the same)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The next turn of a job: it begins at ``at`` or later, for the time ``due``."""

    job: Job
    at: datetime
    due: datetime
    attempt: int = 1
    missed: int = 0


def next_up(jobs: Iterable[Job], last: Mapping[str, Turn], now: datetime) -> Due | None:
    """Return what runs next: who waits longest, then who stands first in the file.

    Jobs without a last turn wait to be ``counted``; ``None``: there is nothing to wait for.
    """
    waiting = (due_of(job, last[job.name], now) for job in jobs if job.enabled and job.name in last)
    return min(waiting, key=lambda due: due.at, default=None)


def due_of(job: Job, last: Turn, now: datetime) -> Due:
    """Return the next turn of a job after its last one."""
    if last.outcome is Outcome.STOPPED:
        return _again(job, last, last.begun, last.attempt)
    if last.outcome in (Outcome.RUNNING, Outcome.FAILED) and last.attempt < job.attempts:
        at = last.begun if last.ended is None else last.ended + job.backoff
        # An end that is still to come was told by a clock that has been set back since.
        at = now if last.ended and last.ended > now else at
        return _again(job, last, at, last.attempt + 1)
    base = max(last.due, last.begun)
    if last.ended and _rests(job, last):
        # A time that is just when the rest ends is one of the next turn's.
        base = max(base, last.ended + job.quiet - timedelta(microseconds=1))
    first, due, missed = folded(job, base, now)
    return Due(job=job, at=first, due=due, missed=missed)


def counted(jobs: Iterable[Job], last: Mapping[str, Turn], now: datetime) -> tuple[Turn, ...]:
    """Return the turns that jobs are to be counted from: new ones, and those of a wrong clock.

    A job with an interval that never ran is due at once, one with fixed times at the next of them.
    """
    return tuple(
        Turn(job=job.name, due=start, begun=start, ended=start, outcome=Outcome.SET)
        for job in jobs
        for start in _counted(job, last.get(job.name), now)
    )


def _again(job: Job, last: Turn, at: datetime, attempt: int) -> Due:
    return Due(job=job, at=at, due=last.due, attempt=attempt, missed=last.missed)


def _rests(job: Job, last: Turn) -> bool:
    """As Microsoft's job queue: nothing changed, nothing failed (H8)."""
    return bool(job.quiet) and last.outcome is Outcome.DONE and not last.changes and not last.failed


def _counted(job: Job, last: Turn | None, now: datetime) -> tuple[datetime, ...]:
    if last is None:
        return (now - job.every if job.every else now,)
    # What ran in the future was run by a clock that was wrong, or is wrong now.
    patience = min(job.every, TURNED) if job.every else TURNED
    return (now,) if max(last.due, last.begun) > now + patience else ()
