"""A plan that an earlier run began and did not end: what it wrote is found out, and not done again.

What the journal knows to be written is done. Of a write without outcome the system itself is asked:
a record that is not there was not created, or was deleted; one that holds all that was to be
written was written. The rest is sent again, under the ETag that the plan saw, so that nobody's edit
is overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import dialect
from runner.apply import remaining
from runner.apply.recover import candidates
from runner.apply.remaining import REMAINING
from runner.apply.resolve import given, pendings_of, with_keys
from runner.apply.settle import records, settle
from runner.compile import as_text
from runner.model import Side
from runner.plan import Kind, read
from runner.state import couplings, journal
from runner.wire import Page, WireQuery, Written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from runner.apply.write import Writer
    from runner.plan import Action
    from runner.state.journal import Intent


def take_up(
    connection: duckdb.DuckDBPyConnection, writers: Sequence[Writer], earlier: Sequence[int]
) -> None:
    """Begin with what earlier runs of the plan left: what is done, and the ETags they moved."""
    remaining.begin(connection, earlier)
    if not earlier:
        return
    before = remaining.coupled(connection)
    for writer in writers:
        writer.progress.not_coupled[writer.mapping.name] += before.get(writer.mapping.name, 0)
        for side, entity, key, etag, new_etag in journal.moves(
            connection, earlier, writer.mapping.name
        ):
            writer.moved(Side(side), entity, key, etag, new_etag)


async def resolve_doubts(writer: Writer, earlier: Sequence[int]) -> None:
    """Settle the writes of earlier runs that nobody knows the outcome of, by asking the systems.

    A create that several records could be stays open, and is not sent again.
    """
    mapping, connection = writer.mapping, writer.connection
    doubts = {i.action: i for i in journal.in_doubt(connection, earlier, mapping.name)}
    if not doubts:
        return
    couplings.ensure_base(connection, mapping.name, mapping.base)
    planned = {
        action.id: action
        for action in read(connection, REMAINING, mapping.name, tuple(Kind))
        if action.id in doubts
    }
    for side in Side:
        of_side = [doubts[n] for n, action in planned.items() if action.side == side]
        keys = {intent.action: await _key(writer, intent) for intent in of_side}
        wanted = sorted({key for key in keys.values() if key})
        held = await _held(writer, side, wanted)
        for intent in of_side:
            key = keys[intent.action]
            if key is None:
                remaining.finish(connection, intent.action, mapping.name, intent.kind)
                continue
            _decide(writer, intent, planned[intent.action], key, held.get(key))


def _decide(
    writer: Writer,
    intent: Intent,
    planned: Action,
    key: str,
    now: tuple[Page, Mapping[str, str | None]] | None,
) -> None:
    connection, mapping, side = writer.connection, writer.mapping, Side(planned.side)
    resolved = with_keys(planned, given(connection, pendings_of(planned)))
    done = resolved is not None and (
        now is None if planned.kind is Kind.DELETE else now is not None and _holds(resolved, now[1])
    )
    if resolved is not None and done:
        answer = Written(key=key, page=now[0] if now else None)
        outcome = writer.settled(planned, resolved, writer.as_write(resolved), answer)
        settle(connection, mapping, intent.run, [outcome])
        writer.count(outcome)
    elif planned.kind is Kind.CREATE and now is not None:
        # It is there, and is not quite what was sent: the next compare sees to its fields.
        left, right = (key, intent.right_key) if side is Side.LEFT else (intent.left_key, key)
        connection.execute("BEGIN")
        if left is not None and right is not None:
            couplings.adopt(connection, mapping.name, left, right, intent.run)
        journal.close(connection, intent, "found", "resolved by asking the system", key=key)
        connection.execute("COMMIT")
    else:
        journal.close(connection, intent, "not done", "resolved by asking the system")
        return
    remaining.finish(connection, intent.action, mapping.name, intent.kind)


async def _key(writer: Writer, intent: Intent) -> str | None:
    """Name the record that was to be written: ``""`` where there is none yet.

    ``None`` where it cannot be told which of several it is.
    """
    if intent.kind != Kind.CREATE:
        return intent.key or ""
    found = await candidates(writer.connection, writer.mapping, writer.connectors, intent)
    if found is None or len(found) > 1:
        return None
    return found[0] if found else ""


async def _held(
    writer: Writer, side: Side, keys: Sequence[str]
) -> dict[str, tuple[Page, dict[str, str | None]]]:
    """Read records by their keys, as they came and as texts by field; what is gone is left out."""
    if not keys:
        return {}
    mapping, connection = writer.mapping, writer.connection
    reading = mapping.reading(side)
    query = WireQuery(entity=reading.query.entity, fields=reading.query.fields, keys=tuple(keys))
    connector = writer.connectors[mapping.rule.entity(side).system]
    pages = [
        Page(
            keys=[key],
            etags=[page.etags[n]],
            columns={name: [values[n]] for name, values in page.columns.items()},
        )
        async for page in connector.pages(query)
        for n, key in enumerate(page.keys)
    ]
    records(connection, mapping, side, pages, target="held")
    texts = ", ".join(as_text(dialect.name(name), kind) for name, kind in reading.columns.items())
    found: dict[str, tuple[Page, dict[str, str | None]]] = {}
    for page in pages:
        [row] = connection.execute(
            f"""SELECT "#key", {texts} FROM temp.held
            WHERE "#key" = (SELECT {mapping.canonical_key(side, "k")} FROM (SELECT ? AS k))""",
            [page.keys[0]],
        ).fetchall()
        values = dict(zip(reading.columns, row[1:], strict=True))
        found[page.keys[0]] = found[row[0]] = (page, values)
    connection.execute("DROP TABLE temp.held")
    return found


def _holds(action: Action, now: Mapping[str, str | None]) -> bool:
    """Whether a record holds all that an action was to write."""
    written = {(c.left if action.side == "left" else c.right): c.new for c in action.fields}
    return all(name in now and now[name] == new for name, new in written.items())
