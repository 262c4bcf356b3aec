"""What NAV 2018 does on the wire, line by line of the checklist (protocols E3), by bare HTTP."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4
from xml.etree import ElementTree as ET

from tests.contract.control import behaving, wait
from tests.contract.server import Case, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

_EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


def named() -> str:
    """A code that nobody else uses."""
    return f"T{uuid4().hex[:8].upper()}"


def root(server: Server) -> str:
    return f"/Company('{quote(server.company or 'CRONUS International Ltd.', safe='')}')"


def at(server: Server, page: str, key: str) -> str:
    return f"{root(server)}/{page}('{quote(key, safe='')}')"


def code(told: httpx.Response) -> tuple[int, str]:
    return told.status_code, told.json()["error"]["code"]


@contextmanager
def made(server: Server, page: str = "Customer", **values: Any) -> Iterator[dict[str, Any]]:
    first = {"Customer": "Name", "Contact": "Name", "Resource": "Name", "Item": "Description"}
    given = {first[page]: "Contract"} if page in first else {"Code": named()}
    told = server("POST", f"{root(server)}/{page}", {**given, **values})
    assert told.status_code == 201, told.text
    body: dict[str, Any] = told.json()
    key = body.get("No") or body["Code"]
    try:
        yield body
    finally:
        server("DELETE", at(server, page, key), If_Match="*")


def customer(server: Server, **values: Any) -> Any:
    return made(server, "Customer", **values)


def keys(server: Server, page: str, asked: str, name: str = "No") -> list[str]:
    told = server("GET", f"{root(server)}/{page}?$filter={quote(asked)}")
    assert told.status_code == 200, told.text
    return [row[name] for row in told.json()["value"]]


def properties(server: Server, page: str) -> dict[str, ET.Element]:
    tree = ET.fromstring(server("GET", "/$metadata").content)  # noqa: S314 - the server under test
    [found] = tree.iterfind(f".//{_EDM}EntityType[@Name='{page}']")
    return {p.attrib["Name"]: p for p in found.iterfind(f"{_EDM}Property")}


def noted(element: ET.Element, term: str) -> str:
    for note in element.iterfind(f"{_EDM}Annotation[@Term='{term}']"):
        return note.attrib.get("Bool") or "".join(note.itertext())
    return ""


# Paths


def the_service_document_names_what_is_published(server: Server) -> None:
    told = {one["name"] for one in server("GET", "/").json()["value"]}
    assert {"Company", "Customer", "Contact", "SalesPrices"} <= told


def companies_are_listed_by_name(server: Server) -> None:
    told = [one["Name"] for one in server("GET", "/Company").json()["value"]]
    assert (server.company or "CRONUS International Ltd.") in told


def a_company_may_stand_in_the_query(server: Server) -> None:
    company = quote(server.company or "CRONUS International Ltd.")
    assert server("GET", f"/Customer?company={company}&$top=1").status_code == 200


def a_company_that_is_not_there_is_an_error(server: Server) -> None:
    assert code(server("GET", "/Company('No such')/Customer")) == (404, "Internal_CompanyNotFound")


def without_a_company_there_is_an_error(server: Server) -> None:
    with behaving(server):
        assert code(server("GET", "/Customer")) == (400, "Internal_CompanyNotFound")


def or_the_default_company_answers(server: Server) -> None:
    with behaving(server, falls_back=True):
        assert server("GET", "/Customer?$top=1").status_code == 200


def names_of_pages_are_case_sensitive(server: Server) -> None:
    assert server("GET", f"{root(server)}/customer").status_code == 404


def a_key_holds_what_addresses_must_escape(server: Server) -> None:
    key = f"{named()}/'#%&+ X"
    with customer(server, No=key):
        escaped = quote(key.replace("'", "''"), safe="")
        assert server("GET", f"{root(server)}/Customer('{escaped}')").json()["No"] == key
        assert server("GET", f"{root(server)}/Customer(No='{escaped}')").json()["No"] == key
    server("DELETE", f"{root(server)}/Customer('{escaped}')", If_Match="*")


# Basic


def nobody_gets_in_with_a_wrong_password(server: Server) -> None:
    told = _asked_as(server, ("SANDBOX", "wrong"))
    assert told.status_code == 401
    assert told.headers["WWW-Authenticate"].split()[0] in ("Basic", "Negotiate", "NTLM")
    assert "json" not in told.headers.get("Content-Type", "")


def a_refusal_may_be_a_page_of_html(server: Server) -> None:
    with behaving(server, words="html"):
        assert _asked_as(server, ("SANDBOX", "wrong")).text.startswith("<!DOCTYPE html>")


def _asked_as(server: Server, auth: tuple[str, str]) -> httpx.Response:
    return Server(server.url, auth=auth, transport=server.transport)("GET", "/Company")


# $metadata


def metadata_tells_what_may_be_set(server: Server) -> None:
    told = properties(server, "Customer")
    assert noted(told["Last_Date_Modified"], "NAV.AllowEdit") == "false"
    assert noted(told["Name"], "NAV.AllowEdit") == ""
    assert noted(told["Blocked"], "NAV.NavType").endswith("/Enum")
    assert told["No"].attrib["Nullable"] == "false"
    assert noted(properties(server, "Currency")["Code"], "NAV.IsRequired") == "true"


def dates_may_be_moments(server: Server) -> None:
    for kind, blank in (
        ("Edm.Date", "0001-01-01"),
        ("Edm.DateTimeOffset", "0001-01-01T00:00:00Z"),
    ):
        with behaving(server, dates=kind), made(server, "Currency") as told:
            found = properties(server, "Currency")["Last_Date_Modified"]
            assert found.attrib["Type"] == kind
            assert told["Last_Date_Modified"] == blank


def types_may_not_be_noted(server: Server) -> None:
    with behaving(server, notes_types=False):
        assert noted(properties(server, "Customer")["Blocked"], "NAV.NavType") == ""


def a_list_says_that_it_is_one(server: Server) -> None:
    tree = ET.fromstring(server("GET", "/$metadata").content)  # noqa: S314 - the server under test
    [found] = tree.iterfind(f".//{_EDM}EntitySet[@Name='Customer_List']")
    terms = [note.attrib["Term"] for note in found.iterfind(f"{_EDM}Annotation")]
    assert "Org.OData.Capabilities.V1.UpdateRestrictions" in terms


# Publishable pages


def only_what_is_published_is_there(server: Server) -> None:
    with behaving(server, published=["Customer"]):
        assert server("GET", f"{root(server)}/Contact").status_code == 404
        names = [one["name"] for one in server("GET", "/").json()["value"]]
        assert names == ["Company", "Customer"]


def a_list_reads_what_the_card_wrote_and_refuses_to_write(server: Server) -> None:
    with customer(server, City="Bonn") as told:
        path = at(server, "Customer_List", told["No"])
        found = server("GET", path).json()
        assert found["Name"] == "Contract"
        assert "City" not in found
        assert server("PATCH", path, {"Name": "x"}, If_Match="*").status_code == 400
        assert server("POST", f"{root(server)}/Customer_List", {"Name": "x"}).status_code == 400
        assert server("DELETE", path, If_Match="*").status_code == 400


# Filters


def or_knows_one_field(server: Server) -> None:
    with customer(server, City="Bonn") as told:
        no = told["No"]
        assert keys(server, "Customer", f"No eq '{no}' or No eq 'NO'") == [no]
        across = server("GET", f"{root(server)}/Customer?$filter=No eq '{no}' or City eq 'Bonn'")
        assert across.status_code == 400
        assert "'OR' operator" in across.json()["error"]["message"]


def what_it_does_not_know_is_an_error(server: Server) -> None:
    for asked in ("lines/any(l:l/x eq 1)", "length(Name) eq 3", "year(Last_Date_Modified) eq 1"):
        told = server("GET", f"{root(server)}/Customer?$filter={quote(asked)}")
        assert told.status_code == 400, asked


def days_are_whole(server: Server) -> None:
    with customer(server) as told:
        day, no = told["Last_Date_Modified"][:10], told["No"]
        assert no in keys(server, "Customer", f"Last_Date_Modified ge {day}")
        assert no not in keys(server, "Customer", f"Last_Date_Modified gt {day}")


def a_date_is_asked_for_as_it_is_typed(server: Server) -> None:
    for kind, good, bad in (
        ("Edm.Date", "2018-01-01", "2018-01-01T00:00:00Z"),
        ("Edm.DateTimeOffset", "2018-01-01T00:00:00Z", "2018-01-01"),
    ):
        with behaving(server, dates=kind), customer(server):
            assert keys(server, "Customer", f"Last_Date_Modified ge {good}")
            url = f"{root(server)}/Customer?$filter=Last_Date_Modified ge {bad}"
            assert server("GET", url).status_code == 400


def codes_are_found_in_any_case(server: Server) -> None:
    with customer(server) as told:
        assert keys(server, "Customer", f"No eq '{told['No'].lower()}'") == [told["No"]]


def texts_are_read_as_filters(server: Server) -> None:
    name = named()
    with customer(server, Name=f"{name} A*B") as one, customer(server, Name=f"{name} AXB") as two:
        both = {one["No"], two["No"]}
        assert set(keys(server, "Customer", f"Name eq '{name} A*B'")) == both
        assert keys(server, "Customer", f"Name eq '{name} axb'") == []
        assert keys(server, "Customer", f"Name eq '@{name} axb'") == [two["No"]]
        asked = f"Name eq '{name} AXB|{name} AYB'"
        assert keys(server, "Customer", asked) == [two["No"]]


def parts_of_texts_are_found(server: Server) -> None:
    name = named()
    with customer(server, Name=f"{name} Alpha") as told:
        for asked in (
            f"startswith(Name,'{name}')",
            f"contains(Name,'{name[1:]} Al')",
            f"contains(Name,'{name}') and endswith(Name,'Alpha')",
        ):
            assert keys(server, "Customer", asked) == [told["No"]]


# Page size


def a_page_ends_where_the_next_begins(server: Server) -> None:
    with behaving(server, most_rows=2), customer(server), customer(server), customer(server):
        first = server("GET", f"{root(server)}/Customer?$select=No").json()
        assert len(first["value"]) == 2
        assert "$skiptoken='" in first["@odata.nextLink"]
        second = server("GET", first["@odata.nextLink"]).json()
        assert first["value"][-1]["No"] < second["value"][0]["No"]


def a_link_may_name_a_host_of_its_own_network(server: Server) -> None:
    with behaving(server, most_rows=1, internal_links=True), customer(server), customer(server):
        told = server("GET", f"{root(server)}/Customer?$select=No").json()
        assert told["@odata.nextLink"].startswith("http://nav-internal:7048/")


def a_page_size_may_be_asked_for_or_not(server: Server) -> None:
    for honours in (False, True):
        with behaving(server, honours_size=honours), customer(server), customer(server):
            told = server("GET", f"{root(server)}/Customer", Prefer="odata.maxpagesize=1").json()
            assert (len(told["value"]) == 1) is honours


def top_ends_the_pages(server: Server) -> None:
    with customer(server), customer(server):
        told = server("GET", f"{root(server)}/Customer?$top=1").json()
        assert len(told["value"]) == 1
        assert "@odata.nextLink" not in told


def rows_are_counted(server: Server) -> None:
    with customer(server) as told:
        asked = f"$filter=No eq '{told['No']}'"
        assert server("GET", f"{root(server)}/Customer/$count?{asked}").text == "1"
        assert (
            server("GET", f"{root(server)}/Customer?$count=true&{asked}").json()["@odata.count"]
            == 1
        )


def a_selection_holds_key_and_version(server: Server) -> None:
    with customer(server) as told:
        found = server("GET", f"{at(server, 'Customer', told['No'])}?$select=Name").json()
        assert set(found) == {"@odata.context", "@odata.etag", "No", "Name"}
        wrong = f"{root(server)}/Customer?$select=Nome"
        assert server("GET", wrong).status_code == 400


# Values


def nothing_is_never_null(server: Server) -> None:
    with customer(server) as told:
        assert None not in told.values()
        assert (told["City"], told["Credit_Limit_LCY"], told["Privacy_Blocked"]) == ("", 0, False)


def a_blank_option_has_several_forms(server: Server) -> None:
    for form in (" ", "", "_x0020_"):
        with behaving(server, blank_option=form), customer(server, Blocked=form) as told:
            assert told["Blocked"] == form
            path = at(server, "Customer", told["No"])
            blocked = server("PATCH", path, {"Blocked": "All"}, If_Match="*").json()
            assert blocked["Blocked"] == "All"


def codes_are_upper_case_and_trimmed(server: Server) -> None:
    key = named()
    with made(server, "Resource", No=f" {key.lower()} ") as told:
        assert told["No"] == key


def decimals_keep_their_digits(server: Server) -> None:
    with customer(server, Credit_Limit_LCY=12345678901234.56) as told:
        assert told["Credit_Limit_LCY"] == 12345678901234.56


def a_text_that_is_too_long_is_refused(server: Server) -> None:
    told = server("POST", f"{root(server)}/Customer", {"Name": "x" * 57})
    assert code(told) == (400, "Application_StringExceededLength")
    words = "The length of the string is 57, but it must be less than or equal to 50 characters."
    assert words in told.json()["error"]["message"]


def what_is_no_option_is_refused(server: Server) -> None:
    told = server("POST", f"{root(server)}/Customer", {"Name": "x", "Blocked": "Maybe"})
    assert code(told) == (400, "Unknown")
    assert "is not an option. The existing options are:" in told.json()["error"]["message"]


# POST


def a_number_comes_from_the_series(server: Server) -> None:
    with customer(server) as told, customer(server, No="") as other:
        assert told["No"]
        assert other["No"]
        assert told["No"] != other["No"]
        assert "@odata.etag" in told


def a_creation_says_where(server: Server) -> None:
    told = server("POST", f"{root(server)}/Customer", {"Name": "x"})
    place = told.headers["Location"]
    assert server("GET", place).json()["No"] == told.json()["No"]
    server("DELETE", place, If_Match="*")


def without_a_series_there_are_no_numbers(server: Server) -> None:
    with behaving(server, series=False):
        told = server("POST", f"{root(server)}/Customer", {"Name": "x"})
        assert code(told) == (400, "Application_FieldValidationException")
        assert "must have a value" in told.json()["error"]["message"]


def a_number_of_ones_own_may_be_refused(server: Server) -> None:
    with behaving(server, manual_numbers=False):
        told = server("POST", f"{root(server)}/Customer", {"No": named(), "Name": "x"})
        assert code(told) == (400, "Application_DialogException")
        assert "You may not enter numbers manually." in told.json()["error"]["message"]


def where_there_is_no_series_a_code_is_needed(server: Server) -> None:
    told = server("POST", f"{root(server)}/Currency", {"Description": "x"})
    assert code(told) == (400, "Application_FieldValidationException")


def a_new_record_gets_defaults(server: Server) -> None:
    with (
        behaving(server, defaults={"Customer": {"Country_Region_Code": "DE"}}),
        customer(server) as told,
        customer(server, Country_Region_Code="FR") as other,
    ):
        assert (told["Country_Region_Code"], other["Country_Region_Code"]) == ("DE", "FR")
        assert told["Search_Name"] == "CONTRACT"


def a_relation_that_is_missed_is_refused(server: Server) -> None:
    told = server("POST", f"{root(server)}/Customer", {"Name": "x", "Salesperson_Code": "NO1"})
    assert code(told) == (400, "Internal_InvalidTableRelation")
    assert "cannot be found in the related table" in told.json()["error"]["message"]


def the_same_key_twice_is_refused(server: Server) -> None:
    with customer(server) as told:
        again = server("POST", f"{root(server)}/Customer", {"No": told["No"], "Name": "x"})
        assert again.status_code in (400, 409)
        assert again.json()["error"]["code"] == "Internal_EntityWithSameKeyExists"


def or_as_a_conflict(server: Server) -> None:
    with behaving(server, duplicate=409), customer(server) as told:
        again = server("POST", f"{root(server)}/Customer", {"No": told["No"], "Name": "x"})
        assert again.status_code == 409


def what_is_no_property_is_refused(server: Server) -> None:
    told = server("POST", f"{root(server)}/Customer", {"Nome": "x"})
    assert told.status_code == 400


def what_is_no_json_is_refused(server: Server) -> None:
    known = {"Content_Type": "application/json"}
    assert server("POST", f"{root(server)}/Customer", content=b"{", **known).status_code == 400
    plain = server("POST", f"{root(server)}/Customer", content=b"x", Content_Type="text/plain")
    assert plain.status_code == 415


# PATCH, PUT, DELETE


def a_change_needs_a_condition(server: Server) -> None:
    with customer(server) as told:
        path = at(server, "Customer", told["No"])
        for verb in ("PATCH", "PUT"):
            refused = server(verb, path, {"City": "Bonn"})
            assert code(refused) == (400, "BadRequest_InvalidToken")
        assert server("PATCH", path, {"City": "Bonn"}, If_Match="*").json()["City"] == "Bonn"
        assert server("PUT", path, {"Name": "N"}, If_Match="*").json()["City"] == "Bonn"


def a_stale_condition_is_refused(server: Server) -> None:
    for status in (412, 409):
        with behaving(server, stale=status), customer(server) as told:
            path, old = at(server, "Customer", told["No"]), told["@odata.etag"]
            assert server("PATCH", path, {"City": "A"}, If_Match=old).status_code == 200
            refused = server("PATCH", path, {"City": "B"}, If_Match=old)
            assert code(refused) == (status, "Request_EntityChanged")
            assert server("DELETE", path, If_Match=old).status_code == status


def what_is_not_there_is_not_made(server: Server) -> None:
    path = at(server, "Customer", named())
    assert server("PATCH", path, {"Name": "x"}, If_Match="*").status_code == 404
    assert server("PUT", path, {"Name": "x"}, If_Match="*").status_code == 404
    assert server("GET", path).status_code == 404
    assert server("DELETE", path, If_Match="*").status_code == 404


def a_change_may_be_answered_without_a_word(server: Server) -> None:
    with behaving(server, updated=204), customer(server) as told:
        done = server("PATCH", at(server, "Customer", told["No"]), {"City": "B"}, If_Match="*")
        assert (done.status_code, done.content) == (204, b"")


def what_is_only_shown_is_refused(server: Server) -> None:
    with customer(server) as told:
        path = at(server, "Customer", told["No"])
        refused = server("PATCH", path, {"Last_Date_Modified": "2018-01-01"}, If_Match="*")
        assert code(refused) == (400, "BadRequest_InvalidOperation")
        assert "is read-only" in refused.json()["error"]["message"]


def a_new_key_renames(server: Server) -> None:
    new = named()
    currency = made(server, "Currency")
    with currency as told, customer(server, Currency_Code=told["Code"]) as one:
        renamed = server("PATCH", at(server, "Currency", told["Code"]), {"Code": new}, If_Match="*")
        assert renamed.json()["Code"] == new
        assert server("GET", at(server, "Currency", told["Code"])).status_code == 404
        found = server("GET", at(server, "Customer", one["No"])).json()
        assert found["Currency_Code"] == new
    server("DELETE", at(server, "Currency", new), If_Match="*")


# ETags


def an_etag_is_opaque_and_quoted(server: Server) -> None:
    with customer(server) as told:
        assert re.fullmatch(r"""W/"'?[A-Za-z0-9+/=]+'?\"""", told["@odata.etag"])


