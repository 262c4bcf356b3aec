"""Values against JSON Schema: every fault, placed where it stands, in words for people."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft202012Validator, ValidationError

from runner.errors import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath

    from runner.config.read import Document

_TYPES = {
    "object": "a block of keys",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


def check(document: Document, schema: FilePath) -> Iterator[Problem]:
    """Yield everything about a document that its schema does not allow."""
    for error in _validator(schema).iter_errors(document.value):
        if error.validator == "required" and "properties" not in cast("Any", error.schema):
            # What is required on a condition is described where all keys are.
            error.schema = _validator(schema).schema
        yield from _problems(document, error)


def side_without(document: Document, schema: FilePath, name: str) -> Iterator[Problem]:
    """Yield what a side of a mapping, once it is put together, must say and does not."""
    described = cast("Any", _validator(schema).schema)["$defs"]["side"]["properties"]
    for key in (key for key in ("entity", "key") if key not in document.value[name]):
        what = f"'{key}' is missing"
        yield Problem(document.at((name,)), what, _first(described[key]["description"]))


@cache
def _validator(schema: FilePath) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))


_BARE = "a bare No, Yes, on or off is read as true or false: write it in quotes"
_SECRET = (("token",), ("password",), ("secret",))


def _problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    at = document.at(path)
    told: Any = error.validator_value
    schema: Any = error.schema
    value: Any = error.instance
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties":
            known = list(schema.get("properties", {}))
            for key in sorted(_unknown(error)):
                hint = nearest(key, known) or f"known are {', '.join(known)}"
                yield Problem(document.key_at((*path, key)), f"unknown key '{key}'", hint)
        case "propertyNames":
            key = str(value)
            yield Problem(
                document.key_at((*path, key)), f"'{key}' cannot be a name here", _said(error)
            )
        case "required":
            missing = [key for key in told if key not in value]
            for key in missing:
                yield Problem(at, f"'{key}' is missing", _described(error, key))
        case "type" if isinstance(value, bool) and "string" in told:
            yield Problem(at, f"{_shown(value)} is not {_wanted(error)}", _BARE)
        case "type":
            yield Problem(at, f"{_shown(value)} is not {_wanted(error)}", _said(error))
        case "enum" | "const":
            allowed = told if error.validator == "enum" else [told]
            words = [str(word) for word in allowed]
            hint = nearest(str(value), words) or f"it is one of {', '.join(words)}"
            yield Problem(at, f"{_shown(value)} is not known here", hint)
        case "anyOf" if isinstance(value, bool) and {"type": "string"} in told:
            yield Problem(at, f"{_shown(value)} is not a text", _BARE)
        case "anyOf" | "oneOf":
            yield from _best(document, error)
        case "pattern" if path[-1:] in _SECRET or path[-2:] == ("auth", "value"):
            # What stands there may be a secret: it is not repeated.
            yield Problem(at, "a secret must not stand in the file", _said(error))
        case "pattern":
            yield Problem(at, f"{_shown(value)} is not of the right form", _said(error))
        case "minItems" | "minProperties" | "minLength":
            what = "it is empty" if not value else f"it holds {len(value)}, and needs {told}"
            yield Problem(at, what, _said(error))
        case _:
            yield Problem(at, error.message, _said(error))


def _best(document: Document, error: ValidationError) -> Iterator[Problem]:
    """Of the ways a value may be written, take the one that it comes nearest to."""
    branches: dict[int, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.schema_path[0]), []).append(inner)
    fitting = [
        errors
        for errors in branches.values()
        if not any(e.validator == "type" and not e.path for e in errors)
    ]
    if not fitting:
        said = _said(error)
        at = document.at(tuple(error.absolute_path))
        yield Problem(at, f"{_shown(error.instance)} is not known here", said)
        return
    for inner in min(fitting, key=len):
        yield from _problems(document, inner)


def _unknown(error: ValidationError) -> set[str]:
    schema, value = cast("Any", error.schema), cast("Any", error.instance)
    return {str(key) for key in value} - set(schema.get("properties", {}))


def _wanted(error: ValidationError) -> str:
    types: Any = error.validator_value
    names = [types] if isinstance(types, str) else list(types)
    return " or ".join(_TYPES[name] for name in names)


def _said(error: ValidationError) -> str:
    return _first(cast("Any", error.schema).get("description", ""))


def _described(error: ValidationError, key: str) -> str:
    properties = cast("Any", error.schema).get("properties", {})
    return _first(properties.get(key, {}).get("description", ""))


def _first(description: str) -> str:
    sentence = description.split(". ", maxsplit=1)[0].removesuffix(".")
    return sentence[:1].lower() + sentence[1:] if sentence else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return _TYPES["object" if isinstance(value, dict) else "array"]
    if value is None:
        return "nothing"
    return f"'{value}'" if isinstance(value, str) else f"'{json.dumps(value)}'"
