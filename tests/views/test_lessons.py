"""Each error has an identifier, each identifier its section; reasons are known by phrases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner import errors
from runner.errors import RunnerError
from runner.model import Arrival, Side, Unresolved
from runner.views import lessons
from tests.cli.quickstart import REPOSITORY
from tests.world import CUSTOMERS, TO_LEFT, TO_RIGHT, field, mapping, pair, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECTIONS = lessons.sections((REPOSITORY / "schemas" / "errors.md").read_text(encoding="utf-8"))


def kinds(of: type[RunnerError]) -> Iterator[type[RunnerError]]:
    yield of
    for one in of.__subclasses__():
        yield from kinds(one)


def test_every_kind_of_error_has_a_section_of_its_own() -> None:
    ours = [kind for kind in kinds(RunnerError) if kind.__module__ == errors.__name__]
    named = [kind.lesson for kind in ours]
    assert len(set(named)) == len(named), "two kinds of error share a section"
    assert {*named, *lessons.KNOWN} == set(SECTIONS)


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_section_says_what_and_what_to_do(name: str) -> None:
    heading, _, text = SECTIONS[name].partition("\n")
    assert heading.startswith(f"{name} ")
    assert len(text) > 80


def test_reasons_are_known_by_what_plans_really_say(tmp_path: Path) -> None:
    made = world(tmp_path)
    made.shop.put("Customer", "10", Name="Deleted")
    made.shop.put("Customer", "11", Name="Both", Phone="1")
    made.apply()
    keys = {row["name"]: key for key, row in made.desk.rows["accounts"].items()}
    made.desk.remove("accounts", keys["Deleted"])
    made.shop.put("Customer", "11", Phone="2")
    made.desk.put("accounts", keys["Both"], phone="3")
    made.shop.put("Customer", "20", Name="Agentless", Agent="XX")
    made.shop.put("Customer", "21", Name="Twins")
    made.desk.put("accounts", "g1", name="Twins")
    made.desk.put("accounts", "g2", name="Twins")
    made.desk.put("accounts", "g3", name="A name of more than twenty letters")
    actions = made.plan().document["mappings"][1]["actions"]
    found = {action["keys"]["shop"]: action["id"] for action in actions if action["id"]}
    found |= {action["keys"]["desk"]: action["id"] for action in actions if action["id"]}
    assert found["10"] == "SR507"
    assert found["11"] == "SR500"
    assert found["20"] == "SR502"
    assert found["21"] == "SR506"
    assert found["g3"] == "SR504"


def test_values_are_known_by_what_plans_really_say(tmp_path: Path) -> None:
    listed = mapping(
        "listed",
        CUSTOMERS.left,
        CUSTOMERS.right,
        field("Name", "name", TO_RIGHT, values=(("A", "B"),)),
        field("Phone", "kind", TO_RIGHT, to_right=Arrival(unresolved=Unresolved.FAIL)),
        field("No", "number", TO_LEFT),
        create=frozenset({Side.RIGHT}),
        match=(pair("No", "number"),),
    )
    made = world(tmp_path, listed)
    made.shop.put("Customer", "1", Name="C", Phone="7")
    made.shop.put("Customer", "2", Name="A", Phone="seven")
    made.desk.put("accounts", "g1", number="1")
    actions = made.plan().document["mappings"][0]["actions"]
    found = {action["keys"]["shop"]: action["id"] for action in actions}
    assert found == {"1": "SR503", "2": "SR511"}


def test_own_words_of_an_author_are_no_phrase_of_ours() -> None:
    assert lessons.of_finding("error", "the unit group is inactive") == "SR509"
    assert lessons.of_finding("create", None) is None
