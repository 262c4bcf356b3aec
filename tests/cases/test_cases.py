"""Cases of mappings: played without a system, told field by field, and those shipped all pass."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.errors import ExitCode
from tests.cli.quickstart import quickstart

if TYPE_CHECKING:
    from typer.testing import Result

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = Path(__file__).parents[2] / "examples"
SYNC = """systems:
  nav: {connector: nav, url: "sandbox:nav", company: C}
  crm: {connector: dataverse, url: "sandbox:crm"}
"""
MAPPING = """mapping: customers
direction: both
nav: {entity: Customer, key: "No"}
crm: {entity: accounts, key: accountid, filter: "customertypecode == `3`"}
fields:
  - {nav: "No", crm: accountnumber, direction: nav -> crm}
  - {nav: Name, crm: name}
  - {nav: Phone_No, crm: telephone1}
  - {crm: customertypecode, constant: 3}
"""
FAILING = """test: customers
every:
  crm: {customertypecode: 3}
cases:
  - name: this one passes
    given: {nav: [{"No": "10", Name: Alpha}]}
    expect: {crm: [{name: Alpha}], actions: [create crm]}
  - name: a value is another
    given: {nav: [{"No": "10", Name: Alpha, Phone_No: "1"}]}
    expect: {crm: [{accountnumber: "10", name: Beta, telephone1: "1"}]}
  - name: a record is missing
    given: {nav: [{"No": "10", Name: Alpha}]}
    expect: {crm: [{name: Alpha}, {name: Gamma}]}
  - name: a record is too many
    given: {nav: [{"No": "10", Name: Alpha}]}
    expect: {crm: []}
  - name: a conflict that nobody expected
    given:
      coupled: [{nav: {"No": "10", Name: Alpha}, crm: {accountid: a, name: Alpha}}]
      changed: {nav: {"10": {Name: Beta}}, crm: {a: {name: Gamma}}}
    expect: {nav: [{Name: Beta}]}
  - name: another action
    given: {nav: [{"No": "10", Name: Alpha}]}
    expect: {actions: [update crm]}
