"""A system in memory that tells what changed: by tokens, by moments, by days, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from runner import expression
from runner.wire import Changes, FieldType, Type, WriteKind, Written
from tests.fakes import Fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from runner.wire import EntityType, Outcome, Page, Value, WireQuery, Write

STAMP = "changed"


class Tells(StrEnum):
    """How a system tells of changes."""

    TOKENS = "tokens"
    MOMENTS = "moments"
    DAYS = "days"
    NOTHING = "nothing"


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, time: timedelta) -> None:
        self.now += time


class Watched(Fake):
    """A ``Fake`` with a clock of its own, so far ``ahead`` of ours, that filters as it is asked.

    ``requests`` counts requests, one a page, ``came`` the records in them. A token that was given
    before ``forget`` is unknown; ``before_token`` is called before a new one is.
    """

    def __init__(
        self,
        types: Mapping[str, EntityType],
        tells: Tells,
        clock: Clock,
        *,
        ahead: timedelta = timedelta(),
        client_keys: bool = False,
    ) -> None:
        super().__init__({n: _told(t, tells) for n, t in types.items()}, client_keys=client_keys)
        self.tells, self._clock, self._ahead = tells, clock, ahead
        self.requests = self.came = 0
        self.before_token: Callable[[], None] = lambda: None
        self._log: list[tuple[str, str]] = []
        self._oldest = 0

    @property
    def now(self) -> datetime:
        return self._clock.now + self._ahead

    def put(self, entity: str, key: str, /, **values: Value) -> None:
        """Make or change a record; it is stamped with now, unless told otherwise."""
        if self.tells in (Tells.MOMENTS, Tells.DAYS):
            moment = self.now.replace(microsecond=0)
            stamp: Value = moment if self.tells is Tells.MOMENTS else moment.date()
            values = {STAMP: stamp, **values}
        super().put(entity, key, **values)
        self._log.append((entity, key))

    def remove(self, entity: str, key: str) -> None:
        super().remove(entity, key)
        self._log.append((entity, key))

    def answer(self, write: Write) -> Outcome:
        outcome = super().answer(write)
        if isinstance(outcome, Written) and write.kind is WriteKind.DELETE:
            self._log.append((write.entity, outcome.key))
        return outcome

    def forget(self) -> None:
        """Let every token that was given be too old."""
        self._oldest = len(self._log) + 1
        self._log.append(("", ""))

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        async for page in super().pages(replace(query, since=None)):
            self.requests += 1
            rows = [n for n, key in enumerate(page.keys) if self._meant(query, key)]
            self.came += len(rows)
            yield replace(
                page,
                keys=[page.keys[n] for n in rows],
                etags=[page.etags[n] for n in rows],
                columns={name: [held[n] for n in rows] for name, held in page.columns.items()},
            )

    async def changes(self, query: WireQuery, token: str) -> AsyncIterator[Changes]:
        assert not query.filter, "what is tracked cannot be filtered"
        assert query.since is None
        since = int(token) if token else -1
        here = len(self._log)
        if since < self._oldest:
            yield Changes(whole=True)
            async for page in self.pages(query):
                yield Changes(page=page, whole=True)
            yield Changes(token=str(here), whole=True)
            return
        touched = {key for entity, key in self._log[since:] if entity == query.entity}
        there = self.rows.get(query.entity, {})
        self.requests += 1
        # Somebody's cache is a little behind: what is gone is told of before what came back.
        gone = tuple(sorted(touched - there.keys()))
        if gone:
            yield Changes(deleted=gone)
        alive = tuple(sorted(touched & there.keys()))
        if alive:
            async for page in self.pages(replace(query, keys=alive)):
                yield Changes(page=page)
        self.before_token()
        yield Changes(token=str(here))

    def _meant(self, query: WireQuery, key: str) -> bool:
        entity, row = self.types[query.entity], self.rows[query.entity][key]
        if query.filter:
            record = {name: self.held(query.entity, key, name) for name in entity.fields}
            kinds = {name: field.type for name, field in entity.fields.items()}
            node = expression.parse(query.filter)
            if not expression.truthy(expression.compute(node, record, kinds)):
                return False
        stamp = row.get(STAMP)
        if query.since is None or stamp is None:
            return True
        if isinstance(stamp, datetime):
            return stamp >= query.since
        assert isinstance(stamp, date)
        # As of NAV: of dates nobody knows in which zone they are one.
        return stamp >= (query.since - timedelta(days=1)).date()


def _told(entity: EntityType, tells: Tells) -> EntityType:
    match tells:
        case Tells.TOKENS:
            return replace(entity, tracked=True)
        case Tells.NOTHING:
            return entity
    kind = Type.INSTANT if tells is Tells.MOMENTS else Type.DATE
    stamp = FieldType(name=STAMP, type=kind, on_create=False, on_update=False)
    return replace(entity, fields={**entity.fields, STAMP: stamp}, modified=STAMP)
