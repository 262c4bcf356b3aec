"""Couplings by hand, in sets: what is made, what clashes, what is found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner.state import held, pairs, runs
from runner.state.pairs import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Any]:
    with held(tmp_path / "state.duckdb", "test") as store, store.opened() as state:
        pairs.couple(state, wanted(("m", "1", "a"), ("m", "2", "b"), ("n", "1", "b")))
        yield state


def wanted(*told: tuple[str, str, str]) -> list[Wanted]:
    return [
        Wanted(line=line, mapping=mapping, left_key=left, right_key=right)
        for line, (mapping, left, right) in enumerate(told, start=1)
    ]


@pytest.mark.parametrize(
    ("told", "made", "there", "clashes"),
    [
        pytest.param([("m", "3", "c")], 1, 0, [], id="new"),
        pytest.param([("m", "1", "a")], 0, 1, [], id="there"),
        pytest.param([("m", "3", "c"), ("m", "3", "c")], 1, 0, [], id="wanted twice"),
        pytest.param([("n", "2", "a")], 1, 0, [], id="the same keys in another mapping"),
        pytest.param([("m", "1", "c")], 0, 0, [(1, ("1", "a"), 0)], id="left is taken"),
        pytest.param([("m", "3", "a")], 0, 0, [(1, ("1", "a"), 0)], id="right is taken"),
        pytest.param([("m", "1", "b")], 0, 0, [(1, ("1", "a"), 0)], id="both are taken"),
        pytest.param(
            [("m", "3", "c"), ("m", "3", "d"), ("m", "4", "c")],
            0,
            0,
            [(2, ("3", "c"), 1), (3, ("3", "c"), 1)],
            id="taken by an earlier line",
        ),
        pytest.param(
            [("m", "3", "c"), ("m", "2", "d")],
            0,
            0,
            [(2, ("2", "b"), 0)],
            id="one that cannot be holds back all",
        ),
    ],
)
def test_couple(
    state: Any,
    told: list[tuple[str, str, str]],
    made: int,
    there: int,
    clashes: list[tuple[int, tuple[str, str], int]],
) -> None:
    before = state.execute("FROM state.main.coupling ORDER BY ALL").fetchall()
    serial = runs.identity(state)[1]
    done = pairs.couple(state, wanted(*told))
    assert (done.made, done.there) == (made, there)
    assert [(c.wanted.line, c.held, c.first) for c in done.clashes] == clashes
    after = state.execute("FROM state.main.coupling ORDER BY ALL").fetchall()
    assert len(after) == len(before) + made
    assert set(before) <= set(after)
    assert runs.identity(state)[1] == serial + bool(made), "plans become stale by what was done"


def test_a_dry_run_makes_nothing(state: Any) -> None:
    before = state.execute("FROM state.main.coupling").fetchall(), runs.identity(state)
    assert pairs.couple(state, wanted(("m", "3", "c")), dry_run=True).made == 1
    assert (state.execute("FROM state.main.coupling").fetchall(), runs.identity(state)) == before


def test_uncoupled_pairs_are_gone_and_so_is_their_base(state: Any) -> None:
    state.execute("CREATE TABLE state.base.m (left_key VARCHAR, right_key VARCHAR, name VARCHAR)")
    state.execute("INSERT INTO state.base.m VALUES ('1', 'a', 'A'), ('2', 'b', 'B')")
    serial = runs.identity(state)[1]
    assert pairs.coupled(state, "m", ["1", "b", "nowhere"]) == (("1", "a"), ("2", "b"))
    pairs.uncouple(state, "m", pairs.coupled(state, "m", ["a"]))
    assert pairs.coupled(state, "m", None) == (("2", "b"),)
    assert state.execute("SELECT name FROM state.base.m").fetchall() == [("B",)]
    assert pairs.coupled(state, "n", None) == (("1", "b"),)
    assert runs.identity(state)[1] == serial + 1


@pytest.mark.parametrize(
    ("search", "found"),
    [
        pytest.param("", ["1", "2"], id="all"),
        pytest.param("ALP", ["1"], id="a label, whatever its case"),
        pytest.param("b", ["2"], id="a key of the right"),
        pytest.param("%", [], id="no wildcards"),
    ],
)
def test_listed(state: Any, search: str, found: list[str]) -> None:
    state.execute("CREATE TABLE state.base.m (left_key VARCHAR, right_key VARCHAR, name VARCHAR)")
    state.execute("INSERT INTO state.base.m VALUES ('1', 'a', 'Alpha')")
    state.execute("INSERT INTO state.main.base_column VALUES ('m', 'name', 'x')")
    labels = {"m": ("other", "name")}
    totals, told = pairs.listed(state, labels, search=search)
    assert [pair.left_key for pair in told] == found
    assert totals == ({"m": len(found)} if found else {})
    assert [pair.label for pair in told if pair.left_key == "1"] == ["Alpha"] * ("1" in found)
    first = pairs.listed(state, labels, search=search, limit=1)
    assert (first[0], [pair.left_key for pair in first[1]]) == (totals, found[:1])
