"""Mappings from several files: groups, extensions, environments, and where each value stands."""

# ruff: noqa: E501, ISC004

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.config import digest, load
from runner.errors import ConfigError
from runner.model import UpdateConflict

if TYPE_CHECKING:
    from runner.model import Mapping

SYNC = """systems:
  nav: {connector: nav, url: "sandbox:nav", company: C}
  crm: {connector: dataverse, url: "sandbox:crm"}
"""
CUSTOMERS = """mapping: customers
direction: both
nav: {entity: Customer, key: "No"}
crm: {entity: accounts, key: accountid, filter: "statecode == `0`"}
fields:
  - {nav: Name, crm: name}
  - {use: address, conflict: newest}
  - {nav: Fax_No, crm: fax}
"""
ADDRESS = """group: address
fields:
  - {nav: Address, crm: address1_line1}
  - {nav: City, crm: address1_city}
"""


def project(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sync.yaml").write_text(files.pop("sync", SYNC))
    for name, text in files.items():
        path = folder / "mappings" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def ends(mapping: Mapping) -> list[str]:
    return [f"{rule.left} {rule.right}" for rule in mapping.fields]


def told(folder: Path, environment: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, environment=environment)
    return str(caught.value)


def test_a_group_stands_where_it_is_used(tmp_path: Path) -> None:
    (mapping,) = load(project(tmp_path, customers=CUSTOMERS, address=ADDRESS)).mappings
    assert ends(mapping) == [
        "Name name",
        "Address address1_line1",
        "City address1_city",
        "Fax_No fax",
    ]
    assert [rule.conflict for rule in mapping.fields] == [
        UpdateConflict.FAIL,
        UpdateConflict.NEWEST,
        UpdateConflict.NEWEST,
        UpdateConflict.FAIL,
    ]
    assert str(mapping.fields[2].at) == "mappings/address.yaml:4:5"


EXTENSION = """extends: customers
direction: nav -> crm
crm: {filter: null}
match: [{nav: Name, crm: name}]
fields:
  - {nav: Name, crm: name, too_long: truncate}
  - {nav: Fax_No, remove: true}
  - {nav: E_Mail, crm: emailaddress1}
  - {crm: address1_city, conflict: null, blank: keep}
"""


def test_an_extension_changes_adds_and_removes(tmp_path: Path) -> None:
    folder = project(tmp_path, customers=CUSTOMERS, address=ADDRESS, mine=EXTENSION)
    (mapping,) = load(folder).mappings
    assert mapping.direction == "to right"
    assert mapping.right.filter is None
    assert mapping.right.key == "accountid"
    assert len(mapping.match) == 1
    assert ends(mapping) == [
        "Name name",
        "Address address1_line1",
        "City address1_city",
        "E_Mail emailaddress1",
    ]
    name, _, city, mail = mapping.fields
    assert (name.too_long, city.blank, city.conflict) == ("truncate", "keep", UpdateConflict.FAIL)
    assert str(mail.at) == "mappings/mine.yaml:8:5"


def test_an_extension_may_be_for_one_environment(tmp_path: Path) -> None:
    only = "extends: customers\nenvironment: test\ncreate: []\n"
    folder = project(tmp_path, customers=CUSTOMERS, address=ADDRESS, test=only)
    (folder / "sync.test.yaml").write_text("name: test\n")
    assert load(folder).mappings[0].create == {"left", "right"}
    assert load(folder, environment="test").mappings[0].create == frozenset()


def test_the_standard_mappings_are_extended_where_they_are(tmp_path: Path) -> None:
    sync = SYNC + "mappings: [standard:nav-sales, mappings]\n"
    mine = "extends: customers\nfields:\n  - {nav: Fax_No, remove: true}\n"
    mappings = {m.name: m for m in load(project(tmp_path, sync=sync, mine=mine)).mappings}
    standard = Path(__file__).parents[2] / "mappings" / "nav-sales"
    files = {file.stem for file in standard.glob("*.yaml") if ".test" not in file.name}
    assert set(mappings) == files >= {"salespeople", "currencies", "customers", "contacts"}
    assert "Fax_No fax" not in ends(mappings["customers"])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"customers": CUSTOMERS},
            "mappings/customers.yaml:7:11: there is no group 'address' — a group is a file with",
        ),
        (
            {"customers": CUSTOMERS, "adress": ADDRESS.replace("address\n", "adress\n")},
            "mappings/customers.yaml:7:11: there is no group 'address' — did you mean 'adress'?",
        ),
        (
            {"mine": "extends: custmers\n", "customers": CUSTOMERS, "a": ADDRESS},
            "mappings/mine.yaml:1:10: there is no mapping 'custmers' to extend — did you mean",
        ),
        (
            {
                "mine": "extends: customers\nfields:\n  - {nav: Fax, remove: true}\n",
                "customers": CUSTOMERS,
                "a": ADDRESS,
            },
            "mappings/mine.yaml:3:5: there is no field {nav: Fax} to remove — "
            "did you mean 'Fax_No'?",
        ),
        (
            {
                "mine": "extends: customers\nfields:\n  - {nav: Telex}\n",
                "customers": CUSTOMERS,
                "a": ADDRESS,
            },
            "mappings/mine.yaml:3:5: it names no field of crm — add `crm: …` or a `constant:`",
        ),
        (
            {
                "mine": "extends: customers\nfilds: []\n",
                "customers": CUSTOMERS,
                "a": ADDRESS,
            },
            "mappings/mine.yaml:2:1: unknown key 'filds' — did you mean 'fields'?",
        ),
        (
            {"customers": CUSTOMERS, "a": ADDRESS, "b": ADDRESS},
            "mappings/b.yaml:1:8: there are two groups 'address' — the other is mappings/a.yaml:1:8",
        ),
        (
            {"customers": CUSTOMERS + "  - {nav: Telex, crm: telex, remove: true}\n", "a": ADDRESS},
            "mappings/customers.yaml:9:30: unknown key 'remove'",
        ),
    ],
)
def test_what_cannot_be_put_together(tmp_path: Path, files: dict[str, str], message: str) -> None:
    assert told(project(tmp_path, **files)).startswith(message)


