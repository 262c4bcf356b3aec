"""undo: the inverse of what a run wrote, as a plan."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import screen, words_for_errors
from runner.cli.options import Full, Json, the_project, writable
from runner.cli.progress import progress
from runner.cli.walk import PlanOptions, duration, print_plan, saved
from runner.errors import ExitCode

if TYPE_CHECKING:
    from runner.model import Project


def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(metavar="RUN", help="The number of the run.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Save the plan, for `sync-run apply FILE`.")
    ] = None,
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="How long it may be applied: 30m, 24h, 7d.")
    ] = "24h",
    as_json: Json = False,
    full: Full = False,
) -> None:
    r"""Show what would undo a run.

    Records it changed get their old values back, those it created are deleted, those it deleted are
    made anew, its couplings are taken back. Writes nothing. What changed since is a conflict,
    and stays as it is. `sync-run apply FILE` does the rest.

    \b
    sync-run undo 7
    sync-run undo 7 --out undo.plan && sync-run apply undo.plan
    """
    with words_for_errors():
        from runner.run import FULL

        project = the_project(context)
        writable(out)
        options = PlanOptions(
            out=out,
            lasts=duration(expires),
            html=None,
            markdown=None,
            as_json=as_json,
            screen=screen(context, full=full),
            detailed=False,
            extent=FULL,
        )
        raise typer.Exit(asyncio.run(_undo(project, run, options)))


async def _undo(project: Project, run: int, options: PlanOptions) -> ExitCode:
    from runner.cli.wiring import session
    from runner.plan import run_file
    from runner.run import make_undo

    with progress() as tell, run_file() as file:
        async with session(project, "undo", tell) as opened:
            made = await make_undo(opened, file, run)
            saved(made, options.out, options.lasts)
            print_plan(made, options)
    return ExitCode.STOPPED if made.header.guards else ExitCode.DONE
