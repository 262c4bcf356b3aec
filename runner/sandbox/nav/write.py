"""Writing to pages of NAV: insert, modify, rename, delete (protocols B6)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from runner.sandbox.answers import Refusal, answer
from runner.sandbox.nav import cascades as nav_cascades
from runner.sandbox.nav import rules as nav_rules
from runner.sandbox.nav.read import selected
from runner.sandbox.nav.session import BAD, Session, etag, key_of

if TYPE_CHECKING:
    from datetime import date

    from starlette.responses import Response

    from runner.sandbox.nav.metadata import Service
    from runner.sandbox.store import Body, Row


def insert(session: Session, service: Service) -> Response:
    """Make a record."""
    _admit(session, service, "Insert")
    given = nav_rules.values(session.store, session.manners, service, session.call.json(BAD))
    given = nav_rules.numbered(session.store, session.manners, service, given)
    key = key_of(service, given)
    if session.store.get(service.rows, key) is not None:
        raise nav_rules.same_key(service, key, session.manners)
    given = nav_rules.linked(session.store, given)
    told = {
        **session.manners.defaults.get(service.rows, {}),
        **{k: v for k, v in given.items() if v},
    }
    body = nav_rules.inserted(
        session.store, service, key, {**given, **told}, today(session, service)
    )
    row = session.store.put(service.rows, key, body)
    place = f"{session.root()}/{service.name}({session.predicate(service, key)})"
    return answer(201, session.entity(service, row, selected(session, service)), Location=place)


def modify(session: Session, service: Service, row: Row) -> Response:
    """Change a record; a new value for a field of its key renames it."""
    _admit(session, service, "Modify")
    _must_match(session, row, needed=True)
    given = nav_rules.values(session.store, session.manners, service, session.call.json(BAD))
    given = nav_rules.linked(session.store, given)
    body = nav_rules.settled(service, {**row.body, **given})
    if "Last_Date_Modified" in body and session.manners.stamps:
        body["Last_Date_Modified"] = today(session, service).isoformat()
    whole = {name: body.get(name, c.blank) for name, c in service.controls.items()}
    key = key_of(service, whole) if set(service.keys) & set(given) else row.key
    if key != row.key:
        _rename(session, service, row.key, key, given)
    changed = session.store.put(service.rows, key, body)
    if session.manners.cascades:
        nav_cascades.modified(session, service.rows, row.body, changed)
    if session.manners.updated == 204:  # noqa: PLR2004 - what it says
        return answer(204)
    return answer(200, session.entity(service, changed, selected(session, service)))


def delete(session: Session, service: Service, row: Row) -> Response:
    """Remove a record, unless something holds it."""
    _admit(session, service, "Delete")
    _must_match(session, row, needed=False)
    if service.rows in session.manners.dialogs:
        words = (
            "Microsoft Dynamics NAV Server attempted to issue a client callback to show a "
            "confirmation dialog box. Client callbacks are not supported on Microsoft Dynamics "
            "NAV Server."
        )
        raise Refusal(400, "Application_CallbackNotAllowed", words)
    if session.manners.blocked_deletes:
        nav_cascades.must_be_free(service, row)
    session.store.delete(service.rows, row.key)
    return answer(204)


def today(session: Session, service: Service) -> date:
    """Return the day that a change is stamped with: the server's, but UTC's for contacts (B7)."""
    local = 0 if service.rows == "Contact" else session.manners.local
    return (session.now() + timedelta(minutes=local)).date()


def _rename(session: Session, service: Service, old: str, new: str, given: Body) -> None:
    if not session.manners.renames:
        raise Refusal(400, BAD, f"You cannot rename the {service.caption}.")
    if not all(given.get(name, True) for name in service.keys if len(service.keys) == 1):
        raise nav_rules.must_be_filled(service.key)
    if session.store.get(service.rows, new) is not None:
        raise nav_rules.same_key(service, new, session.manners)
    session.store.delete(service.rows, old)
    nav_cascades.renamed(session.store, service.rows, old, new)


def _admit(session: Session, service: Service, verb: str) -> None:
    """Let a write in: a list only shows, a role may lack a permission, others hold the table."""
    manners = session.manners
    if manners.lists_are_read_only and not service.edit:
        words = f"Entity does not support {verb.lower()}. The page {service.name} is read-only."
        raise Refusal(400, "BadRequest_MethodNotAllowed", words)
    if service.rows in manners.forbidden:
        words = f"You do not have the following permissions on TableData {service.caption}: {verb}."
        raise Refusal(manners.forbidden_status, "Application_DialogException", words)
    if manners.locked and session.turn() % manners.locked == 0:
        words = (
            f"The {service.caption} table cannot be locked or changed because it is already "
            "locked by another user. Wait until the user is finished and then try again."
        )
        raise Refusal(manners.locked_status, "Unknown", words)


def _must_match(session: Session, row: Row, *, needed: bool) -> None:
    condition = session.call.headers.get("if-match")
    if condition is None and needed and session.manners.needs_match:
        words = "Could not validate the client concurrency token required by the service."
        raise Refusal(400, "BadRequest_InvalidToken", words)
    if condition not in (None, "*", etag(row)):
        words = "Another user has already changed the record."
        raise Refusal(session.manners.stale, "Request_EntityChanged", words)
