"""validate, offline and online, and the schema of a project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from runner.config.read import read
from runner.errors import ExitCode
from tests.cli.quickstart import Quickstart, quickstart

if TYPE_CHECKING:
    from pathlib import Path


def changed(folder: Path, name: str, old: str, new: str) -> None:
    file = folder / "mappings" / "nav-sales" / f"{name}.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_what_is_right_is_valid_on_line_and_off(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    for words in (["validate"], ["validate", "--online"]):
        result = made.run(*words)
        assert result.exit_code == 0
        assert "20 mappings are valid, in this order: currencies, local-currency," in result.stdout
    assert "nav keeps less than crm may send: Name 50 of 160" in result.stderr
    assert not (made.folder / ".sync-run" / "state.duckdb").exists()


@pytest.mark.parametrize(
    ("mapping", "old", "new", "told"),
    [
        (
            "opportunities",
            "entity: Opportunity,",
            "entity: Oportunity,",
            "nav has no entity 'Oportunity'",
        ),
        (
            "customers",
            "nav: Fax_No,",
            "nav: Fax_Nr,",
            "Customer has no field 'Fax_Nr' — did you mean 'Fax_No'?",
        ),
        (
            "customers",
            "constant: 3,",
            "constant: 99,",
            "'customertypecode' has no option 99 — there are 1 Comp",
        ),
        (
            "customers",
            "crm: telephone1}",
            "crm: createdon, direction: nav -> crm}",
            "'createdon' is read-only",
        ),
    ],
)
def test_on_line_the_systems_have_a_word(
    tmp_path: Path, mapping: str, old: str, new: str, told: str
) -> None:
    made = quickstart(tmp_path)
    changed(tmp_path, mapping, old, new)
    assert made.run("validate").exit_code == 0
    result = made.run("validate", "--online")
    assert result.exit_code == ExitCode.UNUSABLE
    assert f"error: ../../mappings/nav-sales/{mapping}.yaml:" in result.stderr
    assert told in result.stderr


def test_a_required_field_that_nothing_sets_is_noted(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    changed(tmp_path, "currencies", "    currencyprecision: 2\n", "")
    result = made.run("validate", "--online")
    assert "crm wants a 'currencyprecision' of every new transactioncurrencies" in result.stderr


def test_the_schema_of_a_project_knows_the_systems_names(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    result = made.run("schema", "project")
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    assert "accounts" in schema["properties"]["crm"]["properties"]["entity"]["enum"]
    validator = Draft202012Validator(schema)
    files = (tmp_path / "mappings" / "nav-sales").glob("*.yaml")
    for file in sorted(file for file in files if ".test." not in file.name):
        document = read(file.name, file.read_bytes())
        assert [e.message for e in validator.iter_errors(document.value)] == []  # type: ignore[union-attr]
    changed(tmp_path, "customers", "crm: telephone1}", "crm: telephon1}")
    file = tmp_path / "mappings" / "nav-sales" / "customers.yaml"
    document = read(file.name, file.read_bytes())
    (error,) = validator.iter_errors(document.value)  # type: ignore[union-attr]
    assert list(error.absolute_path)[-1] == "crm"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://[x", "crm: its url is none: Invalid IPv6 URL"),
        ("crm.example.com", "crm: its url does not begin with https:// and a host"),
    ],
)
def test_an_address_from_the_environment_is_looked_at_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    auth = "{tenant: t, client_id: c, secret: '${PLANTED}'}"
    (tmp_path / "sync.yaml").write_text(
        "systems:\n  shop: {connector: files, url: shop}\n"
        f"  crm: {{connector: dataverse, url: '${{ADDRESS}}', auth: {auth}}}\n"
    )
    (tmp_path / "shop").mkdir()
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text(
        "mapping: customers\ndirection: both\nshop: {entity: customers, key: code}\n"
        "crm: {entity: accounts, key: accountid}\nfields:\n  - {shop: name, crm: name}\n"
    )
    monkeypatch.setenv("ADDRESS", url)
    monkeypatch.setenv("PLANTED", "secret")
    result = Quickstart(tmp_path).run("plan")
    assert result.exit_code == ExitCode.UNUSABLE
    assert told in result.stderr
