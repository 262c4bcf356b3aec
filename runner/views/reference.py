"""The reference of the language, drawn from the schemas alone: every key, with an example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

_HEAD = """# Reference

Every key of `sync.yaml` and of mappings, with an example that the tests load and compile. Made from
the schemas by `sync-run schema reference`.
"""


def reference(mapping: Schema, sync: Schema) -> str:
    """Return the page, in Markdown."""
    return "\n".join([_HEAD, *_of_sync(sync), *_of_mappings(mapping)])


def _of_sync(schema: Schema) -> Iterator[str]:
    yield _section("sync.yaml", schema["title"], schema["properties"], schema)
    system = schema["$defs"]["system"]
    yield _section("A system", system["description"], system["properties"], schema)
    incremental = schema["$defs"]["incremental"]
    told = incremental["description"]
    yield _section("Incremental runs", told, incremental["properties"], schema)
    defaults = schema["properties"]["defaults"]
    yield _section("Defaults", defaults["description"], defaults["properties"], schema)
    job = schema["$defs"]["job"]
    yield _section("A job", job["description"], job["properties"], schema)


def _of_mappings(schema: Schema) -> Iterator[str]:
    named = schema["$defs"]
    _, joined, computed = named["end"]["anyOf"]
    plain, given = named["step"]["anyOf"]
    yield _section("A mapping", schema["description"], schema["properties"], schema)
    for title, part in (
        ("A side", named["side"]),
        ("Requirements", named["requirement"]),
        ("Matching", named["pair"]),
        ("Conflicts", named["conflict"]),
        ("Templates", named["template"]),
        ("Fields", named["field"]),
        ("Lookups", named["lookup"]),
    ):
        yield _section(title, part["description"], part["properties"], schema)
    told = "Instead of a field, one side may be made of several, joined or computed."
    yield _section("Values of several fields", told, joined["properties"], schema)
    yield _section("Computed values", "A value by JMESPath.", computed["properties"], schema)
    steps = {
        name: {"description": text, "x-example": plain["x-examples"][name]}
        for name, text in plain["x-descriptions"].items()
    }
    told = 'What may happen to a value on its way: `transform: [trim, {prepend: "NAV "}]`.'
    yield _section("Transforms", told, {**steps, **given["properties"]}, schema)


def _section(title: str, told: str, properties: Schema, schema: Schema) -> str:
    parts = [f"## {title}\n\n{told.removesuffix('.')}.\n"]
    parts += [_key(name, told, schema) for name, told in properties.items()]
    return "\n".join(parts)


def _key(name: str, told: Schema, schema: Schema) -> str:
    described = told
    if "description" not in told and "$ref" in told:
        described = schema["$defs"][told["$ref"].rpartition("/")[2]]
    text = f"### `{name}`\n\n{described['description'].removesuffix('.')}.\n"
    for key, inner in told.get("properties", {}).items():
        text += f"\n- `{key}`: {inner.get('description', '').removesuffix('.')}."
    if told.get("properties"):
        text += "\n"
    if "x-example" in told:
        text += f"\n```yaml\n{told['x-example']}\n```\n"
    return text
