"""The seal of a saved plan: a digest over all it holds, so that an edited one is refused.

Without a key the seal shows what was edited by hand or damaged; whoever edits a plan on purpose can
make the seal anew. With a key (``SYNC_RUN_PLAN_KEY``) only who knows it can.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from runner import dialect
from runner.errors import StalePlanError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

PLAIN, KEYED = "sha256", "hmac-sha256"
KEY = "SYNC_RUN_PLAN_KEY"
"""The environment variable that holds the key."""


def close(
    connection: duckdb.DuckDBPyConnection, catalogue: str, tables: Sequence[str], key: bytes
) -> None:
    """Write the seal over these tables of an attached file beside them; ``key`` empty: none."""
    kind = KEYED if key else PLAIN
    digest = _digest(connection, catalogue, tables, key)
    table = dialect.name(catalogue, "main", "seal")
    connection.execute(f"CREATE TABLE {table} (kind VARCHAR, digest VARCHAR)")
    connection.execute(f"INSERT INTO {table} VALUES (?, ?)", [kind, digest])


def check(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    catalogue: str,
    tables: Sequence[str],
    key: bytes,
) -> None:
    """Hold a plan against its seal.

    Raises:
        StalePlanError: it was changed after it was saved, holds what no plan holds, or was sealed
            with another key, or with none.

    """
    hint = "make a new plan with `sync-run plan`"
    # What is not a plain table may say something else each time it is asked.
    held = connection.execute(
        """SELECT table_name FROM duckdb_tables() WHERE database_name = $c
        UNION ALL SELECT '(view) ' || view_name FROM duckdb_views()
            WHERE database_name = $c AND NOT internal
        UNION ALL SELECT '(function) ' || function_name FROM duckdb_functions()
            WHERE database_name = $c AND NOT internal
        ORDER BY ALL""",
        {"c": catalogue},
    ).fetchall()
    if [row[0] for row in held] != sorted([*tables, "seal"]):
        raise StalePlanError(
            f"{path} was changed after it was saved: it holds other tables", hint=hint
        )
    [(kind, digest)] = connection.execute(
        f"SELECT kind, digest FROM {dialect.name(catalogue, 'main', 'seal')}"
    ).fetchall()
    if kind == KEYED and not key:
        raise StalePlanError(
            f"{path} was sealed with a key, and there is none here", hint=f"set {KEY}"
        )
    if key and kind != KEYED:
        raise StalePlanError(
            f"{path} was sealed without a key, and {KEY} asks for one",
            hint=f"set {KEY} where the plan is made, too",
        )
    if not hmac.compare_digest(str(digest), _digest(connection, catalogue, tables, key)):
        words = "was changed after it was saved" + (", or sealed with another key" if key else "")
        raise StalePlanError(f"{path} {words}: its seal does not fit", hint=hint)


def _digest(
    connection: duckdb.DuckDBPyConnection, catalogue: str, tables: Sequence[str], key: bytes
) -> str:
    """Digest names, types and rows of the tables; rows stand in the order of their digests."""
    total = hmac.new(key, digestmod=hashlib.sha256) if key else hashlib.sha256()
    for table in sorted(tables):
        name = dialect.name(catalogue, "main", table)
        columns = connection.execute(f"DESCRIBE {name}").fetchall()
        [(rows,)] = connection.execute(
            f"""SELECT coalesce(sha256(string_agg(row, '' ORDER BY row)), '')
            FROM (SELECT sha256(CAST(to_json(t) AS VARCHAR)) AS row FROM {name} t)"""
        ).fetchall()
        shape = [(str(column[0]), str(column[1])) for column in columns]
        total.update(repr((table, shape, rows)).encode())
    return total.hexdigest()
