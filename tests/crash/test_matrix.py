"""Killed at any point, started again: nothing doubled, nothing lost, the state sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.crash.catalogue import KINDS
from tests.crash.images import Camera, Image, restored, taken

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crash.kinds import Census, Ended, Kind

MOST_RUNS = 4
"""Runs after which it should have come to its end."""


def laid(kind: Kind, folder: Path) -> None:
    """Bring a kind to where the run begins that dies."""
    folder.mkdir(exist_ok=True)
    kind.lay(folder)
    if kind.edited:
        assert not finished(kind, folder).failed
        kind.edit(folder)


def finished(kind: Kind, folder: Path) -> Ended:
    """Apply until there is nothing left to do."""
    for _ in range(MOST_RUNS):
        ended = kind.apply(folder)
        if not ended.changes:
            return ended
    pytest.fail(f"{kind.name}: after {MOST_RUNS} runs there is still something to do: {ended}")


def must_be_sound(kind: Kind, folder: Path) -> None:
    """Look at the state by SQL of its own: no write in doubt, no pair of what is not there."""
    with duckdb.connect(str(kind.state(folder)), read_only=True) as state:
        state.execute("SET TimeZone = 'UTC'")
        found = state.execute("SELECT * FROM journal WHERE outcome IS NULL").fetchall()
        assert not found, f"writes in doubt: {found}"
        pairs = state.execute("SELECT mapping, left_key, right_key FROM coupling").fetchall()
        for side in (1, 2):
            mine = [(pair[0], pair[side]) for pair in pairs]
            assert len(mine) == len(set(mine)), f"a record with two partners: {sorted(pairs)}"
        tables = state.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'base'"
        ).fetchall()
        for (name,) in tables:
            orphans = state.execute(
                f"""SELECT left_key, right_key FROM base."{name}"
                EXCEPT SELECT left_key, right_key FROM coupling WHERE mapping = ?""",
                [name],
            ).fetchall()
            assert not orphans, f"a base without its pair: {name} {orphans}"
    known = set().union(*kind.keys(folder).values()) if kind.keys(folder) else set()
    for mapping, *keys in pairs if known else ():
        assert known.issuperset(keys), f"{mapping}: a pair of what is not there: {keys}"


def resumed(kind: Kind, folder: Path, image: Image, point: str, wanted: Census) -> None:
    """Go on from what a killed run left, and compare with the run that nobody disturbed."""
    restored(folder, image)
    ended = finished(kind, folder)
    assert not ended.findings, f"{kind.name}, killed at {point}: {ended}"
    must_be_the_same(kind, folder, wanted, f"killed at {point}")
    must_be_sound(kind, folder)


def must_be_the_same(kind: Kind, folder: Path, wanted: Census, when: str) -> None:
    """Compare what both systems hold with what they hold after an undisturbed run."""
    found = kind.census(folder)
    for entity, records in wanted.items():
        more, less = found[entity] - records, records - found[entity]
        assert not more, f"{kind.name}, {when}: {entity} has {more} in place of {less}"
        assert not less, f"{kind.name}, {when}: {entity} lacks {less}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_killed_at_any_point_it_comes_to_the_same_end(kind: Kind, tmp_path: Path) -> None:
    laid(kind, tmp_path)
    camera = Camera(tmp_path)
    kind.apply(tmp_path, camera.at)
    finished(kind, tmp_path)
    wanted = kind.census(tmp_path)
    must_be_sound(kind, tmp_path)
    assert len(camera.images) > 5, "points that change nothing prove nothing"
    for point, image in camera.images.items():
        resumed(kind, tmp_path, image, point, wanted)
