"""Every kind of mapping, small: two systems and a state in a folder, a first run, then edits.

A kind says what stands there, what people change, and by what its records are known. Systems in
memory are kept in a file, so that they outlive whoever is killed; the others are the servers and
tables that they are.
"""

from __future__ import annotations

import asyncio
import csv
import pickle
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from runner import run
from runner.cli import wiring
from runner.config import load
from runner.model import Selection
from runner.plan import CHANGES, FAILURES, run_file
from tests.apply.test_companions import (
    equipped,
)
from tests.apply.test_language import SYNC, systems
from tests.crash.points import watched
from tests.world import World

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from runner.model import Mapping
    from runner.wire import Outcome, Write
    from tests.crash.points import At
    from tests.fakes import Fake

Census = dict[str, Counter[Any]]
"""Records as a person knows them, as often as they are there, by entity."""


OPTIONS = "#options"
"""Where the sandbox keeps the options of choice columns."""


def nowhere(point: str) -> None:
    """Pass every point by."""
    del point


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: changes that it planned, findings, and records that failed."""

    changes: int
    findings: int
    failed: Sequence[str]


class Kind:
    """One kind of mapping in a folder."""

    name: str

    def lay(self, folder: Path) -> None:
        """Write the project and its first records."""
        raise NotImplementedError

    def edit(self, folder: Path) -> None:
        """Change records as people do, after a first run; nothing where that is what dies."""
        raise NotImplementedError

    @property
    def edited(self) -> bool:
        """Whether a first run comes before the one that dies."""
        raise NotImplementedError

    def apply(self, folder: Path, at: At = nowhere) -> Ended:
        """Apply once, as the command does."""
        with watched(at):
            return asyncio.run(self._walk(folder, at))

    async def _walk(self, folder: Path, at: At) -> Ended:
        raise NotImplementedError

    def state(self, folder: Path) -> Path:
        """Return the path of its state file."""
        raise NotImplementedError

    def census(self, folder: Path) -> Census:
        """Count the records of both systems."""
        raise NotImplementedError

    def keys(self, folder: Path) -> dict[str, set[str]]:
        """Name the keys of both systems' records by entity, as the state writes them."""
        raise NotImplementedError


async def _applied(session: run.Session) -> Ended:
    with run_file() as file:
        await run.settle_interrupted(session)
        names = tuple(mapping.name for mapping in session.mappings)
        made = await run.make_plan(session, file, Selection(mappings=names))
        changes, findings = made.count(*CHANGES), made.count(*FAILURES)
        if run.nothing_to_do(made):
            return Ended(changes=changes, findings=findings, failed=())
        report = await run.carry_out(session, made)
        failed = [f"{failure.outcome}: {failure.message}" for failure in report.failures]
        return Ended(changes=changes, findings=findings, failed=failed)


@dataclass(frozen=True)
class InMemory(Kind):
    """A shop and a desk whose records are kept in a file after each write.

    ``first`` and ``then`` put records; ``manners`` gives the systems ways of their own.
    """

    name: str
    mappings: dict[str, str]
    first: Callable[[World], None]
    then: Callable[[World], None] | None = None
    manners: Callable[[World], None] = lambda _: None

    @property
    def edited(self) -> bool:
        return self.then is not None

    def lay(self, folder: Path) -> None:
        (folder / "mappings").mkdir(parents=True)
        (folder / "sync.yaml").write_text(SYNC, encoding="utf-8")
        for name, text in self.mappings.items():
            (folder / "mappings" / f"{name}.yaml").write_text(text, encoding="utf-8")
        self._changed(folder, self.first)

    def edit(self, folder: Path) -> None:
        if self.then is not None:
            self._changed(folder, self.then)

    def state(self, folder: Path) -> Path:
        return folder / "state.duckdb"

    def census(self, folder: Path) -> Census:
        world = self._world(folder)
        names = {key: _told(row, {}) for fake in _both(world) for _, key, row in _records(fake)}
        found: Census = {}
        for system, fake in zip(("shop", "desk"), _both(world), strict=True):
            for entity, _, row in _records(fake):
                found.setdefault(f"{system} {entity}", Counter())[_told(row, names)] += 1
        return found

    def keys(self, folder: Path) -> dict[str, set[str]]:
        world = self._world(folder)
        own = {m.name: {key for key, _ in m.records} for m in world.mappings if m.records}
        return own | {
            entity: set(records) for fake in _both(world) for entity, records in fake.rows.items()
        }

    async def _walk(self, folder: Path, at: At) -> Ended:
        world = self._world(folder)
        for fake in _both(world):
            _mortal(fake, at, lambda: _kept(folder, world))
        told = await world._walk((), {}, write=True)
        findings = sum(
            action["action"] in FAILURES
            for m in told.document["mappings"]
            for action in m["actions"]
        )
        return Ended(changes=told.document["changes"], findings=findings, failed=told.failures)

    def _world(self, folder: Path) -> World:
        left, right = systems()
        world = equipped(World(folder, left, right, self._mappings(folder)))
        if (folder / "systems").exists():
            for fake, (rows, versions) in zip(_both(world), _loaded(folder), strict=True):
                fake.rows, fake._versions = rows, versions
        self.manners(world)
        return world

    def _mappings(self, folder: Path) -> tuple[Mapping, ...]:
        return _project(self.name, folder)

    def _changed(self, folder: Path, change: Callable[[World], None]) -> None:
        world = self._world(folder)
        change(world)
        _kept(folder, world)


