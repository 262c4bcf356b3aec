"""How records are shown: the columns asked for, their annotations, what hangs on them (A4, A5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse.metadata import entities
from runner.sandbox.dataverse.session import BAD, Session, etag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.sandbox.dataverse.metadata import Attribute, Entity
    from runner.sandbox.store import Row

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


def chosen(entity: Entity, select: str | None) -> Sequence[str]:
    """Read ``$select``: the names of the columns, all where nothing is asked."""
    if not select:
        return list(entity.properties)
    names = [name.strip() for name in select.split(",") if name.strip()]
    for name in names:
        if name not in entity.properties:
            raise unknown(entity, name)
    return names


def unknown(entity: Entity, name: str) -> Refusal:
    """Say that a table has no such column."""
    kind = f"Microsoft.Dynamics.CRM.{entity.logical}"
    return Refusal(400, BAD, f"Could not find a property named '{name}' on type '{kind}'.")


def value(row: Row, attribute: Attribute) -> Any:
    """Return what a column shows; moments are shown to the second (A6)."""
    if attribute.name == "versionnumber":
        return row.version
    held = row.body.get(attribute.property)
    if attribute.type == "DateTime" and isinstance(held, str) and "." in held:
        return held.partition(".")[0] + "Z"
    return held


def shown(session: Session, entity: Entity, row: Row, names: Sequence[str]) -> dict[str, Any]:
    """Show a record: its ETag, the columns asked for and its key, annotations where wanted."""
    told: dict[str, Any] = {"@odata.etag": etag(row)}
    for name in dict.fromkeys((*names, entity.key)):
        attribute = entity.properties[name]
        held = value(row, attribute)
        if held is not None:
            notes = _annotations(session, row, attribute, held)
            told |= {
                f"{name}@{note}": said for note, said in notes.items() if _asked(session, note)
            }
        told[name] = held
    return told


def _annotations(session: Session, row: Row, attribute: Attribute, held: Any) -> dict[str, Any]:
    if attribute.targets:
        target = row.body.get(f"_{attribute.name}_type") or next(iter(attribute.targets))
        label = _label(session, target, str(held)) if _asked(session, FORMATTED) else None
        named = {NAVIGATION: attribute.targets.get(target), LOOKUP: target}
        return {name: said for name, said in ({FORMATTED: label} | named).items() if said}
    match attribute.type:
        case "Boolean":
            return {FORMATTED: "Yes" if held else "No"}
        case "Money" | "Decimal" | "Double":
            return {FORMATTED: f"{held:,}"}
        case "DateTime" | "Integer":
            return {FORMATTED: str(held)}
        case _ if attribute.options:
            return {FORMATTED: attribute.options.get(held, str(held))}
        case _:
            return {}


def _label(session: Session, target: str, key: str) -> str | None:
    entity = entities().get(target)
    row = session.store.get(entity.set, key) if entity and entity.label else None
    return row.body.get(entity.label) if entity and row else None


def _asked(session: Session, annotation: str) -> bool:
    """Whether the client wants an annotation: by its name, by a pattern, or all of them."""
    if not session.manners.annotations_asked:
        return True
    for part in session.call.prefer.get("odata.include-annotations", "").split(","):
        wanted = part.strip()
        if wanted in ("*", annotation):
            return True
        if wanted.endswith(".*") and annotation.startswith(wanted[:-1]):
            return True
    return False
