"""What the state remembers of runs, and what becomes of records that fail again and again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.errors import ExitCode, GuardError, SystemUnavailableError
from runner.plan import Kind
from runner.run import Extent
from runner.state import errors, held, history, readable, runs
from runner.wire import Drifted, Outcome, Rejected, Write, WriteKind
from tests.watched import Clock, Tells, Watched
from tests.world import AGENTS, CUSTOMERS, TO_RIGHT, World, desk, field, shop, world

if TYPE_CHECKING:
    from runner.state.errors import OpenError
    from tests.world import Told

REFERRING = (AGENTS, replace(CUSTOMERS, attempts=2))
PLAIN = replace(
    CUSTOMERS,
    attempts=2,
    match=(),
    fields=tuple(rule for rule in CUSTOMERS.fields if rule.left in ("No", "Name", "Phone")),
)


@pytest.fixture
def small(tmp_path: Path) -> World:
    """One coupled customer, in step; a record may fail twice."""
    made = world(tmp_path, PLAIN)
    made.shop.put("Customer", "10", Name="Alpha", Phone="1")
    assert made.apply().exit_code is ExitCode.DONE
    return made


def key(made: World) -> str:
    (found,) = made.desk.rows["accounts"]
    return found


def still(made: World) -> tuple[OpenError, ...]:
    with readable(made.project.state) as state:
        return errors.find(state)


def last(made: World) -> history.Run:
    with readable(made.project.state) as state:
        (found,) = history.runs(state, made.project.state, limit=1)
    return found


def refuse(made: World, message: str = "the account is locked") -> None:
    made.desk.fails = lambda _: Rejected(code="7", message=message)


def seen(told: Told) -> tuple[int, int, ExitCode]:
    counted = told.counters["customers"]
    return counted["failed"], counted["skipped"], told.exit_code


FAILED, SKIPPED = (1, 0, ExitCode.RECORDS_FAILED), (0, 1, ExitCode.DONE)


def clash(made: World, left: str = "2", right: str = "3") -> None:
    made.shop.put("Customer", "10", Phone=left)
    made.desk.put("accounts", key(made), phone=right)


def test_a_conflict_is_skipped_after_as_many_failures_as_it_may_have(small: World) -> None:
    clash(small)
    assert [seen(small.apply()) for _ in range(4)] == [FAILED, FAILED, SKIPPED, SKIPPED]
    (skipped,) = small.plan().actions(Kind.SKIP)
    assert skipped["reason"] == "it failed 2 times in the same way: both sides changed"
    assert skipped["hint"] == "`sync-run retry customers 10` takes it up again"
    (error,) = still(small)
    assert (error.kind, error.field, error.attempts) == ("conflict", "Phone / phone", 2)
    assert (error.first_run, error.last_run) == (2, 5)


@pytest.mark.parametrize("edited", ["the field", "another field", "the other side"])
def test_what_changed_since_is_tried_again(small: World, edited: str) -> None:
    clash(small)
    for _ in range(3):
        told = small.apply()
    assert seen(told) == SKIPPED
    match edited:
        case "the field":
            small.shop.put("Customer", "10", Phone="9")
        case "another field":
            small.shop.put("Customer", "10", Name="Alpha Ltd")
        case _:
            small.desk.put("accounts", key(small), name="Alpha Inc")
    assert [seen(small.apply()) for _ in range(3)] == [FAILED, FAILED, SKIPPED]


def test_a_conflict_that_was_solved_closes_by_itself(small: World) -> None:
    clash(small)
    for _ in range(3):
        small.apply()
    small.desk.put("accounts", key(small), phone="2")
    told = small.apply()
    assert seen(told) == (0, 0, ExitCode.DONE)
    assert still(small) == ()


def test_a_refused_write_is_not_sent_again_and_counts_as_skipped(small: World) -> None:
    refuse(small)
    small.shop.put("Customer", "10", Phone="2")
    sent: list[Write] = []

    def refused(write: Write) -> Outcome:
        sent.append(write)
        return Rejected(code="7", message="the account is locked")

    small.desk.fails = refused
    assert [seen(small.apply()) for _ in range(3)] == [FAILED, FAILED, SKIPPED]
    assert len(sent) == 2
    (error,) = still(small)
    assert (error.kind, error.reason) == ("rejected", "the account is locked (7)")
    assert (error.left_key, error.right_key) == ("10", key(small))


def test_only_failures_with_the_same_cause_count(small: World) -> None:
    small.shop.put("Customer", "10", Phone="2")
    for message in ("locked", "no licence", "locked"):
        refuse(small, message)
        assert seen(small.apply()) == FAILED
    (error,) = still(small)
    assert error.attempts == 1
    assert error.first_run == error.last_run == 4


def test_a_refused_create_is_skipped_with_all_that_follows_from_it(tmp_path: Path) -> None:
    made = world(tmp_path, PLAIN)
    made.desk.put("accounts", "g1", name="Beta")
    made.shop.fails = lambda _: Rejected(code="", message="no number series")
    told = [made.apply() for _ in range(3)]
    assert [t.counters["customers"]["failed"] for t in told] == [2, 2, 0]
    assert seen(told[2]) == SKIPPED
    assert told[2].kinds() == [("customers", "skip", None)]
    (skipped,) = told[2].actions(Kind.SKIP)
    assert skipped["keys"] == {"shop": None, "desk": "g1"}
    assert skipped["hint"] == "`sync-run retry customers g1` takes it up again"
    (error,) = still(made)
    assert (error.left_key, error.right_key) == (None, "g1")
    made.shop.fails = lambda _: None
    assert seen(made.apply()) == SKIPPED  # nothing that we know of changed
    made.desk.put("accounts", "g1", name="Beta Ltd")
    assert made.apply().counters["customers"]["inserted"] == 1
    assert still(made) == ()


def test_a_reference_that_was_skipped_is_followed_once_it_leads_somewhere(tmp_path: Path) -> None:
    small = world(tmp_path, *REFERRING)
    small.shop.put("Customer", "20", Name="Beta", Agent="XX")
    assert [seen(small.apply()) for _ in range(3)] == [FAILED, FAILED, SKIPPED]
    small.shop.put("Agent", "XX", Name="Xavier")
    small.desk.put("users", "ux", fullname="Xavier")
    told = small.apply()
    assert told.exit_code is ExitCode.DONE
    assert told.counters["customers"]["inserted"] == 1
    assert still(small) == ()


def test_what_passes_by_itself_is_never_skipped(small: World) -> None:
    small.shop.put("Customer", "10", Phone="2")
    small.desk.fails = lambda _: Drifted(message="somebody was faster")
    assert [seen(small.apply()) for _ in range(4)] == [FAILED] * 4


def test_unlimited_attempts_never_skip(tmp_path: Path) -> None:
    made = world(tmp_path, replace(PLAIN, attempts=0))
    made.desk.fails = lambda _: Rejected(code="7", message="locked")
    made.shop.put("Customer", "20", Name="Beta")
    assert [seen(made.apply()) for _ in range(3)] == [FAILED] * 3
    (error,) = still(made)
    assert error.attempts == 3


def test_another_way_of_writing_is_tried_at_once(small: World) -> None:
    refuse(small)
    small.shop.put("Customer", "10", Phone="2")
    for _ in range(3):
        told = small.apply()
    assert seen(told) == SKIPPED
    more = (*PLAIN.fields, field("", "kind", TO_RIGHT, constant=3))
    small.mappings = (replace(PLAIN, fields=more),)
    assert seen(small.apply()) == FAILED


def test_retry_forgets_how_often_it_failed(small: World) -> None:
    clash(small)
    for _ in range(3):
        small.apply()
    with held(small.project.state, "test") as store, store.opened() as state:
        assert errors.take_up(state, "customers", key(small)) == 1
    assert [seen(small.apply()) for _ in range(3)] == [FAILED, FAILED, SKIPPED]
    (error,) = still(small)
    assert error.first_run == 2


def test_a_record_set_aside_by_hand_is_neither_written_nor_forgotten(small: World) -> None:
    small.shop.put("Customer", "10", Phone="2", Name="Alpha Ltd")
    small.shop.put("Customer", "20", Name="Beta")
    with held(small.project.state, "test") as store, store.opened() as state:
        errors.skip(state, "customers", "10")
        errors.skip(state, "customers", "20")
    told = small.apply()
    assert seen(told) == (0, 2, ExitCode.DONE)
    assert small.desk.rows["accounts"][key(small)]["phone"] == "1"
    assert [(e.left_key, e.kind, e.by_hand) for e in still(small)] == [
        ("10", "skipped", True),
        ("20", "skipped", True),
    ]
    with held(small.project.state, "test") as store, store.opened() as state:
        assert errors.unskip(state, "customers", key(small)) == 1
        assert errors.unskip(state, "customers", "20") == 1
    told = small.apply()
    counted = told.counters["customers"]
    assert (counted["inserted"], counted["modified"], counted["skipped"]) == (1, 1, 0)


def test_a_deleted_record_takes_its_error_along(small: World) -> None:
    refuse(small)
    small.shop.put("Customer", "20", Name="Beta")
    small.apply()
    assert len(still(small)) == 1
    small.shop.remove("Customer", "20")
    small.apply()
    assert still(small) == ()


def test_a_mapping_that_is_no_more_has_no_errors(small: World) -> None:
    clash(small)
    small.apply()
    assert len(still(small)) == 1
    small.mappings = (replace(PLAIN, name="clients"),)
    small.apply()
    assert [error.mapping for error in still(small)] == []


def test_a_run_of_other_mappings_closes_nothing(tmp_path: Path) -> None:
    small = world(tmp_path, *REFERRING)
    small.shop.put("Customer", "20", Name="Beta", Agent="XX")
    small.apply()
    small.apply("agents")
    (error,) = still(small)
    assert (error.attempts, error.last_run) == (1, 1)


def test_a_run_that_stopped_closes_only_what_it_got_to(small: World) -> None:
    refuse(small)
    small.shop.put("Customer", "10", Phone="2")
    small.apply()

    def gone(_: Write) -> Outcome | None:
        raise SystemUnavailableError("desk", "gone")

    small.desk.fails = gone
    told = small.apply()
    assert last(small).message == "desk: gone"
    assert told.exit_code is ExitCode.RECORDS_FAILED
    (error,) = still(small)
    assert error.reason == "the account is locked (7)"
    small.desk.fails = lambda _: None
    assert small.apply().exit_code is ExitCode.DONE
    assert still(small) == ()


def test_a_run_that_found_nothing_to_do_stands_in_the_history(small: World) -> None:
    small.apply()
    found = last(small)
    assert (found.run, found.state, found.exit_code, found.message) == (2, "ended", 0, None)
    assert found.counters["unchanged"] == 1


@pytest.mark.parametrize("moment", ["reading", "writing"])
def test_a_killed_run_is_told_as_one_that_never_ended(tmp_path: Path, moment: str) -> None:
    script = f"""
