"""The kinds of mappings that are killed, one small project each."""

from __future__ import annotations

# Projects are texts: one file, one text.
# ruff: noqa: E501
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.wire import Type, WriteKind
from tests.apply.test_companions import (
    GROUPS,
    ITEMS,
    LINES,
    PRICE_LISTS,
    SECOND_STEP,
    UNITS,
    USES,
    with_base_units,
)
from tests.cli.quickstart import Quickstart
from tests.crash.kinds import InMemory, Kind, Served

if TYPE_CHECKING:
    from pathlib import Path

    from runner.wire import Outcome, Write
    from tests.world import World

BOTH = """mapping: customers
direction: both
shop: {entity: Customer, key: "No"}
desk: {entity: accounts, key: accountid}
match:
  - {shop: "No", desk: number}
fields:
  - {shop: "No", desk: number, direction: shop -> desk}
  - {shop: Name, desk: name}
  - {shop: Phone, desk: phone}
"""
ONE_WAY = BOTH.replace("direction: both", "direction: shop -> desk")
LOOKUPS = (
    BOTH.replace('[{shop: "No", desk: number}]', "[]")
    + "  - {shop: Agent, desk: ownerid, lookup: agents}\n"
)
AGENTS_LEFT = """mapping: agents
direction: desk -> shop
shop: {entity: Agent, key: Code, new_key: "A{number}"}
desk: {entity: users, key: userid}
match: [{shop: Name, desk: fullname}]
fields:
  - {shop: Name, desk: fullname}
"""


def customers(world: World, *numbers: str, **values: Any) -> None:
    for number in numbers:
        world.shop.put("Customer", number, Name=f"Shop {number}", Phone=number, **values)


def accounts(world: World, *names: str, **values: Any) -> None:
    for name in names:
        world.desk.put("accounts", f"key-{name}", name=f"Desk {name}", phone=name, **values)


def both_sides(world: World) -> None:
    customers(world, "1", "2")
    accounts(world, "a", "b")


def changed(world: World) -> None:
    customers(world, "3")
    accounts(world, "c")
    world.shop.put("Customer", "1", Phone="changed in the shop")
    world.shop.put("Customer", "2", Name="Two")
    world.desk.put("accounts", "key-a", name="Changed at the desk")
    world.desk.put("accounts", "key-b", phone="changed at the desk")
    world.shop.put("Customer", "N00002", Name="The other field in the shop")


def twins(world: World) -> None:
    for n in range(3):
        world.desk.put("accounts", f"key-{n}", name="Twin", phone="1")


def one_way(world: World) -> None:
    changed(world)
    (key,) = [k for k, row in world.desk.rows["accounts"].items() if row.get("number") == "2"]
    world.desk.put("accounts", key, phone="drifted")


def deleted(world: World) -> None:
    world.shop.remove("Customer", "1")
    world.desk.remove("accounts", "key-a")
    customers(world, "3")


def gone_on_both(world: World) -> None:
    world.shop.remove("Customer", "1")
    (key,) = [k for k, row in world.desk.rows["accounts"].items() if row.get("number") == "1"]
    world.desk.remove("accounts", key)
    customers(world, "3")


def matching(world: World) -> None:
    customers(world, "1", "2", Agent=None)
    world.desk.put("accounts", "key-1", number="1", name="Shop 1")
    world.desk.put("accounts", "key-2", number="2", phone="2")
    accounts(world, "c")


def referring(world: World) -> None:
    for n in range(2):
        world.desk.put("users", f"user-{n}", fullname=f"User {n}")
        accounts(world, f"of-{n}", ownerid=f"user-{n}")
    world.shop.put("Agent", "X", Name="No user")


def companions(world: World) -> None:
    for code in ("PCS", "BOX"):
        world.shop.put("Unit", code)
        world.shop.put("Customer", code, Agent=code, Phone="1", Credit=5)


def completing(world: World) -> None:
    """Let the desk keep what it is given in its own way, and the shop fill in blanks."""
    desk, shop = world.desk.answer, world.shop.answer

    def at_the_desk(write: Write) -> Outcome:
        values = {**write.values}
        if isinstance(values.get("name"), str):
            values["name"] = str(values["name"])[:12].rstrip()
        if isinstance(values.get("phone"), str):
            values["phone"] = str(values["phone"]).upper()
        return desk(replace(write, values=values))

    def in_the_shop(write: Write) -> Outcome:
        missing = {} if write.values.get("Phone") else {"Phone": "to be asked"}
        new = write.kind is WriteKind.CREATE
        return shop(replace(write, values={**write.values, **missing}) if new else write)

    world.desk.answer, world.shop.answer = at_the_desk, in_the_shop  # type: ignore[method-assign]
    world.shop._blanks = {Type.TEXT: "", Type.DECIMAL: 0}


