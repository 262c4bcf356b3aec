"""DuckDB's own description of its tables, as columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runner.connectors.problems import UnreadableError
from runner.connectors.tables.cells import Column, Rules, Table
from runner.errors import nearest
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

_TYPES: Mapping[str, Type] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), Type.INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), Type.INTEGER),
    **dict.fromkeys(("DECIMAL", "DOUBLE", "FLOAT"), Type.DECIMAL),
    **dict.fromkeys(("VARCHAR", "ENUM"), Type.TEXT),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), Type.INSTANT),
    "TIMESTAMP WITH TIME ZONE": Type.INSTANT,
    "UUID": Type.GUID,
    "DATE": Type.DATE,
    "BOOLEAN": Type.BOOLEAN,
}
_REFERRING = frozenset({Type.INTEGER, Type.GUID})
_MOMENTS = frozenset({Type.DATE, Type.INSTANT})


def places(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str]]:
    """Return schema and name of each table; those outside the main schema are called by both."""
    rows = connection.execute(
        """SELECT CASE schema_name WHEN 'main' THEN '' ELSE schema_name || '.' END || table_name,
            schema_name, table_name
        FROM duckdb_tables() WHERE database_name = current_database() AND NOT internal
        ORDER BY ALL"""
    ).fetchall()
    return {called: (schema, name) for called, schema, name in rows}


def columns(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str
) -> tuple[list[Column], list[str]]:
    """Return the columns whose type we know, and the names of all."""
    referring = _constrained(connection, schema, table, "FOREIGN KEY")
    rows = connection.execute(
        """SELECT column_name, data_type, numeric_scale, is_nullable, column_default IS NOT NULL,
            is_generated
        FROM duckdb_columns() WHERE database_name = current_database()
            AND schema_name = ? AND table_name = ? ORDER BY column_index""",
        [schema, table],
    ).fetchall()
    found = []
    for name, storage, scale, nullable, filled, generated in rows:
        kind = None if storage.endswith("]") else _TYPES.get(storage.split("(")[0])
        if kind is None:
            continue
        refers = kind in _REFERRING and [name] in referring
        column = Column(
            name=name,
            # A text that refers stays text: as a reference its upper case would be lost.
            type=Type.REFERENCE if refers else kind,
            storage=storage,
            scale=scale if storage.startswith("DECIMAL") else None,
            nullable=nullable,
            filled=filled,
            computed=generated,
        )
        found.append(column)
    return found, [row[0] for row in rows]


def primary_key(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> str:
    """Name the column that is the primary key; empty where none is, or several are."""
    found = _constrained(connection, schema, table, "PRIMARY KEY")
    return found[0][0] if found and len(found[0]) == 1 else ""


def table(
    name: str,
    source: str,
    found: Sequence[Column],
    every: Sequence[str],
    rules: Rules,
    key: str = "",
) -> Table:
    """Put a table together as the project wants it seen. ``key`` is its own, empty for none.

    Raises:
        UnreadableError: it does not fit what the project says, or has no key.

    """
    known = {column.name: column for column in found}
    for column, kind in rules.types.get(name, {}).items():
        if column not in known:
            hint = nearest(column, known)
            raise UnreadableError(f"`types:` names '{column}', which {name} does not have; {hint}")
        known[column] = replace(known[column], type=kind)
    told = rules.keys.get(name, "")
    # A key that a mapping misspells is told by the compiler, with its place in the file.
    key = told if told in known else key or next(iter(known), "")
    if key not in known:
        raise UnreadableError(f"{name} has no column that can be its key")
    if known[key].type is Type.DECIMAL:
        known[key] = replace(known[key], type=Type.INTEGER)  # a key is no measure: 1 is not 1.0
    modified = rules.modified if rules.modified in known else ""
    if modified and known[modified].type not in _MOMENTS:
        raise UnreadableError(
            f"'{modified}' of {name} is {known[modified].type} and does not tell when a row "
            f"changed; declare it: `types: {{{name}: {{{modified}: instant}}}}`"
        )
    return Table(
        name=name,
        source=source,
        key=known[key],
        columns=known,
        every=tuple(every),
        modified=modified,
    )


def _constrained(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str, kind: str
) -> list[list[str]]:
    rows = connection.execute(
        """SELECT constraint_column_names FROM duckdb_constraints()
        WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
            AND constraint_type = ?""",
        [schema, table, kind],
    ).fetchall()
    return [names for (names,) in rows]
