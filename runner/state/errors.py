"""Open errors of records: since when, over what, how often; and records that are set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import duckdb

_SAME = """e.mapping = f.mapping AND e.left_key IS NOT DISTINCT FROM f.left_key
    AND e.right_key IS NOT DISTINCT FROM f.right_key"""
_BY_HAND = """EXISTS (SELECT 1 FROM state.main.skipped s WHERE s.mapping = e.mapping
                AND (s."key" = e.left_key OR s."key" = e.right_key))"""
_CHOSEN = """mapping = $mapping AND ($key = '' OR left_key = $key OR right_key = $key)"""
_SHARED = "mapping, kind, left_key, right_key, label, field, reason, hint, signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenError:
    """A record that fails. A key is ``None`` where no record is; instants are UTC.

    ``kind`` is that of the plan (``conflict``, ``error``) or what became of a write (``rejected``,
    …), or ``skipped`` for a record that does not fail: a person set it aside, ``by_hand``.
    ``attempts`` counts the runs in a row that failed in this way.
    """

    mapping: str
    left_key: str | None
    right_key: str | None
    kind: str
    label: str | None
    field: str | None
    reason: str | None
    hint: str | None
    attempts: int
    first_run: int | None
    first_seen: datetime
    last_run: int | None
    last_seen: datetime
    by_hand: bool


def keep(connection: duckdb.DuckDBPyConnection, run: int, *, stopped: bool, lasting: bool) -> None:
    """Keep what a run found amiss, in one transaction; what it finds no more is closed.

    Reads what ``apply.findings`` made: the temporary table ``found``, one row a finding or failed
    write, and ``failed``, those that are failures; and of the plan ``action`` and ``cleared``.
    ``stopped``: the run did not come to its end, and what it did not get to is not closed.
    ``lasting``: errors are opened and closed.
    """
    connection.execute("BEGIN")
    connection.execute(
        f"""INSERT INTO state.main.finding BY NAME
        SELECT ? AS run, action, {_SHARED} FROM found""",
        [run],
    )
    if lasting:
        _keep_open(connection, run, stopped=stopped)
    connection.execute("COMMIT")


def _keep_open(connection: duckdb.DuckDBPyConnection, run: int, *, stopped: bool) -> None:
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE failing AS
        SELECT f.*,
            CASE WHEN e.signature = f.signature AND e.reason IS NOT DISTINCT FROM f.reason
                THEN e.attempts ELSE 0 END + 1 AS attempts,
            CASE WHEN e.reason IS NOT DISTINCT FROM f.reason THEN e.first_run END AS first_run,
            CASE WHEN e.reason IS NOT DISTINCT FROM f.reason THEN e.first_seen END AS first_seen
        FROM (SELECT * FROM failed QUALIFY row_number() OVER (
            PARTITION BY mapping, left_key, right_key ORDER BY action) = 1) f
        LEFT JOIN state.main.open_error e ON {_SAME}"""
    )
    connection.execute(f"DELETE FROM state.main.open_error e USING failing f WHERE {_SAME}")
    connection.execute(
        f"""INSERT INTO state.main.open_error BY NAME
        SELECT {_SHARED}, attempts, coalesce(first_run, $run) AS first_run,
            coalesce(first_seen, current_localtimestamp()) AS first_seen,
            $run AS last_run, current_localtimestamp() AS last_seen FROM failing""",
        {"run": run},
    )
    connection.execute(
        f"""UPDATE state.main.open_error e SET last_run = ?, last_seen = current_localtimestamp()
        FROM plan."action" f WHERE f.kind = 'skip' AND {_SAME}""",
        [run],
    )
    begun = """SELECT 1 FROM plan."action" a WHERE a.mapping = f.mapping
        AND (a.left_key = f.left_key OR a.right_key = f.right_key)"""
    connection.execute(
        f"""DELETE FROM state.main.open_error e USING plan.cleared f
        WHERE {_SAME} AND e.last_run <> ? AND NOT (? AND EXISTS ({begun}))""",
        [run, stopped],
    )


