"""The state looked after: found sound or not, copied, put back, brought up from older versions."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner import dialect
from runner.compile import PENDING
from runner.errors import RunnerError, StalePlanError, StateUnusableError
from runner.state import held
from runner.state.care import backup, check, restore
from runner.state.schema import MIGRATIONS, VERSION
from tests.world import World, world

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A state that knows three pairs of two mappings, and what they hold."""
    made = world(tmp_path_factory.mktemp("lived-in"))
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    for n in range(2):
        made.shop.put("Customer", f"{n}", Name=f"Customer {n}", Agent="JO")
    made.apply()
    return made


@pytest.fixture
def made(lived_in: World, tmp_path: Path) -> World:
    shutil.copy(lived_in.project.state, tmp_path / "state.duckdb")
    return World(tmp_path, lived_in.shop, lived_in.desk, lived_in.mappings)


def edited(made: World, sql: str) -> World:
    with duckdb.connect(str(made.project.state)) as state:
        state.execute(sql)
    return made


def test_a_sound_state_is_found_sound(made: World) -> None:
    found = check(made.project.state)
    assert found.problems == ()
    assert (found.version, found.couplings) == (VERSION, (("agents", 1), ("customers", 2)))
    assert (found.unfinished, found.unended) == (0, 0)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "DELETE FROM coupling WHERE left_key = '0'",
            "customers: it keeps 1 values of pairs that are not coupled",
        ),
        (
            "DELETE FROM base.customers WHERE left_key = '0'",
            "customers: 1 pairs without the values they last agreed on",
        ),
        (
            "INSERT INTO base.customers FROM base.customers WHERE left_key = '0'",
            "customers: its base holds 1 pairs twice",
        ),
        ("DROP TABLE base.customers", "customers: the table of its base is missing"),
        (
            "ALTER TABLE base.customers ADD COLUMN more INTEGER",
            "customers: its base has other columns than it should have",
        ),
        (
            """CREATE TABLE c AS FROM coupling; DROP TABLE coupling;
            ALTER TABLE c RENAME TO coupling; INSERT INTO coupling
            SELECT * REPLACE ('x' AS left_key) FROM coupling WHERE left_key = '0'""",
            "customers: the right record",
        ),
    ],
)
def test_what_must_not_be_is_found(made: World, sql: str, words: str) -> None:
    found = check(edited(made, sql).project.state)
    assert any(words in problem for problem in found.problems), found.problems
    with pytest.raises(StateUnusableError, match="is not sound"):
        backup(made.project.state, made.folder / "copy")
    assert not (made.folder / "copy").exists()


def test_open_writes_and_runs_are_counted_and_no_fault(made: World) -> None:
    edited(made, "UPDATE journal SET outcome = NULL WHERE kind = 'create'")
    edited(made, "UPDATE run SET ended = NULL")
    found = check(made.project.state)
    assert (found.unfinished, found.unended, found.problems) == (2, 1, ())


