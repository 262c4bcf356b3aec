"""A day of the scheduler: edits, outages, deaths, clocks. No turn lost, none doubled, all equal.

What is expected is worked out a second time here, from the wall clock and the records themselves;
nothing of it comes from the scheduler or the runner.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest

from runner.state.turns import Outcome
from tests.schedule.days import BEGIN, Day, job

if TYPE_CHECKING:
    from pathlib import Path

    from runner.state.turns import Turn
    from tests.schedule.days import Slow

HOUR = timedelta(hours=1)
COPENHAGEN = ZoneInfo("Europe/Copenhagen")
SIDES = {"Name": "name", "Phone": "phone"}


def lived(folder: Path, seed: int, every: timedelta) -> Day:
    """A day with everything in it, and three quiet hours at its end."""
    often = job("often", every=every, attempts=4, backoff=every / 6)
    # It has one turn in this day: it is tried for longer than anything is away.
    patience = {"attempts": 20, "backoff": timedelta(minutes=10)}
    night = job("night", cron="30 2 * * *", zone="Europe/Copenhagen", **patience)
    office = job("office", cron="15 6-20/7 * * *", mappings=("customers",))
    day = Day(folder, (often, night, office), seed)
    chance, at = day.chance, day.time.at
    for n in range(8):
        day.desk.put("users", f"u{n}", fullname=f"Agent {n}")
        day.shop.put("Customer", f"C{n}", Name=f"first {n}", Phone="0")
    for n in range(120):
        at(BEGIN + chance.random() * 24 * HOUR, partial(edit, day, n))
    for hours in (3, 11, 17):
        away = BEGIN + (hours + chance.random()) * HOUR
        system = chance.choice((day.shop, day.desk))
        at(away, partial(day.goes, system))
        at(away + chance.uniform(0.2, 2) * HOUR, partial(day.comes_back, system))
    for n in range(8):
        # Half of them just after the hour, when something runs.
        at(BEGIN + chance.randrange(1, 24) * HOUR + timedelta(seconds=chance.uniform(0, 8)),
           day.stop if n % 4 == 0 else day.kill)  # fmt: skip
    set_back = BEGIN + (13 + chance.random()) * HOUR
    # By less than an interval: what the clock shows twice after that is two times.
    at(set_back, partial(day.sets_the_clock, -min(timedelta(minutes=40), every * 2 / 3)))
    at(set_back + 4 * HOUR, partial(day.sets_the_clock, timedelta()))
    day.lives(BEGIN + 27 * HOUR)
    return day


def edit(day: Day, n: int) -> None:
    """Somebody changes a record, or makes one, in either system."""
    system, entity, names = day.chance.choice(
        ((day.shop, "Customer", tuple(SIDES)), (day.desk, "accounts", tuple(SIDES.values())))
    )
    records = sorted(system.rows.get(entity, {}))
    if day.chance.random() < 0.2 or not records:
        key = f"E{n}" if system is day.shop else f"00000000-0000-0000-0001-{n:012}"
        system.put(entity, key, **dict(zip(names, (f"made {n}", str(n)), strict=True)))
        return
    name = day.chance.choice(names)
    system.put(entity, day.chance.choice(records), **{name: f"{n} by hand"})


def pairs(day: Day, mapping: str) -> dict[str, str]:
    with duckdb.connect(str(day.world.project.state), read_only=True) as connection:
        found = connection.execute(
            "SELECT left_key, right_key FROM coupling WHERE mapping = ?", [mapping]
        ).fetchall()
    assert len(found) == len(dict(found)) == len({right for _, right in found})
    return dict(found)


def held(system: Slow, entity: str) -> dict[str, dict[str, object]]:
    return {key: dict(row) for key, row in system.rows[entity].items()}


def is_equal(day: Day) -> int:
    left, right = held(day.shop, "Customer"), held(day.desk, "accounts")
    coupled = pairs(day, "customers")
    assert set(left) == set(coupled), "records of the shop that are nobody's"
    assert set(right) == set(coupled.values()), "records of the desk that are nobody's"
    for key, other in coupled.items():
        for mine, theirs in SIDES.items():
            assert left[key][mine] == right[other][theirs], f"{key}: {mine}"
    agents = pairs(day, "agents")
    assert set(agents.values()) == set(held(day.desk, "users"))
    assert set(agents) == set(held(day.shop, "Agent"))
    return len(coupled)


def due_times(every: timedelta, until: datetime) -> dict[str, set[datetime]]:
    """The times of the three jobs by the wall clock, told by hand."""
    steps = int((until - BEGIN) / every)
    local = [datetime(2026, 10, n, 2, 30, tzinfo=COPENHAGEN) for n in (25, 26)]
    days = [datetime(2026, 10, n, tzinfo=BEGIN.tzinfo) for n in (24, 25, 26)]
    return {
        "often": {BEGIN + n * every for n in range(1, steps + 1)},
        "night": {moment.astimezone(BEGIN.tzinfo) for moment in local},
        "office": {day + timedelta(hours=h, minutes=15) for day in days for h in (6, 13, 20)},
    }


def check(day: Day, every: timedelta) -> None:
    turns = day.turns()
    end = day.time.now()
    # What began was recorded, and nothing was recorded that did not begin.
    began = Counter((turn.job, turn.due, turn.begun, turn.attempt) for _, turn in day.began)
    assert began == Counter(
        (t.job, t.due, t.begun, t.attempt) for t in turns if t.outcome is not Outcome.SET
    )
    done = [turn for turn in turns if turn.outcome is Outcome.DONE]
    twice = [key for key, n in Counter((t.job, t.due) for t in done).items() if n > 1]
    assert not twice, "turns that came to their end twice"
    for name, times in due_times(every, end).items():
        mine = [turn for turn in turns if turn.job == name and turn.outcome is not Outcome.SET]
        assert {turn.due for turn in mine} <= times | {BEGIN}, f"{name}: turns that were not due"
        for moment in sorted(times):
            if BEGIN < moment < end:
                later = [turn for turn in mine if turn.begun >= moment]
                assert later, f"{name}: no turn came for {moment}"
                covers(later[0], moment, every)
                assert Outcome.DONE in {turn.outcome for turn in later}, f"{name}: {moment} is lost"
    assert is_equal(day) > 20
    assert turns[-1].outcome in {Outcome.DONE, Outcome.SET}
    assert not [turn for turn in turns if turn.outcome is Outcome.RUNNING or (turn.failed and
                turn.begun > BEGIN + 26 * HOUR)]  # fmt: skip


def covers(turn: Turn, moment: datetime, every: timedelta) -> None:
    """The first turn after a time is for it, folds it in, or was still trying for an earlier."""
    if turn.attempt == 1:
        assert turn.due - turn.missed * every <= moment <= turn.due, f"{turn} is not for {moment}"


def test_a_day(tmp_path: Path) -> None:
    day = lived(tmp_path, 1, 2 * HOUR)
    check(day, 2 * HOUR)
    outcomes = {turn.outcome for turn in day.turns()}
    assert day.deaths >= 4
    assert outcomes >= {Outcome.DONE, Outcome.FAILED}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 10))
def test_other_days(tmp_path: Path, seed: int) -> None:
    check(lived(tmp_path, seed, timedelta(minutes=20)), timedelta(minutes=20))
