"""Which records there are, asked by their keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from runner.compile import select
from runner.wire import WireQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.connectors.protocol import Connector
    from runner.model import Entity
    from runner.wire import EntityType

_MOST_BY_KEY = 2_000
"""Records that are asked for by their keys; of more, all keys are read instead."""


async def there(connector: Connector, end: Entity, typed: Sequence[str]) -> dict[str, str]:
    """Return the keys that records have, of those that were typed, as couplings keep them.

    Raises:
        SystemUnavailableError: the system could not be asked.

    """
    entity = await _described(connector, end)
    kept = _kept(entity, end, typed)
    if entity is None or not kept:
        return {}
    asked = tuple(dict.fromkeys(kept.values()))
    few = asked if len(asked) <= _MOST_BY_KEY else ()
    query = WireQuery(entity=end.entity, fields=(end.key,), keys=few)
    read = [key async for page in connector.pages(query) for key in page.keys]
    found = set(_kept(entity, end, read).values())
    return {key: canonical for key, canonical in kept.items() if canonical in found}


async def spelled(connector: Connector, end: Entity, typed: Sequence[str]) -> dict[str, str]:
    """Return how couplings keep keys, as far as they have the form of one; no record is asked for.

    Raises:
        SystemUnavailableError: the system could not be asked what its keys are.

    """
    return _kept(await _described(connector, end), end, typed)


async def _described(connector: Connector, end: Entity) -> EntityType | None:
    return next(iter(await connector.describe((end.entity,))), None)


def _kept(entity: EntityType | None, end: Entity, typed: Sequence[str]) -> dict[str, str]:
    """Return keys as they were typed and as couplings keep them; without what cannot be one."""
    if entity is None:
        return {}
    possible = [key for key in dict.fromkeys(typed) if select.could_be_key(key, end.key, entity)]
    canonical = select.kept('"key"', end.key, entity)
    with duckdb.connect() as connection:
        rows = connection.execute(
            f'SELECT "key", {canonical} FROM (SELECT unnest($keys) AS "key")', {"keys": possible}
        ).fetchall()
    return {key: kept for key, kept in rows if kept}
