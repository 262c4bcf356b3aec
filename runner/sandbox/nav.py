"""NAV 2018's OData V4 web services, as a client that synchronizes meets them (protocols B)."""

from __future__ import annotations

import base64
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from starlette.responses import Response

from runner.sandbox import filters, nav_rules, seeds, store
from runner.sandbox.answers import (
    Call,
    Refusal,
    answer,
    key_values,
    number,
    options,
    respond,
)
from runner.sandbox.nav_metadata import Service, metadata, services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from runner.sandbox.store import Body, Row, Store

PATH = "/DynamicsNAV110/ODataV4"
USER, PASSWORD = "SANDBOX", "sandbox"
PAGE_SIZE = 1_000
_BAD = "BadRequest"
_COMPANY = re.compile(r"^/Company\('([^/]*)'\)(/.*)?$")
_PAGE = re.compile(r"^/([A-Za-z_]+)$")
_COUNT = re.compile(r"^/([A-Za-z_]+)/\$count$")
_ONE = re.compile(r"^/([A-Za-z_]+)\((.+)\)$")
_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$format"})


@dataclass(frozen=True, slots=True)
class Nav:
    """One company. ``stale`` is the status that a stale ETag is answered with (412, or 409)."""

    database: Path
    seed: Path | None
    company: str
    page_size: int
    stale: int
    now: Callable[[], datetime]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in one transaction."""
        await respond(scope, receive, send, PATH, self._answered)

    def _answered(self, call: Call) -> Response:
        with store.opened(self.database) as opened:
            if opened.is_new():
                seeds.nav(opened, self.seed)
            return _Server(opened, call, self).answer()


def app(
    database: Path,
    *,
    seed: Path | None = None,
    company: str = "CRONUS International Ltd.",
    page_size: int = PAGE_SIZE,
    stale: int = 412,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ASGIApp:
    """Serve a company from a file; records of a new one come from the folder ``seed``."""
    return Nav(database, seed, company, page_size, stale, now)


@dataclass(frozen=True, slots=True)
class _Server:
    store: Store
    call: Call
    nav: Nav

    def answer(self) -> Response:
        call = self.call
        told = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {told}":
            raise Refusal(401, "", "", WWW_Authenticate='Basic realm=""')
        if call.path in ("", "/"):
            return self._services()
        if call.path == "/$metadata":
            return Response(
                metadata(), media_type="application/xml", headers={"OData-Version": "4.0"}
            )
        if call.path == "/Company":
            return answer(200, self._document("Company", [{"Name": self.nav.company}]))
        return self._in_company(*self._company())

    def _services(self) -> Response:
        value = [{"name": n, "kind": "EntitySet", "url": n} for n in ("Company", *services())]
        return answer(200, {"@odata.context": f"{self.call.root}/$metadata", "value": value})

    def _company(self) -> tuple[str, str]:
        """Find the company, in the path or in the query; never by itself (protocols B1)."""
        found = _COMPANY.match(self.call.path)
        if found:
            named, rest = unquote(found[1]).replace("''", "'"), found[2] or ""
        elif "company" in self.call.query:
            named, rest = self.call.query["company"], self.call.path
        else:
            raise Refusal(400, "Internal_CompanyNotFound", "You must choose a company.")
        if named != self.nav.company:
            raise Refusal(404, "Internal_CompanyNotFound", f"Cannot find company {named}.")
        return named, rest

    def _in_company(self, company: str, rest: str) -> Response:
        if not rest:
            return answer(200, {"Name": company})
        if found := _COUNT.match(rest):
            service = _service(found[1])
            count = sum(1 for row in self.store.rows(service.name) if self._test(service)(row.body))
            return Response(str(count), media_type="text/plain", headers={"OData-Version": "4.0"})
        if found := _PAGE.match(rest):
            service = _service(found[1])
            if self.call.method == "GET":
                return self._list(service)
            if self.call.method == "POST":
                return self._insert(service)
            raise _not_allowed(self.call.method)
        if found := _ONE.match(rest):
            service = _service(found[1])
            return self._one(service, self._key(service, found[2]))
        raise Refusal(
            404, "BadRequest_NotFound", f"Resource not found for the segment '{rest.strip('/')}'."
        )

    def _one(self, service: Service, key: str) -> Response:
        row = self.store.get(service.name, key)
        if row is None:
            raise Refusal(
                404, "BadRequest_NotFound", f"The {service.caption} '{key}' does not exist."
            )
        if self.call.method == "GET":
            options(self.call, frozenset({"$select"}), _BAD)
            return answer(200, self._entity(service, row))
        if self.call.method not in ("PATCH", "PUT", "DELETE"):
            raise _not_allowed(self.call.method)
        self._must_match(row)
        if self.call.method == "DELETE":
            self.store.delete(service.name, key)
            return answer(204)
        given = nav_rules.values(self.store, service, self.call.json(_BAD))
        if given.get(service.key, key) != key:
            raise Refusal(400, _BAD, f"Renaming {service.caption} is not served by the sandbox.")
        body = nav_rules.settled(service, {**row.body, **nav_rules.linked(self.store, given)})
        if "Last_Date_Modified" in service.controls:
            body["Last_Date_Modified"] = self.nav.now().date().isoformat()
        return answer(200, self._entity(service, self.store.put(service.name, key, body)))

    def _insert(self, service: Service) -> Response:
        given = nav_rules.values(self.store, service, self.call.json(_BAD))
        key = nav_rules.key_of(self.store, service, given)
        if self.store.get(service.name, key) is not None:
            raise Refusal(
                400,
                "Internal_EntityWithSameKeyExists",
                "The record already exists. Identification fields and values: "
                f"{service.key}='{key}'",
            )
        given = nav_rules.linked(self.store, given)
        body = nav_rules.inserted(self.store, service, key, given, self.nav.now().date())
        row = self.store.put(service.name, key, body)
        place = (
            f"{self._root()}/{service.name}('{quote(key.replace(chr(39), chr(39) * 2), safe='')}')"
        )
        return answer(201, self._entity(service, row), Location=place)

    def _list(self, service: Service) -> Response:
        call = self.call
        options(call, _OPTIONS, _BAD)
        test, names = self._test(service), self._selected(service)
        size, top = self._page_size(), number(call, "$top", _BAD)
        after = self._after(call)
        rows: Iterator[Row] = (
            row for row in self.store.rows(service.name, after) if test(row.body)
        )
        try:
            if "$orderby" in call.query:
                by = filters.order(call.query["$orderby"], frozenset(service.controls))
                rows = iter(filters.ordered(list(rows), by, lambda r: r.body))
            limit = min(size, top) if top is not None else size
            page = [row for _, row in zip(range(limit), rows, strict=False)]
            more = (top is None or top > size) and next(rows, None) is not None
        except filters.FilterError as error:
            raise Refusal(400, "Application_FilterErrorException", str(error)) from error
        links = nav_rules.customers_of(self.store) if service.name == "Contact" else {}
        document = self._document(
            service.name, [self._shown(service, row, names, links) for row in page]
        )
        if call.query.get("$count") == "true":
            document["@odata.count"] = sum(1 for r in self.store.rows(service.name) if test(r.body))
        if more:
            document["@odata.nextLink"] = self._following(page[-1].key)
        return answer(200, document)

    def _document(self, name: str, value: list[Any]) -> dict[str, Any]:
        return {"@odata.context": f"{self.call.root}/$metadata#{name}", "value": value}

    def _entity(self, service: Service, row: Row) -> dict[str, Any]:
        links = nav_rules.customers_of(self.store) if service.name == "Contact" else {}
        context = f"{self.call.root}/$metadata#{service.name}/$entity"
        return {
            "@odata.context": context,
            **self._shown(service, row, self._selected(service), links),
        }

    def _shown(
        self, service: Service, row: Row, names: list[str], links: dict[str, str]
    ) -> dict[str, Any]:
        told: dict[str, Any] = {"@odata.etag": _etag(row)}
        for name in dict.fromkeys((service.key, *names)):
            told[name] = row.body.get(name, service.controls[name].blank)
        if "IntegrationCustomerNo" in told:
            told["IntegrationCustomerNo"] = _customer_of(row.body, links)
        return told

    def _selected(self, service: Service) -> list[str]:
        select = self.call.query.get("$select")
        if not select:
            return list(service.controls)
        names = [name.strip() for name in select.split(",") if name.strip()]
        for name in names:
            if name not in service.controls:
                raise Refusal(
                    400,
                    _BAD,
                    f"Could not find a property named '{name}' on type 'NAV.{service.name}'.",
                )
        return names

    def _test(self, service: Service) -> Callable[[Body], bool]:
        if "$filter" not in self.call.query:
            return lambda _: True
        manner = filters.Manner(frozenset(service.controls), or_across=False)
        try:
            found = filters.read(self.call.query["$filter"], manner)
        except filters.FilterError as error:
            raise Refusal(400, "Application_FilterErrorException", str(error)) from error
        if "IntegrationCustomerNo" not in found.fields:
            return found.test
        # A flow field: calculated, and to be filtered by like any other.
        links = nav_rules.customers_of(self.store)
        return lambda body: found.test({**body, "IntegrationCustomerNo": _customer_of(body, links)})

    def _key(self, service: Service, predicate: str) -> str:
        named = key_values(predicate)
        if set(named) - {"", service.key} or len(named) != 1:
            raise Refusal(
                400, "BadRequest_InvalidRequestUrl", f"'{predicate}' is no key of {service.name}."
            )
        key = next(iter(named.values()))
        control = service.controls[service.key]
        return key.strip().upper() if control.type == "Code" else key

    def _must_match(self, row: Row) -> None:
        condition = self.call.headers.get("if-match")
        if condition is None and self.call.method != "DELETE":
            raise Refusal(
                400,
                "BadRequest_InvalidToken",
                "Could not validate the client concurrency token required by the service.",
            )
        if condition not in (None, "*", _etag(row)):
            raise Refusal(
                self.nav.stale,
                "Request_EntityChanged",
                "Another user has already changed the record.",
            )

    def _page_size(self) -> int:
        return self.nav.page_size

    def _after(self, call: Call) -> str:
        token = call.query.get("$skiptoken", "")
        return token[1:-1].replace("''", "'") if token.startswith("'") else token

    def _following(self, key: str) -> str:
        kept = [f"{n}={v}" for n, v in self.call.raw_query.items() if n != "$skiptoken"]
        token = quote("'" + key.replace("'", "''") + "'", safe="'")
        return f"{self.call.root}{self.call.path}?{'&'.join([*kept, f'$skiptoken={token}'])}"

    def _root(self) -> str:
        company = quote(self.nav.company.replace("'", "''"), safe="")
        return f"{self.call.root}/Company('{company}')"


def _service(name: str) -> Service:
    if name not in services():
        raise Refusal(404, "BadRequest_NotFound", f"Resource not found for the segment '{name}'.")
    return services()[name]


def _not_allowed(method: str) -> Refusal:
    return Refusal(405, "BadRequest_MethodNotAllowed", f"{method} is not allowed here.")


def _customer_of(body: Body, links: dict[str, str]) -> str:
    """Follow a person to the customer behind its company; blank where there is none."""
    return links.get(body.get("Company_No", ""), "") if body.get("Type") == "Person" else ""


def _etag(row: Row) -> str:
    return f"W/\"'{b64encode(f'44;{row.version:024};00;'.encode()).decode()}'\""
