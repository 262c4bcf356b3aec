"""What NAV does to what it is given: types, lengths, options, relations, number series, cascades.

Protocols B5 and B6. The codes and texts are those of the real server where they are known.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.nav.metadata import Control, Service, services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.sandbox.nav.manners import NavManners
    from runner.sandbox.store import Body, Store

RELATIONS: Mapping[tuple[str, str], str] = {
    ("Customer", "Salesperson_Code"): "Salesperson",
    ("Customer", "Currency_Code"): "Currency",
    ("Customer", "Customer_Price_Group"): "CustomerPriceGroup",
    ("Customer", "Payment_Terms_Code"): "PaymentTerms",
    ("Customer", "Shipment_Method_Code"): "ShipmentMethods",
    ("Customer", "Shipping_Agent_Code"): "ShippingAgents",
    ("Contact", "Salesperson_Code"): "Salesperson",
    ("Contact", "Currency_Code"): "Currency",
    ("Item", "Base_Unit_of_Measure"): "Unit_of_Measure",
    ("Resource", "Base_Unit_of_Measure"): "Unit_of_Measure",
    ("Item", "Vendor_No"): "Vendor",
    ("Resource", "Vendor_No"): "Vendor",
    ("Opportunity", "Contact_No"): "Contact",
    ("Opportunity", "Salesperson_Code"): "Salesperson",
    ("CurrencyExchangeRates", "Currency_Code"): "Currency",
    ("SalesPrices", "Item_No"): "Item",
    ("SalesPrices", "Currency_Code"): "Currency",
    ("SalesPrices", "Unit_of_Measure_Code"): "Unit_of_Measure",
}
"""Fields by page whose value must be a record of another table."""

SERIES = {
    "Customer": ("C", 5, 10),
    "Contact": ("CT", 6, 1),
    "Item": ("I", 5, 1),
    "Resource": ("R", 5, 1),
    "Vendor": ("V", 5, 10),
    "Opportunity": ("OP", 6, 1),
}
"""Number series by service: prefix, digits, step."""

STAMPED = frozenset({"Customer", "Contact", "Item"})
"""Tables whose ``Last Date Modified`` is set on insert too (protocols B7)."""

LINKS = "ContactBusinessRelation"
"""Which company contact belongs to which customer; kept by customer number."""


def values(store: Store, manners: NavManners, service: Service, body: dict[str, Any]) -> Body:
    """Turn a request's body into field values, validated in its order."""
    found: Body = {}
    for name, value in body.items():
        if name.startswith("@"):
            continue
        control = service.controls.get(name)
        if control is None:
            raise Refusal(
                400,
                "BadRequest",
                f"The property '{name}' does not exist on type 'NAV.{service.name}'.",
            )
        if not control.edit:
            if manners.read_only:
                words = f"Control '{name}' is read-only."
                raise Refusal(400, "BadRequest_InvalidOperation", words)
            continue
        found[name] = typed(control, value, upper=manners.upper_codes, lengths=manners.max_length)
        related = RELATIONS.get((service.rows, name))
        missed = related and found[name] and store.get(related, found[name]) is None
        if related and missed and manners.relations:
            raise Refusal(
                400,
                "Internal_InvalidTableRelation",
                f"The field {name.replace('_', ' ')} of table {service.caption} contains a value "
                f"({found[name]}) that cannot be found in the related table "
                f"({services()[related].caption}).",
            )
    return found


def typed(control: Control, value: Any, *, upper: bool = True, lengths: bool = True) -> Any:
    """Read one value; null is blank. ``upper`` codes are written so; ``lengths`` are checked."""
    if value is None:
        return control.blank
    match control.type:
        case "Code" | "Text":
            return _text(control, value, upper=upper, lengths=lengths)
        case "Option":
            return _option(control, value)
        case "Decimal":
            if isinstance(value, bool) or not isinstance(value, int | Decimal):
                raise _wrong(control, value)
            return value
        case "Integer":
            if isinstance(value, bool) or not isinstance(value, int):
                raise _wrong(control, value)
            return value
        case "Boolean":
            if not isinstance(value, bool):
                raise _wrong(control, value)
            return value
        case _:
            return _moment(control, value)


def numbered(store: Store, manners: NavManners, service: Service, body: Body) -> Body:
    """Give a new record what its key lacks: the next number of a series, or blanks."""
    whole = {name: service.controls[name].blank for name in service.keys} | body
    if service.rows not in SERIES:
        first = service.controls[service.key]
        if first.required and not whole[service.key]:
            raise must_be_filled(service.key)
        return {**body, **{name: whole[name] for name in service.keys}}
    if not manners.series:
        words = (
            f"{service.caption} Nos. must have a value in the setup: Primary Key=. "
            "It cannot be zero or empty."
        )
        raise Refusal(400, "Application_FieldValidationException", words)
    if not body.get(service.key):
        return {**body, service.key: _number(store, service)}
    if not manners.manual_numbers:
        words = (
            "You may not enter numbers manually. If you want to enter numbers manually, please "
            f"activate Manual Nos. in No. Series {SERIES[service.rows][0]}."
        )
        raise Refusal(400, "Application_DialogException", words)
    return body


def must_be_filled(name: str) -> Refusal:
    """Make the refusal of a record without a key."""
    words = f"{name} must be filled in. Enter a value."
    return Refusal(400, "Application_FieldValidationException", words)


