"""Every trap has a test that is there, or a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([a-z_/]+\.py)::([a-z0-9_]+)`")
ROWS = [(int(n), held) for n, _, held in _ROW.findall((HERE / "traps.md").read_text("utf-8"))]


def test_all_traps_are_listed() -> None:
    assert [number for number, _ in ROWS] == list(range(1, 71))


@pytest.mark.parametrize(("number", "held"), ROWS, ids=lambda value: str(value)[:4])
def test_what_is_named_is_there(number: int, held: str) -> None:
    named = _TEST.findall(held)
    assert named or held.startswith(("cannot happen", "open: ")), number
    for file, name in named:
        text = (HERE / file).read_text("utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), f"{file}::{name}"
