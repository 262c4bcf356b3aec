"""Currencies, money, units, products, price lists (A6, A17), by bare HTTP."""

from __future__ import annotations

import string
from contextlib import contextmanager
from itertools import product as every
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.contract.control import behaving
from tests.contract.dataverse_asking import rows
from tests.contract.server import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.server import Server

_CODES = ("X" + "".join(pair) for pair in every(string.ascii_uppercase, repeat=2))


def error(response: Any) -> str:
    assert response.status_code >= 400, response.text
    return str(response.json()["error"]["code"]).lower()


@contextmanager
def made(server: Server, entity: str, key: str, **values: Any) -> Iterator[str]:
    """A record of the case's own; its path."""
    told = server("POST", f"/{entity}", values, Prefer="return=representation")
    assert told.status_code == 201, told.text
    path = f"/{entity}({told.json()[key]})"
    try:
        yield path
    finally:
        server("DELETE", path)


def currency(server: Server, rate: float = 2, precision: int = 2, code: str = "") -> Any:
    return made(
        server,
        "transactioncurrencies",
        "transactioncurrencyid",
        isocurrencycode=code or next(_CODES),
        currencyname="Contract",
        currencysymbol="c",
        currencyprecision=precision,
        exchangerate=rate,
    )


@contextmanager
def grouped(server: Server) -> Iterator[tuple[str, str]]:
    """A unit group and its base unit."""
    values = {"name": f"Contract {uuid4()}", "baseuomname": "PCS"}
    with made(server, "uomschedules", "uomscheduleid", **values) as group:
        key = group[group.index("(") + 1 : -1]
        [unit] = rows(server("GET", f"/uoms?$filter=_uomscheduleid_value eq {key}"))
        assert (unit["name"], unit["quantity"], unit["isschedulebaseuom"]) == ("PCS", 1, True)
        yield group, f"/uoms({unit['uomid']})"


def _product(group: str, unit: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "Contract",
        "productnumber": f"T{uuid4().hex[:12]}",
        "quantitydecimal": 2,
        "productstructure": 1,
        "defaultuomscheduleid@odata.bind": group,
        "defaultuomid@odata.bind": unit,
        **more,
    }


@contextmanager
def sold(server: Server, **more: Any) -> Iterator[tuple[str, str, str]]:
    """A product, its unit group and its unit."""
    with (
        grouped(server) as (group, unit),
        made(server, "products", "productid", **_product(group, unit, **more)) as path,
    ):
        yield path, group, unit


def a_unit_group_makes_its_base_unit(server: Server) -> None:
    with grouped(server):
        told = server("POST", "/uomschedules", {"name": "x"})
        assert error(told) == "0x80043810"


def a_base_unit_may_not_be_needed(server: Server) -> None:
    with (
        behaving(server, base_unit_needed=False),
        made(server, "uomschedules", "uomscheduleid", name="Bare") as group,
    ):
        key = group[group.index("(") + 1 : -1]
        assert rows(server("GET", f"/uoms?$filter=_uomscheduleid_value eq {key}")) == []


def a_unit_has_a_name_of_its_own_in_its_group(server: Server) -> None:
    with grouped(server) as (group, unit):
        more = {"quantity": 12, "uomscheduleid@odata.bind": group, "baseuom@odata.bind": unit}
        assert error(server("POST", "/uoms", {"name": "pcs", **more})) == "0x80040237"
        less = {"name": "BOX", "quantity": 12, "uomscheduleid@odata.bind": group}
        assert error(server("POST", "/uoms", less)) == "0x80043b17"
        with made(server, "uoms", "uomid", name="BOX", **more):
            pass


def a_product_begins_as_a_draft_and_is_made_active(server: Server) -> None:
    with sold(server) as (path, _, _):
        assert server("GET", path).json()["statecode"] == 2
        wrong = server("PATCH", path, {"statecode": 1, "statuscode": 2}, If_Match="*")
        assert error(wrong) == "0x8004f978"
        for state, status in ((0, 1), (1, 2), (0, 1)):
            told = server("PATCH", path, {"statecode": state, "statuscode": status}, If_Match="*")
            assert told.status_code == 204, told.text
        back = server("PATCH", path, {"statecode": 2, "statuscode": 0}, If_Match="*")
        assert error(back) == "0x8004f912"


def a_retired_product_takes_nothing(server: Server) -> None:
    with sold(server) as (path, _, _):
        for state, status in ((0, 1), (1, 2)):
            server("PATCH", path, {"statecode": state, "statuscode": status}, If_Match="*")
        told = server("PATCH", path, {"description": "x"}, If_Match="*")
        assert error(told) == "0x8004f995"


def a_product_has_a_number_of_its_own(server: Server) -> None:
    with sold(server, productnumber="CONTRACT-1") as (_, group, unit):
        again = _product(group, unit, productnumber="contract-1")
        assert error(server("POST", "/products", again)) == "0x80043b06"


