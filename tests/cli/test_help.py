"""Help: every command says what it does, shows how, and is completed by the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from runner.cli import app
from runner.errors import ExitCode
from tests.cli.quickstart import REPOSITORY, quickstart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.mark.parametrize(
    "words",
    [
        ("plann",),
        ("--nothing",),
        ("plan", "--detailed-exitcod"),
        ("why", "customers"),
        ("runs", "show", "last"),
        ("state",),
        (),
    ],
    ids=" ".join,
)
def test_a_typing_error_is_never_taken_for_changes(words: tuple[str, ...]) -> None:
    assert WALK.invoke(app, words).exit_code == ExitCode.UNUSABLE


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--out"),
        ("plan", "--html"),
        ("plan", "--markdown"),
        ("report", "--out"),
        ("undo", "1", "--out"),
    ],
    ids=" ".join,
)
def test_where_nothing_can_be_written_nothing_is_read(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    made = quickstart(tmp_path)
    target = tmp_path / "nowhere" / "file"
    told = made.run(*words, str(target))
    assert told.exit_code == ExitCode.UNUSABLE
    assert told.stderr.splitlines() == [
        f"error: {target} cannot be written: there is no folder {target.parent}"
    ]
    folder = made.run(*words, str(tmp_path))
    assert folder.stderr == f"error: {tmp_path} cannot be written: it is a folder\n"


def test_a_plan_that_is_not_there_is_no_mapping(tmp_path: Path) -> None:
    told = quickstart(tmp_path).run("apply", "monday.plan")
    assert told.exit_code == ExitCode.UNUSABLE
    assert told.stderr.splitlines() == [
        "error: there is no plan monday.plan",
        "  hint: `sync-run plan --out FILE` saves one",
    ]
