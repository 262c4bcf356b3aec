"""Incremental runs by the command line and the real connectors: deltas, dates, deletions."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import httpx

from runner import sandbox
from runner.errors import ExitCode
from tests.cli.quickstart import REPOSITORY, Quickstart

if TYPE_CHECKING:
    from pathlib import Path

NAV = """
systems:
  nav: {connector: nav, url: "sandbox:nav", company: CRONUS International Ltd., seed: data/nav}
  crm: {connector: dataverse, url: "sandbox:crm", seed: data/crm}
incremental: {deletes: never}
"""
BC = """
systems:
  bc: {connector: business_central, url: "sandbox:bc", company: CRONUS UK Ltd., seed: data/bc}
  crm: {connector: dataverse, url: "sandbox:crm", seed: data/crm}
"""
CUSTOMERS = """
mapping: customers
direction: both
nav: {entity: Customer, key: "No"}
crm: {entity: accounts, key: accountid, filter: "customertypecode == `3`"}
create: [crm]
match:
  - {nav: "No", crm: accountnumber}
conflict: {update: {prefer: nav}, delete: uncouple}
fields:
  - {nav: "No", crm: accountnumber, direction: nav -> crm}
  - {nav: Name, crm: name}
  - {nav: City, crm: address1_city}
  - {crm: customertypecode, constant: 3}
"""
OF_BC = """
mapping: customers
direction: both
bc: {entity: customers, key: id}
crm: {entity: accounts, key: accountid}
create: [crm]
match:
  - {bc: number, crm: accountnumber}
conflict: {update: {prefer: bc}}
fields:
  - {bc: number, crm: accountnumber, direction: bc -> crm}
  - {bc: displayName, crm: name}
