"""The write-ahead record: what was about to be written, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A write that a dead run intended and perhaps sent. ``fields`` is the action's JSON.

    ``key`` is ``None`` where the system was to choose it, as is a partner's where there is none.
    """

    run: int
    action: int
    mapping: str
    kind: str
    side: str
    entity: str
    left_key: str | None
    right_key: str | None
    key: str | None
    fields: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the journal tells of one write: ``outcome`` is ``None`` where nobody knows it."""

    run: int
    kind: str
    side: str
    outcome: str | None
    message: str | None


def intend(connection: duckdb.DuckDBPyConnection, run: int, intents: pa.Table) -> None:
    """Record what is about to be sent, durably. ``intents`` has the columns of ``_COLUMNS``."""
    connection.register("intents", intents)
    connection.execute(
        f"""INSERT INTO state.main.journal (run, {_COLUMNS}, intended)
        SELECT ?, {_COLUMNS}, current_localtimestamp() FROM intents""",
        [run],
    )
    connection.unregister("intents")


def settle(connection: duckdb.DuckDBPyConnection, run: int, outcomes: pa.Table) -> None:
    """Record what came of it, in the caller's transaction.

    ``outcomes`` has the columns action, outcome, key (``None``: as intended), message, new_etag.
    Outcome ``unknown`` leaves the intent open: the next run asks the system.
    """
    connection.register("outcomes", outcomes)
    connection.execute(
        """UPDATE state.main.journal SET outcome = o.outcome, message = o.message,
            "key" = coalesce(o."key", journal."key"), new_etag = o.new_etag,
            settled = current_localtimestamp()
        FROM outcomes o
        WHERE journal.run = ? AND journal.action = o.action AND o.outcome <> 'unknown'""",
        [run],
    )
    connection.unregister("outcomes")


def unfinished(connection: duckdb.DuckDBPyConnection) -> tuple[Intent, ...]:
    """Return the intents whose outcome nobody recorded, oldest first."""
    return _intents(connection, "outcome IS NULL", [])


def in_doubt(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[int], mapping: str
) -> tuple[Intent, ...]:
    """Return the intents of a mapping, of these runs, of which nobody knows what came."""
    where = "list_contains(?, run) AND mapping = ? AND (outcome IS NULL OR outcome = 'compared')"
    return _intents(connection, where, [list(runs), mapping])


def _intents(
    connection: duckdb.DuckDBPyConnection, where: str, told: Sequence[object]
) -> tuple[Intent, ...]:
    rows = connection.execute(
        f"""SELECT run, action, mapping, kind, side, entity, left_key, right_key, "key", fields
        FROM state.main.journal WHERE {where} ORDER BY run, action""",
        list(told),
    ).fetchall()
    names = tuple(Intent.__dataclass_fields__)
    return tuple(Intent(**dict(zip(names, row, strict=True))) for row in rows)


def of_record(
    connection: duckdb.DuckDBPyConnection, mapping: str, left: str | None, right: str | None
) -> tuple[Entry, ...]:
    """Return what was last written of a record, the newest first."""
    rows = connection.execute(
        """SELECT run, kind, side, outcome, message FROM state.main.journal
        WHERE mapping = $mapping AND (left_key = $left OR right_key = $right)
        ORDER BY run DESC, action DESC LIMIT 5""",
        {"mapping": mapping, "left": left, "right": right},
    ).fetchall()
    names = tuple(Entry.__dataclass_fields__)
    return tuple(Entry(**dict(zip(names, row, strict=True))) for row in rows)


def moves(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[int], mapping: str
) -> tuple[tuple[str, str, str, str | None, str], ...]:
    """Return side, entity, key, ETag before and after of what these runs wrote, in that order."""
    rows = connection.execute(
        """SELECT side, entity, "key", etag, new_etag FROM state.main.journal
        WHERE list_contains(?, run) AND mapping = ? AND new_etag IS NOT NULL
        ORDER BY settled, action""",
        [list(runs), mapping],
    ).fetchall()
    return tuple((str(s), str(e), str(k), etag, str(new)) for s, e, k, etag, new in rows)


def close(
    connection: duckdb.DuckDBPyConnection,
    intent: Intent,
    outcome: str,
    message: str,
    *,
    key: str | None = None,
) -> None:
    """Record what was found out about an unfinished intent; ``key`` is the record that it made."""
    connection.execute(
        """UPDATE state.main.journal
        SET outcome = ?, message = ?, "key" = coalesce(?, "key"),
            settled = current_localtimestamp()
        WHERE run = ? AND action = ? AND (outcome IS NULL OR outcome = 'compared')""",
        [outcome, message, key, intent.run, intent.action],
    )


def local(connection: duckdb.DuckDBPyConnection, run: int, actions: str) -> None:
    """Record what no system is asked for: pairs coupled and uncoupled, in the caller's transaction.

    ``actions`` is SQL of rows of the action table.
    """
    connection.execute(
        f"""INSERT INTO state.main.journal
            (run, action, mapping, kind, side, entity, left_key, right_key, fields, intended,
             outcome, settled)
        SELECT ?, id, mapping, kind, '', '', left_key, right_key, '[]', current_localtimestamp(),
            'written', current_localtimestamp() FROM ({actions})""",
        [run],
    )


_COLUMNS = 'action, mapping, kind, side, entity, left_key, right_key, "key", etag, fields'
