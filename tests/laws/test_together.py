"""The law of writes to tables: done together, they come to what they come to one by one."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.connectors.tables import catalogue, writer
from runner.connectors.tables.cells import Rules, quoted
from runner.connectors.tables.storage import Opened
from runner.dialect import SETTINGS
from runner.wire import Outcome, Write, WriteKind, Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOW = datetime(2018, 7, 1, tzinfo=UTC)
TABLES = {
    "plain": "id VARCHAR, name VARCHAR, amount DECIMAL(18,2), seen TIMESTAMP",
    "strict": """id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, amount DECIMAL(18,2) UNIQUE
        CHECK (amount < 90), seen TIMESTAMP""",
    "numbered": "id INTEGER PRIMARY KEY, name VARCHAR DEFAULT 'x', amount DOUBLE, seen DATE",
    "guids": "id UUID, name VARCHAR, amount DECIMAL(9,1), seen TIMESTAMPTZ",
    "hiding": "id VARCHAR, name VARCHAR, amount DECIMAL(9,1), seen TIMESTAMPTZ, RowId INTEGER",
}
KEYS = {
    "plain": [*"abcdef", "A", " a", "é"],
    "strict": list("abcdefgh"),
    "numbered": ["1", "2", "3", "04", "4", "-5", "6", "x"],
    "hiding": list("abcdefgh"),
    "guids": [f"00000000-0000-4000-8000-00000000000{n}" for n in "1234567"]
    + ["{00000000-0000-4000-8000-00000000000A}", "no guid"],
}
VALUES = {
    "name": st.sampled_from(["Ann", "", "O'Brien", None]),
    "amount": st.sampled_from([Decimal(1), Decimal("2.50"), Decimal(95), None]),
}


@st.composite
def batches(draw: st.DrawFn) -> tuple[str, list[str], list[tuple[Any, ...]]]:
    """A kind of table, the keys that it begins with, and writes as (kind, key, values, ETag)."""
    kind = draw(st.sampled_from(sorted(TABLES)))
    keys = st.sampled_from(KEYS[kind])
    begins = draw(st.lists(keys.filter(lambda k: k not in ("x", "no guid")), max_size=6))
    write = st.tuples(
        st.sampled_from([WriteKind.CREATE, WriteKind.CREATE, WriteKind.UPDATE, WriteKind.DELETE]),
        keys,
        st.fixed_dictionaries({}, optional=VALUES),
        st.sampled_from(["as it is", "old", None]),
    )
    alike = st.tuples(write, st.lists(keys, min_size=4, max_size=9)).map(
        lambda told: [(told[0][0], key, *told[0][2:]) for key in told[1]]
    )
    runs = draw(st.lists(st.one_of(write.map(lambda one: [one]), alike), min_size=1, max_size=3))
    return kind, begins, [one for run in runs for one in run]


@contextmanager
def table(kind: str, begins: Sequence[str]) -> Iterator[Opened]:
    with duckdb.connect() as connection:
        connection.execute(f"{SETTINGS}; CREATE TABLE t ({TABLES[kind]})")
        for n, key in enumerate(begins):
            try:
                connection.execute(
                    "INSERT INTO t BY NAME SELECT ? AS id, 'old' AS name, ? AS amount",
                    [key, n + 10],
                )
            except duckdb.ConstraintException:
                continue
        columns, every = catalogue.columns(connection, "main", "t")
        rules = Rules(keys={"t": "id"}, modified="seen")
        yield Opened(connection, catalogue.table("t", quoted("main", "t"), columns, every, rules))


def done(
    kind: str, begins: Sequence[str], told: Sequence[tuple[Any, ...]], *, together: bool
) -> tuple[list[object], list[Any]]:
    """What came of each write, and what is in the table afterwards, in its order."""
    with table(kind, begins) as opened:
        etags = dict(
            opened.connection.execute(
                f"SELECT {opened.table.key.key}, {opened.table.etag} FROM t"
            ).fetchall()
        )
        batch = [
            Write(
                kind=what,
                entity="t",
                key=key,
                etag=etags.get(key) if etag == "as it is" else etag,
                values={} if what is WriteKind.DELETE else values,
                returning=("id", "name", "amount"),
            )
            for what, key, values, etag in told
        ]
        parts = [batch] if together else [[write] for write in batch]
        outcomes = [one for part in parts for one in writer.carried_out(opened, part, NOW)]
        rows = opened.connection.execute("SELECT CAST(t AS VARCHAR) FROM t").fetchall()
        return [said(one) for one in outcomes], rows


def said(outcome: Outcome) -> object:
    if not isinstance(outcome, Written):
        return outcome
    page = outcome.page
    columns = page and {name: list(column) for name, column in page.columns.items()}
    return outcome.key, page and (list(page.keys), list(page.etags)), columns


@given(told=batches())
def test_together_or_one_by_one_is_the_same(
    told: tuple[str, list[str], list[tuple[Any, ...]]],
) -> None:
    assert done(*told, together=True) == done(*told, together=False)


@pytest.mark.parametrize("kind", [WriteKind.CREATE, WriteKind.UPDATE, WriteKind.DELETE])
def test_many_take_few_statements(kind: WriteKind) -> None:
    begins = [] if kind is WriteKind.CREATE else [f"k{n}" for n in range(50)]
    asked: list[tuple[Any, ...]] = []
    with table("plain", begins) as opened:

        def execute(*words: Any) -> duckdb.DuckDBPyConnection:
            asked.append(words)
            return opened.connection.execute(*words)

        counting = SimpleNamespace(
            execute=execute,
            register=opened.connection.register,
            unregister=opened.connection.unregister,
        )
        batch = [Write(kind=kind, entity="t", key=f"k{n}", values={"name": "n"}) for n in range(50)]
        outcomes = writer.carried_out(Opened(counting, opened.table), batch, NOW)  # type: ignore[arg-type]
    assert [type(one) for one in outcomes] == [Written] * 50
    assert len(asked) <= 5
