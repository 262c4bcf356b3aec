"""The three-way verdict as a table, and the law that it has no favourite side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Direction, Drift, UpdateConflict
from runner.wire import FieldType, Type
from tests.compile.judging import NOTHING, compiled, judged

BOTH, TO_RIGHT, TO_LEFT = Direction.BOTH, Direction.TO_RIGHT, Direction.TO_LEFT
MIRROR = {"to left": "to right", "to right": "to left"}


@pytest.mark.parametrize(
    ("direction", "left", "right", "base", "expected"),
    [
        pytest.param(BOTH, "A", "A", "A", "unchanged", id="nothing moved"),
        pytest.param(BOTH, "B", "A", "A", "to right", id="left moved"),
        pytest.param(BOTH, "A", "B", "A", "to left", id="right moved"),
        pytest.param(BOTH, "B", "B", "A", "converged", id="both moved alike"),
        pytest.param(BOTH, "B", "C", "A", "conflict", id="both moved apart"),
        pytest.param(BOTH, None, "A", "A", "to right", id="left was emptied"),
        pytest.param(BOTH, "A", "B", ("A", "B"), "unchanged", id="settled apart"),
        pytest.param(BOTH, "A", "A", NOTHING, "converged", id="new, the same"),
        pytest.param(BOTH, "A", None, NOTHING, "to right", id="new, right blank"),
        pytest.param(BOTH, "A", "B", NOTHING, "conflict", id="new, different"),
        pytest.param(BOTH, None, None, NOTHING, "unchanged", id="new, both blank"),
        pytest.param(TO_RIGHT, "B", "A", "A", "to right", id="one way, source moved"),
        pytest.param(TO_RIGHT, "A", "B", "A", "to right", id="one way, target drifted"),
        pytest.param(TO_RIGHT, "B", "C", "A", "to right", id="one way, both moved"),
        pytest.param(TO_RIGHT, None, "B", NOTHING, "converged", id="one way, new, source blank"),
        pytest.param(TO_RIGHT, "A", "B", NOTHING, "to right", id="one way, new, different"),
        pytest.param(TO_LEFT, "A", "B", "A", "to left", id="other way, source moved"),
        pytest.param(TO_LEFT, "B", "B", "A", "converged", id="other way, the same by itself"),
    ],
)
def test_verdict(direction: Direction, left: Any, right: Any, base: Any, expected: str) -> None:
    assert judged(compiled(direction), left, right, base)["verdict"] == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (UpdateConflict.FAIL, "conflict"),
        (UpdateConflict.PREFER_LEFT, "to right"),
        (UpdateConflict.PREFER_RIGHT, "to left"),
    ],
)
def test_a_policy_decides_a_conflict(policy: UpdateConflict, expected: str) -> None:
    assert judged(compiled(conflict=policy), "B", "C", "A")["verdict"] == expected


def test_drift_may_be_reported() -> None:
    assert judged(compiled(TO_RIGHT, drift=Drift.REPORT), "A", "B", "A")["verdict"] == "drift"
    assert judged(compiled(TO_RIGHT, drift=Drift.REPORT), "B", "C", "A")["verdict"] == "to right"


TEXT20 = FieldType(name="x", type=Type.TEXT, max_length=3)
CODE = FieldType(name="x", type=Type.CODE, max_length=10)
TEXT = FieldType(name="y", type=Type.TEXT, max_length=160)
MONEY = FieldType(name="y", type=Type.DECIMAL, scale=2)
DECIMAL = FieldType(name="x", type=Type.DECIMAL)


@pytest.mark.parametrize(
    ("left", "right", "values", "base", "verdict", "new"),
    [
        pytest.param(TEXT20, TEXT, ("ABC", "ABCDEF"), NOTHING, "converged", None, id="cut alike"),
        pytest.param(
            TEXT20, TEXT, ("ABX", "ABCDEF"), ("ABC", "ABCDEF"), "to right", "ABX", id="longer"
        ),
        pytest.param(CODE, TEXT, ("AB", " ab "), NOTHING, "converged", None, id="code is trimmed"),
        pytest.param(CODE, TEXT, ("AB", "cd "), ("AB", "AB"), "to left", "CD", id="text to code"),
        pytest.param(
            DECIMAL, MONEY, (Decimal("1.005"), Decimal("1.01")), NOTHING, "converged", None,
            id="rounded alike",
        ),
        pytest.param(
            DECIMAL, MONEY, (Decimal("-2.345"), Decimal(0)), (Decimal(0), Decimal(0)),
            "to right", "-2.35", id="half away from zero",
        ),
    ],
)  # fmt: skip
def test_what_both_sides_can_keep(
    left: FieldType,
    right: FieldType,
    values: tuple[Any, Any],
    base: Any,
    verdict: str,
    new: str | None,
) -> None:
    found = judged(compiled(left=left, right=right), values[0], values[1], base)
    assert (found["verdict"], found["new"]) == (verdict, new)


def test_what_a_side_cannot_keep_is_an_error_with_its_reason() -> None:
    found = judged(compiled(left=TEXT20, right=TEXT), "ABC", "XYZW", ("ABC", "ABC"))
    assert (found["verdict"], found["reason"]) == ("error", "y is 4 characters long, L.x keeps 3")


VALUES = st.sampled_from(["A", "B", "C", None])
SYMMETRIC = compiled()


@given(left=VALUES, right=VALUES, base=st.one_of(VALUES, st.just(NOTHING)))
def test_turned_around_the_answer_is_the_mirror_image(left: Any, right: Any, base: Any) -> None:
    answer = judged(SYMMETRIC, left, right, base)["verdict"]
    assert judged(SYMMETRIC, right, left, base)["verdict"] == MIRROR.get(answer, answer)