def test_a_copy_put_back_is_what_it_was(made: World) -> None:
    path, copy = made.project.state, made.folder / "copy"
    backup(path, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    made.plan(out=made.folder / "saved.plan")
    edited(made, "DELETE FROM coupling; DELETE FROM base.customers")
    aside = restore(path, copy)
    assert check(path).couplings == (("agents", 1), ("customers", 2))
    assert aside is not None
    assert check(aside).couplings == ()
    assert made.plan().document["changes"] == 0
    assert path.stat().st_mode & 0o777 == 0o600
    # A plan made before fits it no more, though nothing else moved.
    made.shop.put("Customer", "0", Phone="7")
    try:
        with pytest.raises(StalePlanError):
            edited_plan(made)
    finally:
        made.shop.put("Customer", "0", Phone=None)


def edited_plan(made: World) -> None:
    copy = made.folder / "again"
    backup(made.project.state, copy)
    made.plan(out=made.folder / "saved.plan")
    restore(made.project.state, copy)
    made.apply_file(made.folder / "saved.plan")


def test_what_is_no_state_is_neither_restored_nor_overwritten(made: World) -> None:
    other = made.folder / "other"
    other.write_text("mine")
    before = made.project.state.read_bytes()
    with pytest.raises(RunnerError, match="is no state"):
        restore(made.project.state, other)
    with pytest.raises(RunnerError, match="is there, and is no state"):
        backup(made.project.state, other)
    with duckdb.connect(str(made.folder / "shop.duckdb")) as shop:
        shop.execute("CREATE TABLE orders (a INTEGER)")
    with pytest.raises(RunnerError, match="is no state"):
        restore(made.project.state, made.folder / "shop.duckdb")
    with pytest.raises(StateUnusableError, match="is another database"):
        check(made.folder / "shop.duckdb")
    assert other.read_text() == "mine"
    assert made.project.state.read_bytes() == before


def test_a_damaged_state_is_told_wherever_it_is_damaged(made: World) -> None:
    path = made.project.state
    whole, refusals = path.read_bytes(), 0
    chance = random.Random(11)  # noqa: S311 - which bytes are hit is no secret
    for n in range(40):
        at = chance.randrange(len(whole))
        cut = whole[:at] if n % 4 == 0 else whole[:at] + chance.randbytes(64) + whole[at + 64 :]
        path.write_bytes(cut)
        try:
            assert check(path).problems == ()  # what was hit is read by nobody
        except StateUnusableError:
            refusals += 1
    assert refusals > 10


@pytest.mark.parametrize("content", [b"", b"\0" * 9_000, b"not a state"])
def test_a_run_over_what_is_no_state_says_what_to_do(made: World, content: bytes) -> None:
    made.project.state.write_bytes(content)
    with pytest.raises(StateUnusableError) as caught:
        made.plan()
    assert "state.duckdb is damaged" in str(caught.value)
    assert "sync-run state restore" in caught.value.hint


def test_a_backup_of_a_newer_version_is_refused(made: World) -> None:
    copy = made.folder / "copy"
    backup(made.project.state, copy)
    with duckdb.connect(str(copy)) as state:
        state.execute("""UPDATE meta SET "value" = '999' WHERE "key" = 'version'""")
    with pytest.raises(StateUnusableError, match="is of version 999"):
        restore(made.project.state, copy)
    assert check(made.project.state).problems == ()


def test_a_state_of_version_1_lives_on(made: World) -> None:
    path = made.project.state
    old = made.folder / "old.duckdb"
    with duckdb.connect(str(old)) as state:
        state.execute(MIGRATIONS[0])
        state.execute(f"ATTACH '{path}' AS now (READ_ONLY)")
        for table in ("coupling", "base_column", "run", "job", "finding", "journal"):
            names = [row[0] for row in state.execute(f"DESCRIBE {table}").fetchall()]
            listed = ", ".join(dialect.name(name) for name in names)
            state.execute(f"INSERT INTO {table} SELECT {listed} FROM now.{table}")
        for name in ("agents", "customers"):
            state.execute(f"CREATE TABLE base.{name} AS FROM now.base.{name}")
        state.execute("""INSERT INTO meta VALUES ('version', '1')""")
        # A create whose key the system gives, and whose outcome nobody knows.
        state.execute("""INSERT INTO journal BY NAME SELECT 9 AS run, 1 AS action,
            'customers' AS mapping, 'create' AS kind, 'left' AS side, 'Customer' AS entity,
            'known-after-apply:left:customers:g9' AS left_key, 'g9' AS right_key,
            '[{"left": "Name", "right": "name", "new": "Nobody"}]' AS fields,
            current_localtimestamp() AS intended""")
    old.replace(path)
    before = made.shop.rows["Customer"]["0"].copy()
    assert made.plan().document["changes"] == 0
    assert check(path).version == VERSION
    assert check(path).unfinished == 1
    with duckdb.connect(str(path)) as state:
        [(key,)] = state.execute("SELECT left_key FROM journal WHERE outcome IS NULL").fetchall()
    assert key == f"{PENDING}left:customers:g9"
    made.shop.put("Customer", "0", Phone="42")
    told = made.apply()
    made.shop.rows["Customer"]["0"] = before
    assert told.counters["customers"]["modified"] == 1
    assert check(path).problems == ()
    assert check(path).unfinished == 0


def test_what_a_killed_run_had_committed_is_there(tmp_path: Path) -> None:
    path = tmp_path / "state.duckdb"
    script = """
import os, sys
from pathlib import Path
from runner.state import couplings, held
with held(Path(sys.argv[1]), "apply") as store, store.opened() as state:
    couplings.adopt(state, "m", "l", "r", 1)
    os._exit(9)  # as a kill would: the log is left behind, and who held the state
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.with_name("state.duckdb.wal").exists()
    assert path.with_name("state.duckdb.holder").exists()
    with held(path, "apply"):
        pass
    assert check(path).couplings == (("m", 1),)
    assert not path.with_name("state.duckdb.wal").exists()


def test_nobody_else_can_read_what_lies_beside_the_state(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with held(tmp_path / "own" / "state.duckdb", "apply") as store, store.opened() as state:
            state.execute("""UPDATE meta SET "value" = '1' WHERE "key" = 'serial'""")
            modes = {p.name: p.stat().st_mode & 0o077 for p in (tmp_path / "own").iterdir()}
    finally:
        os.umask(before)
    assert "state.duckdb.wal" in modes
    assert not any(modes.values()), modes
    assert (tmp_path / "own").stat().st_mode & 0o077 == 0
