"""How fast a plan is made: from both sides' pages, and from snapshots to the action table.

    python -m tests.bench.plan [--sizes 10000 100000 1000000] [--memory 512MB] [--json]

`pages to plan` begins with the JSON that two OData services would send, `snapshots to plan` with
what was made of it. The comparison is the DuckDB three-way join that a good engineer would write by
hand: left, right, base and couplings joined, a bit mask of changed fields per side (`peer`), from
the same snapshots in memory and the same state in a file. Each measurement runs in a process of its
own, whose peak memory is told, and how much DuckDB put on disk. Data: 20 fields (15 text, 5
decimal), 1 % changed on the left, 0.1 % on both sides, 0.1 % new on each. ``--memory`` limits what
DuckDB holds in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from runner import dialect, run
from runner.compile import COUNTED_DDL, CompiledMapping
from runner.connectors.odata.columns import Column
from runner.connectors.odata.rows import Decoder
from runner.dialect import SETTINGS
from runner.model import (
    Direction,
    Entity,
    FieldMapping,
    Guards,
    Mapping,
    Project,
    Selection,
    Side,
)
from runner.plan import CHANGES, FAILURES, RUN_SETTINGS, Origin, make, run_file
from runner.state import Store, couplings, held
from runner.wire import EntityType, Page, Type, WireQuery
from tests.bench import memory
from tests.fakes import HERE, Fake, fields, system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from runner.plan import RunFile

TEXTS, DECIMALS = 15, 5
NAMES = [f"t{n}" for n in range(TEXTS)] + [f"d{n}" for n in range(DECIMALS)]
PAGE = 5_000
LARGE = 1_000_000
"""Records from which on a work is measured once: there is little that could disturb it as long."""
MOST_FROM_PAGES = 1_000_000
"""Records whose pages are written to disk; beyond, planning alone is measured."""
MEMORY = "SYNC_RUN_BENCH_MEMORY"


def entity(name: str) -> EntityType:
    kinds = {n: Type.TEXT if n.startswith("t") else Type.DECIMAL for n in NAMES}
    return EntityType(name=name, key="id", fields=fields(id=Type.CODE, **kinds))


def project(folder: Path) -> Project:
    both = Direction.BOTH
    mapping = Mapping(
        name="records",
        direction=both,
        left=Entity(system="a", entity="left", key="id", at=HERE),
        right=Entity(system="b", entity="right", key="id", at=HERE),
        create=frozenset(Side),
        fields=tuple(FieldMapping(left=n, right=n, direction=both, at=HERE) for n in NAMES),
        at=HERE,
    )
    return Project(
        name="bench",
        root=folder,
        environment="",
        systems=(system("a"), system("b")),
        state=folder / "state.duckdb",
        mappings=(mapping,),
    )


class Stored(Fake):
    """A system whose answers lie on disk, as JSON: all of reading is measured but the network."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__({name: entity(name)}, client_keys=True)
        self._folder = folder / name

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        kinds = entity(query.entity).fields
        made = {n: Column(name=n, property=n, type=kinds[n].type, select=n) for n in ("id", *NAMES)}
        decoder = Decoder(made["id"], [made[name] for name in query.fields])
        for path in sorted(self._folder.iterdir()):
            # As the client of a service does it.
            page, _ = await asyncio.to_thread(decoder.page, path.read_bytes())
            yield page


def write_pages(folder: Path, source: duckdb.DuckDBPyConnection, name: str) -> None:
    """Write the rows of a table as pages of an OData service."""
    (folder / name).mkdir()
    numbers = ", ".join(f"CAST(d{k} AS DECIMAL(28,2)) AS d{k}" for k in range(DECIMALS))
    [(size,)] = source.execute(f'SELECT count(*) FROM "{name}"').fetchall()
    for n, start in enumerate(range(0, size, PAGE)):
        path = folder / name / f"{n:06}.json"
        source.execute(
            f"""COPY (SELECT id AS "@odata.etag", * REPLACE ({numbers}) FROM "{name}"
            WHERE rowid BETWEEN {start} AND {start + PAGE - 1})
            TO {dialect.text(str(path))} (FORMAT json, ARRAY true)"""
        )
        path.write_bytes(b'{"value":' + path.read_bytes() + b"}")


def compiled(folder: Path) -> CompiledMapping:
    fakes = {"a": Fake({"left": entity("left")}), "b": Fake({"right": entity("right")})}
    (mapping,) = asyncio.run(run.compiled(project(folder), fakes))
    return mapping


def made_up() -> str:
    """SQL of the fields of record ``i``."""
    return ", ".join(
        f"'{n} ' || hash(i * 31 + {k}) % 100000 AS {n}"
        if n.startswith("t")
        else f"CAST(CAST(hash(i * 17 + {k}) % 1000000 AS DECIMAL(28,10)) / 100 AS VARCHAR) AS {n}"
        for k, n in enumerate(NAMES)
    )


