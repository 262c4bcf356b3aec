"""Mappings in the order in which they are synchronized: what others refer to first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import Problem, nearest

if TYPE_CHECKING:
    from runner.model import Mapping


def ordered(mappings: tuple[Mapping, ...], problems: list[Problem]) -> tuple[Mapping, ...]:
    """Put dependencies first, then names; say which dependencies do not exist or go in a circle."""
    known = {mapping.name: mapping for mapping in mappings}
    needs: dict[str, tuple[str, ...]] = {}
    for mapping in mappings:
        _references(mapping, known, problems)
        lookups = (lookup.mapping for rule in mapping.fields for lookup in rule.lookups)
        named = dict.fromkeys((*mapping.depends_on, *lookups))
        needs[mapping.name] = tuple(sorted(name for name in named if name in known))
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
    for rule, lookup in ((r, lookup) for r in mapping.fields for lookup in r.lookups):
        target = known.get(lookup.mapping)
        if target is None:
            what = f"lookup: there is no mapping '{lookup.mapping}'"
            problems.append(Problem(rule.at, what, _hint(lookup.mapping, known)))
        elif {s.system for s in (target.left, target.right)} != {
            s.system for s in (mapping.left, mapping.right)
        }:
            what = f"lookup: '{lookup.mapping}' ties other systems together"
            problems.append(Problem(rule.at, what))


def _hint(name: str, known: dict[str, Mapping]) -> str:
    return nearest(name, known) or f"the mappings are {', '.join(sorted(known))}"
