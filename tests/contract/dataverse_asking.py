"""What the cases of Dataverse share: records of their own, made and deleted again."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.contract.server import Server

REPRESENT = "return=representation"
LOOKUP = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
FORMATTED = "OData.Community.Display.V1.FormattedValue"


def unique(word: str = "Contract") -> str:
    """A text that no other record has."""
    return f"{word} {uuid.uuid4()}"


def guid() -> str:
    return str(uuid.uuid4())


def fault(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return response.status_code, str(response.json()["error"]["code"]).lower()


def message(response: httpx.Response) -> str:
    return str(response.json()["error"]["message"])


def rows(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["value"]
    return found


def create(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Make a record and return all of it."""
    made = server("POST", path, body, Prefer=REPRESENT)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


@contextmanager
def made(server: Server, path: str, key: str, **body: Any) -> Iterator[dict[str, Any]]:
    """Lend a record; ``key`` is the column of its key."""
    found = create(server, path, body)
    try:
        yield found
    finally:
        server("DELETE", f"{path}({found[key]})")


@contextmanager
def account(server: Server, **body: Any) -> Iterator[dict[str, Any]]:
    with made(server, "/accounts", "accountid", **{"name": unique(), **body}) as found:
        yield found


@contextmanager
def contact(server: Server, **body: Any) -> Iterator[dict[str, Any]]:
    with made(server, "/contacts", "contactid", **{"lastname": unique(), **body}) as found:
        yield found


@contextmanager
def accounts(server: Server, count: int, **body: Any) -> Iterator[tuple[str, list[str]]]:
    """Lend accounts of one town that nobody else lives in; their ids are in ascending order."""
    town = unique("Town")
    keys = sorted(guid() for _ in range(count))
    for n, key in enumerate(keys):
        told = {"accountid": key, "name": f"{town} {n}", "address1_city": town, **body}
        assert server("POST", "/accounts", told).status_code == 204
    try:
        yield town, keys
    finally:
        for key in keys:
            server("DELETE", f"/accounts({key})")


def at(record: dict[str, Any]) -> str:
    """The path of an account."""
    return f"/accounts({record['accountid']})"


def version(server: Server, path: str) -> str:
    found = server("GET", f"{path}?$select=versionnumber")
    assert found.status_code == 200, found.text
    return str(found.json()["@odata.etag"])