import os
from pathlib import Path
from tests.apply.test_history import PLAIN
from tests.world import world

def die(*_):
    os._exit(9)

made = world(Path({str(tmp_path)!r}), PLAIN)
made.shop.put("Customer", "10", Name="Alpha", Phone="1")
made.apply()
made.shop.put("Customer", "10", Phone="2")
made.desk.{"pages" if moment == "reading" else "fails"} = die
made.apply()
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path.cwd())
    assert done.returncode == 9
    made = world(tmp_path, PLAIN)
    found = last(made)
    assert (found.run, found.state, found.exit_code, found.ended) == (2, "lost", None, None)
    assert found.counters == ({} if moment == "reading" else {"open": 1})
    with held(made.project.state, "apply"):
        assert last(made).state == "running"
    with pytest.raises(GuardError):
        made.apply()  # these systems are empty
    with readable(made.project.state) as state:
        found_all = history.runs(state, made.project.state, limit=None)
    assert [(r.state, r.exit_code) for r in found_all] == [
        ("ended", 4),
        ("lost", None),
        ("ended", 0),
    ]


def test_an_error_on_the_way_ends_a_run_in_its_words(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise SystemUnavailableError("desk", "it did not answer")

    monkeypatch.setattr(small.desk, "pages", away)
    with pytest.raises(ExceptionGroup):
        small.apply()
    found = last(small)
    assert (found.state, found.exit_code, found.message) == ("ended", 1, "desk: it did not answer")
    assert found.counters == {}


def test_old_runs_are_forgotten_but_what_is_needed_stays(small: World) -> None:
    small.desk.fails = lambda write: (
        None if write.kind is WriteKind.CREATE else Rejected(code="7", message="locked")
    )
    small.shop.put("Customer", "10", Phone="2")
    small.apply()  # run 2 meets an error, which stays open
    small.apply()
    small.shop.put("Customer", "20", Name="Beta")
    for _ in range(4):
        small.apply()  # run 4 is the last that wrote, run 7 the last that saw the error
    with held(small.project.state, "test") as store, store.opened() as state:
        state.execute("UPDATE state.main.run SET started = started - INTERVAL 10 DAY")
        assert runs.purge(state, timedelta(days=11)) == 0
        assert runs.purge(state, timedelta(days=9)) == 4
        kept = state.execute("SELECT id FROM state.main.run ORDER BY id").fetchall()
        assert kept == [(2,), (4,), (7,)]
        for table in ("job", "timing", "finding", "journal"):
            left = state.execute(f"SELECT DISTINCT run FROM state.main.{table}").fetchall()
            assert {run for (run,) in left} <= {2, 4, 7}
        assert runs.begin(state, runs.Beginning(command="apply")).number == 8


def test_nothing_to_do_leaves_saved_plans_as_good_as_they_were(small: World) -> None:
    with held(small.project.state, "test") as store, store.opened() as state:
        before = runs.identity(state)
    small.apply()
    with held(small.project.state, "test") as store, store.opened() as state:
        assert runs.identity(state) == before


@pytest.mark.parametrize("tells", Tells)
@pytest.mark.parametrize("aside", ["by failing", "by hand"])
def test_an_incremental_run_knows_who_is_skipped_and_who_was_taken_up(
    tmp_path: Path, tells: Tells, aside: str
) -> None:
    clock = Clock()
    made = World(
        tmp_path,
        Watched(shop().types, tells, clock),
        Watched(desk().types, tells, clock, client_keys=True),
        (PLAIN,),
    )
    made.extent = Extent(incremental=True, now=clock)
    made.shop.put("Customer", "10", Name="Alpha", Phone="1")
    made.apply()
    clash(made)
    for _ in range(2 if aside == "by failing" else 1):
        assert seen(made.apply()) == FAILED
    if aside == "by hand":
        with held(made.project.state, "test") as store, store.opened() as state:
            errors.skip(state, "customers", "10")
    assert [seen(made.apply()) for _ in range(2)] == [SKIPPED, SKIPPED]
    with held(made.project.state, "test") as store, store.opened() as state:
        errors.take_up(state, "customers", "10")
    # Nothing changed in either system: it is the person's word alone that brings it back.
    assert made.plan().kinds() == [("customers", "conflict", None)]
    assert seen(made.apply()) == FAILED
    made.desk.put("accounts", key(made), phone="2")
    assert seen(made.apply()) == (0, 0, ExitCode.DONE)
    assert made.plan().kinds() == []
