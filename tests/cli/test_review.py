"""A review before a full synchronization: what it recommends, and that it changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runner.model import Side
from runner.views.review import Advice, advice
from tests.cli.small import Small, golden, shown

if TYPE_CHECKING:
    from pathlib import Path

LEFT, RIGHT = Side.LEFT, Side.RIGHT
SECOND = """mapping: visits
direction: shop -> depot
create: []
shop: {entity: visits, key: id}
depot: {entity: calls, key: id}
fields:
  - {shop: person, depot: person, lookup: people}
"""


@pytest.mark.parametrize(
    ("coupled", "matches", "ambiguous", "alone", "created", "expected"),
    [
        pytest.param(0, 0, 0, (0, 0), {LEFT, RIGHT}, Advice.NOTHING, id="nobody has any"),
        pytest.param(9, 0, 0, (0, 0), {LEFT, RIGHT}, Advice.COUPLED, id="all have a partner"),
        pytest.param(0, 0, 0, (9, 0), {RIGHT}, Advice.FULL, id="only one side has some"),
        pytest.param(9, 0, 0, (0, 1), {LEFT}, Advice.FULL, id="one side has some more"),
        pytest.param(0, 0, 0, (9, 0), {LEFT}, Advice.LEAVE, id="they are not created there"),
        pytest.param(0, 0, 0, (9, 9), {LEFT, RIGHT}, Advice.COUPLE, id="both have some"),
        pytest.param(0, 1, 0, (0, 0), {LEFT, RIGHT}, Advice.COUPLE, id="some match"),
        pytest.param(0, 0, 1, (0, 0), {LEFT, RIGHT}, Advice.COUPLE, id="some match several"),
        pytest.param(0, 0, 1, (9, 0), {RIGHT}, Advice.FULL, id="one of many is set aside"),
    ],
)
def test_advice(
    coupled: int,
    matches: int,
    ambiguous: int,
    alone: tuple[int, int],
    created: set[Side],
    expected: Advice,
) -> None:
    found = advice(
        coupled=coupled,
        matches=matches,
        ambiguous=ambiguous,
        uncoupled=dict(zip(Side, alone, strict=True)),
        created=created,
    )
    assert found is expected


def test_review(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    made = Small(tmp_path)
    (tmp_path / "mappings" / "visits.yaml").write_text(SECOND)
    (tmp_path / "shop" / "visits.csv").write_text("id,person\n7,1\n8,2\n")
    (tmp_path / "depot" / "calls.csv").write_text("id,person\n")
    before = made.records()
    first = made.run("review")
    json_first = json.loads(made.run("review", "people", "--json").stdout)
    assert made.run("couplings").stdout == "0 couplings.\n"
    made.run("couple", "people", "3", "C")
    made.run("apply", "people", "--yes")
    told = shown(first, made.run("review"), made.run("review", "visitors"))
    golden("review.txt", told, request)
    (people,) = json_first["mappings"]
    assert people == {
        "mapping": "people",
        "direction": "both",
        "left": {"system": "shop", "entity": "people"},
        "right": {"system": "depot", "entity": "persons"},
        "waits_for": [],
        "read": {"shop": 4, "depot": 5},
        "coupled": 0,
        "matches": 1,
        "ambiguous": 1,
        "uncoupled": {"shop": 2, "depot": 2},
        "created_in": ["shop", "depot"],
        "recommendation": "couple first",
        "command": "sync-run couple people --match --dry-run",
    }
    assert before != made.records(), "it is apply that writes"
