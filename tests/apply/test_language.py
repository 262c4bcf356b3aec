"""What the mapping language says, from YAML to what both systems hold afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from runner.config import load
from runner.errors import ConfigError
from runner.wire import EntityType, FieldType, Rejected, Type
from tests.fakes import Fake, fields
from tests.world import Told, World, desk, shop

# Rules are tables: one case, one line.
# ruff: noqa: E501, DTZ001, Q003

if TYPE_CHECKING:
    from pathlib import Path

SYNC = """systems:
  shop: {connector: nav, url: "sandbox:shop", company: Any}
  desk: {connector: dataverse, url: "sandbox:desk"}
"""
MAPPING = """mapping: customers
direction: both
shop: {entity: Customer, key: "No"}
desk: {entity: accounts, key: accountid}
match:
  - {shop: "No", desk: number}
fields:
  - {shop: "No", desk: number, direction: shop -> desk}
"""


def systems() -> tuple[Fake, Fake]:
    """Two systems whose records have a field of every type."""
    left, right = shop(), desk()
    customer, account = left.types["Customer"], right.types["accounts"]
    left.types = {
        **left.types,
        "Customer": replace(
            customer,
            fields={
                **customer.fields,
                **fields(
                    Text=Type.TEXT,
                    Count=Type.INTEGER,
                    Amount=Type.DECIMAL,
                    Day=Type.DATE,
                    Open=Type.BOOLEAN,
                    Code=Type.CODE,
                    Kind=Type.OPTION,
                    Vendor=Type.CODE,
                ),
            },
        ),
        "Vendor": EntityType(
            name="Vendor", key="No", label="Name", fields=fields(No=Type.CODE, Name=Type.TEXT)
        ),
    }
    right.types = {
        **right.types,
        "accounts": replace(
            account,
            fields={
                **account.fields,
                **fields(
                    text=Type.TEXT,
                    first=Type.TEXT,
                    last=Type.TEXT,
                    short=FieldType(name="short", type=Type.TEXT, max_length=5),
                    count=Type.INTEGER,
                    amount=Type.DECIMAL,
                    moment=Type.INSTANT,
                    open=Type.BOOLEAN,
                    state=FieldType(name="state", type=Type.INTEGER, on_create=False),
                    partner=FieldType(
                        name="partner", type=Type.REFERENCE, targets=("users", "vendors")
                    ),
                ),
            },
        ),
        "vendors": EntityType(
            name="vendors",
            key="vendorid",
            label="name",
            fields=fields(vendorid=Type.GUID, name=Type.TEXT),
        ),
    }
    return left, right


def made(folder: Path, *entries: str, mapping: str = MAPPING, **others: str) -> World:
    """Two systems and the mappings that YAML says; ``entries`` are fields of the first."""
    (folder / "mappings").mkdir(parents=True)
    (folder / "sync.yaml").write_text(SYNC, encoding="utf-8")
    text = mapping + "".join(f"  - {entry}\n" for entry in entries)
    (folder / "mappings" / "customers.yaml").write_text(text, encoding="utf-8")
    for name, more in others.items():
        (folder / "mappings" / f"{name}.yaml").write_text(more, encoding="utf-8")
    left, right = systems()
    return World(folder, left, right, load(folder).mappings)


def account(world: World) -> dict[str, Any]:
    (found,) = world.desk.rows["accounts"].values()
    return found


@pytest.mark.parametrize(
    ("entry", "values", "expected"),
    [
        ("{shop: Text, desk: text, transform: {desk: [trim, uppercase]}, reverse: []}", {"Text": " a "}, {"text": "A"}),
        ('{shop: Code, desk: text, transform: {desk: [{prepend: "NAV "}]}}', {"Code": "PCS"}, {"text": "NAV PCS"}),
        ("{shop: Text, desk: amount, direction: shop -> desk}", {"Text": "12.5"}, {"amount": Decimal("12.5")}),
        ("{shop: Amount, desk: text, transform: {desk: [{write_number: {culture: da-DK}}]}}", {"Amount": Decimal("1234.5")}, {"text": "1234,5"}),
        ("{shop: Text, desk: moment, transform: {desk: [{parse_date: {format: dd.MM.yyyy}}]}}", {"Text": "24.12.2018"}, {"moment": datetime(2018, 12, 24)}),
        ("{shop: Day, desk: moment, zone: Europe/Copenhagen}", {"Day": date(2018, 7, 1)}, {"moment": datetime(2018, 6, 30, 22)}),
        ("{shop: Open, desk: open, transform: {desk: [not]}}", {"Open": True}, {"open": False}),
        ("{shop: Amount, desk: count, transform: {desk: [{multiply: 100}]}}", {"Amount": Decimal("1.25")}, {"count": 125}),
        ("{shop: Text, desk: text, default: {desk: none}}", {}, {"text": "none"}),
        ("{shop: Text, desk: short, too_long: truncate}", {"Text": "Elephant"}, {"short": "Eleph"}),
        ("{shop: Name, desk: {join: [first, last], rest: first}}", {"Name": "Anna Maria Smith"}, {"first": "Anna Maria", "last": "Smith"}),
        ("{shop: Name, desk: {join: [first, last]}}", {"Name": "Anna Maria Smith"}, {"first": "Anna", "last": "Maria Smith"}),
        ("{shop: {compute: \"join(', ', [Name, Text])\"}, desk: text}", {"Name": "A", "Text": "B"}, {"text": "A, B"}),
        ("{shop: {compute: \"max([Count, Amount])\", type: decimal}, desk: amount}", {"Count": 3, "Amount": Decimal(2)}, {"amount": Decimal(3)}),
        ("{shop: Kind, desk: count, values: [{shop: A, desk: 1}], otherwise: {desk: 9, shop: A}}", {"Kind": "Z"}, {"count": 9}),
        ("{shop: Kind, desk: count, values: [{shop: A, desk: 1}, {shop: B, desk: 1}], reverse: [{shop: B, desk: 1}]}", {"Kind": "A"}, {"count": 1}),
        ("{shop: Code, desk: count, values: [{shop: a, desk: 1}], otherwise: {desk: 9, shop: b}}", {"Code": "A"}, {"count": 1}),
        ("{desk: moment, constant: '2018-02-03T10:00:00+02:00'}", {}, {"moment": datetime(2018, 2, 3, 8)}),
        ("{desk: text, constant: ''}", {}, {"text": None}),
        ("{shop: Kind, desk: text, values: [{shop: A, desk: ''}, {shop: B, desk: x}], default: {shop: A}}", {"Kind": "A"}, {"text": None}),
        ("{shop: Count, desk: state}", {"Count": 2}, {"state": 2}),
        ("{shop: Count, desk: count, when: after_create}", {"Count": 2}, {"count": 2}),
    ],
)  # fmt: skip
def test_what_a_field_becomes(
    tmp_path: Path, entry: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    world = made(tmp_path, entry)
    world.shop.put("Customer", "1", **values)
    told = world.apply()
    assert ("customers", "create", "desk") in told.kinds(), told.document
    assert told.counters["customers"]["failed"] == 0
    found = {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in account(world).items()
    }
    assert {name: found.get(name) for name in expected} == expected
    assert world.apply().kinds() == []


def test_a_number_that_grows_too_large_fails_its_record_alone(tmp_path: Path) -> None:
    world = made(tmp_path, "{shop: Amount, desk: amount, transform: {desk: [{multiply: 100}]}}")
    world.shop.put("Customer", "1", Amount=Decimal(10) ** 17)
    world.shop.put("Customer", "2", Amount=Decimal(7))
    assert ("customers", "error", None) in world.apply().kinds()
    assert account(world)["amount"] == Decimal(700)


@pytest.mark.parametrize(
    ("entry", "values", "expected"),
    [
        ('{shop: Code, desk: text, transform: {desk: [{prepend: "NAV "}]}}', {"text": "NAV BOX"}, {"Code": "BOX"}),
        ("{shop: Text, desk: text, transform: {desk: [uppercase]}, reverse: [titlecase]}", {"text": "anna"}, {"Text": "Anna"}),
        ("{shop: Name, desk: {join: [first, last], rest: first}}", {"last": "Jones"}, {"Name": "Anna Jones"}),
        ("{shop: Name, desk: {compute: \"join(' ', [first, last])\", reverse: {first: \"split(value, ' ')[0]\", last: \"split(value, ' ')[-1]\"}}}", {"first": "Bo"}, {"Name": "Bo Smith"}),
        ("{shop: Kind, desk: count, values: [{shop: A, desk: 1}, {shop: B, desk: 2}, {shop: C, desk: 2}], reverse: [{shop: C, desk: 2}]}", {"count": 2}, {"Kind": "C"}),
        ("{shop: Day, desk: moment, zone: Europe/Copenhagen}", {"moment": datetime(2018, 6, 30, 23)}, {"Day": date(2018, 7, 1)}),
        ("{shop: Amount, desk: text}", {"text": "3.50"}, {"Amount": Decimal("3.5")}),
    ],
)  # fmt: skip
def test_what_comes_back(
    tmp_path: Path, entry: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    world = made(tmp_path, entry)
    world.shop.put("Customer", "1", Name="Anna Smith", Kind="A")
    world.apply()
    world.desk.put("accounts", account(world)["accountid"], **values)
    assert world.apply().kinds() == [("customers", "update", "shop")]
    found = world.shop.rows["Customer"]["1"]
    assert {name: found.get(name) for name in expected} == expected
    assert world.apply().kinds() == []


@pytest.mark.parametrize(
    ("entry", "values", "reason"),
    [
        ("{shop: Text, desk: amount, direction: shop -> desk}", {"Text": "many"}, "Text: 'many' is no decimal"),
        ("{shop: Amount, desk: count, direction: shop -> desk}", {"Amount": Decimal("1.5")}, "Amount: '1.5' is no integer"),
        ("{shop: Text, desk: text, blank: fail}", {}, "Text is blank"),
        ("{shop: Text, desk: short}", {"Text": "Elephant"}, "Text is 8 characters long, accounts.short keeps 5"),
        ("{shop: Amount, desk: short}", {"Amount": Decimal("123.45")}, "Amount is 6 characters long, accounts.short keeps 5"),
        ("{shop: Day, desk: short, direction: shop -> desk}", {"Day": date(2018, 7, 1)}, "Day is 10 characters long, accounts.short keeps 5"),
        ("{shop: Kind, desk: short, values: [{shop: A, desk: Elephant}]}", {"Kind": "A"}, "Kind is 8 characters long, accounts.short keeps 5"),
        ("{shop: Kind, desk: count, values: [{shop: A, desk: 1}]}", {"Kind": "Z"}, "Kind 'Z' is not listed in `values`"),
    ],
)  # fmt: skip
def test_what_fails_its_record(
    tmp_path: Path, entry: str, values: dict[str, Any], reason: str
) -> None:
    world = made(tmp_path, entry)
    world.shop.put("Customer", "1", **values)
    told = world.apply()
    assert [kind for _, kind, _ in told.kinds()] == ["error"]
    (mapping,) = told.document["mappings"]
    assert [action["reason"] for action in mapping["actions"]] == [reason]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{shop: Text, desk: partner, direction: shop -> desk}", "'Text' is text and 'partner' is reference — give it a `lookup:`"),
        ("{shop: Day, desk: count, direction: shop -> desk}", "'Day' is date and 'count' is integer — these cannot be converted"),
        ("{shop: Day, desk: text, direction: shop -> desk, transform: [not]}", "not takes boolean, and gets date"),
        ("{shop: {compute: 'Nmae'}, desk: text}", "Customer has no field 'Nmae' — did you mean 'Name'?"),
        ("{shop: {compute: 'Name || Count'}, desk: text}", "compute: it is either text or number: both must be of one type"),
        ("{shop: {join: [Name, Count]}, desk: text}", "'Count' is integer: only texts are joined"),
        ("{shop: Kind, desk: count, values: [{shop: '', desk: 1}, {shop: B, desk: 2}]}", "a blank is not translated — say what it becomes: `default: {desk: …}`"),
        ("{shop: Day, constant: '2018-02-30'}", "'Day' is date and cannot hold '2018-02-30'"),
        ("{desk: moment, constant: '2018-02-03T25:00:00'}", "'moment' is instant and cannot hold '2018-02-03T25:00:00'"),
        ("{shop: Count, desk: count, default: {desk: many}}", "'count' is integer and cannot hold 'many'"),
    ],
)  # fmt: skip
def test_what_the_types_do_not_allow(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, entry).plan()
    assert str(caught.value).partition(": ")[2] == message


AGENTS = """mapping: agents
direction: shop -> desk
shop: {entity: Agent, key: Code}
desk: {entity: users, key: userid}
fields:
  - {shop: Name, desk: fullname}
