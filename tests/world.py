"""Two systems in memory, a project over them, and the walk from one to the other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import field as field_
from typing import TYPE_CHECKING, Any

from runner import run
from runner.connectors.records import Records
from runner.events import both
from runner.model import (
    RECORDS,
    Arrival,
    Blank,
    Direction,
    Entity,
    FieldMapping,
    Guards,
    Lookup,
    Mapping,
    MatchPair,
    Project,
    Selection,
    Side,
    Unresolved,
)
from runner.plan import Kind, run_file
from runner.plan import opened as open_plan
from runner.state import held
from runner.state.recording import recorded
from runner.state.runs import Beginning
from runner.views import document
from runner.wire import EntityType, FieldType, Type
from tests.fakes import HERE, Fake, fields, system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable
    from pathlib import Path

    from runner.connectors.protocol import Connector
    from runner.errors import ExitCode
    from runner.events import Event
    from runner.views.document import Document

USUAL = Guards()
TO_RIGHT, TO_LEFT, BOTH = Direction.TO_RIGHT, Direction.TO_LEFT, Direction.BOTH


def field(
    left: str = "", right: str = "", direction: Direction = BOTH, **more: Any
) -> FieldMapping:
    return FieldMapping(left=left, right=right, direction=direction, at=HERE, **more)


def pair(left: str, right: str, *, ignore_case: bool = False) -> tuple[MatchPair, ...]:
    return (MatchPair(left=left, right=right, ignore_case=ignore_case, at=HERE),)


def mapping(name: str, left: Entity, right: Entity, *rules: FieldMapping, **more: Any) -> Mapping:
    more.setdefault("direction", BOTH)
    more.setdefault("create", frozenset(side for side in Side if more["direction"].to(side)))
    return Mapping(name=name, left=left, right=right, fields=rules, at=HERE, **more)


def shop() -> Fake:
    """A system like NAV: codes, number series, no client keys."""
    customer = EntityType(
        name="Customer",
        key="No",
        label="Name",
        fields=fields(
            No=Type.CODE,
            Name=FieldType(name="Name", type=Type.TEXT, max_length=20),
            Phone=Type.TEXT,
            Credit=Type.DECIMAL,
            Agent=Type.CODE,
        ),
    )
    agent = EntityType(
        name="Agent", key="Code", label="Name", fields=fields(Code=Type.CODE, Name=Type.TEXT)
    )
    return Fake({"Customer": customer, "Agent": agent})


def desk() -> Fake:
    """A system like Dataverse: GUIDs chosen by the client, references, longer texts."""
    account = EntityType(
        name="accounts",
        key="accountid",
        label="name",
        fields=fields(
            accountid=Type.GUID,
            name=FieldType(name="name", type=Type.TEXT, max_length=40),
            number=Type.TEXT,
            phone=Type.TEXT,
            credit=FieldType(name="credit", type=Type.DECIMAL, scale=2),
            ownerid=FieldType(name="ownerid", type=Type.REFERENCE, targets=("users",)),
            kind=Type.INTEGER,
        ),
    )
    user = EntityType(
        name="users",
        key="userid",
        label="fullname",
        fields=fields(userid=Type.GUID, fullname=Type.TEXT),
    )
    return Fake({"accounts": account, "users": user}, client_keys=True)


AGENTS = mapping(
    "agents",
    Entity(system="shop", entity="Agent", key="Code", new_key="A{number}", at=HERE),
    Entity(system="desk", entity="users", key="userid", at=HERE),
    field("Name", "fullname", TO_LEFT),
    direction=TO_LEFT,
    match=(pair("Name", "fullname"),),
)
CUSTOMERS = mapping(
    "customers",
    Entity(system="shop", entity="Customer", key="No", at=HERE),
    Entity(system="desk", entity="accounts", key="accountid", at=HERE),
    field("No", "number", TO_RIGHT),
    field("Name", "name"),
    field("Phone", "phone"),
    field("Credit", "credit", TO_RIGHT, scale=2),
    field(
        "Agent",
        "ownerid",
        lookups=(Lookup(mapping="agents"),),
        blank=Blank.KEEP,
        to_left=Arrival(unresolved=Unresolved.KEEP),
    ),
    field("", "kind", TO_RIGHT, constant=3),
    match=(pair("No", "number"), pair("Name", "name", ignore_case=True)),
)


@dataclass(slots=True)
class Told:
    """What one walk came to: the plan as its document, and how it ended."""

    document: Document
    exit_code: ExitCode
    counters: dict[str, dict[str, int]]
    failures: list[str]

    def kinds(self) -> list[tuple[str, str, str | None]]:
        """Every action as (mapping, kind, system), in order."""
        return [
            (m["mapping"], action["action"], action["system"])
            for m in self.document["mappings"]
            for action in m["actions"]
        ]

    def actions(self, kind: Kind, mapping: str = "customers") -> list[Document]:
        (found,) = [m for m in self.document["mappings"] if m["mapping"] == mapping]
        return [action for action in found["actions"] if action["action"] == kind]


@dataclass(slots=True)
class World:
    """Two systems and the project that keeps them the same; ``heard`` is what was told so far."""

    folder: Path
    shop: Fake
    desk: Fake
    mappings: tuple[Mapping, ...] = (AGENTS, CUSTOMERS)
    guards: Guards = USUAL
    name: str = "world"
    environment: str = ""
    places: dict[str, str] = field_(default_factory=dict)
    extent: run.Extent = run.FULL
    heard: list[Event] = field_(default_factory=list)

    @property
    def project(self) -> Project:
        return Project(
            name=self.name,
            root=self.folder,
            environment=self.environment,
            systems=(system("shop"), system("desk"), system(RECORDS)),
            state=self.folder / "state.duckdb",
            mappings=self.mappings,
            guards=self.guards,
        )

    def plan(self, *names: str, out: Path | None = None, **chosen: Any) -> Told:
        return asyncio.run(self._walk(names, chosen, write=False, out=out))

    def apply(self, *names: str, allow: Collection[str] = (), **chosen: Any) -> Told:
        return asyncio.run(self._walk(names, chosen, write=True, allow=allow))

    def apply_file(self, path: Path, *, allow: Collection[str] = (), key: bytes = b"") -> Told:
        return asyncio.run(self._carry_out(path, allow, key))

    async def _carry_out(self, path: Path, allow: Collection[str], key: bytes) -> Told:
        async with self.session(begins=True) as session:
            made = open_plan(path, key=key)
            try:
                told = document.of_plan(made)
                return _told(told, await run.carry_out(session, made, allow=allow))
            finally:
                made.connection.close()

    def undo(self, number: int, *, out: Path) -> Told:
        """Plan the inverse of a run, and save it."""
        return asyncio.run(self._undo(number, out))

    async def _undo(self, number: int, out: Path) -> Told:
        async with self.session() as session:
            with run_file() as file:
                made = await run.make_undo(session, file, number)
                made.save(out)
                return _told(document.of_plan(made), run.found(made.header))

    @asynccontextmanager
    async def session(self, *, begins: bool = False) -> AsyncIterator[run.Session]:
        """Everything that planning and applying need; a run ``begins`` with it."""
        own = {m.name: {k: dict(v) for k, v in m.records} for m in self.mappings if m.records}
        connectors: dict[str, Connector] = {"shop": self.shop, "desk": self.desk}
        connectors |= {RECORDS: Records(own)} if own else {}
        mappings = await run.compiled(self.project, connectors)
        beginning, tell = Beginning(command="apply") if begins else None, self.heard.append
        with (
            held(self.project.state, "test") as store,
            recorded(self.project, store, beginning, tell) as running,
        ):
            yield run.Session(
                project=self.project,
                connectors=connectors,
                mappings=mappings,
                store=store,
                tell=both(running.hear, tell) if running else tell,
                running=running,
                places=self.places,
            )

    async def _walk(
        self,
        names: Iterable[str],
        chosen: dict[str, Any],
        *,
        write: bool,
        out: Path | None = None,
        allow: Collection[str] = (),
    ) -> Told:
        async with self.session(begins=write) as session:
            named = tuple(names) or tuple(m.name for m in session.mappings)
            selection = Selection(mappings=named, **chosen)
            with run_file() as file:
                if write:
                    await run.settle_interrupted(session)
                made = await run.make_plan(session, file, selection, self.extent)
                if out:
                    made.save(out)
                told = document.of_plan(made)
                report = run.found(made.header)
                if write:
                    report = await run.carry_out(session, made, allow=allow)
        return _told(told, report)


def _told(planned: Document, report: run.Report) -> Told:
    return Told(
        document=planned,
        exit_code=report.exit_code,
        counters={name: dict(c) for name, c in report.counters.items()},
        failures=[f"{failure.outcome}: {failure.message}" for failure in report.failures],
    )


def world(folder: Path, *mappings: Mapping) -> World:
    return World(folder, shop(), desk(), mappings or (AGENTS, CUSTOMERS))
