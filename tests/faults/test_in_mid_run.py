"""While a run goes on: records move between pages, clocks differ, a system goes away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from runner.errors import ExitCode, SystemUnavailableError
from runner.model import DeleteConflict
from runner.sandbox.drops import Way, drop
from runner.wire import WriteKind
from tests.faults.test_converge import applied
from tests.faults.test_soak import Line, equal, laid
from tests.world import AGENTS, CUSTOMERS, World, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from runner.wire import Page, WireQuery


def paged(made: World, between: Callable[[], None]) -> None:
    """Let the shop count its rows anew for each page of two, as servers do that skip; once."""
    pages = made.shop.pages

    async def shifting(query: WireQuery) -> AsyncIterator[Page]:
        if query.entity != "Customer" or query.keys:
            async for page in pages(query):
                yield page
            return
        start, done = 0, False
        while True:
            [whole] = [page async for page in pages(query)]
            here = slice(start, start + 2)
            if not whole.keys[here]:
                return
            yield replace(
                whole,
                keys=whole.keys[here],
                etags=whole.etags[here],
                columns={name: column[here] for name, column in whole.columns.items()},
            )
            if not done:
                between()
            start, done = start + 2, True

    made.shop.pages = shifting  # type: ignore[method-assign]


def five(folder: Path, policy: DeleteConflict) -> World:
    made = world(folder, AGENTS, replace(CUSTOMERS, deleted=policy))
    for n in range(1, 6):
        made.shop.put("Customer", f"{n}0", Name=f"Name {n}", Phone=str(n))
    assert made.apply().exit_code is ExitCode.DONE
    return made


@pytest.mark.parametrize("policy", [DeleteConflict.DELETE, DeleteConflict.RESTORE])
def test_a_record_that_is_skipped_is_not_taken_for_deleted(
    tmp_path: Path, policy: DeleteConflict
) -> None:
    made = five(tmp_path, policy)
    paged(made, lambda: made.shop.remove("Customer", "10"))
    told = made.apply()
    assert told.kinds() == [], "30 slid onto the page that was read already"
    assert len(made.desk.rows["accounts"]) == 5
    assert sorted(made.shop.rows["Customer"]) == ["20", "30", "40", "50"]


def test_a_record_that_comes_twice_is_one(tmp_path: Path) -> None:
    made = five(tmp_path, DeleteConflict.DELETE)
    paged(made, lambda: made.shop.put("Customer", "05", Name="New", Phone="0"))
    assert made.apply().kinds() == []
    assert made.apply().kinds() == [("customers", "create", "desk")]
    assert len(made.desk.rows["accounts"]) == 6


@pytest.mark.parametrize("ahead", [3_600, -3_600], ids=["ahead", "behind"])
def test_a_clock_that_is_an_hour_off_loses_nothing(tmp_path: Path, ahead: int) -> None:
    line = Line(laid(tmp_path), 0, seed=1, ahead=ahead)
    apps = line.apps()
    line.until_done(apps)
    assert equal(line.made) == 10
    line.made.nav("PATCH", "/Customer('10')", {"Phone_No": "5"}, **{"If-Match": "*"})
    line.until_done(apps)
    assert equal(line.made) == 10


@dataclass(slots=True)
class Outage:
    """A server that takes so many writes, and is then away until it is back."""

    app: ASGIApp
    takes: int
    back: bool = False
    wrote: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        write = scope["method"] != "GET"
        if not self.back and len(self.wrote) >= self.takes:
            await drop(scope, Way.RESET)
            return
        if write:
            self.wrote.append(scope["method"])
        await self.app(scope, receive, send)


def test_a_system_that_is_down_for_an_hour_is_gone_on_with(tmp_path: Path) -> None:
    """Its waits are added up and not slept: runs end long before the hour does."""
    line = Line(laid(tmp_path), 0, seed=1)
    apps = line.apps()
    nav = apps["nav"] = Outage(apps["nav"], takes=2)
    made = {}

    async def run() -> tuple[int, int]:
        return await applied(tmp_path, line.connectors(apps))

    line._note()
    made["first"] = asyncio.run(run())
    assert made["first"] == (14, 0)
    assert len(nav.wrote) == 2
    for _ in range(3):
        with pytest.raises(SystemUnavailableError, match="nav: "):
            asyncio.run(run())
    nav.back = True
    planned, _ = asyncio.run(run())
    assert 0 < planned < 14, "it goes on where it stopped"
    line.until_done(apps)
    assert equal(line.made) == 10
    creates = [w for w in nav.wrote if w == "POST"]
    assert len(creates) == 4, WriteKind.CREATE
