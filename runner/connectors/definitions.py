"""Dataverse's own description of its tables: ``EntityDefinitions`` (protocols A3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from runner.connectors import odata
from runner.errors import SystemUnavailableError
from runner.wire import EntityType, FieldType, Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.connectors.http import Client

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
_MORE = {
    "StringAttributeMetadata": "MaxLength",
    "MemoAttributeMetadata": "MaxLength",
    "MoneyAttributeMetadata": "Precision",
    "DecimalAttributeMetadata": "Precision",
    "DoubleAttributeMetadata": "Precision",
    "DateTimeAttributeMetadata": "Format",
    "LookupAttributeMetadata": "Targets",
}
_NAMES = "LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute"
_ATTRIBUTES = (
    "Attributes($select=LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate,IsValidForRead)"
)
_RELATIONS = (
    "ManyToOneRelationships($select=ReferencingAttribute,ReferencedEntity,"
    "ReferencingEntityNavigationPropertyName)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One entity set: its type, and how its lookups are read and written.

    ``navigation`` holds for each lookup the navigation property by target entity set;
    ``companions`` the read-only fields that tell what a lookup of several targets points to, with
    the lookup each belongs to.
    """

    type: EntityType
    navigation: Mapping[str, Mapping[str, str]]
    companions: Mapping[str, str]

    def property(self, name: str) -> str:
        """The property that a field is read from."""
        return f"_{name}_value" if self.type.fields[name].type is Type.REFERENCE else name

    def selected(self, name: str) -> str:
        """The property to select for a field; a companion comes along with its lookup."""
        return self.property(self.companions.get(name, name))


class Definitions:
    """Asks an organisation for definitions, for each entity set once."""

    def __init__(self, system: str, base: str, client: Client) -> None:
        self._system, self._base, self._client = system, base, client
        self._known: dict[str, Definition] = {}
        self._asking = asyncio.Lock()

    def known(self, entity: str) -> Definition | None:
        """Return a definition that was asked for before."""
        return self._known.get(entity)

    async def of(self, entities: Sequence[str]) -> Sequence[Definition]:
        """Return the definitions of those entity sets that exist, in the order asked."""
        async with self._asking:
            missing = [name for name in entities if name not in self._known]
            if missing:
                condition = _either("EntitySetName", missing)
                expand = f"&$expand={_ATTRIBUTES},{_RELATIONS}"
                told = await self._get(
                    f"EntityDefinitions?$select={_NAMES}&$filter={condition}{expand}"
                )
                sets = await self._sets(told)
                for found in told:
                    more = await self._more(found["LogicalName"])
                    self._known[found["EntitySetName"]] = _definition(found, more, sets)
        return [self._known[name] for name in entities if name in self._known]

    async def _sets(self, told: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
        """Learn which entity sets the lookups lead to: relationships tell logical names alone."""
        targets = {r["ReferencedEntity"] for one in told for r in one["ManyToOneRelationships"]}
        if not targets:
            return {}
        condition = _either("LogicalName", sorted(targets))
        found = await self._get(
            f"EntityDefinitions?$select=LogicalName,EntitySetName&$filter={condition}"
        )
        return {one["LogicalName"]: one["EntitySetName"] for one in found}

    async def _more(self, logical: str) -> Mapping[str, Mapping[str, Any]]:
        """Read what only the derived kinds of attributes tell: lengths, scales, targets."""
        more: dict[str, dict[str, Any]] = {}
        for kind, name in _MORE.items():
            attributes = f"EntityDefinitions(LogicalName='{logical}')/Attributes"
            path = f"{attributes}/Microsoft.Dynamics.CRM.{kind}"
            for found in await self._get(f"{path}?$select=LogicalName,{name}"):
                more.setdefault(found["LogicalName"], {})[name] = found.get(name)
        return more

    async def _get(self, path: str) -> list[dict[str, Any]]:
        reply = await self._client.read(f"{self._base}/{path.replace(' ', '%20')}", odata.HEADERS)
        if reply.status != HTTPStatus.OK:
            raise SystemUnavailableError(
                self._system, f"it does not describe its entities: {odata.told(reply)}"
            )
        try:
            document = msgspec.json.decode(reply.content, type=dict[str, Any])
            return list(document["value"])
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise SystemUnavailableError(
                self._system, "its description of entities cannot be read"
            ) from error


def _either(name: str, values: Sequence[str]) -> str:
    return " or ".join(f"{name} eq {odata.text(value)}" for value in values)


def _definition(
    told: Mapping[str, Any], more: Mapping[str, Mapping[str, Any]], sets: Mapping[str, str]
) -> Definition:
    navigation: dict[str, dict[str, str]] = {}
    for relation in told["ManyToOneRelationships"]:
        target = sets.get(relation["ReferencedEntity"])
        if target:
            names = navigation.setdefault(relation["ReferencingAttribute"], {})
            names[target] = relation["ReferencingEntityNavigationPropertyName"]
    fields = {
        attribute["LogicalName"]: _field(
            attribute, more.get(attribute["LogicalName"], {}), navigation
        )
        for attribute in told["Attributes"]
        if attribute["AttributeType"] in _TYPES and attribute["IsValidForRead"]
    }
    companions = {
        f"{attribute['LogicalName']}type": attribute["LogicalName"]
        for attribute in told["Attributes"]
        if attribute["AttributeType"] in ("Customer", "Owner")
        or len(more.get(attribute["LogicalName"], {}).get("Targets") or ()) > 1
    }
    for name in companions:
        fields[name] = FieldType(name=name, type=Type.TEXT, on_create=False, on_update=False)
    key = told["PrimaryIdAttribute"]
    return Definition(
        type=EntityType(
            name=told["EntitySetName"],
            key=key,
            fields=fields,
            modified="modifiedon" if "modifiedon" in fields else "",
            label=told.get("PrimaryNameAttribute") or "",
        ),
        navigation=navigation,
        companions=companions,
    )


def _field(
    attribute: Mapping[str, Any],
    more: Mapping[str, Any],
    navigation: Mapping[str, Mapping[str, str]],
) -> FieldType:
    name, kind = attribute["LogicalName"], _TYPES[attribute["AttributeType"]]
    if more.get("Format") == "DateOnly":
        kind = Type.DATE
    return FieldType(
        name=name,
        type=kind,
        max_length=more.get("MaxLength"),
        scale=more.get("Precision"),
        on_create=bool(attribute["IsValidForCreate"]),
        on_update=bool(attribute["IsValidForUpdate"]),
        targets=tuple(navigation.get(name, {})),
    )
