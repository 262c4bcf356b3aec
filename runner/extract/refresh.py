"""One side of a mapping in the mirror, brought up to date: by delta, since, by keys, or whole."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from runner import dialect
from runner.compile import incremental
from runner.compile.incremental import Way
from runner.compile.tables import COUPLING, KEY
from runner.events import RowsRead
from runner.extract import mirror
from runner.extract.intake import Intake
from runner.extract.pages import append, empty, gather
from runner.state import couplings
from runner.wire import WireQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import duckdb

    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector, Tracking
    from runner.events import Tell
    from runner.model import Side, System
    from runner.wire import Page

_MOST_BY_KEY = 2_000
"""Records that are read one by one, by their keys, before all are read instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run brings the mirror up to date.

    ``systems`` say by name how far clocks are mistrusted and when deletions are looked for.
    ``whole``: everything is read, whatever the mirror holds. ``deletes``: deletions are looked for
    now, however long ago that was done. ``now`` is our own clock.
    """

    systems: Mapping[str, System]
    whole: bool
    deletes: bool
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How one side was read.

    ``way`` is ``delta``, ``since`` or ``whole``, ``rows`` counts what came. ``relation`` is the SQL
    name of all its rows; ``kept``: they are in the mirror. ``scanned`` is when deletions were last
    looked for; ``None`` where they come by themselves.
    """

    way: Way
    rows: int
    relation: str
    kept: bool = False
    scanned: datetime | None = None

    @property
    def told(self) -> dict[str, str | int | None]:
        """What a plan says of it (``MappingSummary.reading``)."""
        deletions = self.scanned.isoformat(timespec="seconds") if self.scanned else None
        return {"way": self.way.value, "rows": self.rows, "deletions": deletions}


def keeps(mapping: CompiledMapping, side: Side, manner: Manner) -> bool:
    """Whether a side is kept in the mirror by this run.

    A full run leaves alone what is tracked and filtered: the mirror needs all records of it, the
    run does not; and the next delta goes on where the last one ended.
    """
    way = incremental.way(mapping, side)
    if way is Way.DELTA and manner.whole and mapping.reading(side).query.filter:
        return False
    return way is not Way.WHOLE


async def bring_up(
    mapping: CompiledMapping,
    side: Side,
    connector: Connector,
    connection: duckdb.DuckDBPyConnection,
    manner: Manner,
    tell: Tell,
) -> Taken:
    """Bring one side up to date in the mirror, and count its records where a filter hides some.

    Raises:
        SystemUnavailableError: the system could not be read.

    """
    _, state = mirror.judged(connection, mapping.name)
    made = _Refresh(
        mapping=incremental.watched(mapping),
        side=side,
        connector=connector,
        connection=connection,
        manner=manner,
        tell=tell,
        settled=state == couplings.digest(connection, mapping.name),
    )
    taken = await made.bring_up()
    query = made.mapping.reading(side).query
    if query.filter:
        total = await connector.count(query.entity)
        connection.execute(
            "INSERT INTO counted VALUES (?, ?, ?)", [mapping.name, side.value, total]
        )
    return taken


