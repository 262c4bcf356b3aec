"""What many commands take: the project they are about, and options of one meaning everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.helped import mapping_names
from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.model import Project


@dataclass(frozen=True, slots=True)
class Where:
    """Which project a command is about: ``-C`` and ``--env``."""

    folder: Path
    environment: str


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MAPPING]...",
        help="Mappings to run; none: all of them.",
        autocompletion=mapping_names,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print a document for programs.")]
Incremental = Annotated[
    bool,
    typer.Option("--incremental", help="Read only what changed; the plan is that of a full run."),
]
Deletes = Annotated[
    bool,
    typer.Option("--deletes", help="With --incremental: look for deletions now, due or not."),
]
Full = Annotated[bool, typer.Option("--full", help="Show every action, however many.")]
Metrics = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the run's figures there, for Prometheus."),
]


def the_project(context: typer.Context) -> Project:
    """Load the project that the command is about."""
    from runner.config import load

    where: Where = context.obj
    return load(where.folder, environment=where.environment)


def writable(*targets: Path | None) -> None:
    """Refuse files that could not be written, before anything is read for them.

    Raises:
        RunnerError: the folder of one is not there, or it is a folder itself.

    """
    for target in (target for target in targets if target is not None):
        if not target.parent.is_dir():
            raise RunnerError(f"{target} cannot be written: there is no folder {target.parent}")
        if target.is_dir():
            raise RunnerError(f"{target} cannot be written: it is a folder")
