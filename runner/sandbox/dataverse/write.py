"""Requests that write: the matrix of conditions, and how a write is answered (protocols A7, A8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.sandbox.answers import Refusal, answer, options
from runner.sandbox.dataverse import records
from runner.sandbox.dataverse.keys import guid
from runner.sandbox.dataverse.session import BAD, Session, etag
from runner.sandbox.dataverse.shown import chosen, shown

if TYPE_CHECKING:
    from starlette.responses import Response

    from runner.sandbox.dataverse.keys import Place
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.store import Row

_OPTIONS = frozenset({"$select", "$expand"})
_CONDITION = re.compile(r'\*|null|(W/)?"[^"]*"')


def post(session: Session, entity: Entity) -> Response:
    """Answer a create. Its body may choose the key."""
    options(session.call, _OPTIONS, BAD)
    given = session.json()
    named = given.get(entity.key)
    key = guid(str(named)) if named else records.new_guid()
    return _written(session, entity, records.create(session, entity, key, given), key, 201)


def patch(session: Session, place: Place) -> Response:
    """Answer an update or upsert: bare, it creates what is missing; a condition forbids either."""
    options(session.call, _OPTIONS, BAD)
    entity, row, given = place.entity, place.row, session.json()
    match, none_match = condition(session, "if-match"), condition(session, "if-none-match")
    if row is None:
        if match is not None or not session.manners.upserts:
            raise place.missing()
        key = place.key or records.new_guid()
        made = records.create(session, entity, key, given, by=place.values)
        return _written(session, entity, made, place.predicate, 201)
    if none_match == "*":
        raise Refusal(412, "0x80040237", "A record with matching key values already exists.")
    must_match(session, entity, row, match)
    ignored = {entity.properties[name].name for name in place.values}
    given = {name: value for name, value in given.items() if name not in ignored}
    return _written(
        session, entity, records.update(session, entity, row, given), place.predicate, 200
    )


def delete(session: Session, place: Place) -> Response:
    """Answer a delete."""
    match = condition(session, "if-match")
    if place.row is None:
        raise place.missing()
    must_match(session, place.entity, place.row, match)
    records.remove(session, place.entity, place.row)
    return answer(204)


def condition(session: Session, name: str) -> str | None:
    """Read a conditional header; ``null`` says nothing (A2)."""
    found = session.call.headers.get(name)
    if found is not None and _CONDITION.fullmatch(found) is None:
        raise Refusal(400, BAD, f"The value '{found}' of {name} is not valid.")
    return None if found == "null" else found


def must_match(session: Session, entity: Entity, row: Row, match: str | None) -> None:
    """Refuse a write to a version that is no more."""
    if match in (None, "*"):
        return
    if entity.logical in session.manners.unversioned:
        raise Refusal(
            400, "0x8006088d", f"Optimistic concurrency isn't enabled for {entity.logical}."
        )
    if match != etag(row) and session.manners.refuses_stale:
        raise Refusal(
            412,
            "0x80060882",
            "The version of the existing record doesn't match the RowVersion property provided.",
        )


def _written(session: Session, entity: Entity, row: Row, predicate: str, status: int) -> Response:
    if not session.represented():
        return answer(204, None, OData_EntityId=session.place(entity, predicate))
    told = shown(session, entity, row, chosen(entity, session.call.query.get("$select")))
    document = {"@odata.context": session.context(f"{entity.set}/$entity"), **told}
    return session.answer(status, document, ETag=etag(row))
