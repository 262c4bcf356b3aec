"""CreateMultiple, UpdateMultiple, UpsertMultiple: all of it, or nothing (protocols A12)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse import records
from runner.sandbox.dataverse.keys import Place, guid, located
from runner.sandbox.dataverse.session import BAD, INVALID, PAYLOAD, Session, not_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from runner.sandbox.dataverse.metadata import Entity

_ID = re.compile(r"(?:.*/)?([A-Za-z]+)\((.+)\)")


def multiple(session: Session, entity: Entity, message: str) -> Response:
    """Answer a bulk message: each target in its turn, in one transaction."""
    if session.call.method != "POST":
        raise not_allowed(session.call.method)
    acts: Mapping[str, Callable[[Session, Entity, dict[str, Any]], str]] = {
        "CreateMultiple": _create,
        "UpdateMultiple": _update,
        "UpsertMultiple": _upsert,
    }
    if message not in acts or entity.logical not in session.manners.bulk:
        words = f"The message '{message}' is not supported for {entity.logical}."
        raise Refusal(404, BAD, words)
    keys = [acts[message](session, entity, target) for target in _targets(session, entity)]
    if message != "CreateMultiple":
        return session.answer(204)
    context = session.context("Microsoft.Dynamics.CRM.CreateMultipleResponse")
    return session.answer(200, {"@odata.context": context, "Ids": keys})


def _targets(session: Session, entity: Entity) -> list[dict[str, Any]]:
    targets = session.json().get("Targets")
    if not isinstance(targets, list) or not targets:
        raise Refusal(400, PAYLOAD, "The parameter 'Targets' is missing or empty.")
    for target in targets:
        kind = target.get("@odata.type", "") if isinstance(target, dict) else ""
        if str(kind).lstrip("#") != f"Microsoft.Dynamics.CRM.{entity.logical}":
            words = "Microsoft.Dynamics.CRM.crmbaseentity' is abstract: '@odata.type' is missing."
            raise Refusal(400, PAYLOAD, f"A type named '{words}")
    return targets


def _create(session: Session, entity: Entity, target: dict[str, Any]) -> str:
    session.spend()
    key = guid(str(target[entity.key])) if target.get(entity.key) else records.new_guid()
    return records.create(session, entity, key, target).key


def _update(session: Session, entity: Entity, target: dict[str, Any]) -> str:
    session.spend()
    place = _place(session, entity, target)
    if place.row is None:
        raise place.missing()
    given = {name: value for name, value in target.items() if name != entity.key}
    return records.update(session, entity, place.row, given).key


def _upsert(session: Session, entity: Entity, target: dict[str, Any]) -> str:
    session.spend()
    place = _place(session, entity, target)
    given = {name: value for name, value in target.items() if name != entity.key}
    if place.row is not None:
        return records.update(session, entity, place.row, given).key
    key = place.key or records.new_guid()
    return records.create(session, entity, key, given, by=place.values).key


def _place(session: Session, entity: Entity, target: dict[str, Any]) -> Place:
    if target.get(entity.key):
        return located(session, entity, str(target[entity.key]))
    found = _ID.fullmatch(str(target.get("@odata.id") or ""))
    if found is None or found[1] != entity.set:
        raise Refusal(400, INVALID, f"Neither '{entity.key}' nor '@odata.id' names a record.")
    return located(session, entity, found[2])
