"""Several transforms in a row: one piece of SQL, its inverse, and what may go wrong on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.transform.convert import TEXTUAL, converted, convertible, lost, may_fail, told
from runner.transform.registry import TRANSFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import Step
    from runner.wire import Type


@dataclass(frozen=True, slots=True)
class Chain:
    """A value on its way: its SQL and type, and the conversions that may have failed.

    A failure is a condition and the words for it, both SQL.
    """

    sql: str
    kind: Type
    failures: tuple[tuple[str, str], ...] = ()

    def then(self, kind: Type, zone: str) -> Chain:
        """Convert it to another type."""
        if kind is self.kind or {kind, self.kind} <= TEXTUAL:
            return Chain(converted(self.sql, self.kind, kind), kind, self.failures)
        sql = converted(self.sql, self.kind, kind, zone)
        failures = self.failures
        if may_fail(self.kind, kind):
            words = told(self.sql, self.kind, f"is no {kind}")
            failures = (*failures, (lost(self.sql, sql), words))
        return Chain(sql, kind, failures)


def chained(sql: str, kind: Type, steps: Sequence[Step], zone: str = "UTC") -> Chain:
    """Write a value after all the steps, each fed with the type that it takes."""
    chain = Chain(sql, kind)
    for step in steps:
        transform = TRANSFORMS[step.name]
        chain = chain.then(transform.takes, zone)
        changed = transform.sql(chain.sql, dict(step.arguments))
        failures = chain.failures
        if transform.fails is not None:
            words = told(chain.sql, chain.kind, f"{transform.failed} by {step.name}")
            failures = (*failures, (transform.fails(chain.sql, changed), words))
        chain = Chain(changed, transform.gives, failures)
    return chain


def inverse(steps: Sequence[Step]) -> tuple[Step, ...] | None:
    """Return the steps that undo these, last first; ``None`` if one of them cannot be undone."""
    undone = [TRANSFORMS[step.name].inverse(dict(step.arguments)) for step in reversed(steps)]
    found = tuple(step for step in undone if step is not None)
    return found if len(found) == len(undone) else None


def lossy(steps: Sequence[Step]) -> Step | None:
    """Return the first step that cannot be undone."""
    return next((s for s in steps if TRANSFORMS[s.name].inverse(dict(s.arguments)) is None), None)


def faults(steps: Sequence[Step], kind: Type | None = None) -> Iterator[tuple[Step, str]]:
    """Yield what is wrong with the steps; ``kind`` is the type that goes in, where it is known."""
    for step in steps:
        transform = TRANSFORMS[step.name]
        for words in transform.faults(dict(step.arguments)):
            yield step, f"{step.name}: {words}"
        if kind is not None and not convertible(kind, transform.takes):
            yield step, f"{step.name} takes {transform.takes}, and gets {kind}"
        kind = transform.gives