"""
VENDORS = """mapping: vendors
direction: shop -> desk
shop: {entity: Vendor, key: "No"}
desk: {entity: vendors, key: vendorid}
fields:
  - {shop: Name, desk: name}
"""


@pytest.mark.parametrize(
    ("lookup", "kind", "expected"),
    [
        ("[agents, vendors]", "", "Ann"),
        ("[vendors, agents]", "", "Vera"),
        ("[{mapping: agents, when: {shop: \"Kind == 'Agent'\"}}, {mapping: vendors, when: {shop: \"Kind == 'Vendor'\"}}]", "Agent", "Ann"),
        ("[{mapping: agents, when: {shop: \"Kind == 'Agent'\"}}, {mapping: vendors, when: {shop: \"Kind == 'Vendor'\"}}]", "Vendor", "Vera"),
    ],
)  # fmt: skip
def test_a_reference_may_lead_into_several_mappings(
    tmp_path: Path, lookup: str, kind: str, expected: str
) -> None:
    entry = f"{{shop: Vendor, desk: partner, lookup: {lookup}}}"
    world = made(tmp_path, entry, agents=AGENTS, vendors=VENDORS)
    world.shop.put("Agent", "X", Name="Ann")
    world.shop.put("Vendor", "X", Name="Vera")
    world.shop.put("Customer", "1", Vendor="X", Kind=kind or None)
    assert world.apply().counters["customers"]["failed"] == 0
    names = {
        **{key: row["fullname"] for key, row in world.desk.rows["users"].items()},
        **{key: row["name"] for key, row in world.desk.rows["vendors"].items()},
    }
    assert names[account(world)["partner"]] == expected
    entities = {w.values["partner"].entity for w in world.desk.written if "partner" in w.values}  # type: ignore[union-attr]
    assert entities == {"users" if expected == "Ann" else "vendors"}
    assert world.apply().kinds() == []


def test_a_key_that_is_not_known_yet_is_not_too_long(tmp_path: Path) -> None:
    agents = AGENTS.replace("direction: shop -> desk", "direction: desk -> shop")
    text = MAPPING.replace("direction: both", "direction: desk -> shop").replace(
        "direction: shop -> desk", "direction: desk -> shop"
    )
    entry = "{shop: Agent, desk: text, lookup: agents}"
    world = made(tmp_path, entry, mapping=text, agents=agents)
    customer = world.shop.types["Customer"]
    agent = FieldType(name="Agent", type=Type.CODE, max_length=10)
    world.shop.types = {
        **world.shop.types,
        "Customer": replace(customer, fields={**customer.fields, "Agent": agent}),
    }
    user = "b0000000-0000-4000-8000-000000000001"
    world.desk.put("users", user, fullname="Ann")
    world.desk.put("accounts", "a0000000-0000-4000-8000-000000000001", number="7", text=user)
    assert world.apply().counters["customers"]["failed"] == 0
    assert world.shop.rows["Customer"]["7"]["Agent"] == "N00001"
    assert world.apply().kinds() == []


TEMPLATES = """defaults:
  desk:
    - {when: "Kind == 'Domestic'", set: {text: home, count: 1}}
    - {when: "Kind == 'Foreign'", set: {text: abroad, phone: none}, wins: true}
    - {set: {count: 3}}
