"""Couplings by hand: listed, searched, made and forgotten in sets, all of a set or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from runner import dialect
from runner.state import couplings, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two records that belong together.

    ``label`` is what people know them by, as far as the base tells; ``None`` where it does not.
    ``synchronized``: both sides have agreed on something since they were coupled.
    """

    mapping: str
    left_key: str
    right_key: str
    label: str | None
    synchronized: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pair that somebody wants coupled; ``line`` is where it stands among others."""

    line: int
    mapping: str
    left_key: str
    right_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A wanted pair of which one record has another partner.

    That is ``held`` by the state, or wanted by an earlier line (``first``, else 0).
    """

    wanted: Wanted
    held: tuple[str, str]
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupled:
    """What came of wanted pairs: if any clashes, nothing was done."""

    made: int
    there: int
    clashes: tuple[Clash, ...]


def listed(
    connection: duckdb.DuckDBPyConnection,
    labels: Mapping[str, Sequence[str]],
    *,
    search: str = "",
    limit: int | None = None,
) -> tuple[dict[str, int], tuple[Pair, ...]]:
    """Return how many pairs there are by mapping, and the pairs in order of their left keys.

    ``labels`` hold by mapping the base columns that name a record, the first that is kept counts.
    ``search`` is a piece of a key or label, whatever its case. At most ``limit`` a mapping come.
    """
    whole = " UNION ALL ".join(_labelled(connection, name, told) for name, told in labels.items())
    found = f"""SELECT *, count(*) OVER (PARTITION BY mapping) AS total,
        row_number() OVER (PARTITION BY mapping ORDER BY left_key) AS number
    FROM ({whole})
    WHERE $search = '' OR contains(lower(concat_ws(chr(10), left_key, right_key, label)),
        lower($search))"""
    rows = connection.execute(
        f"""SELECT mapping, left_key, right_key, label, synchronized, total FROM ({found})
        WHERE $limit IS NULL OR number <= $limit ORDER BY list_position($order, mapping), number""",
        {"search": search, "limit": limit, "order": list(labels)},
    ).fetchall()
    pairs = tuple(
        Pair(mapping=m, left_key=left, right_key=right, label=label, synchronized=done)
        for m, left, right, label, done, _ in rows
    )
    return {m: total for m, *_, total in rows}, pairs


def couple(
    connection: duckdb.DuckDBPyConnection, wanted: Sequence[Wanted], *, dry_run: bool = False
) -> Coupled:
    """Couple all of the wanted pairs, or none if a record of one has another partner.

    What is coupled already counts as there. Saved plans become stale. ``dry_run`` only tells.
    """
    _register(connection, wanted)
    clashes = _clashes(connection)
    [(there,)] = connection.execute(
        """SELECT count(*) FROM wanted SEMI JOIN state.main.coupling
        USING (mapping, left_key, right_key)"""
    ).fetchall()
    fresh = """SELECT DISTINCT mapping, left_key, right_key FROM wanted
        ANTI JOIN state.main.coupling USING (mapping, left_key, right_key)"""
    [(made,)] = connection.execute(f"SELECT count(*) FROM ({fresh})").fetchall()
    if made and not clashes and not dry_run:
        connection.execute("BEGIN")
        runs.move_on(connection)
        connection.execute(
            f"INSERT INTO state.main.coupling (mapping, left_key, right_key, run) "
            f"SELECT *, 0 FROM ({fresh})"
        )
        connection.execute("COMMIT")
    connection.execute("DROP TABLE wanted")
    return Coupled(made=0 if clashes else made, there=there, clashes=clashes)


def uncouple(
    connection: duckdb.DuckDBPyConnection, mapping: str, pairs: Sequence[tuple[str, str]]
) -> None:
    """Forget pairs of left and right key, all at once. Saved plans become stale."""
    connection.execute("BEGIN")
    runs.move_on(connection)
    couplings.uncouple(connection, mapping, pairs)
    connection.execute("COMMIT")


def coupled(
    connection: duckdb.DuckDBPyConnection, mapping: str, keys: Sequence[str] | None
) -> tuple[tuple[str, str], ...]:
    """Return the pairs that have one of these keys, of either side; ``None``: all pairs."""
    rows = connection.execute(
        """SELECT left_key, right_key FROM state.main.coupling WHERE mapping = $mapping
        AND ($keys IS NULL OR list_contains($keys, left_key) OR list_contains($keys, right_key))
        ORDER BY ALL""",
        {"mapping": mapping, "keys": None if keys is None else list(keys)},
    ).fetchall()
    return tuple((str(left), str(right)) for left, right in rows)


def _labelled(connection: duckdb.DuckDBPyConnection, mapping: str, labels: Sequence[str]) -> str:
    """SQL of a mapping's pairs, with their label where the base keeps one."""
    kept = couplings.fitting(connection, mapping)
    columns = [dialect.name(name) for name in labels if name in kept]
    label = f"coalesce({', '.join(f'CAST(b.{c} AS VARCHAR)' for c in columns)})"
    base = f"LEFT JOIN state.base.{dialect.name(mapping)} b USING (left_key)" if columns else ""
    return f"""SELECT c.mapping, c.left_key, c.right_key,
    {label if columns else "CAST(NULL AS VARCHAR)"} AS label,
    c.left_hash IS NOT NULL AS synchronized
FROM state.main.coupling c {base} WHERE c.mapping = {dialect.text(mapping)}"""


def _register(connection: duckdb.DuckDBPyConnection, wanted: Sequence[Wanted]) -> None:
    rows = [(pair.line, pair.mapping, pair.left_key, pair.right_key) for pair in wanted]
    columns = list(zip(*rows, strict=True)) or [()] * 4
    table = pa.table(
        [pa.array(columns[0], pa.int64()), *(pa.array(c, pa.string()) for c in columns[1:])],
        names=["line", "mapping", "left_key", "right_key"],
    )
    connection.register("incoming", table)
    connection.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT * FROM incoming")
    connection.unregister("incoming")


def _clashes(connection: duckdb.DuckDBPyConnection) -> tuple[Clash, ...]:
    """Find the wanted pairs that cannot be, each with what stands in its way first."""
    parts = " UNION ALL ".join(
        f"""SELECT w.*, k.left_key AS held_left, k.right_key AS held_right, k.line AS first
        FROM wanted w JOIN known k ON k.mapping = w.mapping AND k.{one}_key = w.{one}_key
        WHERE k.line < w.line AND k.{other}_key <> w.{other}_key"""
        for one, other in (("left", "right"), ("right", "left"))
    )
    rows = connection.execute(
        f"""WITH known AS (
            SELECT 0 AS line, mapping, left_key, right_key FROM state.main.coupling
            UNION ALL FROM wanted)
        FROM ({parts})
        QUALIFY row_number() OVER (PARTITION BY line ORDER BY first, held_left, held_right) = 1
        ORDER BY line"""
    ).fetchall()
    return tuple(
        Clash(
            wanted=Wanted(line=line, mapping=mapping, left_key=left, right_key=right),
            held=(held_left, held_right),
            first=first,
        )
        for line, mapping, left, right, held_left, held_right, first in rows
    )
