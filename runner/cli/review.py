"""review: how both sides stand to each other, before a first run or a full synchronization."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from runner.cli.console import words_for_errors
from runner.cli.options import Json, Names, the_project
from runner.cli.progress import progress
from runner.cli.select import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Project
    from runner.views.review import Document


def review(context: typer.Context, names: Names = None, *, as_json: Json = False) -> None:
    r"""Review mappings before a full synchronization. Writes to no system and couples nothing.

    In the order in which they run: what each waits for, how many records are coupled, match, and
    have no partner, and what is best done first.

    \b
    sync-run review
    sync-run review customers contacts --json
    """
    with words_for_errors():
        from runner.views import document, review

        project = the_project(context)
        told = asyncio.run(_reviewed(project, choose(project, names or [])))
        typer.echo(document.encoded(told) if as_json else review.drawn(told))


async def _reviewed(project: Project, chosen: Sequence[str]) -> Document:
    from runner.cli.wiring import session
    from runner.model import Selection
    from runner.plan import must_be_allowed, run_file
    from runner.run import make_plan
    from runner.views import document, review

    only_pairs = Selection(mappings=tuple(chosen), pairs_alone=True)
    with progress() as tell, run_file() as file:
        async with session(project, "review", tell) as opened:
            made = await make_plan(opened, file, only_pairs)
            must_be_allowed(made.header.guards, ())
            return review.of_review(document.of_plan(made, limit=0), project.mappings)