"""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Domestic", {"text": "home", "count": 1, "phone": "1"}),
        ("Foreign", {"text": "abroad", "count": None, "phone": "none"}),
        ("Other", {"text": None, "count": 3, "phone": "1"}),
    ],
)
def test_the_first_template_that_holds_is_taken(
    tmp_path: Path, kind: str, expected: dict[str, Any]
) -> None:
    world = made(tmp_path, "{shop: Phone, desk: phone}", mapping=TEMPLATES + MAPPING)
    # The condition's field is read although nothing maps it.
    world.shop.put("Customer", "1", Phone="1", Kind=kind)
    world.apply()
    assert {name: account(world).get(name) for name in expected} == expected
    assert world.apply().kinds() == []


def test_a_second_write_follows_a_create_in_the_same_plan(tmp_path: Path) -> None:
    world = made(tmp_path, "{shop: Count, desk: state}")
    world.shop.put("Customer", "1", Count=2)
    told = world.apply()
    assert told.kinds() == [("customers", "create", "desk"), ("customers", "update", "desk")]
    assert [sorted(write.values) for write in world.desk.written] == [["number"], ["state"]]
    assert world.desk.written[1].etag


def test_a_second_write_that_fails_is_tried_again(tmp_path: Path) -> None:
    world = made(tmp_path, "{shop: Count, desk: state, direction: shop -> desk}")
    world.shop.put("Customer", "1", Count=2)
    world.desk.fails = lambda write: (
        Rejected(code="no", message="not now") if "state" in write.values else None
    )
    assert world.apply().counters["customers"]["failed"] == 1
    world.desk.fails = lambda _: None
    assert world.apply().kinds() == [("customers", "update", "desk")]
    assert account(world)["state"] == 2


def test_a_filter_that_has_no_sql_runs_record_by_record(tmp_path: Path) -> None:
    text = MAPPING.replace('key: "No"}', 'key: "No", filter: "max([Count, Amount]) > `2`"}')
    world = made(tmp_path, "{shop: Name, desk: name}", mapping=text)
    world.shop.put("Customer", "1", Name="In", Count=3, Amount=Decimal(1))
    world.shop.put("Customer", "2", Name="Out", Count=1, Amount=Decimal(2))
    world.apply()
    assert account(world)["name"] == "In"
    assert world.apply().kinds() == []


def test_a_value_is_looked_up_in_another_entity(tmp_path: Path) -> None:
    find = '{find: {entity: Vendor, by: "No", take: Name}}'
    world = made(
        tmp_path, f"{{shop: Vendor, desk: text, direction: shop -> desk, transform: [{find}]}}"
    )
    world.shop.put("Vendor", "X", Name="Vera")
    world.shop.put("Customer", "1", Vendor="X")
    world.apply()
    assert account(world)["text"] == "Vera"
    assert world.apply().kinds() == []


def test_a_value_is_looked_up_by_a_field_of_its_own_name(tmp_path: Path) -> None:
    find = '{find: {entity: Vendor, by: "No", take: Name}}'
    world = made(
        tmp_path,
        f'{{shop: "No", desk: text, direction: shop -> desk, transform: [{find}]}}',
        f'{{shop: "No", desk: last, direction: shop -> desk, transform: [{find}, uppercase]}}',
    )
    for key, name in (("1", "Vera"), ("2", "Walt")):
        world.shop.put("Vendor", key, Name=name)
        world.shop.put("Customer", key, Name="Any")
    world.apply()
    told = {
        row["number"]: (row["text"], row["last"]) for row in world.desk.rows["accounts"].values()
    }
    assert told == {"1": ("Vera", "VERA"), "2": ("Walt", "WALT")}


def test_what_is_looked_up_in_must_be_there(tmp_path: Path) -> None:
    find = '{find: {entity: Vendr, by: "No", take: Name}}'
    entry = f"{{shop: Vendor, desk: text, direction: shop -> desk, transform: [{find}]}}"
    with pytest.raises(ConfigError, match="shop has no entity 'Vendr'"):
        made(tmp_path, entry).plan()


HOUSE = """mapping: house
ensure: desk
desk: {entity: users, key: userid}
records:
  own: {fullname: House}
