"""What the scheduler does, in words: a line of the log each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_never

from runner.schedule.due import counted, due_of
from runner.schedule.loop import Ended, Held, Read, Refused, Waits
from runner.state.turns import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.model import Job
    from runner.schedule.loop import News
    from runner.state.turns import Turn

_NAMED = 5
"""Mappings of a job that are named in the list."""


def began(turn: Turn, job: Job) -> str:
    """Say that a turn begins, and what it makes up for."""
    words = [f"due {moment(turn.due)}"]
    if turn.attempt > 1:
        words.append(f"attempt {turn.attempt} of {job.attempts}")
    if turn.missed:
        words.append(f"{turn.missed} missed before it")
    return f"{turn.job}: begins ({', '.join(words)})"


def news(told: News) -> tuple[str, ...]:
    """Say what else happened; waiting is not worth a line where a turn said it."""
    match told:
        case Ended(turn=turn):
            return (ended(turn),)
        case Waits(due=due):
            what = f"{due.job.name} at {moment(due.at)}" if due else "a job that is enabled"
            return (f"waits for {what}",)
        case Held(error=error):
            return (f"waits: {error}",)
        case Refused(error=error):
            return (f"error: {error}", "nothing runs until that is over")
        case Read(jobs=jobs):
            return (f"jobs: {', '.join(job_words(job) for job in jobs)}",)
        case _:
            assert_never(told)


def ended(turn: Turn) -> str:
    """Say how a turn ended."""
    assert turn.ended is not None, "it has ended"
    took = f"after {(turn.ended - turn.begun).total_seconds():.1f} s"
    if turn.outcome is not Outcome.DONE:
        what = {
            Outcome.FAILED: "failed, and is tried again",
            Outcome.GIVEN_UP: "is given up until its next time",
            Outcome.STOPPED: "stops, and is taken up again",
        }.get(turn.outcome, turn.outcome.value)
        return f"{turn.job}: {what}, {took}: {turn.message}"
    changes = _counted(turn.changes, "change") if turn.changes else "nothing changed"
    failed = f", {_counted(turn.failed, 'record')} failed" if turn.failed else ""
    run = f" (run {turn.run})" if turn.run else ""
    return f"{turn.job}: ends {took}: {changes}{failed}{run}"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def job_words(job: Job) -> str:
    """Name a job and when it runs."""
    when = f"every {length(job.every)}" if job.every else f"{job.cron} {job.zone}"
    return f"{job.name} ({when}{'' if job.enabled else ', not enabled'})"


def length(time: timedelta) -> str:
    """Write ``2m`` or ``12h``, as the file does."""
    seconds = int(time.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def moment(instant: datetime) -> str:
    """Write an instant, UTC, to the second."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def listing(jobs: Iterable[Job], last: Mapping[str, Turn], now: datetime) -> list[dict[str, Any]]:
    """Describe jobs, for programs: when they run next, and how they ran last (``null``: never)."""
    known = {**last, **{turn.job: turn for turn in counted(jobs, last, now)}}
    return [_listing(job, known[job.name], now) for job in jobs]


def _listing(job: Job, last: Turn, now: datetime) -> dict[str, Any]:
    due = due_of(job, last, now)
    ran = None if last.outcome is Outcome.SET else last
    return {
        "job": job.name,
        "when": f"every {length(job.every)}" if job.every else job.cron,
        "zone": None if job.every else job.zone,
        "mappings": list(job.mappings),
        "mode": job.mode.value,
        "enabled": job.enabled,
        "next": max(due.at, now).isoformat(timespec="seconds") if job.enabled else None,
        "last": ran
        and {
            "due": ran.due.isoformat(timespec="seconds"),
            "begun": ran.begun.isoformat(timespec="seconds"),
            "ended": ran.ended and ran.ended.isoformat(timespec="seconds"),
            "outcome": ran.outcome.value,
            "attempt": ran.attempt,
            "missed": ran.missed,
            "run": ran.run,
            "changes": ran.changes,
            "failed": ran.failed,
            "message": ran.message,
        },
    }


def listed(rows: Iterable[dict[str, Any]]) -> str:
    """Draw what ``listing`` describes."""
    return "\n".join(line for row in rows for line in _listed(row))


def _listed(row: dict[str, Any]) -> Iterator[str]:
    zone = f" {row['zone']}" if row["zone"] else ""
    some, rest = row["mappings"][:_NAMED], len(row["mappings"]) - _NAMED
    more = f" and {rest} more" if rest > 0 else ""
    yield f"{row['job']}  {row['when']}{zone}, {row['mode']}: {', '.join(some)}{more}"
    yield f"  next  {row['next'] or 'never: it is not enabled'}"
    if last := row["last"]:
        what = f": {last['message']}" if last["message"] else ""
        counts = f"{_counted(last['changes'], 'change')}, {last['failed']} failed"
        yield f"  last  {last['begun']}  {last['outcome']}, {counts}{what}"
