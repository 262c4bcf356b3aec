"""The Dataverse Web API v9.2, as a client that synchronizes meets it (protocols A1 to A8)."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from runner.sandbox import dataverse_metadata, dataverse_rules, filters, seeds, store
from runner.sandbox.answers import (
    Call,
    Refusal,
    answer,
    key_values,
    number,
    options,
    respond,
)
from runner.sandbox.dataverse_metadata import Entity, by_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from runner.sandbox.store import Body, Row, Store

PATH = "/api/data/v9.2"
TOKEN = "sandbox"  # noqa: S105 - what the sandbox lets in, for everybody to read
MOST_ROWS = 5_000
_SET = re.compile(r"^/([a-z]+)$")
_ONE = re.compile(r"^/([a-z]+)\((.+)\)$")
_DEFINITION = re.compile(r"^/EntityDefinitions\(LogicalName='([a-z0-9_]+)'\)(/.*)?$")
_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$expand"})
_BAD = "0x80060888"
_FORMATTED = "OData.Community.Display.V1.FormattedValue"
_LOOKUP = "Microsoft.Dynamics.CRM.lookuplogicalname"


@dataclass(frozen=True, slots=True)
class Dataverse:
    """One organisation. ``now`` is its clock, which need not be the client's."""

    database: Path
    seed: Path | None
    now: Callable[[], datetime]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in one transaction."""
        await respond(scope, receive, send, PATH, self._answered)

    def _answered(self, call: Call) -> Response:
        with store.opened(self.database) as opened:
            if opened.is_new():
                seeds.dataverse(opened, self.seed)
            return _Service(opened, call, self.now()).answer()


def app(
    database: Path,
    *,
    seed: Path | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ASGIApp:
    """Serve an organisation from a file; records of a new one come from the folder ``seed``."""
    return Dataverse(database, seed, now)


@dataclass(frozen=True, slots=True)
class _Service:
    store: Store
    call: Call
    now: datetime

    def answer(self) -> Response:
        call = self.call
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Refusal(
                401,
                "",
                "",
                WWW_Authenticate="Bearer authorization_uri=sandbox, resource_id=sandbox",
            )
        if call.path == "/WhoAmI":
            return self._who()
        if call.path == "/$batch":
            raise Refusal(501, "0x80060888", "$batch is not served by the sandbox yet.")
        if call.path == "/EntityDefinitions":
            return answer(200, dataverse_metadata.definitions(call))
        if found := _DEFINITION.match(call.path):
            return answer(200, dataverse_metadata.definition(call, found[1], found[2] or ""))
        if found := _SET.match(call.path):
            return self._set(_entity(found[1]))
        if found := _ONE.match(call.path):
            return self._one(_entity(found[1]), found[2])
        raise _no_segment(call.path.strip("/"))

    def _who(self) -> Response:
        ids = dict.fromkeys(("BusinessUnitId", "OrganizationId"), dataverse_rules.CONNECTION_USER)
        told = {"UserId": dataverse_rules.CONNECTION_USER, **ids}
        context = f"{self.call.root}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"
        return answer(200, {"@odata.context": context, **told}, x_ms_dop_hint="8")

    def _set(self, entity: Entity) -> Response:
        if self.call.method == "GET":
            return self._list(entity)
        if self.call.method == "POST":
            body = self.call.json("0x80048d19")
            named = body.get(entity.key)
            return self._create(entity, dataverse_rules.guid(named) if named else _new_guid(), body)
        raise Refusal(405, "0x80060888", f"{self.call.method} is not allowed here.")

    def _one(self, entity: Entity, predicate: str) -> Response:
        named = key_values(predicate)
        if set(named) - {"", entity.key}:
            raise Refusal(
                400, "0x80060890", "The key in the request URI is not valid for resource."
            )
        key = dataverse_rules.guid(next(iter(named.values())))
        row = self.store.get(entity.set, key)
        acts = {"GET": self._get, "PATCH": self._patch, "DELETE": self._delete}
        act = acts.get(self.call.method)
        if act is None:
            raise Refusal(405, "0x80060888", f"{self.call.method} is not allowed here.")
        return act(entity, key, row)

    def _list(self, entity: Entity) -> Response:
        call = self.call
        options(call, _OPTIONS, _BAD)
        names = self._selected(entity)
        known = frozenset(entity.properties)
        try:
            test = _test(call, known)
            by = filters.order(call.query["$orderby"], known) if "$orderby" in call.query else []
        except filters.FilterError as error:
            raise Refusal(400, _BAD, str(error)) from error
        top, size = number(call, "$top", _BAD), self._page_size()
        token = _Token.read(call, self.database_secret)
        rows: Iterator[Row] = self.store.rows(entity.set, "" if by else token.after)
        try:
            matching: Iterator[Row] = (row for row in rows if test(row.body))
            if by:
                listed = filters.ordered(
                    list(matching), [*by, (entity.key, False)], lambda r: r.body
                )
                matching = iter(listed[int(token.after or 0) :])
            limit = top if top is not None and "odata.maxpagesize" not in call.prefer else size
            page = [row for _, row in zip(range(limit), matching, strict=False)]
            more = top is None and next(matching, None) is not None
        except filters.FilterError as error:
            raise Refusal(400, _BAD, str(error)) from error
        document: dict[str, Any] = {
            "@odata.context": f"{call.root}/$metadata#{entity.set}({','.join(names)})"
        }
        if call.query.get("$count") == "true":
            every = sum(1 for row in self.store.rows(entity.set) if test(row.body))
            document["@odata.count"] = min(every, MOST_ROWS)
        document["value"] = [self._shown(entity, row, names) for row in page]
        if more and page:
            after = str(int(token.after or 0) + len(page)) if by else page[-1].key
            document["@odata.nextLink"] = token.following(call, after, self.database_secret)
        return answer(200, document, **self._applied())

    def _get(self, entity: Entity, key: str, row: Row | None) -> Response:
        if row is None:
            raise _missing(entity, key)
        if self.call.headers.get("if-none-match") == _etag(row):
            return answer(304)
        options(self.call, frozenset({"$select"}), _BAD)
        shown = self._shown(entity, row, self._selected(entity))
        context = f"{self.call.root}/$metadata#{entity.set}/$entity"
        return answer(200, {"@odata.context": context, **shown}, **self._applied())

    def _patch(self, entity: Entity, key: str, row: Row | None) -> Response:
        """Protocols A8: bare PATCH creates what is missing; a condition forbids either."""
        match, none_match = (self.call.headers.get(h) for h in ("if-match", "if-none-match"))
        if row is None:
            if match is not None:
                raise _missing(entity, key)
            return self._create(entity, key, self.call.json("0x80048d19"))
        if none_match == "*":
            raise Refusal(412, "0x80040237", "A record with matching key values already exists.")
        self._must_match(row, match)
        if entity.logical == "systemuser" and not self.call.headers.get("x-sandbox-admin"):
            raise Refusal(403, "0x80040220", "Principal user is missing prvWriteUser privilege.")
        given = dataverse_rules.values(
            self.store, entity, self.call.json("0x80048d19"), creating=False
        )
        body = dataverse_rules.computed(entity, {**row.body, **given})
        if "statecode" in given and "statuscode" not in given:
            body["statuscode"] = dict(reversed(entity.states)).get(given["statecode"])
        dataverse_rules.must_hold(self.store, entity, body, key, creating=False)
        written = self._put(entity, key, body)
        if self._represented():
            shown = self._shown(entity, written, self._selected(entity))
            context = f"{self.call.root}/$metadata#{entity.set}/$entity"
            return answer(200, {"@odata.context": context, **shown}, **self._applied())
        return answer(204, None, OData_EntityId=f"{self.call.root}/{entity.set}({key})")

    def _delete(self, entity: Entity, key: str, row: Row | None) -> Response:
        if row is None:
            raise _missing(entity, key)
        self._must_match(row, self.call.headers.get("if-match"))
        if entity.logical == "systemuser":
            raise Refusal(405, "0x80040800", "Users cannot be deleted.")
        self.store.delete(entity.set, key)
        return answer(204)

    def _create(self, entity: Entity, key: str, given: dict[str, Any]) -> Response:
        if self.store.get(entity.set, key) is not None:
            raise Refusal(412, "0x80040237", "A record with matching key values already exists.")
        if entity.logical == "systemuser":
            raise Refusal(403, "0x80040220", "Principal user is missing prvCreateUser privilege.")
        body = dataverse_rules.created(entity, key, self.now)
        body.update(dataverse_rules.values(self.store, entity, given, creating=True))
        body[entity.key] = key
        if entity.logical == "uomschedule" and not body.get("baseuomname"):
            raise Refusal(400, "0x80043810", "The base unit name is missing.")
        dataverse_rules.must_hold(self.store, entity, body, key, creating=True)
        row = self._put(entity, key, dataverse_rules.computed(entity, body))
        if entity.logical == "uomschedule":
            self._create_base_unit(key, body["baseuomname"])
        place = f"{self.call.root}/{entity.set}({key})"
        if self._represented():
            shown = self._shown(entity, row, self._selected(entity))
            context = f"{self.call.root}/$metadata#{entity.set}/$entity"
            return answer(201, {"@odata.context": context, **shown}, **self._applied())
        return answer(204, None, OData_EntityId=place)

    def _create_base_unit(self, schedule: str, name: str) -> None:
        """Make the unit that a new unit group has at once (protocols A15)."""
        unit, key = dataverse_metadata.entities()["uom"], _new_guid()
        body = dataverse_rules.created(unit, key, self.now)
        body |= {"name": name, "quantity": 1, "isschedulebaseuom": True}
        body |= {"_uomscheduleid_value": schedule, "_uomscheduleid_type": "uomschedule"}
        self._put(unit, key, body)

    def _put(self, entity: Entity, key: str, body: Body) -> Row:
        body["modifiedon"] = dataverse_rules.stamp(self.now)
        body["_modifiedby_value"] = dataverse_rules.CONNECTION_USER
        return self.store.put(entity.set, key, body)

    def _must_match(self, row: Row, condition: str | None) -> None:
        if condition not in (None, "*", _etag(row)):
            raise Refusal(
                412,
                "0x80060882",
                "The version of the existing record doesn't match the RowVersion property "
                "provided.",
            )

    def _selected(self, entity: Entity) -> list[str]:
        select = self.call.query.get("$select")
        if not select:
            return list(entity.properties)
        names = [name.strip() for name in select.split(",") if name.strip()]
        for name in names:
            if name not in entity.properties:
                raise Refusal(
                    400,
                    _BAD,
                    f"Could not find a property named '{name}' on type "
                    f"'Microsoft.Dynamics.CRM.{entity.logical}'.",
                )
        return names

    def _shown(self, entity: Entity, row: Row, names: list[str]) -> dict[str, Any]:
        told: dict[str, Any] = {"@odata.etag": _etag(row)}
        wanted = self.call.prefer.get("odata.include-annotations", "")
        for name in dict.fromkeys((*names, entity.key)):
            attribute = entity.properties[name]
            value = row.version if name == "versionnumber" else row.body.get(name)
            if attribute.targets and value is not None and _asked(_LOOKUP, wanted):
                told[f"{name}@{_LOOKUP}"] = row.body.get(f"_{attribute.name}_type") or next(
                    iter(attribute.targets)
                )
            if attribute.options and value is not None and _asked(_FORMATTED, wanted):
                told[f"{name}@{_FORMATTED}"] = attribute.options.get(value, str(value))
            told[name] = value
        return told

    def _page_size(self) -> int:
        asked = self.call.prefer.get("odata.maxpagesize", "")
        return max(1, min(int(asked), MOST_ROWS)) if asked.isdigit() else MOST_ROWS

    def _represented(self) -> bool:
        return self.call.prefer.get("return") == "representation"

    def _applied(self) -> dict[str, str]:
        prefer = self.call.headers.get("prefer", "")
        return {"Preference-Applied": prefer} if prefer else {}

    @property
    def database_secret(self) -> bytes:
        """What page cookies are signed with: they are nobody's to change."""
        return b"sandbox"


