"""A system that cannot be read in the middle of a run: told as that, by the history as well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runner.errors import ExitCode
from tests.cli.small import Small

if TYPE_CHECKING:
    from pathlib import Path

SYNC = """systems:
  shop: {connector: files, url: shop, types: {people: {phone: integer}}}
  depot: {connector: files, url: depot}
"""


@pytest.fixture
def synchronized(tmp_path: Path) -> Small:
    """A project with a state, and then a value in it that is none of its type."""
    small = Small(tmp_path)
    (tmp_path / "sync.yaml").write_text(SYNC, encoding="utf-8")
    assert small.run("apply", "--yes").exit_code in (ExitCode.DONE, ExitCode.RECORDS_FAILED)
    people = tmp_path / "shop" / "people.csv"
    people.write_text(people.read_text().replace("33", "thirty"), encoding="utf-8")
    return small


@pytest.mark.parametrize(
    "command",
    [
        ("apply", "--yes"),
        ("apply", "--yes", "--incremental"),
        ("plan",),
        ("couple", "people", "--match", "--yes"),
    ],
)
def test_it_is_told_and_the_next_run_goes_on(synchronized: Small, command: tuple[str, ...]) -> None:
    result = synchronized.run(*command)
    assert result.exit_code == ExitCode.UNUSABLE, result.output
    assert "shop: " in result.stderr
    assert "thirty" in result.stderr
    assert "a fault in sync-run itself" not in result.stderr
    if command[0] != "plan":
        (run, *_) = json.loads(synchronized.run("runs", "--json").stdout)["runs"]
        assert run["exit_code"] == ExitCode.UNUSABLE
        assert "thirty" in run["message"]
    people = synchronized.folder / "shop" / "people.csv"
    people.write_text(people.read_text().replace("thirty", "34"), encoding="utf-8")
    again = synchronized.run("apply", "--yes")
    assert again.exit_code in (ExitCode.DONE, ExitCode.RECORDS_FAILED), again.output
    assert "Eve,34" in (synchronized.folder / "depot" / "persons.csv").read_text()
