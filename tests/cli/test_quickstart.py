"""The main job, as a new user does it: the quickstart, by the commands, on the real connectors."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner.errors import ExitCode
from runner.views.text import COUNTERS
from tests.cli.quickstart import Quickstart, quickstart

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Quickstart, str, int]:
    """A quickstart applied once: what was printed, and the exit code."""
    made = quickstart(tmp_path_factory.mktemp("applied"))
    result = made.run("apply", "--yes")
    return made, result.stdout, result.exit_code


@pytest.fixture
def settled(applied: tuple[Quickstart, str, int], tmp_path: Path) -> Quickstart:
    """A copy of what was applied, for a test that changes it."""
    folder = shutil.copytree(applied[0].folder.parents[1], tmp_path / "settled")
    return Quickstart(folder / "examples" / "quickstart")


def test_apply_prints_the_plan_and_what_was_done_and_ends_as_documented(
    applied: tuple[Quickstart, str, int],
) -> None:
    _, printed, code = applied
    assert code == ExitCode.RECORDS_FAILED
    assert "Plan: 403 to create, 296 to update, 488 to couple. 4 conflicts and 11 errors" in printed
    told = printed.partition("\nRun 1\n")[2].splitlines()
    (counters,) = [line.split() for line in told if line.startswith("  customers ")]
    assert dict(zip(COUNTERS, counters[1:], strict=True)) == {
        "inserted": "52",
        "modified": "101",
        "deleted": "0",
        "unchanged": "0",
        "coupled": "89",
        "uncoupled": "0",
        "skipped": "0",
        "failed": "6",
        "filtered": "8",
    }


def test_a_second_apply_finds_nothing_to_do(applied: tuple[Quickstart, str, int]) -> None:
    made, _, _ = applied
    result = made.run("apply", "--yes")
    assert "No changes. 4 conflicts and 11 errors to look at." in result.stdout
    assert result.exit_code == ExitCode.RECORDS_FAILED


def test_the_prepared_findings_are_all_there(applied: tuple[Quickstart, str, int]) -> None:
    made, _, _ = applied
    told = made.plan()
    assert told["changes"] == 0
    found = Counter(
        (m["mapping"], a["action"], a["keys"]["nav"])
        for m in told["mappings"]
        for a in m["actions"]
    )
    assert {key for _, kind, key in found if kind == "conflict"} == {
        "10000", "31669966", "32656565", "43687129",
    }  # fmt: skip
    assert {(m, key) for m, kind, key in found if kind == "error"} == {
        ("currencies", "OLDMARK"),
        ("customers", "C10983"),
        ("customers", "C10984"),
        ("contacts", "CT000259"),
        ("contacts", None),
        ("items", "70201"),
        ("opportunities", "OP000004"),
        ("sales-prices", MIXED),
        ("unit-groups", None),
        ("units", "PACK"),
        ("units", None),
    }


MIXED = (
    "Item_No='1920-S',Sales_Type='Customer Price Group',Sales_Code='MIXED',"
    "Starting_Date=2018-01-01,Currency_Code='EUR',Variant_Code='',Unit_of_Measure_Code='PCS',"
    "Minimum_Quantity=0"
)


def test_what_the_filters_keep_out_is_counted_and_not_created(
    applied: tuple[Quickstart, str, int],
) -> None:
    made, _, _ = applied
    chosen = ("customers", "salespeople", "contacts")
    filtered = {m["mapping"]: m["filtered"] for m in made.plan(*chosen)["mappings"]}
    assert filtered["customers"] == {"crm": 8}
    assert filtered["salespeople"] == {"crm": 4}
    assert filtered["contacts"]["crm"] == 2
    names = {row["Name"] for row in made.nav("GET", "/Customer?$select=Name")["value"]}
    kept_out = made.crm(
        "GET", "/accounts?$select=name&$filter=statecode eq 1 or customertypecode ne 3"
    )["value"]
    assert len(kept_out) == 8
    assert names.isdisjoint(row["name"] for row in kept_out)
    disabled = made.crm("GET", "/systemusers?$filter=isdisabled eq true")["value"]
    salespeople = {row["Name"] for row in made.nav("GET", "/Salesperson")["value"]}
    assert disabled
    assert salespeople.isdisjoint(row["fullname"] for row in disabled)


def test_changes_on_both_sides_travel_in_opposite_directions(
    settled: Quickstart,
) -> None:
    made = settled
    account = made.account("20000")
    made.crm("PATCH", f"/accounts({account['accountid']})", {"telephone1": "+44 20 7946 0999"})
    made.nav("PATCH", "/Customer('20000')", {"Address": "1 New Street"}, **{"If-Match": "*"})
    updates = made.actions("customers", "update")
    assert [(a["system"], a["fields"][0]["field"], a["fields"][0]["new"]) for a in updates] == [
        ("nav", "Phone_No", "+44 20 7946 0999"),
        ("crm", "address1_line1", "1 New Street"),
    ]
    made.run("apply", "--yes", "customers")
    assert made.account("20000")["address1_line1"] == "1 New Street"
    assert made.nav("GET", "/Customer('20000')")["Phone_No"] == "+44 20 7946 0999"
    assert made.plan("customers")["changes"] == 0


def test_the_same_field_on_both_sides_is_a_conflict_and_neither_is_touched(
    settled: Quickstart,
) -> None:
    made = settled
    account = made.account("20000")
    before = made.nav("GET", "/Customer('20000')")["City"]
    made.crm("PATCH", f"/accounts({account['accountid']})", {"address1_city": "Leeds"})
    made.nav("PATCH", "/Customer('20000')", {"City": "York"}, **{"If-Match": "*"})
    result = made.run("apply", "--yes", "customers")
    assert result.exit_code == ExitCode.RECORDS_FAILED
    (conflict,) = [a for a in made.actions("customers", "conflict") if a["keys"]["nav"] == "20000"]
    (field,) = conflict["fields"]
    assert (field["left_base"], field["left_value"], field["right_value"]) == (
        before, "York", "Leeds",
    )  # fmt: skip
    assert made.account("20000")["address1_city"] == "Leeds"
    assert made.nav("GET", "/Customer('20000')")["City"] == "York"


def test_one_word_turns_currencies_around(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    file = tmp_path / "mappings" / "nav-sales" / "currencies.yaml"
    before = Counter((a["action"], a["system"]) for a in made.actions("currencies"))
    file.write_text(file.read_text().replace("nav -> crm", "crm -> nav", 1))
    after = Counter((a["action"], a["system"]) for a in made.actions("currencies"))
    assert before["create", "crm"] == 12
    assert ("create", "nav") not in before
    assert after["create", "nav"] == 3
    assert {system for kind, system in after if kind in ("create", "update")} == {"nav"}


SOME = ("currencies", "local-currency", "salespeople", "customers")


def test_a_saved_plan_does_exactly_that_once(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    saved = tmp_path / "monday.plan"
    planned = made.run("plan", "--out", str(saved), "--json", *SOME)
    assert saved.stat().st_mode & 0o777 == 0o600
    done = json.loads(made.run("apply", str(saved), "--json").stdout)
    assert done["plan"]["mappings"] == json.loads(planned.stdout)["mappings"]
    assert done["report"]["counters"]["customers"]["inserted"] == 52
    again = made.run("apply", str(saved))
    assert again.exit_code == ExitCode.RECORDS_FAILED
    assert "This plan was carried out already, by run 1: nothing is left to do." in again.stdout


def test_a_plan_for_another_configuration_is_refused(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    saved = tmp_path / "monday.plan"
    made.run("plan", "--out", str(saved), *SOME)
    file = tmp_path / "mappings" / "nav-sales" / "customers.yaml"
    file.write_text(file.read_text().replace("create: [nav, crm]", "create: [crm]"))
    refused = made.run("apply", str(saved))
    assert refused.exit_code == ExitCode.STOPPED
    assert "Saved plan is stale: the configuration changed since" in refused.stderr


def test_planning_writes_to_neither_system_and_not_to_the_state(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    assert made.run("plan", "--detailed-exitcode", *SOME).exit_code == ExitCode.CHANGES
    assert not (made.folder / ".sync-run" / "state.duckdb").exists()
    assert made.crm("GET", "/accounts?$select=name&$count=true")["@odata.count"] == 120


def test_explain_shows_the_wire_query_and_the_sql(tmp_path: Path) -> None:
    result = quickstart(tmp_path).run("plan", "--explain", "customers")
    assert "GET http://sandbox/api/data/v9.2/accounts?$select=" in result.stdout
    assert "/Company('CRONUS%20International%20Ltd.')/Customer?$select=No," in result.stdout
    assert (
        'FULL JOIN (SELECT "#key", "#in_scope", "#hash" FROM "customers.left") l' in result.stdout
    )
    assert "-- mapping contacts" not in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("plan", "custmers"), 1, "there is no mapping 'custmers'"),
        (("--env", "prod", "plan"), 1, "there is no environment 'prod'"),
        (("apply", "no-such.plan"), 1, "there is no plan no-such.plan"),
        (("schema", "nonsense"), 1, "there is no schema 'nonsense'"),
    ],
)
def test_a_wrong_word_is_told_and_nothing_is_touched(
    tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    result = quickstart(tmp_path).run(*words)
    assert result.exit_code == code
    assert f"error: {message}" in result.stderr
    assert "Traceback" not in result.output


def test_a_broken_project_touches_nothing(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    file = tmp_path / "mappings" / "nav-sales" / "customers.yaml"
    file.write_text(file.read_text().replace("accountnumber", "acountnumber"))
    result = made.run("apply", "--yes")
    assert result.exit_code == ExitCode.UNUSABLE
    assert "accounts has no field 'acountnumber' — did you mean 'accountnumber'?" in result.stderr
    # The state knows of a run that came to nothing, and nothing else.
    with duckdb.connect(made.folder / ".sync-run" / "state.duckdb", read_only=True) as state:
        assert state.execute("SELECT count(*) FROM coupling").fetchall() == [(0,)]
        assert state.execute("SELECT count(*) FROM journal").fetchall() == [(0,)]
        assert state.execute("SELECT exit_code FROM run").fetchall() == [(ExitCode.UNUSABLE,)]


def test_init_writes_a_project_that_runs(tmp_path: Path) -> None:
    made = Quickstart(tmp_path / "mine")
    assert made.run("init", str(made.folder)).exit_code == 0
    assert "20 mappings are valid" in made.run("validate").stdout
    assert made.plan()["changes"] == 403 + 296 + 488
    for file in (made.folder / "mappings").glob("*.yaml"):
        kind = "test" if ".test." in file.name else "mapping"
        assert f"$schema=../schemas/{kind}.schema.json" in file.read_text().splitlines()[0]
    assert "All 5 cases passed." in made.run("test", "units").stdout
    again = made.run("init", str(made.folder))
    assert again.exit_code == ExitCode.UNUSABLE


def test_systems_over_loopback_need_their_secrets(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    (made.folder / "sync.prod.yaml").write_text(
        "systems:\n"
        "  nav: {url: 'https://nav.example.com/ODataV4', seed: null,\n"
        "        auth: {user: SYNC, password: '${SYNC_RUN_TEST_NAV_KEY}'}}\n"
        "  crm: {url: 'https://${SYNC_RUN_TEST_ORG}.example.com', seed: null,\n"
        "        auth: {token: '${SYNC_RUN_TEST_TOKEN}'}}\n"
    )
    result = made.run("--env", "prod", "plan")
    assert result.exit_code == ExitCode.UNUSABLE
    assert [line for line in result.stderr.splitlines() if line.startswith("error")] == [
        (
            "error: sync.prod.yaml:2:8: environment variable SYNC_RUN_TEST_NAV_KEY is not set"
            " — system 'nav' needs it"
        ),
        (
            "error: sync.prod.yaml:4:8: environment variable SYNC_RUN_TEST_ORG is not set"
            " — system 'crm' needs it"
        ),
        (
            "error: sync.prod.yaml:4:8: environment variable SYNC_RUN_TEST_TOKEN is not set"
            " — system 'crm' needs it"
        ),
    ]


def test_an_overlay_redefines_a_system(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    (made.folder / "sync.test.yaml").write_text("systems:\n  crm: {url: 'sandbox:other'}\n")
    result = made.run("--env", "test", "plan", "--json", "currencies")
    assert json.loads(result.stdout)["environment"] == "test"
    applied = made.run("--env", "test", "apply", "--yes", "currencies")
    assert applied.exit_code == ExitCode.RECORDS_FAILED
    assert (made.folder / ".sync-run" / "state.test.duckdb").exists()
    assert not (made.folder / ".sync-run" / "state.duckdb").exists()
    assert (made.folder / ".sync-run" / "sandbox" / "other.sqlite").exists()
    assert not (made.folder / ".sync-run" / "sandbox" / "crm.sqlite").exists()
