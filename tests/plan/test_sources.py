"""An entity that several mappings ask for the same rows of is read once, with all their fields."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.model import Text
from runner.plan import Kind
from tests.fakes import HERE
from tests.world import AGENTS, CUSTOMERS, TO_RIGHT, World, field, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from runner.wire import Page, WireQuery

CUSTOMERS_ALONE = replace(CUSTOMERS, fields=tuple(f for f in CUSTOMERS.fields if not f.lookups))
CREDITS = replace(
    CUSTOMERS,
    name="credits",
    create=frozenset(),
    fields=(field("Credit", "credit", TO_RIGHT, scale=2),),
)
SOME = replace(
    CREDITS,
    name="some",
    left=replace(CREDITS.left, filter=Text(text="Phone == '1'", at=HERE)),
)


def asked(made: World) -> list[tuple[str, tuple[str, ...]]]:
    return [(q.entity, q.fields) for q in made.shop.asked if not q.keys]


def test_it_is_read_once_with_the_fields_of_all(tmp_path: Path) -> None:
    made = world(tmp_path, AGENTS, CUSTOMERS, CREDITS, SOME)
    for n in range(4):
        made.shop.put("Customer", f"{n}", Name=f"Name {n}", Phone=f"{n % 2}", Credit=f"{n}.5")
    names = [mapping.name for mapping in made.mappings]
    made.apply("customers")
    made.shop.put("Customer", "1", Credit="7", Name="Other")
    made.shop.remove("Customer", "2")
    alone = [made.plan(name).document["mappings"][0] for name in names]
    made.shop.asked.clear()
    together = made.plan(*names).document["mappings"]
    assert together == alone
    customers = [fields for entity, fields in asked(made) if entity == "Customer"]
    # What is filtered is other rows.
    assert len(customers) == 2
    assert {"No", "Name", "Phone", "Agent", "Credit"} == set(customers[0])


def test_both_systems_are_read_at_the_same_time(tmp_path: Path) -> None:
    made = world(tmp_path, CUSTOMERS_ALONE)
    both = asyncio.Barrier(2)
    for system in (made.shop, made.desk):
        answer = system.pages

        async def meeting(
            query: WireQuery, answer: Callable[[WireQuery], AsyncIterator[Page]] = answer
        ) -> AsyncIterator[Page]:
            # Nobody would ever come where the other system is read only afterwards.
            async with asyncio.timeout(60):
                await both.wait()
            async for page in answer(query):
                yield page

        system.pages = meeting  # type: ignore[method-assign]
    made.shop.put("Customer", "1", Name="One")
    made.desk.put("accounts", "00000000-0000-4000-8000-000000000001", name="One")
    assert made.plan("customers").actions(Kind.COUPLE)
