"""The first records of a sandbox, from CSV files named after entity sets and services."""

from __future__ import annotations

import csv
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.sandbox.business_central import cascades
from runner.sandbox.business_central import rules as business_central_rules
from runner.sandbox.business_central.metadata import entities
from runner.sandbox.dataverse import rules as dataverse_rules
from runner.sandbox.dataverse.manners import CONNECTION_USER
from runner.sandbox.dataverse.metadata import Attribute, by_set
from runner.sandbox.nav.metadata import Control, services
from runner.sandbox.nav.rules import LINKS, inserted
from runner.sandbox.nav.session import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.sandbox.store import Store

_SEEDED = datetime(2018, 1, 1, tzinfo=UTC)
_SPACE = uuid.UUID("6f1f0f0a-5a2d-4f6e-9d52-7c0e5d0b1f00")


def dataverse(store: Store, folder: Path | None) -> None:
    """Fill an organisation; the user that the client is connected as is always there."""
    store.next("version")
    user = {
        "systemuserid": CONNECTION_USER,
        "fullname": "# sync-run",
        "internalemailaddress": "sync-run@example.com",
        "isdisabled": False,
        "islicensed": True,
        "isintegrationuser": True,
        "modifiedon": dataverse_rules.stamp(_SEEDED),
    }
    store.put("systemusers", CONNECTION_USER, user)
    for name, entity in by_set().items():
        for n, row in enumerate(_rows(folder, name)):
            key = row.get(entity.key) or str(uuid.uuid5(_SPACE, f"{name} {n}"))
            body = dataverse_rules.created(entity, key, _SEEDED, CONNECTION_USER)
            for attribute in entity.attributes.values():
                text = row.get(attribute.name, "")
                if text and attribute.targets:
                    body[f"_{attribute.name}_value"] = text.lower()
                    target = row.get(f"{attribute.name}type") or next(iter(attribute.targets))
                    body[f"_{attribute.name}_type"] = target
                elif text:
                    body[attribute.name] = _value(attribute, text)
            body = {**dataverse_rules.computed(entity, dict(body)), entity.key: key.lower()}
            body.setdefault("modifiedon", dataverse_rules.stamp(_SEEDED))
            store.put(name, key.lower(), body)


def nav(store: Store, folder: Path | None) -> None:
    """Fill a company; the links between customers and their contacts come first."""
    store.next("version")
    for row in _rows(folder, LINKS):
        store.put(LINKS, row["No"], {"Contact_No": row["Contact_No"]})
    for name, service in services().items():
        if service.rows != name:
            continue
        for row in _rows(folder, name):
            body = {
                control.name: _typed(control, row[control.name])
                for control in service.table.values()
                if row.get(control.name)
            }
            whole = {key: service.controls[key].blank for key in service.keys} | body
            key = key_of(service, whole)
            store.put(name, key, inserted(store, service, key, body, _SEEDED.date()))


def business_central(store: Store, folder: Path | None) -> None:
    """Fill a company; what others name comes first, as the entities stand in their file."""
    store.next("version")
    first = ("salespeoplePurchasers", "currencies", "unitsOfMeasure")
    for name in sorted(entities(), key=lambda known: known not in first):
        entity = entities()[name]
        for n, row in enumerate(_rows(folder, name)):
            body = {
                field.name: _typed(field, row[field.name])
                for field in entity.fields.values()
                if row.get(field.name)
            }
            known = body.pop("id", "") or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {n}"))
            store.put(
                name, known.lower(), business_central_rules.inserted(store, entity, body, _SEEDED)
            )
    told = {row["customer"]: row["contact"] for row in _rows(folder, cascades.LINKS)}
    numbers = {row.body["number"]: row for row in store.rows("contacts")}
    for customer in list(store.rows("customers")):
        contact = numbers.get(told.get(customer.body["number"], ""))
        if contact is not None:
            cascades.link(store, customer, contact)
        else:
            cascades.company_contact(store, customer, _SEEDED)


def _rows(folder: Path | None, name: str) -> Iterator[dict[str, str]]:
    path = folder / f"{name}.csv" if folder else None
    if path is None or not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _value(attribute: Attribute, text: str) -> Any:
    match attribute.type:
        case "Boolean":
            return text.lower() == "true"
        case "Integer" | "BigInt" | "Picklist" | "State" | "Status":
            return int(text)
        case "Decimal" | "Money" | "Double":
            return Decimal(text)
        case "Uniqueidentifier":
            return text.lower()
        case _:
            return text


def _typed(control: Control, text: str) -> Any:
    match control.type:
        case "Boolean":
            return text.lower() == "true"
        case "Integer":
            return int(text)
        case "Decimal":
            return Decimal(text)
        case "Code":
            return text.strip().upper()
        case _:
            return text
