"""Dataverse's own description of its tables: ``EntityDefinitions`` (protocols A3, A5)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from runner.connectors.line.http import Request
from runner.connectors.odata import language as odata
from runner.connectors.odata.columns import Column
from runner.connectors.odata.rows import decoded
from runner.wire import EntityType, FieldType, Type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from runner.connectors.line.http import Client

Told = TypeVar("Told")

_TYPES: Mapping[str, Type] = {
    "String": Type.TEXT,
    "Memo": Type.TEXT,
    "Integer": Type.INTEGER,
    "BigInt": Type.INTEGER,
    "Picklist": Type.INTEGER,
    "State": Type.INTEGER,
    "Status": Type.INTEGER,
    "Decimal": Type.DECIMAL,
    "Money": Type.DECIMAL,
    "Double": Type.DECIMAL,
    "Boolean": Type.BOOLEAN,
    "DateTime": Type.INSTANT,
    "Uniqueidentifier": Type.GUID,
    "Lookup": Type.REFERENCE,
    "Customer": Type.REFERENCE,
    "Owner": Type.REFERENCE,
}
_LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
_DETAILS: Mapping[str, tuple[str, Collection[str]]] = {
    "StringAttributeMetadata": ("MaxLength", {"String"}),
    "MemoAttributeMetadata": ("MaxLength", {"Memo"}),
    "MoneyAttributeMetadata": ("Precision", {"Money"}),
    "DecimalAttributeMetadata": ("Precision", {"Decimal"}),
    "DoubleAttributeMetadata": ("Precision", {"Double"}),
    "DateTimeAttributeMetadata": ("Format", {"DateTime"}),
    "LookupAttributeMetadata": ("Targets", _LOOKUPS),
    "PicklistAttributeMetadata": ("OptionSet", {"Picklist"}),
    "StateAttributeMetadata": ("OptionSet", {"State"}),
    "StatusAttributeMetadata": ("OptionSet", {"Status"}),
}
"""What only attributes of one kind tell, and the types of these attributes."""

_NAMES = (
    "LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,"
    "ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled"
)
_ATTRIBUTES = (
    "Attributes($select=LogicalName,AttributeType,"
    "IsValidForCreate,IsValidForUpdate,IsValidForRead,RequiredLevel)"
)
_RELATIONS = (
    "ManyToOneRelationships($select=ReferencingAttribute,ReferencedEntity,"
    "ReferencingEntityNavigationPropertyName)"
)
TARGET = "Microsoft.Dynamics.CRM.lookuplogicalname"
"""The annotation that tells what a lookup of several targets points to."""

_NAMES_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One entity set: its type, its columns by field, and how its lookups are written.

    ``navigation`` holds for each lookup the navigation property by target entity set. ``guarded``:
    writes can be bound to what was read (optimistic concurrency, A8). ``states`` are the fields of
    its state, ``choices`` those whose options can be told and added to. ``logical`` is the name of
    the table.
    """

    type: EntityType
    columns: Mapping[str, Column]
    navigation: Mapping[str, Mapping[str, str]]
    guarded: bool = True
    states: frozenset[str] = frozenset()
    logical: str = ""
    choices: frozenset[str] = frozenset()

    @property
    def key(self) -> Column:
        """The column of the key."""
        return self.columns[self.type.key]


