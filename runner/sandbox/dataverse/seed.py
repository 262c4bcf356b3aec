"""The first records of an organisation."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.sandbox import seeds
from runner.sandbox.dataverse import rules
from runner.sandbox.dataverse.manners import CONNECTION_USER
from runner.sandbox.dataverse.metadata import Attribute, by_set

if TYPE_CHECKING:
    from pathlib import Path

    from runner.sandbox.store import Store

_SPACE = uuid.UUID("6f1f0f0a-5a2d-4f6e-9d52-7c0e5d0b1f00")


def fill(store: Store, folder: Path | None) -> None:
    """Fill an organisation; the user that the client is connected as is always there."""
    store.next("version")
    user = {
        "systemuserid": CONNECTION_USER,
        "fullname": "# sync-run",
        "internalemailaddress": "sync-run@example.com",
        "isdisabled": False,
        "islicensed": True,
        "isintegrationuser": True,
        "modifiedon": rules.stamp(seeds.SEEDED),
    }
    store.put("systemusers", CONNECTION_USER, user)
    for name, entity in by_set().items():
        for n, row in enumerate(seeds.rows(folder, name)):
            key = row.get(entity.key) or str(uuid.uuid5(_SPACE, f"{name} {n}"))
            body = rules.created(entity, key, seeds.SEEDED, CONNECTION_USER)
            for attribute in entity.attributes.values():
                text = row.get(attribute.name, "")
                if text and attribute.targets:
                    body[f"_{attribute.name}_value"] = text.lower()
                    target = row.get(f"{attribute.name}type") or next(iter(attribute.targets))
                    body[f"_{attribute.name}_type"] = target
                elif text:
                    body[attribute.name] = _value(attribute, text)
            body = {**rules.computed(entity, dict(body)), entity.key: key.lower()}
            body.setdefault("modifiedon", rules.stamp(seeds.SEEDED))
            store.put(name, key.lower(), body)


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
