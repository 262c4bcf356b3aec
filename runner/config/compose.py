"""Mappings put together from files: groups of fields used, extensions laid on top.

Works on documents, before anything is checked: what is composed is checked like what was written in
one piece, and every value still knows the file and line it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.config.read import Document
from runner.errors import Location, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.config.read import Path

_OWN = frozenset({"extends", "environment"})


@dataclass(frozen=True, slots=True)
class Part:
    """A value cut out of a document, with the places of all that is in it."""

    value: Any
    values: dict[Path, Location]
    keys: dict[Path, Location]


def laid_on(below: Document, above: Document) -> Document:
    """Merge two files: blocks of keys merged, everything else replaced, null takes out."""
    found = _merged(_cut(below, ()), _cut(above, ()))
    # The whole stands where the lower one stands.
    values = {**found.values, (): below.at(())}
    return Document(below.file, found.value, values, found.keys)


def unused(documents: Sequence[Document]) -> Iterator[Problem]:
    """Note groups that no file uses."""
    shaped = [d for d in documents if isinstance(d.value, dict)]
    entries = [entry for d in shaped for entry in d.value.get("fields") or () if _uses(entry)]
    used = {str(entry["use"]) for entry in entries}
    for document in shaped:
        if "group" in document.value and str(document.value["group"]) not in used:
            at, name = document.at(("group",)), document.value["group"]
            yield Problem(at, f"unused group: nothing says `use: {name}`")


def composed(
    documents: Sequence[Document], environment: str, systems: Sequence[str], problems: list[Problem]
) -> Iterator[Document]:
    """Yield the mappings that the files come to; files whose shape is no block of keys as they are.

    Extensions of a mapping are laid on in the order of the documents, those of the environment
    after those of all.
    """
    shaped = [d for d in documents if isinstance(d.value, dict)]
    groups = _groups(shaped, problems)
    extensions = [d for d in shaped if "extends" in d.value]
    known = [str(d.value["mapping"]) for d in shaped if "mapping" in d.value]
    for extension in extensions:
        name = str(extension.value["extends"])
        if name not in known:
            there = f"the mappings are {', '.join(sorted(known))}" if known else "there are none"
            hint = nearest(name, known) or there
            what = f"there is no mapping '{name}' to extend"
            problems.append(Problem(extension.at(("extends",)), what, hint))
    for document in documents:
        if not isinstance(document.value, dict):
            yield document
            continue
        if "group" in document.value or "extends" in document.value:
            continue
        made = _used(document, groups, problems)
        for extension in _extending(document, extensions, environment):
            used = _used(extension, groups, problems)
            made = _extended(made, used, systems, problems)
        yield made


def _groups(documents: Sequence[Document], problems: list[Problem]) -> dict[str, Document]:
    groups: dict[str, Document] = {}
    for document in documents:
        if "group" not in document.value:
            continue
        name = str(document.value["group"])
        if name in groups:
            what = f"there are two groups '{name}'"
            first = groups[name].at(("group",))
            problems.append(Problem(document.at(("group",)), what, f"the other is {first}"))
        groups.setdefault(name, document)
    return groups


def _extending(
    document: Document, extensions: Sequence[Document], environment: str
) -> Iterator[Document]:
    name = document.value.get("mapping")
    mine = [e for e in extensions if e.value["extends"] == name]
    yield from (e for e in mine if "environment" not in e.value)
    if environment:
        yield from (e for e in mine if e.value.get("environment") == environment)


def _used(document: Document, groups: dict[str, Document], problems: list[Problem]) -> Document:
    """Put the fields of groups where they are used; what stands beside `use` goes to each."""
    fields = document.value.get("fields")
    if not isinstance(fields, list) or not any(_uses(entry) for entry in fields):
        return document
    parts: list[Part] = []
    for n, entry in enumerate(fields):
        here = _cut(document, ("fields", n))
        if not _uses(entry):
            parts.append(here)
            continue
        group = groups.get(str(entry["use"]))
        if group is None:
            what = f"there is no group '{entry['use']}'"
            hint = nearest(str(entry["use"]), groups) or "a group is a file with `group:`"
            problems.append(Problem(document.at(("fields", n, "use")), what, hint))
            continue
        beside = _without(here, {"use"})
        members = group.value.get("fields")
        many = len(members) if isinstance(members, list) else 0
        parts += [_merged(beside, _cut(group, ("fields", k))) for k in range(many)]
    return _with_fields(document, parts)


def _uses(entry: Any) -> bool:
    return isinstance(entry, dict) and "use" in entry


def _extended(
    below: Document, above: Document, systems: Sequence[str], problems: list[Problem]
) -> Document:
    """Lay an extension on a mapping: its fields change, add and remove fields."""
    whole = _without(_cut(above, ()), {*_OWN, "fields"})
    merged = _merged(_cut(below, ()), whole)
    made = Document(below.file, merged.value, {**merged.values, (): below.at(())}, merged.keys)
    fields, changes = made.value.get("fields"), above.value.get("fields")
    if not isinstance(fields, list) or not isinstance(changes, list):
        return made
    parts = [_cut(made, ("fields", n)) for n in range(len(fields))]
    for n, entry in enumerate(changes):
        part = _cut(above, ("fields", n))
        if isinstance(entry, dict):
            parts = _changed(parts, part, systems, above.at(("fields", n)), problems)
        else:
            parts.append(part)
    return _with_fields(made, parts)


def _changed(
    parts: list[Part], change: Part, systems: Sequence[str], at: Location, problems: list[Problem]
) -> list[Part]:
    ends = {name: change.value[name] for name in systems if name in change.value}
    found = [
        n
        for n, part in enumerate(parts)
        if ends
        and isinstance(part.value, dict)
        and all(part.value.get(name) == end for name, end in ends.items())
    ]
    removes = change.value.get("remove") is True
    named = ", ".join(f"{name}: {end}" for name, end in ends.items())
    if len(found) > 1:
        problems.append(Problem(at, f"{len(found)} fields are {{{named}}}", "name both its ends"))
        return parts
    if not found:
        if removes:
            known = [str(p.value.get(s)) for p in parts for s in ends if isinstance(p.value, dict)]
            hint = nearest(str(next(iter(ends.values()), "")), known)
            problems.append(Problem(at, f"there is no field {{{named}}} to remove", hint))
            return parts
        return [*parts, change]
    (n,) = found
    if removes:
        return [*parts[:n], *parts[n + 1 :]]
    return [*parts[:n], _merged(parts[n], change), *parts[n + 1 :]]


def _with_fields(document: Document, parts: list[Part]) -> Document:
    value = {**document.value, "fields": [part.value for part in parts]}
    inside = ("fields",)
    values = {p: at for p, at in document.values.items() if p[:1] != inside or p == inside}
    keys = {p: at for p, at in document.keys.items() if p[:1] != inside or p == inside}
    for n, part in enumerate(parts):
        values |= {("fields", n, *path): at for path, at in part.values.items()}
        keys |= {("fields", n, *path): at for path, at in part.keys.items()}
    return Document(document.file, value, values, keys)


def _cut(document: Document, path: Path) -> Part:
    value = document.value
    for step in path:
        value = value[step]
    length = len(path)
    return Part(
        value,
        {p[length:]: at for p, at in document.values.items() if p[:length] == path},
        {p[length:]: at for p, at in document.keys.items() if p[:length] == path},
    )


def _without(part: Part, names: set[str]) -> Part:
    return Part(
        {key: value for key, value in part.value.items() if key not in names},
        {p: at for p, at in part.values.items() if not p or p[0] not in names},
        {p: at for p, at in part.keys.items() if not p or p[0] not in names},
    )


def _merged(below: Part, above: Part) -> Part:
    """Merge blocks of keys; what the upper one says stands where it says it."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    value: dict[str, Any] = {}
    values: dict[Path, Location] = {(): above.values.get((), below.values[()])}
    keys: dict[Path, Location] = {}
    for name in dict.fromkeys((*below.value, *above.value)):
        if name in above.value and above.value[name] is None:
            continue
        sides = [_inside(p, name) for p in (below, above) if name in p.value]
        child = sides[0] if len(sides) == 1 else _merged(*sides)
        value[name] = child.value
        values |= {(name, *path): at for path, at in child.values.items()}
        keys |= {(name, *path): at for path, at in child.keys.items()}
    return Part(value, values, keys)


def _inside(part: Part, name: str) -> Part:
    return Part(
        part.value[name],
        {p[1:]: at for p, at in part.values.items() if p[:1] == (name,)},
        {p[1:]: at for p, at in part.keys.items() if p[:1] == (name,)},
    )