def to_complete(world: World) -> None:
    world.shop.put("Customer", "1", Name="A name that is too long", Phone="ext. 5")
    world.desk.put("accounts", "key-a", name="Desk a")


TABLE = """CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, phone VARCHAR);
INSERT INTO people VALUES (1, 'Ann', '1'), (2, 'Bo', '2'), (3, 'Cy', NULL);
"""
PEOPLE = "number,name,phone\n7,Dee,4\n8,Eve,5\n"
TABLES = {
    "sync.yaml": """systems:
  shop: {connector: duckdb, url: .sync-run/shop.duckdb, seed: data/shop.sql}
  desk: {connector: files, url: .sync-run/desk, seed: data/desk, types: {people: {number: integer}}}
""",
    "data/shop.sql": TABLE,
    "data/desk/people.csv": PEOPLE,
    "mappings/people.yaml": """mapping: people
direction: both
shop: {entity: people, key: id}
desk: {entity: people, key: number}
match: [{shop: name, desk: name}]
fields:
  - {shop: name, desk: name}
  - {shop: phone, desk: phone}
""",
}
NAMES = ("name", "phone")
SYNC = """systems:
  nav: {connector: nav, url: "sandbox:nav", company: CRONUS International Ltd., seed: data/nav}
  crm: {connector: dataverse, url: "sandbox:crm", seed: data/crm}
"""
SALES = {
    "sync.yaml": SYNC,
    "data/nav/Customer.csv": "No,Name,Phone_No\n"
    + "".join(f"{n},Customer {n},{n}\n" for n in range(10, 16)),
    "data/crm/accounts.csv": "name,telephone1,customertypecode\n"
    + "".join(f"Account {n},{n},3\n" for n in range(4)),
    "mappings/customers.yaml": """mapping: customers
direction: both
nav: {entity: Customer, key: "No"}
crm: {entity: accounts, key: accountid, filter: "customertypecode == `3`"}
match: [{nav: "No", crm: accountnumber}]
fields:
  - {nav: "No", crm: accountnumber, direction: nav -> crm}
  - {nav: Name, crm: name}
  - {nav: Phone_No, crm: telephone1}
  - {crm: customertypecode, constant: 3, direction: nav -> crm}
""",
}
SALES_TOLD = {
    "sandbox/nav.sqlite Customer": ("No", "Name", "Phone_No"),
    "sandbox/crm.sqlite accounts": ("name", "telephone1", "customertypecode"),
}


def edited_sales(folder: Path) -> None:
    made = Quickstart(folder)
    for n in range(10, 16):
        made.nav("PATCH", f"/Customer('{n}')", {"Phone_No": f"{n} new"}, **{"If-Match": "*"})
    for row in made.crm("GET", "/accounts")["value"]:
        body = {"name": row["name"] + " II"}
        made.crm("PATCH", f"/accounts({row['accountid']})", body, **{"If-Match": "*"})
    made.nav("POST", "/Customer", {"Name": "Later in NAV"})
    made.crm("POST", "/accounts", {"name": "Later in Sales", "customertypecode": 3})


