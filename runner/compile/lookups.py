"""What a mapping looks into: the pairs of other mappings, and other entities of its systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import dialect
from runner.compile import values
from runner.compile.tables import KEY, Tables
from runner.model import Side
from runner.transform import found_in
from runner.wire import Type, WireQuery

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Iterator

    from runner.model import Lookup, Mapping
    from runner.wire import EntityType


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """An entity that values are looked up in: how it is read, and its table.

    ``key`` is the type of its keys.
    """

    system: str
    query: WireQuery
    columns: abc.Mapping[str, Type]
    key: Type
    table: str

    def statement(self, source: str) -> str:
        """Turn its raw rows into canonical texts."""
        columns = ", ".join(
            f"{values.as_text(values.canonical(dialect.name(n), k), k)} AS {dialect.name(n)}"
            for n, k in self.columns.items()
        )
        key = values.canonical(KEY, self.key)
        made = f"SELECT {key} AS {KEY}, {columns} FROM {source}"
        return f"CREATE OR REPLACE TABLE {self.table} AS {made}"


def sought(
    mapping: Mapping,
    others: abc.Mapping[str, Mapping],
    types: abc.Mapping[tuple[str, str], EntityType],
) -> tuple[Sought, ...]:
    """Name what a mapping looks into, each field of an entity once.

    That is what its transforms find, and the records of ``others`` that references do not name by
    their keys.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for step in (step for rule in mapping.fields for step in rule.finds):
        given = {name: str(value) for name, value in step.arguments}
        names = wanted.setdefault((given["system"], given["entity"]), [])
        names += [given["by"], given["take"]]
    for lookup in _lookups(mapping):
        for side, field in lookup.by.items():
            end = others[lookup.mapping].entity(side)
            wanted.setdefault((end.system, end.entity), []).append(field)
    return tuple(
        Sought(
            system=system,
            query=WireQuery(entity=entity, fields=tuple(dict.fromkeys(names))),
            columns={n: types[system, entity].fields[n].type for n in dict.fromkeys(names)},
            key=_key(types[system, entity]),
            table=found_in(system, entity),
        )
        for (system, entity), names in wanted.items()
    )


def links_of(mapping: Mapping, others: abc.Mapping[str, Mapping]) -> dict[Lookup, str]:
    """Return, for each lookup, SQL of what its references become: ``left_key``, ``right_key``."""
    return {lookup: _links(lookup, others[lookup.mapping]) for lookup in _lookups(mapping)}


def _links(lookup: Lookup, other: Mapping) -> str:
    """Put the field that references hold in the place of the key.

    A value that several records share names none of them.
    """
    links = Tables(lookup.mapping).links
    if not lookup.by:
        return links
    keys, joins, once = {side: f"k.{side.value}_key" for side in Side}, [], []
    for side, field in lookup.by.items():
        end = other.entity(side)
        row = f"f_{side.value}"
        joins.append(f"JOIN {found_in(end.system, end.entity)} {row} ON {row}.{KEY} = {keys[side]}")
        keys[side] = dialect.name(row, field)
        once.append(f"count(*) OVER (PARTITION BY {keys[side]}) = 1")
    chosen = ", ".join(f"{sql} AS {side.value}_key" for side, sql in keys.items())
    return f"(SELECT {chosen} FROM {links} k {' '.join(joins)} QUALIFY {' AND '.join(once)})"


def _lookups(mapping: Mapping) -> Iterator[Lookup]:
    for rule in mapping.fields:
        yield from rule.lookups


def _key(entity: EntityType) -> Type:
    known = entity.fields.get(entity.key)
    return known.type if known else Type.TEXT