def an_etag_moves_with_what_the_page_does_not_show(server: Server) -> None:
    with customer(server) as told:
        before = server("GET", at(server, "Customer_List", told["No"])).json()["@odata.etag"]
        server("PATCH", at(server, "Customer", told["No"]), {"Home_Page": "x"}, If_Match="*")
        after = server("GET", at(server, "Customer_List", told["No"])).json()["@odata.etag"]
        assert before != after


# Last_Date_Modified


def some_pages_stamp_what_is_new_and_some_do_not(server: Server) -> None:
    stamped = {}
    for page in ("Customer", "Contact", "Resource", "Currency"):
        with made(server, page) as told:
            key = told.get("No") or told["Code"]
            field = "Description" if page == "Currency" else "Name"
            later = server("PATCH", at(server, page, key), {field: "Z"}, If_Match="*").json()
            stamped[page] = (
                told["Last_Date_Modified"][:4] != "0001",
                later["Last_Date_Modified"][:4] != "0001",
            )
    new, changed = (True, True), (False, True)
    assert stamped == {
        "Customer": new,
        "Contact": new,
        "Resource": changed,
        "Currency": changed,
    }


def two_pages_have_no_stamp(server: Server) -> None:
    for page in ("Salesperson", "Unit_of_Measure"):
        assert "Last_Date_Modified" not in properties(server, page)


