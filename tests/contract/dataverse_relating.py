"""What hangs on a record: expansions, related records, single columns (A4), by bare HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.contract.control import behaving
from tests.contract.dataverse_asking import account, at, rows
from tests.contract.server import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.server import Server

PEOPLE = "contact_customer_accounts"


@contextmanager
def staffed(server: Server, *names: str) -> Iterator[dict[str, Any]]:
    """An account with so many contacts."""
    with account(server) as made:
        bind = {"parentcustomerid_account@odata.bind": at(made)}
        people = [
            server(
                "POST", "/contacts", {"lastname": n, **bind}, Prefer="return=representation"
            ).json()
            for n in names
        ]
        try:
            yield made
        finally:
            for one in people:
                server("DELETE", f"/contacts({one['contactid']})")


def a_lookup_is_expanded(server: Server) -> None:
    with staffed(server, "A") as made:
        path = f"/contacts?$select=lastname&$filter=_parentcustomerid_value eq {made['accountid']}"
        [told] = rows(server("GET", f"{path}&$expand=parentcustomerid_account($select=name)"))
        assert told["parentcustomerid_account"]["name"] == made["name"]
        assert "telephone1" not in told["parentcustomerid_account"]
        [told] = rows(server("GET", f"{path}&$expand=parentcustomerid_contact"))
        assert told["parentcustomerid_contact"] is None


def a_collection_is_expanded(server: Server) -> None:
    with staffed(server, "A", "B", "C") as made:
        path = f"{at(made)}?$select=name&$expand={PEOPLE}"
        told = server("GET", f"{path}($select=lastname;$orderby=lastname desc)").json()
        assert [one["lastname"] for one in told[PEOPLE]] == ["C", "B", "A"]
        told = server("GET", f"{path}($select=lastname;$filter=lastname ne 'B')").json()
        assert sorted(one["lastname"] for one in told[PEOPLE]) == ["A", "C"]
        told = server("GET", f"{path}($select=lastname;$top=1)").json()
        assert len(told[PEOPLE]) == 1
        inner = f"{path}($select=lastname;$expand=parentcustomerid_account($select=name))"
        told = server("GET", inner).json()
        assert {one["parentcustomerid_account"]["name"] for one in told[PEOPLE]} == {made["name"]}


def an_expanded_collection_has_pages_of_its_own(server: Server) -> None:
    with staffed(server, "A", "B", "C") as made:
        told = server(
            "GET", f"{at(made)}?$expand={PEOPLE}($select=lastname)", Prefer="odata.maxpagesize=2"
        ).json()
        assert len(told[PEOPLE]) == 2
        rest = server("GET", told[f"{PEOPLE}@odata.nextLink"]).json()["value"]
        names = [one["lastname"] for one in (*told[PEOPLE], *rest)]
        assert sorted(names) == ["A", "B", "C"]


def expansions_have_limits(server: Server) -> None:
    for wrong in (
        "nonsense",
        "name",
        f"{PEOPLE}($skip=1)",
        f"{PEOPLE}($select=nonsense)",
        f"{PEOPLE}($filter=nonsense eq 1)",
        f"{PEOPLE}/$ref",
        ",".join(["primarycontactid"] * 16),
    ):
        assert server("GET", f"/accounts?$top=1&$expand={wrong}").status_code == 400, wrong


def related_records_stand_below(server: Server) -> None:
    with staffed(server, "A", "B") as made:
        told = server("GET", f"{at(made)}/{PEOPLE}?$select=lastname")
        assert sorted(one["lastname"] for one in rows(told)) == ["A", "B"]
        references = server("GET", f"{at(made)}/{PEOPLE}/$ref").json()["value"]
        assert all("/contacts(" in one["@odata.id"] for one in references)
        assert server("GET", f"{at(made)}/primarycontactid").status_code == 204
        assert server("GET", f"{at(made)}/nonsense").status_code == 400


def single_columns_stand_below(server: Server) -> None:
    with account(server) as made:
        assert server("GET", f"{at(made)}/name").json()["value"] == made["name"]
        assert server("GET", f"{at(made)}/name/$value").text == made["name"]
        blank = server("GET", f"{at(made)}/fax")
        assert (blank.status_code, blank.content) == (204, b"")


def the_page_of_the_organisation_holds_within_too(server: Server) -> None:
    with behaving(server, most_rows=1), staffed(server, "A", "B") as made:
        told = server("GET", f"{at(made)}?$expand={PEOPLE}($select=lastname)").json()
        assert len(told[PEOPLE]) == 1
        assert f"{PEOPLE}@odata.nextLink" in told


_LINE = "GET set: $expand single & collection with limits"
CASES = (
    *(
        Case(line=_LINE, holds=holds)
        for holds in (
            a_lookup_is_expanded,
            a_collection_is_expanded,
            an_expanded_collection_has_pages_of_its_own,
            expansions_have_limits,
            related_records_stand_below,
            single_columns_stand_below,
        )
    ),
    Case(line=_LINE, holds=the_page_of_the_organisation_holds_within_too, sandbox=True),
)
