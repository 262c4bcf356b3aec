"""What a write to one table of NAV does to others (protocols B6: side effects)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.sandbox.answers import Refusal
from runner.sandbox.nav.metadata import services
from runner.sandbox.nav.rules import LINKS, RELATIONS, rated
from runner.sandbox.nav.session import BETWEEN

if TYPE_CHECKING:
    from runner.sandbox.nav.metadata import Service
    from runner.sandbox.nav.session import Session
    from runner.sandbox.store import Body, Row, Store

_SHARED = (
    *("Name", "Address", "Address_2", "Post_Code", "City", "County", "Country_Region_Code"),
    *("Phone_No", "Fax_No", "E_Mail", "Home_Page", "Language_Code", "Currency_Code"),
    *("Salesperson_Code", "VAT_Registration_No"),
)
"""What a customer and its company contact have in common (codeunits 5055 and 5056)."""

_ENTRIES = {
    "Customer": ("Balance_LCY", "outstanding Cust. Ledger Entry"),
    "Item": ("Inventory", "outstanding item ledger entry"),
}
"""What keeps a record from being deleted: a field that tells of it, and its name."""


def modified(session: Session, table: str, before: Body, row: Row) -> None:
    """Bring a customer's company contact after it, or the other way round, and its persons."""
    if table == "CurrencyExchangeRates":
        rated(session.store, row.body)
    store, changed = session.store, {n: row.body.get(n) for n in _SHARED}
    if all(before.get(name) == value for name, value in changed.items()):
        return
    if table == "Customer":
        link = store.get(LINKS, row.key)
        contact = store.get("Contact", link.body["Contact_No"]) if link else None
        if contact is not None:
            body = {**contact.body, **_told(changed)}
            _stamped(session, store.put("Contact", contact.key, body), "Contact")
            _persons(session, contact.key, str(body["Name"]))
    elif table == "Contact" and row.body.get("Type") == "Company":
        _persons(session, row.key, str(row.body["Name"]))
        number = next((r.key for r in store.rows(LINKS) if r.body["Contact_No"] == row.key), None)
        customer = store.get("Customer", number) if number else None
        if customer is not None:
            body = {**customer.body, **_told(changed)}
            _stamped(session, store.put("Customer", customer.key, body), "Customer")


def renamed(store: Store, table: str, old: str, new: str) -> None:
    """Let everything that names a record name it by its new key."""
    for (page, name), target in RELATIONS.items():
        if target != table:
            continue
        for row in list(store.rows(page)):
            if row.body.get(name) == old:
                store.put(page, _key(page, row, name, new), {**row.body, name: new})
    if table == "Customer" and (link := store.get(LINKS, old)) is not None:
        store.delete(LINKS, old)
        store.put(LINKS, new, link.body)


def must_be_free(service: Service, row: Row) -> None:
    """Refuse to delete what has entries."""
    name, entries = _ENTRIES.get(service.rows, ("", ""))
    if name and row.body.get(name):
        words = (
            f"You cannot delete {service.caption} {row.key} because there is at least one "
            f"{entries} for this {service.caption.lower()}."
        )
        raise Refusal(400, "Application_DialogException", words)


def _key(page: str, row: Row, name: str, value: str) -> str:
    keys = services()[page].keys
    if name not in keys:
        return row.key
    parts = row.key.split(BETWEEN)
    parts[keys.index(name)] = value
    return BETWEEN.join(parts)


def _persons(session: Session, company: str, name: str) -> None:
    for row in list(session.store.rows("Contact")):
        person = row.body.get("Type") == "Person" and row.body.get("Company_No") == company
        if person and row.body.get("Company_Name") != name:
            session.store.put("Contact", row.key, {**row.body, "Company_Name": name})


def _told(changed: Body) -> Body:
    return {name: value for name, value in changed.items() if value is not None}


def _stamped(session: Session, row: Row, table: str) -> None:
    if session.manners.stamps:
        day = session.now().date().isoformat()
        session.store.put(table, row.key, {**row.body, "Last_Date_Modified": day})
