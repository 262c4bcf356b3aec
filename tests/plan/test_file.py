"""A saved plan is refused with its reason wherever it is not what was saved, or does not fit."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner import run
from runner.cli.walk import duration
from runner.errors import ExitCode, RunnerError, StalePlanError
from runner.model import Selection
from runner.plan import opened, run_file
from runner.state import runs
from tests.world import AGENTS, CUSTOMERS, World, world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


FEWER = replace(CUSTOMERS, fields=CUSTOMERS.fields[1:])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A coupled customer with a change on its way, and one that is new; `saved.plan` says so."""
    made = world(tmp_path_factory.mktemp("prepared"))
    made.shop.put("Customer", "10", Name="Alpha", Phone="1")
    made.apply()
    made.shop.put("Customer", "10", Phone="2")
    made.shop.put("Customer", "20", Name="Beta")
    made.plan(out=made.folder / "saved.plan")
    return made


@pytest.fixture
def made(prepared: World, tmp_path: Path) -> World:
    for name in ("state.duckdb", "saved.plan"):
        shutil.copy(prepared.folder / name, tmp_path / name)
    return World(tmp_path, prepared.shop, prepared.desk, prepared.mappings)


def save(made: World, *, lasts: timedelta = timedelta(hours=1), key: bytes = b"") -> Path:
    """Save a plan as the command line does."""
    path = made.folder / "other.plan"

    everything = Selection(mappings=tuple(mapping.name for mapping in made.mappings))

    async def walk() -> None:
        async with made.session() as session:
            with run_file() as file:
                plan = await run.make_plan(session, file, everything)
                plan.save(path, lasts=lasts, key=key)

    asyncio.run(walk())
    return path


def refused(made: World, path: Path, key: bytes = b"") -> str:
    before = len(made.shop.written) + len(made.desk.written)
    with pytest.raises(StalePlanError) as caught:
        made.apply_file(path, key=key)
    assert caught.value.exit_code is ExitCode.STOPPED
    assert caught.value.hint
    assert len(made.shop.written) + len(made.desk.written) == before
    return str(caught.value)


@pytest.mark.parametrize(
    "edit",
    [
        """UPDATE "action" SET left_key = '11' WHERE kind = 'update'""",
        """UPDATE "action" SET fields = list_transform(fields,
            lambda f: struct_update(f, new := 'evil'))""",
        """DELETE FROM "action" WHERE kind = 'create'""",
        """INSERT INTO "action" SELECT * REPLACE (id + 100 AS id) FROM "action" """,
        "UPDATE header SET document = replace(document, 'interrupted', 'interrupted ')",
        """UPDATE header SET document = regexp_replace(document, '"expires":"[^"]*"',
            '"expires":"2999-01-01T00:00:00+00:00"')""",
        'DELETE FROM "customers.after"',
        'ALTER TABLE "customers.after" RENAME COLUMN left_key TO l',
        "CREATE TABLE more (a INTEGER)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE MACRO more(a) AS a + 1",
        """ALTER TABLE "action" RENAME TO hidden; CREATE VIEW "action" AS FROM hidden""",
    ],
)
def test_an_edited_plan_is_refused(made: World, edit: str) -> None:
    path = made.folder / "saved.plan"
    with duckdb.connect(str(path)) as file:
        file.execute(edit)
    with pytest.raises(RunnerError) as caught:
        made.apply_file(path)
    assert "saved.plan" in str(caught.value)
    assert "was changed after it was saved" in str(caught.value) or "is no plan" in str(
        caught.value
    )


def test_with_a_key_only_who_knows_it_can_seal(made: World) -> None:
    path = save(made, key=b"one")
    assert opened(path, key=b"one").header.origin.project == "world"
    assert "sealed with a key, and there is none here" in refused(made, path)
    assert "or sealed with another key" in refused(made, path, b"two")
    assert "was sealed without a key" in refused(made, made.folder / "saved.plan", b"one")


