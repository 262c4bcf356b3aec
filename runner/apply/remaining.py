"""What is still to be done of a plan that an earlier run began: all of it, where none did."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

REMAINING = "memory.main.remaining"
"""The action table of the plan (attached as ``plan``) without what was done already."""
FINISHED = "memory.main.finished"


def begin(connection: duckdb.DuckDBPyConnection, earlier: Sequence[int]) -> None:
    """Find out what these runs did of the plan, by the journal."""
    connection.execute(
        f"""CREATE OR REPLACE TABLE {FINISHED} AS SELECT DISTINCT action, mapping, kind
        FROM state.main.journal
        WHERE list_contains(?, run) AND outcome IN ('written', 'found')""",
        [list(earlier)],
    )
    connection.execute(
        f"""CREATE OR REPLACE VIEW {REMAINING} AS
        SELECT a.* FROM plan."action" a ANTI JOIN {FINISHED} f ON f.action = a."id" """
    )


def finish(connection: duckdb.DuckDBPyConnection, action: int, mapping: str, kind: str) -> None:
    """Take note that one more was found to be done."""
    connection.execute(f"INSERT INTO {FINISHED} VALUES (?, ?, ?)", [action, mapping, kind])


def coupled(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many pairs of each mapping were coupled before."""
    rows = connection.execute(
        f"SELECT mapping, count(*) FROM {FINISHED} WHERE kind = 'couple' GROUP BY ALL"
    ).fetchall()
    return dict(rows)
