"""``$metadata`` of NAV: entity types out of CSDL, read as a stream, only what is asked for.

An organisation's document can be tens of megabytes; no more than one entity type is held at a time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from runner.wire import EntityType, FieldType, Type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_TYPES: Mapping[str, Type] = {
    "Edm.String": Type.TEXT,
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
_NAV_TYPES: Mapping[str, Type] = {
    "Code": Type.CODE,
    "Enum": Type.OPTION,
    "Option": Type.OPTION,
    "Date": Type.DATE,
}
_STAMPS = ("Last_Modified_Date_Time", "Last_Date_Modified")


class MetadataError(Exception):
    """The document is not what it should be."""


def entity_types(content: bytes, wanted: Collection[str]) -> Iterator[EntityType]:
    """Yield the types of the wanted entity sets.

    Raises:
        MetadataError: it is no well-formed CSDL, or declares entities of its own (an attack).

    """
    if re.search(rb"<!(?:DOCTYPE|ENTITY)", content[:4096], re.IGNORECASE):
        raise MetadataError("it declares entities of its own")
    parser: ET.XMLPullParser[Any] = ET.XMLPullParser(events=("end",))
    try:
        for start in range(0, len(content), 65_536):
            parser.feed(content[start : start + 65_536])
            yield from _found(parser, wanted)
        parser.close()
        yield from _found(parser, wanted)
    except ET.ParseError as error:
        raise MetadataError(f"it is no XML: {error}") from error


def _found(parser: ET.XMLPullParser[Any], wanted: Collection[str]) -> Iterator[EntityType]:
    for event in parser.read_events():
        element = event[-1]
        if not isinstance(element, ET.Element) or _tag(element) != "EntityType":
            continue
        if element.get("Name") in wanted:
            yield _entity(element)
        element.clear()


def _entity(element: ET.Element) -> EntityType:
    name = element.get("Name", "")
    keys = [ref.get("Name", "") for ref in element.iter() if _tag(ref) == "PropertyRef"]
    fields = {
        found.name: found
        for child in element
        if _tag(child) == "Property" and (found := _field(child)) is not None
    }
    stamp = next((known for known in _STAMPS if known in fields), "")
    label = next((known for known in ("Name", "Description", "Code") if known in fields), "")
    return EntityType(
        name=name, key=keys[0] if keys else "", fields=fields, modified=stamp, label=label
    )


def _field(element: ET.Element) -> FieldType | None:
    name, kind = element.get("Name", ""), _TYPES.get(element.get("Type", ""))
    if kind is None or name == "ETag":
        return None
    notes = {a.get("Term", ""): a for a in element if _tag(a) == "Annotation"}
    told = (
        "".join(notes["NAV.NavType"].itertext()).rpartition("/")[2]
        if "NAV.NavType" in notes
        else ""
    )
    kind = _NAV_TYPES.get(told, kind)
    edit = "NAV.AllowEdit" not in notes or notes["NAV.AllowEdit"].get("Bool") != "false"
    length = element.get("MaxLength", "")
    return FieldType(
        name=name,
        type=kind,
        max_length=int(length) if length.isdigit() else None,
        on_create=edit,
        on_update=edit,
    )


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
