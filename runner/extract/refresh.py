"""One side of a mapping in the mirror, brought up to date: by delta, since, by keys, or whole."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from runner import dialect
from runner.compile import incremental
from runner.compile.incremental import Way
from runner.compile.tables import COUPLING, KEY
from runner.events import RowsRead
from runner.extract import mirror
from runner.extract.canonical import canonical, readable
from runner.extract.pages import append, empty, gather, keep_last
from runner.state import couplings
from runner.state.keys import among
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
_GONE = pa.schema([("key", pa.string()), ("after", pa.int64())])


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
    out how the records stand. ``rows`` counts what was read so far.
    """

    mapping: CompiledMapping
    side: Side
    connector: Connector
    connection: duckdb.DuckDBPyConnection
    manner: Manner
    tell: Tell
    settled: bool
    rows: int = 0

    async def bring_up(self) -> Taken:
        """Take in what changed since the last time; all, where nobody knows what did."""
        known = mirror.known(self.connection, self.mapping.name, self.side)
        # How long reading takes is how far the newest moment seen may be ahead of what was missed.
        begun = time.monotonic()
        if known is not None and known.fingerprint == self._fingerprint and not self.manner.whole:
            if known.token:
                return await self._delta(known, begun)
            if known.newest is not None:
                return await self._since(known, begun)
        return await self._all(known, begun)

    async def _all(self, known: mirror.Known | None, begun: float) -> Taken:
        if incremental.way(self.mapping, self.side) is Way.DELTA:
            token, _ = await self._changes("")
            return self._filled(known, token, begun)
        query = self.mapping.reading(self.side).query
        self._begin()
        await self._append(query)
        if query.filter:
            # What left the filter rests; what is not there any more was deleted: asking tells.
            await self._by_keys(self._coupled_but_not_in(self._raw))
        return self._filled(known, "", begun)

    async def _delta(self, known: mirror.Known, begun: float) -> Taken:
        token, whole = await self._changes(known.token)
        if whole:
            return self._filled(known, token, begun)
        return self._taken_in(replace(known, token=token), Way.DELTA)

    async def _since(self, known: mirror.Known, begun: float) -> Taken:
        assert known.newest is not None, "who calls has looked"
        query, overlap = self.mapping.reading(self.side).query, self._system.incremental.overlap
        self._begin()
        # Without the filter: of what left it, nothing else tells.
        await self._append(replace(query, filter="", since=known.newest - overlap))
        if query.filter and not self.settled:
            await self._by_keys(self._coupled_but_not_in(self._raw, known.relation))
        scanned = known.scanned
        if self.manner.deletes or self._due(scanned):
            scanned = self.manner.now()
            if not await self._look_at_keys(known):
                return await self._all(known, begun)
        newest = self._newest(f"({self.mapping.reading(self.side).canonical(self._raw)})", begun)
        told = replace(known, newest=max(newest or known.newest, known.newest), scanned=scanned)
        return self._taken_in(told, Way.SINCE)

    def _due(self, scanned: datetime | None) -> bool:
        """Whether it is time to look for deletions; a look that is yet to come was none."""
        every = self._system.incremental.deletes
        if every is None or scanned is None:
            return every is not None
        return not scanned <= self.manner.now() < scanned + every

    async def _changes(self, token: str) -> tuple[str, bool]:
        """Read changes into the raw table, keys of deleted records into another.

        Returns the token to go on with, and whether these are all records there are.
        """
        tracking = cast("Tracking", self.connector)
        columns = self.mapping.reading(self.side).columns
        query = self.mapping.reading(self.side).query
        next_token, whole, rows = "", False, 0

        async def came() -> AsyncIterator[Page]:
            nonlocal next_token, whole, rows
            async for found in tracking.changes(query, token):
                next_token, whole = found.token or next_token, whole or found.whole
                if found.page is not None:
                    rows += len(found.page.keys)
                    yield found.page
                if found.deleted:
                    self._delete(found.deleted, after=rows)

        self._begin()
        self.rows += await gather(came(), columns, self.connection, self._raw, self._read)
        # What was deleted and made again stays; what was written and then deleted goes.
        key = self.mapping.reading(self.side).key
        self.connection.execute(
            f"""DELETE FROM {self._raw} r USING {self._gone} g
            WHERE {key(f"r.{KEY}")} = {key('g."key"')} AND r.rowid < g."after" """
        )
        keep_last(self.connection, self._raw)
        return next_token, whole

    async def _look_at_keys(self, known: mirror.Known) -> bool:
        """Find what is gone, and what came without telling; ``False`` where that is too much."""
        rule, reading = self.mapping.rule.entity(self.side), self.mapping.reading(self.side)
        query = WireQuery(entity=rule.entity, fields=(rule.key,), filter=reading.query.filter)
        kinds = {rule.key: reading.entity.fields[rule.key].type}
        seen = self._named("keys")
        empty(self.connection, seen, kinds)
        await append(self.connector, query, kinds, self.connection, seen)
        there = f"SELECT {reading.key(KEY)} FROM {seen}"
        read = f"SELECT {reading.key(KEY)} FROM {self._raw}"
        held = f"(SELECT {KEY} FROM {known.relation} UNION {read})"
        missing, strange = f"{held} EXCEPT {there}", f"{there} EXCEPT {held}"
        self.connection.execute(f"INSERT INTO {self._gone} SELECT *, 0 FROM ({missing})")
        gone = f'SELECT "key" FROM {self._gone}'
        self.connection.execute(f"DELETE FROM {self._raw} WHERE {reading.key(KEY)} IN ({gone})")
        # What a filter held back is not therefore gone.
        asked = self._texts(f"{strange} UNION {gone}" if query.filter else strange)
        self.connection.execute(f"DROP TABLE {seen}")
        if len(asked) > _MOST_BY_KEY:
            return False
        await self._by_keys(asked)
        return True

    async def _by_keys(self, keys: tuple[str, ...]) -> None:
        """Read records whatever the filter says of them; very many, with all the others."""
        if keys:
            some = keys if len(keys) <= _MOST_BY_KEY else ()
            query = self.mapping.reading(self.side).query
            await self._append(replace(query, filter="", keys=some))

    async def _append(self, query: WireQuery) -> None:
        columns = self.mapping.reading(self.side).columns
        self.rows += await append(
            self.connector, query, columns, self.connection, self._raw, self._read
        )

    def _begin(self) -> None:
        """Make the tables that what is read goes into."""
        self.rows = 0
        empty(self.connection, self._raw, self.mapping.reading(self.side).columns)
        self.connection.execute(
            f'CREATE OR REPLACE TABLE {self._gone} ("key" VARCHAR, "after" BIGINT)'
        )

    def _delete(self, keys: tuple[str, ...], *, after: int) -> None:
        """Note that records are gone, after so many rows were read."""
        told = pa.table({"key": list(keys), "after": [after] * len(keys)}, schema=_GONE)
        self.connection.register("deleted", told)
        self.connection.execute(f"INSERT INTO {self._gone} SELECT * FROM deleted")
        self.connection.unregister("deleted")

    def _filled(self, known: mirror.Known | None, token: str, begun: float) -> Taken:
        """Put what was read in the place of whatever was kept; all is judged anew."""
        name = self.mapping.name
        number = int(known.table.rpartition(".")[2]) + 1 if known else 1
        told = mirror.Known(
            table=f"{name}.{self.side.value}.{number}", fingerprint=self._fingerprint, token=token
        )
        self.connection.execute(f"DROP TABLE IF EXISTS {told.relation}")
        self._canonical(told.relation)
        mirror.indexed(self.connection, told.table)
        if incremental.way(self.mapping, self.side) is Way.SINCE:
            newest = self._newest(told.relation, begun)
            told = replace(told, newest=newest, scanned=self.manner.now())
        self.connection.execute("BEGIN")
        mirror.put(self.connection, name, self.side, told)
        mirror.unjudged(self.connection, name)
        if known is not None:
            self.connection.execute(f"DROP TABLE IF EXISTS {known.relation}")
        self.connection.execute("COMMIT")
        return self._done(told, Way.WHOLE)

    def _taken_in(self, told: mirror.Known, way: Way) -> Taken:
        """Put what changed in the place of what it was, and remember the keys."""
        came, fresh = self._named("came"), self._named("fresh")
        self._canonical(came)
        kept = among(self.connection, KEY, f"SELECT {KEY} FROM {came}")
        self.connection.execute(
            f"""CREATE OR REPLACE TABLE {fresh} AS
            SELECT * FROM {came} EXCEPT SELECT * FROM {told.relation} WHERE {kept}"""
        )
        key = self.mapping.reading(self.side).key('"key"')
        gone = among(
            self.connection,
            KEY,
            f"SELECT {key} FROM {self._gone} EXCEPT SELECT {KEY} FROM {came}",
        )
        changed = among(self.connection, KEY, f"SELECT {KEY} FROM {fresh}")
        self.connection.execute("BEGIN")
        if incremental.can_be_partial(self.mapping):
            self.connection.execute(
                f"""INSERT INTO mirror.main.pending SELECT ?, ?, {KEY} FROM (
                SELECT {KEY} FROM {fresh} UNION SELECT {KEY} FROM {told.relation} WHERE {gone})""",
                [self.mapping.name, self.side.value],
            )
        else:
            mirror.unjudged(self.connection, self.mapping.name)
        self.connection.execute(f"DELETE FROM {told.relation} WHERE {gone} OR {changed}")
        self.connection.execute(f"INSERT INTO {told.relation} SELECT * FROM {fresh}")
        mirror.put(self.connection, self.mapping.name, self.side, told)
        self.connection.execute("COMMIT")
        for table in (came, fresh):
            self.connection.execute(f"DROP TABLE {table}")
        return self._done(told, way)

    def _canonical(self, target: str) -> None:
        """Make canonical rows of what was read."""
        rule = self.mapping.rule.entity(self.side)
        self.connection.execute(f"DROP TABLE IF EXISTS {target}")
        with readable(rule.system, rule.entity):
            canonical(self.connection, self.mapping, self.side, self._raw, target)
        self.connection.execute(f"DROP TABLE {self._raw}")

    def _done(self, told: mirror.Known, way: Way) -> Taken:
        self.connection.execute(f"DROP TABLE {self._gone}")
        self._read(self.rows, done=True)
        return Taken(
            way=way, rows=self.rows, relation=told.relation, kept=True, scanned=told.scanned
        )

    def _newest(self, relation: str, begun: float) -> datetime | None:
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
        took = timedelta(seconds=time.monotonic() - begun)
        found: datetime = newest.replace(tzinfo=UTC) - took
        return found

    def _coupled_but_not_in(self, raw: str, relation: str = "") -> tuple[str, ...]:
        key = self.mapping.reading(self.side).key(KEY)
        kept = f" EXCEPT SELECT {KEY} FROM {relation}" if relation else ""
        return self._texts(
            f"""SELECT {self.side.value}_key FROM {COUPLING}
            WHERE mapping = {dialect.text(self.mapping.name)}
            EXCEPT SELECT {key} FROM {raw}{kept}"""
        )

    def _texts(self, query: str) -> tuple[str, ...]:
        return tuple(str(row[0]) for row in self.connection.execute(query).fetchall())

    def _read(self, rows: int, *, done: bool = False) -> None:
        rule = self.mapping.rule.entity(self.side)
        self.tell(
            RowsRead(
                mapping=self.mapping.name,
                system=rule.system,
                entity=rule.entity,
                rows=rows,
                done=done,
            )
        )

    @property
    def _fingerprint(self) -> str:
        """What was read and how: if that changes, what is kept is of no use."""
        made = self.mapping.snapshot(self.side, source="source", target="target").sql
        asked = self.connector.explain(self.mapping.reading(self.side).query)
        system = self._system
        words = (system.name, system.url, system.caller, repr(system.auth), asked, made)
        return hashlib.sha256("\n".join(words).encode()).hexdigest()

    @property
    def _system(self) -> System:
        return self.manner.systems[self.mapping.rule.entity(self.side).system]

    @property
    def _raw(self) -> str:
        return self.mapping.tables.raw(self.side)

    @property
    def _gone(self) -> str:
        return self._named("gone")

    def _named(self, suffix: str) -> str:
        return dialect.name(f"{self.mapping.name}.{self.side.value}.{suffix}")
