"""The Dataverse Web API, as a client that synchronizes meets it (protocols A)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from runner.sandbox import store
from runner.sandbox.answers import Call, Refusal, answer, call_of, refused
from runner.sandbox.dataverse import (
    changes,
    choices,
    csdl,
    expand,
    identity,
    metadata,
    read,
    seed,
    write,
)
from runner.sandbox.dataverse.batch import batch
from runner.sandbox.dataverse.bulk import multiple
from runner.sandbox.dataverse.keys import located
from runner.sandbox.dataverse.manners import CONNECTION_USER, DataverseManners
from runner.sandbox.dataverse.protection import Gate
from runner.sandbox.dataverse.session import Session, no_segment, not_allowed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from runner.sandbox.dataverse.metadata import Entity

PATH = "/api/data/v9.2"
_SERVED = re.compile(r"^(/api/data/v9\.[0-2])(/.*)?$")
_SET = re.compile(r"^/([A-Za-z]+)$")
_COUNT = re.compile(r"^/([A-Za-z]+)/\$count$")
_BULK = re.compile(r"^/([A-Za-z]+)/Microsoft\.Dynamics\.CRM\.([A-Za-z]+)$")
_ONE = re.compile(r"^/([A-Za-z]+)\((.+)\)$")
_BELOW = re.compile(r"^/([A-Za-z]+)\(([^()]+)\)/([A-Za-z_$/]+)$")
_DEFINITION = re.compile(r"^/EntityDefinitions\(LogicalName='([a-z0-9_]+)'\)(/.*)?$")


@dataclass(frozen=True, slots=True)
class Dataverse:
    """One organisation. ``now`` is its clock, which need not be the client's."""

    database: Path
    seed: Path | None
    now: Callable[[], datetime]
    manners: DataverseManners
    gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in one transaction."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        with self.gate.entered(request.headers.get("authorization", "")):
            call = await call_of(request, "")
            try:
                response = self._answered(call)
            except Refusal as refusal:
                response = refused(refusal)
            await response(scope, receive, send)

    def _answered(self, call: Call) -> Response:
        now = self.now()
        if call.path.endswith(identity.TOKEN_PATH):
            return identity.issue(call, now, self.manners)
        served = _SERVED.match(call.path)
        if served is None:
            raise no_segment(call.path.strip("/"))
        call = replace(call, path=served[2] or "", root=f"{call.root}{served[1]}")
        with store.opened(self.database) as opened:
            if opened.is_new():
                seed.fill(opened, self.seed)
            caller = identity.caller(opened, call, now, self.manners)
            user, token = caller.behalf or caller.user, call.headers.get("authorization", "")
            self.gate.admit(user, token, now)
            spend = partial(self.gate.admit, user, token, now, request=False)
            response = answered(Session(opened, call, now, self.manners, caller, spend))
        if self.manners.limit_headers:
            response.headers.update(self.gate.headers(user))
        return response


def app(
    database: Path,
    *,
    seed: Path | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    manners: DataverseManners | None = None,
) -> ASGIApp:
    """Serve an organisation from a file; records of a new one come from the folder ``seed``."""
    manners = manners or DataverseManners()
    return Dataverse(database, seed, now, manners, Gate(manners.limits))


def answered(session: Session) -> Response:
    """Answer one request, alone or as a part of a batch."""
    call = session.call
    if call.path == "/WhoAmI":
        return _who(session)
    if call.path == "/$batch":
        return batch(session, answered)
    if call.path.removeprefix("/") in choices.ACTIONS:
        if call.method != "POST":
            raise not_allowed(call.method)
        return choices.act(session, call.path.removeprefix("/"))
    if call.path == "/$metadata":
        notes = call.query.get("annotations", "").lower() == "true"
        written, version = csdl.document(annotations=notes), {"OData-Version": "4.0"}
        return Response(written, media_type="application/xml", headers=version)
    if call.path == "/EntityDefinitions":
        return answer(200, metadata.definitions(call, session.manners))
    if found := _DEFINITION.match(call.path):
        current = partial(choices.current, session.store, published=True)
        told = metadata.definition(call, session.manners, current, found[1], found[2] or "")
        return answer(200, told)
    if found := _SET.match(call.path):
        return _set(session, _entity(found[1]))
    if found := _COUNT.match(call.path):
        return _count(session, _entity(found[1]))
    if found := _BULK.match(call.path):
        return multiple(session, _entity(found[1]), found[2])
    if found := _BELOW.match(call.path):
        if call.method != "GET":
            raise not_allowed(call.method)
        return expand.below(session, located(session, _entity(found[1]), found[2]), found[3])
    if found := _ONE.match(call.path):
        return _one(session, _entity(found[1]), found[2])
    raise no_segment(call.path.strip("/"))


def _who(session: Session) -> Response:
    if session.call.method != "GET":
        raise not_allowed(session.call.method)
    ids = dict.fromkeys(("BusinessUnitId", "OrganizationId"), CONNECTION_USER)
    told = {"UserId": session.caller.user, **ids}
    context = session.context("Microsoft.Dynamics.CRM.WhoAmIResponse")
    hint = str(session.manners.limits.hint)
    return answer(200, {"@odata.context": context, **told}, x_ms_dop_hint=hint)


def _set(session: Session, entity: Entity) -> Response:
    if session.call.method == "GET" and changes.tracked(session):
        return changes.listed(session, entity)
    acts = {"GET": read.listed, "POST": write.post}
    act = acts.get(session.call.method)
    if act is None:
        raise not_allowed(session.call.method)
    return act(session, entity)


def _count(session: Session, entity: Entity) -> Response:
    if session.call.method != "GET":
        raise not_allowed(session.call.method)
    if "$deltatoken" in session.call.query:
        return read.text(session, changes.counted(session, entity))
    return read.counted(session, entity)


def _one(session: Session, entity: Entity, predicate: str) -> Response:
    acts = {"GET": read.one, "PATCH": write.patch, "DELETE": write.delete}
    act = acts.get(session.call.method)
    if act is None:
        raise not_allowed(session.call.method)
    return act(session, located(session, entity, predicate))


def _entity(name: str) -> Entity:
    if name not in metadata.by_set():
        raise no_segment(name)
    return metadata.by_set()[name]
