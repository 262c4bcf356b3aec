"""An independent eye: both systems as they answer, pair by pair, by rules written a second time.

It shares no code with the runner. Which records belong together it reads in the state, by SQL of
its own; all else it knows from Microsoft's description.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

Row = dict[str, Any]
Ask = "Callable[[str], list[Row]]"
CUSTOMER = [
    ("No", "accountnumber"), ("Name", "name"), ("Address", "address1_line1"),
    ("Address_2", "address1_line2"), ("Post_Code", "address1_postalcode"),
    ("City", "address1_city"),
    ("Country_Region_Code", "address1_country"), ("Phone_No", "telephone1"), ("Fax_No", "fax"),
    ("E_Mail", "emailaddress1"), ("Home_Page", "websiteurl"),
]  # fmt: skip
CONTACT = [
    ("First_Name", "firstname"), ("Middle_Name", "middlename"), ("Surname", "lastname"),
    ("Address", "address1_line1"), ("Address_2", "address1_line2"),
    ("Post_Code", "address1_postalcode"), ("City", "address1_city"),
    ("County", "address1_stateorprovince"), ("Country_Region_Code", "address1_country"),
    ("Phone_No", "telephone1"), ("Mobile_Phone_No", "mobilephone"), ("Fax_No", "fax"),
    ("Pager", "pager"), ("E_Mail", "emailaddress1"), ("Home_Page", "websiteurl"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Eye:
    """Both systems and the state, read once."""

    nav: dict[str, dict[str, Row]]
    crm: dict[str, dict[str, Row]]
    pairs: dict[str, dict[str, str]]

    def texts(self, mapping: str, page: str, entity: str, fields: list[tuple[str, str]]) -> None:
        """Compare the texts of every pair; NAV knows no null."""
        for key, guid in self.pairs[mapping].items():
            left, right = self.nav[page][key], self.crm[entity][guid]
            for mine, theirs in fields:
                held, there = str(left[mine]).strip(), str(right.get(theirs) or "").strip()
                assert held.lower() == there.lower() if mine == "E_Mail" else held == there, (
                    f"{mapping} {key}: {mine} {held!r}, {theirs} {there!r}"
                )

    def reference(
        self, mapping: str, page: str, entity: str, mine: str, theirs: str, to: str
    ) -> None:
        """Compare a code with the lookup that it became, by the pairs of another mapping."""
        for key, guid in self.pairs[mapping].items():
            code = self.nav[page][key][mine]
            there = self.crm[entity][guid].get(f"_{theirs}_value")
            if code:
                assert self.pairs[to].get(code) == there, f"{mapping} {key}: {mine} {code}, {there}"

    def money(
        self, mapping: str, page: str, entity: str, mine: str, theirs: str, *, unless: str = ""
    ) -> None:
        """Compare amounts: never less than nothing, two decimal places in Sales.

        ``unless`` names a field of NAV's: where it is set, the amount stays as it was.
        """
        for key, guid in self.pairs[mapping].items():
            if unless and self.nav[page][key][unless]:
                continue
            held = max(Decimal(str(self.nav[page][key][mine])), Decimal())
            there = Decimal(str(self.crm[entity][guid].get(theirs) or 0))
            rounded = held.quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert rounded == there.quantize(Decimal("0.01")), f"{mapping} {key}: {held}, {there}"


def opened(state: Path, nav: Callable[[str], Any], crm: Callable[[str], Any]) -> Eye:
    """Read both systems and the state."""
    with duckdb.connect(str(state), read_only=True) as connection:
        found = connection.execute("SELECT mapping, left_key, right_key FROM coupling").fetchall()
    pairs: dict[str, dict[str, str]] = {}
    for mapping, left, right in found:
        pairs.setdefault(mapping, {})[left] = right
    pages = {
        "Customer": "No", "Contact": "No", "Item": "No", "Resource": "No", "Currency": "Code",
        "Salesperson": "Code", "Unit_of_Measure": "Code", "Opportunity": "No", "Currencies": "Code",
    }  # fmt: skip
    sets = {
        "accounts": "accountid", "contacts": "contactid", "products": "productid",
        "productpricelevels": "productpricelevelid", "systemusers": "systemuserid",
        "transactioncurrencies": "transactioncurrencyid", "uomschedules": "uomscheduleid",
        "uoms": "uomid", "opportunities": "opportunityid", "pricelevels": "pricelevelid",
    }  # fmt: skip
    return Eye(
        nav={name: {row[key]: row for row in _all(nav, f"/{name}")} for name, key in pages.items()},
        crm={name: {row[key]: row for row in _all(crm, f"/{name}")} for name, key in sets.items()},
        pairs=pairs,
    )


def _all(ask: Callable[[str], Any], path: str) -> list[Row]:
    """Follow the pages of a list."""
    rows: list[Row] = []
    while path:
        told = ask(path)
        rows += told["value"]
        link = told.get("@odata.nextLink", "")
        path = "/" + link.rsplit("/", 1)[1] if link else ""
    return rows


def looked_through(
    eye: Eye, findings: set[tuple[str, str]], drifted: Collection[tuple[str, str]] = ()
) -> dict[str, int]:
    """Compare all pairs, and count what is in scope against what is coupled or reported.

    ``findings`` are (mapping, NAV's key) of what a run reported, ``drifted`` of pairs whose state
    it reported and left. Returns the pairs by mapping.
    """
    eye.texts("customers", "Customer", "accounts", CUSTOMER)
    eye.texts("contacts", "Contact", "contacts", CONTACT)
    eye.texts(
        "currencies",
        "Currency",
        "transactioncurrencies",
        [("Code", "isocurrencycode"), ("Description", "currencyname")],
    )
    eye.texts(
        "items",
        "Item",
        "products",
        [
            ("No", "productnumber"),
            ("Description", "name"),
            ("Vendor_No", "vendorid"),
            ("Vendor_Item_No", "vendorpartnumber"),
        ],
    )
    eye.texts("resources", "Resource", "products", [("No", "productnumber"), ("Name", "name")])
    eye.texts("salespeople", "Salesperson", "systemusers", [("Name", "fullname")])
    eye.texts("opportunities", "Opportunity", "opportunities", [("Description", "name")])
    eye.reference("customers", "Customer", "accounts", "Salesperson_Code", "ownerid", "salespeople")
    eye.reference(
        "customers", "Customer", "accounts", "Currency_Code", "transactioncurrencyid", "currencies"
    )
    eye.reference(
        "contacts", "Contact", "contacts", "IntegrationCustomerNo", "parentcustomerid", "customers"
    )
    eye.reference("contacts", "Contact", "contacts", "Salesperson_Code", "ownerid", "salespeople")
    eye.reference(
        "items", "Item", "products", "Base_Unit_of_Measure", "defaultuomscheduleid", "unit-groups"
    )
    eye.reference("items", "Item", "products", "Base_Unit_of_Measure", "defaultuomid", "units")
    eye.reference("item-prices", "Item", "productpricelevels", "No", "productid", "items")
    eye.reference(
        "opportunities", "Opportunity", "opportunities", "Contact_No", "parentcontactid", "contacts"
    )
    eye.money("customers", "Customer", "accounts", "Credit_Limit_LCY", "creditlimit")
    for mapping, page in (("items", "Item"), ("resources", "Resource")):
        eye.money(mapping, page, "products", "Unit_Price", "price")
        for key, guid in eye.pairs[mapping].items():
            blocked, state = eye.nav[page][key]["Blocked"], eye.crm["products"][guid]["statecode"]
            told = (mapping, key) in drifted
            assert told or (1 if blocked else 0) == state, f"{mapping} {key}: {blocked}, {state}"
    # A retired product takes no lines; those that it has stay as they are.
    eye.money("item-prices", "Item", "productpricelevels", "Unit_Price", "amount", unless="Blocked")
    _rates(eye)
    _complete(eye, findings)
    return {mapping: len(pairs) for mapping, pairs in eye.pairs.items()}


def _rates(eye: Eye) -> None:
    """A currency is worth as much in Sales as NAV's latest rate says, turned around."""
    for code, guid in eye.pairs["currencies"].items():
        worth = Decimal(str(eye.nav["Currencies"][code]["ExchangeRateAmt"]))
        rate = Decimal(str(eye.crm["transactioncurrencies"][guid]["exchangerate"]))
        assert abs(worth * rate - 1) < Decimal("0.000001"), f"{code}: {worth} {rate}"


def _complete(eye: Eye, findings: set[tuple[str, str]]) -> None:
    """Everything that takes part is coupled once, or was reported; nobody has two partners."""
    taking_part = {
        "customers": set(eye.nav["Customer"]),
        "contacts": {
            key
            for key, row in eye.nav["Contact"].items()
            if row["Type"] == "Person" and row["Company_No"] and row["IntegrationCustomerNo"]
        },
        "currencies": set(eye.nav["Currency"]),
        "unit-groups": set(eye.nav["Unit_of_Measure"]),
        "units": set(eye.nav["Unit_of_Measure"]),
        "items": set(eye.nav["Item"]),
        "resources": set(eye.nav["Resource"]),
        "opportunities": set(eye.nav["Opportunity"]),
    }
    for mapping, keys in taking_part.items():
        coupled = set(eye.pairs.get(mapping, {}))
        reported = {key for name, key in findings if name == mapping}
        missing = keys - coupled - reported
        assert not missing, f"{mapping}: neither coupled nor reported: {sorted(missing)[:9]}"
        assert not coupled & reported, f"{mapping}: coupled, and reported: {coupled & reported}"
        assert coupled <= keys, f"{mapping}: coupled and gone: {coupled - keys}"
        partners = list(eye.pairs.get(mapping, {}).values())
        assert len(partners) == len(set(partners)), f"{mapping}: two records have one partner"
    accounts = {
        key
        for key, row in eye.crm["accounts"].items()
        if row.get("customertypecode") == 3 and row["statecode"] == 0
    }
    assert accounts == set(eye.pairs["customers"].values()), "accounts that are nobody's"
    products = set(eye.pairs["items"].values()) | set(eye.pairs["resources"].values())
    assert set(eye.crm["products"]) == products, "products that are nobody's"
    assert set(eye.crm["contacts"]) == set(eye.pairs["contacts"].values()), "contacts of nobody"
