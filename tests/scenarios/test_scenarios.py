"""What Microsoft's integration does, and we too, or not, and why: over both sandboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.play import Scenario, play, project, scenarios

if TYPE_CHECKING:
    from pathlib import Path

MICROSOFTS = {
    "A": (1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14),
    "B": (1, 2, 3, 4, 5, 6, 8, 9, 10, 13, 14),
    "C": (1, 2, 3, 4, 6, 9, 10, 11),
    "D": (3, 7, 8),
    "E": (4, 5, 6),
    "F": (1, 6, 7, 8, 9, 10, 11),
    "G": (1, 3, 4, 6, 7, 8, 10, 11, 14, 16, 17, 18, 19, 20),
    "H": (3, 5, 6, 8, 9),
    "I": (1, 5, 7),
}
"""The scenarios of Microsoft's own tests that we know of, by chapter."""
FEWEST = 100


@pytest.mark.parametrize(
    "scenario", [s for s in scenarios() if s.steps], ids=lambda scenario: scenario.id
)
def test_scenario(tmp_path: Path, scenario: Scenario) -> None:
    play(project(tmp_path, scenario), scenario)


def test_all_of_microsofts_are_there() -> None:
    wanted = {f"{chapter}{n}" for chapter, numbers in MICROSOFTS.items() for n in numbers}
    ids = [scenario.id for scenario in scenarios()]
    assert wanted <= set(ids), sorted(wanted - set(ids))
    assert len(ids) == len(set(ids)), "an id stands twice"


def test_what_is_not_played_says_what_stands_in_its_place() -> None:
    for scenario in scenarios():
        assert bool(scenario.steps) != bool(scenario.instead), scenario.id


def test_there_are_as_many_as_promised() -> None:
    assert sum(bool(scenario.steps) for scenario in scenarios()) >= FEWEST
