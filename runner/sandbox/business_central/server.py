"""Business Central's API v2.0, as a client that synchronizes meets it (protocols C)."""

from __future__ import annotations

import re
import uuid
from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response

from runner.sandbox import filters, store
from runner.sandbox.answers import Call, Refusal, answer, key_values, number, options, respond
from runner.sandbox.business_central import cascades, rules, seed
from runner.sandbox.business_central.batch import batch
from runner.sandbox.business_central.manners import BusinessCentralManners
from runner.sandbox.business_central.metadata import Entity, entities, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from runner.sandbox.store import Body, Row, Store

PATH = "/v2.0/embedded/api/v2.0"
TOKEN = "sandbox"  # noqa: S105 - what the sandbox lets in, for everybody to read
COMPANY_ID = "00000000-0000-4000-8000-0000000000bc"
_BAD = "BadRequest"
_COMPANY = re.compile(r"^/companies\(([^)]*)\)(/.*)?$")
_SET = re.compile(r"^/([A-Za-z]+)$")
_COUNT = re.compile(r"^/([A-Za-z]+)/\$count$")
_ONE = re.compile(r"^/([A-Za-z]+)\(([^)]+)\)$")
_OPTIONS = frozenset(
    {"$select", "$filter", "$orderby", "$top", "$skip", "$count", "$skiptoken", "$expand"}
    | {"$schemaversion"}
)
_LAMBDA = re.compile(r"/(?:any|all)\(")
_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class BusinessCentral:
    """One environment with one company. ``now`` is its clock, ``asked`` when it was asked."""

    database: Path
    seed: Path | None
    company: str
    now: Callable[[], datetime]
    manners: BusinessCentralManners
    asked: deque[datetime] = field(default_factory=deque)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in one transaction."""
        await respond(scope, receive, send, PATH, self._answered)

    def _answered(self, call: Call) -> Response:
        self._admit()
        with store.opened(self.database) as opened:
            if opened.is_new():
                seed.fill(opened, self.seed)
            try:
                return Server(opened, call, self).answer()
            except Refusal as refusal:
                raise _told(refusal) from refusal

    def _admit(self) -> None:
        """Let in what the limits allow; how long to wait is not told (C6)."""
        now = self.now()
        while self.asked and self.asked[0] <= now - _WINDOW:
            self.asked.popleft()
        if len(self.asked) >= self.manners.requests:
            raise _told(Refusal(429, "Application_TooManyRequests", "Too many requests."))
        self.asked.append(now)


def app(
    database: Path,
    *,
    seed: Path | None = None,
    company: str = "CRONUS UK Ltd.",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    manners: BusinessCentralManners | None = None,
) -> ASGIApp:
    """Serve a company from a file; records of a new one come from the folder ``seed``."""
    return BusinessCentral(database, seed, company, now, manners or BusinessCentralManners())


@dataclass(frozen=True, slots=True)
class Server:
    """Answers one request, alone or as a part of a batch."""

    store: Store
    call: Call
    there: BusinessCentral

    def answer(self) -> Response:
        """Answer it. Raises ``Refusal``."""
        call = self.call
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            words = "The server has rejected the client credentials."
            raise Refusal(
                401, "Authentication_InvalidCredentials", words, WWW_Authenticate="Bearer"
            )
        intent = call.headers.get("data-access-intent", "").lower()
        if intent == "readonly" and call.method != "GET":
            raise Refusal(400, _BAD, "A read-only intent does not allow to write.")
        if call.path == "/$batch":
            return batch(call, self.store, self.there.manners, self._part)
        if call.path == "/$metadata":
            told = metadata(enumerations=self.there.manners.enumerations)
            return Response(told, media_type="application/xml", headers={"OData-Version": "4.0"})
        if call.path == "/companies":
            value = [{"id": COMPANY_ID, "name": self.there.company, "displayName": ""}]
            return answer(
                200, {"@odata.context": f"{call.root}/$metadata#companies", "value": value}
            )
        return self._in_company(self._below())

    def _part(self, call: Call) -> Response:
        told = {"authorization": self.call.headers.get("authorization", ""), **call.headers}
        return replace(self, call=replace(call, headers=told)).answer()

    def _below(self) -> str:
        """Find the company, in the path, the query or a header (C1)."""
        found = _COMPANY.match(self.call.path)
        named, rest = (found[1], found[2] or "") if found else ("", self.call.path)
        named = named or self.call.query.get("company", self.call.headers.get("company", ""))
        if not named:
            raise Refusal(400, _BAD, "You must choose a company.")
        if named.lower() not in (COMPANY_ID, self.there.company.lower()):
            raise Refusal(404, "Internal_CompanyNotFound", f"Cannot find company {named}.")
        return rest

    def _in_company(self, rest: str) -> Response:
        if found := _COUNT.match(rest):
            entity = _entity(found[1])
            test = self._test(entity)
            count = sum(1 for row in self.store.rows(entity.name) if test(self._shown(entity, row)))
            return Response(str(count), media_type="text/plain", headers={"OData-Version": "4.0"})
        if found := _SET.match(rest):
            entity = _entity(found[1])
            if self.call.method == "GET":
                return self._list(entity)
            if self.call.method == "POST":
                return self._insert(entity)
            raise _not_allowed(self.call.method)
        if found := _ONE.match(rest):
            entity = _entity(found[1])
            [key] = key_values(found[2]).values()
            return self._one(entity, rules.guid(key))
        raise Refusal(404, "BadRequest_ResourceNotFound", f"No resource at '{rest.strip('/')}'.")

    def _list(self, entity: Entity) -> Response:
        call, manners = self.call, self.there.manners
        options(call, _OPTIONS, _BAD)
        names, test = self._selected(entity), self._test(entity)
        size, top = manners.most_rows, number(call, "$top", _BAD)
        wanted = call.prefer.get("odata.maxpagesize", "")
        if wanted.isdigit() and manners.honours_size:
            if int(wanted) > manners.most_rows:
                raise Refusal(413, _BAD, "The page is larger than the largest there is.")
            size = int(wanted)
        after = call.query.get("$skiptoken", "")
        rows: Iterator[tuple[Row, Body]] = (
            (row, told)
            for row in self.store.rows(entity.name, after)
            if test(told := self._shown(entity, row))
        )
        try:
            if "$orderby" in call.query:
                by = filters.order(call.query["$orderby"], frozenset(entity.fields))
                rows = iter(filters.ordered(list(rows), by, lambda pair: pair[1]))
            limit = min(size, top) if top is not None else size
            page = [pair for _, pair in zip(range(limit), rows, strict=False)]
            more = top is None and next(rows, None) is not None
        except filters.FilterError as error:
            raise Refusal(400, "Application_FilterErrorException", str(error)) from error
        document: dict[str, Any] = {
            "@odata.context": f"{call.root}/$metadata#{self._context()}{entity.name}",
            "value": [self._told(row, told, names) for row, told in page],
        }
        if more:
            document["@odata.nextLink"] = self._following(page[-1][0].key)
        return answer(200, document)

    def _one(self, entity: Entity, key: str) -> Response:
        row = self.store.get(entity.name, key)
        if row is None:
            words = f"The {entity.caption} does not exist. Identification fields and values: {key}"
            raise Refusal(404, "Internal_RecordNotFound", words)
        if self.call.method == "GET":
            options(self.call, frozenset({"$select", "$expand"}), _BAD)
            return self._entity(200, entity, row)
        if self.call.method not in ("PATCH", "DELETE"):
            raise _not_allowed(self.call.method)
        self._must_match(row)
        if self.call.method == "DELETE":
            self.store.delete(entity.name, key)
            return answer(204)
        given = rules.values(self.store, entity, self.call.json(_BAD), self.there.manners)
        if given.pop("id", key) != key:
            raise Refusal(400, "BadRequest_InvalidOperation", "The id cannot be changed.")
        natural = given.get(entity.natural)
        if natural and natural != row.body[entity.natural]:
            taken = rules.by_natural(self.store, entity, natural)
            if taken is not None:
                raise rules.same_key(entity, natural)
        body = rules.written(self.store, entity, {**row.body, **given}, self.there.now())
        put = self.store.put(entity.name, key, body)
        if self.there.manners.cascades:
            cascades.follow(self.store, entity, put, row, self.there.now())
        return self._entity(200, entity, put)

    def _insert(self, entity: Entity) -> Response:
        given = rules.values(self.store, entity, self.call.json(_BAD), self.there.manners)
        key = given.pop("id", "")
        if not key or not self.there.manners.client_ids or key == rules.ZERO:
            key = str(uuid.uuid4())
        if self.store.get(entity.name, key) is not None:
            raise rules.same_key(entity, key)
        body = rules.inserted(self.store, entity, given, self.there.now())
        row = self.store.put(entity.name, key, body)
        if entity.name == "customers" and self.there.manners.cascades:
            cascades.company_contact(self.store, row, self.there.now())
        place = f"{self.call.root}/companies({COMPANY_ID})/{entity.name}({key})"
        return self._entity(201, entity, row, Location=place)

    def _entity(self, status: int, entity: Entity, row: Row, **headers: str) -> Response:
        told = self._told(row, self._shown(entity, row), self._selected(entity))
        context = f"{self.call.root}/$metadata#{self._context()}{entity.name}/$entity"
        return answer(status, {"@odata.context": context, **told}, **headers)

    def _shown(self, entity: Entity, row: Row) -> Body:
        return rules.shown(self.store, entity, row, self.there.manners)

    def _told(self, row: Row, told: Body, names: list[str]) -> dict[str, Any]:
        return {"@odata.etag": _etag(row), **{n: told[n] for n in dict.fromkeys(("id", *names))}}

    def _context(self) -> str:
        return f"companies({COMPANY_ID})/"

    def _selected(self, entity: Entity) -> list[str]:
        select = self.call.query.get("$select")
        names = [n.strip() for n in select.split(",") if n.strip()] if select else [*entity.fields]
        for name in names:
            if name not in entity.fields:
                words = f"Could not find a property named '{name}' on type '{entity.enum}'."
                raise Refusal(400, _BAD, words)
        return names

    def _test(self, entity: Entity) -> Callable[[Body], bool]:
        text = self.call.query.get("$filter", "")
        # Lambdas are not refused: everything comes, as if nothing had been asked (D65).
        if not text or _LAMBDA.search(text):
            return lambda _: True
        manner = filters.Manner(frozenset(entity.fields), or_across=self.there.manners.across)
        try:
            return filters.read(text, manner).test
        except filters.FilterError as error:
            raise Refusal(400, "Application_FilterErrorException", str(error)) from error

    def _must_match(self, row: Row) -> None:
        condition = self.call.headers.get("if-match")
        if condition is None and self.there.manners.needs_match:
            words = "Could not validate the client concurrency token required by the service."
            raise Refusal(400, "BadRequest_InvalidToken", words)
        if condition not in (None, "*", _etag(row)):
            words = "Another user has already changed the record."
            raise Refusal(self.there.manners.stale, "Request_EntityChanged", words)

    def _following(self, key: str) -> str:
        kept = [f"{n}={v}" for n, v in self.call.raw_query.items() if n != "$skiptoken"]
        root = self.call.root
        if self.there.manners.internal_links:
            root = f"https://bc-internal:7048{PATH}"
        return f"{root}{self.call.path}?{'&'.join([*kept, f'$skiptoken={quote(key)}'])}"


def _told(refusal: Refusal) -> Refusal:
    """Add what every error of the service ends with (C3)."""
    told = f"{refusal.message} CorrelationId:  {uuid.uuid4()}."
    return Refusal(refusal.status, refusal.code, told, **refusal.headers)


def _entity(name: str) -> Entity:
    if name not in entities():
        words = f"Resource not found for the segment '{name}'."
        raise Refusal(404, "BadRequest_ResourceNotFound", words)
    return entities()[name]


def _not_allowed(method: str) -> Refusal:
    return Refusal(405, "BadRequest_MethodNotAllowed", f"{method} is not allowed here.")


def _etag(row: Row) -> str:
    return f'W/"{b64encode(f"19;{row.version:019};1;00;".encode()).decode()}"'
