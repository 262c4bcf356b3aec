"""Files of cases to ``Test`` values: checked by schema, names and values bound, all problems."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner import shipped
from runner.cases.model import Case, Expected, Finding, Given, Likeness, Record, Test
from runner.cases.types import shown, typed, types_of
from runner.config.check import check
from runner.config.read import read
from runner.connectors.memory import new_key
from runner.errors import ConfigError, Location, Problem, nearest
from runner.model import Side
from runner.plan import Kind
from runner.wire import EntityType, FieldType, Type

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Iterator, Sequence
    from pathlib import Path as FilePath

    from runner.config.read import Document, Path
    from runner.model import Mapping, Project

_GIVEN = ("coupled", "changed", "deleted", "found")
_EXPECTED = ("actions", "findings", "counts", "stopped")
_FOUND = (Kind.ERROR, Kind.CONFLICT, Kind.DRIFT)


def files(project: Project) -> tuple[FilePath, ...]:
    """Return the files of cases: ``*.test.yaml`` in the folders of the mappings or below."""
    folders = {(project.root / mapping.at.file).resolve().parent for mapping in project.mappings}
    endings = (".test.yaml", ".test.yml")
    found = {p for folder in folders for p in folder.rglob("*") if p.name.endswith(endings)}
    return tuple(sorted(found))


def load(
    project: Project, paths: Sequence[FilePath], likenesses: abc.Mapping[str, Likeness]
) -> tuple[Test, ...]:
    """Read files of cases. ``likenesses`` holds one for each system, by its name.

    Raises:
        ConfigError: they are wrong: every problem of every file.

    """
    problems: list[Problem] = []
    tests = []
    for path in paths:
        document = _document(os.path.relpath(path, project.root.resolve()), path, problems)
        mapping = None if document is None else _mapping(document, project, problems)
        if document is None or mapping is None:
            continue
        binding = _Binding(document, mapping, project, likenesses)
        tests.append(binding.test())
        problems += binding.problems
    if problems:
        raise ConfigError(problems)
    return tuple(tests)


def _document(name: str, path: FilePath, problems: list[Problem]) -> Document | None:
    try:
        found = read(name, path.read_bytes())
    except OSError as error:
        found = Problem(Location(name, 1, 1), f"it cannot be read: {error.strerror}")
    if isinstance(found, Problem):
        problems.append(found)
        return None
    if found.value is None:
        problems.append(Problem(Location(name, 1, 1), "the file is empty"))
        return None
    faults = list(check(found, shipped.folder() / "schemas" / "test.schema.json"))
    problems += faults
    return None if faults else found


def _mapping(document: Document, project: Project, problems: list[Problem]) -> Mapping | None:
    name = document.value["test"]
    known = {mapping.name: mapping for mapping in project.mappings}
    if name not in known:
        hint = nearest(name, known) or f"the mappings are {', '.join(known)}"
        problems.append(Problem(document.at(("test",)), f"there is no mapping '{name}'", hint))
    return known.get(name)


class _Binding:
    """Binds one file of cases."""

    def __init__(
        self,
        document: Document,
        mapping: Mapping,
        project: Project,
        likenesses: abc.Mapping[str, Likeness],
    ) -> None:
        self.problems: list[Problem] = []
        self._document, self._mapping, self._project = document, mapping, project
        self._sides = {mapping.entity(side).system: side for side in Side}
        self._types = types_of(mapping, likenesses, self._values())
        self._likenesses = likenesses

    def test(self) -> Test:
        """Return the cases; whether they are any good, ``problems`` say."""
        looked_up = set(self._mapping.refers_to)
        helpers: dict[tuple[str, str], EntityType] = {}
        for name in sorted(looked_up):
            other = self._project.mapping(name)
            found = self._with(types_of(other, self._likenesses, {}), self._by(name))
            helpers |= {
                (other.entity(side).system, other.entity(side).entity): found[side] for side in Side
            }
        helpers = {**self._looked_into(), **helpers}
        names: dict[str, Location] = {}
        every = self._document.value.get("every", {})
        for system in every:
            if self._known(system, tuple(self._sides), ("every", system)):
                self._record(every[system], ("every", system), self._sides[system])
        cases = []
        for n, case in enumerate(self._document.value["cases"]):
            at = self._document.at(("cases", n))
            if case["name"] in names:
                what = f"there are two cases '{case['name']}'"
                path: Path = ("cases", n, "name")
                self._say(path, what, f"the first is in line {names[case['name']].line}")
            names[case["name"]] = at
            given = self._given(case["given"], ("cases", n, "given"), looked_up)
            expected = self._expected(case["expect"], ("cases", n, "expect"))
            cases.append(Case(name=case["name"], given=given, expected=expected, at=at))
        return Test(
            mapping=self._mapping,
            file=self._document.file,
            types=self._types,
            helpers=helpers,
            cases=tuple(cases),
        )

    def _say(self, path: Path, what: str, hint: str = "", *, key: bool = False) -> None:
        at = self._document.key_at(path) if key else self._document.at(path)
        self.problems.append(Problem(at, what, hint))

    def _known(self, word: str, known: Sequence[str], path: Path) -> bool:
        if word in known:
            return True
        hint = nearest(word, known) or f"known are {', '.join(known)}"
        self._say(path, f"unknown key '{word}'", hint, key=True)
        return False

    def _all_known(self, words: abc.Iterable[str], known: Sequence[str], path: Path) -> bool:
        return not [word for word in words if not self._known(word, known, (*path, word))]

    def _values(self) -> dict[Side, dict[str, list[Any]]]:
        """Gather what the file gives to each field of either side, to tell types by."""
        found: dict[Side, dict[str, list[Any]]] = {side: {} for side in Side}

        def take(system: str, records: Any) -> None:
            for record in records if system in self._sides else ():
                for name, value in record.items():
                    found[self._sides[system]].setdefault(name, []).append(value)

        for system, record in self._document.value.get("every", {}).items():
            take(system, [record])
        for case in self._document.value["cases"]:
            given, expected = case["given"], case["expect"]
            for key, records in (*given.items(), *expected.items()):
                if key not in (*_GIVEN, *_EXPECTED):
                    take(key, records)
            for pair in given.get("coupled", ()):
                for system, record in pair.items():
                    take(system, [record])
            for system, changes in given.get("changed", {}).items():
                take(system, changes.values())
        return found

    def _given(self, value: dict[str, Any], path: Path, looked_up: abc.Collection[str]) -> Given:
        others = [m.name for m in self._project.mappings if m.name != self._mapping.name]
        known = (*self._sides, *_GIVEN, *others)
        strange = [key for key in value if not self._known(key, known, (*path, key))]
        taken: dict[Side, dict[str, Record]] = {side: {} for side in Side}
        told: list[tuple[Side, dict[str, Any], Path]] = [
            (self._sides[system], record, (*path, system, n))
            for system in self._sides
            for n, record in enumerate(value.get(system, ()))
        ]
        pairs: list[dict[Side, tuple[Side, dict[str, Any], Path]]] = []
        for n, pair in enumerate(value.get("coupled", ())):
            at = (*path, "coupled", n)
            if self._all_known(pair, tuple(self._sides), at):
                of_pair = {
                    self._sides[system]: (self._sides[system], record, (*at, system))
                    for system, record in pair.items()
                }
                pairs.append(of_pair)
                told += of_pair.values()
        # Those that say their key come first: a key that is made up must not be one of theirs.
        told.sort(key=lambda one: self._mapping.entity(one[0]).key not in one[1])
        keys = {at: self._take(side, record, at, taken[side]) for side, record, at in told}
        coupled = [(pair[Side.LEFT][2], pair[Side.RIGHT][2]) for pair in pairs]
        tied = {
            side: {keys[pair[0 if side is Side.LEFT else 1]] for pair in coupled} for side in Side
        }
        named = list(self._found(value.get("found", {}), (*path, "found")))
        return Given(
            records={side: tuple(taken[side].values()) for side in Side},
            coupled=tuple((keys[left], keys[right]) for left, right in coupled),
            changed=self._changed(value.get("changed", {}), (*path, "changed"), tied),
            deleted=self._deleted(value.get("deleted", {}), (*path, "deleted"), tied),
            links={
                name: self._links(value[name], (*path, name), name, looked_up, taken, named)
                for name in value
                if name not in (*self._sides, *_GIVEN, *strange)
            },
            named=tuple(named),
        )

    def _take(self, side: Side, told: dict[str, Any], path: Path, taken: dict[str, Record]) -> str:
        """Add a record to those of its side and return its key."""
        entity = self._types[side]
        every = self._document.value.get("every", {}).get(self._mapping.entity(side).system, {})
        record = self._record({**every, **told}, path, side)
        key = record.key or new_key(entity, taken)
        if key in taken:
            self._say(path, f"there are two records '{key}'", f"{entity.key} names one record")
        taken[key] = Record(key=key, values=record.values)
        return key

    def _record(self, told: dict[str, Any], path: Path, of: Side | EntityType) -> Record:
        entity = self._types[of] if isinstance(of, Side) else of
        values = {}
        for name, value in told.items():
            field = entity.fields.get(name)
            if field is None:
                what = f"{entity.name} has no field '{name}' that is known here"
                hint = nearest(name, entity.fields) or "fields of your own: those the mapping names"
                self._say((*path, name), what, hint, key=True)
                continue
            try:
                values[name] = typed(value, field)
            except ValueError as error:
                self._say((*path, name), f"'{name}' is {error}")
        return Record(key=shown(values.get(entity.key)) or "", values=values)

    def _changed(
        self, value: dict[str, Any], path: Path, tied: dict[Side, set[str]]
    ) -> dict[Side, tuple[Record, ...]]:
        found: dict[Side, tuple[Record, ...]] = {}
        for system, changes in value.items():
            if not self._known(system, tuple(self._sides), (*path, system)):
                continue
            side = self._sides[system]
            records = []
            for told, record in changes.items():
                at = (*path, system, told)
                key = self._key(told, side)
                self._must_be_coupled(key, tied[side], at, on_key=True)
                records.append(Record(key=key, values=self._record(record, at, side).values))
            found[side] = tuple(records)
        return found

    def _deleted(
        self, value: dict[str, Any], path: Path, tied: dict[Side, set[str]]
    ) -> dict[Side, tuple[str, ...]]:
        found: dict[Side, tuple[str, ...]] = {}
        for system, keys in value.items():
            if not self._known(system, tuple(self._sides), (*path, system)):
                continue
            side = self._sides[system]
            found[side] = tuple(dict.fromkeys(self._key(key, side) for key in keys))
            for n, key in enumerate(keys):
                self._must_be_coupled(self._key(key, side), tied[side], (*path, system, n))
        return found

    def _must_be_coupled(
        self, key: str, tied: set[str], path: Path, *, on_key: bool = False
    ) -> None:
        if key not in tied:
            hint = nearest(key, tied) or "records that are not coupled are given as they are now"
            self._say(path, f"no coupled record here has the key '{key}'", hint, key=on_key)

    def _looked_into(self) -> dict[tuple[str, str], EntityType]:
        """Return the types of the entities in which the mapping finds values."""
        found: dict[tuple[str, str], EntityType] = {}
        for step in (step for rule in self._mapping.fields for step in rule.finds):
            given = {name: str(value) for name, value in step.arguments}
            system, name = given["system"], given["entity"]
            plain = EntityType(name=name, key=given["by"], fields={})
            known = found.get((system, name)) or self._likenesses[system].types.get(name, plain)
            texts = {n: FieldType(name=n, type=Type.TEXT) for n in (given["by"], given["take"])}
            found[system, name] = replace(known, fields={**texts, **known.fields})
        return found

    def _found(self, value: dict[str, Any], path: Path) -> Iterator[tuple[str, str, Record]]:
        """Bind the records of other entities."""
        types = self._looked_into()
        for system, entities in value.items():
            known = [name for of, name in types if of == system]
            for name, records in entities.items():
                at = (*path, system, name)
                if not self._known(system, tuple(self._sides), (*path, system)):
                    break
                if name not in known:
                    what = f"{self._mapping.name} finds nothing in {name} of {system}"
                    self._say(at, what, nearest(name, known), key=True)
                    continue
                entity, taken = types[system, name], set[str]()
                for n, told in enumerate(records):
                    record = self._record(told, (*at, n), entity)
                    key = record.key or new_key(entity, taken)
                    taken.add(key)
                    yield system, name, Record(key=key, values=record.values)

    def _by(self, name: str) -> abc.Mapping[Side, str]:
        """Return what names the records of another mapping in the references of this one."""
        lookups = (lookup for rule in self._mapping.fields for lookup in rule.lookups)
        return next((lookup.by for lookup in lookups if lookup.mapping == name), {})

    def _with(
        self, types: abc.Mapping[Side, EntityType], by: abc.Mapping[Side, str]
    ) -> dict[Side, EntityType]:
        """Add fields that nobody else names: texts."""
        return {
            side: replace(
                entity,
                fields={
                    **{n: FieldType(name=n, type=Type.TEXT) for n in (by.get(side, ""),) if n},
                    **entity.fields,
                },
            )
            for side, entity in types.items()
        }

    def _links(
        self,
        value: Any,
        path: Path,
        name: str,
        looked_up: abc.Collection[str],
        records: abc.Mapping[Side, abc.Collection[str]],
        named: list[tuple[str, str, Record]],
    ) -> tuple[tuple[str, str], ...]:
        """Bind pairs of another mapping, each told by what the references of this one hold."""
        if name not in looked_up:
            what = f"{self._mapping.name} looks nothing up in {name}"
            self._say(path, what, "it has no effect here: take it out", key=True)
            return ()
        other = self._project.mapping(name)
        by = self._by(name)
        types = self._with(types_of(other, self._likenesses, {}), by)
        systems = tuple(other.entity(side).system for side in Side)
        taken = {side: set(records[side]) for side in Side}
        found = []
        for n, pair in enumerate(value):
            at = (*path, n)
            if not self._all_known(pair, systems, at):
                continue
            if len(pair) < len(systems):
                what = f"it takes a key of {systems[0]} and one of {systems[1]}"
                self._say(at, what)
                continue
            keys = []
            for side, system in zip(Side, systems, strict=True):
                entity = types[side]
                field = entity.fields[by.get(side, entity.key)]
                try:
                    key = shown(typed(pair[system], field)) or ""
                except ValueError as error:
                    self._say((*at, system), f"the key is {error}")
                    continue
                if side in by:
                    held, key = key, new_key(entity, taken[side])
                    record = Record(key=key, values={entity.key: key, field.name: held})
                    named.append((system, entity.name, record))
                taken[side].add(key)
                keys.append(key)
            found.append((keys[0], keys[-1]) if keys else ("", ""))
        return tuple(found)

    def _expected(self, value: dict[str, Any], path: Path) -> Expected:
        known = (*self._sides, *_EXPECTED)
        self._all_known(value, known, path)
        for n, action in enumerate(value.get("actions", ())):
            system = action.partition(" ")[2]
            if system and system not in self._sides:
                hint = nearest(system, self._sides)
                what = f"there is no system '{system}' here"
                self._say((*path, "actions", n), what, hint)
        return Expected(
            records={
                self._sides[system]: tuple(
                    self._record(record, (*path, system, n), self._sides[system])
                    for n, record in enumerate(value[system])
                )
                for system in self._sides
                if system in value
            },
            actions=tuple(value["actions"]) if "actions" in value else None,
            findings=tuple(self._findings(value.get("findings", ()), (*path, "findings"))),
            counts=value.get("counts", {}),
            stopped=value.get("stopped", ""),
        )

    def _findings(self, value: Sequence[dict[str, Any]], path: Path) -> Iterator[Finding]:
        for n, told in enumerate(value):
            at = (*path, n)
            kinds = [kind for kind in _FOUND if kind.value in told]
            keys = [key for key in told if key not in kinds]
            fits = self._all_known(keys, (*self._sides, *_FOUND), at)
            if len(kinds) != 1:
                self._say(at, "a finding is one of error, conflict and drift")
            if len(kinds) != 1 or not fits:
                continue
            (kind,) = kinds
            words = told[kind.value]
            names = [words] if isinstance(words, str) else words
            yield Finding(
                kind=kind,
                words=words if kind is Kind.ERROR else "",
                fields=() if kind is Kind.ERROR else tuple(self._mapped(names, (*at, kind.value))),
                keys={
                    self._sides[system]: self._key(told[system], self._sides[system])
                    for system in keys
                },
            )

    def _mapped(self, names: Sequence[str], path: Path) -> Iterator[str]:
        known = {rule.name(side) for rule in self._mapping.fields for side in Side} - {""}
        for name in names:
            if name not in known:
                self._say(path, f"no field of the mapping is called '{name}'", nearest(name, known))
            yield name

    def _key(self, text: str, side: Side) -> str:
        """Return a key in its canonical form."""
        entity = self._types[side]
        field = entity.fields[entity.key]
        try:
            return shown(typed(text, field)) or ""
        except ValueError:  # a number, written as the key of a block
            return text
