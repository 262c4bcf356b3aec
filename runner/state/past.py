"""What the state remembers of past runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run: instants in ISO 8601, UTC; ``counters`` over all its mappings.

    ``ended`` and ``exit_code`` are ``None`` where it never came to its end.
    """

    run: int
    command: str
    started: str
    ended: str | None
    exit_code: int | None
    counters: Mapping[str, int]


def runs(store: Store, limit: int) -> tuple[PastRun, ...]:
    """Return the last runs, the newest first."""
    with duckdb.connect() as connection:
        store.attach(connection)
        rows = connection.execute(
            """WITH counted AS (
                SELECT run, counter, CAST(sum(n) AS BIGINT) AS n FROM state.main.job GROUP BY ALL
            ), summed AS (
                SELECT run, map_from_entries(list((counter, n))) AS counters
                FROM counted GROUP BY ALL
            )
            SELECT r.id, r.command, strftime(r.started, '%Y-%m-%d %H:%M:%S'),
                strftime(r.ended, '%Y-%m-%d %H:%M:%S'), r.exit_code, s.counters
            FROM state.main.run r LEFT JOIN summed s ON s.run = r.id
            ORDER BY r.id DESC LIMIT ?""",
            [limit],
        ).fetchall()
    names = tuple(PastRun.__dataclass_fields__)
    found = (dict(zip(names, row, strict=True)) for row in rows)
    return tuple(PastRun(**{**run, "counters": run["counters"] or {}}) for run in found)