@dataclass(frozen=True, slots=True)
class _Token:
    """Where a page begins. Opaque: it is refused if a single letter of it was changed."""

    page: int
    after: str

    @classmethod
    def read(cls, call: Call, secret: bytes) -> _Token:
        raw = call.raw_query.get("$skiptoken")
        if raw is None:
            return cls(1, "")
        found = re.search(r'pagenumber="(\d+)" pagingcookie="([^"]*)"', unquote(raw))
        inner = unquote(unquote(found[2])) if found else ""
        last = re.search(r'last="\{(.*?)\}"', inner)
        token = cls(int(found[1]), last[1]) if found and last else cls(0, "")
        if raw != token.text(secret):
            raise Refusal(400, "0x80040203", "Malformed XML in the Paging Cookie")
        return token

    def text(self, secret: bytes) -> str:
        """Encode as the server does: the cookie twice, the whole once more."""
        signed = hmac.new(secret, f"{self.page}|{self.after}".encode(), hashlib.sha256)
        ids = f'last="{{{self.after}}}" first="{{}}" sign="{signed.hexdigest()[:16]}"'
        inner = f'<cookie page="{self.page}"><id {ids} /></cookie>'
        cookie = quote(quote(inner, safe=""), safe="")
        outer = f'<cookie pagenumber="{self.page}" pagingcookie="{cookie}" istracking="False" />'
        return quote(outer, safe="")

    def following(self, call: Call, after: str, secret: bytes) -> str:
        """Write the link to the next page."""
        following = _Token(max(self.page, 1) + 1, after)
        kept = [f"{n}={v}" for n, v in call.raw_query.items() if n not in ("$skiptoken", "$count")]
        return f"{call.root}{call.path}?{'&'.join([*kept, f'$skiptoken={following.text(secret)}'])}"


def _test(call: Call, known: frozenset[str]) -> Callable[[Body], bool]:
    if "$filter" not in call.query:
        return lambda _: True
    found = filters.read(call.query["$filter"], filters.Manner(known, or_across=True))
    return found.test


def _entity(name: str) -> Entity:
    if name not in by_set():
        raise _no_segment(name)
    return by_set()[name]


def _no_segment(name: str) -> Refusal:
    return Refusal(404, _BAD, f"Resource not found for the segment '{name}'.")


def _missing(entity: Entity, key: str) -> Refusal:
    return Refusal(404, "0x80040217", f"{entity.logical} With Id = {key} Does Not Exist")


def _etag(row: Row) -> str:
    return f'W/"{row.version}"'


def _asked(annotation: str, wanted: str) -> bool:
    return wanted == "*" or annotation in wanted.split(",")


def _new_guid() -> str:
    return str(uuid.uuid4())
