"""A project as it is bound: defaults, policies, order, and what a digest is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config import digest, load
from runner.errors import ConfigError, RunnerError
from runner.model import (
    Auth,
    DeleteConflict,
    Direction,
    Drift,
    Granularity,
    Side,
    Unresolved,
    UpdateConflict,
    When,
)

SYNC = """\
systems:
  nav: {connector: nav, url: "sandbox:nav", company: CRONUS}
  crm: {connector: dataverse, url: "sandbox:crm"}
"""
MAPPING = """\
mapping: customers
direction: both
nav: {entity: Customer, key: "No"}
crm: {entity: accounts, key: accountid}
fields:
  - {nav: Name, crm: name}
"""


def project(folder: Path, mapping: str = MAPPING, sync: str = SYNC) -> Path:
    (folder / "mappings").mkdir(parents=True, exist_ok=True)
    (folder / "sync.yaml").write_text(sync)
    (folder / "mappings" / "customers.yaml").write_text(mapping)
    return folder


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    loaded = load(project(tmp_path))
    (mapping,) = loaded.mappings
    (rule,) = mapping.fields
    assert loaded.state == tmp_path / ".sync-run" / "state.duckdb"
    assert mapping.create == frozenset(Side)
    assert (mapping.granularity, mapping.deleted) == (Granularity.FIELD, DeleteConflict.FAIL)
    assert (rule.direction, rule.conflict, rule.drift) == (
        Direction.BOTH, UpdateConflict.FAIL, Drift.OVERWRITE,
    )  # fmt: skip


def test_policies_go_down_from_project_to_mapping_to_field(tmp_path: Path) -> None:
    sync = SYNC + "defaults: {drift: report, conflict: {update: newest, delete: restore}}\n"
    text = MAPPING.replace(
        "fields:", "conflict: {update: {prefer: crm}, granularity: record}\nfields:"
    )
    text += "  - {nav: City, crm: city, conflict: fail, drift: overwrite}\n"
    text += "  - {nav: Agent, crm: ownerid, unresolved: {nav: keep}, when: create}\n"
    (mapping,) = load(project(tmp_path, text, sync)).mappings
    name, city, agent = mapping.fields
    assert (mapping.granularity, mapping.deleted) == (Granularity.RECORD, DeleteConflict.RESTORE)
    assert (name.conflict, name.drift) == (UpdateConflict.PREFER_RIGHT, Drift.REPORT)
    assert (city.conflict, city.drift) == (UpdateConflict.FAIL, Drift.OVERWRITE)
    assert (agent.to_left.unresolved, agent.to_right.unresolved) == (
        Unresolved.KEEP,
        Unresolved.FAIL,
    )
    assert (agent.when, city.when) == (When.CREATE, When.ALWAYS)


def test_mappings_come_in_the_order_of_their_dependencies(tmp_path: Path) -> None:
    folder = project(tmp_path, MAPPING.replace("fields:", "depends_on: [zones, areas]\nfields:"))
    for name in ("zones", "areas"):
        (folder / "mappings" / f"{name}.yaml").write_text(MAPPING.replace("customers", name))
    assert [m.name for m in load(folder).mappings] == ["areas", "zones", "customers"]


def test_a_digest_is_of_the_meaning(tmp_path: Path) -> None:
    first = digest(load(project(tmp_path / "a")))
    assert digest(load(project(tmp_path / "b", f"# a comment\n\n{MAPPING}"))) == first
    assert (
        digest(load(project(tmp_path / "c", MAPPING.replace("crm: name", "crm: title")))) != first
    )


def test_a_project_is_found_from_below(tmp_path: Path) -> None:
    below = project(tmp_path) / "mappings" / "deep"
    below.mkdir()
    assert load(below).root == tmp_path
    with pytest.raises(RunnerError) as caught:
        load(Path("/"))
    assert "there is no sync.yaml" in str(caught.value)


def test_values_are_paired_and_each_means_one_thing_where_it_travels(tmp_path: Path) -> None:
    pairs = "values: [{nav: NET30, crm: 1}, {nav: NET60, crm: 1}]"
    both = MAPPING.replace("crm: name}", f"crm: name, {pairs}}}")
    with pytest.raises(ConfigError) as caught:
        load(project(tmp_path / "both", both))
    assert str(caught.value) == (
        "mappings/customers.yaml:6:59: crm '1' means two things — "
        "list it once, or say with `reverse:` which one it becomes"
    )
    one_way = both.replace("values:", "direction: nav -> crm, values:")
    (mapping,) = load(project(tmp_path / "one-way", one_way)).mappings
    assert mapping.fields[0].values == (("NET30", 1), ("NET60", 1))


def test_an_application_of_entra_is_named_by_its_environment(tmp_path: Path) -> None:
    auth = 'auth: {tenant: contoso.com, client_id: "${APP}", secret: "${APP_SECRET}"}'
    sync = SYNC.replace('url: "sandbox:crm"', f"url: https://crm.example, {auth}")
    assert sync != SYNC
    found = load(project(tmp_path, MAPPING, sync)).system("crm").auth
    assert found == Auth(tenant="contoso.com", client_id="${APP}", secret_env="APP_SECRET")
