"""What Dataverse does to what it is given: types, lengths, options, states, rules of its tables.

Protocols A5 to A7, A16, A17. Each rule refuses with the code that the real server uses.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse import choices
from runner.sandbox.dataverse.keys import guid, located
from runner.sandbox.dataverse.metadata import Attribute, Entity, by_set

if TYPE_CHECKING:
    from runner.sandbox.dataverse.manners import DataverseManners
    from runner.sandbox.dataverse.session import Session
    from runner.sandbox.store import Body, Store

_FIRST_YEAR = 1753
_BIND = re.compile(r"^(?:https?://[^/]+)?/?(?:.*/)?([A-Za-z_]+)\((.+)\)$")


def values(session: Session, entity: Entity, body: dict[str, Any], *, creating: bool) -> Body:
    """Turn a request's body into columns; refuse what the table does not take."""
    found: Body = {}
    for name, value in body.items():
        if name.endswith("@odata.bind"):
            found.update(_bound(session, entity, name.removesuffix("@odata.bind"), value))
            continue
        if name.startswith("@") or "@" in name:
            continue
        attribute = entity.attributes.get(name)
        if attribute is None or attribute.targets is not None:
            if value is None and entity.navigation(name):
                found.update(_bound(session, entity, name, None))
                continue
            raise Refusal(
                400,
                "0x80048d19",
                f"Error identified in Payload provided by the user for Entity :'{entity.set}': "
                f"An undeclared property '{name}' which only has property annotations in the "
                "payload but no property value was found in the payload.",
            )
        if session.manners.read_only:
            _writable(session.manners, entity, attribute, creating=creating)
        told = choices.current(session.store, entity, attribute)
        found[name] = _typed(session.manners, told, value)
    return found


def must_hold(session: Session, entity: Entity, body: Body, key: str, *, creating: bool) -> None:
    """Check what must be true of a record as a whole."""
    for attribute in entity.attributes.values():
        generated = attribute.name in (entity.key, "ownerid", "statecode", "statuscode")
        needed = attribute.required and attribute.create and not generated
        if session.manners.required and needed and body.get(attribute.property) is None:
            raise Refusal(400, "0x80040203", f"Required field '{attribute.name}' is missing.")
    states = dict.fromkeys(entity.states)
    if (
        session.manners.states
        and states
        and (body.get("statecode"), body.get("statuscode")) not in states
    ):
        raise Refusal(
            400,
            "0x80048408",
            f"{body.get('statuscode')} is not a valid status code for state code "
            f"{body.get('statecode')} on {entity.logical} with Id {key}.",
        )
    if entity.logical == "transactioncurrency" and session.manners.currencies:
        _currency(session.store, body, key, creating=creating)


def computed(entity: Entity, body: Body) -> Body:
    """Fill the columns that the server makes itself."""
    if entity.logical == "contact":
        names = (body.get("firstname"), body.get("middlename"), body.get("lastname"))
        body["fullname"] = " ".join(name for name in names if name) or None
    return body


def created(entity: Entity, key: str, moment: datetime, user: str) -> Body:
    """What a new record starts with."""
    body: Body = {entity.key: key, "createdon": stamp(moment), "_createdby_value": user}
    if entity.states:
        draft = [pair for pair in entity.states if entity.logical == "product" and pair[0] == 2]  # noqa: PLR2004
        body["statecode"], body["statuscode"] = draft[0] if draft else entity.states[0]
    if "ownerid" in entity.attributes:
        body["_ownerid_value"], body["_ownerid_type"] = user, "systemuser"
    return body


