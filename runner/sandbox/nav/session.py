"""One request to the sandbox of NAV: what its parts need to know, and how records are told."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runner.sandbox.answers import Call, Refusal, split
from runner.sandbox.nav import rules as nav_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from runner.sandbox.nav.manners import NavManners
    from runner.sandbox.nav.metadata import Control, Service
    from runner.sandbox.store import Body, Row, Store

BAD = "BadRequest"
BETWEEN = "\x1f"
"""What stands between the parts of a key in the store."""


@dataclass(frozen=True, slots=True)
class Session:
    """One request. ``now`` is the server's clock, ``turn`` counts the writes it was asked for."""

    store: Store
    call: Call
    company: str
    manners: NavManners
    now: Callable[[], datetime]
    turn: Callable[[], int]

    def links(self, service: Service) -> Mapping[str, str]:
        """Return which company contact belongs to which customer, where the page shows it."""
        return nav_rules.customers_of(self.store) if service.rows == "Contact" else {}

    def entity(self, service: Service, row: Row, names: list[str]) -> dict[str, Any]:
        """Tell one record, with its context."""
        context = f"{self.call.root}/$metadata#{service.name}/$entity"
        return {
            "@odata.context": context,
            **self.shown(service, row, names, self.links(service)),
        }

    def shown(
        self, service: Service, row: Row, names: list[str], links: Mapping[str, str]
    ) -> dict[str, Any]:
        """Tell one record; its key and its version always."""
        body = row.body
        if "IntegrationCustomerNo" in service.controls:
            body = {**body, "IntegrationCustomerNo": customer_of(body, links)}
        told: dict[str, Any] = {"@odata.etag": etag(row)}
        for name in dict.fromkeys((*service.keys, *names)):
            control = service.controls[name]
            told[name] = self.value(control, body.get(name, control.blank))
        return told

    def value(self, control: Control, held: Any) -> Any:
        """Write a value as this build does: dates and blank options differ (F8, D25)."""
        if control.type == "Date" and self.manners.dates == "Edm.DateTimeOffset":
            return f"{held}T00:00:00Z"
        if held == " " and control.options:
            return self.manners.blank_option
        return held

    def predicate(self, service: Service, key: str) -> str:
        """Write a key as addresses do."""
        parts = key.split(BETWEEN)
        controls = [service.controls[name] for name in service.keys]
        told = [_literal(c, self.value(c, part)) for c, part in zip(controls, parts, strict=True)]
        if len(told) == 1:
            return told[0]
        return ",".join(f"{c.name}={text}" for c, text in zip(controls, told, strict=True))

    def root(self) -> str:
        """Return the address of the company."""
        company = quote(self.company.replace("'", "''"), safe="")
        return f"{self.call.root}/Company('{company}')"


def key_of(service: Service, values: Mapping[str, Any]) -> str:
    """Return what a record is kept under: the values of its key, in order."""
    return BETWEEN.join(_kept(values[name]) for name in service.keys)


def asked_key(service: Service, named: Mapping[str, str], predicate: str) -> str:
    """Find the key that an address asks for."""
    if set(named) == {""} and len(service.keys) == 1:
        named = {service.key: named[""]}
    if set(named) != set(service.keys):
        words = f"'{predicate}' is no key of {service.name}."
        raise Refusal(400, "BadRequest_InvalidRequestUrl", words)
    return BETWEEN.join(_read(service.controls[name], named[name]) for name in service.keys)


def token(key: str) -> str:
    """Write where a page ended (B4)."""
    texts = ("'" + part.replace("'", "''") + "'" for part in key.split(BETWEEN))
    return quote(",".join(texts), safe="',")


def after(call: Call) -> str:
    """Read where the page before ended."""
    parts = split(call.query.get("$skiptoken", ""))
    return BETWEEN.join(part.strip()[1:-1].replace("''", "'") for part in parts)


def customer_of(body: Body, links: Mapping[str, str]) -> str:
    """Follow a person to the customer behind its company; blank where there is none."""
    return links.get(body.get("Company_No", ""), "") if body.get("Type") == "Person" else ""


def etag(row: Row) -> str:
    """Tell the version of a record; to clients it means nothing."""
    return f"W/\"'{b64encode(f'44;{row.version:024};00;'.encode()).decode()}'\""


def _kept(value: Any) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def _read(control: Control, text: str) -> str:
    match control.type:
        case "Code":
            return text.strip().upper()
        case "Date":
            return text[:10]
        case "Option" if text in ("", " ", "_x0020_"):
            return " " if " " in control.options else ""
        case "Decimal" | "Integer":
            try:
                return _kept(Decimal(text))
            except ArithmeticError as error:
                words = f"'{text}' is no number."
                raise Refusal(400, "BadRequest_InvalidRequestUrl", words) from error
        case _:
            return text


def _literal(control: Control, value: Any) -> str:
    if control.type in ("Code", "Text", "Option"):
        return "'" + quote(str(value).replace("'", "''"), safe="") + "'"
    return quote(str(value), safe="")
