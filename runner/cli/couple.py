"""couple, uncouple: which records belong together, decided by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import words_for_errors
from runner.cli.helped import Mapping  # noqa: TC001 - typer reads it
from runner.errors import RunnerError, nearest

if TYPE_CHECKING:
    from runner.cli.walk import Where
    from runner.model import Mapping as Rule
    from runner.model import Project


def uncouple(
    context: typer.Context,
    name: Mapping,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key of either record.")],
) -> None:
    r"""Forget that two records belong together. Both records stay as they are.

    \b
    sync-run uncouple customers 10000
    """
    with words_for_errors():
        from runner.state import couplings, held

        project, mapping = _mapping(context, name)
        with held(project.state, "uncouple") as store, store.opened() as state:
            found = couplings.find(state, mapping.name, key)
            if not found:
                raise RunnerError(f"'{key}' is not coupled in mapping {mapping.name}")
            couplings.uncouple(state, mapping.name, found)
        for left, right in found:
            typer.echo(f"Uncoupled {_pair(mapping, left, right)}.")


def couple(
    context: typer.Context,
    name: Mapping,
    left: Annotated[str, typer.Argument(metavar="LEFT", help="The key of the left record.")],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="The key of the right record.")],
) -> None:
    r"""Say that two records belong together. The next plan shows how they differ.

    Left and right are the systems in the order of sync.yaml.

    \b
    sync-run couple customers 10000 6af9ead1-a860-56ff-92c0-c8aa7e776a0b
    """
    with words_for_errors():
        from runner.state import couplings, held

        project, mapping = _mapping(context, name)
        with held(project.state, "couple") as store, store.opened() as state:
            for key in (left, right):
                for taken in couplings.find(state, mapping.name, key):
                    raise RunnerError(
                        f"'{key}' is coupled already: {_pair(mapping, *taken)}",
                        hint=f"`sync-run uncouple {mapping.name} {key}` sets it free",
                    )
            couplings.adopt(state, mapping.name, left, right, run=0)
        typer.echo(f"Coupled {_pair(mapping, left, right)}.")


def _mapping(context: typer.Context, name: str) -> tuple[Project, Rule]:
    from runner.config import load

    where: Where = context.obj
    project = load(where.folder, environment=where.environment)
    known = {mapping.name: mapping for mapping in project.mappings}
    if name not in known:
        raise RunnerError(f"there is no mapping '{name}'", hint=nearest(name, known))
    return project, known[name]


def _pair(mapping: Rule, left: str, right: str) -> str:
    return f"{mapping.left.system} {left} ↔ {mapping.right.system} {right}"
