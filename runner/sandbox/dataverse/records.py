"""Records made, changed and removed, by whatever request asks for it (protocols A7, A8, A17)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse import catalogue, duplicates, keys, money, rules
from runner.sandbox.dataverse.metadata import entities

if TYPE_CHECKING:
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.dataverse.session import Session
    from runner.sandbox.store import Body, Row


def create(
    session: Session,
    entity: Entity,
    key: str,
    given: dict[str, Any],
    *,
    by: Body | None = None,
) -> Row:
    """Make a record; ``by`` is the alternate key that it was asked for by.

    Raises ``Refusal`` where its table does not take it.
    """
    if session.store.get(entity.set, key) is not None:
        raise Refusal(412, "0x80040237", "A record with matching key values already exists.")
    if entity.logical == "systemuser" and session.manners.user_read_only:
        raise Refusal(403, "0x80040220", "Principal user is missing prvCreateUser privilege.")
    body = rules.created(entity, key, session.now, session.caller.user)
    # What the body says wins over the key in the address (A8).
    body |= {**(by or {}), **rules.values(session, entity, given, creating=True)}
    body[entity.key] = key
    nameless = entity.logical == "uomschedule" and not body.get("baseuomname")
    if nameless and session.manners.base_unit_needed:
        raise Refusal(400, "0x80043810", "The base unit name is missing.")
    body = catalogue.completed(session, entity, body)
    rules.must_hold(session, entity, body, key, creating=True)
    catalogue.must_fit(session, entity, body, key, None)
    keys.must_be_alone(session, entity, body, key)
    duplicates.must_be_none(session, entity, body, key)
    if session.caller.behalf:
        body["_createdonbehalfby_value"] = session.caller.behalf
    row = _put(session, entity, key, rules.computed(entity, body))
    if entity.logical == "uomschedule" and session.manners.base_unit and not nameless:
        _create_base_unit(session, key, body["baseuomname"])
    return row


def update(session: Session, entity: Entity, row: Row, given: dict[str, Any]) -> Row:
    """Change a record. Raises ``Refusal`` where its table does not take it."""
    admin = session.call.headers.get("x-sandbox-admin")
    if entity.logical == "systemuser" and session.manners.user_read_only and not admin:
        raise Refusal(403, "0x80040220", "Principal user is missing prvWriteUser privilege.")
    values = rules.values(session, entity, given, creating=False)
    body = rules.computed(entity, {**row.body, **values})
    if "statecode" in values and "statuscode" not in values:
        body["statuscode"] = dict(reversed(entity.states)).get(values["statecode"])
    rules.must_hold(session, entity, body, row.key, creating=False)
    catalogue.must_fit(session, entity, body, row.key, row.body)
    money.must_stay(session, entity, row, body)
    keys.must_be_alone(session, entity, body, row.key)
    duplicates.must_be_none(session, entity, body, row.key)
    if not session.manners.always_moves and body == row.body:
        return row
    return _put(session, entity, row.key, body)


def remove(session: Session, entity: Entity, row: Row) -> None:
    """Delete a record. Raises ``Refusal`` where it may not go."""
    if entity.logical == "systemuser":
        raise Refusal(405, "0x80040800", "Users cannot be deleted.")
    catalogue.must_be_free(session, entity, row)
    money.must_stay(session, entity, row, None)
    session.store.delete(entity.set, row.key)


def new_guid() -> str:
    """Make a key."""
    return str(uuid.uuid4())


def _put(session: Session, entity: Entity, key: str, body: Body) -> Row:
    body = money.settled(session, entity, body)
    exact = session.manners.keeps_milliseconds
    body["modifiedon"] = rules.stamp(session.now, exact=exact)
    body["_modifiedby_value"] = session.caller.user
    body["_modifiedonbehalfby_value"] = session.caller.behalf
    body |= session.manners.plugins.get(entity.logical, {})
    return session.store.put(entity.set, key, body)


def _create_base_unit(session: Session, schedule: str, name: str) -> None:
    """Make the unit that a new unit group has at once (protocols A17)."""
    unit, key = entities()["uom"], new_guid()
    body = rules.created(unit, key, session.now, session.caller.user)
    body |= {"name": name, "quantity": 1, "isschedulebaseuom": True}
    body |= {"_uomscheduleid_value": schedule, "_uomscheduleid_type": "uomschedule"}
    _put(session, unit, key, body)
