"""Snapshots and state as a plan."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from runner import dialect
from runner.plan import file
from runner.plan.actions import Header
from runner.plan.diff import decide
from runner.plan.guards import tripped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.compile import CompiledMapping
    from runner.events import Tell
    from runner.extract import Takings
    from runner.model import Guards, Selection
    from runner.plan.actions import Origin


RUN_SETTINGS = f"""{dialect.SETTINGS}; SET fsync_mode = 'NONE';
SET disabled_compression_methods = 'dict_fsst'"""
"""How a plan is written that is about to be applied: nobody needs its file after a crash, and
weighing dictionaries for its texts takes longer than they save (``tests/bench/profiles.md``)."""


@dataclass(frozen=True, slots=True)
class RunFile:
    """What one run's snapshots and actions live in, and where its plan is written to be applied.

    They are tables in memory, which DuckDB puts on disk as far as its ``memory_limit`` asks for:
    writing rows to a file that is gone in minutes takes thrice as long as keeping them.
    """

    path: Path
    connection: duckdb.DuckDBPyConnection


@contextmanager
def run_file() -> Iterator[RunFile]:
    """Make the place of one run, gone when the run is over: it holds the company's records."""
    with TemporaryDirectory(prefix="sync-run-") as folder, duckdb.connect() as connection:
        connection.execute(RUN_SETTINGS)
        connection.execute(f"SET temp_directory = {dialect.text(f'{folder}/spill')}")
        yield RunFile(Path(folder) / "plan.duckdb", connection)


def make(
    run: RunFile,
    mappings: Sequence[CompiledMapping],
    selection: Selection,
    *,
    origin: Origin,
    guards: Guards,
    taken: Takings | None = None,
    mode: str = "full",
    tell: Tell,
) -> file.Plan:
    """Decide what is to be done. Reads the state (attached), which stays as it is.

    ``taken`` says how the systems were read (empty: into snapshots), ``mode`` what was asked for.
    """
    connection = run.connection
    [(interrupted,)] = connection.execute(
        "SELECT count(*) FROM state.main.journal WHERE outcome IS NULL"
    ).fetchall()
    summaries = decide(
        connection,
        mappings,
        selection.mappings,
        taken or {},
        tell,
        interrupted=bool(interrupted),
    )
    header = Header(
        version=file.VERSION,
        id=str(uuid4()),
        origin=origin,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        selection=selection,
        interrupted=interrupted,
        mappings=summaries,
        guards=tripped(summaries, guards, {m.name: m.rule.guards for m in mappings}),
        mode=mode,
    )
    return file.sealed(run.path, connection, header)