def a_customers_day_is_the_servers_a_contacts_utc(server: Server) -> None:
    with behaving(server, local=-24 * 60), customer(server) as one, made(server, "Contact") as two:
        assert one["Last_Date_Modified"] < two["Last_Date_Modified"]


def the_stamp_is_a_day(server: Server) -> None:
    with behaving(server), customer(server) as told:
        wait(server, 24 * 3600)
        path = at(server, "Customer", told["No"])
        later = server("PATCH", path, {"City": "B"}, If_Match="*").json()
        assert later["Last_Date_Modified"] > told["Last_Date_Modified"]


# Cascades


def _company_of(server: Server, name: str) -> dict[str, Any]:
    told = server("GET", f"{root(server)}/Contact?$filter=Name eq '{name}' and Type eq 'Company'")
    [found] = told.json()["value"]
    return dict(found)


def a_customer_has_a_contact_that_follows_it(server: Server) -> None:
    old, new = named(), named()
    with customer(server, Name=old) as told:
        contact = _company_of(server, old)
        path = at(server, "Customer", told["No"])
        server("PATCH", path, {"Name": new, "City": "Bonn"}, If_Match="*")
        after = _company_of(server, new)
        assert (after["No"], after["City"]) == (contact["No"], "Bonn")
        assert after["@odata.etag"] != contact["@odata.etag"]
        back = at(server, "Contact", after["No"])
        server("PATCH", back, {"Phone_No": "123"}, If_Match="*")
        assert server("GET", path).json()["Phone_No"] == "123"
        server("DELETE", back, If_Match="*")


