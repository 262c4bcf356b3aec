"""NAV 2018's OData V4 web services, as a client that synchronizes meets them (protocols B)."""

from __future__ import annotations

import base64
import itertools
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.responses import Response

from runner.sandbox import store
from runner.sandbox.answers import Call, Refusal, answer, key_values, respond
from runner.sandbox.nav import read as nav_read
from runner.sandbox.nav import seed
from runner.sandbox.nav import write as nav_write
from runner.sandbox.nav.manners import NavManners
from runner.sandbox.nav.metadata import Service, metadata, services
from runner.sandbox.nav.session import Session, asked_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/DynamicsNAV110/ODataV4"
USER, PASSWORD = "SANDBOX", "sandbox"
_COMPANY = re.compile(r"^/Company\('([^/]*)'\)(/.*)?$")
_PAGE = re.compile(r"^/([A-Za-z_]+)$")
_COUNT = re.compile(r"^/([A-Za-z_]+)/\$count$")
_ONE = re.compile(r"^/([A-Za-z_]+)\((.+)\)$")
_HTML = "<!DOCTYPE html><html><body><h1>401 - Unauthorized</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Nav:
    """One company. ``turns`` counts the writes that it was asked for."""

    database: Path
    seed: Path | None
    company: str
    now: Callable[[], datetime]
    manners: NavManners
    turns: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in one transaction."""
        await respond(scope, receive, send, PATH, self._answered)

    def _answered(self, call: Call) -> Response:
        with store.opened(self.database) as opened:
            if opened.is_new():
                seed.fill(opened, self.seed)
            turn = self.turns.__next__
            session = Session(opened, call, self.company, self.manners, self.now, turn)
            return _answer(session)


def app(
    database: Path,
    *,
    seed: Path | None = None,
    company: str = "CRONUS International Ltd.",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    manners: NavManners | None = None,
) -> ASGIApp:
    """Serve a company from a file; records of a new one come from the folder ``seed``."""
    return Nav(database, seed, company, now, manners or NavManners())


def _answer(session: Session) -> Response:
    call, manners = session.call, session.manners
    told = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if call.headers.get("authorization") != f"Basic {told}":
        known = {"WWW-Authenticate": 'Basic realm=""', "OData-Version": "4.0"}
        words = _HTML if manners.words == "html" else ""
        return Response(words, 401, headers=known, media_type="text/html" if words else None)
    if call.path in ("", "/"):
        names = ("Company", *_published(manners))
        value = [{"name": n, "kind": "EntitySet", "url": n} for n in names]
        return answer(200, {"@odata.context": f"{call.root}/$metadata", "value": value})
    if call.path == "/$metadata":
        document = metadata(
            _published(manners), dates=manners.dates, notes_types=manners.notes_types
        )
        known = {"OData-Version": "4.0"}
        return Response(document, media_type="application/xml", headers=known)
    if call.path == "/Company":
        context = f"{call.root}/$metadata#Company"
        return answer(200, {"@odata.context": context, "value": [{"Name": session.company}]})
    named, rest = _company(session)
    if not rest:
        return answer(200, {"Name": named})
    return _in_company(session, rest)


def _company(session: Session) -> tuple[str, str]:
    """Find the company, in the path or in the query; or fall back to the default one (B1)."""
    found = _COMPANY.match(session.call.path)
    if found:
        named, rest = unquote(found[1]).replace("''", "'"), found[2] or ""
    else:
        named, rest = session.call.query.get("company", ""), session.call.path
    if not named and session.manners.falls_back:
        named = session.company
    if not named:
        raise Refusal(400, "Internal_CompanyNotFound", "You must choose a company.")
    if named != session.company:
        raise Refusal(404, "Internal_CompanyNotFound", f"Cannot find company {named}.")
    return named, rest


def _in_company(session: Session, rest: str) -> Response:
    method = session.call.method
    if found := _COUNT.match(rest):
        return nav_read.counted(session, _service(session, found[1]))
    if found := _PAGE.match(rest):
        service = _service(session, found[1])
        if method == "GET":
            return nav_read.listed(session, service)
        if method == "POST":
            return nav_write.insert(session, service)
        raise _not_allowed(method)
    if found := _ONE.match(rest):
        return _one(session, _service(session, found[1]), found[2])
    words = f"Resource not found for the segment '{rest.strip('/')}'."
    raise Refusal(404, "BadRequest_NotFound", words)


def _one(session: Session, service: Service, predicate: str) -> Response:
    key = asked_key(service, key_values(predicate), predicate)
    row = session.store.get(service.rows, key)
    if row is None:
        words = f"The {service.caption} '{unquote(predicate)}' does not exist."
        raise Refusal(404, "BadRequest_NotFound", words)
    match session.call.method:
        case "GET":
            return nav_read.one(session, service, row)
        case "PATCH" | "PUT":
            return nav_write.modify(session, service, row)
        case "DELETE":
            return nav_write.delete(session, service, row)
        case method:
            raise _not_allowed(method)


def _published(manners: NavManners) -> Mapping[str, Service]:
    wanted = manners.published
    return {n: s for n, s in services().items() if wanted is None or n in wanted}


def _service(session: Session, name: str) -> Service:
    published = _published(session.manners)
    if name not in published:
        words = f"Resource not found for the segment '{name}'."
        raise Refusal(404, "BadRequest_NotFound", words)
    return published[name]


def _not_allowed(method: str) -> Refusal:
    return Refusal(405, "BadRequest_MethodNotAllowed", f"{method} is not allowed here.")