match: [{desk: fullname}]
"""


def test_a_blank_reference_may_mean_a_record_and_the_record_a_blank(tmp_path: Path) -> None:
    lookup = "[agents, {mapping: house, for_blank: {shop: own}}]"
    entry = f"{{shop: Agent, desk: ownerid, lookup: {lookup}, blank: keep}}"
    world = made(tmp_path, entry, agents=AGENTS, house=HOUSE)
    world.shop.put("Agent", "X", Name="Ann")
    world.shop.put("Customer", "1", Agent=None)
    world.shop.put("Customer", "2", Agent="X")
    assert world.apply().counters["customers"]["failed"] == 0
    assert world.apply().kinds() == []
    users = {row["fullname"]: key for key, row in world.desk.rows["users"].items()}
    accounts = {row["number"]: row for row in world.desk.rows["accounts"].values()}
    assert [accounts[n]["ownerid"] for n in ("1", "2")] == [users["House"], users["Ann"]]
    for key, row in world.desk.rows["accounts"].items():
        world.desk.put("accounts", key, ownerid=users["Ann" if row["number"] == "1" else "House"])
    world.apply()
    assert [world.shop.rows["Customer"][n]["Agent"] for n in ("1", "2")] == ["X", None]
    assert world.apply().kinds() == []


def test_the_record_that_a_blank_means_must_be_coupled(tmp_path: Path) -> None:
    lookup = "{mapping: agents, for_blank: {shop: X}}"
    entry = f"{{shop: Agent, desk: ownerid, lookup: {lookup}, direction: shop -> desk}}"
    world = made(tmp_path, entry, agents=AGENTS)
    world.shop.put("Customer", "1", Agent=None)
    assert world.apply().counters["customers"]["failed"] == 1


def reasons(told: Told) -> list[str]:
    (mapping,) = told.document["mappings"]
    return sorted(str(a["reason"]) for a in mapping["actions"] if a["reason"])


REQUIRED = MAPPING.replace(
    'key: "No"}',
    """key: "No", require: [{when: "Code != ''", says: the code is missing}]}""",
).replace(
    "key: accountid}",
    "key: accountid, require: [{when: \"text != 'closed'\", says: the account is closed}]}",
)


def test_a_record_that_lacks_what_is_required_is_reported_and_left_alone(tmp_path: Path) -> None:
    world = made(tmp_path, "{shop: Name, desk: name}", mapping=REQUIRED)
    world.shop.put("Customer", "1", Name="Without", Code=None)
    world.shop.put("Customer", "2", Name="Closed", Code="C")
    world.shop.put("Customer", "3", Name="Fine", Code="C")
    key = "a0000000-0000-4000-8000-000000000002"
    world.desk.put("accounts", key, name="Old", number="2", text="closed")
    told = world.apply()
    assert reasons(told) == ["the account is closed", "the code is missing"]
    assert world.desk.rows["accounts"][key]["name"] == "Old", "and no second account beside it"
    assert len(world.desk.rows["accounts"]) == 2
    world.shop.put("Customer", "1", Code="C")
    world.desk.put("accounts", key, text="open")
    assert world.apply().counters["customers"]["failed"] == 1, "the names differ: a conflict"


def test_a_coupled_record_that_falls_short_waits(tmp_path: Path) -> None:
    world = made(tmp_path, "{shop: Name, desk: name}", mapping=REQUIRED)
    world.shop.put("Customer", "1", Name="Before", Code="C")
    world.apply()
    world.shop.put("Customer", "1", Name="After", Code=None)
    assert world.apply().kinds() == [("customers", "error", None)]
    assert account(world)["name"] == "Before"
    world.shop.put("Customer", "1", Code="C")
    assert world.apply().kinds() == [("customers", "update", "desk")]


def test_records_that_share_a_field_must_agree_in_another(tmp_path: Path) -> None:
    text = MAPPING.replace('key: "No"}', 'key: "No", same_per: {Code: Vendor}}')
    world = made(tmp_path, mapping=text)
    for key, vendor, code in (("1", "A", "X"), ("2", "A", None), ("3", "B", "X"), ("4", "B", "X")):
        world.shop.put("Customer", key, Vendor=vendor, Code=code)
    world.shop.put("Customer", "5", Vendor=None, Code="Y")
    world.shop.put("Customer", "6", Vendor=None, Code="Z")
    told = world.apply()
    assert reasons(told) == ["2 Customer share the Vendor A and differ in Code: X, blank"]
    assert sorted(str(row["number"]) for row in world.desk.rows["accounts"].values()) == list(
        "3456"
    )


def test_of_many_records_that_share_a_field_some_are_named(tmp_path: Path) -> None:
    ends = 'key: "No", one_per: Code, same_per: {Amount: Vendor}}'
    world = made(tmp_path, mapping=MAPPING.replace('key: "No"}', ends))
    for n in range(25):
        world.shop.put("Customer", f"C{n:02}", Code="X")
        world.shop.put("Customer", f"V{n:02}", Vendor="Y", Amount=Decimal(n) / 2)
    one, same = reasons(world.apply())
    assert (
        one
        == f"25 Customer have the same Code, and one may: {', '.join(f'C{n:02}' for n in range(20))}, …"
    )
    assert same.startswith(
        "25 Customer share the Vendor Y and differ in Amount: 0, 0.5, 1, 1.5, 10, "
    )
    assert same.endswith(", …")


def test_what_is_found_gives_way_to_what_the_record_says_and_may_be_looked_up(
    tmp_path: Path,
) -> None:
    find = '{find: {entity: Vendor, by: "No", take: Name, unless: Agent}}'
    entry = f"{{shop: Vendor, desk: ownerid, direction: shop -> desk, transform: [{find}], lookup: agents}}"
    world = made(tmp_path, entry, agents=AGENTS)
    world.shop.put("Agent", "X", Name="Ann")
    world.shop.put("Agent", "Y", Name="Bob")
    world.shop.put("Vendor", "V", Name="X")
    world.shop.put("Customer", "1", Vendor="V")
    world.shop.put("Customer", "2", Vendor="V", Agent="Y")
    assert world.apply().counters["customers"]["failed"] == 0
    names = {key: row["fullname"] for key, row in world.desk.rows["users"].items()}
    owners = {
        row["number"]: names[str(row["ownerid"])] for row in world.desk.rows["accounts"].values()
    }
    assert owners == {"1": "Ann", "2": "Bob"}
    assert world.apply().kinds() == []


def test_an_optional_field_that_a_system_lacks_is_left_out(tmp_path: Path) -> None:
    world = made(
        tmp_path,
        "{shop: County, desk: text, optional: true}",
        "{shop: {join: [Text, Region]}, desk: last, optional: true}",
        "{shop: Name, desk: name, optional: true}",
    )
    world.shop.put("Customer", "1", Name="Ann")
    world.apply()
    assert account(world)["name"] == "Ann"


def test_a_mapping_is_turned_around_by_one_word(tmp_path: Path) -> None:
    text = MAPPING.replace("direction: both", "direction: desk -> shop")
    world = made(
        tmp_path,
        "{shop: Name, desk: name}",
        "{desk: text, constant: x}",
        "{shop: {compute: Name}, desk: last}",
        mapping=text,
    )
    world.desk.put("accounts", "a0000000-0000-4000-8000-000000000001", name="Ann", number="77")
    assert world.apply().counters["customers"]["failed"] == 0
    assert [row["Name"] for row in world.shop.rows["Customer"].values()] == ["Ann"]
    assert account(world).get("text") is None
    notes = [note.what for note in load(tmp_path).notes]
    assert notes == ["the field rests: it is for desk, and the mapping never writes there"] * 3
