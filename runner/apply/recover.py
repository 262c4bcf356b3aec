"""Writes of a dead run: ask the system what came of them before anything else is sent.

An update or delete needs no question: the next compare reads both sides and sees what was done.
A create does, or it would be sent again.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from runner.apply.resolve import pending, typed
from runner.events import Recovered
from runner.model import Side
from runner.state import couplings, journal
from runner.wire import TELLING, WireQuery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector
    from runner.events import Tell
    from runner.state.journal import Intent
    from runner.wire import Value


async def recover(
    connection: duckdb.DuckDBPyConnection,
    mappings: Sequence[CompiledMapping],
    connectors: Mapping[str, Connector],
    tell: Tell,
) -> None:
    """Settle every intent that has no outcome; leave open only creates that cannot be decided.

    A create that is found becomes a coupling with a blank base: the next compare sees to its
    fields. One that nothing is known of, or that more records could be than there are creates of
    the very same values, stays undecided, and is reported by the plan.
    """
    by_name = {mapping.name: mapping for mapping in mappings}
    unfinished = journal.unfinished(connection)
    twins = Counter(_sent(intent) for intent in unfinished)
    for intent in unfinished:
        mapping = by_name.get(intent.mapping)
        if mapping is None or intent.kind != "create":
            journal.close(connection, intent, "compared", "left to the next compare")
            continue
        if _coupled(connection, intent):
            journal.close(
                connection, intent, "coupled", "its partner was coupled by hand meanwhile"
            )
            continue
        keys = await candidates(connection, mapping, connectors, intent)
        if keys is None or len(keys) > twins[_sent(intent)]:
            continue
        # Whichever of them it is, the others were sent the very same.
        twins[_sent(intent)] -= 1
        connection.execute("BEGIN")
        if keys:
            left, right = (
                (keys[0], intent.right_key) if intent.side == "left" else (intent.left_key, keys[0])
            )
            if left is not None and right is not None:
                couplings.adopt(connection, mapping.name, left, right, intent.run)
        outcome, key = ("found", keys[0]) if keys else ("not done", None)
        journal.close(connection, intent, outcome, "resolved by asking the system", key=key)
        connection.execute("COMMIT")
        tell(Recovered(mapping=mapping.name, key=_partner(intent), what=outcome))


def _coupled(connection: duckdb.DuckDBPyConnection, intent: Intent) -> bool:
    """Whether somebody has coupled the record that another was to be made for."""
    place = 1 if intent.side == "left" else 0
    pairs = couplings.find(connection, intent.mapping, _partner(intent))
    return any(pair[place] == _partner(intent) for pair in pairs)


async def candidates(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    connectors: Mapping[str, Connector],
    intent: Intent,
) -> list[str] | None:
    """Return the keys of uncoupled records that the create may have made.

    ``None``: nothing was sent that such a record could be known by.
    """
    side = Side(intent.side)
    entity = mapping.rule.entity(side)
    where = _identity(mapping, side, intent)
    if not where:
        return None
    query = WireQuery(entity=entity.entity, fields=(entity.key,), where=where)
    keys = [key async for page in connectors[entity.system].pages(query) for key in page.keys]
    canonical = mapping.canonical_key(side, "k")
    return couplings.uncoupled(connection, mapping.name, side, canonical, keys)


def _identity(
    mapping: CompiledMapping, side: Side, intent: Intent
) -> tuple[tuple[str, Value], ...]:
    """Say how the record is known: by its key if we chose it, else by all that was sent."""
    types = mapping.type(side).fields
    key = mapping.rule.entity(side).key
    if intent.key is not None and not pending(intent.key):
        return ((key, typed(intent.key, types[key].type)),)
    sent = {change[side.value]: change["new"] for change in json.loads(intent.fields)}
    return tuple(
        (name, typed(text, types[name].type))
        for name, text in sent.items()
        if text is not None and not pending(text) and types[name].type in TELLING
    )


def _sent(intent: Intent) -> str:
    """Tell a create by all that was sent: those that are told alike made records that are alike."""
    sent = {change[intent.side]: change["new"] for change in json.loads(intent.fields)}
    return json.dumps([intent.mapping, intent.side, intent.kind, intent.key, sent])


def _partner(intent: Intent) -> str:
    partner = intent.right_key if intent.side == "left" else intent.left_key
    return partner or intent.key or ""
