"""A law of saved plans: half applied and gone on with, they come to what they would have been."""

from __future__ import annotations

import copy
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.test_converge import EDITS, Edit, Killed, dying, edit, fresh
from tests.world import World

if TYPE_CHECKING:
    from runner.wire import Write


def twin(made: World, folder: Path) -> World:
    """The same systems and the same state, in another folder."""
    folder.mkdir()
    shutil.copy(made.project.state, folder / "state.duckdb")
    return World(folder, copy.deepcopy(made.shop), copy.deepcopy(made.desk), made.mappings)


def remembered(made: World) -> dict[str, list[tuple[Any, ...]]]:
    """Couplings and base, without the numbers of runs."""
    with duckdb.connect(str(made.project.state), read_only=True) as state:
        found = {
            "coupling": state.execute(
                """SELECT mapping, left_key, right_key, left_hash, right_hash
                FROM main.coupling ORDER BY ALL"""
            ).fetchall()
        }
        for (name,) in state.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'base'"
        ).fetchall():
            found[name] = state.execute(f"FROM base.{name} ORDER BY ALL").fetchall()
    return found


def kill(made: World, plan: Path, at: int, *, after: bool) -> None:
    """Die at the n-th write, before it is done or when it was and nobody heard of it."""
    die = dying(at)

    def before(write: Write) -> None:
        die(write)

    for system in (made.shop, made.desk):
        if after:
            system.afterwards = die
        else:
            system.fails = before
    with suppress(Killed):
        made.apply_file(plan)
    for system in (made.shop, made.desk):
        system.afterwards = lambda _: None
        system.fails = lambda _: None


KILLS = st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=3)


def named(edits: list[Edit]) -> list[Edit]:
    """Let every record have a name: of one without a value nobody can tell whether it was made."""
    return [
        (side, key, {**values, "name": values.get("name") or f"Name {key}"})
        if side == "desk"
        else (side, key, values)
        for side, key, values in edits
    ]


@settings(max_examples=max(8, settings().max_examples // 2))
@given(first=EDITS, second=EDITS, kills=KILLS)
def test_gone_on_with_it_is_an_undisturbed_apply(
    first: list[Edit], second: list[Edit], kills: list[tuple[int, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = fresh(folder)
        edit(made, named(first))
        made.apply()
        edit(made, named(second))
        plan = Path(folder) / "saved.plan"
        made.plan(out=plan)
        undisturbed, disturbed = (twin(made, Path(folder) / name) for name in ("one", "two"))
        undisturbed.apply_file(plan)
        for at, after in kills:
            kill(disturbed, plan, at, after=after)
        told = disturbed.apply_file(plan)
        assert not told.failures
        assert disturbed.shop.rows == undisturbed.shop.rows
        assert disturbed.desk.rows == undisturbed.desk.rows
        assert remembered(disturbed) == remembered(undisturbed)
        writes = len(disturbed.shop.written), len(disturbed.desk.written)
        # A plan that was carried out is not carried out again.
        assert disturbed.apply_file(plan).exit_code == told.exit_code
        assert (len(disturbed.shop.written), len(disturbed.desk.written)) == writes
