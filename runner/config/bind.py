"""Names to things: a file's checked values become a ``Mapping``, or problems that say why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner import expression
from runner.errors import Problem, nearest
from runner.model import (
    Constant,
    DeleteConflict,
    Direction,
    Drift,
    Entity,
    FieldMapping,
    Granularity,
    Mapping,
    MatchPair,
    Side,
    Text,
    Unresolved,
    UpdateConflict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.config.read import Document, Path

FIELD_KEYS = frozenset(
    {
        "direction",
        "constant",
        "lookup",
        "round",
        "blank",
        "unresolved",
        "conflict",
        "drift",
        "when",
        "values",
    }
)


@dataclass(slots=True)
class Binder:
    """Binds one mapping file. ``systems`` are the project's, in their order."""

    document: Document
    systems: tuple[str, ...]
    defaults: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def mapping(self) -> Mapping | None:
        """Return the mapping, or ``None`` where ``problems`` say why there is none."""
        value = self.document.value
        sides = [name for name in self.systems if name in value]
        if len(sides) != len(Side):
            found = f"it names {len(sides)}" if sides else "it names none"
            known = ", ".join(self.systems)
            self._say(
                (), f"a mapping ties two systems together, {found}", f"the systems are {known}"
            )
            return None
        left, right = sides
        direction = self._direction(value["direction"], ("direction",), (left, right))
        entities = {side: self._entity(name) for side, name in zip(Side, sides, strict=True)}
        fields = tuple(self._fields(direction, (left, right)))
        self._written_twice(fields)
        mapping = Mapping(
            name=value["mapping"],
            direction=direction,
            left=entities[Side.LEFT],
            right=entities[Side.RIGHT],
            depends_on=tuple(value.get("depends_on", ())),
            create=frozenset(self._create(direction, (left, right))),
            match=tuple(self._match((left, right))),
            fields=fields,
            defaults=dict(self._defaults((left, right))),
            granularity=Granularity(self._told("granularity", "field")),
            conflict=self._conflict({}, (), (left, right)),
            deleted=DeleteConflict(self._told("delete", "fail")),
            at=self.document.at(("mapping",)),
        )
        return None if self.problems else mapping

    def _told(self, key: str, otherwise: str) -> str:
        """What ``conflict:`` says of the mapping, or of the project."""
        of_project = self.defaults.get("conflict", {}).get(key, otherwise)
        told: str = self.document.value.get("conflict", {}).get(key, of_project)
        return told

    def _say(self, path: Path, what: str, hint: str = "", *, key: bool = False) -> None:
        at = self.document.key_at(path) if key else self.document.at(path)
        self.problems.append(Problem(at, what, hint))

    def _direction(self, text: str, path: Path, sides: tuple[str, str]) -> Direction:
        if text == "both":
            return Direction.BOTH
        source, _, target = text.partition(" -> ")
        for name in (source, target):
            if name not in sides:
                hint = nearest(name, sides) or f"this mapping ties {sides[0]} and {sides[1]}"
                self._say(path, f"there is no system '{name}' here", hint)
        if source == target:
            self._say(path, "it leads nowhere", f"write {sides[0]} -> {sides[1]} or the reverse")
        return Direction.TO_RIGHT if target == sides[1] else Direction.TO_LEFT

    def _entity(self, name: str) -> Entity:
        value, path = self.document.value[name], (name,)
        text = value.get("filter")
        if text is not None:
            try:
                expression.parse(text)
            except expression.ExpressionError as error:
                self._say((*path, "filter"), f"the filter is wrong: {error}")
        return Entity(
            system=name,
            entity=value["entity"],
            key=value["key"],
            filter=None
            if text is None
            else Text(text=text, at=self.document.at((*path, "filter"))),
            new_key=value.get("new_key", ""),
            label=value.get("label", ""),
            at=self.document.at(path),
        )

    def _create(self, direction: Direction, sides: tuple[str, str]) -> Iterator[Side]:
        written = {name: side for side, name in zip(Side, sides, strict=True) if direction.to(side)}
        names = self.document.value.get("create")
        if names is None:
            yield from written.values()
            return
        for n, name in enumerate(names):
            if name in written:
                yield written[name]
            elif name in sides:
                self._say(("create", n), f"the direction never writes to {name}")
            else:
                self._say(("create", n), f"there is no system '{name}' here", nearest(name, sides))

    def _match(self, sides: tuple[str, str]) -> Iterator[tuple[MatchPair, ...]]:
        for n, criterion in enumerate(self.document.value.get("match", ())):
            many = isinstance(criterion, list)
            pairs = criterion if many else [criterion]
            paths: list[Path] = [
                ("match", n, k) if many else ("match", n) for k in range(len(pairs))
            ]
            bound = [self._pair(p, path, sides) for p, path in zip(pairs, paths, strict=True)]
            if all(bound):
                yield tuple(pair for pair in bound if pair)

    def _pair(self, value: dict[str, Any], path: Path, sides: tuple[str, str]) -> MatchPair | None:
        if not self._named(value, path, sides, frozenset({"case"})):
            return None
        if not all(name in value for name in sides):
            self._say(path, f"a match needs a field of {sides[0]} and one of {sides[1]}")
            return None
        return MatchPair(
            left=value[sides[0]],
            right=value[sides[1]],
            ignore_case=value.get("case") == "ignore",
            at=self.document.at(path),
        )

    def _fields(self, direction: Direction, sides: tuple[str, str]) -> Iterator[FieldMapping]:
        for n, value in enumerate(self.document.value["fields"]):
            bound = self._field(value, ("fields", n), direction, sides)
            if bound is not None:
                yield bound

    def _field(
        self, value: dict[str, Any], path: Path, mapping: Direction, sides: tuple[str, str]
    ) -> FieldMapping | None:
        if not self._named(value, path, sides, FIELD_KEYS):
            return None
        left, right = (value.get(name, "") for name in sides)
        constant = value.get("constant")
        if constant is None and not (left and right):
            there = sides[0] if not left else sides[1]
            self._say(path, f"it names no field of {there}", f"add `{there}: …` or a `constant:`")
            return None
        if constant is not None and ((left and right) or not (left or right)):
            self._say(path, "a constant takes the place of one of the two fields", "name one field")
            return None
        direction = self._field_direction(value, path, mapping, sides, left, right)
        if constant is not None and "lookup" in value:
            self._say((*path, "lookup"), "a constant cannot be looked up", key=True)
        unresolved = self._unresolved(value.get("unresolved", "fail"), path, sides)
        chosen = self._conflict(value, path, sides)
        return FieldMapping(
            left=left,
            right=right,
            direction=direction,
            constant=constant,
            lookup=value.get("lookup", ""),
            scale=value.get("round"),
            keep_if_blank=value.get("blank") == "keep",
            only_on_create=value.get("when") == "create",
            values=tuple(self._values(value.get("values", ()), path, direction, sides)),
            to_left=unresolved[Side.LEFT],
            to_right=unresolved[Side.RIGHT],
            conflict=chosen,
            drift=Drift(
                value.get(
                    "drift",
                    self.document.value.get("drift", self.defaults.get("drift", "overwrite")),
                )
            ),
            at=self.document.at(path),
        )

    def _values(
        self,
        pairs: Sequence[dict[str, Constant]],
        path: Path,
        direction: Direction,
        sides: tuple[str, str],
    ) -> Iterator[tuple[Constant, Constant]]:
        """Pair values; where they travel back, each must mean one thing only."""
        seen: dict[tuple[str, str], int] = {}
        for n, pair in enumerate(pairs):
            at = (*path, "values", n)
            if not self._named(pair, at, sides, frozenset()):
                continue
            for side, name in zip(Side, sides, strict=True):
                value = pair[name]
                if direction.to(side.other) and (name, str(value)) in seen:
                    self._say(at, f"{name} '{value}' means two things", "list it once")
                seen[name, str(value)] = n
            yield pair[sides[0]], pair[sides[1]]

    def _field_direction(
        self,
        value: dict[str, Any],
        path: Path,
        mapping: Direction,
        sides: tuple[str, str],
        left: str,
        right: str,
    ) -> Direction:
        at = (*path, "direction")
        if left and right:
            direction = (
                self._direction(value["direction"], at, sides) if "direction" in value else mapping
            )
        else:
            # A constant has only one way to go: to the side that has the field.
            direction = Direction.TO_RIGHT if right else Direction.TO_LEFT
            said = (
                self._direction(value["direction"], at, sides)
                if "direction" in value
                else direction
            )
            if said is not direction:
                self._say(at, f"a constant travels to {sides[1] if right else sides[0]} alone")
        wider = [side for side in Side if direction.to(side) and not mapping.to(side)]
        if wider and "direction" in value:
            name = sides[0] if wider[0] is Side.LEFT else sides[1]
            self._say(at, f"the mapping never writes to {name}", "widen the mapping's direction")
        elif wider:
            name = sides[0] if wider[0] is Side.LEFT else sides[1]
            self._say(path, f"the constant is for {name}, and the mapping never writes there")
        return direction

    def _unresolved(
        self, value: str | dict[str, str], path: Path, sides: tuple[str, str]
    ) -> dict[Side, Unresolved]:
        if isinstance(value, str):
            return dict.fromkeys(Side, Unresolved(value))
        found = dict.fromkeys(Side, Unresolved.FAIL)
        for name, word in value.items():
            if name not in sides:
                hint = nearest(name, sides)
                self._say(
                    (*path, "unresolved", name), f"there is no system '{name}' here", hint, key=True
                )
                continue
            found[Side.LEFT if name == sides[0] else Side.RIGHT] = Unresolved(word)
        return found

    def _conflict(
        self, value: dict[str, Any], path: Path, sides: tuple[str, str]
    ) -> UpdateConflict:
        """A field's own policy, or the mapping's, or the project's."""
        told: tuple[tuple[Any, Path], ...] = (
            (value.get("conflict"), (*path, "conflict")),
            (self.document.value.get("conflict", {}).get("update"), ("conflict", "update")),
            (self.defaults.get("conflict", {}).get("update"), ()),
        )
        none: tuple[Any, Path] = ("fail", ())
        policy, at = next(((p, a) for p, a in told if p is not None), none)
        if isinstance(policy, str):
            return UpdateConflict(policy)
        name = policy["prefer"]
        if name not in sides:
            self._say((*at, "prefer"), f"there is no system '{name}' here", nearest(name, sides))
        return UpdateConflict.PREFER_LEFT if name == sides[0] else UpdateConflict.PREFER_RIGHT

    def _defaults(
        self, sides: tuple[str, str]
    ) -> Iterator[tuple[Side, tuple[tuple[str, Constant], ...]]]:
        for name, values in self.document.value.get("defaults", {}).items():
            if name not in sides:
                hint = nearest(name, sides)
                self._say(("defaults", name), f"there is no system '{name}' here", hint, key=True)
                continue
            yield (Side.LEFT if name == sides[0] else Side.RIGHT), tuple(values.items())

    def _named(
        self, value: dict[str, Any], path: Path, sides: tuple[str, str], known: frozenset[str]
    ) -> bool:
        """Whether every key is a system of the mapping or a word of the language."""
        strange = [key for key in value if key not in known and key not in sides]
        for key in strange:
            hint = nearest(key, (*sides, *sorted(known)))
            self._say((*path, key), f"unknown key '{key}'", hint, key=True)
        return not strange

    def _written_twice(self, fields: tuple[FieldMapping, ...]) -> None:
        for side in Side:
            seen: dict[str, FieldMapping] = {}
            for rule in fields:
                name = rule.name(side)
                if not name or not rule.direction.to(side):
                    continue
                if name in seen:
                    what = f"'{name}' is written twice"
                    self.problems.append(
                        Problem(rule.at, what, f"the first time in line {seen[name].at.line}")
                    )
                seen.setdefault(name, rule)


def ordered(mappings: tuple[Mapping, ...], problems: list[Problem]) -> tuple[Mapping, ...]:
    """Put dependencies first, then names; say which dependencies do not exist or go in a circle."""
    known = {mapping.name: mapping for mapping in mappings}
    needs: dict[str, tuple[str, ...]] = {}
    for mapping in mappings:
        _references(mapping, known, problems)
        lookups = (rule.lookup for rule in mapping.fields if rule.lookup)
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
    for rule in mapping.fields:
        if not rule.lookup:
            continue
        target = known.get(rule.lookup)
        if target is None:
            what = f"lookup: there is no mapping '{rule.lookup}'"
            problems.append(Problem(rule.at, what, _hint(rule.lookup, known)))
        elif {s.system for s in (target.left, target.right)} != {
            s.system for s in (mapping.left, mapping.right)
        }:
            what = f"lookup: '{rule.lookup}' ties other systems together"
            problems.append(Problem(rule.at, what))


def _hint(name: str, known: dict[str, Mapping]) -> str:
    return nearest(name, known) or f"the mappings are {', '.join(sorted(known))}"
