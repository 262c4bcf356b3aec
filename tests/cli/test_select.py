"""What was typed about a run becomes a selection, or an error that says what to type."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner.cli.select import left_out, selected
from runner.errors import RunnerError
from runner.model import Condition, Selection
from tests.cli.small import Small
from tests.world import AGENTS, CUSTOMERS, world

if TYPE_CHECKING:
    from pathlib import Path

    from runner.model import Project

ORDERS = replace(CUSTOMERS, name="orders", depends_on=("customers",))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return world(tmp_path, AGENTS, CUSTOMERS, ORDERS).project


@pytest.mark.parametrize(
    ("names", "options", "expected"),
    [
        pytest.param(
            [], {}, Selection(mappings=("agents", "customers", "orders")), id="everything"
        ),
        pytest.param(["customers"], {}, Selection(mappings=("customers",)), id="alone"),
        pytest.param(
            ["orders"],
            {"dependencies": True},
            Selection(mappings=("agents", "customers", "orders")),
            id="what they need, and what that looks up, in order",
        ),
        pytest.param(
            ["customers"],
            {"records": ["10", "20", "10"], "prefer": "desk"},
            Selection(mappings=("customers",), records=("10", "20"), prefer="desk"),
            id="records, each once",
        ),
        pytest.param(
            ["customers"],
            {"where": "shop: Name == 'a: b'", "direction": "shop->desk"},
            Selection(
                mappings=("customers",),
                where=Condition(system="shop", text="Name == 'a: b'"),
                to="desk",
            ),
            id="a condition with a colon, one way",
        ),
    ],
)
def test_selected(
    project: Project, names: list[str], options: dict[str, Any], expected: Selection
) -> None:
    assert selected(project, names, **options) == expected


@pytest.mark.parametrize(
    ("names", "options", "what", "hint"),
    [
        (["custmers"], {}, "there is no mapping 'custmers'", "did you mean 'customers'?"),
        ([], {"records": ["10"]}, "--record is about one mapping", "--record 10000"),
        (["customers"], {"records": ["10"], "dependencies": True}, "--record is about", "name"),
        (["customers"], {"records": ["10"], "where": "shop: A"}, "goes without --where", "name"),
        (["customers"], {"prefer": "shop"}, "--prefer is for some records", "`conflict:`"),
        (
            ["customers"],
            {"records": ["10"], "prefer": "shp"},
            "there is no system 'shp'",
            "did you mean 'shop'?",
        ),
        (["customers"], {"where": "Name == 'x'"}, "does not say which system", "nav: City"),
        (["customers"], {"where": "stop: Name"}, "there is no system 'stop'", "'shop'"),
        (["customers"], {"direction": "shop"}, "--direction 'shop' is none", "'shop -> desk'"),
        (["customers"], {"direction": "shop -> shop"}, "is none", "the other way round"),
        (["customers"], {"direction": "shop -> desc"}, "no system 'desc'", "'desk'"),
        (
            ["customers"],
            {"where": "records: Name"},
            "--where: mapping customers is between shop and desk, not about records",
            "name the mappings",
        ),
    ],
)
def test_what_cannot_be_selected(
    project: Project, names: list[str], options: dict[str, Any], what: str, hint: str
) -> None:
    with pytest.raises(RunnerError) as caught:
        selected(project, names, **options)
    assert what in str(caught.value)
    assert hint in caught.value.hint


def test_a_record_is_planned_saved_and_applied(tmp_path: Path) -> None:
    made = Small(tmp_path)
    saved = str(tmp_path / "one.plan")
    told = made.run("plan", "people", "--record", "4", "--out", saved, "--json")
    document = json.loads(told.stdout)
    assert document["selection"]["records"] == ["4"]
    assert [a["keys"]["shop"] for a in document["mappings"][0]["actions"]] == ["4"]
    for words in (["--record", "1"], ["--where", "shop: name"], ["--direction", "shop -> depot"]):
        refused = made.run("apply", saved, *words)
        assert (refused.exit_code, "is a saved plan" in refused.stderr) == (1, True)
    done = made.run("apply", saved, "--json")
    assert json.loads(done.stdout)["report"]["counters"]["people"]["inserted"] == 1
    (line,) = (tmp_path / "depot" / "persons.csv").read_text().splitlines()[6:]
    assert line.endswith(",Tom,44")


@pytest.mark.parametrize(
    ("names", "records", "reason", "said"),
    [
        (("customers",), (), "Agent 'JO' is not coupled (mapping agents)", "agents"),
        (
            ("orders",),
            (),
            "Of 'JO' is not coupled (mapping customers or agents)",
            "agents, customers",
        ),
        (("agents", "customers"), (), "Agent 'JO' is not coupled (mapping agents)", ""),
        (("customers",), ("10",), "Agent 'JO' is not coupled (mapping agents)", ""),
        (("customers",), (), "both sides changed", ""),
        (("customers",), (), None, ""),
    ],
)
def test_what_findings_refer_to_and_the_plan_lacks_is_said(
    project: Project, names: tuple[str, ...], records: tuple[str, ...], reason: str, said: str
) -> None:
    plan = {"mappings": [{"actions": [{"reason": reason}]}]}
    told = left_out(project, Selection(mappings=names, records=records), plan)
    expected = f"  hint: left out of this plan: {said}; --with-dependencies takes them along"
    assert told == (expected if said else "")