def same_key(service: Service, key: str, manners: NavManners) -> Refusal:
    """Make the refusal of a second record with the same key."""
    told = ",".join(
        f"{name}='{part}'" for name, part in zip(service.keys, key.split("\x1f"), strict=True)
    )
    words = f"The record already exists. Identification fields and values: {told}"
    return Refusal(manners.duplicate, "Internal_EntityWithSameKeyExists", words)


def _number(store: Store, service: Service) -> str:
    prefix, digits, step = SERIES[service.rows]
    last = (row.key for row in store.rows(service.rows) if row.key.startswith(prefix))
    used = [int(k.removeprefix(prefix)) for k in last if k.removeprefix(prefix).isdigit()]
    number = store.next(f"series {service.rows}", at_least=max(used, default=0) // step + 1)
    return f"{prefix}{number * step:0{digits}}"


def inserted(store: Store, service: Service, key: str, body: Body, today: date) -> Body:
    """Fill a new record: blanks, dates, names, and the company contact of a customer."""
    whole = {name: control.blank for name, control in service.table.items()}
    whole.update(body)
    if len(service.keys) == 1:
        whole[service.key] = key
    if service.rows in STAMPED:
        whole["Last_Date_Modified"] = today.isoformat()
    if "Search_Name" in whole and not whole["Search_Name"]:
        whole["Search_Name"] = str(whole.get("Name", "")).upper()[:50]
    if (
        service.rows == "Opportunity"
        and whole["Creation_Date"] == service.table["Creation_Date"].blank
    ):
        whole["Creation_Date"] = today.isoformat()
    if service.rows == "CurrencyExchangeRates":
        rated(store, whole)
    if service.rows == "Customer":
        _company_contact(store, key, whole, today)
    return settled(service, whole)


def settled(service: Service, body: Body) -> Body:
    """Do what validation does: a person's name from its parts, a company from its customer."""
    if service.rows != "Contact" or body.get("Type") != "Person":
        return body
    parts = [body.get(name, "") for name in ("First_Name", "Middle_Name", "Surname")]
    if any(parts):
        body["Name"] = " ".join(part for part in parts if part)[:50]
    return body


def linked(store: Store, body: Body) -> Body:
    """Follow ``IntegrationCustomerNo`` to the company contact of that customer."""
    number = body.pop("IntegrationCustomerNo", None)
    if number is None:
        return body
    if not number:
        return {**body, "Company_No": "", "Company_Name": ""}
    link = store.get(LINKS, number)
    if link is None:
        raise Refusal(
            400,
            "Internal_RecordNotFound",
            f"The Customer does not exist. Identification fields and values: No.='{number}'",
        )
    company = store.get("Contact", link.body["Contact_No"])
    name = company.body["Name"] if company else ""
    return {**body, "Company_No": link.body["Contact_No"], "Company_Name": name}


def rated(store: Store, rate: Body) -> None:
    """Show the latest rate of a currency in the list of currencies, as page 5 does."""
    row = store.get("Currency", rate["Currency_Code"])
    if row is None or rate["Starting_Date"] < row.body.get("ExchangeRateDate", ""):
        return
    amount = Decimal(rate["Exchange_Rate_Amount"])
    worth = Decimal(rate["Relational_Exch_Rate_Amount"]) / amount if amount else Decimal()
    told = {"ExchangeRateDate": rate["Starting_Date"], "ExchangeRateAmt": worth}
    store.put("Currency", row.key, {**row.body, **told})


def customers_of(store: Store) -> dict[str, str]:
    """Return for each company contact the customer it belongs to."""
    return {row.body["Contact_No"]: row.key for row in store.rows(LINKS)}


def _company_contact(store: Store, number: str, customer: Body, today: date) -> None:
    """Make the contact of a new customer, as codeunit 5056 does."""
    if store.get(LINKS, number) is not None:
        return
    contact = services()["Contact"]
    key = _number(store, contact)
    shared = {
        name: customer[name]
        for name in contact.controls
        if name in customer and name not in ("No", "Search_Name")
    }
    body = {**shared, "Type": "Company", "Company_No": key, "Company_Name": customer["Name"]}
    store.put("Contact", key, inserted(store, contact, key, body, today))
    store.put(LINKS, number, {"Contact_No": key})


def _text(control: Control, value: Any, *, upper: bool, lengths: bool) -> str:
    if not isinstance(value, str):
        raise _wrong(control, value)
    text = value.strip().upper() if control.type == "Code" and upper else value
    if lengths and control.length is not None and len(text) > control.length:
        raise Refusal(
            400,
            "Application_StringExceededLength",
            f"The length of the string is {len(text)}, but it must be less than or equal to "
            f"{control.length} characters. Value: {text}",
        )
    return text


def _option(control: Control, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(control, value)
    text = " " if value in ("", " ", "_x0020_") and " " in control.options else value
    if text not in control.options:
        known = ",".join(control.options)
        raise Refusal(
            400, "Unknown", f"'{value}' is not an option. The existing options are: {known}"
        )
    return text


def _moment(control: Control, value: Any) -> str:
    try:
        if control.type == "Date":
            return date.fromisoformat(str(value)[:10]).isoformat()
        if control.type == "DateTime":
            return datetime.fromisoformat(str(value)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError as error:
        raise _wrong(control, value) from error
    return str(value)


def _wrong(control: Control, value: Any) -> Refusal:
    return Refusal(
        400,
        "BadRequest",
        f"Cannot convert the literal '{value}' of '{control.name}' to {control.type}.",
    )
