"""Help that can be read, and words that the shell completes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from runner.errors import ExitCode, RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterator

_Misused: Any = typer.BadParameter.__base__
"""What is raised for words on the command line that mean nothing; typer gives it no name."""
_BLOCK = re.compile(r"^\\b\n((?:.+\n?)+)", re.MULTILINE)


class Group(TyperGroup):
    """The commands, with their examples set off from the text, line by line."""

    def __init__(self, *words: Any, **told: Any) -> None:
        super().__init__(*words, **told)
        self.help = _BLOCK.sub(_set_off, self.help or "")

    def make_context(self, *words: Any, **told: Any) -> Any:
        """Understand the options before the command."""
        with _misuse_has_its_code():
            return super().make_context(*words, **told)

    def invoke(self, ctx: Any) -> Any:
        """Understand the rest, and run the command."""
        with _misuse_has_its_code():
            return super().invoke(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command with its help ready to be shown."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _ready(command)
        return command


@contextmanager
def _misuse_has_its_code() -> Iterator[None]:
    """Let misuse end with 1: with 2, a pipeline would take a typing error for changes."""
    try:
        yield
    except _Misused as error:
        error.exit_code = ExitCode.UNUSABLE
        raise


def _ready(command: Any) -> None:
    command.help = _BLOCK.sub(_set_off, command.help or "")
    for inner in getattr(command, "commands", {}).values():
        _ready(inner)


def _set_off(found: re.Match[str]) -> str:
    """Mark lines as they stand, in click's way; what begins with our own name is an example."""
    lines = found[1].rstrip("\n")
    title = "Examples:\n\n" if lines.startswith("sync-run") else ""
    indented = "\n".join(f"  {line}" for line in lines.split("\n"))
    return f"{title}\b\n{indented}\n"


def mapping_names(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a mapping; a project that cannot be read has none to offer."""
    from runner.config import load

    told = context.find_root().params
    try:
        project = load(Path(told.get("folder") or "."), environment=told.get("environment") or "")
    except (RunnerError, OSError):
        return []
    return [name for mapping in project.mappings if (name := mapping.name).startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(metavar="MAPPING", help="The mapping.", autocompletion=mapping_names),
]