"""


@dataclass(frozen=True, slots=True)
class Project(Quickstart):
    """A project of one mapping, whose mirror one can look into."""

    def mirror(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / ".sync-run" / "state.duckdb.mirror")) as mirror:
            return mirror.execute(sql).fetchall()

    def planned(self, *words: str) -> dict[str, Any]:
        (found,) = self.plan(*words)["mappings"]
        told: dict[str, Any] = found
        return told

    def the_same_in_full(self) -> dict[str, Any]:
        """Plan incrementally, and in full in a copy of the project that has no mirror."""
        found = self.planned("--incremental")
        beside = self.folder.with_name("beside")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(self.folder, beside)
        (beside / ".sync-run" / "state.duckdb.mirror").unlink()
        whole = Project(beside).planned()
        for key in ("counts", "unchanged", "actions"):
            assert found[key] == whole[key], key
        return found


def project(folder: Path, example: str, sync: str, mapping: str) -> Project:
    made = Project(folder / "project")
    shutil.copytree(REPOSITORY / "examples" / example / "data", made.folder / "data")
    (made.folder / "mappings").mkdir()
    (made.folder / "sync.yaml").write_text(sync, encoding="utf-8")
    (made.folder / "mappings" / "customers.yaml").write_text(mapping, encoding="utf-8")
    return made


def done(made: Project, *words: str) -> dict[str, Any]:
    result = made.run("apply", "--incremental", "--json", *words)
    assert result.exit_code == ExitCode.DONE, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_nav_by_the_day_and_sales_by_its_deltas(tmp_path: Path) -> None:
    made = project(tmp_path, "quickstart", NAV, CUSTOMERS)
    first = done(made)
    assert first["plan"]["mode"] == "incremental"
    (found,) = first["plan"]["mappings"]
    assert [told["way"] for told in found["reading"].values()] == ["whole", "whole"]
    assert done(made)["plan"]["changes"] == 0
    quiet = made.the_same_in_full()
    assert quiet["reading"]["crm"] == {"way": "delta", "rows": 0, "deletions": None}
    assert quiet["reading"]["nav"]["way"] == "since"
    # Edited and deleted on either side.
    kept, gone = made.account("10000"), made.account("20000")
    made.nav("PATCH", "/Customer('30000')", {"City": "York"}, **{"If-Match": "*"})
    made.crm("PATCH", f"/accounts({kept['accountid']})", {"name": "Renamed"})
    made.crm("DELETE", f"/accounts({gone['accountid']})")
    # What left the filter rests, as in a full run.
    left = made.account("40000")
    made.crm("PATCH", f"/accounts({left['accountid']})", {"customertypecode": 1})
    found = made.the_same_in_full()
    assert found["reading"]["crm"]["rows"] == 2
    assert {(a["action"], a["system"]) for a in found["actions"]} == {
        ("update", "crm"),
        ("update", "nav"),
        ("uncouple", None),
    }
    text = made.run("plan", "--incremental").stdout
    assert "that may have changed in nav (deletions last looked for 20" in text
    assert "that changed in crm" in text
    done(made)
    assert made.account("30000")["address1_city"] == "York"


def test_deletions_in_nav_are_found_by_a_look_at_all_keys(tmp_path: Path) -> None:
    made = project(tmp_path, "quickstart", NAV, CUSTOMERS)
    done(made)
    done(made)
    made.nav("DELETE", "/Customer('10000')", **{"If-Match": "*"})
    assert made.planned("--incremental")["actions"] == []
    (found,) = made.planned("--incremental", "--deletes")["actions"]
    assert (found["action"], found["keys"]["nav"]) == ("uncouple", "10000")
    made.the_same_in_full()
    refused = made.run("plan", "--deletes")
    assert refused.exit_code == ExitCode.UNUSABLE
    assert "--deletes goes with --incremental" in refused.stderr


def test_a_token_that_is_too_old_costs_a_full_read_and_nothing_else(tmp_path: Path) -> None:
    made = project(tmp_path, "quickstart", NAV, CUSTOMERS)
    done(made)
    gone = made.account("20000")
    made.crm("DELETE", f"/accounts({gone['accountid']})")
    year = "regexp_replace(token, '%2F20[0-9][0-9]', '%2F2001')"
    [(before,)] = made.mirror("SELECT token FROM side WHERE token <> ''")
    made.mirror(f"UPDATE side SET token = {year} WHERE token <> ''")
    [(after,)] = made.mirror("SELECT token FROM side WHERE token <> ''")
    assert before != after
    found = made.the_same_in_full()
    assert found["reading"]["crm"]["way"] == "whole"
    assert ("uncouple", "20000") in [(a["action"], a["keys"]["nav"]) for a in found["actions"]]


def test_a_saved_incremental_plan_is_applied_as_any_other(tmp_path: Path) -> None:
    made = project(tmp_path, "quickstart", NAV, CUSTOMERS)
    done(made)
    made.nav("PATCH", "/Customer('30000')", {"City": "York"}, **{"If-Match": "*"})
    saved = tmp_path / "monday.plan"
    assert made.run("plan", "--incremental", "--out", str(saved)).exit_code == ExitCode.DONE
    assert made.run("apply", str(saved), "--yes").exit_code == ExitCode.DONE
    assert made.account("30000")["address1_city"] == "York"
    assert made.the_same_in_full()["actions"] == []


def test_a_damaged_mirror_is_begun_anew(tmp_path: Path) -> None:
    made = project(tmp_path, "quickstart", NAV, CUSTOMERS)
    done(made)
    path = made.folder / ".sync-run" / "state.duckdb.mirror"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"no mirror" * 1000)
    assert done(made)["plan"]["changes"] == 0
    assert made.the_same_in_full()["reading"]["crm"]["way"] == "delta"


def test_explain_says_how_each_side_tells_what_changed(tmp_path: Path) -> None:
    made = project(tmp_path, "quickstart", NAV, CUSTOMERS)
    told = made.run("plan", "--explain").stdout
    assert "incremental runs read what changed by Last_Date_Modified" in told
    assert "by the system's tracking of accounts" in told


def test_business_central_by_the_moment(tmp_path: Path) -> None:
    made = project(tmp_path, "business-central", BC, OF_BC)
    done(made)
    assert done(made)["plan"]["changes"] == 0
    found = made.the_same_in_full()
    assert [told["way"] for told in found["reading"].values()] == ["since", "delta"]
    rows = _of_bc(made, "GET", "/customers")["value"]
    row = rows[0]
    header = {"If-Match": row["@odata.etag"]}
    _of_bc(made, "PATCH", f"/customers({row['id']})", {"displayName": "Renamed"}, **header)
    (action,) = made.the_same_in_full()["actions"]
    assert (action["action"], action["system"]) == ("update", "crm")
    done(made)
    assert made.the_same_in_full()["actions"] == []


def _of_bc(made: Project, method: str, path: str, body: Any = None, **headers: str) -> Any:
    database = made.folder / ".sync-run" / "sandbox" / "bc.sqlite"
    served = sandbox.business_central(
        database, seed=made.folder / "data" / "bc", company="CRONUS UK Ltd."
    )
    base = f"http://sandbox{sandbox.BUSINESS_CENTRAL_PATH}"
    headers["Authorization"] = f"Bearer {sandbox.TOKEN}"

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=served, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, headers=headers) as client:
            (company,) = (await client.get(f"{base}/companies")).json()["value"]
            url = f"{base}/companies({company['id']}){path}"
            return await client.request(method, url, json=body)

    response = asyncio.run(ask())
    assert response.is_success, response.text
    return response.json()
