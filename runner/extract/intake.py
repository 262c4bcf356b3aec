"""What was read of one side, taken into the mirror: all of it, or in the place of what it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from runner import dialect
from runner.compile import incremental
from runner.compile.tables import KEY
from runner.extract import mirror
from runner.extract.canonical import canonical
from runner.extract.pages import empty, keep_last
from runner.state.keys import among

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.model import Side

_GONE = pa.schema([("key", pa.string()), ("after", pa.int64())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The tables of the run file that what is read of one side goes through.

    ``raw`` holds rows as they came, ``gone`` keys of deleted records (``after``: how many rows had
    come by then), ``came`` canonical rows.
    """

    mapping: CompiledMapping
    side: Side
    connection: duckdb.DuckDBPyConnection

    @property
    def raw(self) -> str:
        """Rows as they came."""
        return self.mapping.tables.raw(self.side)

    @property
    def gone(self) -> str:
        """Keys of deleted records."""
        return self.named("gone")

    @property
    def came(self) -> str:
        """Canonical rows of what may have changed."""
        return self.named("came")

    def key(self, sql: str) -> str:
        """SQL of a key as it is kept."""
        return self.mapping.canonical_key(self.side, sql)

    def named(self, suffix: str) -> str:
        """Name a table that no other side has."""
        return dialect.name(f"{self.mapping.name}.{self.side.value}.{suffix}")

    def begin(self) -> None:
        """Make the tables that what is read goes into."""
        empty(self.connection, self.raw, self.mapping.reading(self.side).columns)
        self.connection.execute(
            f'CREATE OR REPLACE TABLE {self.gone} ("key" VARCHAR, "after" BIGINT)'
        )

    def delete(self, keys: Sequence[str], *, after: int) -> None:
        """Note that records are gone, after so many rows came."""
        told = pa.table({"key": list(keys), "after": [after] * len(keys)}, schema=_GONE)
        self.connection.register("deleted", told)
        self.connection.execute(f"INSERT INTO {self.gone} SELECT * FROM deleted")
        self.connection.unregister("deleted")

    def settle(self) -> None:
        """Keep of each record what was told last: it was written, or it was deleted."""
        self.connection.execute(
            f"""DELETE FROM {self.raw} r USING {self.gone} g
            WHERE {self.key(f"r.{KEY}")} = {self.key('g."key"')} AND r.rowid < g."after" """
        )
        keep_last(self.connection, self.raw)

    def canonical(self, target: str) -> None:
        """Make canonical rows of the raw ones, which are gone then."""
        self.connection.execute(f"DROP TABLE IF EXISTS {target}")
        canonical(self.connection, self.mapping, self.side, self.raw, target)
        self.connection.execute(f"DROP TABLE {self.raw}")

    def replace(self, known: mirror.Known | None, told: mirror.Known) -> None:
        """Let a table that was made take the place of whatever was kept; all is judged anew."""
        mirror.indexed(self.connection, told.table)
        self.connection.execute("BEGIN")
        mirror.put(self.connection, self.mapping.name, self.side, told)
        mirror.unjudged(self.connection, self.mapping.name)
        if known is not None:
            self.connection.execute(f"DROP TABLE IF EXISTS {known.relation}")
        self.connection.execute("COMMIT")
        self.connection.execute(f"DROP TABLE {self.gone}")

    def merge(self, told: mirror.Known) -> None:
        """Put what changed in the place of what it was, and remember its keys.

        What came without being another than it was is not written again: moments of change that
        overlap bring it every time.
        """
        fresh = self.named("fresh")
        same = among(self.connection, KEY, f"SELECT {KEY} FROM {self.came}")
        self.connection.execute(
            f"""CREATE OR REPLACE TABLE {fresh} AS
            SELECT * FROM {self.came} EXCEPT SELECT * FROM {told.relation} WHERE {same}"""
        )
        changed = among(self.connection, KEY, f"SELECT {KEY} FROM {fresh}")
        deleted = self.key('"key"')
        keys = f"SELECT {deleted} FROM {self.gone}"
        gone = among(self.connection, KEY, f"{keys} EXCEPT SELECT {KEY} FROM {self.came}")
        self.connection.execute("BEGIN")
        if incremental.can_be_partial(self.mapping):
            self.connection.execute(
                f"""INSERT INTO mirror.main.pending SELECT ?, ?, {KEY} FROM (
                SELECT {KEY} FROM {fresh} UNION SELECT {KEY} FROM {told.relation} WHERE {gone})""",
                [self.mapping.name, self.side.value],
            )
        else:
            mirror.unjudged(self.connection, self.mapping.name)
        self.connection.execute(f"DELETE FROM {told.relation} WHERE {gone} OR {changed}")
        self.connection.execute(f"INSERT INTO {told.relation} SELECT * FROM {fresh}")
        mirror.put(self.connection, self.mapping.name, self.side, told)
        self.connection.execute("COMMIT")
        for table in (self.came, fresh, self.gone):
            self.connection.execute(f"DROP TABLE {table}")
