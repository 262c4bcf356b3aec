"""Change tracking (E2; A10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.control import behaving
from tests.contract.dataverse_asking import account, accounts, at, create, fault, rows, unique
from tests.contract.server import Case

if TYPE_CHECKING:
    import httpx

    from tests.contract.server import Server

TRACK = "odata.track-changes"
DAY = 86_400


def everything(server: Server, select: str = "name") -> tuple[list[dict[str, Any]], str]:
    """All accounts, and where their changes will be."""
    found, link = [], f"/accounts?$select={select}"
    answer: dict[str, Any] = {}
    while link:
        answer = server("GET", link, Prefer=TRACK).json()
        found += answer["value"]
        link = answer.get("@odata.nextLink", "")
    return found, str(answer["@odata.deltaLink"])


def delta(server: Server, link: str) -> tuple[list[dict[str, Any]], str]:
    answer = server("GET", link)
    return rows(answer), str(answer.json()["@odata.deltaLink"])


def only_the_last_page_links_to_changes(server: Server) -> None:
    with accounts(server, 3) as (_, keys):
        prefer, link, found = f"{TRACK},odata.maxpagesize=2", "/accounts?$select=name", []
        while link:
            answer = server("GET", link, Prefer=prefer)
            assert TRACK in answer.headers["Preference-Applied"]
            page = answer.json()
            assert ("@odata.nextLink" in page) != ("@odata.deltaLink" in page)
            found += [row["accountid"] for row in page["value"]]
            link = page.get("@odata.nextLink", "")
        assert set(keys) <= set(found)
        assert len(set(found)) == len(found)
        assert "$deltatoken=" in page["@odata.deltaLink"]
        assert "%21" in page["@odata.deltaLink"]


def changed_rows_come_in_full(server: Server) -> None:
    with account(server, name="Alpha", fax="1") as old:
        _, link = everything(server, "name,fax")
        with account(server, name="New") as new:
            server("PATCH", at(old), {"fax": "2"})
            answer = server("GET", link)
            assert answer.json()["@odata.context"].endswith("#accounts/$delta")
            found = {row["accountid"]: row for row in rows(answer)}
            assert found.keys() == {old["accountid"], new["accountid"]}
            assert found[old["accountid"]]["name"] == "Alpha"
            assert found[old["accountid"]]["fax"] == "2"
            assert "@odata.etag" in found[old["accountid"]]


def rows_touched_elsewhere_come_too(server: Server) -> None:
    with account(server) as made:
        _, link = everything(server, "name")
        server("PATCH", at(made), {"telephone1": "1"})
        found, _ = delta(server, link)
        assert [row["accountid"] for row in found] == [made["accountid"]]
        assert "telephone1" not in found[0]


def deletes_come_last(server: Server) -> None:
    with account(server) as first, account(server) as second:
        _, link = everything(server)
        server("DELETE", at(first))
        server("PATCH", at(second), {"fax": "1"})
        found, _ = delta(server, link)
        assert found[0]["accountid"] == second["accountid"]
        gone = found[1]
        assert gone.keys() == {"@odata.context", "id", "reason"}
        assert gone["@odata.context"].endswith("#accounts/$deletedEntity")
        assert (gone["id"], gone["reason"]) == (first["accountid"], "deleted")


def what_came_and_went_is_a_delete(server: Server) -> None:
    _, link = everything(server)
    with account(server) as made:
        pass
    found, _ = delta(server, link)
    assert [row["id"] for row in found] == [made["accountid"]]


def a_recreated_record_is_a_change(server: Server) -> None:
    with account(server) as made:
        _, link = everything(server)
        server("DELETE", at(made))
        create(server, "/accounts", {"accountid": made["accountid"], "name": "again"})
        found, _ = delta(server, link)
        assert [row.get("name") for row in found] == ["again"]


def a_deactivated_record_is_a_change(server: Server) -> None:
    with account(server) as made:
        _, link = everything(server, "statecode")
        server("PATCH", at(made), {"statecode": 1, "statuscode": 2})
        found, _ = delta(server, link)
        assert [row["statecode"] for row in found] == [1]


def each_change_is_told_once(server: Server) -> None:
    with account(server) as made:
        _, link = everything(server)
        server("PATCH", at(made), {"fax": "1"})
        found, link = delta(server, link)
        assert len(found) == 1, "our own writes come back as well"
        found, link = delta(server, link)
        assert found == []


def changes_come_in_pages_as_well(server: Server) -> None:
    _, link = everything(server)
    with accounts(server, 3) as (_, keys):
        pass
    with accounts(server, 2) as (_, more):
        found, pages = [], 0
        while link:
            answer = server("GET", link, Prefer="odata.maxpagesize=2")
            found += rows(answer)
            pages += 1
            link = answer.json().get("@odata.nextLink", "")
        assert pages == 3
        assert sorted(row["accountid"] for row in found[:2]) == more
        assert sorted(row["id"] for row in found[2:]) == keys


def what_changes_while_paging_is_not_lost(server: Server) -> None:
    with accounts(server, 3) as (_, keys):
        prefer = f"{TRACK},odata.maxpagesize=2"
        page = server("GET", "/accounts?$select=name", Prefer=prefer).json()
        changed = page["value"][0]["accountid"]
        server("PATCH", f"/accounts({changed})", {"fax": "1"})
        while "@odata.nextLink" in page:
            page = server("GET", page["@odata.nextLink"], Prefer=prefer).json()
        found, _ = delta(server, page["@odata.deltaLink"])
        assert [row["accountid"] for row in found] == [changed]
        assert keys


def some_options_are_forbidden(server: Server) -> None:
    for option in ("$filter=name eq 'x'", "$orderby=name", "$top=1", "$expand=ownerid"):
        answer = server("GET", f"/accounts?$select=name&{option}", Prefer=TRACK)
        assert answer.status_code == 400
        words = "query parameter isn't supported when change tracking is enabled"
        assert words in answer.json()["error"]["message"]


def changes_are_counted(server: Server) -> None:
    _, link = everything(server)
    with accounts(server, 2):
        token = link.partition("$deltatoken=")[2].partition("&")[0]
        answer = server("GET", f"/accounts/$count?$deltatoken={token}")
        assert answer.headers["content-type"].startswith("text/plain")
        assert int(answer.content.decode("utf-8-sig")) == 2


def a_token_grows_old(server: Server) -> None:
    _, link = everything(server)
    with behaving(server, later=6.9 * DAY):
        assert server("GET", link).status_code == 200
    for status in (400, 404, 410):
        with behaving(server, later=7.1 * DAY, expired_token=status):
            answer = server("GET", link)
            assert fault(answer) == (status, "0x80044352")
            assert "full sync" in answer.json()["error"]["message"]
    with behaving(server, later=7.1 * DAY, token_days=30):
        assert server("GET", link).status_code == 200


def a_token_that_is_none_is_refused(server: Server) -> None:
    answer: httpx.Response = server("GET", "/accounts?$select=name&$deltatoken=nonsense")
    assert answer.status_code == 400


def some_tables_are_not_tracked(server: Server) -> None:
    with behaving(server, untracked=["contact"]):
        answer = server("GET", "/contacts?$select=lastname", Prefer=TRACK)
        assert answer.status_code == 400
        path = "/EntityDefinitions(LogicalName='contact')?$select=ChangeTrackingEnabled"
        assert server("GET", path).json()["ChangeTrackingEnabled"] is False
    assert server("GET", "/contacts?$select=lastname", Prefer=TRACK).status_code == 200


def who_does_not_read_everything_cannot_track(server: Server) -> None:
    with behaving(server, connection={"everything": False}):
        answer = server("GET", "/accounts?$select=name", Prefer=TRACK)
        assert fault(answer) == (403, "0x80040220")
        assert server("GET", "/accounts?$select=name").status_code == 200


def names_in_changes_are_our_own(server: Server) -> None:
    name = unique()
    with account(server, name=name):
        found, _ = everything(server)
        assert name in {row["name"] for row in found}


_LINE = "Change tracking: deltaLink on last page only, /$delta, $deletedEntity last, token expiry"
CASES = (
    *(
        Case(line=_LINE, holds=holds)
        for holds in (
            only_the_last_page_links_to_changes,
            changed_rows_come_in_full,
            rows_touched_elsewhere_come_too,
            deletes_come_last,
            what_came_and_went_is_a_delete,
            a_recreated_record_is_a_change,
            a_deactivated_record_is_a_change,
            each_change_is_told_once,
            changes_come_in_pages_as_well,
            what_changes_while_paging_is_not_lost,
            some_options_are_forbidden,
            changes_are_counted,
            a_token_that_is_none_is_refused,
            names_in_changes_are_our_own,
        )
    ),
    *(
        Case(line=_LINE, holds=holds, sandbox=True)
        for holds in (
            a_token_grows_old,
            some_tables_are_not_tracked,
            who_does_not_read_everything_cannot_track,
        )
    ),
)
