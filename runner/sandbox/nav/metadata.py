"""The pages that the NAV sandbox publishes (``metadata/nav.json``), and their ``$metadata``.

Protocols B1 and B2. Names, types, lengths and options are those of NAV 2018; ``Contact`` is a page
made for integration: the Contact Card with the parts of a person's name, which the card lacks. So
are those whose names end in ``Integration``: cards with the fields that theirs lack.
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
_ABLE = {"Insert": "Insertable", "Update": "Updatable", "Delete": "Deletable"}
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

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Control:
        """Read a field as the files of metadata tell it."""
        return cls(**{**told, "options": tuple(told.get("options", ()))})

    @property
    def blank(self) -> Any:
        """How this server writes "nothing": it knows no null (protocols B5)."""
        return self.options[0] if self.options else _BLANK.get(self.type, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One published page. ``caption`` is that of its table.

    ``rows`` is the page that its records are kept under: its own name, or that of the card over the
    same table. ``table`` holds what the page shows and what it does not. ``edit`` is false where it
    only lists.
    """

    name: str
    caption: str
    controls: Mapping[str, Control]
    table: Mapping[str, Control]
    rows: str
    edit: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the fields that make up the key."""
        return tuple(control.name for control in self.controls.values() if control.key)

    @property
    def key(self) -> str:
        """The name of the key, of those pages whose key is one field."""
        return self.keys[0]


@cache
def services() -> Mapping[str, Service]:
    """Return all pages by service name."""
    text = files("runner.sandbox").joinpath("metadata/nav.json").read_bytes()
    document = msgspec.json.decode(text)
    return {name: _service(name, told, document) for name, told in document.items()}


def _service(name: str, told: Mapping[str, Any], document: Mapping[str, Any]) -> Service:
    """Read one page; another over the same table shows fields of it, or all of them."""
    card = document[told["of"]] if "of" in told else told
    table = {
        c["name"]: Control.read({n: v for n, v in c.items() if n != "only"}) for c in card["fields"]
    }
    own = [c["name"] for c in card["fields"] if "of" in told or not c.get("only")]
    shown = told.get("shows", own)
    return Service(
        name=name,
        caption=card["caption"],
        controls={n: control for n, control in table.items() if n in shown},
        table=table,
        rows=told.get("of", name),
        edit=told.get("edit", "of" not in told),
    )


def metadata(published: Mapping[str, Service], *, dates: str, notes_types: bool) -> str:
    """Write the CSDL document.

    ``dates`` is the type of dates, which builds do not agree on (protocols F8). ``NAV.NavType``
    distinguishes Code and Option from Text here; that real servers annotate Code is inference
    (protocols B2 shows Enum, Date and others), a client may not rely on it alone.
    """
    edm = {**EDM, "Date": dates}
    types = "".join(_type(service, edm, notes_types) for service in published.values())
    sets = "".join(_set(service) for service in published.values())
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


def _set(service: Service) -> str:
    name, kind = quoteattr(service.name), quoteattr(f"NAV.{service.name}")
    if service.edit:
        return f"<EntitySet Name={name} EntityType={kind}/>"
    term = "Org.OData.Capabilities.V1"
    notes = "".join(
        f'<Annotation Term="{term}.{verb}Restrictions"><Record>'
        f'<PropertyValue Property="{_ABLE[verb]}" Bool="false"/></Record></Annotation>'
        for verb in _ABLE
    )
    return f"<EntitySet Name={name} EntityType={kind}>{notes}</EntitySet>"


def _type(service: Service, edm: Mapping[str, str], notes_types: bool) -> str:  # noqa: FBT001
    keys = "".join(f"<PropertyRef Name={quoteattr(name)}/>" for name in service.keys)
    properties = "".join(
        _property(control, edm[control.type], notes_types) for control in service.controls.values()
    )
    return (
        f"<EntityType Name={quoteattr(service.name)}><Key>{keys}</Key>{properties}"
        '<Property Name="ETag" Type="Edm.String"/></EntityType>'
    )


def _property(control: Control, edm: str, notes_types: bool) -> str:  # noqa: FBT001
    length = f' MaxLength="{control.length}"' if control.length else ""
    scale = ' Scale="Variable"' if control.type == "Decimal" else ""
    null = ' Nullable="false"' if control.key else ""
    kind = {"Option": "Enum", "Integer": "Int", "Decimal": "Real", "Text": "String"}.get(
        control.type, control.type
    )
    notes = ""
    if notes_types:
        notes += (
            f'<Annotation Term="NAV.NavType"><EnumMember>NAV.NavTypeKind/{escape(kind)}'
            "</EnumMember></Annotation>"
        )
    if not control.edit:
        notes += '<Annotation Term="NAV.AllowEdit" Bool="false"/>'
    if control.required:
        notes += '<Annotation Term="NAV.IsRequired" Bool="true"/>'
    return (
        f"<Property Name={quoteattr(control.name)} Type={quoteattr(edm)}"
        f"{null}{length}{scale}>{notes}</Property>"
    )