def prepare(folder: Path, size: int) -> None:
    """Make source tables, a state in which the records are coupled, and the peer's tables."""
    with duckdb.connect(str(folder / "source.duckdb")) as source:
        source.execute(SETTINGS)
        source.execute(
            f"CREATE TABLE base AS SELECT 'K' || i AS id, {made_up()} FROM range({size}) r(i)"
        )
        new = max(1, size // 1000)
        source.execute(
            f"""CREATE TABLE "left" AS SELECT * REPLACE (
                CASE WHEN hash(id) % 100 = 0 THEN t1 || '!' ELSE t1 END AS t1) FROM base
            UNION ALL SELECT * REPLACE ('L' || id AS id) FROM base LIMIT {size + new}"""
        )
        source.execute(
            f"""CREATE TABLE "right" AS SELECT * REPLACE (
                CASE WHEN hash(id) % 1000 = 0 THEN t1 || '?' ELSE t1 END AS t1) FROM base
            UNION ALL SELECT * REPLACE ('R' || id AS id) FROM base LIMIT {size + new}"""
        )
        for side in Side if size <= MOST_FROM_PAGES else ():
            write_pages(folder, source, side.value)
    mapping = compiled(folder)
    couple(folder, mapping)
    with duckdb.connect(str(folder / "snapshots.duckdb")) as snapshots:
        _snapshots(snapshots, mapping, folder)


def couple(folder: Path, mapping: CompiledMapping) -> None:
    """Make a state in which both sides of every record hold what the source's ``base`` does."""
    with held(folder / "state.duckdb", "bench") as store, store.opened() as state:
        couplings.ensure_base(state, mapping.name, mapping.base)
        state.execute(f"ATTACH '{folder / 'source.duckdb'}' AS source (READ_ONLY)")
        columns = ", ".join(
            f"CAST({dialect.name(c.source)} AS {c.type}) AS {dialect.name(c.name)}"
            for c in mapping.base
        )
        base = f"(SELECT id AS left_key, id AS right_key, {columns} FROM source.base)"
        state.execute(f"INSERT INTO state.base.records BY NAME SELECT * FROM {base}")
        hashes = ", ".join(
            f"hash({', '.join(dialect.name(c.name) for c in mapping.hashed(side))})"
            for side in Side
        )
        state.execute(
            "INSERT INTO state.main.coupling "
            f"SELECT 'records', left_key, right_key, {hashes}, 1 FROM {base}"
        )
        state.execute("DETACH source")


def _snapshots(taken: duckdb.DuckDBPyConnection, mapping: CompiledMapping, folder: Path) -> None:
    taken.execute(f"{RUN_SETTINGS}; ATTACH '{folder / 'source.duckdb'}' AS source (READ_ONLY)")
    for side in Side:
        source = f'(SELECT *, id AS "#key", id AS "#etag" FROM source."{side.value}")'
        made = mapping.snapshot(side, source=source, target=mapping.tables.snapshot(side))
        taken.execute(made.sql)
    taken.execute("DETACH source; CHECKPOINT")


@contextmanager
def _taken(folder: Path) -> Iterator[RunFile]:
    """A run that has read both sides, and attached the state."""
    with run_file() as run:
        limit(run.connection)
        file = str(folder / "snapshots.duckdb")
        run.connection.execute(f"ATTACH {dialect.text(file)} AS taken (READ_ONLY)")
        for side in Side:
            table = dialect.name(f"records.{side.value}")
            run.connection.execute(f"CREATE TABLE {table} AS FROM taken.{table}")
        run.connection.execute("DETACH taken")
        Store(folder / "state.duckdb").attach(run.connection)
        yield run
        _told["spilled_mb"] = _spilled(run.connection)


def limit(connection: duckdb.DuckDBPyConnection) -> None:
    """Let DuckDB hold no more in memory than ``--memory`` says."""
    if most := os.environ.get(MEMORY):
        connection.execute(f"SET memory_limit = '{most}'")


def _spilled(connection: duckdb.DuckDBPyConnection) -> float:
    """MB that lie on disk because they do not fit into memory."""
    [(size,)] = connection.execute("SELECT sum(size) FROM duckdb_temporary_files()").fetchall()
    return (size or 0) / 1e6


def ours_from_pages(folder: Path, size: int) -> int:  # noqa: ARG001 - one signature for all
    """Read both sides, make them canonical, decide: what ``sync-run plan`` does."""
    fakes = {"a": Stored("left", folder), "b": Stored("right", folder)}
    opened = project(folder)
    with _clock(), held(opened.state, "bench") as store, run_file() as file:
        limit(file.connection)
        session = run.Session(
            project=opened,
            connectors=fakes,
            mappings=(compiled(folder),),
            store=store,
            tell=lambda _: None,
        )
        made = asyncio.run(run.make_plan(session, file, Selection(mappings=("records",))))
        _told["spilled_mb"] = _spilled(file.connection)
        return made.count(*_kinds())


def ours(folder: Path, size: int) -> int:  # noqa: ARG001 - one signature for all
    """From snapshot tables to the action table."""
    mapping = compiled(folder)
    with _taken(folder) as file:
        file.connection.execute(COUNTED_DDL)
        origin = Origin(
            project="bench", environment="", systems={}, digest="", state_id="", state_serial=0
        )
        with _clock():
            made = make(
                file,
                (mapping,),
                Selection(mappings=("records",)),
                origin=origin,
                guards=Guards(),
                tell=lambda _: None,
            )
        return made.count(*_kinds())


def peer(folder: Path, size: int) -> int:  # noqa: ARG001 - one signature for all
    """The hand-written join: which fields changed on either side, as two bit masks."""
    moved = {
        side: " + ".join(
            f'(({side[0]}."{n}" IS DISTINCT FROM b."{side} {n} {n}")::BIGINT << {k})'
            for k, n in enumerate(NAMES)
        )
        for side in ("left", "right")
    }
    with _taken(folder) as file:
        statement = f"""CREATE TABLE changes AS SELECT * FROM (
            SELECT coalesce(c.left_key, l."#key") AS left_key,
                coalesce(c.right_key, r."#key") AS right_key, c.left_key IS NOT NULL AS coupled,
                {moved["left"]} AS left_changed, {moved["right"]} AS right_changed
            FROM state.main.coupling c
            JOIN state.base.records b ON b.left_key = c.left_key
            FULL JOIN "records.left" l ON l."#key" = c.left_key
            FULL JOIN "records.right" r ON r."#key" = c.right_key)
            WHERE NOT coupled OR left_changed <> 0 OR right_changed <> 0"""
        with _clock():
            file.connection.execute(statement)
        [(found,)] = file.connection.execute("SELECT count(*) FROM changes").fetchall()
        return int(found)


_told: dict[str, float] = {}


@contextmanager
def _clock() -> Iterator[None]:
    """Tell seconds, by the clock and of CPU, until it is left."""
    started, cpu = time.perf_counter(), time.process_time()
    yield
    _told["seconds"] = time.perf_counter() - started
    _told["cpu"] = time.process_time() - cpu


_WORKS: dict[str, Callable[[Path, int], int]] = {
    "pages to plan": ours_from_pages,
    "snapshots to plan": ours,
    "three-way join by hand": peer,
}


def _kinds() -> tuple[Any, ...]:
    return (*CHANGES, *FAILURES)


def _measured(name: str, folder: Path, size: int, pipe: Any) -> None:
    try:
        found = _WORKS[name](folder, size)
    except duckdb.OutOfMemoryException:
        died = dict.fromkeys(("seconds", "cpu", "spilled_mb", "rows"))
        pipe.send({"work": name, "size": size, "peak_mb": memory.peak_mb(), **died})
        return
    peak = memory.peak_mb()
    pipe.send({"work": name, "size": size, "peak_mb": peak, "rows": found, **_told})


def measure(name: str, folder: Path, size: int) -> dict[str, Any]:
    """Measure one work in a fresh process; its figures are ``None`` where it ran out of memory."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe()
    process = context.Process(target=_measured, args=(name, folder, size, send))
    process.start()
    send.close()
    told: dict[str, Any] = receive.recv()
    process.join()
    return told


def table(size: int, repeat: int) -> list[dict[str, Any]]:
    """Measure every work ``repeat`` times in turn, large sizes once; keep the median of each."""
    repeat = repeat if size < LARGE else 1
    with TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, size)
        works = [w for w in _WORKS if size <= MOST_FROM_PAGES or w != "pages to plan"]
        rounds = [{work: measure(work, folder, size) for work in works} for _ in range(repeat)]
    rows = []
    for work in works:
        tries = sorted((r[work] for r in rounds), key=lambda t: t["seconds"] or 0.0)
        rows.append(dict(tries[len(tries) // 2]))
    hand = rows[-1]
    return [
        {**row, "ratio": ratio(row, hand, "seconds"), "cpu_ratio": ratio(row, hand, "cpu")}
        for row in rows
    ]


def ratio(mine: dict[str, Any], theirs: dict[str, Any], of: str) -> float | None:
    """Compare two works; ``None`` where one of them ran out of memory."""
    here, there = mine.get(of), theirs.get(of)
    return None if here is None or there is None else here / there


def shown(value: float | None, form: str) -> str:
    """Write a figure, or that there is none."""
    return "died" if value is None else format(value, form)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", default="")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ[MEMORY] = options.memory
    rows = [row for size in options.sizes for row in table(size, options.repeat)]
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(
        f"{'work':<24}{'records':>10}{'seconds':>10}{'ratio':>8}{'of CPU':>8}"
        f"{'peak MB':>9}{'on disk':>9}{'rows':>9}"
    )
    for row in rows:
        print(
            f"{row['work']:<24}{row['size']:>10,}{shown(row['seconds'], '.2f'):>10}"
            f"{shown(row['ratio'], '.2f'):>8}{shown(row['cpu_ratio'], '.2f'):>8}"
            f"{row['peak_mb']:>9.0f}{shown(row['spilled_mb'], '.0f'):>9}"
            f"{shown(row['rows'], ','):>9}"
        )


if __name__ == "__main__":
    main()
