"""Snapshots and state as a plan."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb

from runner.plan import file
from runner.plan.actions import Header
from runner.plan.diff import decide
from runner.state import SETTINGS, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.compile import CompiledMapping
    from runner.events import Tell
    from runner.model import Selection


@dataclass(frozen=True, slots=True)
class RunFile:
    """The file that one run's snapshots and actions live in, open."""

    path: Path
    connection: duckdb.DuckDBPyConnection


@contextmanager
def run_file() -> Iterator[RunFile]:
    """Make the file of one run, gone when the run is over. It holds the company's records."""
    with TemporaryDirectory(prefix="sync-run-") as folder:
        path = Path(folder) / "run.duckdb"
        with duckdb.connect(str(path)) as connection:
            # Nobody needs it after a crash, nor once the run is over.
            connection.execute(f"{SETTINGS}; SET fsync_mode = 'NONE'")
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            connection.execute(f"SET temp_directory = '{folder}/spill'")
            yield RunFile(path, connection)


def make(
    run: RunFile,
    mappings: Sequence[CompiledMapping],
    selection: Selection,
    *,
    project: str,
    environment: str,
    digest: str,
    tell: Tell,
) -> file.Plan:
    """Decide what is to be done. Reads the state (attached), which stays as it is."""
    connection = run.connection
    state_id, serial = runs.identity(connection)
    [(interrupted,)] = connection.execute(
        "SELECT count(*) FROM state.main.journal WHERE outcome IS NULL"
    ).fetchall()
    summaries = decide(
        connection, mappings, selection.mappings, tell, interrupted=bool(interrupted)
    )
    header = Header(
        version=file.VERSION,
        project=project,
        environment=environment,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        selection=selection,
        digest=digest,
        state_id=state_id,
        state_serial=serial,
        interrupted=interrupted,
        mappings=summaries,
    )
    return file.sealed(run.path, connection, header)
