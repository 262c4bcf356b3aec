"""What the scheduler did and when: the record that it is started again from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

KEPT = timedelta(days=90)
"""How long turns are kept, beyond the last one of each job."""


class Outcome(StrEnum):
    """How a turn ended."""

    SET = "set"
    """Nothing ran: from here on the job is counted, for it is new, or the clock was corrected."""
    RUNNING = "running"
    """It began; if nobody holds the state, who began it is dead."""
    DONE = "done"
    """It came to its end, whatever became of single records."""
    FAILED = "failed"
    """This attempt did not come to its end, and another follows."""
    GIVEN_UP = "given up"
    """The last attempt did not either: the job waits for its next time."""
    STOPPED = "stopped"
    """The scheduler was asked to end: it is taken up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One time that a job was due, and what came of it. Instants are UTC.

    ``due`` is the time it was due at, ``missed`` how many earlier ones are folded into it.
    ``attempt`` counts from 1. ``run`` is the number of its run, 0 where it did not come to its end;
    ``changes`` and ``failed`` count records; ``message`` says why it did not come to its end;
    ``exit_code`` is the one that ``sync-run apply`` would have ended with.
    """

    id: int = 0
    job: str
    due: datetime
    begun: datetime
    ended: datetime | None = None
    attempt: int = 1
    missed: int = 0
    outcome: Outcome
    run: int = 0
    changes: int = 0
    failed: int = 0
    message: str = ""
    exit_code: int = 0


def last(connection: duckdb.DuckDBPyConnection) -> dict[str, Turn]:
    """Return the last turn of every job that ever had one, by its name."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM state.main.turn
        QUALIFY "id" = max("id") OVER (PARTITION BY job)"""
    ).fetchall()
    return {turn.job: turn for turn in map(_turn, rows)}


def all_of(connection: duckdb.DuckDBPyConnection, job: str) -> tuple[Turn, ...]:
    """Return all turns of a job that are kept, in their order."""
    rows = connection.execute(
        f'SELECT {_COLUMNS} FROM state.main.turn WHERE job = ? ORDER BY "id"', [job]
    ).fetchall()
    return tuple(map(_turn, rows))


def begin(connection: duckdb.DuckDBPyConnection, turn: Turn) -> Turn:
    """Record, durably, that a turn began (or that a job is counted from here); return it."""
    marks = ", ".join("?" for _ in _NAMES[1:])
    [(number,)] = connection.execute(
        f"""INSERT INTO state.main.turn ({_COLUMNS})
        SELECT coalesce(max("id"), 0) + 1, {marks} FROM state.main.turn RETURNING "id" """,
        list(_values(turn).values())[1:],
    ).fetchall()
    return replace(turn, id=number)


def end(connection: duckdb.DuckDBPyConnection, turn: Turn) -> None:
    """Record what came of a turn, in the caller's transaction if there is one."""
    assert turn.ended is not None, "a turn that ends has an end"
    connection.execute(
        """UPDATE state.main.turn SET ended = $ended, outcome = $outcome, run = $run,
            changes = $changes, failed = $failed, message = $message, exit_code = $exit_code
        WHERE "id" = $id""",
        {name: value for name, value in _values(turn).items() if name not in _BEGINS},
    )


def forget(connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Forget turns of long ago; the last one of each job stays."""
    connection.execute(
        """DELETE FROM state.main.turn WHERE ended < ? AND "id" NOT IN (
            SELECT max("id") FROM state.main.turn GROUP BY job)""",
        [_bare(now - KEPT)],
    )


_NAMES = tuple(field.name for field in fields(Turn))
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
_BEGINS = frozenset({"job", "due", "begun", "attempt", "missed"})
"""What is known when a turn begins, and stays."""


def _values(turn: Turn) -> dict[str, Any]:
    return {name: _bare(value) for name, value in asdict(turn).items()}


def _bare(value: Any) -> Any:
    """Take the zone off an instant, which is UTC: DuckDB's plain timestamps have none."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return str(value) if isinstance(value, Outcome) else value


def _turn(row: tuple[Any, ...]) -> Turn:
    told = dict(zip(_NAMES, row, strict=True))
    for name in ("due", "begun", "ended"):
        told[name] = told[name] and told[name].replace(tzinfo=UTC)
    return Turn(**{**told, "outcome": Outcome(told["outcome"])})
