"""Business Central under contract: the lines of protocols E4, by bare HTTP."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.contract.control import behaving, wait
from tests.contract.server import Case, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

ZERO = "00000000-0000-0000-0000-000000000000"
NOBODY = "00000000-0000-4000-8000-00000000dead"


def below(server: Server) -> str:
    """The company of the contract, looked up by its name."""
    found = server("GET", "/companies").json()["value"]
    [key] = [c["id"] for c in found if server.company in ("", c["name"])][:1]
    return f"/companies({key})"


@contextmanager
def customer(server: Server, **values: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """A customer of the case's own; its path and what the server told of it."""
    root = below(server)
    made = server("POST", f"{root}/customers", {"displayName": "Contract", **values})
    assert made.status_code == 201, made.text
    path = f"{root}/customers({made.json()['id']})"
    try:
        yield path, made.json()
    finally:
        server("DELETE", path, If_Match="*")


def fault(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def nobody_gets_in_without_a_token(server: Server) -> None:
    told = server("GET", "/companies", Authorization="Bearer wrong")
    assert fault(told) == (401, "Authentication_InvalidCredentials")


def a_company_is_named_by_its_id(server: Server) -> None:
    assert server("GET", f"{below(server)}/customers?$top=1").status_code == 200
    told = server("GET", f"/companies({NOBODY})/customers")
    assert fault(told) == (404, "Internal_CompanyNotFound")
    assert server("GET", "/customers").status_code == 400


def metadata_is_csdl(server: Server) -> None:
    told = server("GET", "/$metadata")
    assert told.headers["content-type"].startswith("application/xml")
    assert 'Namespace="Microsoft.NAV"' in told.text
    assert '<EntitySet Name="customers"' in told.text


def metadata_may_name_enumerations(server: Server) -> None:
    with behaving(server, enumerations=True):
        assert '<EnumType Name="customerBlocked">' in server("GET", "/$metadata").text


def the_client_may_choose_the_id_once(server: Server) -> None:
    key = str(uuid4())
    with customer(server, id=key) as (_, told):
        assert told["id"] == key
        again = server("POST", f"{below(server)}/customers", {"id": key, "displayName": "B"})
        assert fault(again) == (400, "Internal_EntityWithSameKeyExists")


def a_number_comes_from_the_series_and_is_unique(server: Server) -> None:
    with customer(server) as (_, told):
        assert told["number"]
        body = {"displayName": "B", "number": told["number"].lower()}
        again = server("POST", f"{below(server)}/customers", body)
        assert fault(again) == (400, "Internal_EntityWithSameKeyExists")


def a_name_is_required(server: Server) -> None:
    told = server("POST", f"{below(server)}/customers", {"city": "Bonn"})
    assert told.status_code == 400


def a_write_needs_a_condition(server: Server) -> None:
    with customer(server) as (path, _):
        told = server("PATCH", path, {"city": "Bonn"})
        assert fault(told) == (400, "BadRequest_InvalidToken")
        assert fault(server("DELETE", path)) == (400, "BadRequest_InvalidToken")
        assert server("PATCH", path, {"city": "Bonn"}, If_Match="*").json()["city"] == "Bonn"


def a_stale_etag_is_a_conflict(server: Server) -> None:
    with customer(server) as (path, told):
        etag = told["@odata.etag"]
        assert re.fullmatch(r'W/"[A-Za-z0-9+/=]+"', etag)
        moved = server("PATCH", path, {"city": "Bonn"}, If_Match=etag)
        assert moved.status_code == 200
        assert moved.json()["@odata.etag"] != etag
        again = server("PATCH", path, {"city": "Kiel"}, If_Match=etag)
        assert fault(again) == (409, "Request_EntityChanged")


def what_is_not_there_is_404(server: Server) -> None:
    told = server("PATCH", f"{below(server)}/customers({NOBODY})", {"city": "B"}, If_Match="*")
    assert told.status_code == 404
    assert server("GET", f"{below(server)}/nothing").status_code == 404


def errors_end_with_a_correlation_id(server: Server) -> None:
    told = server("GET", f"{below(server)}/customers({NOBODY})").json()["error"]["message"]
    assert re.search(r" CorrelationId:  [0-9a-f-]{36}\.$", told)


def blanks_are_no_nulls(server: Server) -> None:
    with customer(server) as (_, told):
        assert (told["city"], told["currencyId"], told["blocked"]) == ("", ZERO, "_x0020_")
        assert not [name for name, value in told.items() if value is None]


def the_local_currency_is_told_by_its_code(server: Server) -> None:
    with customer(server) as (path, told):
        code = told["currencyCode"]
        assert code
        assert told["currencyId"] == ZERO
        same = server("PATCH", path, {"currencyCode": code}, If_Match="*").json()
        assert (same["currencyCode"], same["currencyId"]) == (code, ZERO)


def a_code_is_upper_case_and_trimmed(server: Server) -> None:
    number = f"k{uuid4().hex[:8]}"
    with customer(server, number=f" {number} ") as (_, told):
        assert told["number"] == number.upper()


def a_text_too_long_is_refused(server: Server) -> None:
    with customer(server) as (path, _):
        told = server("PATCH", path, {"displayName": "x" * 101}, If_Match="*")
        assert fault(told) == (400, "Application_StringExceededLength")


def what_is_no_option_is_refused(server: Server) -> None:
    with customer(server) as (path, _):
        assert server("PATCH", path, {"blocked": "Maybe"}, If_Match="*").status_code == 400
        told = server("PATCH", path, {"blocked": "Ship"}, If_Match="*").json()
        assert told["blocked"] == "Ship"


def a_relation_that_is_missed_is_refused(server: Server) -> None:
    with customer(server) as (path, _):
        told = server("PATCH", path, {"salespersonCode": "NOBODY"}, If_Match="*")
        assert fault(told) == (400, "Internal_InvalidTableRelation")


def what_the_server_computes_is_read_only(server: Server) -> None:
    with customer(server) as (path, _):
        told = server("PATCH", path, {"balanceDue": 1}, If_Match="*")
        assert fault(told) == (400, "BadRequest_InvalidOperation")


def an_id_and_a_code_name_the_same_currency(server: Server) -> None:
    root, code = below(server), f"X{uuid4().hex[:6]}".upper()
    made = server("POST", f"{root}/currencies", {"code": code, "displayName": "Test"}).json()
    try:
        with customer(server, currencyId=made["id"]) as (path, told):
            assert told["currencyCode"] == code
            blank = server("PATCH", path, {"currencyId": ZERO}, If_Match="*").json()
            assert blank["currencyId"] == ZERO
    finally:
        server("DELETE", f"{root}/currencies({made['id']})", If_Match="*")


def a_number_can_be_changed(server: Server) -> None:
    with customer(server) as (path, told):
        number = f"N{uuid4().hex[:8]}".upper()
        moved = server("PATCH", path, {"number": number}, If_Match="*").json()
        assert (moved["id"], moved["number"]) == (told["id"], number)


def pages_are_as_small_as_asked(server: Server) -> None:
    root = below(server)
    with customer(server), customer(server), customer(server):
        url, seen = f"{root}/customers?$select=number", []
        while url:
            told = server("GET", url, Prefer="odata.maxpagesize=2").json()
            assert len(told["value"]) <= 2
            seen += [row["id"] for row in told["value"]]
            url = told.get("@odata.nextLink", "")
        assert len(seen) == len(set(seen)) == int(server("GET", f"{root}/customers/$count").text)


def a_page_beyond_the_largest_is_refused(server: Server) -> None:
    told = server("GET", f"{below(server)}/customers", Prefer="odata.maxpagesize=20001")
    assert told.status_code == 413


def top_ends_the_pages(server: Server) -> None:
    with customer(server), customer(server):
        told = server("GET", f"{below(server)}/customers?$top=1").json()
        assert len(told["value"]) == 1
        assert "@odata.nextLink" not in told


def filters_know_one_field_for_or(server: Server) -> None:
    root = below(server)
    with customer(server, city="Bonn") as (_, told):
        good = f"{root}/customers?$filter=number eq '{told['number']}' or number eq 'NO'"
        assert [row["id"] for row in server("GET", good).json()["value"]] == [told["id"]]
        across = server("GET", f"{root}/customers?$filter=number eq 'NO' or city eq 'Bonn'")
        assert across.status_code == 400
        assert "OR" in across.json()["error"]["message"]


def lambdas_are_silently_ignored(server: Server) -> None:
    with customer(server):
        told = server("GET", f"{below(server)}/customers?$filter=lines/any(l:l/x eq 1)")
        assert told.json()["value"]


def changes_are_found_by_their_moment(server: Server) -> None:
    with customer(server) as (_, told):
        moment = told["lastModifiedDateTime"]
        url = f"{below(server)}/customers?$filter=lastModifiedDateTime ge {moment}"
        assert told["id"] in [row["id"] for row in server("GET", url).json()["value"]]
        assert "@odata.deltaLink" not in server("GET", url, Prefer="odata.track-changes").json()


def batch(server: Server, *requests: dict[str, Any], prefer: str = "", isolation: str = "") -> Any:
    told = [{"id": str(n), **one} for n, one in enumerate(requests, 1)]
    return server("POST", "/$batch", {"requests": told}, Prefer=prefer, Isolation=isolation)


def _creating(server: Server, **values: Any) -> dict[str, Any]:
    return {
        "method": "POST",
        "url": f"{below(server).lstrip('/')}/customers",
        "headers": {"Content-Type": "application/json"},
        "body": {"displayName": "Contract", **values},
    }


def a_batch_answers_part_by_part(server: Server) -> None:
    key = str(uuid4())
    asked = (_creating(server, displayName=""), _creating(server, id=key))
    told = batch(server, *asked, prefer="odata.continue-on-error").json()["responses"]
    try:
        assert [(one["id"], one["status"]) for one in told] == [("1", 400), ("2", 201)]
        assert told[1]["body"]["id"] == key
    finally:
        server("DELETE", f"{below(server)}/customers({key})", If_Match="*")


def a_batch_stops_at_its_first_error(server: Server) -> None:
    key = str(uuid4())
    told = batch(server, _creating(server, displayName=""), _creating(server, id=key)).json()
    assert [one["status"] for one in told["responses"]] == [400]
    assert server("GET", f"{below(server)}/customers({key})").status_code == 404


def a_batch_in_isolation_lies_about_what_was_undone(server: Server) -> None:
    key = str(uuid4())
    asked = (_creating(server, id=key), _creating(server, displayName=""))
    told = batch(server, *asked, isolation="snapshot").json()["responses"]
    assert [one["status"] for one in told] == [201, 400]
    assert server("GET", f"{below(server)}/customers({key})").status_code == 404


def a_batch_holds_a_hundred(server: Server) -> None:
    reading = {"method": "GET", "url": f"{below(server).lstrip('/')}/customers?$top=1"}
    assert len(batch(server, *[reading] * 100).json()["responses"]) == 100
    assert batch(server, *[reading] * 101).status_code == 500


def a_read_only_intent_does_not_write(server: Server) -> None:
    with customer(server) as (path, _):
        assert server("GET", path, Data_Access_Intent="ReadOnly").status_code == 200
        told = server("PATCH", path, {"city": "B"}, If_Match="*", Data_Access_Intent="ReadOnly")
        assert told.status_code == 400


def too_many_requests_are_not_told_how_long_to_wait(server: Server) -> None:
    with behaving(server, requests=3):
        told = [server("GET", "/companies") for _ in range(4)]
        assert [one.status_code for one in told] == [200, 200, 200, 429]
        assert "Retry-After" not in told[-1].headers
        wait(server, 301)
        assert server("GET", "/companies").status_code == 200


_ONLY_HERE = {metadata_may_name_enumerations, too_many_requests_are_not_told_how_long_to_wait}
_LINES = {
    "OAuth variants": (nobody_gets_in_without_a_token,),
    "companies": (a_company_is_named_by_its_id,),
    "v2.0 sets of C2": (
        metadata_is_csdl,
        metadata_may_name_enumerations,
        blanks_are_no_nulls,
        the_local_currency_is_told_by_its_code,
        an_id_and_a_code_name_the_same_currency,
        a_number_can_be_changed,
        a_name_is_required,
        a_relation_that_is_missed_is_refused,
        what_the_server_computes_is_read_only,
        what_is_no_option_is_refused,
        a_code_is_upper_case_and_trimmed,
        errors_end_with_a_correlation_id,
    ),
    "GUID ids + client-supplied id": (
        the_client_may_choose_the_id_once,
        a_number_comes_from_the_series_and_is_unique,
    ),
    "If-Match rules with 409": (
        a_write_needs_a_condition,
        a_stale_etag_is_a_conflict,
        what_is_not_there_is_404,
    ),
    "lastModifiedDateTime, no deltaLinks": (changes_are_found_by_their_moment,),
    "filters of B4": (filters_know_one_field_for_or, lambdas_are_silently_ignored),
    "JSON $batch with 100 limit": (
        a_batch_answers_part_by_part,
        a_batch_stops_at_its_first_error,
        a_batch_holds_a_hundred,
    ),
    "isolation and the misleading 201s": (a_batch_in_isolation_lies_about_what_was_undone,),
    "limits of C6": (too_many_requests_are_not_told_how_long_to_wait,),
    "Data-Access-Intent": (a_read_only_intent_does_not_write,),
    "field lengths of BC": (a_text_too_long_is_refused,),
    "20,000 page size": (
        pages_are_as_small_as_asked,
        a_page_beyond_the_largest_is_refused,
        top_ends_the_pages,
    ),
}
CASES = tuple(
    Case(line=line, holds=holds, sandbox=holds in _ONLY_HERE)
    for line, cases in _LINES.items()
    for holds in cases
)
