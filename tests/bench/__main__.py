"""All measurements in one table: ours, a peer, the limit, side by side on this machine.

    python -m tests.bench [plan read apply start] [--sizes 10000 100000] [--repeat 3]
        [--peers] [--json] [--plot tests/bench/scaling.svg]

``--peers`` installs diffsync and polars from the package registry, into an environment of their own
in the user's caches, and measures them up to ``MOST_FOR_PEERS`` records. Figures are ratios: read
those, for the machine is never idle. A ratio below 1 is faster than what we compare with.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from runner.state import SETTINGS
from tests.bench import apply, installed, pages, plan, plot, start

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FOR_PEERS = {"diffsync": 100_000, "dictionaries": 1_000_000, "polars": 1_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison. ``limit`` is what the ratio is to be at most; seconds, MB."""

    work: str
    size: int
    ours: float
    peer: str
    theirs: float
    ratio: float
    limit: str = ""
    peak_mb: float = 0.0


def of_plan(sizes: list[int], repeat: int, *, peers: bool) -> Iterator[Row]:
    """Plan from snapshots, and from pages, against the join by hand, and others."""
    for size in sizes:
        found = {row["work"]: row for row in plan.table(size, repeat)}
        mine, hand = found["snapshots to plan"], found["three-way join by hand"]
        yield _row("snapshots to plan", size, mine, "join by hand", hand["seconds"], "1.2")
        whole = found["pages to plan"]
        yield _row("pages to plan", size, whole, "join by hand", hand["seconds"])
        for told in _peers(size) if peers else ():
            peer, seconds = str(told["peer"]), float(told["diff"])
            yield _row("snapshots to plan", size, mine, peer, seconds)
            both = seconds + float(told["load"])
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
        bare = found["decode"]["seconds"]
        for work, name in names.items():
            limit = "2" if work == "into DuckDB" else ""
            yield _row(name, size, found[work], "orjson", bare, limit)


def of_apply(size: int, repeat: int) -> Iterator[Row]:
    """Write so many changes to a server of 5, 20 and 100 ms, against the bare client."""
    for latency in (5, 20, 100):
        told = apply.table(size, latency, repeat)
        mine = {"seconds": told["seconds"], "peak_mb": 0.0}
        yield _row(f"apply, {latency} ms a write", size, mine, "bare client", told["peer"], "1.11")
        kept = {"seconds": told["kept"] * told["seconds"], "peak_mb": 0.0}
        yield _row("  journal and state", size, kept, "of that apply", told["seconds"], "0.1")


def of_start(repeat: int) -> Iterator[Row]:
    """Start commands, against the bare import of DuckDB."""
    bare, *found = start.table(repeat)
    for told in found:
        mine = {"seconds": told["seconds"], "peak_mb": 0.0}
        yield _row(str(told["work"]), 1, mine, "import duckdb", float(bare["seconds"]))


def _row(
    work: str, size: int, mine: dict[str, Any], peer: str, theirs: float, limit: str = ""
) -> Row:
    return Row(
        work=work,
        size=size,
        ours=mine["seconds"],
        peer=peer,
        theirs=theirs,
        ratio=mine["seconds"] / theirs,
        limit=limit,
        peak_mb=mine["peak_mb"],
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
    parser.add_argument("works", nargs="*", default=["plan", "read", "apply", "start"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    found = {
        "plan": lambda: of_plan(options.sizes, options.repeat, peers=options.peers),
        "read": lambda: of_read(options.sizes),
        "apply": lambda: of_apply(1_000, options.repeat),
        "start": lambda: of_start(options.repeat),
    }
    rows = []
    if not options.json:
        print(f"{'work':<22}{'size':>12}{'ours s':>10}{'peer s':>10}{'ratio':>9}  limit   MB  peer")
    for row in (row for work in options.works for row in found[work]()):
        rows.append(row)
        if not options.json:
            print(
                f"{row.work:<22}{row.size:>12,}{row.ours:>10.3f}{row.theirs:>10.3f}{row.ratio:>9.3f}"
                f"  {row.limit:>6}{row.peak_mb:>6.0f}  {row.peer}",
                flush=True,
            )
    if options.json:
        json.dump([asdict(row) for row in rows], sys.stdout, indent=2)
    if options.plot:
        options.plot.write_text(plot.scaling([asdict(row) for row in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