def move_on(made: World) -> None:
    async def move() -> None:
        async with made.session() as session:
            with session.store.opened() as state:
                runs.move_on(state)

    asyncio.run(move())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            lambda w: setattr(w, "name", "other"), "made for project 'world', this is", id="project"
        ),
        pytest.param(
            lambda w: setattr(w, "environment", "prod"),
            "made for environment 'none', this is 'prod'",
            id="environment",
        ),
        pytest.param(
            lambda w: setattr(w, "places", {"desk": "dataverse https://b.example"}),
            "made for system desk 'none', this is 'dataverse https://b.example'",
            id="systems",
        ),
        pytest.param(
            lambda w: setattr(
                w, "mappings", (AGENTS, replace(CUSTOMERS, fields=CUSTOMERS.fields[1:]))
            ),
            "the configuration changed since",
            id="configuration",
        ),
        pytest.param(
            lambda w: (w.folder / "state.duckdb").unlink(), "for another state", id="state"
        ),
        pytest.param(move_on, "the state moved on since", id="serial"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    made: World, change: Callable[[World], object], words: str
) -> None:
    change(made)
    assert words in refused(made, made.folder / "saved.plan")


def test_a_plan_has_an_end(made: World) -> None:
    assert "Saved plan expired at " in refused(made, save(made, lasts=timedelta(0)))


def test_a_plan_is_carried_out_once(made: World) -> None:
    told = made.apply_file(made.folder / "saved.plan")
    assert told.counters["customers"]["inserted"] == told.counters["customers"]["modified"] == 1
    before = len(made.desk.written)
    again = made.apply_file(made.folder / "saved.plan")
    assert again.counters["customers"]["inserted"] == 0
    assert len(made.desk.written) == before


@pytest.mark.parametrize(
    "content",
    [b"", b"not a plan", b"\0" * 50_000, b"PK\3\4" * 1_000, b'{"header": 1}'],
    ids=["empty", "text", "zeros", "zip", "json"],
)
def test_what_is_no_plan_is_said_so(made: World, content: bytes) -> None:
    path = made.folder / "other.plan"
    path.write_bytes(content)
    with pytest.raises(RunnerError, match="is no plan"):
        opened(path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "[]",
        "{}",
        '{"version": "3"}',
        '{"version": 3}',
        '{"version": 3, "id": 1}',
        '{"version": 999}',
        "\\u0000",
        "[" * 5_000,
    ],
)
def test_a_header_that_is_none_is_refused(made: World, header: str) -> None:
    path = made.folder / "saved.plan"
    with duckdb.connect(str(path)) as file:
        file.execute("UPDATE header SET document = ?", [header])
    with pytest.raises(RunnerError):
        opened(path)


def test_another_database_is_no_plan(made: World) -> None:
    with pytest.raises(RunnerError, match="is no plan"):
        opened(made.folder / "state.duckdb")
    with pytest.raises(RunnerError, match="is no plan"):
        opened(made.folder / "nowhere.plan")


def test_a_damaged_plan_is_refused_wherever_it_is_damaged(made: World) -> None:
    path = made.folder / "saved.plan"
    whole, refusals = path.read_bytes(), 0
    chance = random.Random(7)  # noqa: S311 - which bytes are hit is no secret
    for n in range(60):
        at = chance.randrange(len(whole))
        cut = whole[:at] if n % 4 == 0 else whole[:at] + chance.randbytes(64) + whole[at + 64 :]
        path.write_bytes(cut)
        try:
            plan = opened(path)
        except RunnerError:
            refusals += 1
        else:
            # What was hit is read by nobody: the seal fits.
            assert [action.kind for action in plan.actions()] == ["create", "update"]
            plan.connection.close()
    assert refusals > 30


def test_a_saved_plan_is_its_owners_alone(made: World) -> None:
    before = os.umask(0)
    try:
        path = save(made)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in made.folder.glob("*.plan*")) == ["other.plan", "saved.plan"]


def test_a_plan_that_cannot_be_saved_is_told(made: World) -> None:
    made.folder.joinpath("other.plan").mkdir()
    with pytest.raises(RunnerError, match="the plan cannot be saved to"):
        save(made)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("0h", None),
        ("24", None),
        ("1w", None),
        ("-1h", None),
        ("9999999d", None),
    ],
)
def test_a_length_of_time(text: str, expected: timedelta | None) -> None:
    if expected is None:
        with pytest.raises(RunnerError, match="is no length of time"):
            duration(text)
    else:
        assert duration(text) == expected
