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

_MOST_BY_KEY = 2_000
"""Records that are asked for by their keys; of more, all keys are read instead."""


async def there(connector: Connector, end: Entity, typed: Sequence[str]) -> dict[str, str]:
    """Return the keys that records have, of those that were typed, as couplings keep them.

    Raises:
        SystemUnavailableError: the system could not be asked.

    """
    described = await connector.describe((end.entity,))
    if not described:
        return {}
    (entity,) = described
    possible = [key for key in dict.fromkeys(typed) if select.could_be_key(key, end.key, entity)]
    if not possible:
        return {}
    canonical = select.kept('"key"', end.key, entity)
    with duckdb.connect() as connection:
        kept = connection.execute(
            f'SELECT "key", {canonical} FROM (SELECT unnest($keys) AS "key")', {"keys": possible}
        ).fetchall()
        asked = tuple(dict.fromkeys(key for _, key in kept if key))
        few = asked if len(asked) <= _MOST_BY_KEY else ()
        query = WireQuery(entity=end.entity, fields=(end.key,), keys=few)
        read = [key async for page in connector.pages(query) for key in page.keys]
        rows = connection.execute(
            f'SELECT {canonical} FROM (SELECT unnest($keys) AS "key")', {"keys": read}
        ).fetchall()
    found = {key for (key,) in rows}
    return {key: canon for key, canon in kept if canon in found}
