"""What runs next, by tables and by a law; the times themselves, and when clocks are turned."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.schedule.due import TURNED, counted, due_of, next_up
from runner.schedule.times import times
from runner.state.turns import Outcome, Turn
from tests.schedule.days import job

if TYPE_CHECKING:
    from runner.model import Job

TEN = datetime(2026, 11, 26, 10, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OFTEN = job("often", every=2 * MINUTE, attempts=3, backoff=timedelta(seconds=30))
NIGHT = job("night", cron="30 2 * * *", zone="Europe/Copenhagen")


def turn(outcome: Outcome = Outcome.DONE, of: Job = OFTEN, **told: object) -> Turn:
    begun = told.pop("begun", TEN + timedelta(seconds=1))
    told.setdefault("ended", begun + timedelta(seconds=20) if begun else None)  # type: ignore[operator]
    return Turn(job=of.name, due=TEN, begun=begun, outcome=outcome, **told)  # type: ignore[arg-type]


def seconds(n: float) -> datetime:
    return TEN + timedelta(seconds=n)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("*/30 6-20 * * 1-5", "UTC", "2026-11-27T20:15", ["2026-11-27T20:30", "2026-11-30T06:00"]),
        ("0 12 * * 0", "UTC", "2026-11-26T00:00", ["2026-11-29T12:00", "2026-12-06T12:00"]),
        ("0 12 * * 7", "UTC", "2026-11-26T00:00", ["2026-11-29T12:00", "2026-12-06T12:00"]),
        ("0 0 13 * 5", "UTC", "2026-11-26T00:00", ["2026-11-27T00:00", "2026-12-04T00:00"]),
        ("0 0 29 2 *", "UTC", "2026-11-26T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        # The hour that is skipped, the hour that comes twice: once.
        ("30 2 * * *", "Europe/Copenhagen", "2026-03-28T12:00",
         ["2026-03-29T01:00", "2026-03-30T00:30"]),
        ("30 2 * * *", "Europe/Copenhagen", "2026-10-24T12:00",
         ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("30 2 * * *", "Europe/Copenhagen", "2026-10-25T01:10",
         ["2026-10-26T01:30", "2026-10-27T01:30"]),
        ("*/30 * * * *", "Europe/Copenhagen", "2026-10-25T00:10",
         ["2026-10-25T00:30", "2026-10-25T01:00"]),
        ("15 9 * * *", "Asia/Kolkata", "2026-11-26T00:00",
         ["2026-11-26T03:45", "2026-11-27T03:45"]),
    ],
)  # fmt: skip
def test_times_of_cron(expression: str, zone: str, after: str, expected: list[str]) -> None:
    found = times(job("j", cron=expression, zone=zone), _instant(after))
    assert list(islice(found, 2)) == [_instant(text) for text in expected]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_times_of_an_interval_are_its_multiples() -> None:
    assert list(islice(times(OFTEN, seconds(1)), 2)) == [TEN + 2 * MINUTE, TEN + 4 * MINUTE]
    assert next(times(OFTEN, TEN)) == TEN + 2 * MINUTE
    assert next(times(job("daily", every=24 * HOUR), TEN)) == datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "now", "at", "due", "attempt", "missed"),
    [
        pytest.param(turn(), 21, 120, 120, 1, 0, id="done: its next time"),
        pytest.param(turn(), 721, 120, 720, 1, 5, id="missed ones are one"),
        pytest.param(turn(begun=seconds(130), ended=seconds(250)), 251, 240, 240, 1, 0,
                     id="what became due while it ran is due at once"),
        pytest.param(turn(Outcome.FAILED), 22, 51, 0, 2, 0, id="failed: again, for the same time"),
        pytest.param(turn(Outcome.FAILED, attempt=2), 500, 51, 0, 3, 0, id="failed twice"),
        pytest.param(turn(Outcome.FAILED, attempt=3), 22, 120, 120, 1, 0, id="failed too often"),
        pytest.param(turn(Outcome.GIVEN_UP, attempt=3), 22, 120, 120, 1, 0, id="given up"),
        pytest.param(turn(Outcome.RUNNING, ended=None), 90, 1, 0, 2, 0, id="it died: at once"),
        pytest.param(turn(Outcome.RUNNING, ended=None, attempt=3), 90, 120, 120, 1, 0,
                     id="it died again and again"),
        pytest.param(turn(Outcome.STOPPED), 900, 1, 0, 1, 0, id="stopped: taken up"),
        pytest.param(turn(Outcome.FAILED, ended=seconds(900)), 30, 30, 0, 2, 0,
                     id="failed in what is the future now"),
    ],
)  # fmt: skip
def test_what_follows_a_turn(
    last: Turn, now: float, at: float, due: float, attempt: int, missed: int
) -> None:
    found = due_of(OFTEN, last, seconds(now))
    assert (found.at, found.due) == (seconds(at), seconds(due))
    assert (found.attempt, found.missed) == (attempt, missed)


@pytest.mark.parametrize(
    ("last", "at"),
    [
        pytest.param(turn(), 24 * 60, id="nothing changed: it rests"),
        pytest.param(turn(changes=1), 120, id="something changed: ready"),
        pytest.param(turn(failed=1), 120, id="something failed: ready"),
        pytest.param(turn(Outcome.GIVEN_UP), 120, id="it could not run: ready"),
    ],
)
def test_a_job_rests_when_nothing_changed(last: Turn, at: float) -> None:
    """H8."""
    quiet = replace(OFTEN, quiet=23 * MINUTE)
    assert due_of(quiet, last, seconds(30)).at == seconds(at)
    assert due_of(OFTEN, last, seconds(30)).at == seconds(120)


def test_who_waits_longest_is_first() -> None:
    slow = job("slow", every=HOUR)
    last = {"often": turn(), "slow": turn(of=slow)}
    found = next_up((OFTEN, slow), last, seconds(7200))
    assert found is not None
    assert (found.job, found.at, found.missed) == (OFTEN, seconds(120), 59)
    last["often"] = turn(begun=seconds(7200), changes=1)
    found = next_up((OFTEN, slow), last, seconds(7260))
    assert found is not None
    assert (found.job, found.due) == (slow, TEN + 2 * HOUR)


def test_a_job_that_is_not_enabled_is_not_waited_for() -> None:
    assert next_up((replace(OFTEN, enabled=False),), {"often": turn()}, TEN) is None
    assert next_up((), {}, TEN) is None


def test_a_new_job_with_an_interval_is_due_at_once_and_one_with_times_at_the_next() -> None:
    started = {t.job: t for t in counted((OFTEN, NIGHT), {}, seconds(7))}
    assert due_of(OFTEN, started["often"], seconds(7)).at == TEN
    assert due_of(NIGHT, started["night"], seconds(7)).at == datetime(
        2026, 11, 27, 1, 30, tzinfo=UTC
    )
    assert not counted((OFTEN, NIGHT), started, seconds(90_000))


def test_a_clock_that_was_years_ahead_does_not_stop_anything() -> None:
    ahead = turn(of=NIGHT, begun=TEN + 3650 * 24 * HOUR)
    (again,) = counted((NIGHT,), {"night": ahead}, TEN)
    assert due_of(NIGHT, again, TEN).at == datetime(2026, 11, 27, 1, 30, tzinfo=UTC)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["done", "changed", "failed", "died", "stopped"]),
                  st.integers(0, 5_000)),
        st.tuples(st.just("down"), st.integers(1, 40_000)),
        st.tuples(st.just("set"), st.integers(-3_000, 3_000)),
    ),
    min_size=20,
    max_size=60,
)  # fmt: skip
JOBS = st.sampled_from(
    [
        job("j", every=2 * MINUTE, attempts=3),
        job("j", every=HOUR, quiet=3 * HOUR, attempts=2),
        job("j", cron="*/20 6-20 * * *", attempts=5),
        NIGHT,
    ]
)


@given(of=JOBS, steps=STEPS)
def test_no_time_is_lost_and_none_is_doubled(of: Job, steps: list[tuple[str, int]]) -> None:
    """Whatever befalls the turns, the process and the clock (by less than it forgives)."""
    now = datetime(2026, 10, 24, 23, 59, 7, tzinfo=UTC)
    (last,) = counted((of,), {}, now)
    taken: list[Turn] = []
    for what, length in steps:
        if what in ("down", "set"):
            far = timedelta(seconds=length)
            now += max(far, -(of.every or TURNED) / 2) if length < 0 else far
            continue
        assert not counted((of,), {of.name: last}, now)
        due = due_of(of, last, now)
        now = max(now, due.at)
        due = due_of(of, last, now)
        assert due.at <= now, "what was waited for has come"
        again = due.attempt > 1 or last.outcome is Outcome.STOPPED
        assert again or due.due <= now
        end = now + timedelta(seconds=length)
        outcome = {"failed": Outcome.FAILED, "died": Outcome.RUNNING, "stopped": Outcome.STOPPED}
        last = Turn(
            job=of.name, due=due.due, begun=now, ended=None if what == "died" else end,
            attempt=due.attempt, missed=due.missed, outcome=outcome.get(what, Outcome.DONE),
            changes=int(what == "changed"),
        )  # fmt: skip
        taken.append(last)
        now = end
    done = Counter(t.due for t in taken if t.outcome is Outcome.DONE)
    assert max(done.values(), default=1) == 1, "a time came to its end twice"
    for earlier, later in pairwise(taken):
        if later.attempt == 1 and earlier.outcome is not Outcome.STOPPED:
            assert later.due > earlier.due
            assert next(times(of, later.due)) > later.begun, "a later time had come"
