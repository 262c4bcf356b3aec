"""Names to things: a file's checked values become a ``Mapping``, or problems that say why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner import expression
from runner.config.fields import FieldBinder
from runner.config.guards import guards_of
from runner.errors import Problem, nearest
from runner.model import (
    ATTEMPTS,
    RECORDS,
    Computed,
    DeleteConflict,
    Direction,
    Entity,
    FieldMapping,
    Granularity,
    Joined,
    Mapping,
    MatchPair,
    Requirement,
    Side,
    Template,
    Text,
    When,
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
        sides = self._sides()
        if sides is None:
            return None
        left, right = sides
        binder = FieldBinder(self.document, sides, Direction.BOTH, self.defaults, self.problems)
        direction = binder.direction(*self._way())
        binder.mapping = direction
        entities = {side: self._entity(name) for side, name in zip(Side, sides, strict=True)}
        bound = (binder.field(entry, path) for entry, path in self._entries())
        fields = tuple(
            entry for entry in bound if entry is not None and self._travels(entry, direction, sides)
        )
        self._written_twice(fields)
        create = frozenset(self._create(direction, sides))
        self._never_written(fields, create)
        mapping = Mapping(
            name=value["mapping"],
            direction=direction,
            left=entities[Side.LEFT],
            right=entities[Side.RIGHT],
            depends_on=tuple(value.get("depends_on", ())),
            create=create,
            match=tuple(self._match(binder, fields)),
            coupled_by=value.get("coupled_by", ""),
            records=tuple((k, tuple(v.items())) for k, v in value.get("records", {}).items()),
            fields=fields,
            templates=dict(self._templates(create, (left, right))),
            granularity=Granularity(self._told("granularity", "field")),
            conflict=binder.conflict({}, ()),
            # What must exist is made again when somebody deletes it.
            deleted=DeleteConflict("restore" if self._ensures else self._told("delete", "fail")),
            attempts=self._attempts(),
            guards=guards_of(self.defaults.get("guards", {}), value.get("guards", {})),
            at=self.document.at(("mapping",)),
        )
        return None if self.problems else mapping

    @property
    def _ensures(self) -> bool:
        return "ensure" in self.document.value

    def _sides(self) -> tuple[str, str] | None:
        """Name left and right, in the order of the project; the mapping's own records count too."""
        value = self.document.value
        sides = [name for name in self.systems if name in value]
        if self._ensures:
            name = value["ensure"]
            if sides != [name]:
                hint = nearest(name, self.systems) or f"the systems are {', '.join(self.systems)}"
                self._say(("ensure",), f"it says nothing about '{name}'", hint)
                return None
            first = name == self.systems[0]
            return (name, RECORDS) if first else (RECORDS, name)
        if len(sides) != len(Side):
            found = f"it names {len(sides)}" if sides else "it names none"
            known = ", ".join(self.systems)
            self._say(
                (), f"a mapping ties two systems together, {found}", f"the systems are {known}"
            )
            return None
        return sides[0], sides[1]

    def _way(self) -> tuple[str, Path]:
        if not self._ensures:
            return self.document.value["direction"], ("direction",)
        return f"{RECORDS} -> {self.document.value['ensure']}", ("ensure",)

    def _entries(self) -> Iterator[tuple[dict[str, Any], Path]]:
        """Yield the entries of `fields`, and where they stand; of `records`, one for each field."""
        told = self.document.value.get("fields", [])
        if not self._ensures:
            yield from ((entry, ("fields", n)) for n, entry in enumerate(told))
            return
        system = self.document.value["ensure"]
        beside = {entry.get(system): (n, entry) for n, entry in enumerate(told)}
        named: dict[str, Path] = {}
        for key, record in self.document.value["records"].items():
            for name in record:
                named.setdefault(name, ("records", key, name))
        for name, (n, _) in beside.items():
            if name not in named and "constant" not in told[n]:
                what = f"no record of `records` has a '{name}'"
                self._say(("fields", n), what, nearest(str(name), named))
        for name, path in named.items():
            beside_it = beside.get(name)
            more = {} if beside_it is None else beside_it[1]
            entry = {**more, RECORDS: name, system: name}
            yield entry, path if beside_it is None else ("fields", beside_it[0])

    def _attempts(self) -> int:
        told = self.document.value.get("attempts", self.defaults.get("attempts", ATTEMPTS))
        return 0 if told == "unlimited" else int(told)

    def _told(self, key: str, otherwise: str) -> str:
        """What ``conflict:`` says of the mapping, or of the project."""
        of_project = self.defaults.get("conflict", {}).get(key, otherwise)
        told: str = self.document.value.get("conflict", {}).get(key, of_project)
        return told

    def _say(self, path: Path, what: str, hint: str = "", *, key: bool = False) -> None:
        at = self.document.key_at(path) if key else self.document.at(path)
        self.problems.append(Problem(at, what, hint))

    def _entity(self, name: str) -> Entity:
        if name == RECORDS:
            whole = self.document.value["mapping"]
            return Entity(
                system=RECORDS, entity=whole, key="key", at=self.document.at(("records",))
            )
        value, path = self.document.value[name], (name,)
        text = value.get("filter")
        return Entity(
            system=name,
            entity=value["entity"],
            key=_key(value["key"]),
            filter=None if text is None else self._condition(text, (*path, "filter")),
            read_all=value.get("read") == "all",
            new_key=value.get("new_key", ""),
            label=value.get("label", ""),
            one_per=value.get("one_per", ""),
            comes_with=value.get("comes_with", ""),
            requires=tuple(
                Requirement(
                    when=self._condition(told["when"], (*path, "require", n, "when")),
                    says=told["says"],
                )
                for n, told in enumerate(value.get("require", ()))
            ),
            same_per=tuple(value.get("same_per", {}).items()),
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

    def _match(
        self, binder: FieldBinder, fields: tuple[FieldMapping, ...]
    ) -> Iterator[tuple[MatchPair, ...]]:
        for n, criterion in enumerate(self.document.value.get("match", ())):
            many = isinstance(criterion, list)
            pairs = criterion if many else [criterion]
            paths: list[Path] = [
                ("match", n, k) if many else ("match", n) for k in range(len(pairs))
            ]
            bound = [
                self._pair(pair, path, binder, fields)
                for pair, path in zip(pairs, paths, strict=True)
            ]
            if all(bound):
                yield tuple(pair for pair in bound if pair)

    def _pair(
        self,
        value: dict[str, Any],
        path: Path,
        binder: FieldBinder,
        fields: tuple[FieldMapping, ...],
    ) -> MatchPair | None:
        sides = binder.sides
        if not binder.named(value, path, frozenset({"case", "transform"})):
            return None
        left, right = (value.get(name, "") for name in sides)
        alone = Side.RIGHT if right else Side.LEFT
        written = {name for rule in fields for name in _written(rule, alone)}
        if not (left and right) and (left or right) not in written:
            self._say(path, f"a match needs a field of {sides[0]} and one of {sides[1]}")
            return None
        return MatchPair(
            left=left,
            right=right,
            ignore_case=value.get("case") == "ignore",
            steps=tuple(binder.steps(value.get("transform", []), (*path, "transform"))),
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

    def _travels(self, rule: FieldMapping, mapping: Direction, sides: tuple[str, str]) -> bool:
        """Whether a field goes a way that the mapping goes; a note says so of one that does not.

        So that a mapping is turned around by its one word, whatever its fields say.
        """
        if any(rule.direction.to(side) and mapping.to(side) for side in Side):
            return True
        name = sides[0] if rule.direction.to(Side.LEFT) else sides[1]
        what = f"the field rests: it is for {name}, and the mapping never writes there"
        self.notes.append(Problem(rule.at, what))
        return False

    def _never_written(self, fields: tuple[FieldMapping, ...], create: frozenset[Side]) -> None:
        """Note fields that only new records take, where there are none."""
        if self._told("delete", "fail") == "restore":
            return
        for rule in fields:
            sides = {side for side in Side if rule.direction.to(side)}
            if rule.when is When.CREATE and not sides & create:
                what = "never written: the field is for new records, and none are created"
                self.notes.append(Problem(rule.at, what))

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


def _key(value: str | list[str]) -> str:
    """Name the key: one of several fields as its system's type names it."""
    return value if isinstance(value, str) else ",".join(value)