def test_the_order_of_files_never_matters(tmp_path: Path) -> None:
    texts = [
        CUSTOMERS,
        ADDRESS,
        EXTENSION,
        "mapping: units\ndirection: nav -> crm\nnav: {entity: Unit, key: Code}\n"
        "crm: {entity: uoms, key: uomid}\nfields: [{nav: Code, crm: name}]\n",
        'mapping: items\ndirection: nav -> crm\nnav: {entity: Item, key: "No"}\n'
        "crm: {entity: products, key: productid}\n"
        "fields: [{nav: Unit, crm: defaultuomid, lookup: units}]\n",
    ]
    found = set()
    for n, order in enumerate(permutations(texts)):
        folder = project(tmp_path / str(n), **{f"f{k}": text for k, text in enumerate(order)})
        loaded = load(folder)
        found.add((digest(loaded), tuple(mapping.name for mapping in loaded.mappings)))
    assert [names for _, names in found] == [("customers", "units", "items")]


def test_what_is_never_used_is_noted(tmp_path: Path) -> None:
    text = CUSTOMERS.replace("  - {use: address, conflict: newest}\n", "")
    text = text.replace("crm: fax}", "crm: fax, when: create}") + "create: []\n"
    text += "defaults: {nav: {Language_Code: ENU}}\n"
    notes = load(project(tmp_path, customers=text, address=ADDRESS)).notes
    assert [str(note) for note in notes] == [
        "mappings/address.yaml:1:8: unused group: nothing says `use: address`",
        "mappings/customers.yaml:7:5: never written: the field is for new records, "
        "and none are created",
        "mappings/customers.yaml:9:12: unused template: nothing is ever created in nav",
    ]
