"""The Dataverse sandbox answers as protocols A says, proved by bare HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner import sandbox
from runner.connectors.odata.csdl import entity_sets
from tests.sandbox.asking import Asking

if TYPE_CHECKING:
    from pathlib import Path

ALPHA, BETA, GAMMA = (f"00000000-0000-4000-8000-00000000000{n}" for n in "123")
BOB = "00000000-0000-4000-8000-0000000000b0"
LOOKUP = "Microsoft.Dynamics.CRM.lookuplogicalname"
REPRESENT = {"Prefer": "return=representation"}


@pytest.fixture
def crm(tmp_path: Path) -> Asking:
    seed = tmp_path / "seed"
    seed.mkdir()
    (seed / "accounts.csv").write_text(
        "accountid,name,customertypecode,creditlimit,accountnumber\n"
        f"{ALPHA},Alpha,3,10.5,10\n{BETA},O'Brien & Söhne,,,\n{GAMMA},Gamma,3,,30\n"
    )
    (seed / "systemusers.csv").write_text(f"systemuserid,fullname,isdisabled\n{BOB},Bob,false\n")
    (seed / "contacts.csv").write_text(
        f"firstname,lastname,parentcustomerid,parentcustomeridtype\nAnn,Lee,{ALPHA},account\n"
    )
    app = sandbox.dataverse(tmp_path / "crm.sqlite", seed=seed)
    bearer = {"Authorization": f"Bearer {sandbox.TOKEN}"}
    return Asking(app, sandbox.DATAVERSE_PATH, bearer)


def names(crm: Asking, query: str) -> list[str]:
    response = crm("GET", f"/accounts?$select=name&{query}")
    assert response.status_code == 200, response.text
    return [row["name"] for row in response.json()["value"]]


def fault(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_nobody_gets_in_without_a_token(crm: Asking) -> None:
    response = crm("GET", "/WhoAmI", Authorization="Bearer wrong")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_who_am_i(crm: Asking) -> None:
    response = crm("GET", "/WhoAmI")
    assert response.json()["UserId"] == sandbox.CONNECTION_USER
    assert response.headers["x-ms-dop-hint"]
    assert response.headers["OData-Version"] == "4.0"
    assert response.headers["Content-Type"] == "application/json; odata.metadata=minimal"


def test_metadata_tells_types_and_where_lookups_lead(crm: Asking) -> None:
    (told,) = entity_sets(crm("GET", "/$metadata").content, ["accounts"])
    assert told.keys == ("accountid",)
    types = {p.name: p.type for p in told.properties}
    assert types["name"] == "Edm.String"
    assert types["creditlimit"] == "Edm.Decimal"
    assert types["customertypecode"] == "Edm.Int32"
    assert types["_primarycontactid_value"] == "Edm.Guid"
    (way,) = (n for n in told.navigations if n.name == "primarycontactid")
    assert (way.target, way.constraint) == ("contacts", ("_primarycontactid_value", "contactid"))


def test_metadata_tells_what_is_read_only_to_those_who_ask(crm: Asking) -> None:
    plain, noted = (
        {p.name: dict(p.notes) for p in entity_sets(content, ["accounts"])[0].properties}
        for content in (
            crm("GET", "/$metadata").content,
            crm("GET", "/$metadata?annotations=true").content,
        )
    )
    assert not any(plain.values())
    assert noted["modifiedon"]["Org.OData.Core.V1.Computed"] == "true"
    assert noted["_primarycontactid_value"]["Org.OData.Core.V1.Permissions"].endswith("/Read")
    assert not noted["name"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$filter=customertypecode eq 3", ["Alpha", "Gamma"]),
        ("$filter=name eq 'ALPHA'", ["Alpha"]),
        ("$filter=name eq 'o''brien %26 s%C3%B6hne'", ["O'Brien & Söhne"]),
        ("$filter=accountnumber ne '10'", ["Gamma"]),
        ("$filter=accountnumber eq null", ["O'Brien & Söhne"]),
        ("$filter=not (customertypecode eq 3) or creditlimit gt 10", ["Alpha", "O'Brien & Söhne"]),
        ("$filter=contains(name,'AMM')", ["Gamma"]),
        (f"$filter=accountid eq {BETA}", ["O'Brien & Söhne"]),
        ("$filter=modifiedon ge 2018-01-01T00:00:00Z", ["Alpha", "O'Brien & Söhne", "Gamma"]),
        ("$orderby=name desc", ["O'Brien & Söhne", "Gamma", "Alpha"]),
        ("$top=1", ["Alpha"]),
    ],
)
def test_queries(crm: Asking, query: str, expected: list[str]) -> None:
    assert names(crm, query) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/accounts?$select=nam",
        "/accounts?$filter=nam eq 'x'",
        "/accounts?$filter=length(name) eq 3",
        "/accounts?$filter=name eq",
        "/accounts?$skip=1",
        "/accounts?$apply=x",
        "/accounts?$top=many",
        "/accounts(not-a-guid)",
    ],
)
def test_what_is_not_understood_is_refused(crm: Asking, path: str) -> None:
    assert crm("GET", path).status_code == 400


def test_an_unknown_entity_set(crm: Asking) -> None:
    assert fault(crm("GET", "/acounts")) == (404, "0x80060888")


def test_pages_are_linked_by_cookies_that_nobody_may_touch(crm: Asking) -> None:
    first = crm("GET", "/accounts?$select=name", Prefer="odata.maxpagesize=2")
    assert first.headers["Preference-Applied"] == "odata.maxpagesize=2"
    link = first.json()["@odata.nextLink"]
    second = crm("GET", link, Prefer="odata.maxpagesize=2").json()
    assert [row["name"] for row in second["value"]] == ["Gamma"]
    assert "@odata.nextLink" not in second
    assert crm("GET", link.replace("%25253C", "%253C")).status_code == 400
    assert crm("GET", link.replace("pagenumber%3D%222", "pagenumber%3D%223")).status_code == 400


def test_lookups_tell_what_they_point_to_only_when_asked(crm: Asking) -> None:
    plain = crm("GET", "/contacts?$select=_parentcustomerid_value").json()["value"][0]
    assert plain["_parentcustomerid_value"] == ALPHA
    assert f"_parentcustomerid_value@{LOOKUP}" not in plain
    asked = crm(
        "GET",
        "/contacts?$select=_parentcustomerid_value",
        Prefer=f'odata.include-annotations="{LOOKUP}"',
    ).json()["value"][0]
    assert asked[f"_parentcustomerid_value@{LOOKUP}"] == "account"


def test_a_create_answers_with_the_place_or_the_record(crm: Asking) -> None:
    plain = crm("POST", "/accounts", {"name": "New"})
    assert plain.status_code == 204
    assert plain.headers["OData-EntityId"].startswith("http://sandbox/api/data/v9.2/accounts(")
    full = crm("POST", "/accounts?$select=name", {"name": "Newer"}, **REPRESENT)
    assert full.status_code == 201
    assert full.json()["name"] == "Newer"


@pytest.mark.parametrize(
    ("key", "headers", "expected"),
    [
        pytest.param(ALPHA, {}, (204, ""), id="bare, there"),
        pytest.param(BOB, {}, (204, ""), id="bare, missing: created"),
        pytest.param(ALPHA, {"If_Match": "*"}, (204, ""), id="update only, there"),
        pytest.param(BOB, {"If_Match": "*"}, (404, "0x80040217"), id="update only, missing"),
        pytest.param(ALPHA, {"If_Match": 'W/"0"'}, (412, "0x80060882"), id="stale"),
        pytest.param(ALPHA, {"If_None_Match": "*"}, (412, "0x80040237"), id="create only, there"),
        pytest.param(BOB, {"If_None_Match": "*"}, (204, ""), id="create only, missing"),
    ],
)
def test_the_write_matrix(
    crm: Asking, key: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    response = crm("PATCH", f"/accounts({key})", {"telephone1": "1"}, **headers)
    told = response.json()["error"]["code"] if response.content else ""
    assert (response.status_code, told) == expected


def test_every_update_moves_the_etag_even_one_that_changes_nothing(crm: Asking) -> None:
    before = crm("GET", f"/accounts({ALPHA})?$select=name").json()["@odata.etag"]
    assert crm("GET", f"/accounts({ALPHA})", If_None_Match=before).status_code == 304
    crm("PATCH", f"/accounts({ALPHA})", {"name": "Alpha"}, If_Match=before)
    after = crm("GET", f"/accounts({ALPHA})?$select=name,_modifiedby_value").json()
    assert after["@odata.etag"] != before
    assert after["_modifiedby_value"] == sandbox.CONNECTION_USER


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"name": "x" * 161}, (400, "0x80044331"), id="too long"),
        pytest.param({"customertypecode": 99}, (400, "0x8004431a"), id="no such option"),
        pytest.param({"nam": "x"}, (400, "0x80048d19"), id="no such column"),
        pytest.param({"_ownerid_value": BOB}, (400, "0x80048d19"), id="lookup by its value"),
        pytest.param(
            {"OwnerId@odata.bind": f"/systemusers({BOB})"}, (400, "0x80048d19"), id="case"
        ),
        pytest.param(
            {"ownerid@odata.bind": f"/systemusers({ALPHA})"}, (404, "0x80040217"), id="target"
        ),
        pytest.param({"ownerid@odata.bind": None}, (400, "0x80040203"), id="no owner"),
        pytest.param({"name": 5}, (400, "0x80048d19"), id="number for text"),
        pytest.param({"creditlimit": "5"}, (400, "0x80048d19"), id="text for money"),
        pytest.param({"modifiedon": "2018-01-01T00:00:00Z"}, (400, "0x80040203"), id="read-only"),
        pytest.param({"statecode": 1, "statuscode": 1}, (400, "0x80048408"), id="state and status"),
    ],
)
def test_what_an_update_may_not_say(crm: Asking, body: Any, expected: tuple[int, str]) -> None:
    assert fault(crm("PATCH", f"/accounts({ALPHA})", body)) == expected


def test_values_are_kept_as_the_server_keeps_them(crm: Asking) -> None:
    body = {"creditlimit": 1.005, "fax": "", "ownerid@odata.bind": f"systemusers({BOB.upper()})"}
    made = crm("PATCH", f"/accounts({ALPHA})", body, **REPRESENT).json()
    assert (made["creditlimit"], made["fax"], made["_ownerid_value"]) == (1, None, BOB)


def test_state_is_no_part_of_a_create(crm: Asking) -> None:
    assert fault(crm("POST", "/accounts", {"name": "x", "statecode": 1})) == (400, "0x80048408")
    assert crm("PATCH", f"/accounts({ALPHA})", {"statecode": 1}).status_code == 204
    assert names(crm, "$filter=statecode eq 1 and statuscode eq 2") == ["Alpha"]


def test_a_lookup_of_several_targets_is_bound_by_the_name_of_the_target(crm: Asking) -> None:
    body = {"lastname": "X", "parentcustomerid_account@odata.bind": f"/accounts({BETA})"}
    made = crm("POST", "/contacts", body, **REPRESENT).json()
    assert made["_parentcustomerid_value"] == BETA
    assert made["fullname"] == "X"
    key = made["contactid"]
    crm("PATCH", f"/contacts({key})", {"parentcustomerid_account@odata.bind": None})
    assert crm("GET", f"/contacts({key})").json()["_parentcustomerid_value"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"isocurrencycode": "OLDM"}, (400, "0x80048cf2")),
        ({"exchangerate": 0}, (400, "0x80040203")),
        ({"currencyname": None}, (400, "0x80040203")),
    ],
)
def test_currencies_have_rules_of_their_own(
    crm: Asking, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    euro = {
        "isocurrencycode": "EUR",
        "currencyname": "Euro",
        "currencysymbol": "€",
        "currencyprecision": 2,
        "exchangerate": 1.1,
    }
    assert fault(crm("POST", "/transactioncurrencies", {**euro, **body})) == expected
    assert crm("POST", "/transactioncurrencies", euro).status_code == 204
    assert fault(crm("POST", "/transactioncurrencies", euro)) == (400, "0x80048cf3")


def test_users_are_not_ours_to_make_or_delete(crm: Asking) -> None:
    assert crm("POST", "/systemusers", {"firstname": "Eve"}).status_code == 403
    assert crm("DELETE", f"/systemusers({BOB})").status_code == 405


def test_a_delete_once(crm: Asking) -> None:
    assert crm("DELETE", f"/accounts({ALPHA})", If_Match='W/"0"').status_code == 412
    assert crm("DELETE", f"/accounts({ALPHA})").status_code == 204
    assert fault(crm("DELETE", f"/accounts({ALPHA})")) == (404, "0x80040217")


def test_a_body_that_is_no_json(crm: Asking) -> None:
    assert crm("POST", "/accounts", Content_Type="application/json").status_code == 400
    assert crm("POST", "/accounts", Content_Type="text/plain").status_code == 415


def test_entities_are_described(crm: Asking) -> None:
    path = "/EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute"
    path += "&$filter=EntitySetName eq 'accounts' or EntitySetName eq 'contacts'&$expand=Attributes"
    found = {e["LogicalName"]: e for e in crm("GET", path).json()["value"]}
    assert set(found) == {"account", "contact"}
    types = {a["LogicalName"]: a["AttributeType"] for a in found["contact"]["Attributes"]}
    assert types["parentcustomerid"] == "Customer"
    more = "/EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM."
    lengths = crm("GET", more + "StringAttributeMetadata?$select=LogicalName,MaxLength").json()
    assert {"LogicalName": "name", "MaxLength": 160} in lengths["value"]
