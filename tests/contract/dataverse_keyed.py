"""Alternate keys, bulk messages, duplicate detection, acting for others (E2; A9, A12, A14, A15)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.contract.control import behaving
from tests.contract.dataverse_asking import (
    account,
    accounts,
    at,
    fault,
    guid,
    message,
    rows,
    unique,
)
from tests.contract.server import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.server import Server

NUMBER = {"entity": "account", "name": "new_number", "attributes": ["accountnumber"]}
PAIR = {
    "entity": "account",
    "name": "new_pair",
    "attributes": ["accountnumber", "numberofemployees"],
}
CURRENCY = {
    "entity": "account",
    "name": "new_money",
    "attributes": ["accountnumber", "transactioncurrencyid"],
}
EURO = "00000000-0000-4000-8000-0000000000e0"
DETECT = "MSCRM.SuppressDuplicateDetection"
KIND = {"@odata.type": "Microsoft.Dynamics.CRM.account"}


def number() -> str:
    return guid()[:13]


def a_record_is_found_by_its_other_key(server: Server) -> None:
    told = number()
    with behaving(server, keys=[NUMBER, PAIR, CURRENCY]):
        bind = {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({EURO})"}
        with account(server, accountnumber=told, numberofemployees=5, **bind) as made:
            for predicate in (
                f"accountnumber='{told.upper()}'",
                f"accountnumber='{told}',numberofemployees=5",
                f"accountnumber='{told}',_transactioncurrencyid_value={EURO}",
            ):
                answer = server("GET", f"/accounts({predicate})?$select=name")
                assert answer.status_code == 200, predicate
                assert answer.json()["accountid"] == made["accountid"]
        answer = server("GET", f"/accounts(accountnumber='{told}')")
        assert fault(answer) == (404, "0x80060891")


def a_key_that_is_not_there_is_refused(server: Server) -> None:
    answer = server("GET", "/accounts(accountnumber='1')")
    assert answer.status_code == 400
    assert "The key in the request URI is not valid for resource" in message(answer)


def a_key_must_be_active(server: Server) -> None:
    path = "/EntityDefinitions(LogicalName='account')/Keys"
    for active, status in ((False, "Pending"), (True, "Active")):
        with behaving(server, keys=[{**NUMBER, "active": active}]):
            [key] = server("GET", path).json()["value"]
            assert key["EntityKeyIndexStatus"] == status
            answer = server("GET", f"/accounts(accountnumber='{number()}')")
            assert answer.status_code == (404 if active else 400)


def some_letters_are_not_for_keys(server: Server) -> None:
    with behaving(server, keys=[NUMBER]):
        for letter in ("%2F", "%3C", "%3E", "*", "%25", "%26", ":", "%5C", "%3F", "%2B"):
            answer = server("GET", f"/accounts(accountnumber='A{letter}1')")
            assert answer.status_code == 400, letter


def an_upsert_by_key_creates_then_updates(server: Server) -> None:
    told = number()
    with behaving(server, keys=[NUMBER]):
        path = f"/accounts(accountnumber='{told}')"
        answer = server("PATCH", path, {"name": "x"})
        assert answer.status_code == 204
        assert answer.headers["OData-EntityId"].endswith(path)
        made = server("GET", path).json()
        assert made["accountnumber"] == told
        assert server("PATCH", path, {"name": "y", "accountnumber": "other"}).status_code == 204
        again = server("GET", at(made)).json()
        assert (again["name"], again["accountnumber"]) == ("y", told), "keys in the body: ignored"
        assert fault(server("PATCH", path, {"name": "z"}, If_None_Match="*"))[0] == 412
        assert server("DELETE", path).status_code == 204
        assert fault(server("PATCH", path, {"name": "z"}, If_Match="*")) == (404, "0x80060891")


def a_value_in_the_body_wins_where_a_key_creates(server: Server) -> None:
    one, other = number(), number()
    with behaving(server, keys=[NUMBER]):
        body = {"name": "x", "accountnumber": other}
        assert server("PATCH", f"/accounts(accountnumber='{one}')", body).status_code == 204
        assert server("DELETE", f"/accounts(accountnumber='{other}')").status_code == 204


def keys_are_unique_but_for_blanks(server: Server) -> None:
    told = number()
    for status in (412, 400):
        with (
            behaving(server, keys=[NUMBER], duplicate_key=status),
            account(server, accountnumber=told),
            account(server) as other,
            account(server),
        ):
            answer = server("POST", "/accounts", {"name": "x", "accountnumber": told.upper()})
            assert fault(answer) == (status, "0x80060892")
            answer = server("PATCH", at(other), {"accountnumber": told})
            assert fault(answer) == (status, "0x80060892")


def a_lookup_is_bound_by_key(server: Server) -> None:
    told = number()
    with behaving(server, keys=[NUMBER]), account(server, accountnumber=told) as made:
        bind = {"parentaccountid@odata.bind": f"/accounts(accountnumber='{told}')"}
        with account(server, **bind) as child:
            assert child["_parentaccountid_value"] == made["accountid"]


def many_are_created_at_once(server: Server) -> None:
    key = guid()
    targets = [{**KIND, "name": "one"}, {**KIND, "name": "two", "accountid": key}]
    path = "/accounts/Microsoft.Dynamics.CRM.CreateMultiple"
    answer = server("POST", path, {"Targets": targets})
    assert answer.status_code == 200
    first, second = answer.json()["Ids"]
    assert second == key
    assert server("GET", f"/accounts({first})").json()["name"] == "one"
    for made in (first, second):
        assert server("DELETE", f"/accounts({made})").status_code == 204


def each_target_names_its_type(server: Server) -> None:
    for target in ({"name": "x"}, {"name": "x", "@odata.type": "Microsoft.Dynamics.CRM.contact"}):
        for name in ("CreateMultiple", "UpdateMultiple", "UpsertMultiple"):
            path = f"/accounts/Microsoft.Dynamics.CRM.{name}"
            body = {"Targets": [{**target, "accountid": guid()}]}
            assert server("POST", path, body).status_code == 400


def many_are_updated_all_or_none(server: Server) -> None:
    path = "/accounts/Microsoft.Dynamics.CRM.UpdateMultiple"
    with accounts(server, 2) as (town, keys):
        told = [{**KIND, "accountid": key, "fax": "1"} for key in keys]
        assert server("POST", path, {"Targets": told}).status_code == 204
        bad = [
            {**KIND, "accountid": keys[0], "fax": "2"},
            {**KIND, "accountid": guid(), "fax": "2"},
        ]
        assert fault(server("POST", path, {"Targets": bad})) == (404, "0x80040217")
        query = f"$select=fax&$filter=address1_city eq '{town}'"
        found = rows(server("GET", f"/accounts?{query}"))
        assert [row["fax"] for row in found] == ["1", "1"]


def many_are_upserted_all_or_none(server: Server) -> None:
    path, new = "/accounts/Microsoft.Dynamics.CRM.UpsertMultiple", guid()
    with account(server) as old:
        told: list[dict[str, Any]] = [
            {**KIND, "accountid": old["accountid"], "fax": "1"},
            {**KIND, "accountid": new, "name": "new"},
        ]
        too_long = [*told, {**KIND, "accountid": guid(), "name": "x" * 161}]
        assert fault(server("POST", path, {"Targets": too_long})) == (400, "0x80044331")
        assert server("GET", f"/accounts({new})").status_code == 404
        assert server("POST", path, {"Targets": told}).status_code == 204
        assert server("GET", at(old)).json()["fax"] == "1"
        assert server("DELETE", f"/accounts({new})").status_code == 204


def many_are_upserted_by_key(server: Server) -> None:
    told = number()
    with behaving(server, keys=[NUMBER]):
        path = "/accounts/Microsoft.Dynamics.CRM.UpsertMultiple"
        target = {**KIND, "@odata.id": f"accounts(accountnumber='{told}')", "name": "x"}
        for _ in range(2):
            assert server("POST", path, {"Targets": [target]}).status_code == 204
        query = f"/accounts?$select=name&$filter=accountnumber eq '{told}'"
        [row] = rows(server("GET", query))
        assert server("DELETE", f"/accounts({row['accountid']})").status_code == 204


def not_every_table_takes_many(server: Server) -> None:
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": "x"}
    with behaving(server, bulk=["account"]):
        path = "/contacts/Microsoft.Dynamics.CRM.CreateMultiple"
        assert server("POST", path, {"Targets": [kind]}).status_code == 404


def duplicates_are_looked_for_when_asked(server: Server) -> None:
    body = {"name": unique(), "emailaddress1": "x@example.com"}
    off: dict[str, Any] = {DETECT: "true"}
    on: dict[str, Any] = {DETECT: "false"}
    with account(server, **body) as one, account(server, **body), account(server) as other:
        for path, method in (("/accounts", "POST"), (at(other), "PATCH")):
            answer = server(method, path, {**body, "name": body["name"].upper()}, **on)
            assert fault(answer) == (500, "0x80040333")
        assert server("PATCH", at(one), body, **off).status_code == 204
        assert server("POST", "/accounts", {"name": unique()}, **on).status_code == 204


def another_name_stands_on_what_is_done_for_others(server: Server) -> None:
    with user(server) as (key, entra):
        me = server("GET", "/WhoAmI").json()["UserId"]
        ways: tuple[dict[str, Any], ...] = ({"MSCRMCallerID": key}, {"CallerObjectId": entra})
        for way in ways:
            with account(server) as made:
                told = server("PATCH", at(made), {"fax": "1"}, **way)
                assert told.status_code == 204
                found = server("GET", at(made)).json()
                assert found["_modifiedby_value"] == key
                assert found["_modifiedonbehalfby_value"] == me
                assert found["_createdby_value"] == me
                server("PATCH", at(made), {"fax": "2"})
                found = server("GET", at(made)).json()
                assert found["_modifiedby_value"] == me
                assert found["_modifiedonbehalfby_value"] is None


def acting_for_others_is_a_privilege(server: Server) -> None:
    with user(server) as (key, _):
        with behaving(server, connection={"delegate": False}):
            answer = server("GET", "/WhoAmI", MSCRMCallerID=key)
            assert fault(answer) == (403, "0x80040220")
            assert server("GET", "/WhoAmI").status_code == 200
        assert server("GET", "/WhoAmI", MSCRMCallerID=key).json()["UserId"] == key


def who_is_nobody_cannot_be_acted_for(server: Server) -> None:
    assert server("GET", "/WhoAmI", MSCRMCallerID=guid()).status_code == 403
    assert server("GET", "/WhoAmI", CallerObjectId=guid()).status_code == 403


@contextmanager
def user(server: Server) -> Iterator[tuple[str, str]]:
    """Lend a user, by both of its ids; only the double makes some."""
    key, entra = guid(), guid()
    with behaving(server, user_read_only=False, read_only=False):
        body = {
            "domainname": unique("user"),
            "internalemailaddress": "x@example.com",
            "azureactivedirectoryobjectid": entra,
            "isintegrationuser": False,
            "islicensed": True,
            "accessmode": 0,
        }
        answer = server("PATCH", f"/systemusers({key})", body)
        assert answer.status_code == 204, answer.text
    yield key, entra


_KEYS = "Alternate keys with forbidden characters; key-not-active state"
_BULK = "CreateMultiple/UpdateMultiple/UpsertMultiple: @odata.type required, all-or-nothing"
_FOR = "Impersonation headers → modifiedby/modifiedonbehalfby, missing privilege 403"
CASES = (
    Case(line=_KEYS, holds=a_key_that_is_not_there_is_refused),
    *(
        Case(line=_KEYS, holds=holds, sandbox=True)
        for holds in (
            a_record_is_found_by_its_other_key,
            a_key_must_be_active,
            some_letters_are_not_for_keys,
            an_upsert_by_key_creates_then_updates,
            a_value_in_the_body_wins_where_a_key_creates,
            keys_are_unique_but_for_blanks,
            a_lookup_is_bound_by_key,
            many_are_upserted_by_key,
        )
    ),
    *(
        Case(line=_BULK, holds=holds)
        for holds in (
            many_are_created_at_once,
            each_target_names_its_type,
            many_are_updated_all_or_none,
            many_are_upserted_all_or_none,
        )
    ),
    Case(line=_BULK, holds=not_every_table_takes_many, sandbox=True),
    Case(
        line="Duplicate detection only with header false → 500/0x80040333",
        holds=duplicates_are_looked_for_when_asked,
        sandbox=True,
    ),
    *(
        Case(line=_FOR, holds=holds, sandbox=True)
        for holds in (
            another_name_stands_on_what_is_done_for_others,
            acting_for_others_is_a_privilege,
            who_is_nobody_cannot_be_acted_for,
        )
    ),
)
