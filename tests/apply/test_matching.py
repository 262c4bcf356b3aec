"""What is the same record: values of different types meet as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import SystemUnavailableError
from tests.apply.test_language import MAPPING, made

# ruff: noqa: E501

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a0000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("pair", "left", "right"),
    [
        ("{shop: Amount, desk: text}", {"Amount": Decimal("7.50")}, {"text": "7.5"}),
        ("{shop: Text, desk: amount}", {"Text": "7"}, {"amount": Decimal(7)}),
        ("{shop: Code, desk: amount}", {"Code": "7"}, {"amount": Decimal(7)}),
        ("{shop: Text, desk: moment}", {"Text": "2018-07-01T10:00:00Z"}, {"moment": datetime(2018, 7, 1, 10, tzinfo=UTC)}),
        ("{shop: Day, desk: text}", {"Day": date(2018, 7, 1)}, {"text": "2018-07-01"}),
        ("{shop: Open, desk: text}", {"Open": True}, {"text": "true"}),
        ("{shop: Count, desk: count, case: ignore}", {"Count": 7}, {"count": 7}),
        ("{shop: Count, desk: text, case: ignore}", {"Count": 7}, {"text": " 7 "}),
        ("{shop: Amount, desk: amount, case: ignore}", {"Amount": Decimal(7)}, {"amount": Decimal(7)}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mapped", ["", "tied"])
def test_values_of_different_types_are_matched(
    tmp_path: Path, pair: str, left: dict[str, Any], right: dict[str, Any], mapped: str
) -> None:
    text = MAPPING.replace('{shop: "No", desk: number}', pair, 1)
    tied = pair.replace(", case: ignore", "")
    world = made(tmp_path, *([tied] if mapped else []), mapping=text)
    world.shop.put("Customer", "1", **left)
    world.desk.put("accounts", KEY, number="1", **right)
    assert [kind for _, kind, _ in world.apply().kinds() if kind != "update"] == ["couple"]
    assert world.apply().kinds() == []


@pytest.mark.parametrize("direction", ["both", "shop -> desk", "desk -> shop"])
def test_a_day_is_matched_in_the_zone_of_its_field(tmp_path: Path, direction: str) -> None:
    text = MAPPING.replace('{shop: "No", desk: number}', "{shop: Day, desk: moment}", 1)
    entry = f"{{shop: Day, desk: moment, zone: Europe/Copenhagen, direction: {direction}}}"
    world = made(tmp_path, entry, mapping=text)
    world.shop.put("Customer", "1", Day=date(2018, 7, 1))
    world.shop.put("Customer", "2", Day=date(2018, 6, 30))
    world.desk.put("accounts", KEY, number="1", moment=datetime(2018, 6, 30, 22, tzinfo=UTC))
    assert [kind for _, kind, _ in world.apply().kinds()] == ["couple", "create"]
    assert {row["number"] for row in world.desk.rows["accounts"].values()} == {"1", "2"}
    assert world.apply().kinds() == []


def test_two_records_of_one_key_are_neither(tmp_path: Path) -> None:
    world = made(tmp_path, "{shop: Name, desk: name}")
    world.shop.put("Customer", "1", Name="Ann")
    world.apply()
    world.shop.put("Customer", "x", Name="Bo")
    world.shop.put("Customer", " X", Name="Cy")
    with pytest.raises(ExceptionGroup) as caught:
        world.apply()
    [told] = caught.value.exceptions
    assert isinstance(told, SystemUnavailableError)
    assert str(told).endswith("keys are one, written differently: ' X' and 'x'")
    assert [row["name"] for row in world.desk.rows["accounts"].values()] == ["Ann"]
    world.shop.remove("Customer", " X")
    world.apply()
    assert sorted(str(row["name"]) for row in world.desk.rows["accounts"].values()) == ["Ann", "Bo"]
    assert world.apply().kinds() == []