def find(
    connection: duckdb.DuckDBPyConnection, mapping: str = "", key: str = ""
) -> tuple[OpenError, ...]:
    """Return what is open, the mapping's or all, of a record of either side or all of them."""
    rows = connection.execute(
        f"""SELECT e.mapping, e.left_key, e.right_key, e.kind, e.label, e.field, e.reason, e.hint,
            e.attempts, e.first_run, e.first_seen, e.last_run, e.last_seen,
            {_BY_HAND} AS by_hand
        FROM state.main.open_error e
        UNION ALL
        SELECT s.mapping, coalesce(c.left_key, s."key"), c.right_key, 'skipped', NULL, NULL,
            'set aside by hand', NULL, 0, NULL, s.since, NULL, s.since, TRUE
        FROM state.main.skipped s LEFT JOIN state.main.coupling c
            ON c.mapping = s.mapping AND (c.left_key = s."key" OR c.right_key = s."key")
        WHERE NOT EXISTS (SELECT 1 FROM state.main.open_error e WHERE e.mapping = s.mapping
            AND (s."key" = e.left_key OR s."key" = e.right_key))
        ORDER BY ALL"""
    ).fetchall()
    names = tuple(OpenError.__dataclass_fields__)
    found = (OpenError(**dict(zip(names, row, strict=True))) for row in rows)
    return tuple(
        error
        for error in found
        if mapping in ("", error.mapping) and key in ("", error.left_key, error.right_key)
    )


def mappings(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Name the mappings in which errors are open, or records set aside."""
    rows = connection.execute(
        "SELECT mapping FROM state.main.open_error UNION SELECT mapping FROM state.main.skipped"
    ).fetchall()
    return frozenset(str(mapping) for (mapping,) in rows)


def counted(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str, int, bool, int], ...]:
    """Count what is open: mapping, kind, attempts, whether a person set it aside, how many."""
    rows = connection.execute(
        f"SELECT mapping, kind, attempts, {_BY_HAND}, count(*) "
        "FROM state.main.open_error e GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return tuple((str(m), str(kind), int(a), bool(hand), int(n)) for m, kind, a, hand, n in rows)


def forget_others(connection: duckdb.DuckDBPyConnection, mappings: Sequence[str]) -> None:
    """Close what is open of mappings that are no more: no run will ever look at it."""
    connection.execute(
        "DELETE FROM state.main.open_error WHERE NOT list_contains(?, mapping)", [list(mappings)]
    )


def take_up(connection: duckdb.DuckDBPyConnection, mapping: str, key: str = "") -> int:
    """Let the next run try again, as if nothing had failed before; return how many records.

    A record that a person set aside is taken up only by its own key.
    """
    [(found,)] = connection.execute(
        f"""SELECT count(*) FROM state.main.open_error WHERE {_CHOSEN}""",
        {"mapping": mapping, "key": key},
    ).fetchall()
    connection.execute(
        f"UPDATE state.main.open_error SET attempts = 0 WHERE {_CHOSEN}",
        {"mapping": mapping, "key": key},
    )
    return int(found) + (unskip(connection, mapping, key) if key else 0)


def skip(connection: duckdb.DuckDBPyConnection, mapping: str, key: str) -> None:
    """Set a record aside, by the key of either side, until a person takes it up again."""
    connection.execute(
        """INSERT INTO state.main.skipped VALUES (?, ?, current_localtimestamp())
        ON CONFLICT DO NOTHING""",
        [mapping, key],
    )


def unskip(connection: duckdb.DuckDBPyConnection, mapping: str, key: str) -> int:
    """Take up again a record that a person set aside, by the key of either side."""
    return len(
        connection.execute(
            """DELETE FROM state.main.skipped s WHERE s.mapping = $mapping AND (s."key" = $key
                OR s."key" IN (SELECT unnest([left_key, right_key]) FROM state.main.coupling
                    WHERE mapping = $mapping AND (left_key = $key OR right_key = $key)))
            RETURNING 1""",
            {"mapping": mapping, "key": key},
        ).fetchall()
    )
