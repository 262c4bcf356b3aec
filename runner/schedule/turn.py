"""One turn: the state held, what is due decided, the walk walked, its end recorded."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from runner import run
from runner.errors import ExitCode, StoppedError, cause
from runner.events import RecordFailed, RunBegan, RunEnded, both
from runner.model import Mode, Selection
from runner.plan import run_file
from runner.schedule.due import Due, counted, next_up
from runner.state import held, turns
from runner.state.recording import recorded
from runner.state.runs import Beginning
from runner.state.turns import Outcome, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from datetime import datetime

    import duckdb

    from runner.connectors.protocol import Connector
    from runner.events import Event, Tell
    from runner.model import Job, Project
    from runner.plan import Plan, RunFile
    from runner.schedule.bell import Bell
    from runner.state import Store


class Clock(Protocol):
    """What time it is, and waiting."""

    def now(self) -> datetime:
        """Return the time, UTC. It may be set, forwards and backwards, at any moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or less."""
        ...


_NOBODY = Beginning(command="schedule")


def _nobody_else(_: Project, tell: Tell) -> AbstractContextManager[Tell]:
    return nullcontext(tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What turns need of the world.

    ``connect`` opens the systems of a project; ``tell`` hears what a run does, ``begun`` of each
    turn when it begins; ``fault`` keeps the details of a fault of ours and says where.
    ``listening`` lets others hear what is told in one turn; ``process`` is what the history keeps
    of whoever runs it.
    """

    connect: Callable[[Project], AbstractAsyncContextManager[Mapping[str, Connector]]]
    clock: Clock
    tell: Tell
    begun: Callable[[Turn, Job], None]
    fault: Callable[[Exception], str]
    bell: Bell
    listening: Callable[[Project, Tell], AbstractContextManager[Tell]] = _nobody_else
    process: Beginning = _NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The turn that was taken (``None``: none was due), and what is due next."""

    turn: Turn | None = None
    due: Due | None


async def take(project: Project, jobs: Sequence[Job], world: World, *, ready: str = "") -> Taken:
    """Take the next turn of these jobs, if one is due.

    ``ready`` names a job that is to run now, whatever its times. What is due is decided while the
    state is held: a second scheduler, or one that died, changes nothing.

    Raises:
        StateHeldError: another runner holds the state.
        StateUnusableError: it cannot be read or written.

    """
    with held(project.state, "schedule") as store:
        now = world.clock.now()
        with store.opened() as state:
            last = turns.last(state)
            for start in counted(jobs, last, now):
                last = {**last, start.job: turns.begin(state, start)}
            called = [Due(job=job, at=now, due=now) for job in jobs if job.name == ready]
            due = next(iter(called), None) or next_up(jobs, last, now)
            if due is None or due.at > now:
                return Taken(due=due)
            _bury(state, last[due.job.name], now)
            turn = turns.begin(state, _turn(due, now))
            turns.forget(state, now)
        world.begun(turn, due.job)
        turn = await _walked(project, due.job, store, turn, world)
        return Taken(turn=turn, due=next_up(jobs, {**last, turn.job: turn}, world.clock.now()))


def _bury(state: duckdb.DuckDBPyConnection, last: Turn, now: datetime) -> None:
    """End a turn whose process is dead: nobody else can hold the state now."""
    if last.outcome is Outcome.RUNNING:
        died = replace(last, ended=now, outcome=Outcome.FAILED, message="it was interrupted")
        turns.end(state, died)


def _turn(due: Due, now: datetime) -> Turn:
    return Turn(
        job=due.job.name,
        due=due.due,
        begun=now,
        attempt=due.attempt,
        missed=due.missed,
        outcome=Outcome.RUNNING,
    )


async def _walked(project: Project, job: Job, store: Store, turn: Turn, world: World) -> Turn:
    """Plan and apply as ``sync-run apply`` does; whatever happens, record how it ended."""
    done: list[Turn] = []

    def ended(state: duckdb.DuckDBPyConnection, report: run.Report) -> None:
        done.append(_ended(job, turn, report, world))
        turns.end(state, done[-1])

    def tell(event: Event) -> None:
        world.tell(event)
        if world.bell.stopping and not isinstance(event, RunBegan | RecordFailed | RunEnded):
            raise StoppedError("it was asked to end")

    selection = Selection(mappings=job.mappings)
    extent = run.Extent(incremental=job.mode is Mode.INCREMENTAL, now=world.clock.now)
    try:
        with (
            world.listening(project, tell) as heard,
            recorded(project, store, _beginning(project, job, world), heard) as running,
        ):
            async with world.connect(project) as connectors:
                session = run.Session(
                    project=project,
                    connectors=connectors,
                    mappings=await world.bell.unless_stopped(run.compiled(project, connectors)),
                    store=store,
                    tell=both(running.hear, heard) if running else heard,
                    running=running,
                    ended=ended,
                )
                with run_file() as file:
                    planned = _planned(session, file, selection, extent)
                    await run.carry_out(session, await world.bell.unless_stopped(planned))
        return done[-1]
    except Exception as error:  # noqa: BLE001 - one turn that fails must not end the others
        told = _failed(job, turn, error, world)
    with store.opened() as state:
        turns.end(state, told)
    return told


def _beginning(project: Project, job: Job, world: World) -> Beginning:
    """Say what is known of the run; whose process it is, ``World.process`` knows."""
    everything = len(job.mappings) == len(project.mappings)
    mappings = () if everything else job.mappings
    return replace(world.process, command=f"schedule {job.name}", mode=job.mode, mappings=mappings)


async def _planned(
    session: run.Session, file: RunFile, selection: Selection, extent: run.Extent
) -> Plan:
    await run.settle_interrupted(session)
    return await run.make_plan(session, file, selection, extent)


def _ended(job: Job, turn: Turn, report: run.Report, world: World) -> Turn:
    total = {
        name: sum(counted[name] for counted in report.counters.values())
        for name in ("inserted", "modified", "deleted", "coupled", "uncoupled", "failed")
    }
    return replace(
        turn,
        ended=world.clock.now(),
        outcome=_outcome(job, turn, world) if report.stopped else Outcome.DONE,
        run=report.run,
        failed=total.pop("failed"),
        changes=sum(total.values()),
        message=report.stopped,
        exit_code=report.exit_code,
    )


def _failed(job: Job, turn: Turn, error: Exception, world: World) -> Turn:
    known = cause(error)
    outcome = _outcome(job, turn, world)
    if known is not None and known.exit_code is ExitCode.STOPPED:
        # What a person must look at is not helped by trying again.
        outcome = Outcome.GIVEN_UP
    return replace(
        turn,
        ended=world.clock.now(),
        outcome=outcome,
        message=world.fault(error) if known is None else str(known),
        exit_code=ExitCode.FAULT if known is None else known.exit_code,
    )


def _outcome(job: Job, turn: Turn, world: World) -> Outcome:
    if world.bell.stopping:
        return Outcome.STOPPED
    return Outcome.FAILED if turn.attempt < job.attempts else Outcome.GIVEN_UP
