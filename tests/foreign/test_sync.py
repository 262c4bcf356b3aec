"""A folder of files and a foreign OData service, kept the same by YAML alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from runner.errors import ExitCode
from tests.cli.quickstart import Quickstart

if TYPE_CHECKING:
    from pathlib import Path

SYNC = """
name: foreign
systems:
  depot: {{connector: files, url: depot, types: {{people: {{credit: decimal, born: date}}}}}}
  shop: {{connector: odata, url: "{shop}", batch: json, client_keys: true, writes: 3}}
"""
LANDS = """
mapping: lands
direction: depot -> shop
depot: {entity: lands, key: iso}
shop: {entity: Countries, key: code, filter: "starts_with(name, 'Land ')"}
match: [{depot: iso, shop: code}]
fields:
  - {depot: iso, shop: code}
  - {depot: title, shop: name}
"""
PEOPLE = """
mapping: people
direction: both
depot: {entity: people, key: no, new_key: "P{number}"}
shop: {entity: Customers, key: ID, filter: "starts_with(code, 'SYNC')"}
match: [{depot: mail, shop: email, case: ignore}]
fields:
  - {depot: mail, shop: email}
  - {depot: name, shop: name}
  - {depot: credit, shop: credit}
  - {depot: born, shop: born}
  - {depot: land, shop: country_code, lookup: lands}
  - {shop: code, constant: SYNC}
"""


def test_both_ways(shop: str, tmp_path: Path) -> None:
    files = {
        "sync.yaml": SYNC.format(shop=shop),
        "mappings/lands.yaml": LANDS,
        "mappings/people.yaml": PEOPLE.replace("key: no,", 'key: "no",'),
        "depot/lands.csv": "iso,title\nSE,Land S\nO'T,Land T\n",
        "depot/people.csv": "no,name,mail,credit,born,land\n"
        "P1,Ann,ann@example.com,1.50,2000-02-29,SE\n"
        + "".join(f"P{n},Bo {n},bo{n}@example.com,,,O'T\n" for n in range(2, 9)),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    known, new = str(uuid4()), str(uuid4())
    for key, mail in ((known, "ANN@example.com"), (new, "zoe@example.com")):
        body = {"ID": key, "name": "Zoë", "email": mail, "code": "SYNC"}
        assert httpx.post(f"{shop}/Customers", json=body).status_code == 201

    made = Quickstart(tmp_path)
    conflicting = made.run("apply", "--yes")
    assert conflicting.exit_code == ExitCode.RECORDS_FAILED, conflicting.output
    assert "1 conflict to look at" in conflicting.output
    ann = httpx.get(f"{shop}/Customers({known})")
    right = {"name": "Ann", "email": "ann@example.com", "credit": 1.5, "born": "2000-02-29"}
    headers = {"If-Match": ann.headers["ETag"]}
    patch = httpx.patch(
        f"{shop}/Customers({known})", json={**right, "country_code": "SE"}, headers=headers
    )
    assert patch.status_code == 200
    result = made.run("apply", "--yes")
    assert result.exit_code == ExitCode.DONE, result.output

    people = (tmp_path / "depot" / "people.csv").read_text(encoding="utf-8").splitlines()
    assert people[-1] == "P9,Zoë,zoe@example.com,,,"
    found = httpx.get(f"{shop}/Customers?$filter=code eq 'SYNC'&$top=100").json()["value"]
    assert len(found) == 9
    assert {row["country_code"] for row in found} == {"SE", "O'T", None}
    again = made.run("apply", "--yes")
    assert again.exit_code == ExitCode.DONE
    assert "No changes." in again.stdout
