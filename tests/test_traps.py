"""Every trap, and every fault of a system, has a test that is there, or a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([a-z_/]+\.py)::([a-z0-9_]+)`")
LISTS = {"traps.md": 70, "faults.md": 16}
"""The lists, and how many rows each has."""
ROWS = [
    (name, int(n), held)
    for name in LISTS
    for n, _, held in _ROW.findall((HERE / name).read_text("utf-8"))
]


@pytest.mark.parametrize(("name", "count"), LISTS.items())
def test_all_are_listed(name: str, count: int) -> None:
    assert [number for of, number, _ in ROWS if of == name] == list(range(1, count + 1))


@pytest.mark.parametrize(("name", "number", "held"), ROWS, ids=lambda value: str(value)[:6])
def test_what_is_named_is_there(name: str, number: int, held: str) -> None:
    named = _TEST.findall(held)
    assert named or held.startswith(("cannot happen", "open: ")), (name, number)
    for file, test in named:
        text = (HERE / file).read_text("utf-8")
        assert re.search(rf"^(?:async )?def {test}\(", text, re.MULTILINE), f"{file}::{test}"
