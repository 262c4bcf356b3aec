"""What an undo says of each kind of write, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runner.errors import GuardError, RunnerError
from runner.model import DeleteConflict
from runner.plan import Kind
from runner.wire import Unknown
from tests.world import AGENTS, CUSTOMERS, Told, World, world

if TYPE_CHECKING:
    from pathlib import Path

UNDONE = ("customers", "update", "desk")


@pytest.fixture
def made(tmp_path: Path) -> World:
    """Run 1 coupled an agent and made an account; run 2 changed its phone and its name."""
    made = world(tmp_path, AGENTS, replace(CUSTOMERS, deleted=DeleteConflict.DELETE))
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    made.shop.put("Customer", "10", Name="Alpha", Phone="1", Agent="JO")
    made.shop.put("Customer", "20", Name="Other")
    made.apply()
    made.shop.put("Customer", "10", Name="Beta", Phone="2")
    made.apply()
    return made


def account(made: World) -> str:
    (key,) = [k for k, row in made.desk.rows["accounts"].items() if row["number"] == "10"]
    return key


def undo(made: World, run: int) -> Told:
    return made.undo(run, out=made.folder / "undo.plan")


def apply(made: World, **more: list[str]) -> Told:
    return made.apply_file(made.folder / "undo.plan", **more)  # type: ignore[arg-type]


def test_changed_fields_get_their_old_values_back(made: World) -> None:
    told = undo(made, 2)
    assert told.kinds() == [UNDONE]
    assert told.document["undoes"] == 2
    (action,) = told.actions(Kind.UPDATE)
    assert action["reason"] == "run 2 changed it"
    assert [(f["field"], f["old"], f["new"]) for f in action["fields"]] == [
        ("name", "Beta", "Alpha"), ("phone", "2", "1"),
    ]  # fmt: skip
    apply(made)
    row = made.desk.rows["accounts"][account(made)]
    assert (row["name"], row["phone"]) == ("Alpha", "1")
    assert made.shop.rows["Customer"]["10"]["Phone"] == "2"
    # It stays undone until somebody edits the record again.
    assert made.apply().kinds() == []
    made.shop.put("Customer", "10", Phone="3")
    assert made.apply().kinds() == [UNDONE]
    assert made.desk.rows["accounts"][account(made)]["name"] == "Alpha"


def test_what_changed_since_is_a_conflict_and_stays(made: World) -> None:
    made.desk.put("accounts", account(made), phone="9")
    told = undo(made, 2)
    assert told.kinds() == [("customers", "conflict", None)]
    (conflict,) = told.actions(Kind.CONFLICT)
    assert conflict["reason"] == "changed since run 2 wrote it"
    (field,) = conflict["fields"]
    assert (field["right"], field["right_base"], field["right_value"]) == ("phone", "2", "9")
    apply(made)
    assert made.desk.rows["accounts"][account(made)]["name"] == "Beta"


def test_what_a_later_run_wrote_is_changed_too(made: World) -> None:
    made.shop.put("Customer", "10", Phone="3")
    made.apply()
    assert undo(made, 2).kinds() == [("customers", "conflict", None)]
    assert undo(made, 3).kinds() == [UNDONE]


def test_other_fields_may_have_changed(made: World) -> None:
    made.desk.put("accounts", account(made), kind=7)
    assert undo(made, 2).kinds() == [UNDONE]
    apply(made)
    row = made.desk.rows["accounts"][account(made)]
    assert (row["name"], row["phone"], row["kind"]) == ("Alpha", "1", 7)


def test_an_edit_between_undo_and_apply_is_not_overwritten(made: World) -> None:
    undo(made, 2)
    made.desk.put("accounts", account(made), phone="9")
    assert apply(made).failures == ["drifted: changed meanwhile"]
    assert made.desk.rows["accounts"][account(made)]["phone"] == "9"


def test_what_is_there_already_needs_no_undoing(made: World) -> None:
    made.desk.put("accounts", account(made), phone="1")
    (action,) = undo(made, 2).actions(Kind.UPDATE)
    assert [f["field"] for f in action["fields"]] == ["name"]
    made.desk.put("accounts", account(made), name="Alpha")
    assert undo(made, 2).kinds() == []


def test_what_is_gone_is_a_conflict(made: World) -> None:
    made.desk.remove("accounts", account(made))
    (conflict,) = undo(made, 2).actions(Kind.CONFLICT)
    assert conflict["reason"] == "it is gone"


def test_what_was_created_is_deleted_and_uncoupled_unless_somebody_works_with_it(
    made: World,
) -> None:
    told = undo(made, 1)
    # Run 2 wrote to one of the two accounts; the agents were coupled, and are not deleted.
    assert told.kinds() == [
        ("agents", "uncouple", None),
        ("customers", "delete", "desk"),
        ("customers", "conflict", None),
    ]
    assert told.actions(Kind.CONFLICT)[0]["reason"] == "changed since run 1 created it"
    apply(made)
    assert list(made.desk.rows["accounts"]) == [account(made)]
    assert list(made.desk.rows["users"]) == ["u1"]
    assert ("agents", "couple", None) in made.plan().kinds()


def test_what_was_created_and_is_gone_is_uncoupled(made: World) -> None:
    made.desk.remove("accounts", account(made))
    assert ("customers", "uncouple", None) in undo(made, 1).kinds()


def test_what_was_deleted_is_made_anew_under_its_key(made: World) -> None:
    key = account(made)
    before = made.desk.rows["accounts"][key].copy()
    made.shop.remove("Customer", "10")
    (deletion,) = made.apply().actions(Kind.DELETE)
    assert ("phone", "2") in [(f["field"], f["old"]) for f in deletion["fields"]]
    assert key not in made.desk.rows["accounts"]
    assert undo(made, 3).kinds() == [("customers", "create", "desk")]
    apply(made)
    assert made.desk.rows["accounts"][key] == before
    # Its partner is gone: it is a record like any new one, and is not deleted again.
    assert made.apply().kinds()[0] == ("customers", "create", "shop")


def test_a_ceiling_stands_over_an_undo_too(tmp_path: Path) -> None:
    made = world(tmp_path)
    for n in range(20):
        made.shop.put("Customer", f"{n}", Name=f"Customer {n}")
    made.apply()
    told = undo(made, 1)
    assert told.document["guards"][0]["guard"] == "customers.max_deletes"
    with pytest.raises(GuardError):
        apply(made)
    apply(made, allow=["deletes"])
    assert made.desk.rows["accounts"] == {}


def test_a_run_that_is_none_or_did_nothing_is_told(made: World) -> None:
    with pytest.raises(RunnerError, match="there is no run 9") as caught:
        undo(made, 9)
    assert caught.value.hint == "there are 1 to 2"
    made.shop.put("Customer", "30", Name="A" * 20)
    made.desk.fails = lambda _: Unknown(message="lost")
    made.apply()
    with pytest.raises(RunnerError, match="the outcome of 1 writes of run 3 is open"):
        undo(made, 3)
    made.mappings = (AGENTS,)
    with pytest.raises(RunnerError, match="by mapping customers, which is there no more"):
        undo(made, 2)


def test_nothing_can_be_undone_where_nothing_was_done(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="there is no run 1"):
        undo(world(tmp_path), 1)