"""


def project(folder: Path, cases: str, mapping: str = MAPPING) -> Path:
    (folder / "mappings").mkdir()
    (folder / "sync.yaml").write_text(SYNC, encoding="utf-8")
    (folder / "mappings" / "customers.yaml").write_text(mapping, encoding="utf-8")
    (folder / "mappings" / "customers.test.yaml").write_text(cases, encoding="utf-8")
    return folder


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["-C", str(folder), "test", *words])


def test_what_fails_is_told_by_record_and_field(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result = run(project(tmp_path, FAILING))
    assert result.exit_code == ExitCode.RECORDS_FAILED
    golden = GOLDEN / "failing.txt"
    if request.config.getoption("--update-golden"):
        golden.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == golden.read_text(encoding="utf-8")


def test_the_results_for_build_servers(tmp_path: Path) -> None:
    folder = project(tmp_path, FAILING)
    run(folder, "--junit", str(tmp_path / "results.xml"))
    written = (tmp_path / "results.xml").read_bytes()
    assert written.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    suites = ET.fromstring(written)  # noqa: S314 - our own
    assert (suites.get("tests"), suites.get("failures")) == ("6", "5")
    failed = [case.get("name") for case in suites.iter("testcase") if len(case)]
    assert "this one passes" not in failed
    assert len(failed) == 5


def test_some_cases_alone(tmp_path: Path) -> None:
    folder = project(tmp_path, FAILING)
    assert run(folder, "-k", "passes").exit_code == ExitCode.DONE
    assert run(folder, "customers", "-k", "another").exit_code == ExitCode.RECORDS_FAILED
    assert run(folder, "-k", "no such words").exit_code == ExitCode.UNUSABLE
    assert run(folder, "custmers").exit_code == ExitCode.UNUSABLE


def many(cases: str) -> str:
    """So many cases that processes share them: the same ones, again and again."""
    head, listed = cases.split("cases:\n")
    again = (listed.replace("- name: ", f"- name: {n} ") for n in range(3))
    return head + "cases:\n" + "".join(again)


def test_processes_that_share_the_cases_tell_the_same_as_one(tmp_path: Path) -> None:
    folder = project(tmp_path, many(FAILING))
    alone, shared = (run(folder, "--jobs", jobs) for jobs in ("1", "3"))
    assert alone.exit_code == shared.exit_code == ExitCode.RECORDS_FAILED
    assert "15 of 18 cases failed" in shared.stdout
    assert shared.stdout == alone.stdout


def test_what_a_process_cannot_play_is_told_as_any_error(tmp_path: Path) -> None:
    mapping = MAPPING + "  - {nav: Blocked, crm: createdon, direction: nav -> crm}\n"
    folder = project(tmp_path, many(FAILING), mapping)
    alone, shared = (run(folder, "--jobs", jobs) for jobs in ("1", "3"))
    assert alone.exit_code == shared.exit_code == ExitCode.UNUSABLE
    assert "customers.yaml:10:5: 'createdon' is read-only" in shared.stderr
    assert shared.stderr == alone.stderr


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ("test: customers\ncases: []\n", "it is empty — the cases"),
        ("test: customers\n", "'cases' is missing"),
        (
            "test: custmers\ncases:\n  - {name: a, given: {nav: [{Name: x}]}, expect: {nav: []}}\n",
            "customers.test.yaml:1:7: there is no mapping 'custmers' — did you mean 'customers'?",
        ),
        (
            "test: customers\ncases: [{name: a, given: {nav: [{Nmae: x}]}, expect: {crm: []}}]\n",
            "'Nmae'",
        ),
        (
            "test: customers\ncases: [{name: a, given: {nvv: [{Name: x}]}, expect: {nav: []}}]\n",
            "unknown key 'nvv' — did you mean 'nav'?",
        ),
        (
            "test: customers\ncases:\n  - {name: a, given: {nav: [{Name: x}]}, expect: {}}\n",
            "at least one thing",
        ),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, cases: str, message: str) -> None:
    result = run(project(tmp_path, cases))
    assert result.exit_code == ExitCode.UNUSABLE
    assert "mappings/customers.test.yaml:" in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_the_language_is_played_as_it_is_run(tmp_path: Path) -> None:
    mapping = MAPPING + (
        '  - {nav: Search_Name, crm: description, transform: {crm: [{prepend: "NAV "}]}}\n'
        "  - {nav: ContactName, crm: {join: [telephone2, telephone3], rest: first}}\n"
        "defaults:\n  crm: [{when: \"Name == 'Alpha'\", set: {sic: A}}, {set: {sic: B}}]\n"
    )
    cases = """test: customers
every:
  crm: {customertypecode: 3}
cases:
  - name: what changes on its way
    given: {nav: [{"No": "10", Name: Alpha, Search_Name: ALPHA, ContactName: Ann Bo Lee}]}
    expect:
      crm: [{description: NAV ALPHA, telephone2: Ann Bo, telephone3: Lee, sic: A}]
  - name: and back
    given:
      coupled: [{nav: {"No": "10", Name: Alpha}, crm: {accountid: a, name: Alpha}}]
      changed: {crm: {a: {description: NAV X, telephone3: Lee}}}
    expect: {nav: [{"No": "10", Search_Name: X, ContactName: Lee}]}
"""
    result = run(project(tmp_path, cases, mapping))
    assert result.exit_code == ExitCode.DONE, result.stdout


def test_all_cases_that_are_shipped_pass(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    result = made.run("test")
    assert result.exit_code == ExitCode.DONE, result.stdout
    assert "All 155 cases passed." in result.stdout


def test_so_do_those_of_the_warehouse(tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    shutil.copytree(EXAMPLES / "warehouse", folder, ignore=shutil.ignore_patterns(".sync-run"))
    result = run(folder)
    assert result.exit_code == ExitCode.DONE, result.stdout
    assert "products" in result.stdout
