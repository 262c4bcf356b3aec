"""Laws of the whole walk: it converges, a second run is empty, a crash changes nothing of it."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Side
from runner.wire import Write, WriteKind
from tests.world import World, world

if TYPE_CHECKING:
    from collections.abc import Callable


NAMES = st.sampled_from(["Alpha", "alpha", "Beta", "Gamma", "Delta", None])
PHONES = st.sampled_from(["1", "2", None])
EDITS = st.lists(
    st.one_of(
        st.tuples(
            st.just("shop"),
            st.sampled_from(["10", "20", "30", "N00001"]),
            st.fixed_dictionaries(
                {},
                optional={
                    "Name": NAMES,
                    "Phone": PHONES,
                    "Credit": st.sampled_from([Decimal(0), Decimal("1.005"), None]),
                    "Agent": st.sampled_from(["JO", "XX", None]),
                },
            ),
        ),
        st.tuples(
            st.just("desk"),
            st.sampled_from(["g1", "g2", "g3"]),
            st.fixed_dictionaries(
                {},
                optional={
                    "name": NAMES,
                    "phone": PHONES,
                    "credit": st.sampled_from([Decimal(9), None]),
                    "ownerid": st.sampled_from(["u1", "u2", None]),
                },
            ),
        ),
        st.tuples(st.just("remove"), st.sampled_from(["10", "g1", "g2"]), st.just({})),
    ),
    max_size=8,
)
Edit = tuple[str, str, dict[str, Any]]


def fresh(folder: str) -> World:
    made = world(Path(folder))
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    # Never deleted: a system that has nothing at all stops the run (see GuardError).
    made.shop.put("Customer", "99", Name="Anchor")
    return made


def edit(made: World, edits: list[Edit]) -> None:
    for side, key, values in edits:
        if side == "shop":
            made.shop.put("Customer", key, **values)
        elif side == "desk":
            made.desk.put("accounts", key, **values)
        elif key in made.shop.rows.get("Customer", {}):
            made.shop.remove("Customer", key)
        elif key in made.desk.rows.get("accounts", {}):
            made.desk.remove("accounts", key)


@given(first=EDITS, second=EDITS)
def test_after_any_edits_a_second_run_is_empty(first: list[Edit], second: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = fresh(folder)
        for edits in (first, second):
            edit(made, edits)
            made.apply()
            after = made.apply()
            assert after.document["changes"] == 0, after.kinds()


def agreed(made: World) -> list[tuple[Any, ...]]:
    """Every pair that no finding holds back, as both sides see it (by a checker of its own)."""
    shop = {
        row["No"]: (row["Name"], row.get("Phone"))
        for row in made.shop.rows.get("Customer", {}).values()
    }
    desk = {
        row["number"]: (row.get("name"), row.get("phone"))
        for row in made.desk.rows.get("accounts", {}).values()
        if row.get("number")
    }
    return [(key, shop.get(key), values) for key, values in desk.items()]


@given(
    edits=st.lists(
        st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from("xyz"), PHONES), max_size=6
    )
)
def test_without_conflicts_both_sides_hold_the_same(
    edits: list[tuple[bool, str, str, str | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = fresh(folder)
        made.apply()
        for left, key, name, phone in edits:
            if left:
                made.shop.put("Customer", key.upper(), Name=name + key, Phone=phone)
            else:
                # Another alphabet, so that nothing matches and nothing can clash.
                made.desk.put("accounts", f"g{key}", name=key + name + "!", phone=phone)
            made.apply()
        assert all(left == right for _, left, right in agreed(made))
        assert len(made.shop.rows.get("Customer", {})) == len(made.desk.rows.get("accounts", {}))


class Killed(BaseException):
    """The process died here."""


def dying(at: int) -> Callable[[Write], None]:
    """Kill the process at the n-th write."""
    writes = 0

    def die(_: Write) -> None:
        nonlocal writes
        writes += 1
        if writes == at:
            raise Killed

    return die


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("side", Side)
def test_killed_at_any_write_the_next_run_converges_without_a_duplicate(
    tmp_path: Path, side: Side, at: int, *, after: bool
) -> None:
    made = fresh(str(tmp_path))
    for n in range(3):
        made.shop.put("Customer", f"{n}0", Name=f"Left {n}", Phone=str(n), Agent="JO")
        made.desk.put("accounts", f"g{n}", name=f"Right {n}", phone=str(n))
    fake = made.shop if side is Side.LEFT else made.desk
    alive = fake.fails, fake.afterwards
    if after:
        fake.afterwards = dying(at)
    else:
        fake.fails = dying(at)
    try:
        made.apply()
    except* Killed:
        pass
    fake.fails, fake.afterwards = alive
    made.apply()
    assert made.apply().document["changes"] == 0
    assert len(made.shop.rows["Customer"]) == len(made.desk.rows["accounts"]) == 7
    creates = [w for w in (*made.shop.written, *made.desk.written) if w.kind is WriteKind.CREATE]
    assert len(creates) == 7
    assert all(left == right for _, left, right in agreed(made))
