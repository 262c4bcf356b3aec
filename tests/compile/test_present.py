"""Planning asks nothing about what is not there, and all there is otherwise."""

from __future__ import annotations

import pytest

from runner.compile import Present
from tests.compile.judging import compiled

MAPPING = compiled()


@pytest.mark.parametrize(
    ("statuses", "matched", "expected"),
    [
        pytest.param((), False, [], id="nothing moved"),
        pytest.param(("filtered left", "filtered"), False, [], id="all outside the filter"),
        pytest.param(("changed",), False, ["verdict", "actions"], id="a pair changed"),
        pytest.param((), True, ["verdict", "actions"], id="a pair was found"),
        pytest.param(("gone",), False, ["actions"], id="gone on both sides"),
        pytest.param(("deleted left",), False, ["actions"], id="deleted on one side"),
    ],
)
def test_what_is_not_there_is_not_asked_about(
    statuses: tuple[str, ...], expected: list[str], *, matched: bool
) -> None:
    present = Present(statuses=statuses, matched=matched, remembered=False)
    purposes = [s.purpose for s in MAPPING.deciding(present)]
    *asked, last = purposes
    assert last == "the base to be"
    assert [p for p in asked if any(word in p for word in expected)] == asked
    assert len(asked) == len(expected)


def test_records_of_one_side_alone_are_not_matched() -> None:
    [only] = MAPPING.matching({"free left": 1})
    assert only.purpose == "matches"
