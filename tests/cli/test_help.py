"""Help: every command says what it does, shows how, and is completed by the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from runner.cli import app
from tests.cli.quickstart import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

WALK = CliRunner()
ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, *before: str) -> Iterator[tuple[str, ...]]:
    for name in group.commands:
        yield (*before, name)
        inner = group.get_command(typer.Context(group), name)
        if hasattr(inner, "commands"):
            yield from commands(inner, *before, name)


KNOWN = list(commands())


@pytest.mark.parametrize("words", KNOWN, ids=" ".join)
def test_a_command_shows_how_it_is_used(words: tuple[str, ...]) -> None:
    told = WALK.invoke(app, [*words, "--help"]).stdout
    assert "\\b" not in told, "a marker of ours is seen"
    head, _, shown = told.partition("Examples:\n")
    examples = [line.strip() for line in shown.partition("\n\nArguments")[0].splitlines()]
    examples = [line for line in examples if line.startswith("sync-run")]
    assert examples, "there is no example"
    assert all(words[0] in example.split() for example in examples)
    assert head.count("\n") < 20


def test_the_list_of_commands_can_be_read() -> None:
    told = WALK.invoke(app, ["--help"]).stdout
    listed = told.partition("Commands:\n")[2].splitlines()
    assert len(listed) == len(ROOT.commands)
    assert [line for line in listed if line.endswith("...")] == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sync-run {place} plan cust", ["customers"]),
        ("sync-run {place} apply price-", ["price-lists", "price-groups"]),
        ("sync-run {place} uncouple shipm", ["shipment-methods"]),
        ("sync-run {place} why opp", ["opportunities"]),
        ("sync-run rep", ["report"]),
        ("sync-run -C /nowhere plan cust", []),
    ],
)
def test_names_are_completed(typed: str, offered: list[str]) -> None:
    place = f"-C {REPOSITORY / 'examples' / 'quickstart'}"
    words = typed.format(place=place)
    asked = {
        "_SYNC_RUN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    told = WALK.invoke(app, [], prog_name="sync-run", env=asked)
    assert told.stdout.split() == offered
