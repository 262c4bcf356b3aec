"""A value that has no form on the other side is an error of its record, whatever the field says.

Neither the target is blanked nor the value forgotten: both happen once it can be carried over.
"""

# Rules are tables: one case, one line.
# ruff: noqa: E501

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.apply.test_language import account, made

if TYPE_CHECKING:
    from pathlib import Path

WAYS = [
    ("{shop: Text, desk: amount", {"Text": "2.5"}, {"Text": "many"}, {"Text": "4"}),
    ("{shop: Text, desk: count", {"Text": "2"}, {"Text": "2.5"}, {"Text": "4"}),
    ("{shop: Text, desk: amount, transform: {desk: [{parse_number: {culture: da-DK}}]}", {"Text": "2,5"}, {"Text": "2.5"}, {"Text": "4"}),
    ("{shop: Count, desk: moment, transform: {desk: [from_unix_time]}", {"Count": 1}, {"Count": 10**15}, {"Count": 4}),
    ("{shop: Amount, desk: credit", {"Amount": Decimal(2)}, {"Amount": Decimal(10) ** 18 - Decimal("0.001")}, {"Amount": Decimal(4)}),
    ("{shop: Text, desk: credit", {"Text": "2"}, {"Text": "-999999999999999999.996"}, {"Text": "4"}),
    ("{shop: Amount, desk: amount, transform: {desk: [{multiply: 100}]}", {"Amount": Decimal(2)}, {"Amount": Decimal(10) ** 17}, {"Amount": Decimal(4)}),
    ("{shop: Text, desk: amount, transform: {desk: [trim]}", {"Text": "2.5"}, {"Text": " many "}, {"Text": "4"}),
    ('{shop: {compute: "trim(Text)", type: decimal}, desk: amount', {"Text": "2.5"}, {"Text": "many"}, {"Text": "4"}),
    ('{shop: {compute: "to_number(Text)"}, desk: amount', {"Text": "2.5"}, {"Text": "1234567890123456789"}, {"Text": "4"}),
    ('{shop: {compute: "not_null(Count, Amount)"}, desk: amount', {"Count": 2}, {"Count": 10**18}, {"Count": 4}),
    ('{shop: {compute: "ceil(Amount)"}, desk: amount', {"Amount": Decimal(2)}, {"Amount": Decimal(10) ** 18 - Decimal("0.5")}, {"Amount": Decimal(4)}),
    ('{shop: {compute: "abs(Count)"}, desk: count', {"Count": -2}, {"Count": -(2**63)}, {"Count": -4}),
    ('{shop: {compute: "to_number(Text)", type: integer}, desk: count', {"Text": "2"}, {"Text": "12345678901234567890"}, {"Text": "4"}),
    ('{shop: {compute: "join(\'\', sort([Text]))", type: decimal}, desk: amount', {"Text": "2.5"}, {"Text": "many"}, {"Text": "4"}),
    ('{shop: {compute: "sum([Amount, Amount])", type: decimal}, desk: amount', {"Amount": Decimal(2)}, {"Amount": Decimal(10) ** 18 - 1}, {"Amount": Decimal(4)}),
]  # fmt: skip
"""Entries, and values that can be carried over, cannot, and can again."""
FIELD = re.compile(r"desk: (\w+)")
POLICIES = ["", ", blank: keep", ", blank: fail", ", drift: report", ", conflict: {prefer: shop}"]


def target(entry: str) -> str:
    """Name the field that an entry writes."""
    found = FIELD.search(entry)
    assert found
    return found[1]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("entry", "good", "bad", "better"), WAYS)
def test_it_is_an_error_until_it_has_one(
    tmp_path: Path,
    entry: str,
    good: dict[str, Any],
    bad: dict[str, Any],
    better: dict[str, Any],
    policy: str,
) -> None:
    world = made(tmp_path, f"{entry}, direction: shop -> desk{policy}}}")
    field = target(entry)
    world.shop.put("Customer", "1", **good)
    assert world.apply().kinds() == [("customers", "create", "desk")]
    held = account(world)[field]
    assert held is not None
    world.shop.put("Customer", "1", **bad)
    for _ in range(2):
        told = world.apply()
        assert told.kinds() == [("customers", "error", None)]
        (action,) = told.document["mappings"][0]["actions"]
        assert action["id"] == "SR511", action["reason"]
        assert account(world)[field] == held
    world.shop.put("Customer", "1", **better)
    assert world.apply().kinds() == [("customers", "update", "desk")]
    assert account(world)[field] not in (held, None)
    assert world.apply().kinds() == []


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("entry", "good", "bad", "better"), WAYS)
def test_nothing_is_created_without_it(
    tmp_path: Path,
    entry: str,
    good: dict[str, Any],
    bad: dict[str, Any],
    better: dict[str, Any],
    policy: str,
) -> None:
    del good
    world = made(tmp_path, f"{entry}, direction: shop -> desk{policy}}}")
    world.shop.put("Customer", "1", **bad)
    for _ in range(2):
        assert world.apply().kinds() == [("customers", "error", None)]
        assert not world.desk.rows.get("accounts")
    world.shop.put("Customer", "1", **better)
    assert world.apply().kinds() == [("customers", "create", "desk")]


@pytest.mark.parametrize(("entry", "good", "bad", "better"), WAYS)
def test_nor_is_a_default_written_in_its_place(
    tmp_path: Path,
    entry: str,
    good: dict[str, Any],
    bad: dict[str, Any],
    better: dict[str, Any],
) -> None:
    del better
    other = "'2018-07-01'" if target(entry) == "moment" else 7
    world = made(tmp_path, f"{entry}, direction: shop -> desk, default: {{desk: {other}}}}}")
    world.shop.put("Customer", "1", **good)
    world.apply()
    field = target(entry)
    held = account(world)[field]
    world.shop.put("Customer", "1", **bad)
    assert world.apply().kinds() == [("customers", "error", None)]
    assert account(world)[field] == held
