"""Ceilings: what a plan comes to, held against what may happen without anybody's leave. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from runner.errors import GuardError, RunnerError, nearest
from runner.plan.actions import Kind, Tripped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from runner.model import Ceiling, Guards
    from runner.plan.actions import MappingSummary

RUN = "run"
"""What the guards of a run as a whole are named after, as those of a mapping after the mapping."""
CHANGES, DELETES, EMPTY = "max_changes", "max_deletes", "empty"
_WORDS = {"changes": CHANGES, "deletes": DELETES}
_WRITES = (Kind.CREATE, Kind.UPDATE, Kind.DELETE)


def tripped(
    summaries: Sequence[MappingSummary], of_run: Guards, of_mapping: Mapping[str, Guards]
) -> tuple[Tripped, ...]:
    """Say which ceilings a plan is above, by its counts; each mapping's first, then the run's."""
    found = [
        guard
        for summary in summaries
        for guard in (*_empty(summary), *_judged(summary.name, of_mapping[summary.name], [summary]))
    ]
    return (*found, *_judged(RUN, of_run, summaries))


def must_be_allowed(found: Sequence[Tripped], allowed: Collection[str]) -> None:
    """Refuse to go on above a ceiling that nobody lifted.

    ``allowed`` holds ``deletes`` (or ``max_deletes``; of every mapping and the run), or
    ``customers.deletes``, of one.

    Raises:
        GuardError: a guard stands.

    """
    standing = [guard for guard in found if not _lifted(guard, allowed)]
    if standing:
        words = "\n".join(f"  {guard.name}: {guard.what}" for guard in standing)
        options = " ".join(f"--allow {guard.name}" for guard in standing)
        raise GuardError(
            f"nothing was written, because of guards:\n{words}",
            hint=f"if it is meant, say so: {options}",
        )


def known(words: Collection[str], mappings: Collection[str]) -> None:
    """Check that words name guards.

    Raises:
        RunnerError: one does not.

    """
    guards = (*_WORDS, EMPTY, *_WORDS.values())
    names = {f"{owner}.{guard}" for owner in (*mappings, RUN) for guard in guards} | {*guards}
    for word in words:
        if word not in names:
            hint = nearest(word, names) or f"there are {', '.join((*_WORDS, EMPTY))}"
            raise RunnerError(f"there is no guard '{word}'", hint=hint)


def _lifted(guard: Tripped, allowed: Collection[str]) -> bool:
    spelled = {guard.guard} | {short for short, long in _WORDS.items() if long == guard.guard}
    return any(word in allowed or f"{guard.owner}.{word}" in allowed for word in spelled)


def _empty(summary: MappingSummary) -> Iterator[Tripped]:
    """Never read "there is nothing" as "everything was deleted"."""
    sides = (
        ("left", summary.left, summary.left_entity),
        ("right", summary.right, summary.right_entity),
    )
    for side, system, entity in sides:
        if side in summary.empty:
            what = f"{system} returned no {entity} at all, and {summary.coupled} are coupled"
            yield Tripped(owner=summary.name, guard=EMPTY, what=what, limit="")


def _judged(owner: str, guards: Guards, summaries: Sequence[MappingSummary]) -> Iterator[Tripped]:
    coupled = sum(summary.coupled for summary in summaries)
    for guard, ceiling, count, what in (
        (CHANGES, guards.changes, _changed, "records would be written"),
        (DELETES, guards.deletes, _deleted, "coupled records are gone, or would be deleted"),
    ):
        found = sum(count(summary) for summary in summaries)
        if ceiling is not None and _above(found, ceiling, coupled, guards.floor):
            limit = f"{ceiling} of {coupled}" if ceiling.share else str(ceiling)
            words = f"{found} {what}, at the most {limit} may"
            yield Tripped(owner=owner, guard=guard, what=words, limit=str(ceiling))


def _above(found: int, ceiling: Ceiling, coupled: int, floor: int) -> bool:
    if not ceiling.share:
        return found > ceiling.most
    # Where nothing is coupled yet there is nothing to have a share of: the first synchronization.
    return coupled > 0 and found > floor and found > ceiling.most * coupled / Decimal(100)


def _changed(summary: MappingSummary) -> int:
    return summary.count(*_WRITES)


def _deleted(summary: MappingSummary) -> int:
    return max(summary.gone, summary.count(Kind.DELETE))
