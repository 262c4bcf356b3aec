"""What came of the writes, taken into journal, couplings and base, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from runner import dialect
from runner.apply.remaining import REMAINING
from runner.compile import PENDING, Tables, as_text
from runner.extract import batch, canonical
from runner.model import Side
from runner.plan import Kind
from runner.state import couplings, journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.errors import SystemUnavailableError
    from runner.plan import Action
    from runner.wire import Page

_DONE = pa.schema(
    [(name, pa.string()) for name in ("left_key", "right_key", "planned_left", "planned_right")]
    + [("coupled", pa.bool_())]
    + [(name, pa.list_(pa.string())) for name in ("settled", "written_left", "written_right")]
)
_OUTCOMES = pa.schema(
    [
        ("action", pa.int64()),
        ("outcome", pa.string()),
        ("key", pa.string()),
        ("message", pa.string()),
        ("new_etag", pa.string()),
    ]
)
_WAITS = (
    f"(coalesce(starts_with(left_key, {dialect.text(PENDING)}), FALSE)"
    f" OR coalesce(starts_with(right_key, {dialect.text(PENDING)}), FALSE))"
)
"""Pairs of which one record is still to be found."""
_TEXTS = ("settled", "written_left", "written_right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What one action did: which pair, under which keys, and the record as it is now.

    ``outcome`` is ``written``, ``drifted``, ``rejected``, ``unknown``, ``unsent`` (surely not done:
    ``unsent`` says why, and that the run is over) or ``blocked`` (never sent, because a record it
    points to was not created). ``page`` is empty where none came back.
    """

    action: Action
    outcome: str
    message: str = ""
    hint: str = ""
    left_key: str = ""
    right_key: str = ""
    written: tuple[str, ...] = field(default_factory=tuple)
    page: Page | None = None
    unsent: SystemUnavailableError | None = None

    @property
    def done(self) -> bool:
        """Whether the system did it."""
        return self.outcome == "written"


def settle(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    run: int,
    outcomes: Sequence[Settled],
) -> None:
    """Record outcomes and advance couplings and base by those that were written."""
    connection.execute("BEGIN")
    journal.settle(connection, run, _outcomes(outcomes))
    gone = [(o.left_key, o.right_key) for o in outcomes if o.done and o.action.kind is Kind.DELETE]
    if gone:
        couplings.uncouple(connection, mapping.name, gone)
    done = [o for o in outcomes if o.done and o.action.kind is not Kind.DELETE]
    if done:
        for side in Side:
            _returned(connection, mapping, side, done)
            _keep_after(connection, mapping, side, run, done)
        # What is made without a partner is no pair.
        _fill_done(connection, mapping, [o for o in done if o.left_key and o.right_key])
        _advance(connection, mapping, run)
    connection.execute("COMMIT")


