"""Runs and what each of them did: counters, timings, and the serial that dates a plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from runner.events import PhaseDone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    import duckdb

    from runner.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What is known of a run before it does anything.

    ``mode`` says how it looks for changes, ``mappings`` are those it was asked for (empty: all).
    ``account`` and ``host`` are the operating system's words for who runs it and where, empty where
    nobody knows; ``process`` is its number there.
    """

    command: str
    mode: str = "full"
    mappings: tuple[str, ...] = ()
    account: str = ""
    host: str = ""
    process: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run under way: its number, and what was heard of it so far.

    ``began`` is by the clock that only ever goes forward, ``seconds`` are by mapping and phase;
    ``over`` holds its exit code once it ended.
    """

    number: int
    began: float = field(default_factory=monotonic)
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    over: list[int] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        """Take note of how long things take."""
        if isinstance(event, PhaseDone):
            key = event.mapping, event.phase
            self.seconds[key] = self.seconds.get(key, 0.0) + event.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended: its counters by mapping, and requests by system.

    ``message`` says why it did not come to its end; empty where it did.
    """

    exit_code: int
    message: str = ""
    counters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)


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


def begin(connection: duckdb.DuckDBPyConnection, beginning: Beginning) -> Running:
    """Begin a run, and give it the next number."""
    [(run,)] = connection.execute(
        """INSERT INTO state.main.run
            (id, command, started, mode, mappings, account, host, process)
        SELECT coalesce(max(id), 0) + 1, $command, current_localtimestamp(), $mode, $mappings,
            nullif($account, ''), nullif($host, ''), nullif($process, 0) FROM state.main.run
        RETURNING id""",
        {
            "command": beginning.command,
            "mode": beginning.mode,
            "mappings": list(beginning.mappings),
            "account": beginning.account,
            "host": beginning.host,
            "process": beginning.process,
        },
    ).fetchall()
    return Running(number=int(run))


def carry_out(
    connection: duckdb.DuckDBPyConnection, running: Running, plan: str, *, undoes: int = 0
) -> None:
    """Begin to carry out a plan, by its id; other plans made before are stale from here on.

    This one may be gone on with, should the run not come to its end. ``undoes`` is the run that it
    undoes, 0 for none.
    """
    connection.execute("BEGIN")
    move_on(connection)
    connection.execute(
        """INSERT INTO state.main.applied
        SELECT ?, ?, CAST("value" AS BIGINT), FALSE FROM state.main.meta
        WHERE "key" = 'serial'""",
        [running.number, plan],
    )
    if undoes:
        connection.execute(
            "UPDATE state.main.run SET command = ? WHERE id = ?",
            [f"undo {undoes}", running.number],
        )
    connection.execute("COMMIT")


def end(
    connection: duckdb.DuckDBPyConnection,
    running: Running,
    ending: Ending,
    *,
    also: Callable[[], None] = lambda: None,
) -> bool:
    """End a run; return whether it had not ended before. ``also`` joins the transaction."""
    jobs = ending.counters.items()
    rows_of: dict[str, list[tuple[object, ...]]] = {
        "job": [(name, counter, n) for name, told in jobs for counter, n in told.items()],
        "timing": [(*key, seconds) for key, seconds in running.seconds.items()],
        "request": list(ending.requests.items()),
    }
    connection.execute("BEGIN")
    ended = connection.execute(
        """UPDATE state.main.run SET ended = current_localtimestamp(), exit_code = ?,
            message = nullif(?, '') WHERE id = ? AND ended IS NULL RETURNING id""",
        [ending.exit_code, ending.message, running.number],
    ).fetchall()
    for table, rows in rows_of.items() if ended else ():
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            told = ", ".join("unnest(?)" for _ in columns)
            connection.execute(
                f"INSERT INTO state.main.{table} SELECT ?, {told}", [running.number, *columns]
            )
    if ended:
        also()
    connection.execute("COMMIT")
    return bool(ended)


def succeeded(connection: duckdb.DuckDBPyConnection) -> float | None:
    """Return when a run last ended well, in seconds since 1970; ``None`` where none is known."""
    [(when,)] = connection.execute(
        "SELECT epoch(max(ended)) FROM state.main.run WHERE exit_code = 0"
    ).fetchall()
    return None if when is None else float(when)


def purge(connection: duckdb.DuckDBPyConnection, keep: timedelta) -> int:
    """Forget the runs that began longer ago, with all that is kept of them; return how many.

    What is still needed stays, whatever its age: the last run, the last one that wrote (it can be
    undone), the last that went well, runs over which an error is open, and those with writes of
    unknown outcome.
    """
    connection.execute("BEGIN")
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE past AS
        SELECT id FROM state.main.run WHERE started < current_localtimestamp() - ?
            AND id <> (SELECT max(id) FROM state.main.run)
        EXCEPT SELECT max(run) FROM state.main.journal WHERE outcome = 'written'
        EXCEPT SELECT max(id) FROM state.main.run WHERE exit_code = 0
        EXCEPT SELECT run FROM state.main.journal WHERE outcome IS NULL
        EXCEPT SELECT first_run FROM state.main.open_error
        EXCEPT SELECT last_run FROM state.main.open_error""",
        [keep],
    )
    [(forgotten,)] = connection.execute("SELECT count(*) FROM past").fetchall()
    for table in ("job", "timing", "request", "finding", "journal", "applied") if forgotten else ():
        connection.execute(f"DELETE FROM state.main.{table} WHERE run IN (SELECT id FROM past)")
    connection.execute("DELETE FROM state.main.run WHERE id IN (SELECT id FROM past)")
    connection.execute("DROP TABLE past")
    connection.execute("COMMIT")
    return int(forgotten)
