"""Couplings of Microsoft's own integration, taken over from exports of its tables."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from runner.errors import ExitCode
from tests.cli.quickstart import REPOSITORY, Quickstart, quickstart

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = REPOSITORY / "examples" / "howto" / "migration"
COUPLINGS, RECORDS = str(SAMPLE / "5331.csv"), str(SAMPLE / "5151.csv")
NAV = ("--records", RECORDS, "--table", "18=customers", "--table", "13=salespeople")


@pytest.fixture
def nav(tmp_path: Path) -> Quickstart:
    return quickstart(tmp_path)


@pytest.fixture
def bc(tmp_path: Path) -> Quickstart:
    place = tmp_path / "examples" / "business-central"
    shutil.copytree(REPOSITORY / "examples" / "business-central", place)
    shutil.copytree(REPOSITORY / "mappings", tmp_path / "mappings")
    return Quickstart(place)


def pairs(made: Quickstart, *names: str) -> dict[str, list[tuple[str, str]]]:
    told = json.loads(made.run("couplings", *names, "--json").stdout)
    return {
        mapping["mapping"]: [(pair["left"], pair["right"]) for pair in mapping["couplings"]]
        for mapping in told["mappings"]
        if mapping["couplings"]
    }


def test_of_nav_by_its_integration_records(nav: Quickstart) -> None:
    would = nav.run("couplings", "import", COUPLINGS, *NAV, "--dry-run")
    assert would.stdout == "19 would be coupled, 0 are coupled already.\n"
    assert would.stderr == "Left out: 1 of table 5092, 1 whose record is deleted.\n"
    assert pairs(nav) == {}
    done = nav.run("couplings", "import", COUPLINGS, *NAV)
    assert done.stdout == "Coupled 19, 0 are coupled already.\n"
    found = pairs(nav)
    assert {name: len(them) for name, them in found.items()} == {"salespeople": 7, "customers": 12}
    assert ("10000", "6af9ead1-a860-56ff-92c0-c8aa7e776a0b") in found["customers"]
    again = nav.run("couplings", "import", COUPLINGS, *NAV)
    assert again.stdout == "Coupled 0, 19 are coupled already.\n"
    (customers,) = nav.plan("customers")["mappings"]
    assert customers["counts"]["couple"] == 89 - 12


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        (("CRM ID", "Integration ID", "Table ID"), ","),
        (("CRM_ID", "Integration_ID", "Table_ID"), "\t"),
    ],
    ids=["as the client exports it", "as a published page names it"],
)
def test_of_business_central_by_ids(
    bc: Quickstart, head: tuple[str, ...], delimiter: str, tmp_path: Path
) -> None:
    matched = [a for a in bc.actions("customers", "couple") if a["keys"]["bc"]]
    (ours,) = [(a["keys"]["bc"], a["keys"]["crm"]) for a in matched]
    rows = [head, (f"{{{ours[1].upper()}}}", f"{{{ours[0].upper()}}}", "18")]
    file = tmp_path / "5331.csv"
    text = "".join(f"{delimiter.join(row)}\r\n" for row in rows)
    file.write_text(text, encoding="utf-16" if delimiter == "\t" else "utf-8-sig", newline="")
    done = bc.run("couplings", "import", str(file), "--table", "18=customers")
    assert (done.stdout, done.stderr) == ("Coupled 1, 0 are coupled already.\n", "")
    assert pairs(bc) == {"customers": [ours]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((COUPLINGS,), "goes with --table 18=customers"),
        ((COUPLINGS, "--table", "18=customers"), "export table 5151 (Integration Record)"),
        ((COUPLINGS, "--table", "customers"), "write --table 18=customers"),
        ((COUPLINGS, "--table", "18=custmers"), "did you mean 'customers'?"),
        ((COUPLINGS, "--table", "7002=sales-prices"), "`sync-run couple sales-prices --match`"),
        ((COUPLINGS, "--records", RECORDS), "--records goes with --table"),
        ((RECORDS, *NAV), "5151.csv:1:1: no column 'CRM ID'"),
        (
            (COUPLINGS, "--records", COUPLINGS, "--table", "18=customers"),
            "5331.csv:1:1: no column 'Record ID'",
        ),
        (("half.csv", *NAV), "half.csv:2:1: 'CRM ID' is blank"),
        (("gone.csv", *NAV), "gone.csv:2:1: crm has no accounts 'ffffffff-0000-4000-8000-"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_taken_over_is_said_and_nothing_is_coupled(
    nav: Quickstart, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(nav.folder)
    (cannon,) = [
        line.split(";")[2]
        for line in (SAMPLE / "5151.csv").read_text("utf-8").splitlines()
        if ": 10000;" in line
    ]
    for name, crm in (("half", ""), ("gone", "{FFFFFFFF-0000-4000-8000-000000000000}")):
        text = f"CRM ID;Integration ID\n{crm};{cannon}\n"
        (nav.folder / f"{name}.csv").write_text(text, encoding="utf-8")
    told = nav.run("couplings", "import", *words)
    assert said in told.stderr
    assert told.exit_code == ExitCode.UNUSABLE
    assert pairs(nav) == {}
