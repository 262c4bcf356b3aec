"""A whole company: into an empty Sales, edited on both sides at random, until nothing is left."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.quickstart import Quickstart
from tests.company.checker import looked_through, opened
from tests.company.rows import REAL, Company

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

SYNC = """systems:
  nav: {connector: nav, url: "sandbox:nav", company: CRONUS International Ltd., seed: data/nav}
  crm: {connector: dataverse, url: "sandbox:crm", seed: data/crm}
mappings: ["standard:nav-sales", mappings]
"""
CURRENT = """# Prices of the past have an end; a price list of Sales has one price for each unit.
extends: sales-prices
nav: {filter: "Sales_Type == 'Customer Price Group' && Sales_Code != '' && !Ending_Date"}
"""
MOST_RUNS = 3


@pytest.fixture(
    params=[
        pytest.param(Company("quickstart"), id="quickstart"),
        pytest.param(
            Company("CRONUS"),
            id="CRONUS",
            marks=pytest.mark.skipif(not REAL.is_dir(), reason="the real rows are not here"),
        ),
        pytest.param(
            Company("large", large=True),
            id="large",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not REAL.is_dir(), reason="the real rows are not here"),
            ],
        ),
    ]
)
def company(request: pytest.FixtureRequest, tmp_path: Path) -> Quickstart:
    request.param.seeds(tmp_path / "data")
    (tmp_path / "sync.yaml").write_text(SYNC, encoding="utf-8")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "prices.yaml").write_text(CURRENT, encoding="utf-8")
    return Quickstart(tmp_path)


def applied(company: Quickstart) -> dict[str, Any]:
    """Apply, and return the report."""
    result = company.run("apply", "--yes", "--json")
    assert result.exit_code in (0, 3), result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def until_empty(company: Quickstart) -> tuple[int, set[tuple[str, str]]]:
    """Apply until a plan is empty; return how often, and what is left to look at."""
    for count in range(MOST_RUNS + 1):
        plan = company.plan()
        if not plan["changes"]:
            return count, {
                (mapping["mapping"], action["keys"]["nav"])
                for mapping in plan["mappings"]
                for action in mapping["actions"]
            }
        applied(company)
    pytest.fail(f"after {MOST_RUNS} runs there is still something to do")


def seen(
    company: Quickstart,
    findings: set[tuple[str, str]],
    drifted: Collection[tuple[str, str]] = (),
) -> dict[str, int]:
    eye = opened(
        company.folder / ".sync-run" / "state.duckdb",
        lambda path: company.nav("GET", path),
        lambda path: company.crm("GET", path, Prefer="odata.maxpagesize=5000"),
    )
    return looked_through(eye, findings, drifted)


def edited(company: Quickstart, pairs: dict[str, dict[str, str]], dice: random.Random) -> None:
    """Edit, create and change hands on both sides; no field of a pair on both."""
    for page, mapping, fields in NAV_EDITS:
        for key in some(dice, pairs[mapping], 12):
            name = dice.choice(fields)
            value = told(dice, name)
            company.nav("PATCH", f"/{page}('{quoted(key)}')", {name: value}, **{"If-Match": "*"})
    for entity, mapping, names in CRM_EDITS:
        for key in some(dice, pairs[mapping], 12):
            body = {dice.choice(names): told(dice, "text")}
            guid = pairs[mapping][key]
            company.crm("PATCH", f"/{entity}({guid})", body, **{"If-Match": "*"})
    for n in range(5):
        company.nav("POST", "/Customer", {"Name": f"New in NAV {n}", "City": told(dice, "text")})
        account = {
            "name": f"New in Sales {n}",
            "customertypecode": 3,
            "fax": told(dice, "Phone_No"),
        }
        company.crm("POST", "/accounts", account)
    unit = dice.choice(list(pairs["unit-groups"]))
    for n in range(3):
        body = {"Description": f"New item {n}", "Base_Unit_of_Measure": unit, "Unit_Price": n + 0.5}
        company.nav("POST", "/Item", body)


NAV_EDITS = (
    ("Customer", "customers", ["Name", "City", "Phone_No", "Credit_Limit_LCY"]),
    ("Contact", "contacts", ["Surname", "City", "Mobile_Phone_No"]),
    ("Item", "items", ["Description", "Unit_Price", "Unit_Cost", "Blocked"]),
    ("Resource", "resources", ["Name", "Unit_Price", "Blocked"]),
    ("Opportunity", "opportunities", ["Description"]),
)
CRM_EDITS = (
    ("accounts", "customers", ["address1_line2", "fax", "websiteurl"]),
    ("contacts", "contacts", ["middlename", "pager", "address1_line2"]),
    ("transactioncurrencies", "currencies", ["currencyname"]),
)


def some(dice: random.Random, pairs: dict[str, str], count: int) -> list[str]:
    return dice.sample(sorted(pairs), min(count, len(pairs)))


def told(dice: random.Random, name: str) -> Any:
    if name == "Blocked":
        return dice.random() < 0.5
    if name in ("Unit_Price", "Unit_Cost", "Credit_Limit_LCY"):
        return round(dice.random() * 1000, 2)
    return f"{dice.choice(WORDS)} {dice.randrange(1000)}"


WORDS = ("Ørsted", "O'Brien & Søn", "東京", "Łódź", "plain", "50% [off]", '"quoted"', "a_b")


def quoted(key: str) -> str:
    return key.replace("'", "''").replace("/", "%2F").replace("#", "%23")


def pairs_of(company: Quickstart) -> dict[str, dict[str, str]]:
    eye = opened(
        company.folder / ".sync-run" / "state.duckdb",
        lambda path: company.nav("GET", path),
        lambda path: company.crm("GET", path, Prefer="odata.maxpagesize=5000"),
    )
    return eye.pairs


def seeds() -> Iterator[int]:
    yield from (20181, 20182)


def test_a_company_goes_over_is_edited_and_comes_to_rest(company: Quickstart) -> None:
    first = applied(company)
    runs, findings = until_empty(company)
    assert runs == 0, "the second run found something to do"
    counted = seen(company, findings)
    for mapping, counters in first["report"]["counters"].items():
        made = counters["inserted"] + counters["coupled"]
        assert counted.get(mapping, 0) == made, (
            f"{mapping}: {made} made, {counted.get(mapping)} pairs"
        )
    for seed in seeds():
        edited(company, pairs_of(company), random.Random(seed))  # noqa: S311
        _, findings = until_empty(company)
        seen(company, findings)
