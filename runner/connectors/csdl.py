"""``$metadata`` of NAV: entity types out of CSDL, only those that are asked for (protocols B2).

An organisation's document can be tens of megabytes: it is read as a stream, twice, first for the
names of the types, then for the types. No tree is made of it, and no more is kept than was asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from runner.wire import EntityType, FieldType, Type

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_TYPES: Mapping[str, Type] = {
    "Edm.String": Type.TEXT,
    "Edm.Byte": Type.INTEGER,
    "Edm.Int16": Type.INTEGER,
    "Edm.Int32": Type.INTEGER,
    "Edm.Int64": Type.INTEGER,
    "Edm.Decimal": Type.DECIMAL,
    "Edm.Double": Type.DECIMAL,
    "Edm.Boolean": Type.BOOLEAN,
    "Edm.Date": Type.DATE,
    "Edm.DateTimeOffset": Type.INSTANT,
    "Edm.Guid": Type.GUID,
}
_NAV_TYPES: Mapping[tuple[Type, str], Type] = {
    (Type.TEXT, "Code"): Type.CODE,
    (Type.TEXT, "Enum"): Type.OPTION,
    (Type.TEXT, "Option"): Type.OPTION,
    (Type.INSTANT, "Date"): Type.DATE,
}
"""What ``NAV.NavType`` adds to the type that a property has on the wire."""

_STAMPS = ("Last_Modified_Date_Time", "Last_DateTime_Modified", "Last_Date_Modified")
_LABELS = ("Name", "Description")


class MetadataError(Exception):
    """The document is not what it should be. ``garbled``: it may be whole the next time."""

    def __init__(self, reason: str, *, garbled: bool = False) -> None:
        super().__init__(reason)
        self.garbled = garbled


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One entity set: its type, the fields of its key, and dates that travel as instants."""

    type: EntityType
    keys: tuple[str, ...]
    midnights: frozenset[str]


def entity_sets(content: bytes, wanted: Collection[str]) -> Sequence[Described]:
    """Return the wanted entity sets that exist.

    Raises:
        MetadataError: it is no well-formed CSDL, or brings entities of its own along (an attack).

    """
    sets = _Sets(frozenset(wanted))
    _read(content, sets)
    types = _Types(frozenset(sets.found.values()))
    _read(content, types)
    return [
        _described(name, types.found[kind])
        for name, kind in sets.found.items()
        if kind in types.found
    ]


def names(content: bytes) -> Sequence[str]:
    """Return the names of all entity sets.

    Raises:
        MetadataError: as ``entity_sets``.

    """
    sets = _Sets(None)
    _read(content, sets)
    return sorted(sets.found)


def _read(content: bytes, target: _Sets | _Types) -> None:
    # The parser would follow no external entity, and `doctype` below refuses internal ones.
    parser = ET.XMLParser(target=target)  # noqa: S314
    try:
        parser.feed(content)
        parser.close()
    except ET.ParseError as error:
        raise MetadataError(f"it is no XML: {error}", garbled=True) from error


class _Target:
    """What an XML parser tells its news to."""

    def __init__(self) -> None:
        self._begun = False

    def doctype(self, name: str, *_: str | None) -> None:
        raise MetadataError(f"it declares a document type, '{name}'")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if not self._begun and _local(tag) != "Edmx":
            raise MetadataError(f"it is no CSDL, but <{_local(tag)}>")
        self._begun = True
        self.opened(_local(tag), attributes)

    def opened(self, tag: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def data(self, text: str) -> None: ...

    def close(self) -> None: ...


class _Sets(_Target):
    """Finds the entity sets that are wanted (``None``: all), and the names of their types."""

    def __init__(self, wanted: Collection[str] | None) -> None:
        super().__init__()
        self._wanted = wanted
        self.found: dict[str, str] = {}

    def opened(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = attributes.get("Name")
        if tag == "EntitySet" and name and (self._wanted is None or name in self._wanted):
            kind = attributes.get("EntityType", "").rpartition(".")[2]
            self.found[attributes["Name"]] = kind


@dataclass(frozen=True, slots=True)
class _Property:
    attributes: Mapping[str, str]
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Type:
    keys: list[str] = field(default_factory=list)
    properties: list[_Property] = field(default_factory=list)


class _Types(_Target):
    """Collects keys and properties of the types that are wanted, with their annotations."""

    def __init__(self, wanted: Collection[str]) -> None:
        super().__init__()
        self._wanted = wanted
        self._type: _Type | None = None
        self._property: _Property | None = None
        self._term = ""
        self.found: dict[str, _Type] = {}

    def opened(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = attributes.get("Name", "")
        match tag:
            case "EntityType":
                self._type = self.found.setdefault(name, _Type()) if name in self._wanted else None
            case "PropertyRef" if self._type:
                self._type.keys.append(name)
            case "Property" if self._type:
                self._property = _Property(attributes)
                self._type.properties.append(self._property)
            case "Annotation" if self._property:
                self._term = attributes.get("Term", "")
                told = attributes.get("Bool", attributes.get("EnumMember", ""))
                self._property.notes[self._term] = told

    def data(self, text: str) -> None:
        if self._property and self._term:
            self._property.notes[self._term] += text.strip()

    def end(self, tag: str) -> None:
        match _local(tag):
            case "EntityType":
                self._type = None
            case "Property":
                self._property = None
            case "Annotation":
                self._term = ""


def _described(name: str, told: _Type) -> Described:
    fields = {f.name: f for p in told.properties if (f := _field(p, told.keys)) is not None}
    kinds = {p.attributes["Name"]: p.attributes.get("Type") for p in told.properties}
    kind = EntityType(
        name=name,
        key=told.keys[0] if told.keys else "",
        fields=fields,
        modified=next((known for known in _STAMPS if known in fields), ""),
        label=next((known for known in _LABELS if known in fields), ""),
    )
    midnights = frozenset(
        found.name
        for found in fields.values()
        if found.type is Type.DATE and kinds[found.name] == "Edm.DateTimeOffset"
    )
    return Described(type=kind, keys=tuple(told.keys), midnights=midnights)


def _field(told: _Property, keys: Collection[str]) -> FieldType | None:
    """Make a field of a property; ``None`` for what has no canonical type, and for the ETag."""
    name, edm = told.attributes.get("Name", ""), told.attributes.get("Type", "")
    if edm not in _TYPES or name == "ETag":
        return None
    kind = _TYPES[edm]
    kind = _NAV_TYPES.get((kind, told.notes.get("NAV.NavType", "").rpartition("/")[2]), kind)
    edit = told.notes.get("NAV.AllowEdit") != "false" and told.notes.get("NAV.IsReadOnly") != "true"
    length, scale = told.attributes.get("MaxLength", ""), told.attributes.get("Scale", "")
    return FieldType(
        name=name,
        type=kind,
        max_length=int(length) if length.isdigit() else None,
        scale=int(scale) if scale.isdigit() and kind is Type.DECIMAL else None,
        on_create=edit,
        # Writing a key renames the record, with all that hangs on it (B6).
        on_update=edit and name not in keys,
        required=told.notes.get("NAV.IsRequired") == "true",
    )


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