@cache
def _project(name: str, folder: Path) -> tuple[Mapping, ...]:
    """Read the mappings of a kind; they are the same however often it is killed."""
    del name
    return load(folder).mappings


def _both(world: World) -> tuple[Fake, Fake]:
    return world.shop, world.desk


def _records(fake: Fake) -> list[tuple[str, str, dict[str, Any]]]:
    return [(entity, key, row) for entity, rows in fake.rows.items() for key, row in rows.items()]


def _told(row: dict[str, Any], names: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Tell a record by its values; a key that a system chose is told by the record it names."""
    given = {
        name: names.get(str(value), str(value)) for name, value in row.items() if value is not None
    }
    return tuple(
        sorted((name, str(value)) for name, value in given.items() if names or name not in _CHOSEN)
    )


_CHOSEN = frozenset(
    {"No", "Code", "accountid", "userid", "listid", "lineid", "groupid", "unitid", "number"}
    | {"ownerid", "unit", "group", "product", "list", "Agent"}
)
"""Fields that hold keys, and say nothing about what a record is."""


def _mortal(fake: Fake, at: At, keep: Callable[[], None]) -> None:
    """Let a system keep what it did at once, and those who ask it die on the way."""
    answer = fake.answer

    def answered(write: Write) -> Outcome:
        at(f"request: before {write.kind} {write.entity}")
        outcome = answer(write)
        keep()
        at(f"request: the system acted on {write.kind} {write.entity}")
        return outcome

    fake.answer = answered  # type: ignore[method-assign]


def _loaded(folder: Path) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = pickle.loads((folder / "systems").read_bytes())  # noqa: S301
    return found


def _kept(folder: Path, world: World) -> None:
    path = folder / "systems"
    beside = path.with_suffix(".new")
    beside.write_bytes(pickle.dumps([(fake.rows, fake._versions) for fake in _both(world)]))
    beside.replace(path)


@dataclass(frozen=True)
class Served(Kind):
    """The servers of the sandbox, or tables: a project as people have it.

    ``files`` are its files; ``edits`` are SQL on the records of a system, by its file;
    ``told`` names the fields by which the records of an entity are known.
    """

    name: str
    files: dict[str, str]
    told: abc.Mapping[str, tuple[str, ...]]
    edits: Callable[[Path], None] | None = None

    @property
    def edited(self) -> bool:
        return self.edits is not None

    def lay(self, folder: Path) -> None:
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    def edit(self, folder: Path) -> None:
        if self.edits is not None:
            self.edits(folder)

    async def _walk(self, folder: Path, at: At) -> Ended:
        del at  # What stands around the servers calls it.
        project = load(folder)
        async with wiring.session(project, "apply", lambda _: None) as session:
            return await _applied(session)

    def state(self, folder: Path) -> Path:
        return folder / ".sync-run" / "state.duckdb"

    def census(self, folder: Path) -> Census:
        found: Census = {}
        for place, names in self.told.items():
            rows = rows_of(folder, place)
            found[place] = Counter(tuple(str(row.get(name)) for name in names) for row in rows)
        return found

    def keys(self, folder: Path) -> dict[str, set[str]]:
        del folder  # What servers and tables call their keys, the state may write otherwise.
        return {}


def rows_of(folder: Path, place: str) -> list[dict[str, Any]]:
    """Read the records of an entity where its system keeps them: ``file entity``."""
    name, _, entity = place.partition(" ")
    path = folder / ".sync-run" / name
    if not path.exists():
        return []
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("SELECT body FROM record WHERE entity = ?", [entity])
            rows = [msgspec.json.decode(body) for (body,) in found]
        if entity == OPTIONS:
            return [{"label": label} for row in rows for label in row["published"].values()]
        return rows
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    with duckdb.connect(path, read_only=True) as connection:
        table = connection.execute(f"SELECT * FROM {entity}")
        columns = [column[0] for column in table.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in table.fetchall()]