def persons_name_their_company(server: Server) -> None:
    old, new = named(), named()
    with customer(server, Name=old) as told:
        values = {
            "Type": "Person",
            "Name": "",
            "IntegrationCustomerNo": told["No"],
            "First_Name": "Ann",
        }
        with made(server, "Contact", **values) as person:
            assert person["Company_Name"] == old
            server("PATCH", at(server, "Customer", told["No"]), {"Name": new}, If_Match="*")
            found = server("GET", at(server, "Contact", person["No"])).json()
            assert (found["Company_Name"], found["Name"]) == (new, "Ann")
        server("DELETE", at(server, "Contact", _company_of(server, new)["No"]), If_Match="*")


def cascades_can_be_off(server: Server) -> None:
    old, new = named(), named()
    with behaving(server, cascades=False), customer(server, Name=old) as told:
        server("PATCH", at(server, "Customer", told["No"]), {"Name": new}, If_Match="*")
        assert _company_of(server, old)["Name"] == old


# Refusals


def a_question_cannot_be_asked(server: Server) -> None:
    with customer(server) as told:
        with behaving(server, dialogs=["Customer"]):
            refused = server("DELETE", at(server, "Customer", told["No"]), If_Match="*")
            assert code(refused) == (400, "Application_CallbackNotAllowed")
        assert server("GET", at(server, "Customer", told["No"])).status_code == 200


