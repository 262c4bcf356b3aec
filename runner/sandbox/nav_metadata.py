"""The pages that the NAV sandbox publishes (``metadata/nav.json``), and their ``$metadata``.

Protocols B1 and B2. Names, types, lengths and options are those of NAV 2018; ``Contact`` is a page
made for integration: the Contact Card with the parts of a person's name, which the card lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

EDM = {
    "Code": "Edm.String",
    "Text": "Edm.String",
    "Option": "Edm.String",
    "Decimal": "Edm.Decimal",
    "Integer": "Edm.Int32",
    "Boolean": "Edm.Boolean",
    "Date": "Edm.Date",
    "DateTime": "Edm.DateTimeOffset",
    "Guid": "Edm.Guid",
}
_BLANK: Mapping[str, Any] = {
    "Code": "",
    "Text": "",
    "Decimal": 0,
    "Integer": 0,
    "Boolean": False,
    "Date": "0001-01-01",
    "DateTime": "0001-01-01T00:00:00Z",
    "Guid": "00000000-0000-0000-0000-000000000000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One field of a page. ``edit`` is false where the page only shows it.

    ``required``: a new record needs a value.
    """

    name: str
    type: str
    length: int | None = None
    options: tuple[str, ...] = ()
    edit: bool = True
    key: bool = False
    required: bool = False

    @property
    def blank(self) -> Any:
        """How this server writes "nothing": it knows no null (protocols B5)."""
        return self.options[0] if self.options else _BLANK.get(self.type, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One published page. ``caption`` is that of its table."""

    name: str
    caption: str
    controls: Mapping[str, Control]

    @property
    def key(self) -> str:
        """The name of the key; every page here has one of one field."""
        return next(control.name for control in self.controls.values() if control.key)


@cache
def services() -> Mapping[str, Service]:
    """Return all published pages by service name."""
    text = files("runner.sandbox").joinpath("metadata/nav.json").read_bytes()
    return {
        name: Service(
            name=name,
            caption=told["caption"],
            controls={
                c["name"]: Control(
                    name=c["name"],
                    type=c["type"],
                    length=c.get("length"),
                    options=tuple(c.get("options", ())),
                    edit=c.get("edit", True),
                    key=c.get("key", False),
                )
                for c in told["fields"]
            },
        )
        for name, told in msgspec.json.decode(text).items()
    }


@cache
def metadata() -> str:
    """Write the CSDL document.

    ``NAV.NavType`` distinguishes Code and Option from Text here; that real servers annotate Code
    is inference (protocols B2 shows Enum, Date and others), a client may not rely on it alone.
    """
    types = "".join(_type(service) for service in services().values())
    sets = "".join(
        f"<EntitySet Name={quoteattr(name)} EntityType={quoteattr(f'NAV.{name}')}/>"
        for name in services()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        '<edmx:DataServices><Schema Namespace="NAV" '
        'xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        '<EntityType Name="Company"><Key><PropertyRef Name="Name"/></Key>'
        '<Property Name="Name" Type="Edm.String" Nullable="false"/></EntityType>'
        f"{types}"
        '<EntityContainer Name="NAV"><EntitySet Name="Company" EntityType="NAV.Company"/>'
        f"{sets}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _type(service: Service) -> str:
    properties = "".join(_property(control) for control in service.controls.values())
    return (
        f"<EntityType Name={quoteattr(service.name)}>"
        f"<Key><PropertyRef Name={quoteattr(service.key)}/></Key>{properties}"
        '<Property Name="ETag" Type="Edm.String"/></EntityType>'
    )


def _property(control: Control) -> str:
    length = f' MaxLength="{control.length}"' if control.length else ""
    scale = ' Scale="Variable"' if control.type == "Decimal" else ""
    null = ' Nullable="false"' if control.key else ""
    kind = {"Option": "Enum", "Integer": "Int", "Decimal": "Real", "Text": "String"}.get(
        control.type, control.type
    )
    notes = (
        f'<Annotation Term="NAV.NavType"><EnumMember>NAV.NavTypeKind/{escape(kind)}'
        "</EnumMember></Annotation>"
    )
    if not control.edit:
        notes += '<Annotation Term="NAV.AllowEdit" Bool="false"/>'
    return (
        f"<Property Name={quoteattr(control.name)} Type={quoteattr(EDM[control.type])}"
        f"{null}{length}{scale}>{notes}</Property>"
    )
