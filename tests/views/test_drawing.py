"""Widths, and what is made to fit them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.views.drawing import breadth, cut, padded, quoted, short_key, wrapped


@pytest.mark.parametrize(
    ("text", "width"),
    [
        pytest.param("Alpha", 5, id="letters"),
        pytest.param("東京", 4, id="wide"),
        pytest.param("e\u0301a", 2, id="combining"),
        pytest.param("👩‍👩‍👧", 2, id="one emoji of five code points"),
        pytest.param("🇩🇰", 2, id="a flag"),
        pytest.param("👍🏽", 2, id="a tone of skin"),
    ],
)
def test_breadth_is_what_a_terminal_shows(text: str, width: int) -> None:
    assert breadth(text) == width
    assert breadth(padded(text, 10)) == 10


@pytest.mark.parametrize(
    ("text", "width", "told"),
    [
        pytest.param("Alpha", 5, "Alpha", id="it fits"),
        pytest.param("Alphabet", 5, "Alph…", id="too long"),
        pytest.param("東京都", 5, "東京…", id="between wide letters"),
        pytest.param("👩‍👩‍👧👩‍👩‍👧", 3, "👩‍👩‍👧…", id="between emoji, not within"),
    ],
)
def test_cut(text: str, width: int, told: str) -> None:
    assert cut(text, width) == told


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 20))
def test_a_quoted_value_is_one_line_that_fits(value: str, width: int) -> None:
    told = quoted(value, width)
    assert len(told.splitlines()) == 1
    assert breadth(told) <= max(width, 2) + 2


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("10000", "10000"),
        ("6af9ead1-a860-56ff-92c0-c8aa7e776a0b", "6af9ead1…"),
        ("Item_No='1896-S',Sales_Code='O''Neil',Minimum_Quantity=0", "1896-S/O'Neil/0"),
        ("Item_No='1896-S',Sales_Code='A,B',Variant_Code=''", "1896-S/A,B"),
        ("a=b", "a=b"),
        ("x" * 50, "x" * 35 + "…"),
    ],
)
def test_short_keys(key: str, told: str) -> None:
    assert short_key(key) == told


def test_wrapped_breaks_between_words_alone() -> None:
    long = "6af9ead1-a860-56ff-92c0-c8aa7e776a0b"
    assert wrapped(f"two records: {long}, or none", 12) == ["two records:", f"{long},", "or none"]
