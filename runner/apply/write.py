"""Actions as writes: in order, in windows, to both systems at the same time.

Each window is journaled before it is sent and settled after it was answered, so that at any
instant at most one window of writes is in doubt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from runner.apply.find import awaited, find, follow
from runner.apply.remaining import REMAINING
from runner.apply.resolve import given, pending, pendings_of, values, with_keys
from runner.apply.settle import Settled, settle
from runner.errors import SystemUnavailableError
from runner.events import PhaseDone, WritesDone
from runner.model import Side
from runner.plan import Kind, read
from runner.state import journal
from runner.wire import Drifted, Rejected, Unknown, Unsent, Write, WriteKind, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector
    from runner.events import Tell
    from runner.plan import Action
    from runner.wire import Outcome

WINDOW = 1_000
"""Writes in doubt at the most, and writes a journal commit: two commits a window."""

_COUNTERS = {Kind.CREATE: "inserted", Kind.UPDATE: "modified", Kind.DELETE: "deleted"}
_INTENTS = pa.schema(
    [("action", pa.int64())]
    + [
        (name, pa.string())
        for name in ("mapping", "kind", "side", "entity", "left_key", "right_key", "key", "etag")
    ]
    + [("fields", pa.string())]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A record that could not be written, and what to do about it."""

    action: Action
    outcome: str
    message: str
    hint: str


