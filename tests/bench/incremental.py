"""What a run costs that reads only what changed, against one that reads everything.

    python -m tests.bench.incremental [--sizes 100000 1000000] [--changes 100] [--json]

Both sides hold so many coupled records (20 fields, as in ``plan``); then some of them change: most
are edited, on either side, a few are new, a few are deleted. The left tells of changes by a moment
in every record, the right keeps track of them and gives tokens. Requests are counted, one for each
page of 5,000 rows. What it takes to make the pages up is no part of the time, nor are sending and
decoding them, so that a full run costs more than this in life. Each run is a process of its own,
whose peak memory is told. All of them must find the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from runner import run
from runner.model import Selection
from runner.plan import CHANGES, FAILURES, run_file
from runner.state import held
from runner.wire import Changes, FieldType, Page, Type
from tests.bench import memory
from tests.bench.plan import PAGE, compiled, couple, entity, made_up, project
from tests.fakes import Fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runner.wire import EntityType, WireQuery

STAMP, GONE = "changed", "gone"


def left() -> EntityType:
    """Records that tell when they changed."""
    made = entity("left")
    stamp = FieldType(name=STAMP, type=Type.INSTANT)
    return replace(made, fields={**made.fields, STAMP: stamp}, modified=STAMP)


def right() -> EntityType:
    """Records whose system keeps track of what changes."""
    return replace(entity("right"), tracked=True)


class Served(Fake):
    """A system that makes pages of a table.

    ``requests`` counts what would be requests, ``busy`` the seconds that it takes to make pages up.
    """

    def __init__(self, made: EntityType, folder: Path) -> None:
        super().__init__({made.name: made}, client_keys=True)
        self._name, self._source = made.name, folder / "source.duckdb"
        self.requests, self.busy = 0, 0.0

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        condition = "TRUE"
        if query.since is not None:
            since = query.since.astimezone(UTC).replace(tzinfo=None)
            condition = f"{STAMP} >= TIMESTAMP '{since.isoformat(sep=' ')}'"
        if query.keys:
            keys = ", ".join(f"'{key}'" for key in query.keys)
            condition = f"{condition} AND id IN ({keys})"
        async for page in self._pages(query, condition):
            yield page

    async def changes(self, query: WireQuery, token: str) -> AsyncIterator[Changes]:
        since = int(token or -1)
        condition = f"version > {since}"
        async for page in self._pages(query, condition):
            yield Changes(page=page, whole=not token)
        with duckdb.connect(str(self._source), read_only=True) as source:
            gone = source.execute(f"SELECT id FROM {GONE} WHERE version > {since}").fetchall()
            latest = f'SELECT max(version) FROM (FROM "{self._name}" SELECT version)'
            [(version,)] = source.execute(latest).fetchall()
        if token:
            yield Changes(deleted=tuple(key for (key,) in gone))
        yield Changes(token=str(version), whole=not token)

    async def _pages(self, query: WireQuery, condition: str) -> AsyncIterator[Page]:
        wanted = list(dict.fromkeys(("id", *query.fields)))
        texts = ", ".join(f"CAST({name} AS VARCHAR)" for name in wanted)
        with duckdb.connect(str(self._source), read_only=True) as source:
            self.requests += 1
            begun = time.perf_counter()
            found = source.execute(f'SELECT {texts} FROM "{self._name}" WHERE {condition}')
            while rows := found.fetchmany(PAGE):
                columns = dict(zip(wanted, map(list, zip(*rows, strict=True)), strict=True))
                keys = columns["id"]
                page = Page(keys=keys, etags=keys, columns={n: columns[n] for n in query.fields})
                self.busy += time.perf_counter() - begun
                yield page
                begun = time.perf_counter()
                self.requests += 1 if len(rows) == PAGE else 0
            self.busy += time.perf_counter() - begun


def prepare(folder: Path, size: int) -> None:
    """Make both sides, and a state in which all of their records are coupled."""
    with duckdb.connect(str(folder / "source.duckdb")) as source:
        source.execute(
            f"CREATE TABLE base AS SELECT 'K' || i AS id, {made_up()} FROM range({size}) r(i)"
        )
        # One a minute, as records are written by people.
        moment = "TIMESTAMP '2024-01-01' + to_minutes(CAST(substr(id, 2) AS BIGINT))"
        source.execute(
            f'CREATE TABLE "left" AS SELECT *, {moment} AS {STAMP}, 0 AS version FROM base'
        )
        source.execute('CREATE TABLE "right" AS FROM "left"')
        source.execute(f"CREATE TABLE {GONE} (id VARCHAR, version BIGINT)")
    couple(folder, compiled(folder))


def change(folder: Path, size: int, changes: int) -> None:
    """Edit nine of ten on the one side or the other; a few are new, on the right a few are gone."""
    few = max(1, changes // 20)
    edits = (changes - 2 * few) // 2
    step = max(1, size // (2 * edits + 2))
    now = f"TIMESTAMP '{datetime.now(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
    with duckdb.connect(str(folder / "source.duckdb")) as source:
        for number, side in enumerate(("left", "right")):
            keys = f"SELECT 'K' || ((2 * i + {number}) * {step}) FROM range({edits}) r(i)"
            source.execute(
                f"""UPDATE "{side}" SET t1 = t1 || '!', {STAMP} = {now}, version = 1
                WHERE id IN ({keys})"""
            )
        source.execute(
            f"""INSERT INTO "left" SELECT * REPLACE ('N' || id AS id, {now} AS {STAMP})
            FROM "left" LIMIT {few}"""
        )
        keys = f"SELECT 'K' || ({size} - 1 - i) FROM range({few}) r(i)"
        source.execute(f"INSERT INTO {GONE} SELECT *, 1 FROM ({keys})")
        source.execute(f'DELETE FROM "right" WHERE id IN ({keys})')


def planned(folder: Path, extent: run.Extent) -> dict[str, Any]:
    """Make a plan, as `sync-run plan` does."""
    fakes = {"a": Served(left(), folder), "b": Served(right(), folder)}
    opened = project(folder)

    async def walk(store: Any, file: Any) -> int:
        session = run.Session(
            project=opened,
            connectors=fakes,
            mappings=await run.compiled(opened, fakes),
            store=store,
            tell=lambda _: None,
        )
        made = await run.make_plan(session, file, Selection(mappings=("records",)), extent)
        return made.count(*CHANGES, *FAILURES)

    with held(opened.state, "bench") as store, run_file() as file:
        begun = time.perf_counter()
        found = asyncio.run(walk(store, file))
        seconds = time.perf_counter() - begun - sum(fake.busy for fake in fakes.values())
    requests = sum(fake.requests for fake in fakes.values())
    return {"seconds": seconds, "requests": requests, "found": found}


def _measured(work: str, folder: Path, extent: run.Extent, pipe: Any) -> None:
    told = planned(folder, extent)
    peak = memory.peak_mb()
    pipe.send({"work": work, **told, "peak_mb": peak})


def measure(work: str, folder: Path, *, incremental: bool) -> dict[str, Any]:
    """Measure one run in a fresh process."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe()
    extent = run.Extent(incremental=incremental)
    process = context.Process(target=_measured, args=(work, folder, extent, send))
    process.start()
    send.close()
    told: dict[str, Any] = receive.recv()
    process.join()
    return told


