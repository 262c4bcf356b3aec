"""A run about some records, or one way: what it reads, what it leaves, and that it says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import plan
from runner.errors import ConfigError, GuardError, RunnerError
from runner.model import Condition, DeleteConflict, Selection, Text
from runner.plan import Kind
from tests.fakes import HERE
from tests.world import AGENTS, CUSTOMERS, World, world

if TYPE_CHECKING:
    from pathlib import Path

    from runner.views.document import Document

NAMES = ("agents", "customers")
PAIR, ONE, TWO, DESKS = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 5))
"""Accounts that are not coupled yet."""


@pytest.fixture
def made(tmp_path: Path) -> World:
    """Three couples, of which two moved; records that match, that match twice, that match none."""
    made = world(tmp_path)
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    for key, name in (("10", "Alpha"), ("11", "Beta"), ("12", "Gone"), ("13", "Still")):
        made.shop.put("Customer", key, Name=name, Phone="1", Agent="JO")
    made.apply()
    accounts = key_of(made)
    made.shop.put("Customer", "10", Phone="2", Name="Alpha Ltd")
    made.desk.put("accounts", accounts["Alpha"], phone="3")
    made.shop.put("Customer", "11", Phone="2")
    made.desk.put("accounts", accounts["Beta"], name="Beta plc")
    made.shop.remove("Customer", "12")
    made.shop.put("Customer", "20", Name="Pair", Phone="1")
    made.desk.put("accounts", PAIR, name="pair")
    made.shop.put("Customer", "30", Name="Twice")
    made.desk.put("accounts", ONE, name="Twice")
    made.desk.put("accounts", TWO, name="Twice")
    made.shop.put("Customer", "40", Name="New", Phone="1", Agent="XX")
    made.desk.put("accounts", DESKS, name="From the desk")
    return made


def key_of(made: World) -> dict[Any, str]:
    return {row["name"]: key for key, row in made.desk.rows["accounts"].items()}


def actions(document: Document, mapping: str = "customers") -> list[Document]:
    (found,) = [m for m in document["mappings"] if m["mapping"] == mapping]
    told: list[Document] = found["actions"]
    return told


def test_a_plan_about_a_record_is_its_part_of_the_whole_plan(made: World) -> None:
    whole = actions(made.plan(*NAMES).document)
    keys = [*made.shop.rows["Customer"], *made.desk.rows["accounts"]]
    for key in keys:
        expected = [a for a in whole if key in (a["keys"]["shop"], a["keys"]["desk"])]
        if key in (ONE, TWO):  # the finding is told of the record that cannot be matched
            expected = [a for a in whole if a["keys"]["shop"] == "30"]
        found = made.plan("customers", records=(key,)).document
        assert actions(found) == expected, key
        assert found["mappings"][0]["unchanged"] == (key in ("13", key_of(made)["Still"])), key


def test_what_a_run_is_not_about_is_not_gone(made: World) -> None:
    for n in range(50, 70):
        made.shop.put("Customer", str(n), Name=f"Number {n}")
    made.apply()
    made.shop.put("Customer", "13", Phone="9")
    told = made.plan("customers", records=("13",)).document
    assert told["guards"] == []
    assert [a["action"] for a in actions(told)] == ["update"]


@pytest.mark.parametrize("name", ["shop", "desk"])
def test_a_coupled_record_is_read_by_its_key_and_so_is_its_partner(made: World, name: str) -> None:
    pair = ("10", key_of(made)["Alpha"])
    made.shop.asked.clear()
    made.desk.asked.clear()
    made.plan("customers", records=(pair[name == "desk"],))
    assert [(q.entity, q.keys) for q in made.shop.asked] == [("Customer", ("10",))]
    assert [(q.entity, q.keys) for q in made.desk.asked] == [("accounts", (pair[1],))]


def test_a_record_without_a_partner_is_matched_among_all(made: World) -> None:
    made.desk.asked.clear()
    assert made.plan("customers", records=("20",)).kinds()[0] == ("customers", "couple", None)
    assert [q.keys for q in made.desk.asked] == [()]


def test_what_matches_nothing_is_read_by_its_key(tmp_path: Path) -> None:
    alone = world(tmp_path, AGENTS, replace(CUSTOMERS, match=()))
    alone.shop.put("Customer", "10", Name="Alpha")
    alone.apply("customers")
    alone.shop.put("Customer", "20", Name="Beta")
    alone.desk.asked.clear()
    told = alone.apply("customers", records=("20",))
    assert told.counters["customers"]["inserted"] == 1
    assert alone.desk.asked == []
    assert sorted(key_of(alone)) == ["Alpha", "Beta"]


def test_keys_may_be_written_in_the_systems_own_way(made: World) -> None:
    made.shop.put("Customer", "AB", Name="Code")
    assert [a["label"] for a in actions(made.plan("customers", records=("ab",)).document)] == [
        "Code"
    ]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        pytest.param("1O", "near it are 10", id="mistyped"),
        pytest.param("nowhere", "`sync-run couplings customers --search TEXT`", id="elsewhere"),
    ],
)
def test_a_record_that_is_nowhere(made: World, key: str, hint: str) -> None:
    with pytest.raises(RunnerError, match=f"there is no record '{key}'") as caught:
        made.plan("customers", records=(key,))
    assert hint in caught.value.hint


def test_a_record_outside_the_filter_takes_no_part_and_is_counted(tmp_path: Path) -> None:
    picky = replace(CUSTOMERS.left, filter=Text(text="Name != 'Beta'", at=HERE))
    made = world(tmp_path, AGENTS, replace(CUSTOMERS, left=picky))
    made.shop.put("Customer", "20", Name="Beta")
    told = made.plan("customers", records=("20",)).document["mappings"][0]
    assert (told["actions"], told["filtered"]) == ([], {"shop": 1})


def test_a_system_that_returns_nothing_is_no_reason_to_delete(made: World) -> None:
    made.mappings = (AGENTS, replace(CUSTOMERS, deleted=DeleteConflict.DELETE))
    kept = dict(made.shop.rows["Customer"])
    told = made.plan("customers", records=(key_of(made)["Gone"],))
    assert told.kinds() == [("customers", "delete", "desk")]
    made.shop.rows["Customer"].clear()
    (guard,) = made.plan("customers", records=("10",)).document["guards"]
    assert guard["guard"] == "customers.empty"
    assert guard["what"].startswith("shop returned no Customer at all")
    with pytest.raises(GuardError):
        made.apply("customers", records=("10",))
    made.shop.rows["Customer"] |= kept


@pytest.mark.parametrize(
    ("system", "condition", "keys"),
    [
        pytest.param("shop", "Phone == '2'", ["10", "11"], id="left"),
        pytest.param("desk", "starts_with(name, 'Beta')", ["11"], id="right"),
        pytest.param("shop", "starts_with(No, '1') && Phone == '9'", [], id="none"),
        pytest.param("shop", "min([Phone, Phone]) == '2' && No == '10'", ["10"],
                     id="without SQL"),
    ],
)  # fmt: skip
def test_a_condition_narrows_and_nothing_reads_as_gone(
    made: World, system: str, condition: str, keys: list[str]
) -> None:
    where = Condition(system=system, text=condition)
    found = made.plan("customers", where=where).document
    whole = actions(made.plan("customers").document)
    assert actions(found) == [a for a in whole if a["keys"]["shop"] in keys]
    assert found["mappings"][0]["filtered"] == {}


def test_a_condition_that_does_not_fit(made: World) -> None:
    with pytest.raises(ConfigError, match=r"--where:1:1: Customer has no field 'Nam'.*'Name'"):
        made.plan("customers", where=Condition(system="shop", text="Nam == 'x'"))
    with pytest.raises(ConfigError, match="--where:1:"):
        made.plan("customers", where=Condition(system="shop", text="Name == "))


@pytest.mark.parametrize("to", ["shop", "desk"])
def test_one_way_leaves_the_other_for_later(made: World, to: str) -> None:
    (other,) = {"shop", "desk"} - {to}
    whole = made.plan(*NAMES).document
    part = made.plan(*NAMES, to=to).document
    for before, after in zip(whole["mappings"], part["mappings"], strict=True):
        expected = [
            a
            for a in before["actions"]
            # A new record of the other side gives its key back; there is none now.
            if a["system"] != other and (a["action"] != "update" or all(a["keys"].values()))
        ]
        assert [a for a in expected if a["action"] != "error"] == [
            a for a in after["actions"] if a["action"] != "error"
        ]
        left = {k: n for k, n in before["counts"].items() if k.endswith(f" {other}")}
        assert after["spared"] == left


def test_both_ways_one_after_the_other_come_to_the_same(made: World) -> None:
    made.apply(*NAMES, to="desk")
    assert not [w for w in made.shop.written if w.entity == "Customer"]
    assert made.shop.rows["Customer"]["11"]["Name"] == "Beta"
    made.apply(*NAMES, to="shop")
    assert made.shop.rows["Customer"]["11"]["Name"] == "Beta plc"
    assert made.desk.rows["accounts"][key_of(made)["Beta plc"]]["phone"] == "2"
    # A number that the shop gave to a new record goes back with the next run that writes there.
    (left,) = made.plan(*NAMES).document["mappings"][1]["actions"][:1]
    assert [change["field"] for change in left["fields"]] == ["number"]
    made.apply(*NAMES, to="desk")
    again = made.plan(*NAMES).document
    assert (again["changes"], again["mappings"][1]["spared"]) == (0, {})


def test_a_deleted_record_that_would_be_made_anew_is_not_forgotten(made: World) -> None:
    made.mappings = (AGENTS, replace(CUSTOMERS, deleted=DeleteConflict.RESTORE))
    gone = key_of(made)["Gone"]
    found = made.plan("customers", records=(gone,), to="desk").document["mappings"][0]
    assert (found["actions"], found["spared"]) == ([], {"create shop": 1})
    assert made.plan("customers", records=(gone,)).kinds() == [
        ("customers", "uncouple", None),
        ("customers", "create", "shop"),
        ("customers", "update", "desk"),
    ]


@pytest.mark.parametrize(("prefer", "phone"), [("shop", "2"), ("desk", "3")])
def test_who_is_preferred_wins_this_once(made: World, prefer: str, phone: str) -> None:
    assert [a["action"] for a in actions(made.plan("customers", records=("10",)).document)] == [
        "conflict"
    ]
    told = made.apply("customers", records=("10",), prefer=prefer)
    assert (told.exit_code, told.counters["customers"]["failed"]) == (0, 0)
    account = made.desk.rows["accounts"][key_of(made)["Alpha Ltd"]]
    assert (made.shop.rows["Customer"]["10"]["Phone"], account["phone"]) == (phone, phone)
    assert made.plan("customers", records=("10",)).kinds() == []


def test_pairs_alone_writes_to_no_system(made: World) -> None:
    whole = made.plan("customers").document["mappings"][0]
    written = len(made.shop.written), len(made.desk.written)
    told = made.apply("customers", pairs_alone=True).document["mappings"][0]
    assert [(a["action"], a["keys"]["shop"]) for a in told["actions"]] == [
        ("couple", "20"),
        ("error", "30"),
    ]
    assert told["uncoupled"] == {"shop": 1, "desk": 1} == whole["uncoupled"]
    assert (told["coupled"], told["unchanged"]) == (whole["coupled"], whole["unchanged"])
    assert (len(made.shop.written), len(made.desk.written)) == written
    after = made.plan("customers").document["mappings"][0]
    assert after["coupled"] == whole["coupled"] + 1
    rest = [a for a in whole["actions"] if a["action"] != "couple"]
    assert [a["keys"] for a in after["actions"]] == [a["keys"] for a in rest]


def test_a_saved_plan_says_what_it_is_about(made: World, tmp_path: Path) -> None:
    told = {"records": ("10",), "to": "desk", "prefer": "shop"}
    made.plan("customers", out=tmp_path / "saved.plan", **told)
    saved = plan.opened(tmp_path / "saved.plan")
    assert saved.header.selection == Selection(mappings=("customers",), **told)  # type: ignore[arg-type]
    assert [action.kind for action in saved.actions()] == [Kind.UPDATE]
    saved.release()
