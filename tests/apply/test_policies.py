"""What a mapping may decide about conflicts and about deleted records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import ConfigError, ExitCode, GuardError
from runner.model import (
    DeleteConflict,
    Granularity,
    Side,
    Template,
    UpdateConflict,
    When,
)
from runner.wire import Type, WriteKind
from tests.fakes import HERE, fields
from tests.world import CUSTOMERS, TO_RIGHT, World, field, world

if TYPE_CHECKING:
    from pathlib import Path

    from runner.model import FieldMapping

PLAIN = (field("Name", "name"), field("Phone", "phone"))
EARLY, LATE = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))


def pair_of(folder: Path, *, stamps: Any = Type.INSTANT, **policy: Any) -> World:
    """One coupled pair, in step, and a second so that no side is ever empty."""
    conflict = policy.get("conflict", UpdateConflict.FAIL)
    rules = tuple(replace(rule, conflict=conflict) for rule in policy.pop("fields", PLAIN))
    made = world(folder, replace(CUSTOMERS, fields=rules, match=CUSTOMERS.match[1:], **policy))
    for fake, entity in ((made.shop, "Customer"), (made.desk, "accounts")):
        kept = fake.types[entity]
        with_stamp = {**kept.fields, **fields(changed=stamps)} if stamps else kept.fields
        stamp = "changed" if stamps else ""
        fake.types = {**fake.types, entity: replace(kept, fields=with_stamp, modified=stamp)}
    made.shop.put("Customer", "10", Name="Alpha", Phone="1")
    made.shop.put("Customer", "11", Name="Other", Phone="1")
    assert made.apply().exit_code is ExitCode.DONE
    return made


def key(made: World, name: str = "Alpha") -> str:
    (found,) = [k for k, row in made.desk.rows["accounts"].items() if row["name"] == name]
    return found


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(LATE, EARLY, ("2", "2")), (EARLY, LATE, ("3", "3")), (LATE, LATE, ("2", "3"))],
    ids=["left", "right", "the same moment"],
)
def test_the_newest_wins(
    tmp_path: Path, left: datetime, right: datetime, expected: tuple[str, str]
) -> None:
    made = pair_of(tmp_path, conflict=UpdateConflict.NEWEST)
    account = key(made)
    made.shop.put("Customer", "10", Phone="2", changed=left)
    made.desk.put("accounts", account, phone="3", changed=right)
    made.apply()
    phones = made.shop.rows["Customer"]["10"]["Phone"], made.desk.rows["accounts"][account]["phone"]
    assert phones == expected


def test_newest_needs_to_know_when(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Customer does not tell when a record changed"):
        pair_of(tmp_path, stamps=None, conflict=UpdateConflict.NEWEST)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (UpdateConflict.FAIL, ("Alpha 2", "1", "Alpha", "3")),
        (UpdateConflict.PREFER_LEFT, ("Alpha 2", "1", "Alpha 2", "1")),
        (UpdateConflict.PREFER_RIGHT, ("Alpha", "3", "Alpha", "3")),
    ],
)
def test_a_record_as_a_whole_may_be_in_conflict(
    tmp_path: Path, policy: UpdateConflict, expected: tuple[str, ...]
) -> None:
    made = pair_of(tmp_path, conflict=policy, granularity=Granularity.RECORD)
    account = key(made)
    made.shop.put("Customer", "10", Name="Alpha 2")
    made.desk.put("accounts", account, phone="3")
    made.apply()
    left, right = made.shop.rows["Customer"]["10"], made.desk.rows["accounts"][account]
    assert (left["Name"], left["Phone"], right["name"], right["phone"]) == expected


@pytest.mark.parametrize("deleted", Side)
@pytest.mark.parametrize(
    ("policy", "kinds", "left_over"),
    [
        (DeleteConflict.FAIL, ["error"], 1),
        (DeleteConflict.UNCOUPLE, ["uncouple"], 1),
        (DeleteConflict.RESTORE, ["uncouple", "create"], 2),
        (DeleteConflict.DELETE, ["delete"], 0),
    ],
)
def test_a_partner_that_was_deleted(
    tmp_path: Path, policy: DeleteConflict, kinds: list[str], left_over: int, deleted: Side
) -> None:
    made = pair_of(tmp_path, deleted=policy)
    if deleted is Side.LEFT:
        made.shop.remove("Customer", "10")
    else:
        made.desk.remove("accounts", key(made))
    told = made.apply()
    assert [kind for _, kind, _ in told.kinds()] == kinds
    alive = [row for row in made.shop.rows["Customer"].values() if row["Name"] == "Alpha"]
    alive += [row for row in made.desk.rows["accounts"].values() if row["name"] == "Alpha"]
    assert len(alive) == left_over
    if policy in (DeleteConflict.RESTORE, DeleteConflict.DELETE):
        assert made.apply().kinds() == []


def test_what_lives_alone_is_created_again_where_the_mapping_creates(tmp_path: Path) -> None:
    made = pair_of(tmp_path, deleted=DeleteConflict.UNCOUPLE)
    made.desk.remove("accounts", key(made))
    made.apply()
    assert made.plan().kinds() == [("customers", "create", "desk")]


def test_a_field_may_travel_with_new_records_alone(tmp_path: Path) -> None:
    once = (field("Name", "name"), field("Phone", "phone", when=When.CREATE))
    made = pair_of(tmp_path, fields=once)
    account = key(made)
    assert made.desk.rows["accounts"][account]["phone"] == "1"
    made.shop.put("Customer", "10", Phone="2")
    made.desk.put("accounts", account, phone="3")
    assert made.apply().kinds() == []
    made.desk.put("accounts", "new", name="From the desk", phone="4")
    made.apply()
    assert {row["Phone"] for row in made.shop.rows["Customer"].values()} == {"1", "2", "4"}


def test_values_are_translated_both_ways_and_what_is_not_listed_fails(tmp_path: Path) -> None:
    pairs = (("gold", 1), ("tin", 2))
    rules = (field("Name", "name"), field("Phone", "kind", values=pairs, values_back=pairs))
    made = world(tmp_path, replace(CUSTOMERS, fields=rules, match=CUSTOMERS.match[1:]))
    made.shop.put("Customer", "10", Name="Alpha", Phone="gold")
    made.shop.put("Customer", "11", Name="Blank")
    made.shop.put("Customer", "12", Name="Lead", Phone="lead")
    told = made.apply()
    assert made.desk.rows["accounts"][key(made)]["kind"] == 1
    (error,) = [a for m in told.document["mappings"] for a in m["actions"] if a["reason"]]
    assert error["reason"] == "Phone 'lead' is not listed in `values`"
    made.desk.put("accounts", key(made), kind=2)
    made.desk.put("accounts", key(made, "Blank"), kind=1)
    made.apply()
    phones = {row["No"]: row.get("Phone") for row in made.shop.rows["Customer"].values()}
    assert phones == {"10": "tin", "11": "gold", "12": "lead"}
    assert [kind for _, kind, _ in made.apply().kinds()] == ["error"]


@pytest.mark.parametrize(
    "rule",
    [
        field("", "kind", TO_RIGHT, constant="three"),
        field("Phone", "kind", values=(("gold", "one"),)),
    ],
)
def test_a_literal_that_its_field_cannot_hold(tmp_path: Path, rule: FieldMapping) -> None:
    with pytest.raises(ConfigError, match=r"'kind' is integer and cannot hold '(three|one)'"):
        world(tmp_path, replace(CUSTOMERS, fields=(rule,), match=())).plan()


def test_a_default_that_its_field_cannot_hold(tmp_path: Path) -> None:
    templates = {Side.RIGHT: (Template(values=(("kind", "three"),), at=HERE),)}
    with pytest.raises(ConfigError, match="'kind' is integer and cannot hold 'three'"):
        world(tmp_path, replace(CUSTOMERS, fields=PLAIN, match=(), templates=templates)).plan()


def test_the_target_of_a_one_way_mapping_is_restored_and_its_source_never_deleted(
    tmp_path: Path,
) -> None:
    rules = (field("Name", "name", TO_RIGHT),)
    one_way = {"direction": TO_RIGHT, "create": frozenset({Side.RIGHT}), "fields": rules}
    made = pair_of(tmp_path / "restore", deleted=DeleteConflict.RESTORE, **one_way)
    made.desk.remove("accounts", key(made))
    assert [k for _, k, _ in made.apply().kinds()] == ["uncouple", "create"]
    made = pair_of(tmp_path / "delete", deleted=DeleteConflict.DELETE, **one_way)
    made.desk.remove("accounts", key(made))
    assert [k for _, k, _ in made.apply().kinds()] == ["error"]
    assert "10" in made.shop.rows["Customer"]
    made.shop.remove("Customer", "11")
    assert ("customers", "delete", "desk") in made.apply().kinds()


def test_a_deleted_partner_is_deleted_only_as_it_was_seen(tmp_path: Path) -> None:
    made = pair_of(tmp_path, deleted=DeleteConflict.DELETE)
    made.shop.remove("Customer", "10")
    made.apply()
    (deletion,) = [w for w in made.desk.written if w.kind is WriteKind.DELETE]
    assert deletion.etag is not None


def test_nothing_at_all_is_not_read_as_everything_deleted(tmp_path: Path) -> None:
    made = pair_of(tmp_path, deleted=DeleteConflict.DELETE)
    before = made.desk.rows["accounts"].copy()
    made.shop.rows["Customer"].clear()
    with pytest.raises(GuardError) as caught:
        made.apply()
    assert "customers.empty: shop returned no Customer at all, and 2 are coupled" in str(
        caught.value
    )
    assert caught.value.exit_code is ExitCode.STOPPED
    assert made.desk.rows["accounts"] == before