def stamp(moment: datetime, *, exact: bool = False) -> str:
    """Write an instant as the server does: UTC, whole seconds; ``exact`` keeps milliseconds."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds' if exact else 'seconds')}Z"


def _writable(
    manners: DataverseManners, entity: Entity, attribute: Attribute, *, creating: bool
) -> None:
    name = attribute.name
    if name == entity.key:
        if not creating:
            raise Refusal(400, "0x80040203", f"The key '{name}' cannot be changed.")
        return
    if creating and name == "statecode" and entity.logical != "product":
        if not manners.state_on_create:
            return
        raise Refusal(400, "0x80048408", "statecode cannot be set when a record is created.")
    if not (attribute.create if creating else attribute.update):
        verb = "create" if creating else "update"
        raise Refusal(400, "0x80040203", f"Attribute '{name}' is not valid for {verb}.")


def _typed(manners: DataverseManners, attribute: Attribute, value: Any) -> Any:
    if value is None:
        return None
    match attribute.type:
        case "String" | "Memo":
            return _text(manners, attribute, value)
        case "Picklist" | "State" | "Status" | "Integer" | "BigInt":
            return _whole(manners, attribute, value)
        case "Decimal" | "Money" | "Double":
            return _decimal(manners, attribute, value)
        case "Boolean":
            if not isinstance(value, bool):
                raise _wrong(attribute, value, "Edm.Boolean")
            return value
        case "DateTime":
            return _moment(attribute, value)
        case "Uniqueidentifier":
            if not isinstance(value, str):
                raise _wrong(attribute, value, "Edm.Guid")
            return guid(value)
        case _:
            return value


def _text(manners: DataverseManners, attribute: Attribute, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _wrong(attribute, value, "Edm.String")
    most = attribute.max_length if manners.max_length else None
    if most is not None and len(value) > most:
        raise Refusal(
            400,
            "0x80044331",
            f"A validation error occurred. The length of the '{attribute.name}' attribute of the "
            f"entity exceeded the maximum allowed length of '{attribute.max_length}'.",
        )
    return value or (None if manners.blank_is_null else value)


def _whole(manners: DataverseManners, attribute: Attribute, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(attribute, value, "Edm.Int32")
    if manners.options and attribute.options is not None and value not in attribute.options:
        raise Refusal(
            400,
            "0x8004431a",
            f"The value of '{attribute.name}' is outside the valid range: {value}.",
        )
    return value


def _decimal(manners: DataverseManners, attribute: Attribute, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(attribute, value, "Edm.Decimal")
    if attribute.type == "Money" and not manners.rounds_money:
        return Decimal(value)
    places = attribute.precision if attribute.precision is not None else 4
    return Decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def _moment(attribute: Attribute, value: Any) -> str:
    wanted = "Edm.Date" if attribute.format == "DateOnly" else "Edm.DateTimeOffset"
    if not isinstance(value, str):
        raise _wrong(attribute, value, wanted)
    try:
        if attribute.format == "DateOnly":
            day = date.fromisoformat(value)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise _wrong(attribute, value, wanted) from error
    if moment.year < _FIRST_YEAR:
        raise Refusal(400, "0x80040239", f"The date-time '{value}' is outside the valid range.")
    if attribute.format == "DateOnly":
        return value
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _bound(session: Session, entity: Entity, name: str, value: Any) -> Body:
    found = entity.navigation(name)
    if found is None:
        raise Refusal(
            400, "0x80048d19", f"An undeclared property '{name}' was found in the payload."
        )
    attribute, target = found
    column = attribute.property
    if value is None:
        if attribute.name == "ownerid":
            raise Refusal(400, "0x80040203", "The owner of a record cannot be blank.")
        return {column: None, f"_{attribute.name}_type": None}
    match = _BIND.match(value) if isinstance(value, str) else None
    bound = by_set().get(match[1]) if match else None
    if match is None or bound is None:
        raise Refusal(400, "0x80048d19", f"The value '{value}' of '{name}' is no entity reference.")
    if bound.logical != target and not (attribute.targets or {}).get(bound.logical) == name:
        raise Refusal(400, "0x80048d19", f"'{name}' does not point to {bound.logical}.")
    place = located(session, bound, match[2])
    if place.row is None:
        refusal = place.missing()
        refusal.status = session.manners.missing_target
        raise refusal
    return {column: place.row.key, f"_{attribute.name}_type": bound.logical}


def _currency(store: Store, body: Body, key: str, *, creating: bool) -> None:
    """Protocols A17: the ISO code is unique, the rate positive, the precision 0 to 4."""
    if body.get("exchangerate") is None or body["exchangerate"] <= 0:
        raise Refusal(400, "0x80040203", "exchangerate must be greater than 0.")
    if not 0 <= (body.get("currencyprecision") or 0) <= 4:  # noqa: PLR2004
        raise Refusal(400, "0x80040203", "currencyprecision must be between 0 and 4.")
    code = str(body.get("isocurrencycode") or "")
    if creating and (len(code) != 3 or not code.isalpha()):  # noqa: PLR2004
        raise Refusal(400, "0x80048cf2", f"'{code}' is not a valid ISO currency code.")
    for row in store.rows("transactioncurrencies"):
        if creating and row.key != key and row.body.get("isocurrencycode") == code:
            raise Refusal(400, "0x80048cf3", f"A currency with the ISO code {code} exists already.")


def _wrong(attribute: Attribute, value: Any, wanted: str) -> Refusal:
    return Refusal(
        400,
        "0x80048d19",
        f"Cannot convert the literal '{value}' to the expected type '{wanted}' "
        f"of '{attribute.name}'.",
    )
