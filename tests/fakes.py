"""A system in memory that keeps the connector's promises: keys, ETags, refusals, lost answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from runner.errors import Location
from runner.model import System
from runner.wire import (
    Capabilities,
    Drifted,
    EntityType,
    FieldType,
    Outcome,
    Page,
    Reference,
    Rejected,
    Type,
    Unknown,
    Value,
    WireQuery,
    Write,
    WriteKind,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

HERE = Location("sync.yaml", 1, 1)
Row = dict[str, Value]


def fields(**kinds: Type | FieldType) -> dict[str, FieldType]:
    """Field types by name; a plain ``Type`` is enough where nothing limits the field."""
    return {
        name: kind if isinstance(kind, FieldType) else FieldType(name=name, type=kind)
        for name, kind in kinds.items()
    }


def system(name: str) -> System:
    return System(name=name, connector="fake", url=f"fake:{name}", at=HERE)


@dataclass(slots=True)
class Fake:
    """A connector and the system behind it, in one.

    ``rows`` holds records by entity and key. ``fails`` may answer a write in the system's stead;
    ``afterwards`` is called when it was done, ``lose`` loses its answer. ``written`` is the journal
    of all writes that were done or refused by the system itself.
    """

    types: Mapping[str, EntityType]
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    client_keys: bool = False
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    written: list[Write] = field(default_factory=list)
    fails: Callable[[Write], Outcome | None] = lambda _: None
    afterwards: Callable[[Write], None] = lambda _: None
    lose: bool = False
    page_size: int = 1000

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(client_keys=self.client_keys, concurrency=4)

    async def entities(self) -> Sequence[str]:
        return list(self.types)

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        return [self.types[name] for name in entities if name in self.types]

    def explain(self, query: WireQuery) -> str:
        return f"GET {query.entity}?$select={','.join(query.fields)}"

    async def count(self, entity: str) -> int | None:
        return len(self.rows.get(entity, {}))

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        found = [
            (key, row)
            for key, row in sorted(self.rows.get(query.entity, {}).items())
            if all(row.get(name) == value for name, value in query.where)
        ]
        for start in range(0, len(found), self.page_size):
            yield self._page(query.entity, query.fields, found[start : start + self.page_size])

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        return [self._write(write) for write in batch]

    async def close(self) -> None:
        return

    def put(self, entity: str, key: str, /, **values: Value) -> None:
        """Change a record by hand, as a user would."""
        self.rows.setdefault(entity, {}).setdefault(key, {self.types[entity].key: key})
        self.rows[entity][key].update(values)
        self.versions[entity, key] = self.versions.get((entity, key), 0) + 1

    def remove(self, entity: str, key: str) -> None:
        del self.rows[entity][key]

    def _write(self, write: Write) -> Outcome:
        refused = self.fails(write)
        if refused is not None:
            return refused
        self.written.append(write)
        records = self.rows.setdefault(write.entity, {})
        key = write.key
        if write.kind is WriteKind.CREATE:
            if key is None:
                key = next(k for n in count(1) if (k := f"N{n:05}") not in records)
            if key in records:
                return Rejected(code="dup", message=f"{key} exists", duplicate=True)
        elif key is None or key not in records:
            return Rejected(code="404", message=f"{key} does not exist", missing=True)
        elif write.etag is not None and write.etag != self._etag(write.entity, key):
            return Drifted(message="changed meanwhile")
        if write.kind is WriteKind.DELETE:
            del records[str(key)]
            return Written(key=str(key))
        values = {n: v.key if isinstance(v, Reference) else v for n, v in write.values.items()}
        self.put(write.entity, key, **values)
        self.afterwards(write)
        if self.lose:
            return Unknown(message="connection lost")
        return Written(
            key=key, page=self._page(write.entity, write.returning, [(key, records[key])])
        )

    def _etag(self, entity: str, key: str) -> str:
        return f'W/"{self.versions.get((entity, key), 0)}"'

    def _page(self, entity: str, names: Sequence[str], found: Sequence[tuple[str, Row]]) -> Page:
        return Page(
            keys=[key for key, _ in found],
            etags=[self._etag(entity, key) for key, _ in found],
            columns={
                name: [
                    _raw(row.get(name), self.types[entity].fields[name].type) for _, row in found
                ]
                for name in names
            },
        )


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
