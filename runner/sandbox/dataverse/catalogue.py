"""Units, products, price lists and their lines: what Dataverse demands of them (protocols A17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.sandbox.answers import Refusal

if TYPE_CHECKING:
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.dataverse.session import Session
    from runner.sandbox.store import Body, Row, Store

_ACTIVE, _RETIRED, _DRAFT = 0, 1, 2
_NO_WAY = {
    (_DRAFT, _RETIRED): ("0x8004f978", "A draft product cannot be retired."),
    (_ACTIVE, _DRAFT): ("0x8004f912", "An active product cannot become a draft."),
    (_RETIRED, _DRAFT): ("0x8004f979", "A retired product cannot become a draft."),
}
_STATE = frozenset({"statecode", "statuscode"})
_IN_USE = {
    "pricelevel": (
        ("productpricelevels", "_pricelevelid_value"),
        ("products", "_pricelevelid_value"),
    ),
    "uomschedule": (("products", "_defaultuomscheduleid_value"),),
    "uom": (("products", "_defaultuomid_value"), ("productpricelevels", "_uomid_value")),
    "product": (("productpricelevels", "_productid_value"),),
}
"""What keeps a record from being deleted: sets, and the columns in which they name it."""


def completed(session: Session, entity: Entity, body: Body) -> Body:
    """Fill what a price list line takes from its list and its product."""
    if entity.logical != "productpricelevel" or not session.manners.catalogue:
        return body
    level = session.store.get("pricelevels", str(body.get("_pricelevelid_value")))
    product = session.store.get("products", str(body.get("_productid_value")))
    if level is not None:
        body["_transactioncurrencyid_value"] = level.body.get("_transactioncurrencyid_value")
        body["_transactioncurrencyid_type"] = "transactioncurrency"
    if product is not None:
        body["productnumber"] = product.body.get("productnumber")
        body["_uomscheduleid_value"] = product.body.get("_defaultuomscheduleid_value")
    return body


def must_fit(session: Session, entity: Entity, body: Body, key: str, before: Body | None) -> None:
    """Check a record of the catalogue; ``before`` is what it was, ``None`` for a new one."""
    if not session.manners.catalogue:
        return
    match entity.logical:
        case "uom":
            _unit(session.store, body, key, before)
        case "product":
            _product(session.store, body, key, before)
        case "productpricelevel":
            _line(session.store, body, key)
        case _:
            pass


def must_be_free(session: Session, entity: Entity, row: Row) -> None:
    """Refuse to delete what others need."""
    if not session.manners.catalogue:
        return
    for name, column in _IN_USE.get(entity.logical, ()):
        if any(other.body.get(column) == row.key for other in session.store.rows(name)):
            code = "0x80043b04" if entity.logical == "pricelevel" else "0x80040227"
            words = f"The {entity.logical} cannot be deleted: {name} are associated with it."
            raise Refusal(400, code, words)


def _unit(store: Store, body: Body, key: str, before: Body | None) -> None:
    if before is None and not body.get("isschedulebaseuom"):
        if not body.get("_baseuom_value"):
            raise Refusal(400, "0x80043b17", "The base unit is missing.")
        if body.get("quantity") is None or body["quantity"] < 0:
            raise Refusal(400, "0x80043b18", "The quantity is missing or not valid.")
    schedule, name = body.get("_uomscheduleid_value"), str(body.get("name")).casefold()
    for row in store.rows("uoms"):
        same = str(row.body.get("name")).casefold() == name
        if row.key != key and same and row.body.get("_uomscheduleid_value") == schedule:
            words = "A unit with this name exists already in the unit group."
            raise Refusal(400, "0x80040237", words)


def _product(store: Store, body: Body, key: str, before: Body | None) -> None:
    number = str(body.get("productnumber")).casefold()
    for row in store.rows("products"):
        if row.key != key and str(row.body.get("productnumber")).casefold() == number:
            raise Refusal(400, "0x80043b06", "A product with this product number exists already.")
    schedule, unit = body.get("_defaultuomscheduleid_value"), body.get("_defaultuomid_value")
    if not schedule:
        raise Refusal(400, "0x80043816", "The unit schedule id is missing.")
    _must_hold(store, str(schedule), unit)
    if before is None:
        return
    if (way := (before.get("statecode"), body.get("statecode"))) in _NO_WAY:
        raise Refusal(400, *_NO_WAY[way])
    moved = {name for name in body if body[name] != before.get(name)} - _STATE
    if before.get("statecode") == _RETIRED and moved:
        raise Refusal(400, "0x8004f995", "A retired product cannot be updated.")


def _line(store: Store, body: Body, key: str) -> None:
    product = store.get("products", str(body.get("_productid_value")))
    if product is None:
        return
    _must_hold(
        store, str(product.body.get("_defaultuomscheduleid_value")), body.get("_uomid_value")
    )
    if product.body.get("statecode") == _RETIRED:
        raise Refusal(400, "0x80061009", "A retired product cannot be put on a price list.")
    names = ("_pricelevelid_value", "_productid_value", "_uomid_value")
    wanted = [body.get(name) for name in names]
    for row in store.rows("productpricelevels"):
        if row.key != key and [row.body.get(name) for name in names] == wanted:
            words = "The product is on this price list already, with this unit."
            raise Refusal(400, "0x80043b08", words)


def _must_hold(store: Store, schedule: str, unit: object) -> None:
    row = store.get("uoms", str(unit))
    if row is None or row.body.get("_uomscheduleid_value") != schedule:
        raise Refusal(400, "0x80043b16", "The unit is not in the unit group of the product.")
