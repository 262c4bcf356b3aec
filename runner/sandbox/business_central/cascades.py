"""What a change brings along: a customer and its company contact (codeunits 5055, 5056)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from runner.sandbox.business_central import rules
from runner.sandbox.business_central.metadata import Entity, entities

if TYPE_CHECKING:
    from datetime import datetime

    from runner.sandbox.store import Row, Store

LINKS = "contactBusinessRelations"
"""Which company contact belongs to which customer; kept by the customer's id."""

_SHARED = (
    "displayName",
    "addressLine1",
    "addressLine2",
    "city",
    "state",
    "country",
    "postalCode",
    "phoneNumber",
    "email",
    "website",
)


def company_contact(store: Store, customer: Row, now: datetime) -> None:
    """Make the contact of a new customer."""
    contacts = entities()["contacts"]
    given = {name: customer.body[name] for name in _SHARED} | {"type": "Company"}
    body = rules.inserted(store, contacts, given, now)
    body |= {"companyNumber": body["number"], "companyName": body["displayName"]}
    key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"contact of {customer.key}"))
    link(store, customer, store.put("contacts", key, body))


def link(store: Store, customer: Row, contact: Row) -> None:
    """Make a contact that of a customer's company."""
    store.put("contacts", contact.key, {**contact.body, "contactBusinessRelation": "Customer"})
    store.put(LINKS, customer.key, {"contact": contact.key})


def follow(store: Store, entity: Entity, row: Row, before: Row, now: datetime) -> None:
    """Bring the other one after a change, and the persons of a company."""
    changed = {n: row.body[n] for n in _SHARED if row.body.get(n) != before.body.get(n)}
    if not changed:
        return
    if entity.name == "customers":
        found = store.get(LINKS, row.key)
        contact = store.get("contacts", found.body["contact"]) if found else None
        if contact is not None:
            _write(store, "contacts", contact, changed, now)
            _persons(store, contact, now)
    elif entity.name == "contacts" and row.body["type"] == "Company":
        for found in list(store.rows(LINKS)):
            customer = store.get("customers", found.key)
            if found.body["contact"] == row.key and customer is not None:
                _write(store, "customers", customer, changed, now)
        _persons(store, row, now)


def _persons(store: Store, company: Row, now: datetime) -> None:
    for row in list(store.rows("contacts")):
        if row.key != company.key and row.body["companyNumber"] == company.body["number"]:
            _write(store, "contacts", row, {}, now)


def _write(store: Store, name: str, row: Row, changed: dict[str, object], now: datetime) -> None:
    body = rules.written(store, entities()[name], {**row.body, **changed}, now)
    store.put(name, row.key, body)
