"""What a run found amiss and what it failed to write, kept in the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from runner import dialect
from runner.compile import record, signature
from runner.events import RecordFailed
from runner.model import Side
from runner.plan import FINDINGS, Kind
from runner.state import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from runner.apply.write import Failure

_FAILURES = pa.schema(
    [("action", pa.int64())] + [(name, pa.string()) for name in ("outcome", "message", "hint")]
)
_PAGE = 2_000


def keep(
    connection: duckdb.DuckDBPyConnection,
    run: int,
    failures: Sequence[Failure],
    *,
    stopped: bool,
    lasting: bool,
) -> None:
    """Keep the findings of the plan (attached as ``plan``) and the failures of the run.

    ``stopped``: the run did not come to its end. ``lasting``: they are open until a run finds them
    no more; what stands against undoing a run is not.
    """
    rows = [
        {"action": f.action.id, "outcome": f.outcome, "message": f.message, "hint": f.hint}
        for f in failures
    ]
    connection.register("failures", pa.Table.from_pylist(rows, schema=_FAILURES))
    connection.execute(_found())
    connection.unregister("failures")
    errors.keep(connection, run, stopped=stopped, lasting=lasting)


def told(connection: duckdb.DuckDBPyConnection) -> Iterator[RecordFailed]:
    """Yield what failed of what ``keep`` kept, in the order of the plan."""
    names = tuple(RecordFailed.__dataclass_fields__)
    query = connection.execute(f"SELECT {', '.join(names)} FROM failed ORDER BY action, kind")
    while page := query.fetchmany(_PAGE):
        yield from (RecordFailed(**dict(zip(names, row, strict=True))) for row in page)


def repeated(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str, int, int], ...]:
    """Count the records that failed: mapping, kind, runs in a row, how many."""
    rows = connection.execute(
        "SELECT mapping, kind, attempts, count(*) FROM failing GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return tuple((str(m), str(kind), int(attempts), int(n)) for m, kind, attempts, n in rows)


def _found() -> str:
    """SQL of one row a finding or failed write, under the keys of the records that there are.

    ``found`` has all; drift is told and no failure, and so not among the ``failed``.
    """
    keys = ", ".join(
        f"CASE WHEN a.{s.value}_key IS NOT NULL "
        f"AND ({record('a', s, created='made.side')}) IS NULL "
        f'THEN "has {s.value}".{s.value}_key ELSE a.{s.value}_key END AS {s.value}_key'
        for s in Side
    )
    kinds = [str(kind) for kind in FINDINGS]
    coupled = " ".join(
        f"""LEFT JOIN state.main.coupling "has {s.value}" ON "has {s.value}".mapping = a.mapping
    AND "has {s.value}".{s.other.value}_key = a.{s.other.value}_key"""
        for s in Side
    )
    return f"""CREATE OR REPLACE TEMP TABLE found AS
WITH told AS (
    SELECT "id" AS action, kind, reason, hint FROM plan."action" WHERE list_contains({kinds}, kind)
    UNION ALL SELECT action, outcome, message, hint FROM failures
), made AS (SELECT mapping, left_key, right_key, side FROM plan."action" WHERE kind = 'create')
SELECT told.action, a.mapping, told.kind, {keys}, a.label,
    CASE WHEN told.kind = a.kind THEN nullif(array_to_string(list_transform(a.fields,
        lambda f: concat_ws(' / ', nullif(f."left", ''), nullif(f."right", ''))), ', '), '') END
        AS field,
    coalesce(told.reason, '') AS reason, nullif(told.hint, '') AS hint,
    {signature("a")} AS signature
FROM told JOIN plan."action" a ON a."id" = told.action
LEFT JOIN made ON made.mapping = a.mapping
    AND made.left_key IS NOT DISTINCT FROM a.left_key
    AND made.right_key IS NOT DISTINCT FROM a.right_key
{coupled};
CREATE OR REPLACE TEMP VIEW failed AS FROM found WHERE kind <> {dialect.text(Kind.DRIFT)}"""
