"""A disk that is full, or may not be written: said in words, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import copy
import os
import resource
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner.errors import ExitCode, RunnerError, RunStoppedError, StateUnusableError
from runner.state import readable
from runner.state.care import backup, check
from runner.wire import WriteKind
from tests.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 60
MOUNT, UNMOUNT = shutil.which("mount"), shutil.which("umount")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One pair, and a saved plan that makes many more."""
    made = world(tmp_path_factory.mktemp("prepared"))
    made.shop.put("Customer", "0", Name="Anchor")
    made.apply()
    for n in range(1, MANY + 1):
        made.shop.put("Customer", f"{n}", Name=f"Customer {n:05}", Phone=str(n) * 5)
    made.plan(out=made.folder / "saved.plan")
    return made


def moved(prepared: World, folder: Path) -> World:
    shutil.copy(prepared.project.state, folder / "state.duckdb")
    shop, desk = copy.deepcopy(prepared.shop), copy.deepcopy(prepared.desk)
    return World(folder, shop, desk, prepared.mappings)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """As a full disk: no file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def goes_on(made: World, plan: Path) -> None:
    """With room again, the plan comes to its end: nothing doubled, nothing missing."""
    assert check(made.project.state).problems == ()
    made.apply_file(plan)
    assert check(made.project.state).problems == ()
    assert check(made.project.state).unfinished == 0
    assert len(made.desk.rows["accounts"]) == MANY + 1
    creates = [w for w in made.desk.written if w.kind is WriteKind.CREATE]
    assert len(creates) == MANY + 1
    assert made.apply().document["changes"] == 0


@pytest.mark.parametrize("size", [1_000, 30_000, 80_000, 140_000])
def test_wherever_the_room_ends_the_run_stops_with_words(
    prepared: World, tmp_path: Path, size: int
) -> None:
    made, plan = moved(prepared, tmp_path), prepared.folder / "saved.plan"
    with files_up_to(size), pytest.raises(RunnerError) as caught:
        made.apply_file(plan)
    assert "cannot be written" in str(caught.value)
    assert caught.value.exit_code in (ExitCode.UNUSABLE, ExitCode.RECORDS_FAILED)
    assert isinstance(caught.value, RunStoppedError | StateUnusableError)
    if len(made.desk.written) > 1:
        # What was sent is known, with its outcome or without.
        found = check(made.project.state)
        known = dict(found.couplings)["customers"] + found.unfinished
        assert known >= len(made.desk.rows["accounts"])
        assert caught.value.exit_code is ExitCode.RECORDS_FAILED
    goes_on(made, plan)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or not MOUNT or not UNMOUNT:
        pytest.skip("only root can mount a disk of its own")
    told = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if told.returncode:
        pytest.skip(f"no disk can be mounted here: {told.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run([UNMOUNT, "-l", str(folder)], check=True)


@pytest.mark.parametrize("room", [16_000, 100_000, 300_000])
def test_a_full_disk_stops_the_run_with_words(prepared: World, disk: Path, room: int) -> None:
    made, plan = moved(prepared, disk), prepared.folder / "saved.plan"
    filler = disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(disk).free - room))
    with pytest.raises(RunnerError) as caught:
        made.apply_file(plan)
    assert "No space left on device" in str(caught.value)
    copied = disk / "copy"
    with pytest.raises(RunnerError, match=r"No space left on device|cannot be"):
        backup(made.project.state, copied)
    assert not copied.exists()
    filler.unlink()
    goes_on(made, plan)


FULL = """CREATE TABLE words AS SELECT repeat(md5(CAST(i AS VARCHAR)), 9) FROM range(300000) t(i)"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(
            "ATTACH '{folder}/plan.duckdb' AS plan; USE plan",
            "plan.duckdb cannot be written: File too large",
            id="no room for a file beside the state",
        ),
        pytest.param(
            "SET memory_limit = '20MB'; SET temp_directory = ''",
            "the memory is not enough",
            id="no memory",
        ),
    ],
)
def test_the_history_says_what_people_are_told(
    prepared: World, tmp_path: Path, settings: str, expected: str
) -> None:
    made = moved(prepared, tmp_path)

    async def run() -> None:
        async with made.session(begins=True):
            with files_up_to(2_000_000), duckdb.connect() as connection:
                connection.execute(settings.format(folder=tmp_path))
                connection.execute(FULL)
                connection.execute("CHECKPOINT")

    with pytest.raises(StateUnusableError, match=expected):
        asyncio.run(run())
    with readable(made.project.state) as state:
        told = state.execute("SELECT message FROM state.main.run ORDER BY id DESC").fetchone()
    assert told is not None
    assert expected in told[0]


def test_a_disk_that_may_not_be_written_is_told(prepared: World, disk: Path) -> None:
    made = moved(prepared, disk)
    subprocess.run([str(MOUNT), "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StateUnusableError) as caught:
        made.plan()
    assert "Read-only file system" in str(caught.value)
    assert caught.value.exit_code is ExitCode.UNUSABLE
