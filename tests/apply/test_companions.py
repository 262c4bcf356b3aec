"""Records that belong to others: made once, keyed by others, found beside others, one of a kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.wire import EntityType, FieldType, Rejected, Type, Write, WriteKind
from tests.apply.test_language import AGENTS, made
from tests.fakes import fields

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World

PRICE_LISTS = """mapping: price-lists
ensure: desk
desk: {entity: lists, key: listid, label: name}
records:
  default: {name: Default, kind: 1}
match:
  - {desk: name, case: ignore}
"""
ITEMS = """mapping: customers
direction: shop -> desk
shop: {entity: Customer, key: "No"}
desk: {entity: accounts, key: accountid}
match: [{shop: "No", desk: number}]
fields:
  - {shop: "No", desk: number}
"""
LINES = """mapping: lines
direction: shop -> desk
shop: {entity: Customer, key: "No"}
desk: {entity: lines, key: lineid}
match:
  - [{desk: product}, {desk: list}]
fields:
  - {shop: "No", desk: product, lookup: customers}
  - {desk: list, constant: default, lookup: price-lists}
  - {shop: Credit, desk: amount}
"""
GROUPS = """mapping: groups
direction: shop -> desk
shop: {entity: Unit, key: Code}
desk: {entity: groups, key: groupid}
match:
  - {shop: Code, desk: name}
fields:
  - {shop: Code, desk: name, transform: {desk: [{prepend: "NAV "}]}}
  - {shop: Code, desk: base, when: create}
"""
UNITS = """mapping: units
direction: shop -> desk
shop: {entity: Unit, key: Code}
desk: {entity: units, key: unitid, comes_with: groups, one_per: group}
match:
  - [{shop: Code, desk: name}, {desk: group}]
fields:
  - {shop: Code, desk: name}
  - {shop: Code, desk: group, lookup: groups}
"""
SECOND_STEP = """mapping: more
coupled_by: uses
direction: shop -> desk
create: []
shop: {entity: Customer, key: "No"}
desk: {entity: accounts, key: accountid}
fields:
  - {shop: Phone, desk: phone}
"""
USES = """mapping: uses
direction: shop -> desk
shop: {entity: Customer, key: "No"}
desk: {entity: accounts, key: accountid}
fields:
  - {shop: Agent, desk: unit, lookup: units}
