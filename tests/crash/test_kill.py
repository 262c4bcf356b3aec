"""kill -9 in the middle of an apply, several times in a row: nothing is doubled, nothing lost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.crash.catalogue import KINDS
from tests.crash.child import killed
from tests.crash.images import restored, taken
from tests.crash.test_matrix import finished, laid, must_be_sound, must_be_the_same

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crash.images import Image
    from tests.crash.kinds import Census, Kind

KILLS = 55
"""Random kills of one kind: more than a thousand in all."""
IN_A_ROW = 5
SHORT = ("both ways, created", "Dataverse $batch, changed")


class Disturbed:
    """A kind at the moment before a run, and what that run comes to if nobody disturbs it."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        laid(kind, folder)
        self._before: Image = taken(folder)
        self.points: list[str] = []
        kind.apply(folder, self.points.append)
        finished(kind, folder)
        self._wanted: Census = kind.census(folder)

    def killed(self, *places: int) -> int:
        """Kill one run after the other, each at a point; end undisturbed; count the kills."""
        restored(self.folder, self._before)
        count = 0
        for place in places:
            if not killed(self.kind, self.folder, place):
                break
            count += 1
        finished(self.kind, self.folder)
        must_be_the_same(self.kind, self.folder, self._wanted, f"killed at {places[:count]}")
        must_be_sound(self.kind, self.folder)
        return count


@pytest.mark.parametrize("kind", [k for k in KINDS if k.name in SHORT], ids=lambda k: k.name)
def test_killed_where_a_system_acted_and_nobody_heard_of_it(kind: Kind, tmp_path: Path) -> None:
    disturbed = Disturbed(kind, tmp_path)
    acted = [n for n, point in enumerate(disturbed.points, 1) if " acted on " in point]
    writes = [n for n in acted if "GET" not in disturbed.points[n - 1]]
    assert disturbed.killed(writes[0], writes[-1]) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_killed_at_random(kind: Kind, tmp_path: Path) -> None:
    disturbed = Disturbed(kind, tmp_path)
    dice = random.Random(kind.name)  # noqa: S311 - to be repeated, not to be secret
    kills = 0
    while kills < KILLS:
        places = [dice.randint(1, len(disturbed.points)) for _ in range(IN_A_ROW)]
        kills += disturbed.killed(*places)
