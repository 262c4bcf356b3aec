"""One turn and the loop around it, with systems in memory and a clock that does as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from runner import apply
from runner.errors import ConfigError, ExitCode, Problem
from runner.schedule.bell import Bell
from runner.schedule.loop import Ended, Held, Read, Refused, Waits, serve
from runner.schedule.turn import Taken, take
from runner.state import held, journal
from runner.state.turns import Outcome, Turn
from tests.fakes import HERE
from tests.schedule.days import BEGIN, Day, job

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from runner.model import Project
    from runner.schedule.loop import News
    from runner.wire import Write

MINUTE = timedelta(minutes=1)
OFTEN = job("often", every=2 * MINUTE, attempts=3)


def lived(folder: Path, *, customers: int = 3) -> Day:
    day = Day(folder, (OFTEN,), seed=5)
    day.desk.put("users", "u", fullname="Agent")
    for n in range(customers):
        day.shop.put("Customer", f"C{n}", Name=f"name {n}", Phone="1")
    return day


def attempted(day: Day, *, ready: str = "") -> Taken:
    day.bell = Bell()
    return asyncio.run(take(day.project(), day.jobs, day._outside(), ready=ready))


def turn(day: Day, *, ready: str = "") -> Turn:
    taken = attempted(day, ready=ready)
    assert taken.turn is not None
    return taken.turn


def passes(day: Day, time: timedelta) -> None:
    day.time.passes(time.total_seconds())


def test_a_turn_does_what_apply_does_and_is_recorded(tmp_path: Path) -> None:
    day = lived(tmp_path)
    done = turn(day)
    assert (done.outcome, done.changes, done.failed) == (Outcome.DONE, 4, 0)
    assert len(day.desk.rows["accounts"]) == 3
    waits = attempted(day)
    assert waits.turn is None
    assert waits.due is not None
    assert waits.due.at == BEGIN + 2 * MINUTE
    assert day.turns()[-1] == done


def test_a_system_that_is_away_costs_an_attempt(tmp_path: Path) -> None:
    """F11: the counter is 1, and the job is ready again."""
    day = lived(tmp_path)
    day.goes(day.desk)
    found = []
    for _ in range(3):
        found.append(turn(day))
        passes(day, OFTEN.backoff)
    assert [t.attempt for t in found] == [1, 2, 3]
    assert [t.outcome for t in found] == [Outcome.FAILED, Outcome.FAILED, Outcome.GIVEN_UP]
    assert {t.due for t in found} == {BEGIN}
    assert found[0].message == "desk: it does not answer"
    day.comes_back(day.desk)
    passes(day, MINUTE)
    later = turn(day)
    assert (later.due, later.attempt, later.outcome) == (BEGIN + 2 * MINUTE, 1, Outcome.DONE)


def test_what_a_person_must_look_at_is_not_tried_again(tmp_path: Path) -> None:
    day = lived(tmp_path)
    turn(day)
    day.shop.rows["Customer"].clear()
    passes(day, 3 * MINUTE)
    found = turn(day)
    assert (found.outcome, found.exit_code) == (Outcome.GIVEN_UP, ExitCode.STOPPED)
    assert "returned no Customer at all" in found.message


def test_it_ends_between_two_windows_and_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply.write, "WINDOW", 2)
    day = lived(tmp_path, customers=7)

    def stop(write: Write) -> None:
        if write.entity == "accounts":
            day.stop()

    day.desk.afterwards = stop
    stopped = turn(day)
    assert stopped.outcome is Outcome.STOPPED
    assert len(day.desk.rows["accounts"]) == 2
    with held(day.world.project.state, "test") as store, store.opened() as state:
        assert not journal.unfinished(state)
    day.desk.afterwards = lambda _: None
    done = turn(day)
    assert (done.outcome, done.due, done.attempt) == (Outcome.DONE, stopped.due, 1)
    assert len(day.desk.rows["accounts"]) == len(day.desk.written) == 7


def test_a_job_that_is_called_runs_though_it_rests(tmp_path: Path) -> None:
    """H8: a change makes its job ready."""
    day = lived(tmp_path)
    day.jobs = (replace(OFTEN, quiet=timedelta(hours=12)),)
    turn(day)
    passes(day, 2 * MINUTE)
    assert turn(day).changes == 0
    passes(day, 10 * MINUTE)
    assert attempted(day).turn is None
    day.shop.put("Customer", "C0", Name="another")
    called = turn(day, ready="often")
    assert (called.changes, called.due) == (1, called.begun)


def test_a_fault_of_ours_ends_one_turn_alone(tmp_path: Path) -> None:
    day = lived(tmp_path)
    world = replace(day._outside(), fault=lambda error: f"a fault: {error}")
    day.desk.describe = broken  # type: ignore[method-assign, assignment]
    taken = asyncio.run(take(day.project(), day.jobs, world))
    assert taken.turn is not None
    assert (taken.turn.outcome, taken.turn.message) == (Outcome.FAILED, "a fault: oops")
    assert taken.turn.exit_code == ExitCode.FAULT


async def broken(_: object) -> None:
    raise ValueError("oops")


def test_nothing_runs_while_the_configuration_is_wrong(tmp_path: Path) -> None:
    day = lived(tmp_path)
    wrong, right = BEGIN + MINUTE / 2, BEGIN + 7 * MINUTE
    heard: list[News] = []

    def read() -> Project:
        if wrong < day.time.now() < right:
            raise ConfigError([Problem(HERE, "it is wrong")])
        return day.project()

    def hear(news: News) -> None:
        heard.append(news)
        if isinstance(news, Ended) and news.turn.begun > right:
            day.stop()

    asyncio.run(serve(read, (), day._outside(), hear))
    told = [kind for kind, _ in groupby(type(news) for news in heard)]
    assert told[:6] == [Read, Ended, Waits, Refused, Read, Ended]
    first, second = (turn for _, turn in day.began)
    assert first.begun == BEGIN
    assert right < second.begun < right + MINUTE
    assert second.missed == 2


def test_a_state_that_another_holds_is_waited_for(tmp_path: Path) -> None:
    day = lived(tmp_path)
    heard: list[News] = []

    other = held(day.world.project.state, "apply")
    other.__enter__()

    # Told once, however often it is asked for.
    def release() -> None:
        other.__exit__(None, None, None)

    day.time.at(BEGIN + MINUTE, release)

    def hear(news: News) -> None:
        heard.append(news)
        if isinstance(news, Ended):
            day.stop()

    asyncio.run(serve(day.project, (), day._outside(), hear))
    assert [type(news) for news in heard[:3]] == [Read, Held, Ended]
    assert isinstance(heard[1], Held)
    assert "is held by process" in str(heard[1].error)
    assert day.began[0][1].begun >= BEGIN + MINUTE
