"""Runs and what each of them did: counters, findings, and the serial that dates a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb


def identity(connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """Return the state's id and serial. The serial moves with every run that may write."""
    [(state_id, serial)] = connection.execute(
        """SELECT max("value") FILTER ("key" = 'id'), max("value") FILTER ("key" = 'serial')
        FROM state.main.meta"""
    ).fetchall()
    return str(state_id), int(serial)


def move_on(connection: duckdb.DuckDBPyConnection) -> None:
    """Let plans that were made before be stale from here on, in the caller's transaction."""
    connection.execute(
        """UPDATE state.main.meta SET "value" = CAST(CAST("value" AS BIGINT) + 1 AS VARCHAR)
        WHERE "key" = 'serial'"""
    )


def begin(connection: duckdb.DuckDBPyConnection, command: str, plan: str = "") -> int:
    """Begin a run and return its number; plans made before are stale from here on.

    ``plan`` is the id of the plan that it carries out: that one may be gone on with.
    """
    connection.execute("BEGIN")
    move_on(connection)
    [(run,)] = connection.execute(
        """INSERT INTO state.main.run (id, command, started)
        SELECT coalesce(max(id), 0) + 1, ?, current_localtimestamp() FROM state.main.run
        RETURNING id""",
        [command],
    ).fetchall()
    if plan:
        connection.execute(
            """INSERT INTO state.main.applied
            SELECT ?, ?, CAST("value" AS BIGINT), FALSE FROM state.main.meta
            WHERE "key" = 'serial'""",
            [run, plan],
        )
    connection.execute("COMMIT")
    return int(run)


def end(
    connection: duckdb.DuckDBPyConnection,
    run: int,
    counters: Mapping[str, Mapping[str, int]],
    exit_code: int,
    *,
    also: Callable[[], None] = lambda: None,
) -> None:
    """End a run: how it ended, and its counters by mapping; ``also`` joins the transaction."""
    connection.execute("BEGIN")
    for mapping, counted in counters.items():
        for counter, n in counted.items():
            connection.execute(
                "INSERT INTO state.main.job VALUES (?, ?, ?, ?)", [run, mapping, counter, n]
            )
    connection.execute(
        "UPDATE state.main.run SET ended = current_localtimestamp(), exit_code = ? WHERE id = ?",
        [exit_code, run],
    )
    also()
    connection.execute("COMMIT")
