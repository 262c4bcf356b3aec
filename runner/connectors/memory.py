"""Systems that live in this process, for cases: they keep a connector's promises, and no more."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from runner.wire import (
    Capabilities,
    Drifted,
    EntityType,
    Page,
    Reference,
    Rejected,
    Type,
    WriteKind,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container, Mapping, Sequence

    from runner.wire import Outcome, Value, WireQuery, Write

Row = dict[str, "Value"]


class Memory:
    """A ``Connector`` and the system behind it, in one.

    ``rows`` holds records by entity and key. A field that was never given holds what ``blanks``
    says of its type (NAV knows no null), else nothing. Keys that it gives are those of
    ``new_key``, so that who reads the records can name them beforehand.
    """

    def __init__(
        self,
        types: Mapping[str, EntityType],
        *,
        client_keys: bool = False,
        blanks: Mapping[Type, Value] | None = None,
        page_size: int = 1000,
    ) -> None:
        self.types = types
        self.rows: dict[str, dict[str, Row]] = {}
        self._client_keys, self._blanks, self._page_size = client_keys, blanks or {}, page_size
        self._versions: dict[tuple[str, str], int] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Whether it takes keys that the client chose is what it was made with."""
        return Capabilities(client_keys=self._client_keys, concurrency=4)

    async def entities(self) -> Sequence[str]:
        """Name the types it was made with."""
        return list(self.types)

    async def count(self, entity: str) -> int | None:
        """Count the records."""
        return len(self.rows.get(entity, {}))

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Return the types it was made with."""
        return [self.types[name] for name in entities if name in self.types]

    def explain(self, query: WireQuery) -> str:
        """Say what is read."""
        return f"GET {query.entity}?$select={','.join(query.fields)}"

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield records in the order of their keys; ``since`` is not known here: all of them."""
        found = [
            (key, row)
            for key, row in sorted(self.rows.get(query.entity, {}).items())
            if all(row.get(name) == value for name, value in query.where)
            if not query.keys or key in query.keys
        ]
        for start in range(0, len(found), self._page_size):
            yield self._page(query.entity, query.fields, found[start : start + self._page_size])

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Do one after the other."""
        return [self.answer(write) for write in batch]

    async def close(self) -> None:
        """There is nothing to give back."""

    def put(self, entity: str, key: str, /, **values: Value) -> None:
        """Make or change a record by hand, as a user would."""
        self.rows.setdefault(entity, {}).setdefault(key, _keyed(self.types[entity], key))
        self.rows[entity][key].update(values)
        self._versions[entity, key] = self._versions.get((entity, key), 0) + 1

    def remove(self, entity: str, key: str) -> None:
        """Delete a record by hand; the key must be there."""
        del self.rows[entity][key]

    def held(self, entity: str, key: str, name: str) -> Value:
        """Return what a field of a record holds."""
        value = self.rows[entity][key].get(name)
        return self._blanks.get(self.types[entity].fields[name].type) if value is None else value

    def answer(self, write: Write) -> Outcome:
        """Do one write, or refuse it as a system does."""
        records = self.rows.setdefault(write.entity, {})
        key = write.key
        if write.kind is WriteKind.CREATE:
            key = new_key(self.types[write.entity], records) if key is None else key
            if key in records:
                return Rejected(code="dup", message=f"{key} exists", duplicate=True)
        elif key is None or key not in records:
            return Rejected(code="404", message=f"{key} does not exist", missing=True)
        elif write.etag is not None and write.etag != self._etag(write.entity, key):
            return Drifted(message="changed meanwhile")
        if write.kind is WriteKind.DELETE:
            del records[key]
            return Written(key=key)
        values = {n: v.key if isinstance(v, Reference) else v for n, v in write.values.items()}
        self.put(write.entity, key, **values)
        row = [(key, records[key])]
        return Written(key=key, page=self._page(write.entity, write.returning, row))

    def _etag(self, entity: str, key: str) -> str:
        return f'W/"{self._versions.get((entity, key), 0)}"'

    def _page(self, entity: str, names: Sequence[str], found: Sequence[tuple[str, Row]]) -> Page:
        fields = self.types[entity].fields
        return Page(
            keys=[key for key, _ in found],
            etags=[self._etag(entity, key) for key, _ in found],
            columns={
                name: [_raw(self.held(entity, key, name), fields[name].type) for key, _ in found]
                for name in names
            },
        )


def new_key(entity: EntityType, taken: Container[str]) -> str:
    """Return the first key of the series that is free: ``N00001``, ``N00002`` and so on.

    GUIDs end in the number, keys that are numbers are the number itself.
    """
    known = entity.fields.get(entity.key)
    pattern = {
        Type.GUID: "00000000-0000-0000-0000-{:012}",
        Type.INTEGER: "{}",
    }.get(known.type if known else Type.TEXT, "N{:05}")
    return next(key for n in count(1) if (key := pattern.format(n)) not in taken)


def _keyed(entity: EntityType, key: str) -> dict[str, Value]:
    """Make a record that holds its key, as a number where that is what it is."""
    known = entity.fields.get(entity.key)
    return {entity.key: int(key) if known and known.type is Type.INTEGER else key}


def _raw(value: Value, kind: Type) -> str | int | bool | None:
    match value:
        case None:
            return None
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case date() | Decimal():
            return str(value)
        case Reference():
            return value.key
        case bool() | int() if kind in (Type.INTEGER, Type.BOOLEAN):
            return value
        case _:
            return str(value)
