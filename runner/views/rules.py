"""What the YAML says of a mapping and its fields, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.model import (
    RECORDS,
    Blank,
    Computed,
    DeleteConflict,
    Direction,
    Drift,
    Granularity,
    Joined,
    Side,
    TooLong,
    Unresolved,
    UpdateConflict,
    When,
)

if TYPE_CHECKING:
    from runner.model import Entity, FieldMapping, Lookup, Mapping, MatchPair, Project, Step

Document = dict[str, Any]
VERSION = 1
_MOST = 6
"""Pairs of ``values`` that are told one by one."""

BLANKS = {
    Blank.SEND: "a blank empties the field",
    Blank.KEEP: "a blank overwrites nothing (blank: keep)",
    Blank.FAIL: "a blank is an error of its record (blank: fail)",
}
UNRESOLVED = {
    Unresolved.FAIL: "what it cannot translate is an error of its record",
    Unresolved.KEEP: "what it cannot translate leaves the field as it is (unresolved: keep)",
    Unresolved.CLEAR: "what it cannot translate empties the field (unresolved: clear)",
}
DELETED = {
    DeleteConflict.FAIL: "an error that asks to uncouple it",
    DeleteConflict.UNCOUPLE: "the pair is uncoupled, and its partner lives alone",
    DeleteConflict.RESTORE: "it is made anew, where the mapping writes",
    DeleteConflict.DELETE: "its partner is deleted too, where the mapping writes",
}


def of_mapping(project: Project, mapping: Mapping) -> Document:
    """Describe a mapping: what it reads, in which order, what follows from what."""
    before = [m.name for m in project.mappings if mapping.name in (*m.depends_on, *m.refers_to)]
    after = list(dict.fromkeys((*mapping.depends_on, *mapping.refers_to)))
    return {
        "version": VERSION,
        "mapping": mapping.name,
        "at": str(mapping.at),
        "direction": mapping.direction.value,
        "left": _end(mapping.left),
        "right": _end(mapping.right),
        "after": after,
        "before": before,
        "rules": [
            {"about": about, "what": what}
            for about, told in (
                ("couples", _couples(mapping)),
                ("creates", _creates(mapping)),
                ("conflicts", _conflicts(mapping)),
                ("deletions", [f"a coupled record was deleted: {DELETED[mapping.deleted]}"]),
                ("wants", _wants(mapping)),
            )
            for what in told
        ],
        "fields": [_field_line(mapping, rule) for rule in mapping.fields],
        "templates": [
            {
                "system": mapping.entity(side).system,
                "when": template.when.text if template.when else None,
                "values": {name: _written(value) for name, value in template.values},
                "at": str(template.at),
            }
            for side in Side
            for template in mapping.templates.get(side, ())
        ],
    }


def of_fields(mapping: Mapping, name: str) -> list[Document]:
    """Describe every field mapping that reads or writes a field of that name, on either side."""
    return [
        {
            **_field_line(mapping, rule),
            "ways": [
                {"to": mapping.entity(side).system, "steps": _way(mapping, rule, side)}
                for side in (Side.RIGHT, Side.LEFT)
                if rule.direction.to(side)
            ],
            "policies": _policies(mapping, rule),
        }
        for rule in mapping.fields
        if name in names_of(rule)
    ]


def names_of(rule: FieldMapping) -> tuple[str, ...]:
    """Name the fields of both sides that a field mapping is about."""
    found = [rule.left, rule.right]
    for made in (rule.left_made, rule.right_made):
        if isinstance(made, Joined):
            found += made.fields
        elif isinstance(made, Computed):
            found += [name for name, _ in made.pieces]
    return tuple(name for name in found if name)


def _end(end: Entity) -> Document:
    return {
        "system": end.system,
        "entity": end.entity,
        "key": end.key,
        "filter": end.filter.text if end.filter else None,
        "filter_at": str(end.filter.at) if end.filter else None,
    }


def _field_line(mapping: Mapping, rule: FieldMapping) -> Document:
    notes = [*(f"lookup {lookup.mapping}" for lookup in rule.lookups)]
    notes += [step_words(step) for side in Side for step in rule.to(side).steps]
    notes += [f"{len(rule.values)} values"] if rule.values else []
    notes += [f"round {rule.scale}"] if rule.scale is not None else []
    notes += [f"blank {rule.blank}"] if rule.blank is not Blank.SEND else []
    notes += [f"when {rule.when}"] if rule.when is not When.ALWAYS else []
    notes += [_short(mapping, rule.conflict)] if rule.conflict is not UpdateConflict.FAIL else []
    return {
        "left": shown(rule, Side.LEFT),
        "right": shown(rule, Side.RIGHT),
        "direction": rule.direction.value,
        "notes": list(dict.fromkeys(notes)),
        "at": str(rule.at),
    }


def shown(rule: FieldMapping, side: Side) -> str:
    """Name what a field mapping ties together on one side, in a few words."""
    made = rule.made(side)
    if isinstance(made, Joined):
        return " + ".join(made.fields)
    if isinstance(made, Computed):
        return f"({made.expression.text})"
    name = rule.name(side)
    return name or (_written(rule.constant) if rule.constant is not None else "")


def _written(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def step_words(step: Step) -> str:
    """Write a transform as the YAML has it."""
    arguments = dict(step.arguments)
    if not arguments:
        return step.name
    if len(arguments) == 1:
        return f"{step.name} {_written(next(iter(arguments.values())))}"
    told = ", ".join(f"{name} {_written(value)}" for name, value in arguments.items())
    return f"{step.name} ({told})"


def _couples(mapping: Mapping) -> list[str]:
    if mapping.coupled_by:
        return [f"the pairs of mapping {mapping.coupled_by} are its own"]
    if not mapping.match:
        return ["nothing by itself: only what is created, or coupled by hand"]
    told = [" and ".join(map(pair_words, criterion)) for criterion in mapping.match]
    if len(told) == 1:
        return [f"what has the same {told[0]}"]
    return [f"{n}. what has the same {words}" for n, words in enumerate(told, start=1)]


def pair_words(pair: MatchPair) -> str:
    """Name the two fields that a match compares."""
    words = " = ".join(filter(None, (pair.left, pair.right)))
    return f"{words} (whatever the case)" if pair.ignore_case else words


def _creates(mapping: Mapping) -> list[str]:
    systems = [mapping.entity(side).system for side in Side if side in mapping.create]
    if not systems:
        return ["nothing: only coupled records take part"]
    return [f"in {' and in '.join(systems)} what is missing there"]


def _conflicts(mapping: Mapping) -> list[str]:
    what = "record" if mapping.granularity is Granularity.RECORD else "field"
    return [f"both sides changed the same {what} apart: {decided(mapping, mapping.conflict)}"]


def decided(mapping: Mapping, policy: UpdateConflict) -> str:
    """Say who wins."""
    match policy:
        case UpdateConflict.FAIL:
            return "nobody wins, a person decides (conflict: fail)"
        case UpdateConflict.NEWEST:
            return "whoever changed it last wins (conflict: newest)"
        case _:
            return f"{_winner(mapping, policy)} wins (conflict: {_short(mapping, policy)})"


def _winner(mapping: Mapping, policy: UpdateConflict) -> str:
    side = Side.LEFT if policy is UpdateConflict.PREFER_LEFT else Side.RIGHT
    return mapping.entity(side).system


def _short(mapping: Mapping, policy: UpdateConflict) -> str:
    if policy is UpdateConflict.NEWEST:
        return "newest"
    return f"prefer {_winner(mapping, policy)}"


def _wants(mapping: Mapping) -> list[str]:
    told = []
    for end in (mapping.left, mapping.right):
        who = f"{end.system} {end.entity}"
        told += [f"{who}: {need.says}, unless {need.when.text}" for need in end.requires]
        told += [f"{who}: one for each {end.one_per}"] if end.one_per else []
        told += [f"{who}: the same {field} for each {per}" for field, per in end.same_per]
    return told


def _way(mapping: Mapping, rule: FieldMapping, to: Side) -> list[str]:
    """Tell what happens to a value on its way to one side, step by step."""
    here, there, way = mapping.entity(to), mapping.entity(to.other), rule.to(to)
    steps = [_source(rule, to.other, there)]
    if rule.when is When.CREATE:
        steps.append("only with a new record; from then on each side keeps its own (when: create)")
    if rule.when is When.AFTER_CREATE:
        steps.append("with a new record only once that is there (when: after_create)")
    steps += [step_words(step) for step in way.steps]
    if rule.values:
        pairs = rule.values if to is Side.RIGHT else [(r, lft) for lft, r in rule.values_back]
        told = [f"{_written(a)} becomes {_written(b)}" for a, b in pairs[:_MOST]]
        more = len(pairs) - len(told)
        steps.append(", ".join([*told, *([f"and {more} more"] if more > 0 else [])]))
        if way.otherwise is not None:
            steps.append(f"any other value becomes {_written(way.otherwise)}")
    steps += [_lookup(mapping, lookup, to) for lookup in rule.lookups]
    if rule.lookups or (rule.values and way.otherwise is None):
        steps.append(UNRESOLVED[way.unresolved])
    if way.default is not None:
        steps.append(f"a blank becomes {_written(way.default)}")
    if rule.scale is not None:
        steps.append(f"rounded to {rule.scale} places, half away from zero")
    if rule.too_long is TooLong.TRUNCATE:
        steps.append(f"cut to what {here.system} keeps (too_long: truncate)")
    if rule.name(to.other) and rule.blank is not Blank.SEND:
        steps.append(BLANKS[rule.blank])
    made = rule.made(to)
    verb = "taken apart into" if made is not None else "written to"
    where = (
        shown(rule, to)
        if not isinstance(made, Computed)
        else ", ".join(name for name, _ in made.pieces)
    )
    steps.append(f"{verb} {where} of {here.system} {here.entity}")
    return steps


def _source(rule: FieldMapping, side: Side, end: Entity) -> str:
    made = rule.made(side)
    if isinstance(made, Joined):
        return (
            f"{', '.join(made.fields)} of {end.system} {end.entity}, joined by '{made.separator}'"
        )
    if isinstance(made, Computed):
        return f"computed from {end.system} {end.entity}: {made.expression.text}"
    if not rule.name(side):
        return f"the constant {shown(rule, side)}"
    return f"{rule.name(side)} of {end.system} {end.entity}"


def _lookup(mapping: Mapping, lookup: Lookup, to: Side) -> str:
    here, there = mapping.entity(to).system, mapping.entity(to.other).system
    told = (
        f"the record it names becomes its partner in {here}, by the couplings of {lookup.mapping}"
    )
    if to.other in lookup.by:
        told += f" (found by its {lookup.by[to.other]})"
    if to.other in lookup.conditions:
        told += f", where {lookup.conditions[to.other].text}"
    if to.other in lookup.for_blank:
        told += f"; a blank in {there} means the record {lookup.for_blank[to.other]}"
    return told


def _policies(mapping: Mapping, rule: FieldMapping) -> list[str]:
    if rule.when is When.CREATE:
        return []
    if rule.direction is Direction.BOTH:
        return [f"both sides changed it apart: {decided(mapping, rule.conflict)}"]
    to = Side.RIGHT if rule.direction.to(Side.RIGHT) else Side.LEFT
    system = mapping.entity(to).system
    if system == RECORDS:
        return []
    if rule.drift is Drift.REPORT:
        return [f"edited in {system}: it is reported and left alone (drift: report)"]
    return [f"edited in {system}: it is overwritten, and the plan says so"]
