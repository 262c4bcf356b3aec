"""A day that passes in seconds: two systems in memory, people who edit, outages, and dead runners.

One virtual clock moves everything. Time passes while the scheduler waits and while a system
answers, so that edits, outages and kills fall into the middle of reading and writing too.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runner.errors import SystemUnavailableError
from runner.model import Job, Project, UpdateConflict
from runner.schedule.bell import Bell
from runner.schedule.loop import serve
from runner.schedule.turn import World as Outside
from runner.state import held, turns
from tests.fakes import HERE, Fake
from tests.world import AGENTS, CUSTOMERS, World, desk, shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from runner.connectors.protocol import Connector
    from runner.state.turns import Turn
    from runner.wire import EntityType, Outcome, Page, WireQuery, Write

BEGIN = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
"""Four hours before Europe turns its clocks back: 03:00 becomes 02:00."""


class Killed(BaseException):
    """The process is gone: nothing that would clean up after an error sees it."""


@dataclass
class Time:
    """The virtual clock. ``set_by`` is how far a person has set it from the true time."""

    true: datetime
    set_by: timedelta = timedelta()
    due: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.true + self.set_by

    async def sleep(self, seconds: float) -> None:
        self.passes(max(seconds, 0.001))

    def at(self, moment: datetime, happens: Callable[[], None]) -> None:
        self.due.append((moment, happens))
        self.due.sort(key=lambda event: event[0])

    def passes(self, seconds: float) -> None:
        """Let time pass; what falls due on the way happens at its own moment."""
        end = self.true + timedelta(seconds=seconds)
        while self.due and self.due[0][0] <= end:
            moment, happens = self.due.pop(0)
            self.true = max(self.true, moment)
            happens()
        self.true = max(self.true, end)


class Slow(Fake):
    """A system that takes its time, and is sometimes away."""

    def __init__(self, name: str, made: Fake, time: Time, chance: random.Random) -> None:
        super().__init__(made.types, client_keys=made.capabilities.client_keys)
        self.name, self.time, self.chance = name, time, chance
        self.away = False

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        self._there()
        return await super().describe(entities)

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        self.time.passes(self.chance.uniform(0, 3))
        self._there()
        async for page in super().pages(query):
            yield page

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        self._there()
        done = []
        for one in batch:
            # Whoever dies here dies before the write, or after it and before its answer.
            self.time.passes(self.chance.uniform(0, 0.5))
            self._there()
            done.append(self.answer(one))
            self.time.passes(self.chance.uniform(0, 0.5))
        return done

    def _there(self) -> None:
        if self.away:
            raise SystemUnavailableError(self.name, "it does not answer")


@dataclass
class Day:
    """What happened: the turns that began, by the true time, and how often it died."""

    folder: Path
    jobs: tuple[Job, ...]
    seed: int
    time: Time = field(default_factory=lambda: Time(BEGIN))
    began: list[tuple[datetime, Turn]] = field(default_factory=list)
    deaths: int = 0
    bell: Bell = field(default_factory=Bell)
    up: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - a day that can be lived again
        self.shop = Slow("shop", shop(), self.time, self.chance)
        self.desk = Slow("desk", desk(), self.time, self.chance)
        prefers = UpdateConflict.PREFER_LEFT
        rules = tuple(replace(rule, conflict=prefers) for rule in CUSTOMERS.fields)
        customers = replace(CUSTOMERS, conflict=prefers, fields=rules)
        self.world = World(self.folder, self.shop, self.desk, (AGENTS, customers))

    def project(self) -> Project:
        return replace(self.world.project, jobs=self.jobs)

    def lives(self, until: datetime) -> None:
        """Run the scheduler until then, and again each time it ended or was killed."""
        self.time.at(until, self.stop)
        while self.time.true < until:
            self.bell, self.up = Bell(), True
            try:
                asyncio.run(serve(self.project, (), self._outside(), lambda _: None))
            except Killed:
                self.deaths += 1
            except BaseExceptionGroup as group:
                if not group.subgroup(Killed):
                    raise
                self.deaths += 1
            self.up = False
            if self.time.true < until:
                self.time.passes(self.chance.uniform(5, 900))

    def stop(self) -> None:
        self.bell.stop()

    def goes(self, system: Slow) -> None:
        system.away = True

    def comes_back(self, system: Slow) -> None:
        system.away = False

    def sets_the_clock(self, by: timedelta) -> None:
        self.time.set_by = by

    def kill(self) -> None:
        if self.up:
            raise Killed

    def turns(self) -> tuple[Turn, ...]:
        with held(self.world.project.state, "test") as store, store.opened() as state:
            return tuple(t for job in self.jobs for t in turns.all_of(state, job.name))

    def _outside(self) -> Outside:
        @asynccontextmanager
        async def connect(_: Project) -> AsyncIterator[Mapping[str, Connector]]:
            yield {"shop": self.shop, "desk": self.desk}

        def fault(error: Exception) -> str:
            raise AssertionError from error

        return Outside(
            connect=connect,
            clock=self.time,
            tell=lambda _: None,
            begun=lambda turn, _: self.began.append((self.time.true, turn)),
            fault=fault,
            bell=self.bell,
        )


def job(name: str, **told: object) -> Job:
    told.setdefault("mappings", ("agents", "customers"))
    return Job(name=name, at=HERE, **told)  # type: ignore[arg-type]