"""


def of(name: str, target: str = "") -> FieldType:
    return FieldType(name=name, type=Type.REFERENCE, targets=(target,) if target else ())


def world(folder: Path, first: str, **others: str) -> World:
    return equipped(made(folder, mapping=first, **others))


def equipped(built: World) -> World:
    """Let the desk know lists, lines, groups and units, and the shop its units."""
    shop, desk = built.shop, built.desk
    shop.types = {
        **shop.types,
        "Unit": EntityType(name="Unit", key="Code", fields=fields(Code=Type.CODE)),
    }
    kinds: dict[str, dict[str, Any]] = {
        "lists": {"listid": Type.GUID, "name": Type.TEXT, "kind": Type.INTEGER},
        "lines": {
            "lineid": Type.GUID,
            "product": of("product"),
            "list": of("list"),
            "amount": Type.DECIMAL,
        },
        "groups": {"groupid": Type.GUID, "name": Type.TEXT, "base": Type.TEXT},
        "units": {"unitid": Type.GUID, "name": Type.TEXT, "group": of("group")},
    }
    accounts = desk.types["accounts"]
    desk.types = {
        **desk.types,
        "accounts": replace(accounts, fields={**accounts.fields, **fields(unit=of("unit"))}),
        **{
            name: EntityType(name=name, key=next(iter(told)), fields=fields(**told))
            for name, told in kinds.items()
        },
    }
    return built


def rows(built: World, entity: str) -> list[dict[str, Any]]:
    return list(built.desk.rows.get(entity, {}).values())


def test_a_record_that_must_exist_is_made_once_and_kept(tmp_path: Path) -> None:
    built = world(tmp_path, ITEMS, lists=PRICE_LISTS)
    built.desk.put("lists", "other", name="Other")
    built.apply()
    (default,) = [row for row in rows(built, "lists") if row["name"] == "Default"]
    assert default["kind"] == 1
    assert built.apply().kinds() == []
    built.desk.put("lists", default["listid"], kind=2)
    assert built.apply().kinds() == [("price-lists", "update", "desk")]
    built.desk.remove("lists", default["listid"])
    assert built.apply().kinds() == [
        ("price-lists", "uncouple", None),
        ("price-lists", "create", "desk"),
    ]
    assert built.apply().kinds() == []


def test_one_that_is_there_already_is_taken(tmp_path: Path) -> None:
    built = world(tmp_path, ITEMS, lists=PRICE_LISTS)
    built.desk.put("lists", "g1", name="DEFAULT", kind=1)
    kinds = built.apply().kinds()
    assert kinds == [("price-lists", "couple", None), ("price-lists", "update", "desk")]
    assert len(rows(built, "lists")) == 1


def test_a_second_mapping_is_keyed_by_the_first(tmp_path: Path) -> None:
    built = world(tmp_path, ITEMS, lists=PRICE_LISTS, lines=LINES)
    built.shop.put("Customer", "1", Credit=5)
    built.apply()
    (line,), (product,), (listed,) = (rows(built, e) for e in ("lines", "accounts", "lists"))
    assert (line["product"], line["list"]) == (product["accountid"], listed["listid"])
    assert built.apply().kinds() == []
    # What stands there already for the same product and list is the line, and no other is made.
    fresh = world(tmp_path / "fresh", ITEMS, lists=PRICE_LISTS, lines=LINES)
    fresh.desk.rows = {k: dict(v) for k, v in built.desk.rows.items()}
    fresh.shop.put("Customer", "1", Credit=5)
    fresh.apply()
    assert len(rows(fresh, "lines")) == 1


def with_base_units(built: World) -> World:
    """Let the desk do as Dataverse does: a new group gets its base unit at once."""

    def afterwards(write: Write) -> None:
        if write.entity == "groups" and write.kind is WriteKind.CREATE:
            key, name = str(write.key), write.values["base"]
            built.desk.put("units", f"u-{key}", name=name, group=key)

    built.desk.afterwards = afterwards
    return built


def test_what_the_system_makes_beside_another_is_found_in_the_same_run(tmp_path: Path) -> None:
    built = with_base_units(world(tmp_path, GROUPS, units=UNITS, uses=USES))
    built.shop.put("Unit", "PCS")
    built.shop.put("Customer", "1", Agent="PCS")
    told = built.apply()
    assert told.exit_code == 0, told.failures
    (group,), (unit,), (account,) = (rows(built, e) for e in ("groups", "units", "accounts"))
    assert (group["name"], unit["name"]) == ("NAV PCS", "PCS")
    assert account["unit"] == unit["unitid"]
    assert built.apply().kinds() == []


def test_what_should_have_come_and_did_not_is_told(tmp_path: Path) -> None:
    built = world(tmp_path, GROUPS, units=UNITS, uses=USES)
    built.shop.put("Unit", "PCS")
    built.shop.put("Customer", "1", Agent="PCS")
    told = built.apply()
    assert told.failures == [
        "missing: no units matches, and one should have come with groups",
        "blocked: a record it points to was not created",
    ]
    assert [kind for _, kind, _ in built.apply().kinds()] == ["error", "error"]


def test_there_is_one_of_a_kind(tmp_path: Path) -> None:
    built = with_base_units(world(tmp_path, GROUPS, units=UNITS))
    built.shop.put("Unit", "PCS")
    built.shop.put("Unit", "BOX")
    built.apply()
    (first, _) = rows(built, "units")
    built.desk.put("units", "second", name="DOZEN", group=first["group"])
    told = built.apply()
    (error,) = [a for m in told.document["mappings"] for a in m["actions"]]
    keys = ", ".join(sorted(["second", first["unitid"]]))
    assert error["reason"] == f"2 units have the same group, and one may: {keys}"
    built.desk.remove("units", "second")
    assert built.apply().kinds() == []


def test_records_are_matched_by_what_would_be_written(tmp_path: Path) -> None:
    built = with_base_units(world(tmp_path, GROUPS))
    built.shop.put("Unit", "PCS")
    built.desk.put("groups", "g1", name="NAV PCS", base="PCS")
    assert built.apply().kinds() == [("groups", "couple", None)]


MORE = """mapping: more
coupled_by: customers
direction: both
create: []
shop: {entity: Customer, key: "No"}
desk: {entity: accounts, key: accountid}
fields:
  - {shop: Agent, desk: ownerid, lookup: agents, direction: shop -> desk}
  - {shop: Phone, desk: phone}
"""


def test_a_mapping_may_take_its_pairs_from_another(tmp_path: Path) -> None:
    built = world(tmp_path, ITEMS, more=MORE, agents=AGENTS)
    built.shop.put("Agent", "X", Name="Ann")
    built.shop.put("Customer", "1", Agent="X", Phone="5")
    told = built.apply()
    assert told.kinds() == [
        ("agents", "create", "desk"),
        ("customers", "create", "desk"),
        ("more", "couple", None),
        ("more", "update", "desk"),
    ]
    (account,), (user,) = rows(built, "accounts"), rows(built, "users")
    assert (account["ownerid"], account["phone"]) == (user["userid"], "5")
    assert built.apply().kinds() == []
    built.desk.put("accounts", account["accountid"], phone="6")
    assert built.apply().kinds() == [("more", "update", "shop")]


def test_what_was_not_created_is_not_followed(tmp_path: Path) -> None:
    built = world(tmp_path, ITEMS, more=MORE, agents=AGENTS)
    built.shop.put("Customer", "1", Phone="5")
    built.desk.fails = lambda write: (
        Rejected(code="no", message="no") if write.entity == "accounts" else None
    )
    assert [f.partition(":")[0] for f in built.apply().failures] == [
        "rejected",
        "missing",
        "blocked",
    ]
    built.desk.fails = lambda _: None
    assert built.apply().exit_code == 0
    assert built.apply().kinds() == []


def test_currencies_are_matched_by_their_iso_code(tmp_path: Path) -> None:
    text = AGENTS.replace(
        "fields:", "match:\n  - {shop: Code, desk: fullname, transform: [iso_currency]}\nfields:"
    )
    built = made(tmp_path, agents=text)
    built.shop.put("Agent", "EUR", Name="Euro")
    built.desk.put("users", "g1", fullname="Euro")
    assert ("agents", "couple", None) in built.apply().kinds()
