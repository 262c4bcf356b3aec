"""What Business Central does to what it is given: NAV's rules by other names (protocols C2)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.business_central.metadata import Entity, encoded, entities
from runner.sandbox.nav.rules import typed

if TYPE_CHECKING:
    from runner.sandbox.business_central.manners import BusinessCentralManners
    from runner.sandbox.store import Body, Row, Store

ZERO = "00000000-0000-0000-0000-000000000000"

_SERIES = {
    "customers": ("C", 5, 10),
    "contacts": ("CT", 6, 1),
    "items": ("1", 3, 1),
    "vendors": ("V", 5, 10),
}
"""Number series by entity: prefix, digits, step."""

_BY_CODE = {
    ("customers", "salespersonCode"): "salespeoplePurchasers",
    ("customers", "currencyCode"): "currencies",
    ("items", "baseUnitOfMeasureCode"): "unitsOfMeasure",
    ("vendors", "currencyCode"): "currencies",
}
_BY_ID = {
    ("customers", "currencyId"): ("currencies", "currencyCode"),
    ("customers", "paymentTermsId"): ("paymentTerms", "paymentTermsCode"),
    ("customers", "shipmentMethodId"): ("shipmentMethods", "shipmentMethodCode"),
    ("vendors", "currencyId"): ("currencies", "currencyCode"),
    ("vendors", "paymentTermsId"): ("paymentTerms", "paymentTermsCode"),
    ("items", "baseUnitOfMeasureId"): ("unitsOfMeasure", "baseUnitOfMeasureCode"),
}
"""Fields that name another record; ids stand for codes, which are what is kept, shown or not."""


def values(
    store: Store, entity: Entity, body: dict[str, Any], manners: BusinessCentralManners
) -> Body:
    """Turn a request's body into field values, validated in its order."""
    found: Body = {}
    for name, value in body.items():
        if name.startswith("@"):
            continue
        field = entity.fields.get(name)
        if field is None:
            raise Refusal(
                400,
                "BadRequest",
                f"The property '{name}' does not exist on type 'Microsoft.NAV.{entity.enum}'.",
            )
        if not field.edit:
            raise Refusal(400, "BadRequest_InvalidOperation", f"Control '{name}' is read-only.")
        if field.type == "Guid":
            found[name] = guid(value)
        elif field.options and isinstance(value, str):
            plain = {encoded(option): option for option in field.options}
            found[name] = typed(field, plain.get(value, value))
        else:
            found[name] = typed(field, value)
        _follow(store, entity, name, found, manners)
    return found


def _follow(
    store: Store, entity: Entity, name: str, found: Body, manners: BusinessCentralManners
) -> None:
    """Check what a field names; an id sets the code that belongs to it."""
    value = found[name]
    if (entity.name, name) in _BY_ID:
        other, code = _BY_ID[entity.name, name]
        del found[name]
        if value == ZERO:
            found[code] = ""
            return
        row = store.get(other, value)
        if row is None:
            raise _no_relation(entity, name, value, entities()[other])
        found[code] = row.body[entities()[other].natural]
        return
    there = _BY_CODE.get((entity.name, name))
    if there == "currencies" and value == manners.local_currency:
        found[name] = ""
    elif there and value and by_natural(store, entities()[there], value) is None:
        raise _no_relation(entity, name, value, entities()[there])


def by_natural(store: Store, entity: Entity, value: str) -> Row | None:
    """Find a record by the key that people know."""
    rows = store.rows(entity.name)
    return next((row for row in rows if row.body.get(entity.natural) == value), None)


def inserted(store: Store, entity: Entity, given: Body, now: datetime) -> Body:
    """Fill a new record; its number comes from the series where none was given."""
    natural = entity.natural
    for field in entity.fields.values():
        if field.required and not given.get(field.name):
            raise Refusal(
                400,
                "Application_FieldValidationException",
                f"The {field.name} field is required. Enter a value.",
            )
    body = {name: field.blank for name, field in entity.fields.items() if not field.key}
    body |= given
    if not body[natural]:
        prefix, digits, step = _SERIES[entity.name]
        used = {row.body[natural] for row in store.rows(entity.name)}
        while True:
            number = f"{prefix}{store.next(f'series {entity.name}') * step:0{digits}}"
            if number not in used:
                break
        body[natural] = number
    taken = by_natural(store, entity, body[natural])
    if taken is not None:
        raise same_key(entity, body[natural])
    return written(store, entity, body, now)


def written(store: Store, entity: Entity, body: Body, now: datetime) -> Body:
    """Fill what the server makes itself."""
    if entity.name == "contacts":
        number = body.get("companyNumber", "")
        company = by_natural(store, entity, number) if number else None
        body["companyName"] = company.body["displayName"] if company else ""
    body["lastModifiedDateTime"] = now.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    return body


def shown(store: Store, entity: Entity, row: Row, manners: BusinessCentralManners) -> Body:
    """Show a record as the API does: options encoded, ids beside codes, the local currency."""
    told: Body = {}
    for name, field in entity.fields.items():
        value = row.key if field.key else row.body.get(name, field.blank)
        if field.options:
            value = encoded(value) if manners.encodes_options else value
        told[name] = value
    for (owner, name), (other, code) in _BY_ID.items():
        if owner == entity.name:
            found = by_natural(store, entities()[other], row.body.get(code, ""))
            told[name] = found.key if found else ZERO
    if entity.name in ("customers", "vendors") and not told["currencyCode"]:
        told["currencyCode"] = manners.local_currency
    return told


def same_key(entity: Entity, value: str) -> Refusal:
    """Refuse a second record with the same key."""
    return Refusal(
        400,
        "Internal_EntityWithSameKeyExists",
        "The record already exists. Identification fields and values: "
        f"{entity.natural.capitalize()}='{value}'",
    )


def guid(value: Any) -> str:
    """Read a GUID."""
    if value is None:
        return ZERO
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise Refusal(400, "Application_InvalidGUID", f"'{value}' is not a GUID.") from error


def _no_relation(entity: Entity, name: str, value: str, other: Entity) -> Refusal:
    return Refusal(
        400,
        "Internal_InvalidTableRelation",
        f"The field {name} of table {entity.caption} contains a value ({value}) that cannot be "
        f"found in the related table ({other.caption}).",
    )