def settle_local(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, run: int) -> None:
    """Carry out what writes to no system: couple, uncouple, and let the base move.

    Pairs of which one record is still to be found (``find``) are left to that, and what an earlier
    run of the same plan did already stays as it is.
    """
    connection.execute("BEGIN")
    gone = connection.execute(
        f"SELECT left_key, right_key FROM {REMAINING} WHERE mapping = ? AND kind = 'uncouple'",
        [mapping.name],
    ).fetchall()
    if gone:
        couplings.uncouple(connection, mapping.name, [(left, right) for left, right in gone])
    for side in Side:
        _returned(connection, mapping, side, [])
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE done AS
        SELECT left_key, right_key, left_key AS planned_left, right_key AS planned_right,
            kind = 'couple' AS coupled, list_transform(fields, lambda f: f.id) AS settled,
            CAST([] AS VARCHAR[]) AS written_left, CAST([] AS VARCHAR[]) AS written_right
        FROM {REMAINING} WHERE mapping = ? AND kind IN ('couple', 'converge') AND NOT {_WAITS}""",
        [mapping.name],
    )
    _advance(connection, mapping, run)
    told = f"mapping = {dialect.text(mapping.name)} AND NOT {_WAITS}"
    journal.local(
        connection, run, f"FROM {REMAINING} WHERE {told} AND kind IN ('couple', 'uncouple')"
    )
    connection.execute("COMMIT")


def _advance(connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, run: int) -> None:
    after = f"plan.{Tables(mapping.name).after}"
    waiting = f"""SELECT u.left_key, u.right_key FROM {REMAINING} u
        ANTI JOIN (SELECT action FROM state.main.journal
                   WHERE run = {run} AND outcome = 'written') j ON j.action = u.id
        WHERE u.mapping = {dialect.text(mapping.name)} AND u.kind = 'update'"""
    couplings.advance(connection, mapping.name, mapping.base, after=after, waiting=waiting, run=run)


def _returned(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    side: Side,
    done: Sequence[Settled],
) -> None:
    pages = [o.page for o in done if o.page is not None and o.action.side == side]
    records(connection, mapping, side, pages, target=f"returned {side.value}")


def _keep_after(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    side: Side,
    run: int,
    done: Sequence[Settled],
) -> None:
    """Journal how the records were left, by which an undo knows whether they changed since."""
    columns = mapping.reading(side).columns
    names = ", ".join(dialect.text(name) for name in columns)
    texts = ", ".join(as_text(f"r.{dialect.name(name)}", kind) for name, kind in columns.items())
    connection.execute(
        f"""UPDATE state.main.journal SET "after" = CAST(to_json(MAP([{names}],
            CAST([{texts}] AS VARCHAR[]))) AS VARCHAR)
        FROM temp."returned {side.value}" r
        WHERE journal.run = ? AND journal.mapping = ? AND journal.side = ?
            AND list_contains(?, journal.action)
            AND {mapping.canonical_key(side, 'journal."key"')} = r."#key" """,
        [run, mapping.name, side.value, [o.action.id for o in done]],
    )


def records(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    side: Side,
    pages: Sequence[Page],
    *,
    target: str,
) -> None:
    """Make records that came back canonical, by the very SQL that made the snapshot.

    ``target`` is a temporary table: what this connection works with is no part of the state.
    """
    connection.register("incoming", batch(pages, mapping.reading(side).columns))
    connection.execute("CREATE OR REPLACE TEMP TABLE came AS SELECT * FROM incoming")
    connection.unregister("incoming")
    connection.execute(f"DROP TABLE IF EXISTS temp.{dialect.name(target)}")
    canonical(connection, mapping, side, "came", dialect.name(target), looks=False, temporary=True)


def _fill_done(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, done: Sequence[Settled]
) -> None:
    first = {side.value: mapping.settled_by_create(side) for side in Side}
    rows = [
        {
            "left_key": outcome.left_key,
            "right_key": outcome.right_key,
            "planned_left": outcome.action.left_key,
            "planned_right": outcome.action.right_key,
            "coupled": outcome.action.kind == "create",
            "settled": first[outcome.action.side] if outcome.action.kind == "create" else [],
            "written_left": outcome.written if outcome.action.side == "left" else [],
            "written_right": outcome.written if outcome.action.side == "right" else [],
        }
        for outcome in done
    ]
    connection.register("incoming", pa.Table.from_pylist(rows, schema=_DONE))
    keys = ", ".join(
        f"{mapping.canonical_key(side, f'{side.value}_key')} AS {side.value}_key" for side in Side
    )
    lists = ", ".join(f"flatten(list({name})) AS {name}" for name in _TEXTS)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE done AS
        SELECT left_key, right_key, any_value(planned_left) AS planned_left,
            any_value(planned_right) AS planned_right, bool_or(coupled) AS coupled, {lists}
        FROM (SELECT * REPLACE ({keys}) FROM incoming) GROUP BY left_key, right_key"""
    )
    connection.unregister("incoming")


def _outcomes(outcomes: Sequence[Settled]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "action": outcome.action.id,
                "outcome": outcome.outcome,
                "key": getattr(outcome, f"{outcome.action.side}_key") or None,
                "message": outcome.message or None,
                "new_etag": outcome.page.etags[0] if outcome.page and outcome.page.etags else None,
            }
            for outcome in outcomes
        ],
        schema=_OUTCOMES,
    )
