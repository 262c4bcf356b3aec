"""What an incremental run needs to know of a mapping: how each side tells what changed. Pure."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from runner import dialect
from runner.compile.tables import COUPLING, KEY
from runner.model import Side

if TYPE_CHECKING:
    from runner.compile.mapping import CompiledMapping


class Way(StrEnum):
    """How a side is brought up to date."""

    DELTA = "delta"
    """Its system keeps track of what changes, deletions included."""
    SINCE = "since"
    """A field tells when a record changed; what was deleted, only a look at all keys tells."""
    WHOLE = "whole"
    """Nothing tells what changed: everything is read every time."""


INERT = ("filtered left", "filtered right", "filtered")
"""How records stand that nothing follows from, until they or their partners change."""


def way(mapping: CompiledMapping, side: Side) -> Way:
    """Say how a side of a mapping is brought up to date."""
    reading, entity = mapping.reading(side), mapping.type(side)
    if reading.found:
        # What is found in another entity moves with that one, and nothing of the record tells.
        return Way.WHOLE
    if entity.tracked:
        return Way.DELTA
    return Way.SINCE if entity.modified in entity.fields else Way.WHOLE


def reason(mapping: CompiledMapping, side: Side) -> str:
    """Say in words why that way."""
    entity = mapping.type(side)
    match way(mapping, side):
        case Way.DELTA:
            return f"what changed, and what was deleted, by the system's tracking of {entity.name}"
        case Way.SINCE:
            return f"what changed by {entity.modified}; what was deleted by a look at all keys"
        case Way.WHOLE if mapping.reading(side).found:
            return "all records: some of their values are found in other entities"
        case Way.WHOLE:
            return f"all records: nothing tells when a {entity.name} changed"


def watched(mapping: CompiledMapping) -> CompiledMapping:
    """Return the mapping as a mirror reads it: with the moment of change where that is needed.

    What a system tracks it cannot filter at the same time, so there everything is kept.
    """
    readings = dict(mapping.readings)
    for side in Side:
        query = readings[side].query
        match way(mapping, side):
            case Way.DELTA:
                query = replace(query, filter="")
            case Way.SINCE:
                stamp = mapping.type(side).modified
                query = replace(query, fields=tuple(dict.fromkeys((*query.fields, stamp))))
            case Way.WHOLE:
                pass
        readings[side] = replace(readings[side], query=query)
    return replace(mapping, readings=readings)


def can_be_partial(mapping: CompiledMapping) -> bool:
    """Whether what changed is enough to decide: no side is read whole, or judged as a whole."""
    return not any(way(mapping, side) is Way.WHOLE or as_a_whole(mapping, side) for side in Side)


def as_a_whole(mapping: CompiledMapping, side: Side) -> bool:
    """Whether deciding about one record needs all of that side: groups, and numbers taken."""
    end = mapping.rule.entity(side)
    return end.picky or bool(end.new_key)


def touched(mapping: CompiledMapping, side: Side) -> str:
    """SQL of the keys whose standing may be another than it was, partners not included."""
    name = dialect.text(mapping.name)
    inert = ", ".join(dialect.text(status) for status in INERT)
    return f"""SELECT "key" FROM mirror.main.pending
WHERE mapping = {name} AND side = {dialect.text(side.value)}
UNION SELECT {side.value}_key FROM mirror.main."open"
WHERE mapping = {name} AND status NOT IN ({inert}) AND {side.value}_key IS NOT NULL"""


def touched_pairs(mapping: CompiledMapping) -> str:
    """SQL of the couplings of what was touched (tables ``touched left``, ``touched right``)."""
    of_mapping = f"c.mapping = {dialect.text(mapping.name)}"
    return " UNION ".join(
        f'SELECT c.* FROM {COUPLING} c SEMI JOIN "touched {side.value}" t '
        f'ON t."key" = c.{side.value}_key WHERE {of_mapping}'
        for side in Side
    )


def standing(mapping: CompiledMapping, side: Side) -> str:
    """SQL of the keys of a side that the statements behind the status read rows of."""
    inert = ", ".join(dialect.text(status) for status in INERT)
    key = f"{side.value}_key"
    return f"""SELECT {key} AS {KEY} FROM {mapping.tables.status}
WHERE status NOT IN ({inert}) AND {key} IS NOT NULL"""
