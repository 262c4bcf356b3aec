"""The NAV sandbox answers as protocols B says, proved by bare HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from runner import sandbox
from runner.sandbox.nav.manners import NavManners
from tests.sandbox.asking import Asking

if TYPE_CHECKING:
    from pathlib import Path

COMPANY = "/Company('CRONUS%20International%20Ltd.')"


@pytest.fixture
def server(tmp_path: Path) -> Asking:
    seed = tmp_path / "seed"
    seed.mkdir()
    (seed / "Customer.csv").write_text("No,Name\n10,Alpha\nA/B,O'Brien\n30,Gamma\n")
    (seed / "Salesperson.csv").write_text("Code,Name\nJO,Jo\n")
    (seed / "ContactBusinessRelation.csv").write_text(
        "Contact_No,Link_to_Table,No\nCT1,Customer,10\n"
    )
    (seed / "Contact.csv").write_text(
        "No,Type,Name,Company_No\nCT1,Company,Alpha,CT1\nCT2,Person,Ann,CT1\n"
    )
    app = sandbox.nav(tmp_path / "nav.sqlite", seed=seed)
    return Asking(app, sandbox.NAV_PATH, auth=(sandbox.USER, sandbox.PASSWORD))


@pytest.fixture
def nav(server: Asking) -> Asking:
    return replace(server, base=server.base + COMPANY)


def fault(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_nobody_gets_in_without_a_password(server: Asking) -> None:
    response = replace(server, auth=("SANDBOX", "wrong"))("GET", "/Company")
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["WWW-Authenticate"] == 'Basic realm=""'


def test_a_company_is_always_named(server: Asking) -> None:
    assert server("GET", "/Company").json()["value"] == [{"Name": "CRONUS International Ltd."}]
    assert fault(server("GET", "/Customer")) == (400, "Internal_CompanyNotFound")
    assert fault(server("GET", "/Company('Other')/Customer")) == (404, "Internal_CompanyNotFound")
    named = server("GET", "/Customer?company=CRONUS%20International%20Ltd.")
    assert len(named.json()["value"]) == 3


def test_metadata_tells_types_lengths_and_what_is_read_only(server: Asking) -> None:
    tree = ET.fromstring(server("GET", "/$metadata").content)  # noqa: S314 - our own server
    space = {"edm": "http://docs.oasis-open.org/odata/ns/edm"}
    (customer,) = tree.findall(".//edm:EntityType[@Name='Customer']", space)
    name = customer.find("edm:Property[@Name='Name']", space)
    stamp = customer.find("edm:Property[@Name='Last_Date_Modified']", space)
    assert name is not None
    assert stamp is not None
    assert (name.get("Type"), name.get("MaxLength")) == ("Edm.String", "50")
    assert stamp.find("edm:Annotation[@Term='NAV.AllowEdit']", space) is not None


def test_nothing_is_ever_null(nav: Asking) -> None:
    row = nav("GET", "/Customer('10')").json()
    assert (row["Blocked"], row["Credit_Limit_LCY"], row["Phone_No"]) == (" ", 0, "")
    assert None not in row.values()
    assert row["@odata.etag"].startswith("W/\"'")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Customer('A%2FB')", "O'Brien"),
        ("/Customer(No='a%2Fb')", "O'Brien"),
        ("/Customer?$filter=Name eq 'O''Brien'", "O'Brien"),
        ("/Customer?$filter=No eq 'a/b'", "O'Brien"),
        ("/Customer?$filter=Name eq 'Alpha' or Name eq 'x'", "Alpha"),
        ("/Customer?$filter=startswith(Name,'Ga')", "Gamma"),
    ],
)
def test_keys_and_filters(nav: Asking, path: str, expected: str) -> None:
    told = nav("GET", path).json()
    (row,) = told.get("value", [told])
    assert row["Name"] == expected


def test_or_holds_on_one_field_alone(nav: Asking) -> None:
    response = nav("GET", "/Customer?$filter=Name eq 'x' or No eq '10'")
    assert fault(response) == (400, "Application_FilterErrorException")
    assert "not supported on distinct fields" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/Customer?$select=Nam", "/Customer?$apply=x", "/Customer?$top=x"]
)
def test_what_is_not_understood_is_refused(nav: Asking, path: str) -> None:
    assert nav("GET", path).status_code == 400


def test_pages_are_linked_by_key(tmp_path: Path, nav: Asking) -> None:
    small = replace(
        nav,
        app=sandbox.nav(
            tmp_path / "nav.sqlite", seed=tmp_path / "seed", manners=NavManners(most_rows=2)
        ),
    )
    first = small("GET", "/Customer?$select=No").json()
    second = small("GET", first["@odata.nextLink"]).json()
    assert [row["No"] for row in first["value"] + second["value"]] == ["10", "30", "A/B"]
    assert "@odata.nextLink" not in second
    assert nav("GET", "/Customer/$count").text == "3"


def test_numbers_come_from_the_series(nav: Asking) -> None:
    made = nav("POST", "/Customer", {"Name": "New"})
    assert made.status_code == 201
    assert made.json()["No"] == "C00010"
    assert made.headers["Location"].endswith("/Customer('C00010')")
    assert nav("POST", "/Customer", {"Name": "Newer", "No": ""}).json()["No"] == "C00020"
    assert nav("POST", "/Customer", {"No": "x1 ", "Name": "Own"}).json()["No"] == "X1"


@pytest.mark.parametrize(
    ("page", "body", "expected"),
    [
        ("Customer", {"No": "10"}, (400, "Internal_EntityWithSameKeyExists")),
        ("Customer", {"Name": "x" * 51}, (400, "Application_StringExceededLength")),
        ("Customer", {"Blocked": "Perhaps"}, (400, "Unknown")),
        ("Customer", {"Salesperson_Code": "XX"}, (400, "Internal_InvalidTableRelation")),
        ("Customer", {"Last_Date_Modified": "2018-01-01"}, (400, "BadRequest_InvalidOperation")),
        ("Customer", {"Nam": "x"}, (400, "BadRequest")),
        ("Customer", {"Credit_Limit_LCY": "5"}, (400, "BadRequest")),
        ("Salesperson", {"Name": "No code"}, (400, "Application_FieldValidationException")),
        (
            "Contact",
            {"Type": "Person", "IntegrationCustomerNo": "99"},
            (400, "Internal_RecordNotFound"),
        ),
    ],
)
def test_what_an_insert_may_not_say(
    nav: Asking, page: str, body: Any, expected: tuple[int, str]
) -> None:
    assert fault(nav("POST", f"/{page}", body)) == expected


def test_an_update_needs_the_etag_that_it_saw(nav: Asking) -> None:
    row = nav("GET", "/Customer('10')").json()
    assert fault(nav("PATCH", "/Customer('10')", {"City": "York"})) == (
        400,
        "BadRequest_InvalidToken",
    )
    seen = nav("PATCH", "/Customer('10')", {"City": "York"}, If_Match=row["@odata.etag"])
    assert seen.status_code == 200
    assert seen.json()["City"] == "York"
    stale = nav("PATCH", "/Customer('10')", {"City": "Leeds"}, If_Match=row["@odata.etag"])
    assert fault(stale) == (412, "Request_EntityChanged")
    assert nav("PATCH", "/Customer('99')", {"City": "York"}, If_Match="*").status_code == 404
    assert nav("DELETE", "/Customer('10')").status_code == 204


def test_a_stale_etag_may_be_a_conflict(tmp_path: Path, nav: Asking) -> None:
    other = replace(
        nav,
        app=sandbox.nav(
            tmp_path / "nav.sqlite", seed=tmp_path / "seed", manners=NavManners(stale=409)
        ),
    )
    assert other("PATCH", "/Customer('10')", {"City": "x"}, If_Match='W/"old"').status_code == 409


def test_codes_are_upper_case_and_null_is_blank(nav: Asking) -> None:
    body = {"Salesperson_Code": " jo ", "City": None}
    made = nav("PATCH", "/Customer('10')", body, If_Match="*").json()
    assert (made["Salesperson_Code"], made["City"]) == ("JO", "")


def test_a_person_belongs_to_a_customer_through_its_company(nav: Asking) -> None:
    person = nav("GET", "/Contact('CT2')").json()
    assert person["IntegrationCustomerNo"] == "10"
    assert nav("GET", "/Contact('CT1')").json()["IntegrationCustomerNo"] == ""
    body = {"Type": "Person", "First_Name": "Bob", "Surname": "Ray", "IntegrationCustomerNo": "10"}
    made = nav("POST", "/Contact", body).json()
    assert (made["Name"], made["Company_No"], made["Company_Name"]) == ("Bob Ray", "CT1", "Alpha")


def test_a_new_customer_has_a_company_contact(nav: Asking) -> None:
    made = nav("POST", "/Customer", {"Name": "New"}).json()
    companies = nav("GET", "/Contact?$filter=Type eq 'Company'").json()["value"]
    assert "New" in [row["Name"] for row in companies]
    body = {"Type": "Person", "Surname": "Ray", "IntegrationCustomerNo": made["No"]}
    assert nav("POST", "/Contact", body).json()["Company_Name"] == "New"


def test_there_is_no_batch_and_no_upsert(server: Asking, nav: Asking) -> None:
    assert server("POST", "/$batch", {}).status_code in {400, 404}
    assert nav("PUT", "/Customer('99')", {"Name": "x"}, If_Match="*").status_code == 404
