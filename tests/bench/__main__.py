"""All measurements in one table: ours, a peer, the limit, side by side on this machine.

    python -m tests.bench [plan read apply requests start] [--sizes 10000 100000] [--repeat 3]
        [--memory 512MB] [--peers] [--json] [--plot tests/bench/scaling.svg]

``--peers`` installs diffsync and polars from the package registry, into an environment of their own
in the user's caches, and measures them up to ``MOST_FOR_PEERS`` records (`read` needs orjson, which
comes with them). ``--memory`` limits what DuckDB holds in memory. Figures are ratios: read those,
for the machine is never idle, and of CPU where it is given. A ratio below 1 is better than what we
compare with. Pages are read up to ``MOST_READ`` rows: beyond, nothing changes but the time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from runner.dialect import SETTINGS
from tests.bench import apply, installed, pages, plan, plot, requests, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_READ = 250_000
MOST_FOR_PEERS = {"diffsync": 100_000, "dictionaries": 1_000_000, "polars": 1_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison. ``limit`` is what the ratio is to be at most; ``cpu`` the ratio of CPU time.

    Ours and theirs are in ``unit``, ``None`` where memory ran out; memory in MB, as is what DuckDB
    put on disk.
    """

    work: str
    size: int
    ours: float | None
    peer: str
    theirs: float | None
    ratio: float | None
    cpu: float | None = None
    limit: str = ""
    unit: str = "s"
    peak_mb: float = 0.0
    spilled_mb: float = 0.0


def of_plan(sizes: list[int], repeat: int, *, peers: bool) -> Iterator[Row]:
    """Plan from snapshots, and from pages, against the join by hand, and others."""
    for size in sizes:
        found = {row["work"]: row for row in plan.table(size, repeat)}
        mine, hand = found["snapshots to plan"], found["three-way join by hand"]
        yield _row("snapshots to plan", size, mine, "join by hand", hand, "1.2")
        if size > plan.MOST_FROM_PAGES:
            continue
        whole = found["pages to plan"]
        yield _row("pages to plan", size, whole, "join by hand", hand)
        for told in _peers(size) if peers else ():
            peer = str(told["peer"])
            alone = {"seconds": told["diff"], "cpu": told["diff_cpu"]}
            both = {
                "seconds": told["load"] + told["diff"],
                "cpu": told["load_cpu"] + told["diff_cpu"],
            }
            yield _row("snapshots to plan", size, mine, peer, alone)
            limit = "0.0125" if peer == "diffsync" else ""
            yield _row("pages to plan", size, whole, f"{peer} and its load", both, limit)


def of_read(sizes: list[int]) -> Iterator[Row]:
    """Read pages, in seconds of CPU, against the bare decoding of the same bytes."""
    names = {
        "columns": "pages to columns",
        "into DuckDB": "pages into DuckDB",
        "snapshot": "pages to snapshot",
        "over HTTP": "HTTP into DuckDB",
    }
    for size in sizes:
        found = {row["work"]: row for row in pages.table(size)}
        for work, name in names.items():
            limit = "2" if work == "into DuckDB" else ""
            yield _row(name, size, found[work], "orjson, CPU", found["decode"], limit)


def of_apply(size: int, repeat: int) -> Iterator[Row]:
    """Write so many changes to a server of 5, 20 and 100 ms, against the bare client."""
    for latency in (5, 20, 100):
        told = apply.table(size, latency, repeat)
        bare = {"seconds": told["peer"]}
        yield _row(f"apply, {latency} ms a write", size, told, "bare client", bare, "1.11")
        kept = {"seconds": told["kept"] * told["seconds"]}
        yield _row("  journal and state", size, kept, "of that apply", told, "0.1")
    most = 6
    told = apply.table(size, 100, 1, most)
    bare = {"seconds": told["peer"]}
    yield _row(f"apply, {most} at a time", size, told, "client that knows", bare, "1.11")
    yield Row(
        work="  refused by it",
        size=size,
        ours=told["refused"],
        peer="of the writes",
        theirs=size,
        ratio=told["refused"] / size,
        unit="req",
    )