@dataclass(slots=True, kw_only=True)
class _Refresh:
    """Brings one side up to date.

    ``mapping`` is ``incremental.watched``. ``settled``: no coupling moved since it was last found
    out how the records stand. ``rows`` counts what was read so far, since ``begun``: how long that
    takes is how far the newest moment seen may be ahead of what was missed.
    """

    mapping: CompiledMapping
    side: Side
    connector: Connector
    connection: duckdb.DuckDBPyConnection
    manner: Manner
    tell: Tell
    settled: bool
    rows: int = 0
    begun: float = field(default_factory=time.monotonic)

    async def bring_up(self) -> Taken:
        """Take in what changed since the last time; all, where nobody knows what did."""
        known = mirror.known(self.connection, self.mapping.name, self.side)
        if known is not None and known.fingerprint == self._fingerprint and not self.manner.whole:
            if known.token:
                return await self._delta(known)
            if known.newest is not None:
                return await self._since(known, known.newest)
        return await self._all(known)

    async def _all(self, known: mirror.Known | None) -> Taken:
        if incremental.way(self.mapping, self.side) is Way.DELTA:
            token, _ = await self._changes("")
            return self._replaced(known, token)
        self._begin()
        await self._append(self._query)
        if self._query.filter:
            # What left the filter rests; what is not there any more was deleted: asking tells.
            await self._by_keys(self._coupled_but_not_in(self._intake.raw))
        return self._replaced(known, "")

    async def _delta(self, known: mirror.Known) -> Taken:
        token, whole = await self._changes(known.token)
        if whole:
            return self._replaced(known, token)
        self._intake.canonical(self._intake.came)
        return self._merged(replace(known, token=token), Way.DELTA)

    async def _since(self, known: mirror.Known, newest: datetime) -> Taken:
        self._begin()
        # Without the filter: of what left it, nothing else tells.
        since = newest - self._system.incremental.overlap
        await self._append(replace(self._query, filter="", since=since))
        if self._query.filter and not self.settled:
            await self._by_keys(self._coupled_but_not_in(self._intake.raw, known.relation))
        scanned = known.scanned
        if self.manner.deletes or self._due(scanned):
            scanned = self.manner.now()
            if not await self._look_at_keys(known):
                return await self._all(known)
        self._intake.canonical(self._intake.came)
        newest = max(self._newest(self._intake.came) or newest, newest)
        return self._merged(replace(known, newest=newest, scanned=scanned), Way.SINCE)

    def _due(self, scanned: datetime | None) -> bool:
        """Whether it is time to look for deletions; a look that is yet to come was none."""
        every = self._system.incremental.deletes
        if every is None or scanned is None:
            return every is not None
        return not scanned <= self.manner.now() < scanned + every

    async def _changes(self, token: str) -> tuple[str, bool]:
        """Read changes, and what was deleted.

        Returns the token to go on with, and whether these are all records there are.
        """
        tracking = cast("Tracking", self.connector)
        following, whole, rows = "", False, 0

        async def came() -> AsyncIterator[Page]:
            nonlocal following, whole, rows
            async for found in tracking.changes(self._query, token):
                following, whole = found.token or following, whole or found.whole
                if found.page is not None:
                    rows += len(found.page.keys)
                    yield found.page
                if found.deleted:
                    self._intake.delete(found.deleted, after=rows)

        self._begin()
        columns = self.mapping.reading(self.side).columns
        self.rows += await gather(came(), columns, self.connection, self._intake.raw, self._read)
        self._intake.settle()
        return following, whole

    async def _look_at_keys(self, known: mirror.Known) -> bool:
        """Find what is gone, and what came without telling; ``False`` where that is too much."""
        rule, intake = self.mapping.rule.entity(self.side), self._intake
        query = WireQuery(entity=rule.entity, fields=(rule.key,), filter=self._query.filter)
        kinds = {rule.key: self.mapping.type(self.side).fields[rule.key].type}
        keys, key = intake.named("keys"), intake.key(KEY)
        empty(self.connection, keys, kinds)
        await append(self.connector, query, kinds, self.connection, keys)
        there = f"SELECT {key} FROM {keys}"
        held = f"(SELECT {KEY} FROM {known.relation} UNION SELECT {key} FROM {intake.raw})"
        missing, strange = f"{held} EXCEPT {there}", f"{there} EXCEPT {held}"
        gone = f'SELECT "key" FROM {intake.gone}'
        self.connection.execute(f"INSERT INTO {intake.gone} SELECT *, 0 FROM ({missing})")
        # What a filter held back is not therefore gone.
        asked = self._texts(f"{strange} UNION {gone}" if query.filter else strange)
        self.connection.execute(f"DELETE FROM {intake.raw} WHERE {key} IN ({gone})")
        self.connection.execute(f"DROP TABLE {keys}")
        if len(asked) > _MOST_BY_KEY:
            return False
        await self._by_keys(asked)
        return True

    async def _by_keys(self, keys: tuple[str, ...]) -> None:
        """Read records whatever the filter says of them; very many, with all the others."""
        if keys:
            some = keys if len(keys) <= _MOST_BY_KEY else ()
            await self._append(replace(self._query, filter="", keys=some))

    def _begin(self) -> None:
        self.rows = 0
        self._intake.begin()

    async def _append(self, query: WireQuery) -> None:
        columns = self.mapping.reading(self.side).columns
        self.rows += await append(
            self.connector, query, columns, self.connection, self._intake.raw, self._read
        )

    def _replaced(self, known: mirror.Known | None, token: str) -> Taken:
        number = int(known.table.rpartition(".")[2]) + 1 if known else 1
        table = f"{self.mapping.name}.{self.side.value}.{number}"
        told = mirror.Known(table=table, fingerprint=self._fingerprint, token=token)
        self._intake.canonical(told.relation)
        if incremental.way(self.mapping, self.side) is Way.SINCE:
            newest = self._newest(told.relation)
            told = replace(told, newest=newest, scanned=self.manner.now())
        self._intake.replace(known, told)
        return self._done(told, Way.WHOLE)

    def _merged(self, told: mirror.Known, way: Way) -> Taken:
        self._intake.merge(told)
        return self._done(told, way)

    def _done(self, told: mirror.Known, way: Way) -> Taken:
        self._read(self.rows, done=True)
        return Taken(
            way=way, rows=self.rows, relation=told.relation, kept=True, scanned=told.scanned
        )

    def _newest(self, relation: str) -> datetime | None:
        """Return the moment from which on something may be missing; ``None`` where nobody knows.

        That is the newest moment of change seen, by the system's own clock, less the time that
        reading took: what changed behind the reader's back is not older. A moment that is yet to
        come, by our clock, tells nothing about now.
        """
        stamp = f"CAST({dialect.name(self.mapping.type(self.side).modified)} AS TIMESTAMP)"
        [(newest,)] = self.connection.execute(
            f"SELECT max({stamp}) FROM {relation} WHERE {stamp} <= ?",
            [self.manner.now().astimezone(UTC).replace(tzinfo=None)],
        ).fetchall()
        if newest is None:
            return None
        took = timedelta(seconds=time.monotonic() - self.begun)
        found: datetime = newest.replace(tzinfo=UTC) - took
        return found

    def _coupled_but_not_in(self, raw: str, relation: str = "") -> tuple[str, ...]:
        kept = f" EXCEPT SELECT {KEY} FROM {relation}" if relation else ""
        return self._texts(
            f"""SELECT {self.side.value}_key FROM {COUPLING}
            WHERE mapping = {dialect.text(self.mapping.name)}
            EXCEPT SELECT {self._intake.key(KEY)} FROM {raw}{kept}"""
        )

    def _texts(self, query: str) -> tuple[str, ...]:
        return tuple(str(row[0]) for row in self.connection.execute(query).fetchall())

    def _read(self, rows: int, *, done: bool = False) -> None:
        rule, name = self.mapping.rule.entity(self.side), self.mapping.name
        self.tell(
            RowsRead(mapping=name, system=rule.system, entity=rule.entity, rows=rows, done=done)
        )

    @property
    def _fingerprint(self) -> str:
        """What was read and how: if that changes, what is kept is of no use."""
        made = self.mapping.snapshot(self.side, source="source", target="target").sql
        asked, system = self.connector.explain(self._query), self._system
        words = (system.name, system.url, system.caller, repr(system.auth), asked, made)
        return hashlib.sha256("\n".join(words).encode()).hexdigest()

    @property
    def _query(self) -> WireQuery:
        return self.mapping.reading(self.side).query

    @property
    def _system(self) -> System:
        return self.manner.systems[self.mapping.rule.entity(self.side).system]

    @property
    def _intake(self) -> Intake:
        return Intake(mapping=self.mapping, side=self.side, connection=self.connection)
