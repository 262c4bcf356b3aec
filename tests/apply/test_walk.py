"""What a plan says and what an apply does, on two small systems in memory."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner.errors import ExitCode, StateHeldError, SystemUnavailableError
from runner.events import RunEnded
from runner.model import DeleteConflict, Drift, UpdateConflict
from runner.plan import Kind
from runner.state import couplings, errors, held, history, readable
from runner.wire import Drifted, EntityType, Outcome, Rejected, Type, Unknown, Unsent, WriteKind
from tests.fakes import Fake, fields
from tests.world import AGENTS, BOTH, CUSTOMERS, TO_LEFT, TO_RIGHT, World, field, mapping, world

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small(tmp_path: Path) -> World:
    """One agent on both sides, one coupled customer, everything in step."""
    made = world(tmp_path)
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    made.shop.put("Customer", "10", Name="Alpha", Phone="1", Credit=Decimal("5.5"), Agent="JO")
    assert made.apply().exit_code is ExitCode.DONE
    return made


def account(world: World, name: str) -> str:
    (key,) = [k for k, row in world.desk.rows["accounts"].items() if row.get("name") == name]
    return key


def test_a_new_record_is_created_with_its_references_resolved(small: World) -> None:
    row = small.desk.rows["accounts"][account(small, "Alpha")]
    assert (row["number"], row["phone"], row["credit"], row["ownerid"], row["kind"]) == (
        "10", "1", Decimal("5.5"), "u1", 3,
    )  # fmt: skip


def test_a_second_run_finds_nothing_to_do_and_writes_nothing(small: World) -> None:
    before = len(small.shop.written) + len(small.desk.written)
    told = small.apply()
    assert told.document["changes"] == 0
    assert told.exit_code is ExitCode.DONE
    assert len(small.shop.written) + len(small.desk.written) == before


def test_different_fields_changed_apart_travel_in_opposite_directions(small: World) -> None:
    key = account(small, "Alpha")
    small.shop.put("Customer", "10", Phone="2")
    small.desk.put("accounts", key, name="Alpha Ltd")
    told = small.apply()
    assert told.kinds() == [("customers", "update", "shop"), ("customers", "update", "desk")]
    assert small.shop.rows["Customer"]["10"]["Name"] == "Alpha Ltd"
    assert small.desk.rows["accounts"][key]["phone"] == "2"
    assert small.plan().document["changes"] == 0


def test_only_changed_fields_are_sent(small: World) -> None:
    small.shop.put("Customer", "10", Phone="2")
    small.apply()
    assert dict(small.desk.written[-1].values) == {"phone": "2"}


def test_the_same_field_changed_apart_is_a_conflict_and_neither_side_is_touched(
    small: World,
) -> None:
    key = account(small, "Alpha")
    small.shop.put("Customer", "10", Phone="2", Name="Alpha Ltd")
    small.desk.put("accounts", key, phone="3")
    told = small.apply()
    assert told.kinds() == [("customers", "conflict", None)]
    (shown,) = told.actions(Kind.CONFLICT)[0]["fields"]
    assert (shown["left_base"], shown["left_value"], shown["right_value"]) == ("1", "2", "3")
    assert told.exit_code is ExitCode.RECORDS_FAILED
    assert small.desk.rows["accounts"][key]["name"] == "Alpha"
    assert small.apply().kinds() == told.kinds()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(UpdateConflict.PREFER_LEFT, "2"), (UpdateConflict.PREFER_RIGHT, "3")],
)
def test_a_preferred_side_wins_a_conflict(
    tmp_path: Path, policy: UpdateConflict, expected: str
) -> None:
    rules = tuple(replace(rule, conflict=policy) for rule in CUSTOMERS.fields if not rule.lookups)
    made = world(tmp_path, replace(CUSTOMERS, fields=rules))
    made.shop.put("Customer", "10", Name="Alpha", Phone="1")
    made.apply()
    key = account(made, "Alpha")
    made.shop.put("Customer", "10", Phone="2")
    made.desk.put("accounts", key, phone="3")
    assert made.apply().exit_code is ExitCode.DONE
    phones = made.shop.rows["Customer"]["10"]["Phone"], made.desk.rows["accounts"][key]["phone"]
    assert phones == (expected, expected)


def test_both_changed_alike_only_moves_the_base(small: World) -> None:
    key = account(small, "Alpha")
    small.shop.put("Customer", "10", Phone="2")
    small.desk.put("accounts", key, phone="2")
    before = len(small.desk.written)
    assert small.apply().kinds() == []
    assert len(small.desk.written) == before
    small.shop.put("Customer", "10", Phone="1")
    assert small.plan().kinds() == [("customers", "update", "desk")]


def test_a_key_that_the_system_gives_is_written_back_in_the_same_run(small: World) -> None:
    small.desk.put("accounts", "g2", name="Beta", ownerid="u1")
    told = small.apply()
    assert told.kinds() == [("customers", "create", "shop"), ("customers", "update", "desk")]
    change = told.actions(Kind.UPDATE)[0]["fields"][0]
    assert (change["field"], change["known_after_apply"]) == ("number", True)
    assert small.desk.rows["accounts"]["g2"]["number"] == "N00001"
    assert small.shop.rows["Customer"]["N00001"]["Agent"] == "JO"
    assert small.apply().kinds() == []


def test_new_keys_take_the_first_free_numbers(small: World) -> None:
    small.shop.put("Agent", "A2", Name="Two")
    for n in range(3):
        small.desk.put("users", f"v{n}", fullname=f"New {n}")
    small.apply()
    names = {code: row["Name"] for code, row in small.shop.rows["Agent"].items()}
    assert names == {"JO": "Jo", "A2": "Two", "A1": "New 0", "A3": "New 1", "A4": "New 2"}


def test_a_reference_to_a_record_that_this_plan_creates(small: World) -> None:
    small.desk.put("users", "u9", fullname="Nine")
    small.desk.put("accounts", "g9", name="Nine's", ownerid="u9")
    assert small.apply().exit_code is ExitCode.DONE
    assert small.shop.rows["Customer"]["N00001"]["Agent"] == "A1"


def test_a_reference_to_an_uncoupled_record_fails_that_record_alone(small: World) -> None:
    small.shop.put("Customer", "20", Name="Beta", Agent="XX")
    small.shop.put("Customer", "30", Name="Gamma")
    told = small.apply()
    assert told.kinds() == [("customers", "create", "desk"), ("customers", "error", None)]
    assert told.actions(Kind.ERROR)[0]["reason"] == "Agent 'XX' is not coupled (mapping agents)"
    assert told.exit_code is ExitCode.RECORDS_FAILED
    small.shop.put("Agent", "XX", Name="Xavier")
    small.desk.put("users", "ux", fullname="Xavier")
    assert small.apply().exit_code is ExitCode.DONE


def test_a_blank_that_is_kept_back_never_wipes_a_value(small: World) -> None:
    small.shop.put("Customer", "10", Agent=None)
    assert small.apply().kinds() == []
    assert small.desk.rows["accounts"][account(small, "Alpha")]["ownerid"] == "u1"


def test_a_matched_pair_fills_blanks_and_keeps_what_differs_as_conflict(small: World) -> None:
    small.shop.put("Customer", "20", Name="Beta", Phone="7")
    small.desk.put("accounts", "g2", name="BETA")
    small.shop.put("Customer", "30", Name="Gamma", Phone="8")
    small.desk.put("accounts", "g3", name="Gamma", phone="9")
    told = small.apply()
    assert told.kinds() == [
        ("customers", "couple", None),
        ("customers", "couple", None),
        ("customers", "update", "desk"),
        ("customers", "conflict", None),
    ]
    assert small.desk.rows["accounts"]["g2"] == {
        "accountid": "g2", "name": "BETA", "phone": "7", "number": "20", "kind": 3,
    }  # fmt: skip
    assert "number" not in small.desk.rows["accounts"]["g3"]


def test_two_candidates_are_a_finding_and_never_a_guess(small: World) -> None:
    small.shop.put("Customer", "20", Name="Beta")
    small.desk.put("accounts", "g2", name="Beta")
    small.desk.put("accounts", "g3", name="beta")
    told = small.apply()
    assert told.kinds() == [("customers", "error", None)]
    assert (
        told.actions(Kind.ERROR)[0]["reason"] == "ambiguous match by Name = name: accounts g2, g3"
    )
    assert "20" in small.shop.rows["Customer"]
    assert len(small.shop.rows["Customer"]) == 2


def test_a_record_deleted_on_one_side_asks_to_be_uncoupled(small: World) -> None:
    small.shop.put("Customer", "20", Name="Another")
    small.apply()
    small.desk.remove("accounts", account(small, "Alpha"))
    told = small.apply()
    (error,) = told.actions(Kind.ERROR)
    assert error["reason"] == "the coupled accounts was deleted in desk"
    assert error["hint"] == "uncouple it first: `sync-run uncouple customers 10`"
    assert "10" in small.shop.rows["Customer"]


def test_a_record_gone_on_both_sides_is_uncoupled(small: World) -> None:
    small.shop.put("Customer", "20", Name="Another")
    small.apply()
    small.desk.remove("accounts", account(small, "Alpha"))
    small.shop.remove("Customer", "10")
    assert small.apply().kinds() == [("customers", "uncouple", None)]
    assert small.apply().kinds() == []


def test_a_text_that_the_other_side_cannot_keep_fails_that_record(small: World) -> None:
    small.desk.put("accounts", account(small, "Alpha"), name="A" * 21)
    (error,) = small.plan().actions(Kind.ERROR)
    assert error["reason"] == "name is 21 characters long, Customer.Name keeps 20"


def test_a_text_that_had_to_be_cut_is_no_change(tmp_path: Path) -> None:
    made = world(
        tmp_path, replace(CUSTOMERS, fields=(field("Name", "name"),), match=CUSTOMERS.match[1:])
    )
    made.shop.put("Customer", "10", Name="A" * 20)
    made.apply()
    made.desk.put("accounts", account(made, "A" * 20), name="A" * 20 + " and more")
    assert made.plan().kinds() == []


def test_drift_of_a_one_way_target_is_overwritten_and_said_so(small: World) -> None:
    small.desk.put("accounts", account(small, "Alpha"), credit=Decimal(99))
    told = small.apply()
    (change,) = told.actions(Kind.UPDATE)[0]["fields"]
    assert (change["old"], change["new"], change["drift"]) == ("99", "5.5", True)


def test_drift_of_a_one_way_target_may_be_reported_only(tmp_path: Path) -> None:
    rule = field("Phone", "phone", TO_RIGHT, drift=Drift.REPORT)
    made = world(tmp_path, replace(CUSTOMERS, fields=(field("Name", "name"), rule), match=()))
    made.shop.put("Customer", "10", Name="Alpha", Phone="1")
    made.apply()
    made.desk.put("accounts", account(made, "Alpha"), phone="9")
    told = made.apply()
    assert told.kinds() == [("customers", "drift", None)]
    assert made.desk.rows["accounts"][account(made, "Alpha")]["phone"] == "9"
    with readable(made.project.state) as state:
        (finding,) = history.findings(state, 2)
        assert errors.find(state) == ()
    assert (finding.kind, finding.left_key, finding.field) == ("drift", "10", "Phone / phone")


def test_a_mapping_turned_around_plans_the_opposite_direction(tmp_path: Path) -> None:
    def turned(direction: object) -> World:
        rules = (field("Name", "name", direction), field("Phone", "phone", direction))  # type: ignore[arg-type]
        made = world(
            tmp_path,
            mapping("customers", CUSTOMERS.left, CUSTOMERS.right, *rules,
                    direction=direction, match=CUSTOMERS.match[1:]),
        )  # fmt: skip
        made.shop.put("Customer", "10", Name="Alpha", Phone="1")
        made.desk.put("accounts", "g2", name="Beta", phone="2")
        made.shop.put("Customer", "30", Name="Gamma", Phone="3")
        made.desk.put("accounts", "g3", name="Gamma", phone="33")
        return made

    to_right, to_left = turned(TO_RIGHT).plan().kinds(), turned(TO_LEFT).plan().kinds()
    mirror = {"desk": "shop", "shop": "desk", None: None}
    assert to_right == [(m, kind, mirror[s]) for m, kind, s in to_left]
    assert ("customers", "create", "desk") in to_right


def refuse(outcome: Outcome, entity: str = "accounts") -> object:
    return lambda write: outcome if write.entity == entity else None


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(Rejected(code="0x1", message="no"), "rejected: no (0x1)", id="rejected"),
        pytest.param(Drifted(message="moved"), "drifted: moved", id="drifted"),
    ],
)
def test_a_refused_write_is_kept_as_failure_and_tried_again(
    small: World, outcome: Outcome, expected: str
) -> None:
    small.shop.put("Customer", "10", Phone="2")
    small.desk.fails = refuse(outcome)  # type: ignore[assignment]
    told = small.apply()
    assert told.failures == [expected]
    assert told.exit_code is ExitCode.RECORDS_FAILED
    small.desk.fails = lambda _: None
    assert small.apply().counters["customers"]["modified"] == 1


def test_what_depends_on_a_failed_create_is_not_sent(small: World) -> None:
    small.desk.put("users", "u9", fullname="Nine")
    small.desk.put("accounts", "g9", name="Nine's", ownerid="u9")
    small.shop.fails = refuse(Rejected(code="", message="no"), "Agent")  # type: ignore[assignment]
    told = small.apply()
    assert told.failures == [
        "rejected: no",
        "blocked: a record it points to was not created",
        "blocked: a record it points to was not created",
    ]
    assert small.shop.rows["Customer"].keys() == {"10"}


@pytest.mark.parametrize("client_keys", [True, False])
def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(
    small: World, *, client_keys: bool
) -> None:
    if client_keys:
        small.shop.put("Customer", "20", Name="Beta")
        small.desk.lose = True
    else:
        small.desk.put("accounts", "g2", name="Beta")
        small.shop.lose = True
    assert small.apply().exit_code is ExitCode.RECORDS_FAILED
    small.shop.lose = small.desk.lose = False
    small.apply()
    assert small.apply().kinds() == []
    assert len(small.shop.rows["Customer"]) == len(small.desk.rows["accounts"]) == 2
    creates = [w for w in small.shop.written + small.desk.written if w.kind is WriteKind.CREATE]
    assert len([w for w in creates if w.values.get("Name", w.values.get("name")) == "Beta"]) == 1


def test_a_lost_create_that_several_records_could_be_is_left_to_a_person(small: World) -> None:
    small.desk.put("accounts", "g2", name="Beta")
    small.shop.fails = lambda _: Unknown(message="lost")
    small.apply()
    small.shop.fails = lambda _: None
    small.shop.put("Customer", "91", Name="Beta")
    small.shop.put("Customer", "92", Name="Beta")
    told = small.apply()
    reasons = [error["reason"] for error in told.actions(Kind.ERROR)]
    assert any("several could be it" in reason for reason in reasons)
    assert not [w for w in small.shop.written if w.kind is WriteKind.CREATE]
    # Either of them may be Beta's: whichever went the other way would be there twice.
    assert {"91", "92"} <= {error["keys"]["shop"] for error in told.actions(Kind.ERROR)}
    assert [row["name"] for row in small.desk.rows["accounts"].values()].count("Beta") == 1


@pytest.mark.parametrize("client_keys", [True, False])
@pytest.mark.parametrize("name", ["Beta", "", "\u00a0Beta  "])
def test_a_plan_made_before_anybody_asked_makes_nothing_twice(
    small: World, tmp_path: Path, name: str, *, client_keys: bool
) -> None:
    """A run died, and a plan is saved and applied before one asks what became of its create."""
    if client_keys:
        small.shop.put("Customer", "20", Name=name or None)
        small.desk.lose = True
    else:
        small.desk.put("accounts", "g2", name=name or None)
        small.shop.lose = True
    small.apply()
    small.shop.lose = small.desk.lose = False
    small.shop.put("Customer", "30", Name="Gamma")
    small.plan(out=tmp_path / "next.plan")
    small.apply_file(tmp_path / "next.plan")
    assert len(small.shop.rows["Customer"]) == len(small.desk.rows["accounts"]) == 3
    small.apply()
    small.apply()
    assert len(small.shop.rows["Customer"]) == len(small.desk.rows["accounts"]) == 3


def test_a_lost_create_that_nothing_is_known_of_is_left_to_a_person(small: World) -> None:
    small.desk.put("accounts", "g2")
    small.shop.lose = True
    small.apply()
    small.shop.lose = False
    told = small.apply()
    reasons = [error["reason"] for error in told.actions(Kind.ERROR)]
    assert any("an interrupted run may have made this record" in reason for reason in reasons)
    assert len(small.shop.rows["Customer"]) == 2


def test_a_lost_create_whose_partner_was_coupled_by_hand_meanwhile(small: World) -> None:
    small.shop.put("Customer", "20", Name="Gamma")
    small.desk.lose = True
    small.apply()
    small.desk.lose = False
    small.desk.put("accounts", "g2", name="Beta")
    with held(small.project.state, "test") as store, store.opened() as state:
        couplings.adopt(state, "customers", "20", "g2", run=0)
    small.apply()
    with held(small.project.state, "test") as store, store.opened() as state:
        assert couplings.find(state, "customers", "20") == (("20", "g2"),)


def test_one_runner_at_a_time(small: World) -> None:
    with held(small.project.state, "apply"), pytest.raises(StateHeldError) as caught:
        small.plan()
    assert "is held by process" in str(caught.value)
    assert "sync-run apply, since" in str(caught.value)


def test_what_a_run_works_with_is_no_part_of_the_state(small: World, tmp_path: Path) -> None:
    small.shop.put("Customer", "20", Name="Another")
    small.apply()
    tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'"
    found = []
    for path in (small.project.state, tmp_path / "fresh.duckdb"):
        with held(path, "apply") as store, store.opened():
            pass
        with duckdb.connect(str(path), read_only=True) as state:
            found.append({name for (name,) in state.execute(tables).fetchall()})
    assert found[0] == found[1]


def test_a_changed_field_mapping_is_compared_anew(small: World) -> None:
    key = account(small, "Alpha")
    small.desk.put("accounts", key, credit=Decimal("5.4"))
    small.apply()
    rules = tuple(replace(r, scale=0) if r.left == "Credit" else r for r in CUSTOMERS.fields)
    small.mappings = (small.mappings[0], replace(CUSTOMERS, fields=rules))
    assert small.apply().exit_code is ExitCode.DONE
    assert small.apply().kinds() == []


def test_a_field_added_later_fills_blanks_and_reports_what_differs(small: World) -> None:
    with_out = tuple(rule for rule in CUSTOMERS.fields if rule.left != "Phone")
    small.mappings = (small.mappings[0], replace(CUSTOMERS, fields=with_out))
    small.shop.put("Customer", "20", Name="Beta", Phone="5")
    small.apply()
    small.mappings = (small.mappings[0], CUSTOMERS)
    told = small.apply()
    assert told.kinds() == [("customers", "update", "desk")]
    assert small.desk.rows["accounts"][account(small, "Beta")]["phone"] == "5"


def test_a_field_may_be_called_like_anything(tmp_path: Path) -> None:
    names = ["v1", "d1", "select", 'quo"te', "it's", "key", "fields", "left_key"]
    kinds = fields(id=Type.CODE, **dict.fromkeys(names, Type.TEXT))
    left = Fake({"L": EntityType(name="L", key="id", fields=kinds)}, client_keys=True)
    right = Fake({"R": EntityType(name="R", key="id", fields=kinds)}, client_keys=True)
    entity = replace(CUSTOMERS.left, entity="L", key="id")
    other = replace(CUSTOMERS.right, entity="R", key="id")
    rules = [field(name, name, BOTH) for name in names]
    made = World(tmp_path, left, right, (mapping("odd", entity, other, *rules),))
    left.put("L", "1", **{name: f"{name} 'x'" for name in names})
    made.apply()
    assert made.apply().kinds() == []
    (row,) = right.rows["R"].values()
    assert {name: row[name] for name in names} == {name: f"{name} 'x'" for name in names}


def test_a_system_that_goes_away_stops_the_run_and_what_the_other_did_is_kept(
    small: World,
) -> None:
    small.shop.put("Customer", "20", Name="Beta")
    small.desk.put("accounts", "g3", name="Gamma")

    def away(_: object) -> None:
        raise SystemUnavailableError("shop", "it did not let us in", hint="look at `auth:`")

    small.shop.fails = away
    told = small.apply()
    assert told.exit_code is ExitCode.RECORDS_FAILED
    *_, ended = (event for event in small.heard if isinstance(event, RunEnded))
    assert ended.message == "shop: it did not let us in — look at `auth:`"
    assert told.counters["customers"]["inserted"] == 1
    assert account(small, "Beta")
    small.shop.fails = lambda _: None
    assert small.apply().exit_code is ExitCode.DONE
    assert small.apply().kinds() == []
    assert len(small.shop.rows["Customer"]) == len(small.desk.rows["accounts"]) == 3


def test_what_was_surely_not_sent_is_not_asked_about(small: World) -> None:
    for number in ("20", "30"):
        small.shop.put("Customer", number, Name=f"Name {number}")
    away = SystemUnavailableError("desk", "it is busy for too long")
    small.desk.fails = lambda w: Unsent(why=away) if w.values.get("number") == "30" else None
    told = small.apply()
    assert (told.exit_code, told.failures) == (ExitCode.RECORDS_FAILED, [])
    assert told.counters["customers"]["inserted"] == 1
    with duckdb.connect(str(small.project.state)) as state:
        found = state.execute("SELECT outcome, message FROM journal WHERE run = 2").fetchall()
    assert found == [("written", None), ("unsent", "desk: it is busy for too long")]
    small.desk.fails = lambda _: None
    assert small.apply().counters["customers"]["inserted"] == 1
    assert small.apply().kinds() == []


def test_a_key_that_is_given_anew_belongs_to_the_new_pair(tmp_path: Path) -> None:
    made = world(tmp_path, AGENTS, replace(CUSTOMERS, match=(), deleted=DeleteConflict.DELETE))
    made.shop.put("Customer", "99", Name="Anchor")
    made.desk.put("accounts", "g1", name="First")
    made.apply()
    (number,) = [k for k, row in made.shop.rows["Customer"].items() if row["Name"] == "First"]
    made.shop.remove("Customer", number)
    made.desk.put("accounts", "g2", name="Second")
    assert made.apply().exit_code == 0
    # The system gave the number of the deleted record to the new one.
    assert made.shop.rows["Customer"][number]["Name"] == "Second"
    assert "g1" not in made.desk.rows["accounts"]
    assert made.apply().kinds() == []


def test_a_number_that_a_pair_still_has_is_not_free(tmp_path: Path) -> None:
    made = world(tmp_path, AGENTS)
    made.desk.put("users", "u1", fullname="Ann")
    made.desk.put("users", "u2", fullname="Bo")
    made.apply()
    made.shop.remove("Agent", "A1")
    made.desk.put("users", "u3", fullname="Cy")
    made.apply()
    assert sorted(made.shop.rows["Agent"]) == ["A2", "A3"]


def test_a_constant_that_was_refused_is_tried_again(small: World) -> None:
    """Nothing else tells that a pair is not settled: neither side changed."""
    small.desk.put("accounts", "g2", name="Beta", number="20")
    small.shop.put("Customer", "20", Name="Beta")
    small.desk.fails = refuse(Rejected(code="0x1", message="no"))  # type: ignore[assignment]
    assert small.apply().failures == ["rejected: no (0x1)"]
    small.desk.fails = lambda _: None
    assert small.apply().kinds() == [("customers", "update", "desk")]
    assert small.desk.rows["accounts"]["g2"]["kind"] == 3
    assert small.apply().kinds() == []


def test_a_field_that_means_something_else_is_tried_again(small: World) -> None:
    rules = tuple(replace(r, constant=4) if r.constant == 3 else r for r in CUSTOMERS.fields)
    small.mappings = (small.mappings[0], replace(CUSTOMERS, fields=rules))
    small.desk.fails = refuse(Rejected(code="0x1", message="no"))  # type: ignore[assignment]
    assert small.apply().failures == ["rejected: no (0x1)"]
    small.desk.fails = lambda _: None
    assert small.apply().kinds() == [("customers", "update", "desk")]
    assert small.desk.rows["accounts"][account(small, "Alpha")]["kind"] == 4
    assert small.apply().kinds() == []


def test_a_number_that_could_not_be_brought_back_is_brought_back_later(small: World) -> None:
    small.desk.put("accounts", "g2", name="Beta", ownerid="u1")
    small.desk.fails = refuse(Rejected(code="0x1", message="no"))  # type: ignore[assignment]
    assert small.apply().failures == ["rejected: no (0x1)"]
    small.desk.fails = lambda _: None
    assert small.apply().kinds() == [("customers", "update", "desk")]
    assert small.desk.rows["accounts"]["g2"]["number"] == "N00001"
    assert small.apply().kinds() == []
