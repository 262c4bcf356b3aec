"""The law of the language: whatever is edited where, both sides end up saying the same.

One mapping with values that change on their way: joined, prefixed, translated, multiplied. The
checker below knows nothing of how it is done.
"""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.apply.test_language import made

if TYPE_CHECKING:
    from tests.world import World

MAPPING = """mapping: customers
direction: both
shop: {entity: Customer, key: "No"}
desk: {entity: accounts, key: accountid}
conflict: {update: {prefer: shop}, delete: delete}
fields:
  - {shop: "No", desk: number, direction: shop -> desk}
  - {shop: Name, desk: {join: [first, last], rest: first}}
  - {shop: Code, desk: text, transform: {desk: [{prepend: "NAV "}]}}
  - {shop: Kind, desk: count, values: [{shop: A, desk: 1}, {shop: B, desk: 2}]}
  - {shop: Amount, desk: amount, transform: {desk: [{multiply: 100}]}}
  - {shop: Phone, desk: phone}
"""
WORDS = st.sampled_from(["Ann", "Bo", "Cy", None])
SHOP = st.fixed_dictionaries(
    {},
    optional={
        "Name": st.sampled_from(["Ann Lee", "Ann Bo Lee", "Lee", None]),
        "Code": st.sampled_from(["PCS", "BOX", None]),
        "Kind": st.sampled_from(["A", "B", None]),
        "Amount": st.sampled_from([Decimal("1.25"), Decimal(2), None]),
        "Phone": st.sampled_from(["1", "2", None]),
    },
)
DESK = st.fixed_dictionaries(
    {},
    optional={
        "first": WORDS,
        "last": WORDS,
        "text": st.sampled_from(["NAV PCS", "NAV KG", None]),
        "count": st.sampled_from([1, 2, None]),
        "amount": st.sampled_from([Decimal(50), Decimal(125), None]),
        "phone": st.sampled_from(["2", "3", None]),
    },
)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("shop"), st.integers(0, 3), SHOP),
        st.tuples(st.just("desk"), st.integers(0, 3), DESK),
        st.tuples(st.sampled_from(["drop shop", "drop desk"]), st.integers(0, 3), st.just({})),
    ),
    min_size=1,
    max_size=6,
)


def edit(world: World, edits: list[tuple[str, int, dict[str, Any]]]) -> None:
    """Change, add or take away the n-th record of a side; the first ones stay as anchors."""
    for what, n, values in edits:
        fake, entity = (world.shop, "Customer") if "shop" in what else (world.desk, "accounts")
        keys = sorted(fake.rows.get(entity, {}))
        fresh = f"{'NEW' if fake is world.shop else 'new'}{len(keys)}{n}"
        key = keys[n] if n < len(keys) else fresh
        if not what.startswith("drop"):
            fake.put(entity, key, **values)
        elif n < len(keys) and n > 0:
            fake.remove(entity, key)


def in_shop_words(account: dict[str, Any]) -> tuple[Any, ...]:
    name = " ".join(word for word in (account.get("first"), account.get("last")) if word)
    text, amount = account.get("text"), account.get("amount")
    return (
        name or None,
        text.removeprefix("NAV ") if text else None,
        {1: "A", 2: "B", None: None}[account.get("count")],
        None if amount is None else amount / 100,
        account.get("phone"),
    )


@given(first=EDITS, second=EDITS)
def test_both_sides_end_up_saying_the_same(first: Any, second: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = made(Path(folder) / "project", mapping=MAPPING)
        world.shop.put("Customer", "0", Name="Anchor")
        for edits in (first, second):
            edit(world, edits)
            told = world.apply()
            assert told.counters["customers"]["failed"] == 0, told.failures
        after = world.apply()
        assert after.document["changes"] == 0, after.kinds()
        customers = world.shop.rows["Customer"]
        accounts = {row["number"]: row for row in world.desk.rows["accounts"].values()}
        assert set(accounts) == set(customers)
        for key, customer in customers.items():
            names = ("Name", "Code", "Kind", "Amount", "Phone")
            mine = tuple(customer.get(name) for name in names)
            assert in_shop_words(accounts[key]) == mine, key
