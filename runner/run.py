"""The walk in code: compile, extract, plan; recover, apply. Nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner import apply, config, extract, plan
from runner.compile import compile_project, narrowed
from runner.connectors.protocol import Counting
from runner.errors import ExitCode, NoSuchRecordError, RunStoppedError, StateUnusableError
from runner.model import Selection
from runner.plan import CHANGES, FAILURES, Kind
from runner.state import plans, recording, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import duckdb

    from runner.apply import Failure, Progress
    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector
    from runner.events import Tell
    from runner.model import Project
    from runner.state import Store
    from runner.wire import EntityType

    Ended = Callable[[duckdb.DuckDBPyConnection, "Report"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A project with its systems connected, its mappings compiled and its state held.

    ``running`` is the run that the history keeps what is done under; ``None``: none was begun yet.
    ``places`` says by name where each system is: a plan is for these and no others. ``ended`` is
    called in the very transaction that ends a run.
    """

    project: Project
    connectors: Mapping[str, Connector]
    mappings: Sequence[CompiledMapping]
    store: Store
    tell: Tell
    running: runs.Running | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    ended: Ended = lambda _, __: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an apply did: its number, counters by mapping, failures, and how it ended.

    ``stopped`` says why it did not come to its end; empty where it did. ``earlier`` are the runs
    that carried out the same plan before; ``run`` is 0 where they left nothing to do. ``set_aside``
    counts the records that failed once too often: from the next run on they are skipped.
    """

    run: int
    counters: Mapping[str, Mapping[str, int]]
    failures: Sequence[Failure]
    stopped: str
    exit_code: ExitCode
    earlier: tuple[int, ...] = ()
    set_aside: int = 0


async def described(
    project: Project, connectors: Mapping[str, Connector]
) -> dict[tuple[str, str], EntityType]:
    """Ask the systems for the types of all entities of the project, by system and name."""
    types: dict[tuple[str, str], EntityType] = {}
    for system, connector in connectors.items():
        entities = tuple(entity for of, entity in project.entities if of == system)
        for told in await connector.describe(entities):
            types[system, told.name] = told
    return types


async def compiled(
    project: Project, connectors: Mapping[str, Connector]
) -> tuple[CompiledMapping, ...]:
    """Ask the systems for the types of their entities and compile the mappings with them."""
    types = await described(project, connectors)
    capabilities = {name: connector.capabilities for name, connector in connectors.items()}
    return compile_project(project, types, capabilities)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Extent:
    """How both sides are read: all of them, or what changed since they were last read.

    ``deletes``: an incremental run looks for deletions, whenever it did so before. ``now`` tells
    the time by which that is due.
    """

    incremental: bool = False
    deletes: bool = False
    now: Callable[[], datetime] = _now

    def __str__(self) -> str:
        return "incremental" if self.incremental else "full"


FULL = Extent()


async def make_plan(
    session: Session, file: plan.RunFile, selection: Selection, extent: Extent = FULL
) -> plan.Plan:
    """Read both sides and decide what is to be done. Writes to no system and not to the state.

    The mirror begins with the first incremental run; from then on full runs refresh it too. A run
    about some records has no use for it.

    Raises:
        ConfigError: the selection does not fit a mapping.
        RunnerError: a record that it names is not there.

    """
    mappings = narrowed(session.mappings, selection)
    wanted = [mapping for mapping in mappings if mapping.name in selection.mappings]
    session.store.attach(file.connection)
    path, manner = session.project.mirror, None
    with ExitStack() as stack:
        if not selection.some and (extent.incremental or path.exists()):
            names = [mapping.name for mapping in mappings]
            stack.enter_context(extract.mirrored(file.connection, path, names))
            manner = extract.Manner(
                systems={system.name: system for system in session.project.systems},
                whole=not extent.incremental,
                deletes=extent.deletes,
                now=extent.now,
            )
        taken = await extract.take(
            wanted, session.connectors, file.connection, session.tell, manner
        )
        return plan.make(
            file,
            mappings,
            selection,
            origin=_origin(session, file.connection),
            guards=session.project.guards,
            taken=taken,
            mode=str(extent) if manner else str(FULL),
            tell=session.tell,
        )


async def make_undo(session: Session, file: plan.RunFile, run: int) -> plan.Plan:
    """Read the records that a run touched, and decide what would undo it. Writes nothing.

    Raises:
        RunnerError: there is no such run, or nothing of it to undo.

    """
    session.store.attach(file.connection)
    touched = plan.begin_undo(file.connection, session.mappings, run)
    for part in touched:
        for side, keys in part.keys.items():
            connector = session.connectors[part.mapping.rule.entity(side).system]
            await extract.by_keys(part.mapping, side, keys, connector, file.connection)
    return plan.undo(
        file,
        touched,
        run,
        origin=_origin(session, file.connection),
        guards=session.project.guards,
    )


async def settle_interrupted(session: Session) -> None:
    """Find out what became of the writes of a run that died, before anything is planned."""
    if session.store.exists:
        with session.store.opened() as state:
            await apply.recover(state, session.mappings, session.connectors, session.tell)


async def carry_out(session: Session, made: plan.Plan, *, allow: Collection[str] = ()) -> Report:
    """Do what the plan says, if it still fits and is above no guard that ``allow`` does not name.

    What it found and did stands in the history, also where there was nothing to do.

    Raises:
        GuardError: it is above one. Nothing was written.
        StalePlanError: the configuration or the state moved on since the plan was made.
        RunStoppedError: the state could not be written any more; the journal knows what is open.

    """
    plan.must_be_allowed(made.header.guards, allow)
    header, idle, path = made.header, nothing_to_do(made), made.release()
    begun_writing = False
    try:
        with session.store.opened() as state:
            begun = _begun(session, header, state)
            if begun.complete:
                return _already(header, begun)
            plan.attach(state, path)
            running = session.running or runs.begin(state, runs.Beginning(command="apply"))
            progress = None
            if not idle:
                runs.carry_out(state, running, header.id, undoes=header.undoes)
                begun_writing = True
                with extract.accounted(state, session.project.mirror):
                    progress = await apply.carry_out(
                        state,
                        [summary.name for summary in header.mappings],
                        session.mappings,
                        session.connectors,
                        running.number,
                        session.tell,
                        earlier=begun.runs,
                    )
            report = _report(running.number, header, progress, begun.runs)
            report = replace(report, set_aside=_kept(session, state, header, report))
            plan.detach(state)
            ending = runs.Ending(
                exit_code=report.exit_code,
                message=report.stopped,
                counters=report.counters,
                requests=asked(session.connectors),
            )
            recording.end(
                session.project,
                state,
                running,
                ending,
                session.tell,
                also=lambda: _ended(session, state, report),
            )
    except StateUnusableError as error:
        if begun_writing:
            raise RunStoppedError(str(error), hint=error.hint) from error
        raise
    return report


async def look_into(session: Session, mapping: str, key: str) -> tuple[plan.Trace, ...]:
    """Read one record of either side, by its key or the beginning of one, and say how it stands.

    Raises:
        NoSuchRecordError: there is none.

    """
    try:
        return await _look_into(session, Selection(mappings=(mapping,), records=(key,)), key)
    except NoSuchRecordError as error:
        found = await _look_into(session, Selection(mappings=(mapping,)), key)
        if not found:
            raise error from None
        return found


async def _look_into(session: Session, selection: Selection, key: str) -> tuple[plan.Trace, ...]:
    with plan.run_file() as file:
        made = await make_plan(session, file, selection)
        return traced(session, made, selection.mappings[0], key)


def traced(session: Session, made: plan.Plan, mapping: str, key: str) -> tuple[plan.Trace, ...]:
    """Say what a plan, and the state it was made from, know of one record."""
    (compiled_one,) = [one for one in session.mappings if one.name == mapping]
    session.store.attach(made.connection)
    try:
        return plan.traces(made.connection, compiled_one, key)
    finally:
        made.connection.execute("DETACH state")


def _kept(
    session: Session, state: duckdb.DuckDBPyConnection, header: plan.Header, report: Report
) -> int:
    """Keep what was found and what failed; return how many records are set aside from now on."""
    apply.findings.keep(
        state,
        report.run,
        report.failures,
        stopped=bool(report.stopped),
        lasting=not header.undoes,
    )
    for failure in apply.findings.told(state):
        session.tell(failure)
    rules = {mapping.name: mapping for mapping in session.project.mappings}
    repeated = () if header.undoes else apply.findings.repeated(state)
    return sum(n for name, kind, attempts, n in repeated if rules[name].sets_aside(kind, attempts))


def asked(connectors: Mapping[str, Connector]) -> dict[str, int]:
    """Count the requests that were sent to each system so far, where it is reached by requests."""
    return {
        name: connector.requests
        for name, connector in connectors.items()
        if isinstance(connector, Counting)
    }


def _ended(session: Session, state: duckdb.DuckDBPyConnection, report: Report) -> None:
    if not report.stopped:
        plans.complete(state, report.run)
    session.ended(state, report)


def done_already(session: Session, made: plan.Plan) -> Report | None:
    """Report on a saved plan that was carried out already; ``None`` where something is left of it.

    Raises:
        StalePlanError: it does not fit any more.

    """
    with session.store.opened() as state:
        begun = _begun(session, made.header, state)
    return _already(made.header, begun) if begun.complete else None


def _origin(session: Session, connection: duckdb.DuckDBPyConnection) -> plan.Origin:
    state_id, serial = runs.identity(connection)
    return plan.Origin(
        project=session.project.name,
        environment=session.project.environment,
        systems=session.places,
        digest=config.digest(session.project),
        state_id=state_id,
        state_serial=serial,
    )


def _begun(session: Session, header: plan.Header, state: duckdb.DuckDBPyConnection) -> plans.Begun:
    """Hold a plan against what is there now; what it did to the state itself is no reproach."""
    now = _origin(session, state)
    since = header.origin.state_serial
    begun = plans.begun(state, header.id, since=since, now=now.state_serial)
    if begun.runs and begun.alone:
        now = replace(now, state_serial=since)
    if not begun.complete:
        header.must_fit(now, at=datetime.now(UTC))
    return begun


def _already(header: plan.Header, begun: plans.Begun) -> Report:
    nothing = _report(0, header, None, begun.runs)
    counters = {name: dict.fromkeys(counted, 0) for name, counted in nothing.counters.items()}
    return replace(nothing, counters=counters, exit_code=ExitCode(begun.exit_code))


def nothing_to_do(made: plan.Plan) -> bool:
    """Whether a plan has neither a change nor a base to move: applying it would do nothing."""
    return not made.count(*CHANGES, Kind.CONVERGE)


def found(header: plan.Header) -> Report:
    """Report on a plan that is not carried out: it is no run, its findings still count."""
    return _report(0, header, None)


def _report(
    run: int, header: plan.Header, progress: Progress | None, earlier: tuple[int, ...] = ()
) -> Report:
    counters = {
        summary.name: _counted(
            summary,
            progress.counters.get(summary.name, {}) if progress else {},
            progress.not_coupled[summary.name] if progress else 0,
        )
        for summary in header.mappings
    }
    stopped = progress.stopped if progress else ""
    failed = stopped or any(counted["failed"] for counted in counters.values())
    return Report(
        run=run,
        counters=counters,
        failures=progress.failures if progress else (),
        stopped=stopped,
        exit_code=ExitCode.RECORDS_FAILED if failed else ExitCode.DONE,
        earlier=earlier,
    )


def _counted(summary: plan.MappingSummary, done: Mapping[str, int], missed: int) -> dict[str, int]:
    """Count as Microsoft's job log does; records that a filter keeps out are counted apart.

    ``skipped`` are records that are set aside, and coupled pairs of which one left its filter:
    they rest until it comes back.
    """
    return {
        "inserted": done.get("inserted", 0),
        "modified": done.get("modified", 0),
        "deleted": done.get("deleted", 0),
        "unchanged": summary.unchanged + summary.count(Kind.CONVERGE),
        "coupled": summary.count(Kind.COUPLE) - missed,
        "uncoupled": summary.count(Kind.UNCOUPLE),
        "skipped": summary.count(Kind.SKIP) + summary.filtered.get("coupled", 0),
        "failed": done.get("failed", 0) + summary.count(*FAILURES),
        "filtered": sum(n for side, n in summary.filtered.items() if side != "coupled"),
    }
