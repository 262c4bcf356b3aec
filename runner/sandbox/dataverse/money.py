"""Money: rounded as its currency has it, and told in the base currency too (protocols A6, A17)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal

if TYPE_CHECKING:
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.dataverse.session import Session
    from runner.sandbox.store import Body, Row

_SET = "transactioncurrencies"
_BASE_PLACES = 4


def settled(session: Session, entity: Entity, body: Body) -> Body:
    """Round the amounts of a record, and fill those in the base currency."""
    amounts = [
        a.name
        for a in entity.attributes.values()
        if a.type == "Money" and not a.name.endswith("_base") and body.get(a.name) is not None
    ]
    if not amounts:
        return body
    chosen = body.get("_transactioncurrencyid_value")
    currency = session.store.get(_SET, str(chosen)) if chosen else base(session)
    if currency is None:
        return body
    if "transactioncurrencyid" in entity.attributes:
        body["_transactioncurrencyid_value"] = currency.key
        body["_transactioncurrencyid_type"] = "transactioncurrency"
    rate = Decimal(currency.body.get("exchangerate") or 1)
    for name in amounts:
        amount = Decimal(body[name])
        if session.manners.rounds_money:
            amount = _rounded(amount, int(currency.body.get("currencyprecision") or 0))
        body[name] = amount
        body[f"{name}_base"] = _rounded(amount / rate, _BASE_PLACES)
    if "exchangerate" in entity.attributes:
        body["exchangerate"] = rate
    return body


def base(session: Session) -> Row | None:
    """Find the base currency: the one that the organisation names, else the first with rate 1."""
    iso = session.manners.base_currency
    found = [
        row
        for row in session.store.rows(_SET)
        if (row.body.get("isocurrencycode") == iso if iso else row.body.get("exchangerate") == 1)
    ]
    return min(found, key=lambda row: (str(row.body.get("createdon")), row.key), default=None)


def must_stay(session: Session, entity: Entity, row: Row, body: Body | None) -> None:
    """Keep the base currency as it is; ``body`` is what it shall be, ``None`` for gone."""
    if entity.logical != "transactioncurrency" or not session.manners.currencies:
        return
    found = base(session)
    if found is None or found.key != row.key:
        return
    if body is None:
        raise Refusal(400, "0x80048cff", "The base currency cannot be deleted.")
    if body.get("statecode"):
        raise Refusal(400, "0x80048cf4", "The base currency cannot be deactivated.")
    if _number(body.get("exchangerate")) != _number(row.body.get("exchangerate")):
        words = "The exchange rate of the base currency cannot be modified."
        raise Refusal(400, "0x80048cf5", words)


def _number(value: Any) -> Decimal:
    return Decimal(value or 0)


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