def a_products_unit_is_of_its_group(server: Server) -> None:
    with sold(server) as (path, _, _), grouped(server) as (_, other):
        wrong = server("PATCH", path, {"defaultuomid@odata.bind": other}, If_Match="*")
        assert error(wrong) == "0x80043b16"


def a_line_is_once_on_a_list_and_takes_its_currency(server: Server) -> None:
    with currency(server) as money:
        bind = {"transactioncurrencyid@odata.bind": money}
        with (
            made(server, "pricelevels", "pricelevelid", name="Contract", **bind) as level,
            sold(server) as (product, _, unit),
            grouped(server) as (_, other),
        ):
            line = {
                "amount": 3,
                "pricelevelid@odata.bind": level,
                "productid@odata.bind": product,
                "uomid@odata.bind": unit,
            }
            with made(server, "productpricelevels", "productpricelevelid", **line) as path:
                found = server("GET", path).json()
                assert found["_transactioncurrencyid_value"] in money
                assert found["productnumber"] == server("GET", product).json()["productnumber"]
                assert error(server("POST", "/productpricelevels", line)) == "0x80043b08"
                wrong = {**line, "uomid@odata.bind": other}
                assert error(server("POST", "/productpricelevels", wrong)) == "0x80043b16"
                assert error(server("DELETE", level)) == "0x80043b04"


def what_is_in_use_stays(server: Server) -> None:
    with sold(server) as (_, group, _):
        assert error(server("DELETE", group)) == "0x80040227"


def a_catalogue_without_rules_takes_anything(server: Server) -> None:
    with behaving(server, catalogue=False), sold(server) as (path, _, _):
        told = server("PATCH", path, {"statecode": 1, "statuscode": 2}, If_Match="*")
        assert told.status_code == 204


def currencies_have_iso_codes_of_their_own(server: Server) -> None:
    with currency(server, code="XZZ"):
        values = {"currencyname": "x", "currencysymbol": "x", "currencyprecision": 2}
        again = {**values, "isocurrencycode": "XZZ", "exchangerate": 1}
        assert error(server("POST", "/transactioncurrencies", again)) == "0x80048cf3"
        wrong = {**values, "isocurrencycode": "NOCODE", "exchangerate": 1}
        told = server("POST", "/transactioncurrencies", wrong)
        assert error(told) in ("0x80048cf2", "0x80044331")


def money_is_rounded_and_told_in_the_base_currency(server: Server) -> None:
    with behaving(server, base_currency="XBA"), currency(server, 1, code="XBA") as base:
        with (
            currency(server, 2, 1, code="XFO") as foreign,
            made(
                server,
                "accounts",
                "accountid",
                name="Contract",
                creditlimit=10.23456,
                **{"transactioncurrencyid@odata.bind": foreign},
            ) as path,
        ):
            told = server("GET", path).json()
            amounts = (told["creditlimit"], told["creditlimit_base"])
            assert amounts == (10.2, 5.1), amounts
        with made(server, "accounts", "accountid", name="Contract", creditlimit=1.005) as path:
            told = server("GET", path).json()
            assert told["creditlimit"] in (1.0, 1.01)
            assert told["_transactioncurrencyid_value"] in base


def the_base_currency_stays_as_it_is(server: Server) -> None:
    with behaving(server, base_currency="XBB"), currency(server, 1, code="XBB") as base:
        assert error(server("PATCH", base, {"exchangerate": 2}, If_Match="*")) == "0x80048cf5"
        inactive = {"statecode": 1, "statuscode": 2}
        assert error(server("PATCH", base, inactive, If_Match="*")) == "0x80048cf4"
        assert error(server("DELETE", base)) == "0x80048cff"


_UNITS = "uomschedule create → automatic base uom; missing baseuomname; uom duplicate name"
_PRODUCTS = "State machine: product Draft→Active→Retired; product unit must belong to schedule"
_MONEY = "money rounding + _base; currency rules"
CASES = (
    Case(line=_UNITS, holds=a_unit_group_makes_its_base_unit),
    Case(line=_UNITS, holds=a_base_unit_may_not_be_needed, sandbox=True),
    Case(line=_UNITS, holds=a_unit_has_a_name_of_its_own_in_its_group),
    Case(line=_PRODUCTS, holds=a_product_begins_as_a_draft_and_is_made_active),
    Case(line=_PRODUCTS, holds=a_retired_product_takes_nothing),
    Case(line=_PRODUCTS, holds=a_product_has_a_number_of_its_own),
    Case(line=_PRODUCTS, holds=a_products_unit_is_of_its_group),
    Case(line="price-list uniqueness", holds=a_line_is_once_on_a_list_and_takes_its_currency),
    Case(line=_PRODUCTS, holds=what_is_in_use_stays),
    Case(line=_PRODUCTS, holds=a_catalogue_without_rules_takes_anything, sandbox=True),
    Case(line=_MONEY, holds=currencies_have_iso_codes_of_their_own),
    Case(line=_MONEY, holds=money_is_rounded_and_told_in_the_base_currency, sandbox=True),
    Case(line=_MONEY, holds=the_base_currency_stays_as_it_is, sandbox=True),
)