def what_has_entries_stays(server: Server) -> None:
    told = server("DELETE", at(server, "Customer", "OWING"), If_Match="*")
    assert code(told) == (400, "Application_DialogException")
    assert "You cannot delete Customer OWING" in told.json()["error"]["message"]


def a_permission_may_be_missing(server: Server) -> None:
    for status in (400, 403):
        with behaving(server, forbidden=["Customer"], forbidden_status=status):
            told = server("POST", f"{root(server)}/Customer", {"Name": "x"})
            assert told.status_code == status
            words = "You do not have the following permissions on TableData Customer: Insert."
            assert told.json()["error"]["message"] == words


# Table locking


def a_table_may_be_locked_by_others(server: Server) -> None:
    for status in (400, 409, 503):
        with behaving(server, locked=2, locked_status=status), customer(server) as told:
            path = at(server, "Customer", told["No"])
            refused = server("PATCH", path, {"City": "B"}, If_Match="*")
            assert refused.status_code == status
            assert "cannot be locked" in refused.json()["error"]["message"]
            assert server("PATCH", path, {"City": "B"}, If_Match="*").status_code == 200


# What there is not


def there_is_no_batch(server: Server) -> None:
    told = server("POST", "/$batch", {"requests": []})
    assert told.status_code in (400, 404, 405, 501)


