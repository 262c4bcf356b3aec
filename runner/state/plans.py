"""Which runs carried out a plan, and whether anything is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What became of a plan so far.

    ``runs`` carried it out one after the other, none at all where it is new. ``alone``: nothing
    else moved the state since it was made. ``complete``: nothing is left of it; then ``exit_code``
    is how the last of the runs ended.
    """

    runs: tuple[int, ...]
    alone: bool
    complete: bool
    exit_code: int


def begun(connection: duckdb.DuckDBPyConnection, plan: str, *, since: int, now: int) -> Begun:
    """Tell what became of a plan made at the serial ``since``; ``now`` is the state's."""
    rows = connection.execute(
        """SELECT a.run, a.serial, a.complete, r.exit_code,
            EXISTS (FROM state.main.journal j WHERE j.run = a.run AND j.outcome IS NULL)
        FROM state.main.applied a JOIN state.main.run r ON r.id = a.run
        WHERE a.plan = ? ORDER BY a.run""",
        [plan],
    ).fetchall()
    return Begun(
        runs=tuple(int(row[0]) for row in rows),
        alone=[row[1] for row in rows] == list(range(since + 1, now + 1)),
        complete=bool(rows) and bool(rows[-1][2]) and not any(row[4] for row in rows),
        exit_code=int(rows[-1][3] or 0) if rows else 0,
    )


def complete(connection: duckdb.DuckDBPyConnection, run: int) -> None:
    """Record that a run came to the end of its plan."""
    connection.execute("UPDATE state.main.applied SET complete = TRUE WHERE run = ?", [run])
