"""Writes of one record: conditions, ETags, representations, column rules (E2; A5 to A8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.contract.dataverse_asking import (
    REPRESENT,
    account,
    at,
    contact,
    create,
    fault,
    guid,
    message,
    unique,
    version,
)
from tests.contract.server import Case

if TYPE_CHECKING:
    from tests.contract.server import Server

STALE = 'W/"1"'


def a_bare_patch_creates_what_is_missing(server: Server) -> None:
    path = f"/accounts({guid()})"
    assert server("PATCH", path, {"name": unique()}).status_code == 204
    assert server("GET", f"{path}?$select=name").status_code == 200
    assert server("DELETE", path).status_code == 204


def a_bare_patch_updates_what_is_there(server: Server) -> None:
    with account(server) as made:
        assert server("PATCH", at(made), {"telephone1": "1"}).status_code == 204
        assert server("GET", at(made)).json()["telephone1"] == "1"


def an_update_only_patch_does_not_create(server: Server) -> None:
    path = f"/accounts({guid()})"
    answer = server("PATCH", path, {"name": "x"}, If_Match="*")
    assert fault(answer) == (404, "0x80040217")
    assert "Does Not Exist" in message(answer)
    assert server("GET", path).status_code == 404
    with account(server) as made:
        assert server("PATCH", at(made), {"name": "x"}, If_Match="*").status_code == 204


def a_versioned_patch_of_what_is_missing_is_404(server: Server) -> None:
    path = f"/accounts({guid()})"
    assert fault(server("PATCH", path, {"name": "x"}, If_Match=STALE)) == (404, "0x80040217")


def a_current_etag_lets_a_write_through(server: Server) -> None:
    with account(server) as made:
        told = made["@odata.etag"]
        assert server("PATCH", at(made), {"fax": "1"}, If_Match=told).status_code == 204


def a_stale_etag_is_refused(server: Server) -> None:
    with account(server) as made:
        server("PATCH", at(made), {"fax": "1"})
        answer = server("PATCH", at(made), {"fax": "2"}, If_Match=made["@odata.etag"])
        assert fault(answer) == (412, "0x80060882")
        assert server("GET", at(made)).json()["fax"] == "1"


def a_create_only_patch_does_not_update(server: Server) -> None:
    with account(server, fax="1") as made:
        answer = server("PATCH", at(made), {"fax": "2"}, If_None_Match="*")
        assert fault(answer) == (412, "0x80040237")
        assert server("GET", at(made)).json()["fax"] == "1"
    path = f"/accounts({guid()})"
    assert server("PATCH", path, {"name": "x"}, If_None_Match="*").status_code == 204
    assert server("DELETE", path).status_code == 204


def a_delete_once(server: Server) -> None:
    with account(server) as made:
        stale = server("DELETE", at(made), If_Match=STALE)
        assert fault(stale) == (412, "0x80060882")
        assert server("DELETE", at(made)).status_code == 204
        assert fault(server("DELETE", at(made))) == (404, "0x80040217")
        assert fault(server("DELETE", at(made), If_Match=STALE)) == (404, "0x80040217")


def an_unchanged_record_is_304(server: Server) -> None:
    with account(server) as made:
        told = made["@odata.etag"]
        assert server("GET", at(made), If_None_Match=told).status_code == 304
        assert server("GET", at(made), If_None_Match="null").status_code == 200
        annotated = 'odata.include-annotations="*"'
        asked = server("GET", at(made), If_None_Match=told, Prefer=annotated)
        assert asked.status_code == 200
    assert server("GET", at(made), If_None_Match=told).status_code == 404


def a_condition_that_is_none_is_refused(server: Server) -> None:
    with account(server) as made:
        for odd in ("4711", 'W/\\"1\\"'):
            assert server("PATCH", at(made), {"fax": "1"}, If_Match=odd).status_code == 400


def a_create_says_where_the_record_is(server: Server) -> None:
    answer = server("POST", "/accounts", {"name": unique()})
    assert (answer.status_code, answer.content) == (204, b"")
    found = re.fullmatch(
        r"https?://.+/accounts\(([0-9a-f-]{36})\)", answer.headers["OData-EntityId"]
    )
    assert found
    assert server("DELETE", f"/accounts({found[1]})").status_code == 204


def a_create_by_post_answers_with_the_record_when_asked(server: Server) -> None:
    answer = server("POST", "/accounts?$select=name", {"name": "Alpha"}, Prefer=REPRESENT)
    assert answer.status_code == 201
    made = answer.json()
    assert made["@odata.context"].endswith("/$entity")
    assert made["name"] == "Alpha"
    assert "telephone1" not in made
    assert server("DELETE", at(made)).status_code == 204


def updates_tell_themselves_from_creates_only_by_representation(server: Server) -> None:
    path = f"/accounts({guid()})?$select=name"
    first = server("PATCH", path, {"name": "x"}, Prefer=REPRESENT)
    second = server("PATCH", path, {"name": "y"}, Prefer=REPRESENT)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["ETag"] == second.json()["@odata.etag"]
    assert server("DELETE", path.partition("?")[0]).status_code == 204


def the_client_may_choose_the_key_once(server: Server) -> None:
    key = guid()
    with account(server, accountid=key.upper()) as made:
        assert made["accountid"] == key
        answer = server("POST", "/accounts", {"accountid": key, "name": "x"})
        assert fault(answer) == (412, "0x80040237")


def every_update_moves_the_etag(server: Server) -> None:
    with account(server, name="Alpha") as made:
        before = made["@odata.etag"]
        assert re.fullmatch(r'W/"\d+"', before)
        assert server("PATCH", at(made), {"name": "Alpha"}).status_code == 204
        after = server("GET", at(made)).json()
        assert after["@odata.etag"] != before
        assert after["versionnumber"] > made["versionnumber"]
        assert after["modifiedon"] >= made["modifiedon"]


def a_write_carries_the_name_of_who_wrote(server: Server) -> None:
    with account(server) as made:
        assert made["_modifiedby_value"] == server("GET", "/WhoAmI").json()["UserId"]


def moments_are_shown_to_the_second(server: Server) -> None:
    with account(server) as made:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["modifiedon"])


def a_text_too_long_is_refused(server: Server) -> None:
    answer = server("POST", "/accounts", {"name": "x" * 161})
    assert fault(answer) == (400, "0x80044331")


def an_option_out_of_range_is_refused(server: Server) -> None:
    answer = server("POST", "/accounts", {"name": "x", "customertypecode": 99_999})
    assert fault(answer) == (400, "0x8004431a")


def what_is_no_column_is_refused(server: Server) -> None:
    for body in ({"nam": "x"}, {"Name": "x"}, {"_ownerid_value": guid()}):
        answer = server("POST", "/accounts", {"name": "x"} | body)
        assert answer.status_code == 400
        assert "ndeclared property" in message(answer)


def values_of_another_type_are_refused(server: Server) -> None:
    for body in ({"name": 5}, {"creditlimit": "5"}, {"donotemail": 1}, {"numberofemployees": "1"}):
        assert server("POST", "/accounts", {"name": "x"} | body).status_code == 400, body


def blank_text_is_null(server: Server) -> None:
    with account(server, fax="") as made:
        assert made["fax"] is None


def dates_and_moments_are_different_things(server: Server) -> None:
    with contact(server, birthdate="1990-02-03") as made:
        assert made["birthdate"] == "1990-02-03"
        path = f"/contacts({made['contactid']})"
        assert server("PATCH", path, {"birthdate": "not a date"}).status_code == 400
        assert server("PATCH", path, {"birthdate": "1752-12-31"}).status_code == 400


def state_is_no_part_of_a_create(server: Server) -> None:
    answer = server("POST", "/accounts", {"name": "x", "statecode": 1})
    assert answer.status_code == 400


def accounts_and_contacts_are_deactivated_and_activated(server: Server) -> None:
    with account(server) as made:
        assert (made["statecode"], made["statuscode"]) == (0, 1)
        assert server("PATCH", at(made), {"statecode": 1, "statuscode": 2}).status_code == 204
        assert server("GET", at(made)).json()["statecode"] == 1
        answer = server("PATCH", at(made), {"statecode": 1, "statuscode": 1})
        assert fault(answer) == (400, "0x80048408")
        assert server("PATCH", at(made), {"statecode": 0, "statuscode": 1}).status_code == 204


def a_recreated_record_has_another_version(server: Server) -> None:
    with account(server) as made:
        server("DELETE", at(made))
        create(server, "/accounts", {"accountid": made["accountid"], "name": "again"})
        assert version(server, at(made)) != made["@odata.etag"]


def a_body_that_is_no_json_is_refused(server: Server) -> None:
    for content in (b"", b"{", b"[]", b'"text"'):
        answer = server("POST", "/accounts", content=content, Content_Type="application/json")
        assert answer.status_code == 400, content
    answer = server("POST", "/accounts", content=b"name=x", Content_Type="text/plain")
    assert answer.status_code in (400, 415)


_MATRIX = "Write matrix of A8 exactly"
_MOVES = "ETag changes on every successful update; modifiedon, _modifiedby_value, versionnumber"
_COLUMNS = "Column rules"
CASES = (
    *(
        Case(line=_MATRIX, holds=holds)
        for holds in (
            a_bare_patch_creates_what_is_missing,
            a_bare_patch_updates_what_is_there,
            an_update_only_patch_does_not_create,
            a_versioned_patch_of_what_is_missing_is_404,
            a_current_etag_lets_a_write_through,
            a_stale_etag_is_refused,
            a_create_only_patch_does_not_update,
            a_delete_once,
            an_unchanged_record_is_304,
            a_condition_that_is_none_is_refused,
            a_create_says_where_the_record_is,
            a_create_by_post_answers_with_the_record_when_asked,
            updates_tell_themselves_from_creates_only_by_representation,
            the_client_may_choose_the_key_once,
        )
    ),
    *(
        Case(line=_MOVES, holds=holds)
        for holds in (
            every_update_moves_the_etag,
            a_write_carries_the_name_of_who_wrote,
            a_recreated_record_has_another_version,
        )
    ),
    *(
        Case(line=_COLUMNS, holds=holds)
        for holds in (
            moments_are_shown_to_the_second,
            a_text_too_long_is_refused,
            an_option_out_of_range_is_refused,
            what_is_no_column_is_refused,
            values_of_another_type_are_refused,
            blank_text_is_null,
            dates_and_moments_are_different_things,
        )
    ),
    Case(line="State machine: account/contact", holds=state_is_no_part_of_a_create),
    Case(
        line="State machine: account/contact",
        holds=accounts_and_contacts_are_deactivated_and_activated,
    ),
    Case(line="E1 Strict inputs: malformed JSON", holds=a_body_that_is_no_json_is_refused),
)
