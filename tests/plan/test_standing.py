"""What an incremental run looks at: what changed and what was open; all, when couplings moved."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from runner import plan, run
from runner.errors import GuardError, RunnerError
from runner.model import Incremental, Selection, Side
from runner.state import couplings, held
from tests.watched import Clock, Tells, Watched
from tests.world import CUSTOMERS, World, desk, field, pair, shop

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = 40
PLAIN = replace(
    CUSTOMERS,
    fields=(field("Name", "name"), field("Phone", "phone")),
    match=(pair("Name", "name"),),
)


def coupled(folder: Path, left: Tells = Tells.MOMENTS, right: Tells = Tells.TOKENS) -> World:
    """So many coupled pairs in step, their last change days ago, and a mirror of them."""
    clock = Clock()
    made = World(
        folder,
        Watched(shop().types, left, clock),
        Watched(desk().types, right, clock, client_keys=True),
        (PLAIN,),
    )
    made.extent = run.Extent(incremental=True, now=clock)
    for n in range(PAIRS):
        made.shop.put("Customer", f"{n}", Name=f"Name {n}", Phone="1")
        clock.wait(timedelta(hours=1))
    made.apply()
    clock.wait(timedelta(hours=1))
    assert made.apply().document["changes"] == 0
    clock.wait(timedelta(hours=1))
    assert made.apply().kinds() == []
    return made


def looked_at(made: World) -> tuple[int, int]:
    """Count the records of both sides that a plan is decided over."""

    async def planned() -> tuple[int, int]:
        async with made.session() as opened:
            with plan.run_file() as file:
                await run.make_plan(opened, file, Selection(mappings=(PLAIN.name,)), made.extent)
                left, right = (
                    file.connection.execute(f'SELECT count(*) FROM "customers.{side}"').fetchall()
                    for side in Side
                )
        return left[0][0], right[0][0]

    return asyncio.run(planned())


def asked(made: World) -> tuple[int, int]:
    """Count requests and records that came since this was last asked."""
    assert isinstance(made.shop, Watched)
    assert isinstance(made.desk, Watched)
    found = made.shop.requests + made.desk.requests, made.shop.came + made.desk.came
    made.shop.requests = made.shop.came = made.desk.requests = made.desk.came = 0
    return found


def account(made: World, name: str) -> str:
    (found,) = [k for k, row in made.desk.rows["accounts"].items() if row["name"] == name]
    return found


def test_only_what_changed_is_read_and_looked_at(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    asked(made)
    assert looked_at(made) == (0, 0)
    requests, rows = asked(made)
    assert (requests, rows) == (2, 1)  # the newest of the left comes again, its moment is not past
    made.shop.put("Customer", "3", Phone="2")
    made.desk.put("accounts", account(made, "Name 5"), phone="3")
    assert looked_at(made) == (2, 2)
    assert [kind for _, kind, _ in made.apply().kinds()] == ["update", "update"]
    # Our own writes come back as unchanged, and then nothing is left.
    assert made.apply().kinds() == []
    assert looked_at(made) == (0, 0)


def test_what_failed_is_looked_at_again_though_nothing_changed(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    made.desk.put("accounts", account(made, "Name 3"), name="More than Customer.Name keeps")
    made.desk.put("accounts", account(made, "Name 5"), name="Another")
    made.shop.put("Customer", "5", Name="Others")
    for _ in range(2):
        assert [kind for _, kind, _ in made.apply().kinds()] == ["conflict", "error"]
        assert looked_at(made) == (2, 2)


@pytest.mark.parametrize("uncoupled", [False, True], ids=["nothing", "a pair"])
def test_couplings_that_moved_by_hand_are_found(tmp_path: Path, *, uncoupled: bool) -> None:
    made = coupled(tmp_path)
    if uncoupled:
        with held(made.project.state, "test") as store, store.opened() as state:
            couplings.uncouple(state, PLAIN.name, couplings.find(state, PLAIN.name, "7"))
    asked(made)
    told = made.plan()
    assert [kind for _, kind, _ in told.kinds()] == (["couple"] if uncoupled else [])
    assert asked(made)[0] == 2


def test_a_saved_plan_that_moves_the_base_back_is_seen(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    key = account(made, "Name 3")
    made.shop.put("Customer", "3", Phone="9")
    made.desk.put("accounts", key, phone="9")
    saved = tmp_path / "saved.plan"
    made.plan(out=saved)
    made.shop.put("Customer", "3", Phone="1")
    made.desk.put("accounts", key, phone="1")
    assert looked_at(made) == (1, 1)
    assert looked_at(made) == (0, 0)
    made.apply_file(saved)
    assert looked_at(made) == (1, 1)


def test_deletions_are_looked_for_when_that_is_due(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    made.shop.remove("Customer", "3")
    assert made.plan().kinds() == []
    clock = made.extent.now
    assert isinstance(clock, Clock)
    clock.wait(Incremental().deletes or timedelta())
    assert [kind for _, kind, _ in made.plan().kinds()] == ["error"]
    assert looked_at(made) == (0, 1)


def test_a_full_run_refreshes_the_mirror(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    made.shop.remove("Customer", "3")
    full = replace(made, extent=run.FULL)
    assert [kind for _, kind, _ in full.plan().kinds()] == ["error"]
    assert [kind for _, kind, _ in made.plan().kinds()] == ["error"]


def test_a_side_that_lost_everything_stops_the_run(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    for key in tuple(made.desk.rows["accounts"]):
        made.desk.remove("accounts", key)
    for _ in range(2):
        with pytest.raises(GuardError, match="desk returned no accounts at all"):
            made.apply()


def test_a_moment_yet_to_come_hides_nothing(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    clock = made.extent.now
    assert isinstance(clock, Clock)
    made.shop.put("Customer", "9", changed=clock.now + timedelta(days=9_000))
    made.apply()
    clock.wait(timedelta(days=2))
    made.shop.put("Customer", "3", Phone="2")
    assert [kind for _, kind, _ in made.plan().kinds()] == ["update"]


def test_a_mirror_of_which_half_is_gone_is_begun_anew(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    content = made.project.mirror.read_bytes()
    made.project.mirror.write_bytes(content[: len(content) // 2])
    # What shows only on the way ends the run, which says so; what shows at once does not.
    with suppress(RunnerError):
        made.plan()
    made.shop.put("Customer", "3", Phone="2")
    assert [kind for _, kind, _ in made.plan().kinds()] == ["update"]


def test_a_run_that_died_while_reading_reads_it_again(tmp_path: Path) -> None:
    made = coupled(tmp_path)
    made.desk.put("accounts", account(made, "Name 5"), phone="3")

    class Died(BaseException):
        pass

    def die() -> None:
        raise Died

    # The left has been taken in by then, or has not: nothing may be lost either way.
    made.shop.put("Customer", "3", Phone="2")
    desk_fake = made.desk
    assert isinstance(desk_fake, Watched)
    desk_fake.before_token = die
    with pytest.raises(BaseExceptionGroup):
        made.plan()
    desk_fake.before_token = lambda: None
    assert [kind for _, kind, _ in made.plan().kinds()] == ["update", "update"]
