"""Habits that hold for the whole house."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runner
from runner import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

MUTABLE = {"Binder", "FieldBinder", "Progress"} | {
    "Gate",
    "_Account",
    "Faulty",
    "Journal",
    "Exchange",
    "Job",
    "Workbench",
    "_Refresh",
}
"""What gathers while a loop runs and never leaves the room that made it; what servers remember."""


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(runner.__path__, "runner."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def test_every_value_is_frozen() -> None:
    loose = {
        value.__name__
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__.startswith("runner")
        and dataclasses.is_dataclass(value)
        and not value.__dataclass_params__.frozen  # type: ignore[attr-defined]
    }
    assert loose == MUTABLE


def test_secrets_are_revealed_where_they_are_sent() -> None:
    root = Path(runner.__file__).parent
    places = {
        str(path.relative_to(root)) for path in root.rglob("*.py") if ".reveal(" in path.read_text()
    }
    assert places == {"connectors/line/http.py", "connectors/line/tokens.py"}


@pytest.mark.parametrize("name", ["mapping", "sync", "test"])
def test_every_key_of_a_schema_is_described(name: str) -> None:
    path = shipped.folder() / "schemas" / f"{name}.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))

    def undescribed(node: Any, way: str) -> Iterator[str]:
        if not isinstance(node, dict):
            return
        for key, value in node.get("properties", {}).items():
            target = schema["$defs"][value["$ref"].split("/")[-1]] if "$ref" in value else value
            if "description" not in target:
                yield f"{way}.{key}"
        for key, value in node.items():
            yield from undescribed(value, f"{way}.{key}")

    assert list(undescribed(schema, name)) == []
