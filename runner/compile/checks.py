"""What a mapping says, held against the types of both systems: everything that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import dialect, expression
from runner.compile import match
from runner.compile.ends import unknown_field
from runner.compile.fields import unfit
from runner.compile.snapshot import asks_when
from runner.errors import Problem, nearest
from runner.model import Side
from runner.wire import Type

if TYPE_CHECKING:
    from collections import abc

    from runner.compile.fields import CompiledField
    from runner.model import Mapping, Text
    from runner.wire import EntityType


def missing_entities(
    mapping: Mapping, types: abc.Mapping[tuple[str, str], EntityType]
) -> abc.Iterator[Problem]:
    """Say which entities a system does not have."""
    for side in Side:
        entity = mapping.entity(side)
        if (entity.system, entity.entity) not in types:
            known = [name for system, name in types if system == entity.system]
            what = f"{entity.system} has no entity '{entity.entity}'"
            yield Problem(entity.at, what, nearest(entity.entity, known))


def find_faults(
    mapping: Mapping, types: abc.Mapping[tuple[str, str], EntityType]
) -> abc.Iterator[Problem]:
    """Say which entities and fields that values are looked up in do not exist."""
    for rule, step in ((r, found) for r in mapping.fields for found in r.finds):
        source = Side.LEFT if rule.direction.to(Side.RIGHT) else Side.RIGHT
        end = mapping.entity(source)
        unless = str(dict(step.arguments).get("unless", ""))
        yield from unknown_field(unless, types[end.system, end.entity], step.at)
        given = {name: str(value) for name, value in step.arguments}
        entity = types.get((given["system"], given["entity"]))
        if entity is None:
            known = [name for system, name in types if system == given["system"]]
            what = f"{given['system']} has no entity '{given['entity']}'"
            yield Problem(step.at, what, nearest(given["entity"], known))
            continue
        yield from unknown_field(given["by"], entity, step.at)
        yield from unknown_field(given["take"], entity, step.at)


def lookup_faults(
    mapping: Mapping,
    others: abc.Mapping[str, Mapping],
    types: abc.Mapping[tuple[str, str], EntityType],
) -> abc.Iterator[Problem]:
    """Say which fields that references hold do not exist where they lead."""
    for rule, lookup in ((r, lookup) for r in mapping.fields for lookup in r.lookups):
        for side, name in lookup.by.items():
            there, here = others[lookup.mapping].entity(side), mapping.entity(side)
            if (there.system, there.entity) in types:
                yield from unknown_field(name, types[there.system, there.entity], rule.at)
            field = types[here.system, here.entity].fields.get(rule.name(side))
            if field is not None and field.type is Type.REFERENCE:
                what = f"'{field.name}' refers to records by their keys"
                yield Problem(rule.at, what, f"take {here.system} out of `by`")


def side_faults(
    mapping: Mapping, fields: tuple[CompiledField, ...], types: dict[Side, EntityType]
) -> abc.Iterator[Problem]:
    """Say what does not fit outside the field mappings: keys, labels, filters, templates."""
    yield from match.problems(mapping, fields, types)
    for side, entity in types.items():
        rule = mapping.entity(side)
        yield from unknown_field(rule.key, entity, rule.at)
        yield from unknown_field(rule.label, entity, rule.at)
        for name in (rule.one_per, *(name for pair in rule.same_per for name in pair)):
            yield from unknown_field(name, entity, rule.at)
        for requirement in rule.requires:
            yield from _condition("require", requirement.when, entity)
        if asks_when(mapping) and not entity.modified:
            what = f"{entity.name} does not tell when a record changed, and `newest` needs it"
            yield Problem(mapping.at, what, "let one side be preferred")
        yield from _condition("filter", rule.filter, entity)
        for template in mapping.templates.get(side, ()):
            yield from _condition("when", template.when, types[side.other])
            for name, value in template.values:
                yield from unknown_field(name, entity, template.at)
                if name in entity.fields:
                    yield from unfit(value, entity.fields[name], template.at)


def _condition(word: str, text: Text | None, entity: EntityType) -> abc.Iterator[Problem]:
    if text is None:
        return
    node = expression.parse(text.text)
    missing = [n for n in expression.fields_of(node) if n not in entity.fields]
    for name in missing:
        yield from unknown_field(name, entity, text.at)
    if missing or (word == "filter" and expression.on_rows_alone(node)):
        return
    try:
        expression.to_sql(node, lambda name: (dialect.name(name), entity.fields[name].type))
    except expression.ExpressionError as error:
        yield Problem(text.at, f"{word}: {error}")
