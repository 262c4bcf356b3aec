"""What a mapping may not have meant, seen with the types of both systems: no fault, but a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.model import RECORDS, Side, TooLong
from runner.transform.convert import TEXTUAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.compile.fields import CompiledField
    from runner.compile.mapping import CompiledMapping


def advice(mapping: CompiledMapping) -> Iterator[Problem]:
    """Yield notes: targets too short for what may come, required fields that nothing fills."""
    for side in (s for s in Side if mapping.rule.entity(s.other).system != RECORDS):
        short = [told for field in mapping.fields if (told := _too_short(field, side))]
        if short:
            keeps, sends = (mapping.rule.entity(s).system for s in (side, side.other))
            what = f"{keeps} keeps less than {sends} may send: {', '.join(short)}"
            hint = "what is longer will be reported; `too_long: truncate` of a field cuts it"
            yield Problem(mapping.rule.at, what, hint)
    for side in (side for side in Side if side in mapping.rule.create):
        yield from _never_set(mapping, side)


def _too_short(field: CompiledField, side: Side) -> str:
    """Say how much of a text a target keeps; empty where it keeps all."""
    source, target, rule = field.end(side.other), field.end(side), field.rule
    if source is None or target is None or target.max_length is None:
        return ""
    made = field.made(side.other)
    if made is not None and made.looks:
        return ""
    changed = rule.lookups or rule.values or rule.to(side).steps
    cut = rule.too_long is TooLong.TRUNCATE
    if changed or cut or not rule.direction.to(side) or source.type not in TEXTUAL:
        return ""
    if source.max_length is not None and source.max_length <= target.max_length:
        return ""
    return f"{target.name} {target.max_length} of {source.max_length or 'any number'}"


def _never_set(mapping: CompiledMapping, side: Side) -> Iterator[Problem]:
    entity, rule = mapping.type(side), mapping.rule.entity(side)
    written = {
        piece.field.name
        for field in mapping.fields
        if field.rule.direction.to(side)
        for piece in field.pieces(side)
    }
    written |= {name for t in mapping.rule.templates.get(side, ()) for name, _ in t.values}
    for name, field in entity.fields.items():
        if field.required and field.on_create and name not in written and name != rule.key:
            what = f"{rule.system} wants a '{name}' of every new {rule.entity}, and nothing sets it"
            yield Problem(rule.at, what, "map it, or give it a value under `defaults:`")
