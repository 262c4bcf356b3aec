"""Killed at any point, started again: nothing doubled, nothing lost, the state sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.crash.catalogue import KINDS
from tests.crash.images import Camera, Image, restored

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


SHORT = {
    "both ways, created", "both ways, changed", "twins of a number series", "deleted: restore",
    "companions: ensure, comes_with, one_per, coupled_by", "second writes after a create",
    "tables and files", "Dataverse $batch, created", "Business Central JSON $batch",
}  # fmt: skip
"""Kinds that the short form tries."""


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(k, id=k.name, marks=[] if k.name in SHORT else [pytest.mark.slow])
        for k in KINDS
    ],
)
def test_killed_at_any_point_it_comes_to_the_same_end(
    kind: Kind, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The short form takes two points of each kind, the long form all that leave another trace."""
    laid(kind, tmp_path)
    camera = Camera(tmp_path)
    kind.apply(tmp_path, camera.at)
    finished(kind, tmp_path)
    wanted = kind.census(tmp_path)
    must_be_sound(kind, tmp_path)
    assert sum(map(len, wanted.values())) > 1, "records that are not there prove nothing"
    print(f"{kind.name}: {len(camera.points)} points, {len(camera.images)} traces")  # noqa: T201
    assert sum(point.startswith("state: after") for point in camera.points) > 20, "who is watched?"
    long = request.config.getoption("--long")
    for point in camera.images if long else worst(list(camera.images)):
        resumed(kind, tmp_path, camera.images[point], point, wanted)


def worst(points: list[str]) -> list[str]:
    """Choose where all was done and nobody heard of it, and where only a part is known."""
    last = max((n for n, point in enumerate(points) if _ACTED in point), default=len(points) - 1)
    first = next((n for n, point in enumerate(points) if _ACTED in point), 0)
    known = next((n for n, p in enumerate(points) if n > first and p.endswith("COMMIT")), 0)
    return [points[n] for n in dict.fromkeys((known, last))]


_ACTED = " acted on "