class Definitions:
    """Asks an organisation for definitions, for each entity set once."""

    def __init__(self, base: str, client: Client) -> None:
        self._base, self._client = base, client
        self._known: dict[str, Definition] = {}
        self._sets: dict[str, str | None] = {}
        self._asking = asyncio.Lock()

    def known(self, entity: str) -> Definition | None:
        """Return a definition that was asked for before."""
        return self._known.get(entity)

    async def of(self, entities: Sequence[str]) -> Sequence[Definition]:
        """Return the definitions of those entity sets that exist, in the order asked.

        Raises:
            SystemUnavailableError: the organisation does not tell them.

        """
        async with self._asking:
            missing = [name for name in dict.fromkeys(entities) if name not in self._known]
            if missing:
                await self._ask(missing)
        return [self._known[name] for name in entities if name in self._known]

    async def names(self) -> Sequence[str]:
        """Return the names of all entity sets."""
        found = await self._get("EntityDefinitions?$select=LogicalName,EntitySetName", _Set)
        return sorted(one.set for one in found if one.set)

    async def _ask(self, missing: Sequence[str]) -> None:
        chosen = f"$filter={_either('EntitySetName', missing)}&$expand={_ATTRIBUTES},{_RELATIONS}"
        told = await self._get(f"EntityDefinitions?$select={_NAMES}&{chosen}", _Told)
        self._sets |= {one.name: one.set for one in told}
        asked = [(one, kind) for one in told for kind in _kinds(one)]
        answers = await asyncio.gather(
            *(self._details(one.name, kind) for one, kind in asked), return_exceptions=True
        )
        details: dict[str, dict[str, _Detail]] = {one.name: {} for one in told}
        for (one, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            details[one.name] |= {detail.name: detail for detail in answer}
        await self._name_targets(details.values())
        for one in told:
            self._known[one.set] = _definition(one, details[one.name], self._sets)

    async def _details(self, logical: str, kind: str) -> Sequence[_Detail]:
        attributes = f"EntityDefinitions(LogicalName='{logical}')/Attributes"
        told = _DETAILS[kind][0]
        chosen = f"$select=LogicalName,{told}"
        if told == "OptionSet":
            chosen = "$select=LogicalName&$expand=OptionSet($select=Options)"
        path = f"{attributes}/Microsoft.Dynamics.CRM.{kind}?{chosen}"
        return await self._get(path, _Detail)

    async def _name_targets(self, details: Iterable[Mapping[str, _Detail]]) -> None:
        """Learn which entity sets lookups lead to: attributes tell logical names alone."""
        targets = {
            name for found in details for detail in found.values() for name in detail.targets
        }
        unknown = sorted(targets - set(self._sets))
        for start in range(0, len(unknown), _NAMES_AT_ONCE):
            names = _either("LogicalName", unknown[start : start + _NAMES_AT_ONCE])
            path = f"EntityDefinitions?$select=LogicalName,EntitySetName&$filter={names}"
            self._sets |= {one.name: one.set for one in await self._get(path, _Set) if one.set}

    async def _get(self, path: str, kind: type[Told]) -> Sequence[Told]:
        decoder: msgspec.json.Decoder[_Answer[Told]] = msgspec.json.Decoder(_Answer[kind])  # type: ignore[valid-type]
        request = Request(
            method="GET",
            url=f"{self._base}/{path.replace(' ', '%20')}",
            headers=odata.HEADERS,
            about="EntityDefinitions",
        )
        answer = await self._client.read(request, lambda content: decoded(content, decoder))
        return answer.value


class _Set(msgspec.Struct):
    name: str = msgspec.field(name="LogicalName")
    set: str | None = msgspec.field(name="EntitySetName")


class _Level(msgspec.Struct):
    value: str | None = msgspec.field(default=None, name="Value")


class _Label(msgspec.Struct):
    text: str | None = msgspec.field(default=None, name="Label")


class _Labels(msgspec.Struct):
    mine: _Label | None = msgspec.field(default=None, name="UserLocalizedLabel")


class _Option(msgspec.Struct):
    value: int = msgspec.field(name="Value")
    labels: _Labels | None = msgspec.field(default=None, name="Label")

    @property
    def caption(self) -> str:
        label = self.labels.mine if self.labels else None
        return (label.text if label else None) or ""


class _Options(msgspec.Struct):
    options: list[_Option] = msgspec.field(default_factory=list, name="Options")


class _Attribute(msgspec.Struct):
    name: str = msgspec.field(name="LogicalName")
    type: str = msgspec.field(name="AttributeType")
    create: bool | None = msgspec.field(name="IsValidForCreate")
    update: bool | None = msgspec.field(name="IsValidForUpdate")
    read: bool | None = msgspec.field(name="IsValidForRead")
    required: _Level | None = msgspec.field(default=None, name="RequiredLevel")


class _Relation(msgspec.Struct):
    attribute: str = msgspec.field(name="ReferencingAttribute")
    target: str = msgspec.field(name="ReferencedEntity")
    property: str = msgspec.field(name="ReferencingEntityNavigationPropertyName")


class _Told(msgspec.Struct):
    name: str = msgspec.field(name="LogicalName")
    set: str = msgspec.field(name="EntitySetName")
    key: str = msgspec.field(name="PrimaryIdAttribute")
    label: str | None = msgspec.field(name="PrimaryNameAttribute")
    tracked: bool = msgspec.field(name="ChangeTrackingEnabled")
    guarded: bool = msgspec.field(name="IsOptimisticConcurrencyEnabled")
    attributes: list[_Attribute] = msgspec.field(name="Attributes")
    relations: list[_Relation] = msgspec.field(name="ManyToOneRelationships")


class _Detail(msgspec.Struct):
    name: str = msgspec.field(name="LogicalName")
    max_length: int | None = msgspec.field(default=None, name="MaxLength")
    precision: int | None = msgspec.field(default=None, name="Precision")
    format: str | None = msgspec.field(default=None, name="Format")
    targets: tuple[str, ...] = msgspec.field(default=(), name="Targets")
    set: _Options | None = msgspec.field(default=None, name="OptionSet")


class _Answer(msgspec.Struct, Generic[Told]):
    value: list[Told]


def _either(name: str, values: Iterable[str]) -> str:
    return " or ".join(f"{name} eq {odata.text(value)}" for value in values)


def _kinds(told: _Told) -> Sequence[str]:
    """Name the kinds of attributes that an entity has and that have more to tell."""
    there = {attribute.type for attribute in told.attributes}
    return [kind for kind, (_, types) in _DETAILS.items() if not there.isdisjoint(types)]


def _definition(
    told: _Told, details: Mapping[str, _Detail], sets: Mapping[str, str | None]
) -> Definition:
    fields: dict[str, FieldType] = {}
    columns: dict[str, Column] = {}
    navigation: dict[str, Mapping[str, str]] = {}
    for attribute in told.attributes:
        if attribute.type not in _TYPES or not attribute.read:
            continue
        detail = details.get(attribute.name) or _Detail(attribute.name)
        name = attribute.name
        if attribute.type in _LOOKUPS:
            navigation[name] = _navigation(name, detail.targets, told.relations, sets)
        fields[name] = _field(attribute, detail, tuple(navigation.get(name, ())))
        columns[name] = _column(fields[name])
        if len(detail.targets) > 1 or attribute.type in ("Customer", "Owner"):
            companion = f"{name}type"
            fields[companion] = FieldType(
                name=companion, type=Type.TEXT, on_create=False, on_update=False
            )
            columns[companion] = _companion(companion, columns[name])
    return Definition(
        type=EntityType(
            name=told.set,
            key=told.key,
            fields=fields,
            modified="modifiedon" if "modifiedon" in fields else "",
            label=told.label if told.label in fields else "",
            tracked=told.tracked,
        ),
        guarded=told.guarded,
        states=frozenset(a.name for a in told.attributes if a.type in ("State", "Status")),
        columns=columns,
        navigation=navigation,
        logical=told.name,
        choices=frozenset(a.name for a in told.attributes if a.type == "Picklist"),
    )


def _navigation(
    attribute: str,
    targets: Sequence[str],
    relations: Sequence[_Relation],
    sets: Mapping[str, str | None],
) -> Mapping[str, str]:
    """Say for each target by which property it is bound (A5).

    Owners are bound by one property for users and teams alike; it belongs to a relation with
    ``owner``, which is no entity of its own.
    """
    known = {r.target: r.property for r in relations if r.attribute == attribute}
    shared = known.get("owner") or (next(iter(known.values())) if len(known) == 1 else None)
    found = {sets.get(target): known.get(target, shared) for target in targets or known}
    return {name: bound for name, bound in found.items() if name and bound}


def _field(attribute: _Attribute, detail: _Detail, targets: tuple[str, ...]) -> FieldType:
    kind = Type.DATE if detail.format == "DateOnly" else _TYPES[attribute.type]
    return FieldType(
        name=attribute.name,
        type=kind,
        max_length=detail.max_length,
        scale=detail.precision,
        on_create=bool(attribute.create),
        on_update=bool(attribute.update),
        targets=targets,
        options=tuple((o.value, o.caption) for o in detail.set.options) if detail.set else (),
        # What the system requires, it fills itself.
        required=attribute.required is not None
        and attribute.required.value == "ApplicationRequired",
    )


def _column(field: FieldType) -> Column:
    read = f"_{field.name}_value" if field.type is Type.REFERENCE else field.name
    return Column(name=field.name, property=read, type=field.type, select=read)


def _companion(name: str, lookup: Column) -> Column:
    told = f"{lookup.property}@{TARGET}"
    return Column(
        name=name,
        property=told,
        type=Type.TEXT,
        select=lookup.select,
        annotation=True,
        askable=False,
    )