def there_is_no_deep_insert(server: Server) -> None:
    told = server("POST", f"{root(server)}/Customer", {"Name": "x", "Contacts": [{"Name": "y"}]})
    assert told.status_code == 400


def there_is_no_delta(server: Server) -> None:
    told = server("GET", f"{root(server)}/Customer?$top=1", Prefer="odata.track-changes")
    assert "@odata.deltaLink" not in told.json()
    assert "Preference-Applied" not in told.headers


# Keys of several fields


def a_key_of_several_fields(server: Server) -> None:
    group = made(server, "CustomerPriceGroup")
    with group as told, made(server, "Item") as item:
        price = {
            "Item_No": item["No"],
            "Sales_Type": "Customer Price Group",
            "Sales_Code": told["Code"],
            "Minimum_Quantity": 2.5,
            "Unit_Price": 10,
        }
        done = server("POST", f"{root(server)}/SalesPrices", price)
        assert done.status_code == 201, done.text
        key = (
            f"Item_No='{item['No']}',Sales_Type='Customer%20Price%20Group',"
            f"Sales_Code='{told['Code']}',Starting_Date=0001-01-01,Currency_Code='',"
            "Variant_Code='',Unit_of_Measure_Code='',Minimum_Quantity=2.5"
        )
        path = f"{root(server)}/SalesPrices({key})"
        assert server("GET", path).json()["Unit_Price"] == 10
        assert server("GET", done.headers["Location"]).json()["Unit_Price"] == 10
        again = server("POST", f"{root(server)}/SalesPrices", price)
        assert again.json()["error"]["code"] == "Internal_EntityWithSameKeyExists"
        changed = server("PATCH", path, {"Unit_Price": 11}, If_Match=done.json()["@odata.etag"])
        assert changed.json()["Unit_Price"] == 11
        assert server("GET", f"{root(server)}/SalesPrices('{item['No']}')").status_code == 400
        assert server("DELETE", path, If_Match="*").status_code == 204


