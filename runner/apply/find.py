"""Records that came of another mapping: made by it, or by the system along with one of its.

Nothing is written to a system here; a pair is coupled with a blank base, and the next compare sees
to its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import dialect
from runner.apply.resolve import typed
from runner.model import Side
from runner.state import couplings, journal
from runner.wire import WireQuery

if TYPE_CHECKING:
    import duckdb

    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector
    from runner.plan import Action
    from runner.wire import Value


async def find(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    connector: Connector,
    action: Action,
    run: int,
) -> str:
    """Couple the one record that a match finds; return why there is none, empty where there is."""
    side = awaited(mapping)
    assert side is not None, "only what comes with another record is awaited"
    entity, counts = mapping.rule.entity(side), []
    for where in _criteria(mapping, side, action):
        query = WireQuery(entity=entity.entity, fields=(entity.key,), where=where)
        keys = [key async for page in connector.pages(query) for key in page.keys]
        free = couplings.uncoupled(
            connection, mapping.name, side, mapping.canonical_key(side, "k"), keys
        )
        if len(free) == 1:
            left, right = (
                (free[0], action.right_key) if side is Side.LEFT else (action.left_key, free[0])
            )
            assert left is not None
            assert right is not None
            _adopt(connection, mapping, action, (left, right), run)
            return ""
        counts.append(len(free))
    many = max(counts, default=0)
    found = f"{many} {entity.entity} match" if many else f"no {entity.entity} matches"
    return f"{found}, and one should have come with {entity.comes_with}"


def follow(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, action: Action, run: int
) -> None:
    """Couple what another mapping has coupled meanwhile; the action's keys are resolved."""
    assert action.left_key is not None
    assert action.right_key is not None
    _adopt(connection, mapping, action, (action.left_key, action.right_key), run)


def _adopt(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    action: Action,
    pair: tuple[str, str],
    run: int,
) -> None:
    connection.execute("BEGIN")
    couplings.adopt(connection, mapping.name, *pair, run)
    left, right = (dialect.text(key) for key in pair)
    told = f"{action.id} AS id, mapping, kind, {left} AS left_key, {right} AS right_key"
    journal.local(connection, run, f'SELECT {told} FROM plan."action" WHERE "id" = {action.id}')
    connection.execute("COMMIT")


def awaited(mapping: CompiledMapping) -> Side | None:
    """Return the side whose records come with others; ``None`` where neither does."""
    return next((side for side in Side if mapping.rule.entity(side).comes_with), None)


def _criteria(
    mapping: CompiledMapping, side: Side, action: Action
) -> list[tuple[tuple[str, Value], ...]]:
    """Say by what the record is known: what the mapping would write to the fields matched."""
    types = mapping.type(side).fields
    sent = {(c.left if side is Side.LEFT else c.right): c.new for c in action.fields}
    found = []
    for criterion in mapping.rule.match:
        names = [pair.left if side is Side.LEFT else pair.right for pair in criterion]
        if all(sent.get(name) is not None for name in names):
            found.append(tuple((name, typed(sent[name], types[name].type)) for name in names))
    return found