OPTIONS = {
    "sync.yaml": SYNC,
    "data/nav/PaymentTerms.csv": "Code,Description\n14 DAYS,Net 14\n21 DAYS,Net 21\nNET 30,Net 30\n",
    "data/crm/accounts.csv": "name\nAny\n",
    "mappings/terms.yaml": """mapping: payment-terms
direction: both
nav: {entity: PaymentTerms, key: Code, label: Description}
crm: {entity: accounts.paymenttermscode, key: value, new_key: "{number}"}
match:
  - {nav: Code, crm: label, transform: [{substring: {length: 10}}, trim, uppercase]}
fields:
  - {nav: Code, crm: label, when: create, too_long: truncate}
""",
}
PRICES = {
    "sync.yaml": """systems:
  nav: {connector: nav, url: "sandbox:nav", company: CRONUS International Ltd., seed: data/nav}
  shop: {connector: duckdb, url: .sync-run/shop.duckdb, seed: data/shop.sql}
""",
    "data/nav/Item.csv": "No,Description\n1000,Bicycle\n1001,Bell\n",
    "data/nav/CustomerPriceGroup.csv": "Code,Description\nRETAIL,Shops\n",
    "data/nav/SalesPrices.csv": "Item_No,Sales_Type,Sales_Code,Minimum_Quantity,Unit_Price\n"
    "1000,Customer Price Group,RETAIL,0,10\n1001,Customer Price Group,RETAIL,5,20\n",
    "data/shop.sql": "CREATE TABLE prices (id VARCHAR PRIMARY KEY, item VARCHAR, amount DECIMAL(18,2));",
    "mappings/prices.yaml": """mapping: prices
direction: nav -> shop
nav:
  entity: SalesPrices
  key: [Item_No, Sales_Type, Sales_Code, Starting_Date, Currency_Code, Variant_Code, Unit_of_Measure_Code, Minimum_Quantity]
shop: {entity: prices, key: id}
fields:
  - {nav: Item_No, shop: item}
  - {nav: Unit_Price, shop: amount}
""",
}
CENTRAL = {
    "sync.yaml": """systems:
  bc: {connector: business_central, url: "sandbox:bc", company: CRONUS, seed: data/bc}
  shop: {connector: duckdb, url: .sync-run/shop.duckdb, seed: data/shop.sql}
""",
    "data/bc/customers.csv": "number,displayName,phoneNumber\nC00010,Central 1,1\nC00020,Central 2,2\n",
    "data/shop.sql": TABLE,
    "mappings/customers.yaml": """mapping: customers
direction: both
bc: {entity: customers, key: id, label: displayName}
shop: {entity: people, key: id}
match: [{bc: displayName, shop: name}]
fields:
  - {bc: displayName, shop: name}
  - {bc: phoneNumber, shop: phone}
""",
}


def memory(name: str, *texts: str, **more: Any) -> InMemory:
    return InMemory(name, {f"m{n}": text for n, text in enumerate(texts)}, **more)


def policy(word: str) -> str:
    return BOTH + f"conflict: {{delete: {word}}}\n"


KINDS: tuple[Kind, ...] = (
    memory("both ways, created", BOTH, first=both_sides),
    memory("both ways, changed", BOTH, first=both_sides, then=changed),
    memory("one way, and drift", ONE_WAY, first=both_sides, then=one_way),
    memory("twins of a number series", BOTH, first=twins),
    memory("lookups to what this run creates", AGENTS_LEFT, LOOKUPS, first=referring),
    memory(
        "companions: ensure, comes_with, one_per, coupled_by",
        GROUPS, UNITS, USES, PRICE_LISTS, SECOND_STEP,
        first=companions, manners=with_base_units,
    ),
    memory("keyed by two others", ITEMS, PRICE_LISTS, LINES, first=companions),
    memory(
        "second writes after a create",
        ONE_WAY + "  - {desk: state, constant: 1, when: after_create}\n",
        first=both_sides,
    ),
    memory("deleted: delete", policy("delete"), first=both_sides, then=deleted),
    memory("deleted: restore", policy("restore"), first=both_sides, then=deleted),
    memory("deleted: uncouple", policy("uncouple"), first=both_sides, then=deleted),
    memory("gone on both sides", BOTH, first=both_sides, then=gone_on_both),
    memory("coupled by a match", BOTH, first=matching),
    memory(
        "systems that complete what they are given",
        ONE_WAY, first=to_complete, manners=completing,
    ),
    Served("tables and files", TABLES, {"shop.duckdb people": NAMES, "desk/people.csv": NAMES}),
    Served("Dataverse $batch, created", SALES, SALES_TOLD),
    Served("Dataverse $batch, changed", SALES, SALES_TOLD, edited_sales),
    Served(
        "option sets",
        OPTIONS,
        {"sandbox/nav.sqlite PaymentTerms": ("Code",), "sandbox/crm.sqlite #options": ("label",)},
    ),
    Served(
        "composite keys",
        PRICES,
        {"shop.duckdb prices": ("item", "amount")},
    ),
    Served(
        "Business Central JSON $batch",
        CENTRAL,
        {
            "sandbox/bc.sqlite customers": ("displayName", "phoneNumber"),
            "shop.duckdb people": NAMES,
        },
    ),
)  # fmt: skip
