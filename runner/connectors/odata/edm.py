"""What CSDL describes as the runner sees it: canonical types, columns, keys, lookups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from runner.connectors.odata.columns import Column
from runner.wire import EntityType, FieldType, Type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.connectors.odata.csdl import EntitySet, Navigation, Property

_TYPES: Mapping[str, Type] = {
    "Edm.String": Type.TEXT,
    "Edm.Byte": Type.INTEGER,
    "Edm.SByte": Type.INTEGER,
    "Edm.Int16": Type.INTEGER,
    "Edm.Int32": Type.INTEGER,
    "Edm.Int64": Type.INTEGER,
    "Edm.Decimal": Type.DECIMAL,
    "Edm.Single": Type.DECIMAL,
    "Edm.Double": Type.DECIMAL,
    "Edm.Boolean": Type.BOOLEAN,
    "Edm.Date": Type.DATE,
    "Edm.DateTimeOffset": Type.INSTANT,
    "Edm.Guid": Type.GUID,
    "Edm.TimeOfDay": Type.TEXT,
    "Edm.Duration": Type.TEXT,
    "Edm.Binary": Type.TEXT,
}
_WORDLESS = frozenset({"Edm.TimeOfDay", "Edm.Duration", "Edm.Binary"})
"""Types that travel as texts, but that nobody can compare with a text."""

KEYS_APART = ","
"""What stands between the names of a key of several fields, where they are one name."""


class Reading(Protocol):
    """How one kind of server means what it describes."""

    @property
    def stamps(self) -> Sequence[str]:
        """The fields that may tell when a record changed, the best first."""
        ...

    @property
    def labels(self) -> Sequence[str]:
        """The fields that may name a record for people, the best first."""
        ...

    def kind(self, told: Property, kind: Type) -> Type | None:
        """Return the type of a property, given that of its Edm type; ``None`` leaves it out."""
        ...

    def settable(self, told: Property, within: EntitySet) -> tuple[bool, bool]:
        """Whether a property may be set on creation, and later; keys are taken care of."""
        ...

    def required(self, told: Property) -> bool:
        """Whether a new record needs a value."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How a lookup is written that has no field of its own: bound by its navigation property.

    ``target`` is an entity set, ``key`` the type of its key.
    """

    navigation: str
    target: str
    key: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An entity set as a connector uses it: its type, its columns by field, where it is."""

    type: EntityType
    columns: Mapping[str, Column]
    url: str
    bound: Mapping[str, Bound]

    @property
    def key(self) -> Column:
        """The column of the key."""
        return self.columns[self.type.key]


Place = Callable[[str], str]
"""Tells the address of an entity set by its name."""


def table(found: EntitySet, reading: Reading, place: Place) -> Table | None:
    """Make a table of an entity set; ``None`` where it has no key that records are known by."""
    made = {one.name: one for told in found.properties for one in _made(told, found, reading)}
    if not found.keys or any(key not in made for key in found.keys):
        return None
    ways = list(_ways(found, made))
    for one, _ in ways:
        made[one.name] = one
    key = KEYS_APART.join(found.keys)
    if len(found.keys) > 1:
        made[key] = _together(key, [made[name].column for name in found.keys])
    fields = {name: one.field for name, one in made.items()}
    return Table(
        type=EntityType(
            name=found.name,
            key=key,
            fields=fields,
            modified=next((name for name in reading.stamps if name in fields), ""),
            label=next((name for name in reading.labels if name in fields), ""),
        ),
        columns={name: one.column for name, one in made.items()},
        url=place(quote(found.name)),
        bound={one.name: bound for one, bound in ways if bound is not None},
    )


@dataclass(frozen=True, slots=True)
class _Made:
    field: FieldType
    column: Column

    @property
    def name(self) -> str:
        return self.field.name


def _made(told: Property, within: EntitySet, reading: Reading) -> Iterator[_Made]:
    """Make a field of a property that has a canonical type."""
    kind = Type.OPTION if told.members else _TYPES.get(told.type)
    kind = None if kind is None else reading.kind(told, kind)
    if kind is None:
        return
    on_create, on_update = reading.settable(told, within)
    yield _Made(
        FieldType(
            name=told.name,
            type=kind,
            max_length=told.length,
            scale=told.scale if kind is Type.DECIMAL else None,
            on_create=on_create,
            # A key names its record; writing it would rename it, with all that hangs on it (B6).
            on_update=on_update and told.name not in within.keys,
            options=told.members,
            required=reading.required(told),
        ),
        Column(
            name=told.name,
            property=told.name,
            type=kind,
            select=quote(told.name, safe="/"),
            askable=told.type not in _WORDLESS,
            midnight=kind is Type.DATE and told.type == "Edm.DateTimeOffset",
            prefix=told.type if told.members else "",
            bare=told.type in _WORDLESS,
        ),
    )


def _ways(found: EntitySet, made: Mapping[str, _Made]) -> Iterator[tuple[_Made, Bound | None]]:
    """Make references: of the field that holds the other's key, else of the way itself."""
    for way in found.navigations:
        if not way.target or way.type not in _TYPES:
            continue
        key = _TYPES[way.type]
        if way.constraint is None:
            yield _by_way(way, key), Bound(navigation=way.name, target=way.target, key=key)
            continue
        own, other = way.constraint
        # A part of our own key stays what it is.
        if own in made and other == way.key and own not in found.keys:
            yield _by_field(made[own], way.target), None


def _by_field(one: _Made, target: str) -> _Made:
    kind = _referring(one.field.type)
    column = replace(one.column, type=kind, number=one.field.type is Type.INTEGER)
    return _Made(replace(one.field, type=kind, targets=(target,)), column)


def _by_way(way: Navigation, key: Type) -> _Made:
    kind = _referring(key)
    return _Made(
        FieldType(name=way.name, type=kind, targets=(way.target,)),
        Column(
            name=way.name,
            property=f"{way.name}/{way.key}",
            type=kind,
            select="",
            expand=f"{quote(way.name)}($select={quote(way.key)})",
            number=key is Type.INTEGER,
        ),
    )


def _referring(key: Type) -> Type:
    """Return the type of a reference: a text stays text, for its upper case would be lost."""
    return Type.REFERENCE if key in (Type.GUID, Type.INTEGER) else key


def _together(name: str, parts: Sequence[Column]) -> _Made:
    field = FieldType(name=name, type=Type.TEXT, on_create=False, on_update=False)
    select = ",".join(part.select for part in parts)
    column = Column(name=name, property="", type=Type.TEXT, select=select, parts=tuple(parts))
    return _Made(field, column)
