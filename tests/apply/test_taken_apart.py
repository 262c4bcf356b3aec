"""A value that is taken apart: every part is as good a value as one that travels whole."""

# Rules are tables: one case, one line.
# ruff: noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.apply.test_language import MAPPING, account, made, reasons

if TYPE_CHECKING:
    from pathlib import Path

JOINED = "{shop: Name, desk: {join: [first, last]}}"
COUNTED = (
    "{{shop: Name, desk: {{compute: \"join(' ', [first, to_string(count)])\", "
    "reverse: {{first: \"split(value, ' ')[0]\", count: \"split(value, ' ')[1]\"}}}}{}}}"
)
SHORT = "{{shop: Name, desk: {{join: [short, last]}}{}}}"


@pytest.mark.parametrize(
    ("entry", "good", "bad", "reason"),
    [
        (COUNTED.format(""), "a 7", "a b", "Name: 'b' is no integer (count)"),
        (COUNTED.format(", blank: keep"), "a 7", "a b", "Name: 'b' is no integer (count)"),
        (SHORT.format(""), "Ann Lee", "Annabel Lee", "a part of Name is 7 characters long, accounts.short keeps 5"),
    ],
)  # fmt: skip
def test_a_part_that_has_no_form_is_an_error_of_its_record(
    tmp_path: Path, entry: str, good: str, bad: str, reason: str
) -> None:
    world = made(tmp_path, entry)
    world.shop.put("Customer", "1", Name=bad)
    for _ in range(2):
        assert reasons(world.apply()) == [reason]
        assert not world.desk.rows.get("accounts")
    world.shop.put("Customer", "1", Name=good)
    assert world.apply().kinds() == [("customers", "create", "desk")]
    held = dict(account(world))
    world.shop.put("Customer", "1", Name=bad)
    for _ in range(2):
        assert reasons(world.apply()) == [reason]
        assert account(world) == held


def test_a_part_is_cut_where_the_field_says_so(tmp_path: Path) -> None:
    world = made(tmp_path, SHORT.format(", too_long: truncate"))
    world.shop.put("Customer", "1", Name="Annabel Lee")
    world.apply()
    assert (account(world)["short"], account(world)["last"]) == ("Annab", "Lee")
    assert world.apply().kinds() == []
    world.shop.put("Customer", "1", Name="Annabella Leigh")
    assert world.apply().kinds() == [("customers", "update", "desk")]
    assert (account(world)["short"], account(world)["last"]) == ("Annab", "Leigh")
    assert world.apply().kinds() == []


@pytest.mark.parametrize("rest", ["", ", rest: first"])
@pytest.mark.parametrize(
    "name", ["   ", " ", " Ann", "Ann ", "Ann", "Ann  Lee", "Ann Bo  Lee ", "\u00a0", "Ann\tLee"]
)
def test_what_cannot_be_put_together_again_is_left_alone(
    tmp_path: Path, name: str, rest: str
) -> None:
    world = made(tmp_path, f"{{shop: Name, desk: {{join: [first, last]{rest}}}}}")
    world.shop.put("Customer", "1", Name=name)
    world.apply()
    assert world.apply().kinds() == []
    assert world.shop.rows["Customer"]["1"]["Name"] == name


@pytest.mark.parametrize(
    ("wins", "name", "expected"),
    [
        ("", "Ann Lee", ("Ann", "Lee")),
        ("", "Ann", ("Ann", "Y")),
        ("", None, ("X", "Y")),
        (", wins: true", "Ann Lee", ("X", "Y")),
        (", wins: true", None, ("X", "Y")),
    ],
)
def test_a_template_fills_a_part_as_it_fills_a_field(
    tmp_path: Path, wins: str, name: str | None, expected: tuple[Any, Any]
) -> None:
    text = f"defaults: {{desk: [{{set: {{first: X, last: Y}}{wins}}}]}}\n" + MAPPING
    world = made(tmp_path, JOINED, mapping=text)
    world.shop.put("Customer", "1", Name=name)
    world.apply()
    assert (account(world)["first"], account(world)["last"]) == expected
    assert world.apply().kinds() == []
    assert world.shop.rows["Customer"]["1"].get("Name") == name


def test_a_literal_that_looks_like_what_stands_for_the_value_is_one(tmp_path: Path) -> None:
    first = "join('', ['\\\"value\\\" ', split(value, ' ')[0]])"
    made_of = f'{{compute: "join(\' \', [first, last])", reverse: {{first: "{first}"}}}}'
    world = made(tmp_path, f"{{shop: Name, desk: {made_of}, direction: shop -> desk}}")
    world.shop.put("Customer", "1", Name="Ann Lee")
    world.apply()
    assert account(world)["first"] == '"value" Ann'
