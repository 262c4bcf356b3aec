"""What the state remembers of past runs, to be read: nothing is written here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from runner.state.store import lock_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    import duckdb


_PAGE = 2_000
_WRITES_FIRST = "side = '', intended, action"
"""The order in which a run wrote; what it coupled comes after."""
_JOURNALED = """SELECT run, mapping,
    CASE WHEN coalesce(outcome, 'compared') = 'compared' THEN 'open'
        WHEN outcome NOT IN ('written', 'found') THEN 'failed'
        WHEN kind = 'create' THEN 'inserted' WHEN kind = 'update' THEN 'modified'
        ELSE kind || 'd' END AS counter, count(*) AS n
FROM state.main.journal WHERE coalesce(outcome, '') <> 'not done' GROUP BY ALL"""
"""What a run did, counted by the journal: for one that never came to count it itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. Instants are UTC, ``seconds`` are ``None`` where it never ended.

    ``state`` is ``ended``, ``running``, or ``lost``: its process is gone, and nobody ended it.
    ``exit_code`` is ``None`` until it ended; ``message`` says why it did not come to its end.
    ``counters`` are summed up over its mappings; of a run that did not end they are what the
    journal tells.
    """

    run: int
    command: str
    mode: str
    mappings: tuple[str, ...]
    account: str | None
    host: str | None
    process: int | None
    started: datetime
    ended: datetime | None
    seconds: float | None
    state: str
    exit_code: int | None
    message: str | None
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a run did in one mapping; ``seconds`` by phase. ``complete``: it came to its end."""

    mapping: str
    counters: Mapping[str, int]
    seconds: Mapping[str, float]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a run found amiss, or failed to write, as it stood then."""

    mapping: str
    kind: str
    left_key: str | None
    right_key: str | None
    label: str | None
    field: str | None
    reason: str | None
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One write, as the journal has it; ``outcome`` is ``None`` where nobody knows it yet.

    ``side`` is empty where records were coupled or uncoupled, and neither was written.
    ``fields`` are (name, old value, new value); a new value of ``None`` is blank, or was known only
    when it was written.
    """

    mapping: str
    kind: str
    side: str
    entity: str
    left_key: str | None
    right_key: str | None
    key: str | None
    fields: tuple[tuple[str, str | None, str | None], ...]
    outcome: str | None
    message: str | None
    intended: datetime
    settled: datetime | None


def runs(
    connection: duckdb.DuckDBPyConnection, path: Path, *, limit: int | None, run: int | None = None
) -> tuple[Run, ...]:
    """Return the last runs, the newest first; or the one of that number, or none."""
    rows = connection.execute(
        f"""WITH chosen AS (
            SELECT *, id = max(id) OVER () AS newest FROM state.main.run
            QUALIFY $run IS NULL OR id = $run ORDER BY id DESC LIMIT $limit
        ), counted AS (
            SELECT run, counter, sum(n) AS n FROM state.main.job
            WHERE run IN (SELECT id FROM chosen) GROUP BY ALL
            UNION ALL SELECT run, counter, sum(n) FROM ({_JOURNALED})
            WHERE run IN (SELECT id FROM chosen WHERE ended IS NULL) GROUP BY ALL
        )
        SELECT id, command, coalesce(mode, 'full'), coalesce(mappings, []), account, host, process,
            started, ended, epoch(ended - started),
            CASE WHEN ended IS NOT NULL THEN 'ended' WHEN newest THEN 'open' ELSE 'lost' END,
            exit_code, message,
            (SELECT map_from_entries(list(row(counter, CAST(n AS BIGINT)) ORDER BY counter))
             FROM counted WHERE run = id)
        FROM chosen ORDER BY id DESC""",
        {"run": run, "limit": limit},
    ).fetchall()
    names = tuple(Run.__dataclass_fields__)
    return tuple(_run(dict(zip(names, row, strict=True)), path) for row in rows)


def _run(told: dict[str, Any], path: Path) -> Run:
    """The last run goes on as long as a process holds the state; nobody ends another one."""
    if told["state"] == "open":
        told["state"] = "running" if is_held(path) else "lost"
    return Run(**{**told, "mappings": tuple(told["mappings"]), "counters": told["counters"] or {}})


