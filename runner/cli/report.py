"""report: a plan, the graph of its mappings and past runs as one page for a browser."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import say, words_for_errors
from runner.cli.options import Names, the_project, writable
from runner.cli.progress import progress
from runner.cli.select import choose
from runner.errors import RunnerError
from runner.model import Selection

if TYPE_CHECKING:
    from runner.model import Project
    from runner.plan import Plan

_RUNS = 40


def report(
    context: typer.Context,
    names: Names = None,
    *,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("sync-run-report.html"),
    saved: Annotated[
        Path | None, typer.Option("--plan", help="Of a saved plan, instead of one made now.")
    ] = None,
) -> None:
    r"""Write a page about what apply would change.

    Field by field, with search and filter, the graph of mappings, and past runs. It
    needs no network and no server, and can be sent as it is. It holds the records it is about.
    Reads both systems, unless --plan names a saved plan; writes to neither.

    \b
    sync-run report
    sync-run report customers contacts --out monday.html
    sync-run report --plan monday.plan --out monday.html
    """
    with words_for_errors():
        project = the_project(context)
        chosen = choose(project, names or [])
        writable(out)
        asyncio.run(_report(project, Selection(mappings=chosen), saved, out))
        say(f"Written to {out}.")


async def _report(project: Project, chosen: Selection, saved: Path | None, out: Path) -> None:
    from runner.cli.wiring import session
    from runner.plan import opened as open_plan
    from runner.plan import run_file
    from runner.run import make_plan

    if saved is not None:
        write(project, open_plan(saved), out)
        return
    with progress() as tell, run_file() as file:
        async with session(project, "report", tell) as opened:
            write(project, await make_plan(opened, file, chosen), out)


def write(project: Project, made: Plan, out: Path) -> None:
    """Write the page about a plan, readable by its owner alone: it holds the company's records.

    Raises:
        RunnerError: the file cannot be written.

    """
    from runner.cli.history import plain
    from runner.state import history, readable
    from runner.views import document, graph
    from runner.views.page import page

    told = document.of_plan(made, limit=0)
    names = [summary.name for summary in made.header.mappings]
    known = [mapping.name for mapping in project.mappings if mapping.name in names]
    with readable(project.state) as state:
        runs = history.runs(state, project.state, limit=_RUNS)
    drawn = page(
        told,
        document.actions_of(made),
        graph.of_project(project, known),
        [plain(asdict(run)) for run in runs],
    )
    half = out.with_name(f"{out.name}.{os.getpid()}")
    try:
        half.touch(mode=0o600)
        half.write_text(drawn, encoding="utf-8")
        half.replace(out)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise RunnerError(f"{out} cannot be written: {error.strerror}") from error
