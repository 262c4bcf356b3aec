"""The entities of the Business Central sandbox, and its ``$metadata`` (protocols C2).

Names, types, lengths and options are those of API v2.0 and of the tables beneath it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import msgspec

from runner.sandbox.nav.metadata import EDM, Control

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "Microsoft.NAV"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity set. ``enum`` is what the names of its type and enumerations begin with."""

    name: str
    caption: str
    enum: str
    fields: Mapping[str, Control]

    @property
    def natural(self) -> str:
        """The field that people know a record by."""
        return "number" if "number" in self.fields else "code"


@cache
def entities() -> Mapping[str, Entity]:
    """Return all entity sets by name."""
    text = files("runner.sandbox").joinpath("metadata/business_central.json").read_bytes()
    return {
        name: Entity(
            name=name,
            caption=told["caption"],
            enum=told["enum"],
            fields={f["name"]: Control.read(f) for f in told["fields"]},
        )
        for name, told in msgspec.json.decode(text).items()
    }


def encoded(option: str) -> str:
    """Write an option as OData does: what no identifier may hold as its code (C2).

    >>> encoded("Non-Inventory"), encoded(" ")
    ('Non_x002D_Inventory', '_x0020_')
    """
    return "".join(c if c.isalnum() else f"_x{ord(c):04X}_" for c in option)


def metadata(*, enumerations: bool) -> str:
    """Write the CSDL document; with ``enumerations`` options have types of their own."""
    types, sets = [], []
    for entity in entities().values():
        for field in entity.fields.values():
            if enumerations and field.options:
                members = "".join(
                    f"<Member Name={quoteattr(encoded(o))} Value='{n}'/>"
                    for n, o in enumerate(field.options)
                )
                name = quoteattr(_enumeration(entity, field))
                types.append(f"<EnumType Name={name}>{members}</EnumType>")
        properties = "".join(_property(entity, f, enumerations) for f in entity.fields.values())
        types.append(
            f"<EntityType Name={quoteattr(entity.enum)}><Key><PropertyRef Name='id'/></Key>"
            f"{properties}</EntityType>"
        )
        kind = quoteattr(f"{NAMESPACE}.{entity.enum}")
        sets.append(f"<EntitySet Name={quoteattr(entity.name)} EntityType={kind}/>")
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        f'<edmx:DataServices><Schema Namespace="{NAMESPACE}" '
        'xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        f'{"".join(types)}<EntityContainer Name="default">{"".join(sets)}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _enumeration(entity: Entity, field: Control) -> str:
    return f"{entity.enum}{field.name[0].upper()}{field.name[1:]}"


def _property(entity: Entity, field: Control, enumerations: bool) -> str:  # noqa: FBT001
    kind = EDM[field.type]
    if enumerations and field.options:
        kind = f"{NAMESPACE}.{_enumeration(entity, field)}"
    length = f' MaxLength="{field.length}"' if field.length else ""
    scale = ' Scale="Variable"' if field.type == "Decimal" else ""
    null = ' Nullable="false"' if field.key else ""
    note = '<Annotation Term="Microsoft.NAV.AllowEdit" Bool="false"/>' if not field.edit else ""
    return (
        f"<Property Name={quoteattr(field.name)} Type={quoteattr(kind)}{null}{length}{scale}>"
        f"{note}</Property>"
    )
