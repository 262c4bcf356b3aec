"""The ``$metadata`` of the Dataverse sandbox: what any OData client reads (protocols A3).

As Dataverse writes it: no lengths and no options (those are in the definitions), lookups as the
read-only ``_name_value`` beside a navigation property, and what is read-only told only to those who
ask with ``annotations=true``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from runner.sandbox.dataverse.metadata import LOOKUPS, entities
from runner.sandbox.dataverse.navigation import ways

if TYPE_CHECKING:
    from runner.sandbox.dataverse.metadata import Attribute, Entity
    from runner.sandbox.dataverse.navigation import Way

_EDM = {
    "BigInt": "Edm.Int64",
    "Boolean": "Edm.Boolean",
    "DateTime": "Edm.DateTimeOffset",
    "Decimal": "Edm.Decimal",
    "Double": "Edm.Double",
    "Integer": "Edm.Int32",
    "Memo": "Edm.String",
    "Money": "Edm.Decimal",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "String": "Edm.String",
    "Uniqueidentifier": "Edm.Guid",
    **dict.fromkeys(LOOKUPS, "Edm.Guid"),
}
_DETAILS = {"Edm.String": ' Unicode="false"', "Edm.Decimal": ' Scale="Variable"'}
_READ_ONLY = (
    '<Annotation Term="Org.OData.Core.V1.Computed" Bool="true"/>'
    '<Annotation Term="Org.OData.Core.V1.Permissions">'
    "<EnumMember>Org.OData.Core.V1.PermissionType/Read</EnumMember></Annotation>"
)


def document(*, annotations: bool) -> str:
    """Write the CSDL document of all tables; with ``annotations``, what is read-only."""
    types = "".join(_type(entity, annotations) for entity in entities().values())
    sets = "".join(_set(entity) for entity in entities().values())
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        '<edmx:DataServices><Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" '
        'xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        f'<EntityType Name="crmbaseentity" Abstract="true"/>{types}'
        f'<EntityContainer Name="System">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )


def _type(entity: Entity, annotations: bool) -> str:  # noqa: FBT001 - handed on
    properties = "".join(_property(a, annotations) for a in entity.attributes.values())
    navigations = "".join(_navigation(way) for way in ways(entity.logical).values())
    return (
        f'<EntityType Name={quoteattr(entity.logical)} BaseType="mscrm.crmbaseentity">'
        f"<Key><PropertyRef Name={quoteattr(entity.key)}/></Key>{properties}{navigations}"
        "</EntityType>"
    )


def _property(attribute: Attribute, annotations: bool) -> str:  # noqa: FBT001 - handed on
    kind = "Edm.Date" if attribute.format == "DateOnly" else _EDM[attribute.type]
    fixed = attribute.type in LOOKUPS or not (attribute.create or attribute.update)
    notes = _READ_ONLY if annotations and fixed else ""
    name, details = quoteattr(attribute.property), _DETAILS.get(kind, "")
    return f'<Property Name={name} Type="{kind}"{details}>{notes}</Property>'


def _navigation(way: Way) -> str:
    name, target = quoteattr(way.name), f"mscrm.{way.target.logical}"
    if way.many:
        return f'<NavigationProperty Name={name} Type="Collection({target})"/>'
    own, other = quoteattr(way.attribute.property), quoteattr(way.target.key)
    return (
        f'<NavigationProperty Name={name} Type="{target}" Nullable="false">'
        f"<ReferentialConstraint Property={own} ReferencedProperty={other}/></NavigationProperty>"
    )


def _set(entity: Entity) -> str:
    bound = "".join(
        f'<NavigationPropertyBinding Path={quoteattr(way.name)} Target="{way.target.set}"/>'
        for way in ways(entity.logical).values()
    )
    name, kind = quoteattr(entity.set), quoteattr(f"Microsoft.Dynamics.CRM.{entity.logical}")
    return f"<EntitySet Name={name} EntityType={kind}>{bound}</EntitySet>"