def table(size: int, changes: int) -> list[dict[str, Any]]:
    """Measure a full run, the first incremental one, and one after some changes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, size)
        first = measure("the first incremental run", folder, incremental=True)
        again = measure("one in which nothing changed", folder, incremental=True)
        change(folder, size, changes)
        some = measure(f"one after {changes} changes", folder, incremental=True)
        project(folder).mirror.unlink()
        full = measure("a full run", folder, incremental=False)
    assert (first["found"], again["found"]) == (0, 0)
    assert some["found"] == full["found"] >= changes, (some, full)
    return [
        {
            **row,
            "size": size,
            "time": row["seconds"] / full["seconds"],
            "of_requests": row["requests"] / full["requests"],
        }
        for row in (full, first, again, some)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [row for size in options.sizes for row in table(size, options.changes)]
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(
        f"{'run':<30}{'records':>10}{'requests':>9}{'ratio':>8}{'seconds':>9}{'ratio':>8}"
        f"{'peak MB':>9}{'found':>7}"
    )
    for row in rows:
        print(
            f"{row['work']:<30}{row['size']:>10,}{row['requests']:>9,}{row['of_requests']:>8.3f}"
            f"{row['seconds']:>9.2f}{row['time']:>8.3f}{row['peak_mb']:>9.0f}{row['found']:>7,}"
        )


if __name__ == "__main__":
    main()
