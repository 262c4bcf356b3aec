"""The reference page: every key has an example, and every example is loaded and compiled."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from runner import run, shipped
from runner.cli.wiring import connected
from runner.config import load
from runner.views.reference import reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.model import Project

SCHEMAS = shipped.folder() / "schemas"
MAPPING, SYNC = (
    json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    for name in ("mapping", "sync")
)
PROJECT = """systems:
  nav: {connector: nav, url: "sandbox:nav", company: CRONUS International Ltd.}
  crm: {connector: dataverse, url: "sandbox:crm"}
"""
CUSTOMERS = """mapping: customers
direction: both
nav: {entity: Customer, key: "No"}
crm: {entity: accounts, key: accountid}
fields:
  - {nav: Name, crm: name}
"""
GROUP = "group: address\nfields:\n  - {nav: Address, crm: address1_line1}\n"
UNITS = """mapping: unit-groups
direction: nav -> crm
nav: {entity: Unit_of_Measure, key: Code}
crm: {entity: uomschedules, key: uomscheduleid}
fields:
  - {nav: Code, crm: name}
"""


def examples(properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, told in properties.items():
        yield name, told["x-example"]


def of_mappings() -> Iterator[tuple[str, str, str]]:
    named = MAPPING["$defs"]
    _, joined, computed = named["end"]["anyOf"]
    plain, given = named["step"]["anyOf"]
    for place, properties in (
        ("mapping", MAPPING["properties"]),
        *((name, named[name]["properties"]) for name in ("side", "pair", "conflict", "template")),
        ("field", named["field"]["properties"]),
        ("lookup", named["lookup"]["properties"]),
        ("joined", joined["properties"]),
        ("computed", computed["properties"]),
        ("transform", given["properties"]),
    ):
        yield from ((place, name, text) for name, text in examples(properties))
    yield from (("transform", name, text) for name, text in plain["x-examples"].items())


def of_sync() -> Iterator[tuple[str, str, str]]:
    yield from (("sync", name, text) for name, text in examples(SYNC["properties"]))
    system = SYNC["$defs"]["system"]["properties"]
    yield from (("system", name, text) for name, text in examples(system))
    incremental = SYNC["$defs"]["incremental"]["properties"]
    yield from (("incremental", name, text) for name, text in examples(incremental))
    defaults = SYNC["properties"]["defaults"]["properties"]
    yield from (("defaults", name, text) for name, text in examples(defaults))
    job = SYNC["$defs"]["job"]["properties"]
    yield from (("job", name, text) for name, text in examples(job))


def project(folder: Path, text: str) -> Project:
    """Put an example where it belongs: a field, keys of a mapping, or a file of its own."""
    files = {"customers": CUSTOMERS, "address": GROUP, "unit-groups": UNITS}
    found = yaml.safe_load(text)
    if isinstance(found, list):
        files["customers"] = CUSTOMERS.replace("  - {nav: Name, crm: name}", f"  {text}")
    elif found.keys() & {"extends"}:
        files["example"] = text
    elif found.keys() & {"mapping", "group"} and len(found) > 1:
        files["address" if "group" in found else "example"] = text
    else:
        base = yaml.safe_load(CUSTOMERS)
        files["customers"] = yaml.safe_dump({**base, **found}, sort_keys=False)
    (folder / "mappings").mkdir()
    (folder / "sync.yaml").write_text(PROJECT + "mappings: [mappings, shelf]\n", encoding="utf-8")
    (folder / "sync.test.yaml").write_text("name: test\n", encoding="utf-8")
    for name, content in files.items():
        (folder / "mappings" / f"{name}.yaml").write_text(content, encoding="utf-8")
    (folder / "shelf").mkdir()
    for name in ("currencies", "salespeople"):
        shutil.copy(shipped.folder() / "mappings" / "nav-sales" / f"{name}.yaml", folder / "shelf")
    return load(folder, environment="test")


async def compiled(found: Project) -> int:
    async with connected(found) as connectors:
        return len(await run.compiled(found, connectors))


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=f"{place}-{name}") for place, name, text in of_mappings()],
)
def test_an_example_of_a_mapping_compiles(text: str, tmp_path: Path) -> None:
    found = project(tmp_path, text)
    assert asyncio.run(compiled(found)) == len(found.mappings) >= 4


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=f"{place}-{name}") for place, name, text in of_sync()]
)
def test_an_example_of_sync_yaml_loads(text: str, tmp_path: Path) -> None:
    found = yaml.safe_load(text)
    whole = {**yaml.safe_load(PROJECT), **found}
    for folder in ("mappings", "data/nav"):
        (tmp_path / folder).mkdir(parents=True)
    left, right = whole["systems"]
    text = CUSTOMERS.replace("mapping: customers", "mapping: clients")
    text = text.replace("nav:", f"{left}:").replace("crm:", f"{right}:")
    (tmp_path / "mappings" / "clients.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "sync.yaml").write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    assert load(tmp_path).mappings


def test_the_page_is_the_schema(request: pytest.FixtureRequest) -> None:
    page = SCHEMAS / "reference.md"
    if request.config.getoption("--update-golden"):
        page.write_text(reference(MAPPING, SYNC), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == reference(MAPPING, SYNC)
