"""The times of a job in the languages of others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from cronsim import CronSim

from runner.errors import RunnerError
from runner.schedule.words import length

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.model import Job

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_ANY = datetime(2026, 1, 1, tzinfo=UTC)


def cron(job: Job) -> tuple[str, str]:
    """Return the times of a job as a cron expression, and the zone that it is meant in.

    Sunday is 0 in it, for not everybody takes 7.

    Raises:
        RunnerError: cron cannot say such an interval.

    """
    if job.every is None:
        *rest, day = job.cron.split()
        told = parsed(job).weekdays
        if not day.startswith("*") and all(isinstance(n, int) for n in told):
            day = ",".join(str(n) for n in sorted({cast("int", n) % 7 for n in told}))
        return " ".join((*rest, day)), job.zone
    for size, most, text in (
        (_MINUTE, _HOUR, "*/{} * * * *"),
        (_HOUR, _DAY, "0 */{} * * *"),
        (_DAY, 2 * _DAY, "0 0 * * *"),
    ):
        if job.every % size == timedelta() and job.every < most and most % job.every == timedelta():
            return text.format(job.every // size).replace("*/1 ", "* "), "UTC"
    raise RunnerError(
        f"job {job.name}: cron cannot say every {length(job.every)}",
        hint="a divisor of an hour in minutes, or of a day in hours; or `--emit systemd`",
    )


def cron_in_utc(job: Job) -> str:
    """Return a cron expression for who knows no zones, not even summer time.

    Of a job in another zone it is the minute of every hour (or each quarter of an hour, where that
    zone is not whole hours away): ``--once`` knows the zone, and runs it only when it is due.
    """
    told, zone = cron(job)
    if zone in ("UTC", "Etc/UTC", "GMT"):
        return told
    whole = all(_offset(zone, day) % _HOUR == timedelta() for day in range(0, 365, 7))
    return f"{told.split()[0]} * * * *" if whole else "*/15 * * * *"


def _offset(zone: str, day: int) -> timedelta:
    return (_ANY + timedelta(days=day)).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()


def calendar(job: Job) -> tuple[str, ...]:
    """Return the times of a job as systemd's calendar events; empty where it has none for them.

    A day of the month *or* of the week takes two.

    Raises:
        RunnerError: systemd cannot say it.

    """
    if job.every:
        return _every(job.every)
    found = parsed(job)
    if any(not isinstance(n, int) for n in found.weekdays) or min(found.days) < 0:
        raise RunnerError(
            f"job {job.name}: a calendar event cannot say '{job.cron}'",
            hint="`sync-run schedule` runs it, as a service of its own",
        )
    time = f"{_list(found.hours, 24)}:{_list(found.minutes, 60)}:00 {job.zone}"
    weekdays = {cast("int", n) % 7 for n in found.weekdays}
    week = "" if len(weekdays) == len(_DAYS) else f"{','.join(_DAYS[n] for n in sorted(weekdays))} "
    months, days = _list(found.months, 12, first=1), _list(found.days, 31, first=1)
    if week and days != "*" and not found.day_and:
        return (f"{week}*-{months}-* {time}", f"*-{months}-{days} {time}")
    return (f"{week}*-{months}-{days} {time}",)


def _every(every: timedelta) -> tuple[str, ...]:
    seconds = every // timedelta(seconds=1)
    for size, most, text in (
        (1, 60, "*-*-* *:*:0/{} UTC"),
        (60, 3_600, "*-*-* *:0/{}:00 UTC"),
        (3_600, 86_400, "*-*-* 0/{}:00:00 UTC"),
        (86_400, 172_800, "*-*-* 00:00:00 UTC"),
    ):
        if seconds % size == 0 and seconds < most and most % seconds == 0:
            return (text.format(seconds // size),)
    return ()


def parsed(job: Job) -> CronSim:
    """Return the expression of a job as its library reads it."""
    return CronSim(job.cron, _ANY)


def _list(values: Iterable[int], size: int, *, first: int = 0) -> str:
    """Write numbers as a calendar event does: ``*``, ``06..20``, ``00,30``."""
    found = sorted(values)
    if found == list(range(first, first + size)):
        return "*"
    runs: list[list[int]] = []
    for n in found:
        if runs and runs[-1][-1] == n - 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ",".join(
        f"{run[0]:02}..{run[-1]:02}" if len(run) > 1 else f"{run[0]:02}" for run in runs
    )
