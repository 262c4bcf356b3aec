"""One entry of ``fields:`` to a ``FieldMapping``, or problems that say why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner import expression, transform
from runner.errors import Problem, nearest
from runner.model import (
    Arrival,
    Blank,
    Computed,
    Constant,
    Direction,
    Drift,
    FieldMapping,
    Joined,
    Lookup,
    Side,
    Step,
    Text,
    TooLong,
    Unresolved,
    UpdateConflict,
    When,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.config.read import Document, Path

KEYS = frozenset(
    {
        "direction",
        "constant",
        "lookup",
        "round",
        "blank",
        "default",
        "too_long",
        "unresolved",
        "conflict",
        "drift",
        "optional",
        "when",
        "values",
        "otherwise",
        "transform",
        "reverse",
        "zone",
    }
)


def _looks(transform: Any) -> bool:
    """Whether a transform looks into another entity."""
    ways = transform.values() if isinstance(transform, dict) else [transform or []]
    return any(isinstance(step, dict) and "find" in step for steps in ways for step in steps)


@dataclass(slots=True)
class FieldBinder:
    """Binds the fields of one mapping file. ``sides`` are the names of left and right."""

    document: Document
    sides: tuple[str, str]
    mapping: Direction
    defaults: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def field(self, value: dict[str, Any], path: Path) -> FieldMapping | None:
        """Bind one entry."""
        if not self.named(value, path, KEYS) or not self._two_ends(value, path):
            return None
        left, right = (value.get(name, "") for name in self.sides)
        constant = value.get("constant")
        made = {
            side: self._made(end, (*path, self._name(side)))
            for side, end in zip(Side, (left, right), strict=True)
        }
        direction = self._field_direction(value, path, left, right, made)
        self._one_way_across(value, path)
        arrivals = self._arrivals(value, path, direction)
        values, back = self._values(value, path, direction)
        return FieldMapping(
            left=left if isinstance(left, str) else "",
            right=right if isinstance(right, str) else "",
            left_made=made[Side.LEFT],
            right_made=made[Side.RIGHT],
            direction=direction,
            constant=constant,
            lookups=tuple(self._lookups(value.get("lookup", []), (*path, "lookup"))),
            scale=value.get("round"),
            blank=Blank(value.get("blank", "send")),
            too_long=TooLong(value.get("too_long", "error")),
            when=When(value.get("when", "always").replace("_", " ")),
            values=values,
            values_back=back,
            zone=self._zone(value, path),
            to_left=arrivals[Side.LEFT],
            to_right=arrivals[Side.RIGHT],
            conflict=self.conflict(value, path),
            drift=Drift(
                value.get(
                    "drift",
                    self.document.value.get("drift", self.defaults.get("drift", "overwrite")),
                )
            ),
            optional=value.get("optional", False),
            at=self.document.at(path),
        )

    def direction(self, text: str, path: Path) -> Direction:
        """Bind ``both`` or ``one -> other``."""
        if text == "both":
            return Direction.BOTH
        left, right = self.sides
        source, _, target = text.partition(" -> ")
        for name in (source, target):
            if name not in self.sides:
                hint = nearest(name, self.sides) or f"this mapping ties {left} and {right}"
                self._say(path, f"there is no system '{name}' here", hint)
        if source == target:
            self._say(path, "it leads nowhere", f"write {left} -> {right} or the reverse")
        return Direction.TO_RIGHT if target == right else Direction.TO_LEFT

    def conflict(self, value: dict[str, Any], path: Path) -> UpdateConflict:
        """Bind a field's own policy, or the mapping's, or the project's."""
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
        if name not in self.sides:
            self._say(
                (*at, "prefer"), f"there is no system '{name}' here", nearest(name, self.sides)
            )
        preferred = name == self.sides[0]
        return UpdateConflict.PREFER_LEFT if preferred else UpdateConflict.PREFER_RIGHT

    def _say(self, path: Path, what: str, hint: str = "", *, key: bool = False) -> None:
        at = self.document.key_at(path) if key else self.document.at(path)
        self.problems.append(Problem(at, what, hint))

    def _name(self, side: Side) -> str:
        return self.sides[0] if side is Side.LEFT else self.sides[1]

    def _side(self, name: str) -> Side:
        return Side.LEFT if name == self.sides[0] else Side.RIGHT

    def named(self, value: dict[str, Any], path: Path, known: frozenset[str]) -> bool:
        """Whether all keys are words of the language or names of this mapping's systems."""
        strange = [key for key in value if key not in known and key not in self.sides]
        for key in strange:
            words = (*sorted(known), *self.sides)
            hint = nearest(key, words) or f"known are {', '.join(words)}"
            self._say((*path, key), f"unknown key '{key}'", hint, key=True)
        return not strange

    def _two_ends(self, value: dict[str, Any], path: Path) -> bool:
        left, right = (value.get(name) for name in self.sides)
        constant = value.get("constant")
        if constant is None and not (left and right):
            there = self.sides[0] if not left else self.sides[1]
            self._say(path, f"it names no field of {there}", f"add `{there}: …` or a `constant:`")
            return False
        if constant is not None and ((left and right) or not (left or right)):
            self._say(path, "a constant takes the place of one of the two fields", "name one field")
            return False
        return True

    def _made(self, end: Any, path: Path) -> Computed | Joined | None:
        if not isinstance(end, dict):
            return None
        if "join" in end:
            return Joined(
                fields=tuple(end["join"]),
                separator=end.get("with", " "),
                rest_first=end.get("rest") == "first",
            )
        return Computed(
            expression=self._expression(end["compute"], (*path, "compute")),
            type=end.get("type", ""),
            pieces=tuple(
                (name, self._expression(text, (*path, "reverse", name)))
                for name, text in end.get("reverse", {}).items()
            ),
        )

    def _expression(self, text: str, path: Path) -> Text:
        try:
            expression.parse(text)
        except expression.ExpressionError as error:
            self._say(path, f"{path[-1]}: {error}")
        return Text(text=text, at=self.document.at(path))

    def _field_direction(
        self,
        value: dict[str, Any],
        path: Path,
        left: Any,
        right: Any,
        made: dict[Side, Computed | Joined | None],
    ) -> Direction:
        at = (*path, "direction")
        only = self._only_way(left, right, made)
        if only is None:
            told = self.direction(value["direction"], at) if "direction" in value else self.mapping
        else:
            # A constant, or a value that is computed, has only one way to go.
            told = only
            said = self.direction(value["direction"], at) if "direction" in value else only
            if said is not only:
                what = (
                    "a constant" if "constant" in value else "a computed value without `reverse:`"
                )
                target = self.sides[1] if only is Direction.TO_RIGHT else self.sides[0]
                self._say(at, f"{what} travels to {target} alone")
        wider = [side for side in Side if told.to(side) and not self.mapping.to(side)]
        if wider and told is Direction.BOTH:
            name = self._name(wider[0])
            self._say(at, f"the mapping never writes to {name}", "widen the mapping's direction")
        return told

    def _only_way(
        self, left: Any, right: Any, made: dict[Side, Computed | Joined | None]
    ) -> Direction | None:
        """Return the way of a field mapping that has only one."""
        if not (left and right):
            return Direction.TO_RIGHT if right else Direction.TO_LEFT
        fixed = [side for side, m in made.items() if isinstance(m, Computed) and not m.pieces]
        if not fixed:
            return None
        return Direction.TO_RIGHT if fixed[0] is Side.LEFT else Direction.TO_LEFT

    def _one_way_across(self, value: dict[str, Any], path: Path) -> None:
        """Say that a value is looked up, listed or transformed: not two of these."""
        ways = [key for key in ("lookup", "values", "transform") if key in value]
        if _looks(value.get("transform")):
            # What is found in another entity is found before it leaves, and may be translated then.
            ways.remove("transform")
        for other in ways[1:]:
            what = f"`{other}` cannot stand beside `{ways[0]}`: one of them makes the value"
            self._say((*path, other), what, key=True)
        if "reverse" in value and "transform" not in value and "values" not in value:
            what = "there is nothing to reverse without `transform:` or `values:`"
            self._say((*path, "reverse"), what, key=True)

    def _arrivals(
        self, value: dict[str, Any], path: Path, direction: Direction
    ) -> dict[Side, Arrival]:
        steps = self._steps(value, path, direction)
        unresolved = self._by_system(value, "unresolved", path, direction)
        otherwise = self._by_system(value, "otherwise", path, direction)
        default = self._by_system(value, "default", path, direction)
        if otherwise and "values" not in value:
            self._say((*path, "otherwise"), "`otherwise` is for `values:` alone", key=True)
        return {
            side: Arrival(
                steps=steps[side],
                otherwise=otherwise.get(side),
                default=default.get(side),
                unresolved=Unresolved(unresolved.get(side, "fail")),
            )
            for side in Side
        }

    def _by_system(
        self, value: dict[str, Any], key: str, path: Path, direction: Direction
    ) -> dict[Side, Any]:
        """Bind what is told of the system written to: one word for all, or one for each."""
        told = value.get(key)
        if told is None:
            return {}
        if not isinstance(told, dict):
            return {side: told for side in Side if direction.to(side)}
        found = {}
        for name, word in told.items():
            if name not in self.sides:
                hint = nearest(name, self.sides)
                self._say((*path, key, name), f"there is no system '{name}' here", hint, key=True)
                continue
            found[self._side(name)] = word
        return found

    def _steps(
        self, value: dict[str, Any], path: Path, direction: Direction
    ) -> dict[Side, tuple[Step, ...]]:
        """Bind the transforms of both ways; the way back is derived where nobody wrote it."""
        told = value.get("transform")
        none: dict[Side, tuple[Step, ...]] = dict.fromkeys(Side, ())
        if told is None:
            return none
        at = (*path, "transform")
        ways: dict[Side, tuple[Step, ...]] = {}
        if isinstance(told, list):
            if direction is Direction.BOTH:
                name = self.sides[1]
                what = "the field travels both ways: say which one this is for"
                self._say(
                    at, what, f"write `transform: {{{name}: […]}}`, by the system that gets it"
                )
                return none
            to = Side.RIGHT if direction.to(Side.RIGHT) else Side.LEFT
            ways[to] = tuple(self.steps(told, at, to.other))
        else:
            for name, steps in told.items():
                if name not in self.sides:
                    hint = nearest(name, self.sides)
                    self._say((*at, name), f"there is no system '{name}' here", hint, key=True)
                    return none
                to = self._side(name)
                ways[to] = tuple(self.steps(steps, (*at, name), to.other))
        if "reverse" in value:
            if len(ways) > 1:
                what = "both ways are there already: `reverse` would be a third"
                self._say((*path, "reverse"), what, key=True)
                return none
            (only,) = ways
            reverse = self.steps(value["reverse"], (*path, "reverse"), only)
            ways[only.other] = tuple(reverse)
        for to in [side for side in Side if direction.to(side) and side not in ways]:
            ways[to] = self._undone(ways[to.other], to)
        return {side: ways.get(side, ()) for side in Side}

    def _undone(self, steps: tuple[Step, ...], to: Side) -> tuple[Step, ...]:
        found = transform.inverse(steps)
        if found is not None:
            return found
        lossy = transform.lossy(steps)
        assert lossy is not None, "what has no inverse has a step without one"
        what = f"`{lossy.name}` cannot be undone, and the field travels to {self._name(to)}, too"
        hint = (
            "say with `reverse: […]` what happens on the way back, or give the field one direction"
        )
        self.problems.append(Problem(lossy.at, what, hint))
        return ()

    def steps(self, steps: list[Any], path: Path, source: Side | None = None) -> Iterator[Step]:
        """Bind a list of transforms; ``source`` is the side that the value comes from."""
        for n, told in enumerate(steps):
            at = self.document.at((*path, n))
            if isinstance(told, str):
                step = Step(name=told, at=at)
            else:
                ((name, given),) = told.items()
                arguments = given if isinstance(given, dict) else {"value": given}
                if name == "find":
                    if source is None:
                        self._say((*path, n), "a match cannot look into another entity")
                        continue
                    arguments = {**arguments, "system": self._name(source)}
                step = Step(name=name, arguments=tuple(sorted(arguments.items())), at=at)
            wrong = [words for _, words in transform.faults([step])]
            for words in wrong:
                self._say((*path, n), words)
            if not wrong:
                yield step

    def _lookups(self, told: Any, path: Path) -> Iterator[Lookup]:
        for n, item in enumerate(told if isinstance(told, list) else [told]):
            if isinstance(item, str):
                yield Lookup(mapping=item)
                continue
            at = path if isinstance(told, dict) else (*path, n)
            conditions = {
                side: self._expression(text, (*at, "when", self._name(side)))
                for side, text in self._sided(item.get("when", {}), (*at, "when"))
            }
            by = dict(self._sided(item.get("by", {}), (*at, "by")))
            blank = dict(self._sided(item.get("for_blank", {}), (*at, "for_blank")))
            yield Lookup(mapping=item["mapping"], conditions=conditions, by=by, for_blank=blank)

    def _sided(self, told: dict[str, str], path: Path) -> Iterator[tuple[Side, str]]:
        """Bind what is said by system."""
        for name, text in told.items():
            if name in self.sides:
                yield self._side(name), text
            else:
                hint = nearest(name, self.sides)
                self._say((*path, name), f"there is no system '{name}' here", hint, key=True)

    def _values(
        self, value: dict[str, Any], path: Path, direction: Direction
    ) -> tuple[tuple[tuple[Constant, Constant], ...], tuple[tuple[Constant, Constant], ...]]:
        """Pair values, for the way to the right and for the way back.

        Where several values mean the same on the other side, ``reverse`` says which one comes back.
        """
        if "values" not in value:
            return (), ()
        pairs = list(self._pairs(value["values"], (*path, "values")))
        chosen = list(self._pairs(value.get("reverse", []), (*path, "reverse")))
        ways = []
        filled = self._by_system(value, "default", path, direction)
        for to in (Side.RIGHT, Side.LEFT):
            source = 0 if to is Side.RIGHT else 1
            blank = next((n for n, pair in enumerate(pairs) if pair[source] == ""), None)
            if blank is not None and direction.to(to) and to not in filled:
                hint = f"say what it becomes: `default: {{{self._name(to)}: …}}`"
                self._say((*path, "values", blank), "a blank is not translated", hint)
            first: dict[str, tuple[Constant, Constant]] = {}
            for n, pair in enumerate(pairs):
                key = str(pair[source])
                told = next((c for c in chosen if str(c[source]) == key), None)
                if key in first and told is None and direction.to(to):
                    name = self._name(to.other)
                    what = f"{name} '{pair[source]}' means two things"
                    hint = "list it once, or say with `reverse:` which one it becomes"
                    self._say((*path, "values", n), what, hint)
                first.setdefault(key, told or pair)
            ways.append(tuple(first.values()))
        self._falls_back(value, path, direction, pairs)
        return ways[0], ways[1]

    def _falls_back(
        self,
        value: dict[str, Any],
        path: Path,
        direction: Direction,
        pairs: list[tuple[Constant, Constant]],
    ) -> None:
        """Say where a fallback leads, if it leads nowhere back."""
        told = self._by_system(value, "otherwise", path, direction)
        for side, fallback in told.items():
            at = 0 if side is Side.LEFT else 1
            listed = any(str(pair[at]) == str(fallback) for pair in pairs)
            if direction is Direction.BOTH and not listed and side.other not in told:
                other = self._name(side.other)
                what = f"'{fallback}' comes of what is not listed, and leads nowhere in {other}"
                hint = f"list it, or say `otherwise: {{{other}: …}}` as well"
                self._say((*path, "otherwise"), what, hint, key=True)

    def _pairs(self, pairs: list[Any], path: Path) -> Iterator[tuple[Constant, Constant]]:
        for n, pair in enumerate(pairs):
            if not isinstance(pair, dict):
                self._say((*path, n), "it pairs no values", "write {nav: …, crm: …}")
            elif self.named(pair, (*path, n), frozenset()):
                yield pair[self.sides[0]], pair[self.sides[1]]

    def _zone(self, value: dict[str, Any], path: Path) -> str:
        zone: str = value.get("zone", self.defaults.get("zone", "UTC"))
        try:
            ZoneInfo(zone)
        except (KeyError, OSError, ValueError):
            self._say((*path, "zone"), f"there is no time zone '{zone}'", "write Europe/Copenhagen")
        return zone
