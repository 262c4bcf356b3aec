"""The walk in code: compile, extract, plan; recover, apply. Nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import apply, config, extract, plan
from runner.compile import compile_project, narrowed
from runner.errors import ExitCode, NoSuchRecordError
from runner.model import Selection
from runner.plan import CHANGES, FAILURES, Kind
from runner.state import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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

    ``ended`` is called in the very transaction that ends a run.
    """

    project: Project
    connectors: Mapping[str, Connector]
    mappings: Sequence[CompiledMapping]
    store: Store
    tell: Tell
    ended: Ended = lambda _, __: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an apply did: its number, counters by mapping, failures, and how it ended.

    ``stopped`` says why it did not come to its end; empty where it did.
    """

    run: int
    counters: Mapping[str, Mapping[str, int]]
    failures: Sequence[Failure]
    stopped: str
    exit_code: ExitCode


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


async def make_plan(session: Session, file: plan.RunFile, selection: Selection) -> plan.Plan:
    """Read both sides and decide what is to be done. Writes to no system and not to the state.

    Raises:
        ConfigError: the selection does not fit a mapping.
        RunnerError: a record that it names is not there.

    """
    mappings = narrowed(session.mappings, selection)
    wanted = [mapping for mapping in mappings if mapping.name in selection.mappings]
    session.store.attach(file.connection)
    await extract.take(wanted, session.connectors, file.connection, session.tell)
    return plan.make(
        file,
        mappings,
        selection,
        project=session.project.name,
        environment=session.project.environment,
        digest=config.digest(session.project),
        tell=session.tell,
    )


async def settle_interrupted(session: Session) -> None:
    """Find out what became of the writes of a run that died, before anything is planned."""
    if session.store.exists:
        with session.store.opened() as state:
            await apply.recover(state, session.mappings, session.connectors, session.tell)


async def carry_out(session: Session, made: plan.Plan) -> Report:
    """Do what the plan says, if it still fits.

    Raises:
        StalePlanError: the configuration or the state moved on since the plan was made.

    """
    header, path = made.header, made.release()
    with session.store.opened() as state:
        state_id, serial = runs.identity(state)
        header.must_fit(
            digest=config.digest(session.project), state_id=state_id, state_serial=serial
        )
        plan.attach(state, path)
        run = runs.begin(state, "apply")
        progress = await apply.carry_out(
            state,
            [summary.name for summary in header.mappings],
            session.mappings,
            session.connectors,
            run,
            session.tell,
        )
        report = _report(run, header, progress)
        runs.end(
            state,
            run,
            report.counters,
            report.exit_code,
            also=lambda: session.ended(state, report),
        )
        plan.detach(state)
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


def nothing_to_do(made: plan.Plan) -> bool:
    """Whether a plan has neither a change nor a base to move: applying it would do nothing."""
    return not made.count(*CHANGES, Kind.CONVERGE)


def found(header: plan.Header) -> Report:
    """Report on a plan with nothing to do: no run was begun, its findings still count."""
    return _report(0, header, None)


def _report(run: int, header: plan.Header, progress: Progress | None) -> Report:
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
    )


def _counted(summary: plan.MappingSummary, done: Mapping[str, int], missed: int) -> dict[str, int]:
    """Count as Microsoft's job log does; records that a filter keeps out are counted apart.

    ``skipped`` are coupled pairs of which one left its filter: they rest until it comes back.
    """
    return {
        "inserted": done.get("inserted", 0),
        "modified": done.get("modified", 0),
        "deleted": done.get("deleted", 0),
        "unchanged": summary.unchanged + summary.count(Kind.CONVERGE),
        "coupled": summary.count(Kind.COUPLE) - missed,
        "uncoupled": summary.count(Kind.UNCOUPLE),
        "skipped": summary.filtered.get("coupled", 0),
        "failed": done.get("failed", 0) + summary.count(*FAILURES),
        "filtered": sum(n for side, n in summary.filtered.items() if side != "coupled"),
    }