@dataclass(slots=True, kw_only=True)
class Progress:
    """What one apply did so far: counters by mapping, and failures.

    ``moved`` holds for each record that this run wrote (system, entity, key) the ETag that the
    plan saw (``None``: there was no record yet) and the one it has now; ``missing`` the keys, with
    their mapping, of records that were planned and not created; ``not_coupled`` how many planned
    pairs of a mapping did not come about now.
    """

    counters: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    moved: dict[tuple[str, str, str], tuple[str | None, str]] = field(default_factory=dict)
    missing: set[tuple[str, str]] = field(default_factory=set)
    not_coupled: Counter[str] = field(default_factory=Counter)
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out the actions of one mapping."""

    connection: duckdb.DuckDBPyConnection
    mapping: CompiledMapping
    mappings: Sequence[CompiledMapping]
    connectors: Mapping[str, Connector]
    run: int
    progress: Progress

    async def carry_out(self, kind: Kind, tell: Tell) -> None:
        """Do all actions of one kind."""
        total = self.total(*_COUNTERS)
        for window in _windows(self.connection, self.mapping, kind):
            await self.send(window)
            counted = self.progress.counters[self.mapping.name]
            failed = counted["failed"]
            tell(
                WritesDone(
                    mapping=self.mapping.name, done=counted.total(), total=total, failed=failed
                )
            )

    def total(self, *kinds: Kind) -> int:
        """Count the actions of some kinds that are still to be done."""
        [(total,)] = self.connection.execute(
            f"SELECT count(*) FROM {REMAINING} WHERE mapping = ? AND list_contains(?, kind)",
            [self.mapping.name, [str(kind) for kind in kinds]],
        ).fetchall()
        return int(total)

    @contextmanager
    def timed(self, tell: Tell) -> Iterator[None]:
        """Tell how long writing took, and what was written until then, however it ends."""
        began = monotonic()
        try:
            yield
        finally:
            counted = dict(self.progress.counters[self.mapping.name])
            seconds = monotonic() - began
            tell(
                PhaseDone(mapping=self.mapping.name, phase="write", seconds=seconds, counts=counted)
            )

    async def find(self) -> None:
        """Couple the records that other mappings made, or that came with theirs."""
        side = awaited(self.mapping)
        if side is None and not self.mapping.rule.coupled_by:
            return
        for window in _windows(self.connection, self.mapping, Kind.COUPLE):
            own = [a for a in window if pending(a.left_key) or pending(a.right_key)]
            known = given(self.connection, (p for action in own for p in pendings_of(action)))
            for action in own:
                why = "the record it comes with was not created"
                resolved = with_keys(action, known, own=side is None)
                if resolved is not None and side is None:
                    follow(self.connection, self.mapping, resolved, self.run)
                    why = ""
                elif resolved is not None and side is not None and self._stands(resolved):
                    connector = self.connectors[self.mapping.rule.entity(side).system]
                    why = await find(self.connection, self.mapping, connector, resolved, self.run)
                if why:
                    hint = "the next run looks again"
                    self.count(Settled(action=action, outcome="missing", message=why, hint=hint))

    async def send(self, window: Sequence[Action]) -> None:
        """Resolve, journal, send, settle one window."""
        known = given(self.connection, (p for action in window for p in pendings_of(action)))
        ready = [(action, with_keys(action, known)) for action in window]
        ready = [(a, r if r is None or self._stands(r) else None) for a, r in ready]
        blocked = [action for action, resolved in ready if resolved is None]
        writes = [
            (action, resolved, self.as_write(resolved)) for action, resolved in ready if resolved
        ]
        if writes:
            intents = pa.Table.from_pylist([_intent(a, w) for a, _, w in writes], schema=_INTENTS)
            journal.intend(self.connection, self.run, intents)
        answers = await asyncio.gather(
            *(self._side([w for w in writes if w[0].side == side], side) for side in Side),
            return_exceptions=True,
        )
        gone = [answer for answer in answers if isinstance(answer, BaseException)]
        for error in gone:
            if not isinstance(error, SystemUnavailableError):
                raise error
        # What one system answered is kept, whatever became of the other.
        outcomes = [o for answer in answers if isinstance(answer, list) for o in answer]
        settle(self.connection, self.mapping, self.run, outcomes)
        gone += [o.unsent for o in outcomes if o.unsent is not None]
        outcomes = [o for o in outcomes if o.unsent is None]
        waiting = "a record it points to was not created"
        outcomes += [Settled(action=a, outcome="blocked", message=waiting) for a in blocked]
        for outcome in outcomes:
            self.count(outcome)
        if gone:
            raise gone[0]

    def _stands(self, action: Action) -> bool:
        """Whether nothing that an action points to failed to be created in this run."""
        own = action.left_key if action.side == "left" else action.right_key
        points_to = {(change.lookup or "", change.new or "") for change in action.fields}
        points_to |= {(action.mapping, own or "")} if action.kind is Kind.UPDATE else set()
        return points_to.isdisjoint(self.progress.missing)

    async def _side(
        self, writes: Sequence[tuple[Action, Action, Write]], side: Side
    ) -> list[Settled]:
        if not writes:
            return []
        connector = self.connectors[self.mapping.rule.entity(side).system]
        answers = await connector.write([write for _, _, write in writes])
        # A connector is believed only where its answer fits what was asked.
        assert len(answers) == len(writes), "one outcome for each write"
        return [
            self.settled(planned, resolved, write, answer)
            for (planned, resolved, write), answer in zip(writes, answers, strict=True)
        ]

    def as_write(self, action: Action) -> Write:
        """Turn an action whose keys are known into what is sent."""
        side = Side(action.side)
        entity = self.mapping.rule.entity(side)
        rules = {mapping.name: mapping.rule for mapping in self.mappings}
        entities = {
            lookup.mapping: rules[lookup.mapping].entity(side).entity
            for f in self.mapping.fields
            for lookup in f.rule.lookups
        }
        key = action.left_key if side is Side.LEFT else action.right_key
        key = None if pending(key) else key
        found = values(action, self.mapping, side, entities)
        write = Write(
            kind=WriteKind(action.kind.value),
            entity=entity.entity,
            key=key,
            etag=action.etag,
            # What a record held before it is deleted is for the journal.
            values={
                n: v
                for n, v in found.items()
                if action.kind is not Kind.DELETE and (n != entity.key or key is None)
            },
            returning=self.mapping.reading(side).query.fields,
        )
        seen = self.progress.moved.get((entity.system, entity.entity, key or ""))
        # This run itself moved the record since the plan saw it: that is no drift.
        return replace(write, etag=seen[1]) if seen and seen[0] == action.etag else write

    def settled(self, planned: Action, resolved: Action, write: Write, answer: Outcome) -> Settled:
        """Say what an answer means for the action, and remember what it made of the record."""
        side = Side(planned.side)
        settled = partial(
            Settled,
            action=planned,
            left_key=resolved.left_key or "",
            right_key=resolved.right_key or "",
        )
        match answer:
            case Written(key=key, page=page):
                settled = partial(settled, **{f"{side.value}_key": key})
                self._remember(write, key, side, page.etags[0] if page and page.etags else None)
                written = [change.id for change in planned.fields]
                written += self._made(side) if planned.kind is Kind.CREATE else []
                return settled(outcome="written", written=tuple(written), page=page)
            case Drifted(message=message):
                hint = "it changed since the plan; the next run looks at it anew"
                return settled(outcome="drifted", message=message, hint=hint)
            case Rejected(code=code, message=message, duplicate=duplicate, missing=missing):
                words = f"{message} ({code})" if code else message
                hint = "correct the record or the mapping; the next run tries again"
                if duplicate:
                    hint = "a record with this key is there already; let `match:` find it"
                if missing:
                    hint = "it is gone; the next run says so"
                return settled(outcome="rejected", message=words, hint=hint)
            case Unknown(message=message):
                hint = "nobody knows whether it was done; the next run asks the system first"
                return settled(outcome="unknown", message=message, hint=hint)
            case Unsent(why=why):
                return settled(outcome="unsent", message=str(why), unsent=why)

    def _made(self, side: Side) -> list[str]:
        """Fields of a new record that are the system's own to fill: its key, and what only leaves.

        What it made of them is where both sides begin: a number that NAV starts with at 0 must not
        wipe what the other side holds. So is a value that is taken apart, though no part of it was
        worth sending. What is still to be written back is not among them.
        """
        key, back = self.mapping.rule.entity(side).key, self.mapping.written_back(side)
        return [
            f.id
            for f in self.mapping.fields
            if f.rule.name(side) == key or not f.rule.direction.to(side) or f.made(side)
            if f.id not in back
        ]

    def _remember(self, write: Write, key: str, side: Side, etag: str | None) -> None:
        if etag and (write.etag or write.kind is WriteKind.CREATE):
            self.moved(side, write.entity, key, write.etag, etag)

    def moved(self, side: Side, entity: str, key: str, etag: str | None, new_etag: str) -> None:
        """Remember that this plan itself moved a record from one ETag to another."""
        record = self.mapping.rule.entity(side).system, entity, key
        seen = self.progress.moved.get(record)
        first = seen[0] if seen and seen[1] == etag else etag
        self.progress.moved[record] = (first, new_etag)

    def count(self, outcome: Settled) -> None:
        """Take an outcome into the run's counters and failures."""
        counters = self.progress.counters[self.mapping.name]
        if outcome.done:
            counters[_COUNTERS[outcome.action.kind]] += 1
            return
        counters["failed"] += 1
        self.progress.not_coupled[self.mapping.name] += outcome.action.kind is Kind.COUPLE
        if outcome.action.kind in (Kind.CREATE, Kind.COUPLE):
            key = (
                outcome.action.left_key
                if outcome.action.side == "left"
                else outcome.action.right_key
            )
            self.progress.missing.add((self.mapping.name, key or ""))
        self.progress.failures.append(
            Failure(
                action=outcome.action,
                outcome=outcome.outcome,
                message=outcome.message,
                hint=outcome.hint,
            )
        )


def _windows(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, kind: Kind
) -> Iterator[list[Action]]:
    window: list[Action] = []
    # Fetched whole windows ahead of the transactions that settle them, hence a cursor of its own.
    with connection.cursor() as cursor:
        for action in read(cursor, REMAINING, mapping.name, (kind,)):
            window.append(action)
            if len(window) == WINDOW:
                yield window
                window = []
    if window:
        yield window


def _intent(action: Action, write: Write) -> dict[str, object]:
    return {
        "action": action.id,
        "mapping": action.mapping,
        "kind": action.kind.value,
        "side": action.side,
        "entity": write.entity,
        "left_key": action.left_key,
        "right_key": action.right_key,
        "key": write.key,
        "etag": write.etag,
        "fields": msgspec.json.encode(action.fields).decode(),
    }