def is_held(path: Path) -> bool:
    """Whether a process holds the state at this moment."""
    lock = FileLock(lock_of(path), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def jobs(connection: duckdb.DuckDBPyConnection, run: int) -> tuple[Job, ...]:
    """Return what a run did, mapping by mapping."""
    query = "SELECT mapping, {} FROM {} WHERE run = ? ORDER BY rowid"
    counted = _counted(connection, query.format("counter, n", "state.main.job"), run)
    seconds = _counted(connection, query.format("phase, seconds", "state.main.timing"), run)
    journaled = f"SELECT mapping, counter, n FROM ({_JOURNALED}) WHERE run = ? ORDER BY ALL"
    from_journal = _counted(connection, journaled, run)
    return tuple(
        Job(
            mapping=name,
            counters=counted.get(name) or from_journal.get(name, {}),
            seconds=seconds.get(name, {}),
            complete=name in counted,
        )
        for name in dict.fromkeys((*counted, *from_journal))
    )


def totals(connection: duckdb.DuckDBPyConnection, run: int) -> dict[str, dict[str, int]]:
    """Return how many findings and writes there are of a run, by mapping."""
    found = {}
    for name, table in (("findings", "finding"), ("writes", "journal")):
        rows = connection.execute(
            f"SELECT mapping, count(*) FROM state.main.{table} WHERE run = ? GROUP BY ALL", [run]
        ).fetchall()
        found[name] = {str(mapping): int(n) for mapping, n in rows}
    return found


def findings(
    connection: duckdb.DuckDBPyConnection, run: int, *, limit: int | None = None
) -> tuple[Finding, ...]:
    """Return what a run found amiss or failed to write, in the order of its plan.

    At most ``limit`` a mapping; ``None``: all.
    """
    rows = connection.execute(
        f"""SELECT mapping, kind, left_key, right_key, label, field, reason, hint
        FROM state.main.finding WHERE run = $run {_few("action, kind")} ORDER BY action, kind""",
        {"run": run, "limit": limit},
    ).fetchall()
    names = tuple(Finding.__dataclass_fields__)
    return tuple(Finding(**dict(zip(names, row, strict=True))) for row in rows)


def writes(
    connection: duckdb.DuckDBPyConnection, run: int, *, limit: int | None = None
) -> Iterator[Written]:
    """Yield what a run wrote, and meant to write, in its order; at most ``limit`` a mapping."""
    query = connection.execute(
        f"""SELECT mapping, kind, side, entity, left_key, right_key, "key", fields, outcome,
            message, intended, settled
        FROM state.main.journal WHERE run = $run {_few(_WRITES_FIRST)} ORDER BY {_WRITES_FIRST}""",
        {"run": run, "limit": limit},
    )
    names = tuple(Written.__dataclass_fields__)
    while rows := query.fetchmany(_PAGE):
        for row in rows:
            told = dict(zip(names, row, strict=True))
            side, changes = told["side"], json.loads(told["fields"])
            told["fields"] = tuple(
                (change[side], change[f"{side}_value"], change["new"])
                for change in (changes if side else ())
            )
            yield Written(**told)


def requests(connection: duckdb.DuckDBPyConnection, run: int) -> dict[str, int]:
    """Return how many requests a run sent, by system."""
    rows = connection.execute(
        "SELECT system, n FROM state.main.request WHERE run = ? ORDER BY system", [run]
    ).fetchall()
    return {str(system): int(n) for system, n in rows}


def _few(order: str) -> str:
    return f"""QUALIFY $limit IS NULL
        OR row_number() OVER (PARTITION BY mapping ORDER BY {order}) <= $limit"""


def _counted(connection: duckdb.DuckDBPyConnection, query: str, run: int) -> dict[str, Any]:
    """Return rows of (mapping, what, value) as a mapping of mappings."""
    found: dict[str, dict[str, Any]] = {}
    for mapping, what, value in connection.execute(query, [run]).fetchall():
        found.setdefault(mapping, {})[what] = value
    return found
