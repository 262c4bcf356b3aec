"""The records that mappings hold themselves (``ensure:``), read like those of any system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.wire import Capabilities, EntityType, FieldType, Greeting, Page, Rejected, Type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from runner.wire import Outcome, WireQuery, Write

KEY = "key"
"""The field that holds the name under which a record stands in its mapping."""

Literal = str | int | float | bool
Rows = dict[str, dict[str, Literal]]


class Records:
    """A ``Connector`` to records by mapping and name. Nothing is ever written to it."""

    def __init__(self, records: Mapping[str, Rows]) -> None:
        self._records = records

    @property
    def capabilities(self) -> Capabilities:
        """There is nothing to be created."""
        return Capabilities(client_keys=False, concurrency=1)

    async def greet(self) -> Greeting:
        """Say that these records are in mappings."""
        return Greeting(where="the mappings", who="their author")

    async def entities(self) -> Sequence[str]:
        """Name the mappings that hold records."""
        return list(self._records)

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Tell the types by the values: text, unless all are numbers, or yes and no."""
        return [_described(n, self._records[n]) for n in entities if n in self._records]

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield all records as one page."""
        rows = self._records[query.entity]
        types = _described(query.entity, rows).fields
        keys = [key for key in rows if not query.keys or key in query.keys]
        full = [{KEY: key, **rows[key]} for key in keys]
        yield Page(
            keys=keys,
            etags=[None] * len(keys),
            columns={
                name: [_raw(row.get(name), types[name].type) for row in full]
                for name in query.fields
            },
        )

    async def count(self, entity: str) -> int | None:
        """Count the records of a mapping."""
        return len(self._records[entity])

    def explain(self, query: WireQuery) -> str:
        """Say where they are."""
        return f"the records of mapping {query.entity}"

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Refuse: what stands in a mapping is changed by its author."""
        return [Rejected(code="", message="a mapping's own records are not written") for _ in batch]

    async def close(self) -> None:
        """Nothing is open."""


def _described(name: str, rows: Rows) -> EntityType:
    fields = dict.fromkeys((KEY, *(field for row in rows.values() for field in row)))
    return EntityType(
        name=name,
        key=KEY,
        label=KEY,
        fields={
            field: FieldType(
                name=field,
                type=_type([row[field] for row in rows.values() if field in row]),
                on_create=False,
                on_update=False,
            )
            for field in fields
        },
    )


def _type(values: list[Literal]) -> Type:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return Type.BOOLEAN
    if kinds == {int}:
        return Type.INTEGER
    return Type.DECIMAL if kinds and kinds <= {int, float} else Type.TEXT


def _raw(value: Literal | None, kind: Type) -> str | int | bool | None:
    if value is None or (kind in (Type.INTEGER, Type.BOOLEAN) and isinstance(value, int)):
        return value if isinstance(value, int) else None
    return str(value)