def of_requests() -> Iterator[Row]:
    """Count the requests that 1,000 records take, against one for each."""
    for told in requests.table(1_000):
        for work in ("creating", "changing"):
            yield Row(
                work=f"{work}, {told['system']}",
                size=told["size"],
                ours=told[work],
                peer="one by one",
                theirs=told["size"],
                ratio=told[work] / told["size"],
                unit="req",
            )


def of_start(repeat: int) -> Iterator[Row]:
    """Start commands, against the bare import of DuckDB."""
    bare, *found = start.table(repeat)
    for told in found:
        yield _row(str(told["work"]), 1, told, "import duckdb", bare)


def _row(
    work: str,
    size: int,
    mine: dict[str, Any],
    peer: str,
    theirs: dict[str, Any],
    limit: str = "",
) -> Row:
    return Row(
        work=work,
        size=size,
        ours=mine["seconds"],
        peer=peer,
        theirs=theirs["seconds"],
        ratio=plan.ratio(mine, theirs, "seconds"),
        cpu=plan.ratio(mine, theirs, "cpu"),
        limit=limit,
        peak_mb=mine.get("peak_mb", 0.0),
        spilled_mb=mine.get("spilled_mb") or 0.0,
    )


def _peers(size: int) -> Iterator[dict[str, Any]]:
    """Measure others on the very rows that ours were measured on, each in a fresh process."""
    python, script = installed.python(), Path(__file__).with_name("peers.py")
    with TemporaryDirectory() as name:
        folder = Path(name)
        plan.prepare(folder, size)
        with duckdb.connect(str(folder / "source.duckdb"), read_only=True) as source:
            source.execute(SETTINGS)
            numbers = ", ".join(f"CAST(d{k} AS DOUBLE) AS d{k}" for k in range(plan.DECIMALS))
            source.execute(
                f"""COPY (SELECT * REPLACE ({numbers}) FROM base) TO '{folder / "base.parquet"}'"""
            )
        for peer in (peer for peer, most in MOST_FOR_PEERS.items() if size <= most):
            command = [str(python), str(script), peer, name]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            # What a peer itself prints comes first.
            yield {**json.loads(told.splitlines()[-1]), "peer": peer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("works", nargs="*", default=["plan", "read", "apply", "requests", "start"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", default="")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    os.environ[plan.MEMORY] = options.memory
    found: dict[str, Callable[[], Iterator[Row]]] = {
        "plan": lambda: of_plan(options.sizes, options.repeat, peers=options.peers),
        "read": lambda: of_read(sorted({min(size, MOST_READ) for size in options.sizes})),
        "apply": lambda: of_apply(1_000, options.repeat),
        "requests": of_requests,
        "start": lambda: of_start(options.repeat),
    }
    rows = []
    if not options.json:
        print(
            f"{'work':<28}{'size':>11}{'ours':>10}{'theirs':>10}{'':<5}{'ratio':>8}{'of CPU':>8}"
            f"{'limit':>8}{'MB':>7}{'disk':>6}  against"
        )
    for row in (row for work in options.works for row in found[work]()):
        rows.append(row)
        if not options.json:
            cpu = "" if row.cpu is None else f"{row.cpu:.3f}"
            ours, theirs, ratio = (plan.shown(v, ".3f") for v in (row.ours, row.theirs, row.ratio))
            print(
                f"{row.work:<28}{row.size:>11,}{ours:>10}{theirs:>10} {row.unit:<4}"
                f"{ratio:>8}{cpu:>8}{row.limit:>8}{row.peak_mb:>7.0f}{row.spilled_mb:>6.0f}"
                f"  {row.peer}",
                flush=True,
            )
    if options.json:
        json.dump([asdict(row) for row in rows], sys.stdout, indent=2)
    if options.plot:
        options.plot.write_text(plot.scaling([asdict(row) for row in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
