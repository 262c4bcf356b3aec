"""Names to things: a file's checked values become a ``Mapping``, or problems that say why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner import expression
from runner.config.fields import FieldBinder
from runner.errors import Problem, nearest
from runner.model import (
    Computed,
    DeleteConflict,
    Direction,
    Entity,
    FieldMapping,
    Granularity,
    Joined,
    Mapping,
    MatchPair,
    Side,
    Template,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.config.read import Document, Path


@dataclass(slots=True)
class Binder:
    """Binds one mapping file. ``systems`` are the project's, in their order.

    ``notes`` are no faults, but what its author may not have meant.
    """

    document: Document
    systems: tuple[str, ...]
    defaults: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

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
        binder = FieldBinder(
            self.document, (left, right), Direction.BOTH, self.defaults, self.problems
        )
        direction = binder.direction(value["direction"], ("direction",))
        binder.mapping = direction
        entities = {side: self._entity(name) for side, name in zip(Side, sides, strict=True)}
        entries = (binder.field(entry, ("fields", n)) for n, entry in enumerate(value["fields"]))
        fields = tuple(entry for entry in entries if entry is not None)
        self._written_twice(fields)
        create = frozenset(self._create(direction, (left, right)))
        mapping = Mapping(
            name=value["mapping"],
            direction=direction,
            left=entities[Side.LEFT],
            right=entities[Side.RIGHT],
            depends_on=tuple(value.get("depends_on", ())),
            create=create,
            match=tuple(self._match((left, right))),
            fields=fields,
            templates=dict(self._templates(create, (left, right))),
            granularity=Granularity(self._told("granularity", "field")),
            conflict=binder.conflict({}, ()),
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

    def _entity(self, name: str) -> Entity:
        value, path = self.document.value[name], (name,)
        text = value.get("filter")
        return Entity(
            system=name,
            entity=value["entity"],
            key=value["key"],
            filter=None if text is None else self._condition(text, (*path, "filter")),
            read_all=value.get("read") == "all",
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

    def _templates(
        self, create: frozenset[Side], sides: tuple[str, str]
    ) -> Iterator[tuple[Side, tuple[Template, ...]]]:
        for name, told in self.document.value.get("defaults", {}).items():
            path: Path = ("defaults", name)
            if name not in sides:
                hint = nearest(name, sides)
                self._say(path, f"there is no system '{name}' here", hint, key=True)
                continue
            side = Side.LEFT if name == sides[0] else Side.RIGHT
            if side not in create and self._told("delete", "fail") != "restore":
                at, what = self.document.key_at(path), f"nothing is ever created in {name}"
                self.notes.append(Problem(at, f"unused template: {what}"))
            if isinstance(told, dict):
                at = self.document.at(path)
                yield side, (Template(values=tuple(told.items()), at=at),)
                continue
            yield side, tuple(self._template(t, (*path, n)) for n, t in enumerate(told))
            whole = next((n for n, t in enumerate(told) if "when" not in t), len(told))
            for n in range(whole + 1, len(told)):
                what = "this template is never used: the one before it has no `when`"
                self._say((*path, n), what)

    def _template(self, told: dict[str, Any], path: Path) -> Template:
        text = told.get("when")
        return Template(
            values=tuple(told["set"].items()),
            when=None if text is None else self._condition(text, (*path, "when")),
            wins=told.get("wins", False),
            at=self.document.at(path),
        )

    def _condition(self, text: str, path: Path) -> Text:
        try:
            expression.parse(text)
        except expression.ExpressionError as error:
            self._say(path, f"the {path[-1]} is wrong: {error}")
        return Text(text=text, at=self.document.at(path))

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
                for name in _written(rule, side):
                    if name in seen:
                        what = f"'{name}' is written twice"
                        first = f"the first time in line {seen[name].at.line}"
                        self.problems.append(Problem(rule.at, what, first))
                    seen.setdefault(name, rule)


def _written(rule: FieldMapping, side: Side) -> tuple[str, ...]:
    """Name the fields of one side that a field mapping writes."""
    if not rule.direction.to(side):
        return ()
    match rule.made(side):
        case Joined(fields=fields):
            return fields
        case Computed(pieces=pieces):
            return tuple(name for name, _ in pieces)
        case _:
            return tuple(filter(None, (rule.name(side),)))
