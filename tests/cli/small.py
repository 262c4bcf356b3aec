"""A small project of one's own: two folders of CSV, one mapping; and what a person sees of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from runner.cli import app

if TYPE_CHECKING:
    import pytest
    from typer.testing import Result

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "sync.yaml": """systems:
  shop: {connector: files, url: shop}
  depot: {connector: files, url: depot}
""",
    "mappings/people.yaml": """mapping: people
direction: both
shop: {entity: people, key: id}
depot: {entity: persons, key: code}
match: [{shop: name, depot: full_name}]
fields:
  - {shop: name, depot: full_name}
  - {shop: phone, depot: phone}
""",
    "shop/people.csv": """id,name,phone
1,Ann,11
2,Bob,22
3,Eve,33
4,Tom,44
""",
    "depot/persons.csv": """code,full_name,phone
A,Ann,11
B,bob,22
C,Eve,33
D,Eve,34
E,Zoe,55
""",
}


class Small:
    """The project in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(self.folder), *words])

    def records(self) -> list[str]:
        return [(self.folder / name).read_text() for name in FILES if name.endswith(".csv")]


def shown(*results: Result) -> str:
    """What a person saw of several commands, one after the other, but for what was read when."""
    told = "".join(f"{r.stdout}{r.stderr}[{int(r.exit_code)}]\n" for r in results)
    return "".join(line for line in told.splitlines(keepends=True) if " read from " not in line)


def golden(name: str, told: str, request: pytest.FixtureRequest) -> None:
    file = GOLDEN / name
    if request.config.getoption("--update-golden"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")
