"""How many requests are under way at a time: the server's advice, and what it bears."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runner.connectors.line.places import Places
from tests.connectors.systems import CRM, answering, crm, run

if TYPE_CHECKING:
    from pathlib import Path


def test_places_grow_by_one_a_round_and_are_halved() -> None:
    places = Places(10)
    assert places.open == 8
    grown = []
    for _ in range(30):
        places.went_well()
        grown.append(places.open)
    assert (grown[6], grown[7], grown[16], grown[-1]) == (8, 9, 10, 10)
    halved = []
    for _ in range(5):
        places.crowded()
        halved.append(places.open)
    assert halved == [5, 2, 1, 1, 1]
    places.recommended(3)
    for _ in range(20):
        places.went_well()
    assert places.open == 3


def test_what_was_too_much_is_tried_again_only_after_a_while() -> None:
    places = Places(20)
    places.crowded()
    assert places.open == 4
    grown = {places.open: 0}
    for n in range(1, 400):
        places.went_well()
        grown.setdefault(places.open, n)
    # A round each up to one below what was refused; there sixteen rounds; then on as before.
    assert [grown[n] - grown[n - 1] for n in range(5, 11)] == [4, 5, 6, 7 * 16, 8, 9]


def test_those_refused_together_count_once() -> None:
    async def scenario() -> Places:
        places, refused = Places(8), asyncio.Event()

        async def work() -> None:
            async with places:
                await refused.wait()
                places.crowded()

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(work())
            await asyncio.sleep(0)
            refused.set()
        return places

    assert asyncio.run(scenario()).open == 4


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (3, 3), (50, 8)])
def test_nobody_gets_a_place_that_is_taken(most: int, expected: int) -> None:
    places, busy, busiest = Places(most), 0, 0

    async def work() -> None:
        nonlocal busy, busiest
        async with places:
            busy += 1
            busiest = max(busiest, busy)
            await asyncio.sleep(0)
            busy -= 1

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(work())

    asyncio.run(scenario())
    assert busiest == expected


def test_an_organisation_that_recommends_less_is_asked_less(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace={"concurrency": 16, "together": 1})
        await connector.describe(["accounts"])
        line.faults += [answering(200, b'{"value":[]}', x_ms_dop_hint="2")]
        async for _ in connector.pages(CRM.query()):
            pass
        line.busiest = 0
        await connector.write([CRM.update(key, name="new") for key in CRM.keys])
        assert line.busiest == 2
        await connector.close()

    run(scenario())


def test_an_organisation_that_is_crowded_is_asked_less(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace={"concurrency": 6, "together": 1})
        await connector.describe(["accounts"])
        busy = answering(429, b'{"error":{"code":"0x80072326","message":"m"}}', Retry_After="3")
        line.faults += [busy, busy, busy]
        async for _ in connector.pages(CRM.query()):
            pass
        line.busiest = 0
        await connector.write([CRM.update(key, name="new") for key in CRM.keys])
        # Six, halved three times, and one more after each answer to a page.
        assert line.busiest < 6
        await connector.close()

    run(scenario())
