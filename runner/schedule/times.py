"""The times of a job: whole multiples of an interval, or those of a cron expression."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.model import Job

LOOKED_BACK = timedelta(days=7)
"""Times missed longer ago than this are folded without being counted."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def times(job: Job, base: datetime) -> Iterator[datetime]:
    """Yield the times of a job after an instant, all in UTC, in order, without end.

    A cron expression is read as Debian's cron reads it, days of the week and turned clocks too.
    """
    if job.every:
        slot = _EPOCH + (base - _EPOCH) // job.every * job.every
        while True:
            slot += job.every
            yield slot
    for found in CronSim(job.cron, base.astimezone(ZoneInfo(job.zone))):
        slot = found.astimezone(UTC)
        # An hour that comes twice is read as its first: what was in it may lie before the base.
        if slot > base:
            yield slot


def folded(job: Job, base: datetime, now: datetime) -> tuple[datetime, datetime, int]:
    """Return the first time after an instant, the last one that has come, and how many before it.

    The two are the same, and nothing is missed, where the first is still to come.
    """
    first = next(times(job, base))
    start = now - LOOKED_BACK
    due, missed = first, 0
    if first < start and next(times(job, start)) <= now:
        due = next(times(job, start))
    for slot in times(job, due):
        if slot > now:
            break
        due, missed = slot, missed + 1
    return first, due, missed
