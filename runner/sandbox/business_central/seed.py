"""The first records of a company."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from runner.sandbox import seeds
from runner.sandbox.business_central import cascades, rules
from runner.sandbox.business_central.metadata import entities

if TYPE_CHECKING:
    from pathlib import Path

    from runner.sandbox.store import Store


def fill(store: Store, folder: Path | None) -> None:
    """Fill a company; what others name comes first, as the entities stand in their file."""
    store.next("version")
    first = ("salespeoplePurchasers", "currencies", "unitsOfMeasure")
    for name in sorted(entities(), key=lambda known: known not in first):
        entity = entities()[name]
        for n, row in enumerate(seeds.rows(folder, name)):
            body = {
                field.name: seeds.typed(field.type, row[field.name])
                for field in entity.fields.values()
                if row.get(field.name)
            }
            known = body.pop("id", "") or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {n}"))
            store.put(name, known.lower(), rules.inserted(store, entity, body, seeds.SEEDED))
    told = {row["customer"]: row["contact"] for row in seeds.rows(folder, cascades.LINKS)}
    numbers = {row.body["number"]: row for row in store.rows("contacts")}
    for customer in list(store.rows("customers")):
        contact = numbers.get(told.get(customer.body["number"], ""))
        if contact is not None:
            cascades.link(store, customer, contact)
        else:
            cascades.company_contact(store, customer, seeds.SEEDED)
