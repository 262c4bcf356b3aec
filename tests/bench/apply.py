"""What writing costs: a plan of so many updates carried out against a service that takes its time.

    python -m tests.bench.apply [--size 1000] [--latency 5 20 100] [--most 6] [--json]

The comparison is the bare client (httpx, one client a worker, as many workers) that sends the same
requests and reads the answers. ``kept`` is the share of the time that went into journal and state.
The service is a process of its own; both are measured in turn, and the fastest of ``--repeat``
rounds counts. With ``--most`` it refuses (429) what comes above so many at a time: we may send
``EAGER`` at a time and have to find that out, the bare client is told; ``refused`` counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import httpx

from runner import run
from runner.apply import waves, write
from runner.connectors.line.pace import Pace
from runner.connectors.odata.v4 import Habits, OData
from runner.model import Direction, Entity, FieldMapping, Mapping, MatchPair, Project, Selection
from runner.plan import run_file
from runner.state import held, journal
from runner.wire import EntityType, Type
from tests.bench.service import served
from tests.fakes import HERE, Fake, fields, system

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.connectors.protocol import Connector

WORKERS, EAGER = 8, 32


def project(folder: Path) -> Project:
    to_right = Direction.TO_RIGHT
    mapping = Mapping(
        name="records",
        direction=to_right,
        left=Entity(system="a", entity="left", key="id", at=HERE),
        right=Entity(system="b", entity="rows", key="id", at=HERE),
        create=frozenset(),
        match=((MatchPair(left="id", right="id", at=HERE),),),
        fields=(FieldMapping(left="t0", right="t0", direction=to_right, at=HERE),),
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


def source(size: int) -> Fake:
    found = Fake(
        {"left": EntityType(name="left", key="id", fields=fields(id=Type.CODE, t0=Type.TEXT))}
    )
    for n in range(size):
        found.put("left", f"K{n:09}", t0=f"new {n}")
    return found


class Kept:
    """How long journal and state took, while it is entered."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._places = ((journal, "intend"), (write, "settle"), (waves, "settle_local"))
        self._were: list[Any] = []

    def __enter__(self) -> Self:
        self._were = [getattr(*place) for place in self._places]
        for (module, name), was in zip(self._places, self._were, strict=True):
            setattr(module, name, self._timed(was))
        return self

    def __exit__(self, *_: object) -> None:
        for (module, name), was in zip(self._places, self._were, strict=True):
            setattr(module, name, was)

    def _timed(self, does: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(does)
        def timed(*given: Any) -> Any:
            started = time.perf_counter()
            try:
                return does(*given)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


async def ours(size: int, url: str, workers: int) -> dict[str, float]:
    """Plan; then measure what ``apply`` does from the plan to the last settled record."""
    with TemporaryDirectory() as name:
        opened = project(Path(name))
        pace = Pace(concurrency=workers)
        service = OData("b", url, None, habits=Habits(), pace=pace)
        connectors: dict[str, Connector] = {"a": source(size), "b": service}
        with held(opened.state, "bench") as store, run_file() as file, Kept() as kept:
            mappings = await run.compiled(opened, connectors)
            session = run.Session(
                project=opened,
                connectors=connectors,
                mappings=mappings,
                store=store,
                tell=lambda _: None,
            )
            made = await run.make_plan(session, file, Selection(mappings=("records",)))
            before, started = service.requests, time.perf_counter()
            report = await run.carry_out(session, made)
            seconds = time.perf_counter() - started
            refused = service.requests - before - size
        await service.close()
        assert report.counters["records"]["modified"] == size, report
    return {"seconds": seconds, "kept": kept.seconds / seconds, "refused": refused}


async def bare(size: int, url: str, workers: int) -> dict[str, float]:
    """Send the same requests, and decode the answers."""
    waiting = iter(range(size))
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "If-Match": 'W/"1"',
        "Prefer": "return=representation",
    }

    async def worker() -> None:
        async with httpx.AsyncClient() as client:
            for n in waiting:
                reply = await client.patch(
                    f"{url}/rows('K{n:09}')", content=f'{{"t0":"new {n}"}}', headers=headers
                )
                assert reply.json()["t0"] == f"new {n}"

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(workers)))
    return {"seconds": time.perf_counter() - started}


def table(size: int, latency: int, repeat: int, most: int = 0) -> dict[str, Any]:
    """Measure both in turn at so many milliseconds a write; ``most`` at a time, 0: any number."""
    workers = (EAGER, most) if most else (WORKERS, WORKERS)
    with served(size, latency / 1000, most or 1_000) as url:
        rounds = [
            tuple(
                asyncio.run(send(size, url, n))
                for send, n in zip((ours, bare), workers, strict=True)
            )
            for _ in range(repeat)
        ]
    own = min((mine for mine, _ in rounds), key=lambda told: told["seconds"])
    peer = min(theirs["seconds"] for _, theirs in rounds)
    return {
        "latency_ms": latency,
        "size": size,
        "seconds": own["seconds"],
        "peer": peer,
        "per_second": size / own["seconds"],
        "of_bare": peer / own["seconds"],
        "kept": own["kept"],
        "refused": own["refused"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=1_000)
    parser.add_argument("--latency", type=int, nargs="+", default=[5, 20, 100])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [table(options.size, ms, options.repeat, options.most) for ms in options.latency]
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(
        f"{'a write takes':>14}{'writes':>9}{'writes/s':>10}{'of bare':>9}{'kept':>7}{'refused':>9}"
    )
    for row in rows:
        print(
            f"{row['latency_ms']:>11} ms{row['size']:>9,}{row['per_second']:>10.0f}"
            f"{row['of_bare']:>9.0%}{row['kept']:>7.1%}{row['refused']:>9,}"
        )


if __name__ == "__main__":
    main()
