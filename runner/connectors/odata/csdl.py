"""``$metadata``: entity sets and their types out of CSDL XML, only those that are asked for.

OASIS OData CSDL XML 4.01; protocols B2. An organisation's document can be tens of megabytes: it is
read as a stream, twice, first for what there is, then for the types that are wanted. No tree is
made of it, and no more is kept than was asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_TOLD = ("Bool", "EnumMember", "String", "Int")
"""Attributes of an annotation that may hold its value."""


class MetadataError(Exception):
    """The document is not what it should be. ``garbled``: it may be whole the next time."""

    def __init__(self, reason: str, *, garbled: bool = False) -> None:
        super().__init__(reason)
        self.garbled = garbled


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property. ``type`` is an Edm type, or the qualified name of an enumeration.

    ``name`` of a property within a complex one is its path: ``Address/City``. ``members`` are those
    of its enumeration, ``notes`` its annotations by term. ``default``: it has one.
    """

    name: str
    type: str
    nullable: bool = True
    default: bool = False
    length: int | None = None
    scale: int | None = None
    members: tuple[tuple[int, str], ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """A way to one other record. ``target`` is its entity set, empty where none is bound.

    ``key`` is the name of that record's key, ``type`` its Edm type. ``constraint``: the own
    property that holds the key of the other record, and that key's name.
    """

    name: str
    target: str
    key: str
    type: str
    constraint: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """One entity set as it is described; properties of its base types come first."""

    name: str
    keys: tuple[str, ...]
    properties: tuple[Property, ...]
    navigations: tuple[Navigation, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


def entity_sets(content: bytes, wanted: Collection[str]) -> Sequence[EntitySet]:
    """Return the wanted entity sets that exist.

    Raises:
        MetadataError: it is no well-formed CSDL, or brings entities of its own along (an attack).

    """
    outline = _Outline()
    _read(content, outline)
    sets = {name: told for name, told in outline.sets.items() if name in wanted}
    targets = {
        outline.sets[t].type for s in sets.values() for t in s.bound.values() if t in outline.sets
    }
    types = _Types(outline, {one.type for one in sets.values()} | targets)
    _read(content, types)
    return [types.entity_set(name, told) for name, told in sets.items()]


def names(content: bytes) -> Sequence[str]:
    """Return the names of all entity sets.

    Raises:
        MetadataError: as ``entity_sets``.

    """
    outline = _Outline()
    _read(content, outline)
    return sorted(outline.sets)


def _read(content: bytes, target: _Target) -> None:
    # The parser would follow no external entity, and `doctype` below refuses internal ones.
    parser = ET.XMLParser(target=target)  # noqa: S314
    try:
        parser.feed(content)
        parser.close()
    except ET.ParseError as error:
        raise MetadataError(f"it is no XML: {error}", garbled=True) from error


class _Target:
    """What an XML parser tells its news to; knows in which schema it is, and what it notes."""

    def __init__(self) -> None:
        self._begun = False
        self._aliases: dict[str, str] = {}
        self._term, self._told = "", ""
        self.namespace = ""

    def doctype(self, name: str, *_: str | None) -> None:
        raise MetadataError(f"it declares a document type, '{name}'")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        tag = _local(tag)
        if not self._begun and tag != "Edmx":
            raise MetadataError(f"it is no CSDL, but <{tag}>")
        self._begun = True
        if tag == "Schema":
            self.namespace = attributes.get("Namespace", "")
            self._aliases[attributes.get("Alias", "")] = self.namespace
        elif tag == "Include" and "Alias" in attributes:
            self._aliases[attributes["Alias"]] = attributes.get("Namespace", "")
        elif tag == "Annotation":
            self._term = self.qualified(attributes.get("Term", ""))
            # A term without value holds: that is what most of them are for.
            self._told = next((attributes[n] for n in _TOLD if n in attributes), "true")
        elif tag == "PropertyValue" and self._term:
            told = next((attributes[n] for n in _TOLD if n in attributes), "")
            self.noted(f"{self._term}/{attributes.get('Property', '')}", told)
        self.opened(tag, attributes)

    def data(self, text: str) -> None:
        if self._term and text.strip():
            self._told = text.strip()

    def end(self, tag: str) -> None:
        tag = _local(tag)
        if tag == "Annotation" and self._term:
            self.noted(self._term, self._told)
            self._term = ""
        self.closed(tag)

    def close(self) -> None: ...

    def opened(self, tag: str, attributes: Mapping[str, str]) -> None: ...

    def closed(self, tag: str) -> None: ...

    def noted(self, term: str, told: str) -> None: ...

    def qualified(self, name: str) -> str:
        """Return the full name of what is named by the alias of its schema."""
        space, dot, last = name.rpartition(".")
        return f"{self._aliases.get(space, space)}{dot}{last}" if space else name


@dataclass(frozen=True, slots=True)
class _Set:
    type: str
    bound: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


class _Outline(_Target):
    """Finds all entity sets, what types are based on, enumerations and new names of types."""

    def __init__(self) -> None:
        super().__init__()
        self.sets: dict[str, _Set] = {}
        self.bases: dict[str, str] = {}
        self.named: dict[str, Mapping[str, str]] = {}
        self.members: dict[str, list[tuple[int, str]]] = {}
        self._set: _Set | None = None
        self._enumeration = ""

    def opened(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = attributes.get("Name", "")
        full = f"{self.namespace}.{name}"
        match tag:
            case "EntitySet" if name:
                self._set = _Set(self.qualified(attributes.get("EntityType", "")))
                self.sets[name] = self._set
            case "NavigationPropertyBinding" if self._set:
                path, target = attributes.get("Path", ""), attributes.get("Target", "")
                self._set.bound[path] = target.rpartition("/")[2]
            case "EntityType" | "ComplexType" if "BaseType" in attributes:
                self.bases[full] = self.qualified(attributes["BaseType"])
            case "TypeDefinition":
                self.named[full] = attributes
            case "EnumType":
                self._enumeration = full
                self.members[full] = []
            case "Member" if self._enumeration:
                known = self.members[self._enumeration]
                value = attributes.get("Value", "")
                known.append((int(value) if _whole(value) else len(known), name))

    def closed(self, tag: str) -> None:
        if tag == "EntitySet":
            self._set = None
        elif tag == "EnumType":
            self._enumeration = ""

    def noted(self, term: str, told: str) -> None:
        if self._set:
            self._set.notes[term] = told

    def line(self, name: str) -> Iterator[str]:
        """Yield a type and what it is based on, the deepest first."""
        found: list[str] = []
        while name and name not in found:
            found.append(name)
            name = self.bases.get(name, "")
        yield from reversed(found)


@dataclass(frozen=True, slots=True)
class _Property:
    attributes: Mapping[str, str]
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Way:
    attributes: Mapping[str, str]
    constraints: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Type:
    keys: list[str] = field(default_factory=list)
    properties: list[_Property] = field(default_factory=list)
    ways: list[_Way] = field(default_factory=list)


class _Types(_Target):
    """Collects the wanted entity types with what they are based on, and all complex types."""

    def __init__(self, outline: _Outline, wanted: Collection[str]) -> None:
        super().__init__()
        self._outline = outline
        self._wanted = {name for one in wanted for name in outline.line(one)}
        self._type: _Type | None = None
        self._property: _Property | None = None
        self._way: _Way | None = None
        self._target = ""
        self._found: dict[str, _Type] = {}
        self._outside: dict[str, dict[str, str]] = {}

    def opened(self, tag: str, attributes: Mapping[str, str]) -> None:
        full = f"{self.namespace}.{attributes.get('Name', '')}"
        match tag:
            case "EntityType" | "ComplexType":
                kept = tag == "ComplexType" or full in self._wanted
                self._type = self._found.setdefault(full, _Type()) if kept else None
            case "PropertyRef" if self._type:
                self._type.keys.append(attributes.get("Name", ""))
            case "Property" if self._type:
                self._property = _Property(
                    {**attributes, "Type": self.qualified(attributes.get("Type", ""))}
                )
                self._type.properties.append(self._property)
            case "NavigationProperty" if self._type:
                self._way = _Way({**attributes, "Type": self.qualified(attributes.get("Type", ""))})
                self._type.ways.append(self._way)
            case "ReferentialConstraint" if self._way:
                own, other = (
                    attributes.get("Property", ""),
                    attributes.get("ReferencedProperty", ""),
                )
                self._way.constraints.append((own, other))
            case "Annotations":
                space, slash, last = attributes.get("Target", "").partition("/")
                self._target = f"{self.qualified(space)}{slash}{last}"

    def closed(self, tag: str) -> None:
        match tag:
            case "EntityType" | "ComplexType":
                self._type = None
            case "Property":
                self._property = None
            case "NavigationProperty":
                self._way = None
            case "Annotations":
                self._target = ""

    def noted(self, term: str, told: str) -> None:
        if self._property:
            self._property.notes[term] = told
        elif self._target:
            self._outside.setdefault(self._target, {})[term] = told

    def entity_set(self, name: str, told: _Set) -> EntitySet:
        """Put together what was found of an entity set."""
        line = [
            (one, self._found[one]) for one in self._outline.line(told.type) if one in self._found
        ]
        outside = {
            term: value
            for target, notes in self._outside.items()
            if target.rpartition("/")[2] == name and "/" in target
            for term, value in notes.items()
        }
        return EntitySet(
            name=name,
            keys=self._keys(told.type),
            properties=tuple(
                found for full, one in line for p in one.properties for found in self._flat(p, full)
            ),
            navigations=tuple(
                found for _, one in line for way in one.ways for found in self._way_of(way, told)
            ),
            notes={**told.notes, **outside},
        )

    def _keys(self, full: str) -> tuple[str, ...]:
        line = [self._found[one] for one in self._outline.line(full) if one in self._found]
        return next((tuple(one.keys) for one in line if one.keys), ())

    def _flat(
        self, told: _Property, owner: str, above: str = "", deep: int = 0
    ) -> Iterator[Property]:
        """Yield a property; a complex one as what is in it, by their paths."""
        own = told.attributes.get("Name", "")
        kind = told.attributes["Type"]
        notes = {**told.notes, **self._outside.get(f"{owner}/{own}", {})}
        if kind in self._found and deep < _DEEPEST:
            for full in self._outline.line(kind):
                for inner in self._found.get(full, _Type()).properties:
                    yield from self._flat(inner, full, f"{above}{own}/", deep + 1)
            return
        named = self._outline.named.get(kind, {})
        facets = {**named, **told.attributes}
        yield Property(
            name=f"{above}{own}",
            type=self._plain(kind),
            nullable=facets.get("Nullable") != "false",
            default="DefaultValue" in facets,
            length=_number(facets.get("MaxLength", "")),
            scale=_number(facets.get("Scale", "")),
            members=tuple(self._outline.members.get(kind, ())),
            notes=notes,
        )

    def _way_of(self, way: _Way, told: _Set) -> Iterator[Navigation]:
        """Yield a way to one record; those to many are nothing that a record holds."""
        name, kind = way.attributes.get("Name", ""), way.attributes["Type"]
        target = told.bound.get(name, "")
        there = self._outline.sets.get(target)
        full = there.type if there else kind
        keys = self._keys(full)
        if kind.startswith("Collection(") or len(keys) != 1:
            return
        alone = way.constraints[0] if len(way.constraints) == 1 else None
        kinds = {
            p.attributes.get("Name"): self._plain(p.attributes["Type"])
            for one in self._outline.line(full)
            for p in self._found.get(one, _Type()).properties
        }
        yield Navigation(
            name=name, target=target, key=keys[0], type=kinds.get(keys[0], ""), constraint=alone
        )

    def _plain(self, kind: str) -> str:
        return self._outline.named.get(kind, {}).get("UnderlyingType", kind)


_DEEPEST = 4
"""Complex types within complex types that are still looked into: some contain themselves."""


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _whole(text: str) -> bool:
    return re.fullmatch("-?[0-9]{1,18}", text) is not None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
