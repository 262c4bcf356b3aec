"""The entities that the Dataverse sandbox has (``metadata/dataverse.json``), and how it tells them.

Protocols A3 and A4 (EntityDefinitions). Names, types, lengths and options are Microsoft's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from runner.sandbox.answers import Call, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.sandbox.dataverse.manners import DataverseManners

_KINDS = {
    "StringAttributeMetadata": (("String",), "MaxLength", "max_length"),
    "MemoAttributeMetadata": (("Memo",), "MaxLength", "max_length"),
    "MoneyAttributeMetadata": (("Money",), "Precision", "precision"),
    "DecimalAttributeMetadata": (("Decimal",), "Precision", "precision"),
    "DoubleAttributeMetadata": (("Double",), "Precision", "precision"),
    "DateTimeAttributeMetadata": (("DateTime",), "Format", "format"),
    "LookupAttributeMetadata": (("Lookup", "Customer", "Owner"), "Targets", "targets"),
    "PicklistAttributeMetadata": (("Picklist",), "OptionSet", "options"),
    "StateAttributeMetadata": (("State",), "OptionSet", "options"),
    "StatusAttributeMetadata": (("Status",), "OptionSet", "options"),
}
_ONE = re.compile(r"^/Attributes\(LogicalName='([a-z0-9_]+)'\)(/.+)$")
LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One column. ``targets`` maps logical names to navigation properties."""

    name: str
    type: str
    max_length: int | None = None
    precision: int | None = None
    format: str | None = None
    options: Mapping[int, str] | None = None
    targets: Mapping[str, str] | None = None
    create: bool = True
    update: bool = True
    required: bool = False

    @property
    def property(self) -> str:
        """The name under which it is read: lookups as ``_name_value``."""
        return f"_{self.name}_value" if self.type in LOOKUPS else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One table. ``states`` holds the pairs of statecode and statuscode that go together.

    ``properties`` are the columns by the names under which they are read.
    """

    logical: str
    set: str
    key: str
    label: str
    states: tuple[tuple[int, int], ...]
    attributes: Mapping[str, Attribute]
    properties: Mapping[str, Attribute] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = {attribute.property: attribute for attribute in self.attributes.values()}
        object.__setattr__(self, "properties", found)

    def navigation(self, name: str) -> tuple[Attribute, str] | None:
        """Find a lookup by its navigation property; names are case-sensitive."""
        for attribute in self.attributes.values():
            for target, property_name in (attribute.targets or {}).items():
                if property_name == name:
                    return attribute, target
        return None


Current = Callable[[Entity, Attribute], Attribute]
"""Tells a column with the options that it has now."""


@cache
def entities() -> Mapping[str, Entity]:
    """Return all tables by logical name."""
    text = files("runner.sandbox").joinpath("metadata/dataverse.json").read_bytes()
    return {name: _entity(name, told) for name, told in msgspec.json.decode(text).items()}


@cache
def by_set() -> Mapping[str, Entity]:
    """Return all tables by the name of their entity set."""
    return {entity.set: entity for entity in entities().values()}


def definitions(call: Call, manners: DataverseManners) -> dict[str, Any]:
    """Answer ``EntityDefinitions``: the collection with a filter of names."""
    wanted = _chosen(call.query.get("$filter", ""))
    return {
        "@odata.context": f"{call.root}/$metadata#EntityDefinitions",
        "value": [_definition(entity, call, manners) for entity in wanted],
    }


def definition(
    call: Call, manners: DataverseManners, current: Current, logical: str, rest: str
) -> dict[str, Any]:
    """Answer one definition, its attributes of one kind, or one of these; ``current`` is as now."""
    entity = entities().get(logical)
    if entity is None:
        raise Refusal(404, "0x80060888", f"Could not find an entity with name {logical}.")
    if rest == "/Keys":
        context = f"{call.root}/$metadata#EntityDefinitions('{logical}')/Keys"
        return {"@odata.context": context, "value": _keys(entity, manners)}
    if not rest:
        return _definition(entity, call, manners)
    one = _ONE.match(rest)
    rest = f"/Attributes{one[2]}" if one else rest
    prefix = "/Attributes/Microsoft.Dynamics.CRM."
    kind = rest.removeprefix(prefix) if rest.startswith(prefix) else ""
    if kind not in _KINDS:
        raise Refusal(404, "0x80060888", f"Resource not found for the segment '{rest.strip('/')}'.")
    types, name, field = _KINDS[kind]
    found = [
        {"LogicalName": a.name, name: _told(field, value)}
        for a in (current(entity, a) for a in entity.attributes.values())
        if a.type in types and (value := getattr(a, field)) is not None
        if one is None or a.name == one[1]
    ]
    if one is not None:
        if not found:
            raise Refusal(404, "0x80060888", f"Could not find an attribute {one[1]}.")
        return found[0]
    return {
        "@odata.context": f"{call.root}/$metadata#EntityDefinitions('{logical}')/Attributes",
        "value": found,
    }


def _definition(entity: Entity, call: Call, manners: DataverseManners) -> dict[str, Any]:
    told: dict[str, Any] = {
        "LogicalName": entity.logical,
        "EntitySetName": entity.set,
        "PrimaryIdAttribute": entity.key,
        "PrimaryNameAttribute": entity.label or None,
        "IsOptimisticConcurrencyEnabled": entity.logical not in manners.unversioned,
        "ChangeTrackingEnabled": entity.logical not in manners.untracked,
    }
    select = call.query.get("$select")
    if select:
        unknown = [name for name in select.split(",") if name.strip() not in told]
        if unknown:
            raise Refusal(400, "0x0", f"Could not find a property named '{unknown[0]}'.")
        told = {name.strip(): told[name.strip()] for name in select.split(",")}
    expand = call.query.get("$expand", "")
    if "Attributes" in expand:
        told["Attributes"] = [
            {
                "LogicalName": a.name,
                "AttributeType": a.type,
                "IsValidForCreate": a.create,
                "IsValidForUpdate": a.update,
                "IsValidForRead": True,
                "RequiredLevel": {
                    "Value": _level(a),
                    "CanBeChanged": True,
                },
            }
            for a in entity.attributes.values()
        ]
    if "Keys" in expand:
        told["Keys"] = _keys(entity, manners)
    if "ManyToOneRelationships" in expand:
        told["ManyToOneRelationships"] = [
            {
                "ReferencingAttribute": a.name,
                "ReferencedEntity": target,
                "ReferencingEntityNavigationPropertyName": name,
            }
            for a in entity.attributes.values()
            for target, name in (a.targets or {}).items()
        ]
    return told


def _keys(entity: Entity, manners: DataverseManners) -> list[dict[str, Any]]:
    """Protocols A9."""
    return [
        {
            "LogicalName": key.name,
            "EntityLogicalName": key.entity,
            "KeyAttributes": list(key.attributes),
            "EntityKeyIndexStatus": "Active" if key.active else "Pending",
        }
        for key in manners.keys
        if key.entity == entity.logical
    ]


def _level(attribute: Attribute) -> str:
    """Say who wants a value: the application of its user, or the system, which fills it itself."""
    if not attribute.required:
        return "None"
    own = attribute.type in ("State", "Status", "Uniqueidentifier")
    return "SystemRequired" if own else "ApplicationRequired"


def _told(field: str, value: Any) -> Any:
    match field:
        case "targets":
            return list(value)
        case "options":
            return {
                "Name": None,
                "IsGlobal": False,
                "Options": [
                    {
                        "Value": number,
                        "Label": {"UserLocalizedLabel": {"Label": caption, "LanguageCode": 1033}},
                    }
                    for number, caption in value.items()
                ],
            }
        case _:
            return value


def _chosen(text: str) -> list[Entity]:
    known = {"EntitySetName": by_set(), "LogicalName": entities()}
    if not text:
        return list(entities().values())
    found = []
    for part in text.split(" or "):
        match = re.fullmatch(r"\s*\(?\s*(EntitySetName|LogicalName) eq '([^']*)'\s*\)?\s*", part)
        if match is None:
            raise Refusal(400, "0x80060888", f"The filter '{text}' is not supported here.")
        entity = known[match[1]].get(match[2])
        found += [entity] if entity else []
    return found


def _added(name: str, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the columns that every table has, and those of money in the base currency (A3, A6)."""
    there = {a["name"] for a in told}
    computed: dict[str, Any] = {"create": False, "update": False}
    found = [
        {
            "name": f"{kind}onbehalfby",
            "type": "Lookup",
            "targets": {"systemuser": f"{kind}onbehalfby"},
        }
        | computed
        for kind in ("created", "modified")
    ]
    found += [
        {"name": f"{a['name']}_base", "type": "Money", "precision": 4} | computed
        for a in told
        if a["type"] == "Money"
    ]
    if name == "systemuser":
        found.append(
            {"name": "azureactivedirectoryobjectid", "type": "Uniqueidentifier"} | computed
        )
    return [*told, *(a for a in found if a["name"] not in there)]


def _entity(name: str, told: dict[str, Any]) -> Entity:
    return Entity(
        logical=name,
        set=told["set"],
        key=told["key"],
        label=told["label"],
        states=tuple((state, status) for state, status in told["states"]),
        attributes={
            a["name"]: Attribute(
                name=a["name"],
                type=a["type"],
                max_length=a.get("maxLength"),
                precision=a.get("precision"),
                format=a.get("format"),
                options=dict(a["options"]) if "options" in a else None,
                targets=a.get("targets"),
                create=a.get("create", True),
                update=a.get("update", True),
                required=a.get("required", False),
            )
            for a in _added(name, told["attributes"])
        },
    )
