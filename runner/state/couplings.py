"""Couplings and their base: which records belong together, and what both sides last agreed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from runner.model import BaseColumn, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb


def fitting(connection: duckdb.DuckDBPyConnection, mapping: str) -> dict[str, str]:
    """Return the base columns that the state keeps of a mapping, each with its fingerprint."""
    rows = connection.execute(
        "SELECT name, fingerprint FROM state.main.base_column WHERE mapping = ?", [mapping]
    ).fetchall()
    return dict(rows)


def ensure_base(
    connection: duckdb.DuckDBPyConnection, mapping: str, columns: Sequence[BaseColumn]
) -> None:
    """Make the mapping's base table have exactly these columns, all at once or not at all.

    A column that is new, or whose field mapping means something else now, starts out blank, and
    no pair counts as unchanged until it is settled anew.
    """
    kept = fitting(connection, mapping)
    wanted = {column.name: column for column in columns}
    table, index = f"state.base.{_name(mapping)}", _name(f"{mapping} by left key")
    by_key = f"CREATE INDEX IF NOT EXISTS {index} ON {table} (left_key)"
    if kept == {column.name: column.fingerprint for column in columns}:
        connection.execute(by_key)
        return
    stale = [
        name
        for name, fingerprint in kept.items()
        if name not in wanted or wanted[name].fingerprint != fingerprint
    ]
    fresh = [column for column in columns if kept.get(column.name) != column.fingerprint]
    connection.execute("BEGIN")
    if _has_base(connection, mapping):
        # A table is not altered while an index is on it.
        connection.execute(f"DROP INDEX IF EXISTS state.base.{index}")
        for name in stale:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {_name(name)}")
        for column in fresh:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {_name(column.name)} {column.type}")
    else:
        told = (f", {_name(column.name)} {column.type}" for column in columns)
        keys = "left_key VARCHAR NOT NULL, right_key VARCHAR NOT NULL"
        connection.execute(f"CREATE TABLE {table} ({keys}{''.join(told)})")
    connection.execute("DELETE FROM state.main.base_column WHERE mapping = ?", [mapping])
    connection.execute(
        "INSERT INTO state.main.base_column SELECT ?, unnest(?), unnest(?)",
        [mapping, [c.name for c in columns], [c.fingerprint for c in columns]],
    )
    connection.execute(
        "UPDATE state.main.coupling SET left_hash = NULL, right_hash = NULL WHERE mapping = ?",
        [mapping],
    )
    connection.execute(by_key)
    connection.execute("COMMIT")


def advance(
    connection: duckdb.DuckDBPyConnection,
    mapping: str,
    columns: Sequence[BaseColumn],
    *,
    after: str,
    run: int,
    waiting: str = "SELECT NULL AS left_key, NULL AS right_key WHERE FALSE",
) -> None:
    """Take what was done into couplings and base, in the caller's transaction.

    Reads the temporary tables that ``apply.settle`` fills:

    - ``done``: one row a pair (``left_key``, ``right_key``, the keys that the plan had for them
      ``planned_left``, ``planned_right``, whether it is ``coupled`` now for the first time, and
      the fields that were settled without writing, written to the left, and to the right);
    - ``returned left``, ``returned right``: records as the systems now hold them.

    ``after`` is the plan's table of what both sides hold once everything is done. A written field
    takes what the system made of it, so that its own spelling is no change the next time.
    ``waiting`` selects the pairs, by the plan's keys, that something is still to be written to.
    They get no hash: they are compared again even if neither side changes, as it is with constants.
    """
    # A system that gives a key anew has lost the record that had it: so has the pair.
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE lost AS SELECT c.left_key, c.right_key
        FROM state.main.coupling c JOIN done d
            ON d.coupled AND (d.left_key = c.left_key OR d.right_key = c.right_key)
        WHERE c.mapping = ?""",
        [mapping],
    )
    _forget(connection, mapping, "lost")
    connection.execute(
        """INSERT INTO state.main.coupling (mapping, left_key, right_key, run)
        SELECT ?, left_key, right_key, ? FROM done WHERE coupled""",
        [mapping, run],
    )
    values = ",\n        ".join(f"{_settled(c)} AS {_name(c.name)}" for c in columns)
    base = f"state.base.{_name(mapping)}"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE merged AS
        SELECT d.left_key, d.right_key, w.left_key IS NULL AS "#whole",
        {values}
        FROM done d
        LEFT JOIN (SELECT DISTINCT left_key, right_key FROM ({waiting})) w
            ON w.left_key = d.planned_left AND w.right_key = d.planned_right
        LEFT JOIN {after} a ON a.left_key = d.planned_left AND a.right_key = d.planned_right
        LEFT JOIN {base} b ON b.left_key = d.left_key
        LEFT JOIN temp."returned left" ret_left ON ret_left."#key" = d.left_key
        LEFT JOIN temp."returned right" ret_right ON ret_right."#key" = d.right_key
        SEMI JOIN (SELECT left_key, right_key FROM state.main.coupling WHERE mapping = ?) c
            ON c.left_key = d.left_key AND c.right_key = d.right_key""",
        [mapping],
    )
    connection.execute(f"DELETE FROM {base} WHERE left_key IN (SELECT left_key FROM merged)")
    connection.execute(f"""INSERT INTO {base} BY NAME SELECT * EXCLUDE "#whole" FROM merged""")
    hashes = ", ".join(
        f"""{side.value}_hash = CASE WHEN m."#whole" THEN hash({_hashed(columns, side)}) END"""
        for side in Side
    )
    connection.execute(
        f"UPDATE state.main.coupling SET {hashes} FROM merged m "
        "WHERE coupling.mapping = ? AND coupling.left_key = m.left_key",
        [mapping],
    )


def digest(connection: duckdb.DuckDBPyConnection, mapping: str) -> str:
    """Say in which state a mapping's couplings are: it changes whenever one of them does.

    Runs move the serial; what is coupled or uncoupled by hand moves the number of pairs, or of
    those that were never synchronized.
    """
    [row] = connection.execute(
        """SELECT (SELECT max("value") FROM state.main.meta WHERE "key" = 'id'),
            (SELECT max("value") FROM state.main.meta WHERE "key" = 'serial'),
            (SELECT concat_ws(' ', count(*), bit_xor(hash(left_hash, right_hash)))
             FROM state.main.coupling WHERE mapping = $mapping),
            (SELECT concat_ws(' ', count(*), bit_xor(hash(left_key, right_key)))
             FROM state.main.coupling WHERE mapping = $mapping AND left_hash IS NULL)""",
        {"mapping": mapping},
    ).fetchall()
    return " / ".join(str(part) for part in row)


def find(
    connection: duckdb.DuckDBPyConnection, mapping: str, key: str
) -> tuple[tuple[str, str], ...]:
    """Return the pairs, left key first, that a key of either side belongs to."""
    rows = connection.execute(
        """SELECT left_key, right_key FROM state.main.coupling
        WHERE mapping = $mapping AND (left_key = $key OR right_key = $key) ORDER BY ALL""",
        {"mapping": mapping, "key": key},
    ).fetchall()
    return tuple((str(left), str(right)) for left, right in rows)


def uncouple(
    connection: duckdb.DuckDBPyConnection, mapping: str, pairs: Sequence[tuple[str, str]]
) -> None:
    """Forget pairs of left and right key; the records stay as they are."""
    told = [{"left_key": left, "right_key": right} for left, right in pairs]
    connection.register("gone", pa.Table.from_pylist(told, schema=_PAIRS))
    _forget(connection, mapping, "gone")
    connection.unregister("gone")


def _has_base(connection: duckdb.DuckDBPyConnection, mapping: str) -> bool:
    return bool(
        connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = 'state' AND schema_name = 'base' "
            "AND table_name = ?",
            [mapping],
        ).fetchall()
    )


def _forget(connection: duckdb.DuckDBPyConnection, mapping: str, pairs: str) -> None:
    chosen = f"(left_key, right_key) IN (SELECT left_key, right_key FROM {pairs})"
    if _has_base(connection, mapping):
        connection.execute(f"DELETE FROM state.base.{_name(mapping)} WHERE {chosen}")
    connection.execute(f"DELETE FROM state.main.coupling WHERE mapping = ? AND {chosen}", [mapping])


def uncoupled(
    connection: duckdb.DuckDBPyConnection,
    mapping: str,
    side: Side,
    canonical: str,
    keys: Sequence[str],
) -> list[str]:
    """Return those of the keys that no pair has; ``canonical`` is SQL of a key ``k`` as kept."""
    rows = connection.execute(
        f"""SELECT {canonical} AS "key" FROM (SELECT unnest(?) AS k)
        EXCEPT SELECT {side.value}_key FROM state.main.coupling WHERE mapping = ?
        ORDER BY ALL""",
        [list(keys), mapping],
    ).fetchall()
    return [str(row[0]) for row in rows]


def adopt(
    connection: duckdb.DuckDBPyConnection, mapping: str, left_key: str, right_key: str, run: int
) -> None:
    """Couple two records that were never synchronized: their base is blank."""
    connection.execute(
        "INSERT INTO state.main.coupling (mapping, left_key, right_key, run) VALUES (?, ?, ?, ?)",
        [mapping, left_key, right_key, run],
    )


_PAIRS = pa.schema([("left_key", pa.string()), ("right_key", pa.string())])
_ZEROS = {"BIGINT": "0", "DECIMAL(28,10)": "0", "BOOLEAN": "FALSE"}


def _settled(column: BaseColumn) -> str:
    name, side = _name(column.name), column.side
    field = _text(column.field)
    held = f"a.{name}"
    if column.source:
        returned = f"ret_{side.value}"
        made = f"{returned}.{_name(column.source)}"
        # A system without nulls answers a blank number with 0: that is its blank, and no change.
        zero = (
            f" WHEN a.{name} IS NULL AND {made} = {_ZEROS[column.type]} THEN {made}"
            if column.type in _ZEROS
            else ""
        )
        held = f"""CASE WHEN list_contains(d.written_{side.value}, {field})
            AND {returned}."#key" IS NOT NULL THEN {made}{zero} ELSE a.{name} END"""
    anywhere = " OR ".join(
        f"list_contains(d.{fields}, {field})"
        for fields in ("settled", "written_left", "written_right")
    )
    return f"CASE WHEN {anywhere} THEN {held} ELSE b.{name} END"


def _hashed(columns: Sequence[BaseColumn], side: Side) -> str:
    names = [f"m.{_name(c.name)}" for c in columns if c.side is side and c.source]
    return ", ".join(names) or _text(side.value)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
