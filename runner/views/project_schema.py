"""The schema of mappings with the names of a project's own systems, for editors to complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.wire import EntityType, FieldType

Schema = dict[str, Any]


def project_schema(
    schema: Schema,
    entities: Mapping[str, Sequence[str]],
    types: Iterable[tuple[str, EntityType]],
    lookups: Sequence[str],
) -> Schema:
    """Return the schema of mappings with the names that the systems told.

    ``entities`` names all entities of each system, ``types`` are those whose fields are known, with
    their systems, ``lookups`` the mappings of the project.
    """
    made = {**schema, "title": f"{schema['title']}, with the names of this project"}
    made["properties"] = {
        **schema["properties"],
        "extends": {**schema["properties"]["extends"], "examples": list(lookups)},
        **{name: _side(name, known) for name, known in entities.items()},
    }
    made["allOf"] = [_fields(system, entity) for system, entity in types]
    return made


def _side(system: str, known: Sequence[str]) -> Schema:
    return {
        "description": f"Which records of {system} take part",
        "allOf": [{"$ref": "#/$defs/side"}],
        "properties": {"entity": {"enum": list(known)}},
    }


def _fields(system: str, entity: EntityType) -> Schema:
    """Where a mapping is over this entity, know its fields."""
    fields = {
        "anyOf": [
            {"enum": [*entity.fields]},
            {"type": "object"},
        ],
        "description": f"A field of {entity.name}",
    }
    one = {"type": "string", "enum": [*entity.fields]}
    several = {"anyOf": [one, {"type": "array", "items": one}]}
    return {
        "if": {
            "required": [system],
            "properties": {
                system: {"required": ["entity"], "properties": {"entity": {"const": entity.name}}}
            },
        },
        "then": {
            "properties": {
                system: {"properties": {"key": several, "label": one, "one_per": one}},
                # What is optional may be missing here, and stand on somebody else's page.
                "fields": {"items": {"if": _OPTIONAL, "else": {"properties": {system: fields}}}},
                "defaults": {
                    "properties": {
                        system: {
                            "anyOf": [
                                {"type": "array"},
                                {"type": "object", "properties": _described(entity)},
                            ]
                        }
                    }
                },
            }
        },
    }


_OPTIONAL: Schema = {"required": ["optional"], "properties": {"optional": {"const": True}}}


def _described(entity: EntityType) -> Schema:
    return {name: {"description": _told(field)} for name, field in entity.fields.items()}


def _told(field: FieldType) -> str:
    words = str(field.type)
    if field.max_length is not None:
        words += f", at most {field.max_length} characters"
    if field.options:
        words += ": " + ", ".join(f"{value} {caption}" for value, caption in field.options)
    return words