_LINES = {
    "paths": (
        the_service_document_names_what_is_published,
        companies_are_listed_by_name,
        a_company_may_stand_in_the_query,
        a_company_that_is_not_there_is_an_error,
        without_a_company_there_is_an_error,
        or_the_default_company_answers,
        names_of_pages_are_case_sensitive,
        a_key_holds_what_addresses_must_escape,
    ),
    "Basic": (nobody_gets_in_with_a_wrong_password, a_refusal_may_be_a_page_of_html),
    "$metadata": (
        metadata_tells_what_may_be_set,
        dates_may_be_moments,
        types_may_not_be_noted,
        a_list_says_that_it_is_one,
    ),
    "publishable pages": (
        only_what_is_published_is_there,
        a_list_reads_what_the_card_wrote_and_refuses_to_write,
        a_key_of_several_fields,
    ),
    "filters": (
        or_knows_one_field,
        what_it_does_not_know_is_an_error,
        days_are_whole,
        a_date_is_asked_for_as_it_is_typed,
        codes_are_found_in_any_case,
        texts_are_read_as_filters,
        parts_of_texts_are_found,
    ),
    "page size": (
        a_page_ends_where_the_next_begins,
        a_link_may_name_a_host_of_its_own_network,
        a_page_size_may_be_asked_for_or_not,
        top_ends_the_pages,
        rows_are_counted,
        a_selection_holds_key_and_version,
    ),
    "values never null": (
        nothing_is_never_null,
        a_blank_option_has_several_forms,
        codes_are_upper_case_and_trimmed,
        decimals_keep_their_digits,
        a_text_that_is_too_long_is_refused,
        what_is_no_option_is_refused,
    ),
    "POST": (
        a_number_comes_from_the_series,
        a_creation_says_where,
        without_a_series_there_are_no_numbers,
        a_number_of_ones_own_may_be_refused,
        where_there_is_no_series_a_code_is_needed,
        a_new_record_gets_defaults,
        a_relation_that_is_missed_is_refused,
        the_same_key_twice_is_refused,
        or_as_a_conflict,
        what_is_no_property_is_refused,
        what_is_no_json_is_refused,
    ),
    "PATCH/PUT/DELETE": (
        a_change_needs_a_condition,
        a_stale_condition_is_refused,
        what_is_not_there_is_not_made,
        a_change_may_be_answered_without_a_word,
        what_is_only_shown_is_refused,
        a_new_key_renames,
    ),
    "ETag": (an_etag_is_opaque_and_quoted, an_etag_moves_with_what_the_page_does_not_show),
    "Last_Date_Modified": (
        some_pages_stamp_what_is_new_and_some_do_not,
        two_pages_have_no_stamp,
        a_customers_day_is_the_servers_a_contacts_utc,
        the_stamp_is_a_day,
    ),
    "cascades": (
        a_customer_has_a_contact_that_follows_it,
        persons_name_their_company,
        cascades_can_be_off,
    ),
    "CONFIRM, blocked deletes, permission error": (
        a_question_cannot_be_asked,
        what_has_entries_stays,
        a_permission_may_be_missing,
    ),
    "table locking": (a_table_may_be_locked_by_others,),
    "no $batch, no upsert, no deep insert, no delta": (
        there_is_no_batch,
        there_is_no_deep_insert,
        there_is_no_delta,
    ),
}
_ONLY_HERE = {
    without_a_company_there_is_an_error,
    or_the_default_company_answers,
    a_refusal_may_be_a_page_of_html,
    dates_may_be_moments,
    types_may_not_be_noted,
    only_what_is_published_is_there,
    a_date_is_asked_for_as_it_is_typed,
    a_page_ends_where_the_next_begins,
    a_link_may_name_a_host_of_its_own_network,
    a_page_size_may_be_asked_for_or_not,
    a_blank_option_has_several_forms,
    without_a_series_there_are_no_numbers,
    a_number_of_ones_own_may_be_refused,
    a_new_record_gets_defaults,
    or_as_a_conflict,
    a_stale_condition_is_refused,
    a_change_may_be_answered_without_a_word,
    a_customers_day_is_the_servers_a_contacts_utc,
    the_stamp_is_a_day,
    cascades_can_be_off,
    a_question_cannot_be_asked,
    what_has_entries_stays,
    a_permission_may_be_missing,
    a_table_may_be_locked_by_others,
}
CASES = tuple(
    Case(line=line, holds=holds, sandbox=holds in _ONLY_HERE)
    for line, cases in _LINES.items()
    for holds in cases
)
