"""What several mappings read of one entity, read once: with the fields of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.compile import CompiledMapping
    from runner.model import Side
    from runner.wire import Type, WireQuery

End = tuple[str, "Side"]
"""One side of a mapping, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Raw rows of an entity and whose snapshots are made of them, in this order.

    ``raw`` is the table that the first of its ``readers`` fills, and that the last one drops.
    """

    query: WireQuery
    columns: Mapping[str, Type]
    raw: str
    readers: tuple[End, ...]


def shared(ends: Sequence[tuple[CompiledMapping, Side]]) -> dict[End, Source]:
    """Say what each side is made of: those that ask one system for the same rows share them."""
    alike: dict[WireQuery, list[tuple[CompiledMapping, Side]]] = {}
    for mapping, side in ends:
        rows = replace(mapping.reading(side).query, fields=())
        alike.setdefault(rows, []).append((mapping, side))
    return {
        reader: source
        for some in alike.values()
        for source in [_source(some)]
        for reader in source.readers
    }


def _source(ends: Sequence[tuple[CompiledMapping, Side]]) -> Source:
    readings = [mapping.reading(side) for mapping, side in ends]
    columns = {name: kind for reading in readings for name, kind in reading.columns.items()}
    first, side = ends[0]
    return Source(
        query=replace(readings[0].query, fields=tuple(columns)),
        columns=columns,
        raw=first.tables.raw(side),
        readers=tuple((mapping.name, side) for mapping, side in ends),
    )
