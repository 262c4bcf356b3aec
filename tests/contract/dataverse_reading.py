"""Sets and lookups: queries, pages, annotations (E2; A2, A4, A5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.dataverse_asking import (
    FORMATTED,
    LOOKUP,
    NAVIGATION,
    account,
    accounts,
    contact,
    fault,
    guid,
    message,
    rows,
)
from tests.contract.server import Case

if TYPE_CHECKING:
    from tests.contract.server import Server


def nobody_gets_in_without_a_token(server: Server) -> None:
    answer = server("GET", "/WhoAmI", Authorization="")
    assert answer.status_code == 401
    told = answer.headers["WWW-Authenticate"]
    assert told.startswith("Bearer authorization_uri=http")
    assert "resource_id=http" in told


def one_learns_who_one_is(server: Server) -> None:
    answer = server("GET", "/WhoAmI")
    assert answer.status_code == 200
    assert {"UserId", "BusinessUnitId", "OrganizationId"} <= answer.json().keys()
    assert int(answer.headers["x-ms-dop-hint"]) > 0


def every_answer_names_its_version(server: Server) -> None:
    for path in ("/WhoAmI", "/accounts?$top=1", f"/accounts({guid()})", "/nothing"):
        answer = server("GET", path)
        assert answer.headers["OData-Version"] == "4.0"
        assert "odata.metadata=minimal" in answer.headers["Content-Type"]


def honoured_preferences_are_named(server: Server) -> None:
    answer = server("GET", "/accounts?$select=name", Prefer="odata.maxpagesize=1")
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=1"


def an_unknown_set_is_404(server: Server) -> None:
    for path in ("/acounts", "/Accounts", "/account"):
        answer = server("GET", path)
        assert fault(answer) == (404, "0x80060888")
        assert "Resource not found for the segment" in message(answer)


def the_key_is_always_returned(server: Server) -> None:
    with accounts(server, 1) as (town, [key]):
        [row] = rows(server("GET", f"/accounts?$select=name&$filter=address1_city eq '{town}'"))
        assert row.keys() == {"@odata.etag", "name", "accountid"}
        assert row["accountid"] == key


def a_query_not_understood_is_refused(server: Server) -> None:
    for query in (
        "$select=nam",
        "$select=Name",
        "$filter=nam eq 'x'",
        "$filter=length(name) eq 3",
        "$filter=tolower(name) eq 'x'",
        "$filter=name eq",
        "$filter=revenue add 1 eq 2",
        "$orderby=nam",
        "$top=many",
        "$skip=1",
        "$nonsense=1",
    ):
        assert server("GET", f"/accounts?{query}").status_code == 400, query


def texts_are_alike_whatever_their_case(server: Server) -> None:
    with accounts(server, 1) as (town, [key]):
        for test in (
            f"address1_city eq '{town.upper()}'",
            f"startswith(address1_city,'{town.lower()}')",
            f"contains(address1_city,'{town.upper()[2:]}')",
            f"endswith(address1_city,'{town.upper()[-12:]}')",
        ):
            found = rows(server("GET", f"/accounts?$select=name&$filter={test}"))
            assert [row["accountid"] for row in found] == [key], test


def blank_fulfils_neither_eq_nor_ne(server: Server) -> None:
    with accounts(server, 1) as (town, [key]):
        for test, expected in (
            ("fax eq '1'", []),
            ("fax ne '1'", []),
            ("fax eq null", [key]),
            ("(fax ne '1' or fax eq null)", [key]),
            ("fax ne null", []),
        ):
            query = f"$select=name&$filter=address1_city eq '{town}' and {test}"
            found = rows(server("GET", f"/accounts?{query}"))
            assert [row["accountid"] for row in found] == expected, test


def a_quote_is_doubled(server: Server) -> None:
    with account(server, name="O'Brien & Söhne #1") as made:
        test = f"name eq 'O''Brien %26 S%C3%B6hne %231' and accountid eq {made['accountid']}"
        assert len(rows(server("GET", f"/accounts?$select=name&$filter={test}"))) == 1


def rows_come_in_the_order_asked_for(server: Server) -> None:
    with accounts(server, 3) as (town, keys):
        query = f"$select=name&$filter=address1_city eq '{town}'"
        names = [
            row["name"] for row in rows(server("GET", f"/accounts?{query}&$orderby=name desc"))
        ]
        assert names == [f"{town} {n}" for n in (2, 1, 0)]
        found = [row["accountid"] for row in rows(server("GET", f"/accounts?{query}"))]
        assert sorted(found) == keys


def top_alone_limits_and_is_ignored_beside_a_page_size(server: Server) -> None:
    with accounts(server, 3) as (town, _):
        path = f"/accounts?$select=name&$filter=address1_city eq '{town}'&$top=1"
        answer = server("GET", path)
        assert len(rows(answer)) == 1
        assert "@odata.nextLink" not in answer.json()
        answer = server("GET", path, Prefer="odata.maxpagesize=2")
        assert len(rows(answer)) == 2
        assert "@odata.nextLink" in answer.json()


def counts_are_told_when_asked(server: Server) -> None:
    with accounts(server, 3) as (town, _):
        query = f"$select=name&$filter=address1_city eq '{town}'&$count=true"
        answer = server("GET", f"/accounts?{query}", Prefer="odata.maxpagesize=2")
        assert answer.json()["@odata.count"] == 3


def pages_are_linked_and_each_row_comes_once(server: Server) -> None:
    with accounts(server, 5) as (town, keys):
        found, link = [], f"/accounts?$select=name&$filter=address1_city eq '{town}'"
        sizes = []
        while link:
            answer = server("GET", link, Prefer="odata.maxpagesize=2")
            page = rows(answer)
            sizes.append(len(page))
            found += [row["accountid"] for row in page]
            link = answer.json().get("@odata.nextLink", "")
            assert not link or link.startswith("http")
        assert sorted(found) == keys
        assert sizes[:3] == [2, 2, 1]


def _second(server: Server, town: str) -> str:
    path = f"/accounts?$select=name&$filter=address1_city eq '{town}'"
    told: dict[str, Any] = server("GET", path, Prefer="odata.maxpagesize=2").json()
    return str(told["@odata.nextLink"])


def an_altered_cookie_is_refused(server: Server) -> None:
    with accounts(server, 3) as (town, _):
        link = _second(server, town)
        assert "%25253C" in link, "the inner cookie is encoded twice"
        for altered in (
            link.replace("%25253C", "%253C"),
            link.replace("pagenumber%3D%222", "pagenumber%3D%223"),
            link[:-5],
        ):
            assert altered != link
            answer = server("GET", altered, Prefer="odata.maxpagesize=2")
            assert answer.status_code == 400


def pages_are_no_snapshot(server: Server) -> None:
    with accounts(server, 3) as (town, keys):
        link = _second(server, town)
        server("DELETE", f"/accounts({keys[2]})")
        assert rows(server("GET", link, Prefer="odata.maxpagesize=2")) == []


def lookups_tell_their_targets_only_when_asked(server: Server) -> None:
    with (
        account(server) as target,
        contact(
            server, **{"parentcustomerid_account@odata.bind": f"/accounts({target['accountid']})"}
        ) as made,
    ):
        name = "_parentcustomerid_value"
        path = f"/contacts({made['contactid']})?$select={name}"
        plain = server("GET", path).json()
        assert plain[name] == target["accountid"]
        assert not [key for key in plain if key.startswith(f"{name}@")]
        told = server("GET", path, Prefer=f'odata.include-annotations="{LOOKUP}"').json()
        assert told[f"{name}@{LOOKUP}"] == "account"
        assert f"{name}@{FORMATTED}" not in told
        told = server("GET", path, Prefer='odata.include-annotations="*"').json()
        assert told[f"{name}@{NAVIGATION}"] == "parentcustomerid_account"
        assert told[f"{name}@{FORMATTED}"] == target["name"]


def one_target_of_a_lookup_replaces_the_other(server: Server) -> None:
    bind = "parentcustomerid_{}@odata.bind"
    with account(server) as firm, contact(server) as person, contact(server) as made:
        path = f"/contacts({made['contactid']})"
        for name, target in (
            ("account", f"/accounts({firm['accountid']})"),
            ("contact", f"contacts({person['contactid'].upper()})"),
        ):
            assert server("PATCH", path, {bind.format(name): target}).status_code == 204
            asked = server("GET", path, Prefer=f'odata.include-annotations="{LOOKUP}"').json()
            assert asked[f"_parentcustomerid_value@{LOOKUP}"] == name
        cleared = server("PATCH", path, {bind.format("contact"): None})
        assert cleared.status_code == 204
        assert server("GET", path).json()["_parentcustomerid_value"] is None


def navigation_properties_are_case_sensitive(server: Server) -> None:
    with account(server) as target:
        body = {"lastname": "x", "ParentCustomerId_Account@odata.bind": f"/accounts({guid()})"}
        assert server("POST", "/contacts", body).status_code == 400
        wrong = {"parentcustomerid_contact@odata.bind": f"/accounts({target['accountid']})"}
        assert server("POST", "/contacts", {"lastname": "x"} | wrong).status_code == 400


def a_missing_target_is_refused(server: Server) -> None:
    body = {"lastname": "x", "parentcustomerid_account@odata.bind": f"/accounts({guid()})"}
    answer = server("POST", "/contacts", body)
    assert answer.status_code in (400, 404)
    assert fault(answer)[1] == "0x80040217"


def definitions_tell_attributes_and_flags(server: Server) -> None:
    select = "LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,"
    select += "ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled"
    path = f"/EntityDefinitions(LogicalName='account')?$select={select}"
    told = server("GET", f"{path}&$expand=Attributes($select=LogicalName,AttributeType)").json()
    assert (told["EntitySetName"], told["PrimaryIdAttribute"]) == ("accounts", "accountid")
    types = {a["LogicalName"]: a["AttributeType"] for a in told["Attributes"]}
    assert (types["name"], types["ownerid"]) == ("String", "Owner")


_GET = "GET set: $select, $filter grammar of A4, null logic, $orderby, $top, $count"
_PAGING = "Paging: maxpagesize, opaque doubly-encoded $skiptoken"
_LOOKUPS = "Lookups: _x_value, annotations only on Prefer, bind/unbind, polymorphic pairs"
CASES = (
    Case(line="API: no token → 401 + WWW-Authenticate", holds=nobody_gets_in_without_a_token),
    Case(line="WhoAmI + x-ms-dop-hint", holds=one_learns_who_one_is),
    Case(line="OData-Version: 4.0 on every response", holds=every_answer_names_its_version),
    Case(line="Preference-Applied", holds=honoured_preferences_are_named),
    Case(line="E1 names case-sensitive", holds=an_unknown_set_is_404),
    *(
        Case(line=_GET, holds=holds)
        for holds in (
            the_key_is_always_returned,
            a_query_not_understood_is_refused,
            texts_are_alike_whatever_their_case,
            blank_fulfils_neither_eq_nor_ne,
            a_quote_is_doubled,
            rows_come_in_the_order_asked_for,
            top_alone_limits_and_is_ignored_beside_a_page_size,
            counts_are_told_when_asked,
        )
    ),
    *(
        Case(line=_PAGING, holds=holds)
        for holds in (
            pages_are_linked_and_each_row_comes_once,
            an_altered_cookie_is_refused,
            pages_are_no_snapshot,
        )
    ),
    *(
        Case(line=_LOOKUPS, holds=holds)
        for holds in (
            lookups_tell_their_targets_only_when_asked,
            one_target_of_a_lookup_replaces_the_other,
            navigation_properties_are_case_sensitive,
            a_missing_target_is_refused,
        )
    ),
    Case(line="EntityDefinitions minimal subset", holds=definitions_tell_attributes_and_flags),
)
