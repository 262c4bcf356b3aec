"""Rows by their keys, the fast way: few of them by an index, many by a join."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import dialect

if TYPE_CHECKING:
    import duckdb

_MOST_LITERALS = 2_000
"""Keys that are looked up one by one, before the whole table is gone through."""


_ROWS_A_LOOKUP = 300
"""Rows that are gone through in the time of one look-up (40 columns of texts, compressed)."""


def among(
    connection: duckdb.DuckDBPyConnection, column: str, keys: str, *, rows: int | None = None
) -> str:
    """SQL that says whether a column holds one of some keys (a query of one column).

    Few keys stand in it as literals, which DuckDB looks up in an index of the column; a join would
    read every column of every row first (ten times as long at a million rows, measured). ``rows``
    is how many there are, where somebody knows.
    """
    most = _MOST_LITERALS if rows is None else min(_MOST_LITERALS, rows // _ROWS_A_LOOKUP)
    found = connection.execute(f"SELECT * FROM ({keys}) LIMIT {most + 1}").fetchall()
    if len(found) > most:
        return f"{column} IN ({keys})"
    listed = ", ".join(dialect.text(str(row[0])) for row in found)
    return f"{column} IN ({listed})" if found else "FALSE"
