"""The loop around it: reads the configuration, takes turns, waits; ends when it is asked to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from runner.errors import RunnerError, StateHeldError, nearest
from runner.schedule.turn import take
from runner.state.turns import Outcome, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.model import Job, Project
    from runner.schedule.due import Due
    from runner.schedule.turn import World

LOOK = 60.0
"""Seconds between two looks at the configuration and at the clock, which may have been set."""
HELD = 5.0
"""Seconds after which a state that another runner holds is asked for again."""
SOON = timedelta(seconds=60)
"""How far ahead ``--once`` looks: who is woken by another clock may come a little early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A turn came to its end, or did not; ``turn`` says which."""

    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Nothing is due before ``due`` (``None``: no job is enabled)."""

    due: Due | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Another runner holds the state; it is waited for."""

    error: RunnerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The configuration is wrong, or the state cannot be used: nothing runs until that is over."""

    error: RunnerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The jobs were read, for the first time or anew."""

    jobs: tuple[Job, ...]


News = Ended | Waits | Held | Refused | Read


def chosen(project: Project, names: Sequence[str]) -> tuple[Job, ...]:
    """Return the jobs named, or all.

    Raises:
        RunnerError: a name is none, or there is no job at all.

    """
    known = tuple(job.name for job in project.jobs)
    if not known:
        raise RunnerError(
            "sync.yaml names no jobs",
            hint="`jobs: {often: {every: 2m}}` runs all mappings every two minutes",
        )
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f"the jobs are {', '.join(known)}"
            raise RunnerError(f"there is no job '{name}'", hint=hint)
    return tuple(job for job in project.jobs if not names or job.name in names)


async def serve(
    read: Callable[[], Project],
    names: Sequence[str],
    world: World,
    tell: Callable[[News], None],
) -> None:
    """Run what is due, for ever, or until the bell says to end.

    The configuration is read before every turn and once a minute. While it is wrong nothing runs:
    what nobody could review is not carried out.
    """
    bell = world.bell
    jobs: tuple[Job, ...] = ()
    trouble = ""
    while not bell.stopping:
        calling = bell.waiting
        bell.heard(calling)
        try:
            project = read()
            found = chosen(project, names)
            if found != jobs:
                tell(Read(jobs=found))
            jobs = found
            taken = await take(project, jobs, world, ready=calling)
        except RunnerError as error:
            held = isinstance(error, StateHeldError)
            if str(error) != trouble:
                tell(Held(error=error) if held else Refused(error=error))
            trouble = str(error)
            jobs = jobs if held else ()
            await world.clock.sleep(HELD if held else LOOK)
            if calling:
                bell.ready(calling)
        else:
            trouble = ""
            if taken.turn:
                tell(Ended(turn=taken.turn))
            if taken.due is None or taken.due.at > world.clock.now():
                tell(Waits(due=taken.due))
                await _wait(taken.due, read, names, world, jobs)


async def once(
    read: Callable[[], Project],
    names: Sequence[str],
    world: World,
    tell: Callable[[News], None],
) -> tuple[Turn, ...]:
    """Run what is due, or will be within a minute, and return the turns, failed attempts too.

    Each job comes to its end once, even if it is due again by then.
    """
    done: list[Turn] = []
    trouble = ""
    while not world.bell.stopping:
        ended = {turn.job for turn in done if turn.outcome is not Outcome.FAILED}
        try:
            project = read()
            jobs = [job for job in chosen(project, names) if job.name not in ended]
            taken = await take(project, jobs, world)
        except StateHeldError as error:
            if str(error) != trouble:
                tell(Held(error=error))
            trouble = str(error)
            await world.clock.sleep(HELD)
            continue
        if taken.turn:
            done.append(taken.turn)
            tell(Ended(turn=taken.turn))
        elif taken.due is None or taken.due.at > world.clock.now() + SOON:
            break
        else:
            await world.clock.sleep((taken.due.at - world.clock.now()).total_seconds())
    return tuple(done)


async def _wait(
    due: Due | None,
    read: Callable[[], Project],
    names: Sequence[str],
    world: World,
    jobs: tuple[Job, ...],
) -> None:
    """Wait until something is due, is called, or is told otherwise by the file or the clock."""
    before = world.clock.now()
    while not world.bell.stopping and not world.bell.waiting:
        left = (due.at - before).total_seconds() if due else LOOK
        await world.clock.sleep(max(0.0, min(left, LOOK)))
        now = world.clock.now()
        if now < before or (due and due.at <= now) or _jobs(read, names) != jobs:
            return
        before = now


def _jobs(read: Callable[[], Project], names: Sequence[str]) -> tuple[Job, ...] | None:
    try:
        return chosen(read(), names)
    except RunnerError:
        return None
