"""What others take for the same compare; runs in a Python of its own, with them installed.

    python peers.py WORK FOLDER

``FOLDER`` holds ``left`` and ``right`` as pages of JSON, and ``base`` as Parquet, 20 columns and
``id``. Prints JSON: the seconds, by the clock and of CPU, of loading them into the peer (decoded by
orjson, but for polars, which reads JSON itself) and of finding the differences, and how many there
are.
"""

from __future__ import annotations

import json
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import orjson  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Iterator

Told = dict[str, float]


class Clock:
    """Tells what passed since it was last asked, by the clock and of CPU."""

    def __init__(self) -> None:
        self._at = time.perf_counter(), time.process_time()

    def lap(self, name: str) -> Told:
        now = time.perf_counter(), time.process_time()
        seconds, cpu = (there - here for there, here in zip(now, self._at, strict=True))
        self._at = now
        return {name: seconds, f"{name}_cpu": cpu}


def pages(folder: Path, name: str) -> Iterator[list[dict[str, Any]]]:
    for path in sorted((folder / name).iterdir()):
        yield orjson.loads(path.read_bytes())["value"]


def diffsync(folder: Path) -> Told:
    """The two sides alone: it knows no base."""
    import diffsync as peer  # type: ignore[import-not-found]  # noqa: PLC0415 - only here

    names = [name for name in next(pages(folder, "left"))[0] if name not in ("@odata.etag", "id")]
    record = type(
        "Record",
        (peer.DiffSyncModel,),
        {
            "__annotations__": {"id": str, **dict.fromkeys(names, str | float | None)},
            "_modelname": "record",
            "_identifiers": ("id",),
            "_attributes": tuple(names),
            **dict.fromkeys(names),
        },
    )
    side = type("Side", (peer.Adapter,), {"record": record, "top_level": ["record"]})
    clock = Clock()
    sides = {}
    for name in ("left", "right"):
        sides[name] = side()
        for page in pages(folder, name):
            for row in page:
                del row["@odata.etag"]
                sides[name].add(record(**row))
    load = clock.lap("load")
    changes = len(sides["left"].diff_to(sides["right"]))
    return {**load, **clock.lap("diff"), "found": changes}


def dictionaries(folder: Path) -> Told:
    """Three-way, by plain Python dictionaries of tuples."""
    held = duckdb.execute(f"SELECT * FROM '{folder / 'base'}.parquet'").fetchall()
    clock = Clock()
    left, right = (
        {row["id"]: tuple(row.values())[2:] for page in pages(folder, name) for row in page}
        for name in ("left", "right")
    )
    base = {row[0]: row[1:] for row in held}
    load = clock.lap("load")
    changes = []
    for key in left.keys() | right.keys() | base.keys():
        was = base.get(key)
        moved = [
            None if was is None or now is None else [n for n, v in enumerate(now) if v != was[n]]
            for now in (left.get(key), right.get(key))
        ]
        if moved != [[], []]:
            changes.append((key, moved))
    diff = clock.lap("diff")
    return {**load, **diff, "found": len(changes)}


def polars(folder: Path) -> Told:
    """Three-way full joins, a list of changed fields a side."""
    import polars as pl  # type: ignore[import-not-found]  # noqa: PLC0415 - only here

    clock = Clock()
    left, right = (
        pl.concat(
            pl.read_json(BytesIO(path.read_bytes()[len(b'{"value":') : -1])).drop("@odata.etag")
            for path in sorted((folder / name).iterdir())
        )
        for name in ("left", "right")
    )
    base = pl.read_parquet(folder / "base.parquet")
    load = clock.lap("load")
    names = [name for name in left.columns if name != "id"]
    joined = base.join(left, on="id", how="full", suffix="_l", coalesce=True)
    joined = joined.join(right, on="id", how="full", suffix="_r", coalesce=True)
    moved = [
        pl.concat_list(
            [pl.when(pl.col(f"{n}_{s}").ne_missing(pl.col(n))).then(pl.lit(n)) for n in names]
        )
        .list.drop_nulls()
        .alias(s)
        for s in ("l", "r")
    ]
    found = joined.with_columns(moved).filter(
        (pl.col("l").list.len() > 0) | (pl.col("r").list.len() > 0)
    )
    diff = clock.lap("diff")
    return {**load, **diff, "found": found.height}


WORKS = {"diffsync": diffsync, "dictionaries": dictionaries, "polars": polars}

if __name__ == "__main__":
    told = WORKS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps(told))
