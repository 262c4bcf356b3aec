"""Mappings in the order in which they are synchronized: what others refer to first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import Problem, nearest
from runner.model import RECORDS

if TYPE_CHECKING:
    from runner.model import Mapping


def ordered(mappings: tuple[Mapping, ...], problems: list[Problem]) -> tuple[Mapping, ...]:
    """Put dependencies first, then names; say which dependencies do not exist or go in a circle."""
    known = {mapping.name: mapping for mapping in mappings}
    needs: dict[str, tuple[str, ...]] = {}
    for mapping in mappings:
        _references(mapping, known, problems)
        needs[mapping.name] = tuple(sorted(name for name in mapping.needs if name in known))
    done: dict[str, Mapping] = {}
    for name in sorted(known):
        _visit(name, (), known, needs, done, problems)
    return tuple(done.values())


def _visit(
    name: str,
    way: tuple[str, ...],
    known: dict[str, Mapping],
    needs: dict[str, tuple[str, ...]],
    done: dict[str, Mapping],
    problems: list[Problem],
) -> None:
    if name in done:
        return
    if name in way:
        circle = (*way[way.index(name) :], name)
        first = min(circle)
        turned = circle[circle.index(first) : -1] + circle[: circle.index(first)] + (first,)
        what = f"mappings depend on each other in a circle: {' -> '.join(turned)}"
        problem = Problem(known[first].at, what, "break it by taking out a lookup or a depends_on")
        if problem not in problems:
            problems.append(problem)
        return
    for need in needs[name]:
        _visit(need, (*way, name), known, needs, done, problems)
    done[name] = known[name]


def _references(mapping: Mapping, known: dict[str, Mapping], problems: list[Problem]) -> None:
    for name in mapping.depends_on:
        if name not in known:
            what = f"depends_on: there is no mapping '{name}'"
            problems.append(Problem(mapping.at, what, _hint(name, known)))
    for word, name in (
        ("coupled_by", mapping.coupled_by),
        *(("comes_with", end.comes_with) for end in (mapping.left, mapping.right)),
    ):
        if not name:
            continue
        other = known.get(name)
        if other is None:
            what = f"{word}: there is no mapping '{name}'"
            problems.append(Problem(mapping.at, what, _hint(name, known)))
        elif not _same_records(mapping, other, both=word == "coupled_by"):
            what = f"{word}: '{name}' is over other records"
            problems.append(Problem(mapping.at, what))
    for rule, lookup in ((r, lookup) for r in mapping.fields for lookup in r.lookups):
        target = known.get(lookup.mapping)
        if target is None:
            what = f"lookup: there is no mapping '{lookup.mapping}'"
            problems.append(Problem(rule.at, what, _hint(lookup.mapping, known)))
        elif not _ties_the_same(mapping, target):
            what = f"lookup: '{lookup.mapping}' ties other systems together"
            problems.append(Problem(rule.at, what))


def _ties_the_same(mapping: Mapping, target: Mapping) -> bool:
    """Whether the keys of a mapping mean something to another: the same systems, side by side."""
    ends = ((mapping.left, target.left), (mapping.right, target.right))
    return all(RECORDS in (one.system, two.system) or one.system == two.system for one, two in ends)


def _same_records(mapping: Mapping, other: Mapping, *, both: bool) -> bool:
    """Whether two mappings have their records in common: on both sides, or on one."""
    ends = [
        (one.system, one.entity) == (two.system, two.entity)
        for one, two in ((mapping.left, other.left), (mapping.right, other.right))
    ]
    return all(ends) if both else any(ends)


def _hint(name: str, known: dict[str, Mapping]) -> str:
    return nearest(name, known) or f"the mappings are {', '.join(sorted(known))}"
