"""state: is the state file sound, a copy of it, a copy put back, couplings found anew."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import asks, say, screen, words_for_errors
from runner.cli.options import Full, Json, the_project
from runner.cli.progress import progress
from runner.errors import ExitCode, RunnerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runner.model import Project
    from runner.run import Session
    from runner.state.care import Condition
    from runner.views.actions import Screen

_HELP = r"""Look after the state.

The file that remembers what belongs together, and what both sides last agreed on.

\b
sync-run state check
sync-run state backup monday.backup
"""
app = typer.Typer(
    no_args_is_help=True,
    help=_HELP,
    rich_markup_mode=None,
)


@app.command()
def check(context: typer.Context, *, as_json: Json = False) -> None:
    r"""Read the state to its last byte, and say whether it is sound.

    Exit codes: 0 it is, 1 it is damaged or of a newer version, 3 it holds what must not be.

    \b
    sync-run state check
    """
    with words_for_errors():
        from runner.state import locked
        from runner.state.care import check as checked

        path = _there(the_project(context))
        with locked(path, "state check"):
            found = checked(path)
        typer.echo(json.dumps(_document(path, found), indent=2)
                   if as_json else _drawn(path, found))  # fmt: skip
        raise typer.Exit(ExitCode.RECORDS_FAILED if found.problems else ExitCode.DONE)


@app.command()
def backup(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")],
) -> None:
    r"""Copy the state, if it is sound, to FILE; a copy that is there is replaced.

    \b
    sync-run state backup state.backup
    """
    with words_for_errors():
        from runner.state import locked
        from runner.state.care import backup as copied

        path = _there(the_project(context))
        with locked(path, "state backup"):
            copied(path, target)
        typer.echo(f"{target} is a copy of {path}.")


@app.command()
def restore(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A copy made by backup.")],
) -> None:
    r"""Put a copy in the state's place, if it is sound. The old state is kept beside it.

    What was coupled since the copy was made is found by `match:` again.

    \b
    sync-run state restore state.backup
    """
    with words_for_errors():
        from runner.state import locked
        from runner.state.care import restore as restored

        project = the_project(context)
        with locked(project.state, "state restore"):
            aside = restored(project.state, source)
        typer.echo(f"{project.state} is what {source} holds.")
        if aside:
            say(f"The old state is kept as {aside}.")


@app.command()
def repair(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it, do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the pairs alone.")] = False,
    full: Full = False,
) -> None:
    r"""Couple everything anew by `match:`, from both systems, into a new state.

    Neither system is written to. The old state is kept beside the new one. What no `match:` finds
    is not coupled; what differs in a pair is a conflict of the next plan.

    \b
    sync-run state repair --dry-run
    sync-run state repair
    """
    with words_for_errors():
        project = the_project(context)
        sure = yes and not dry_run
        drawn = screen(context, full=full)
        raise typer.Exit(asyncio.run(_repair(project, drawn, ask=not dry_run, sure=sure)))


async def _repair(project: Project, screen: Screen, *, ask: bool, sure: bool) -> ExitCode:
    from runner.model import Selection
    from runner.plan import run_file
    from runner.run import carry_out, make_plan
    from runner.state.care import put_in_place
    from runner.views import document, text

    names = tuple(mapping.name for mapping in project.mappings)
    pairs = Selection(mappings=names, pairs_alone=True)
    async with _anew(project) as session:
        with run_file() as file:
            made = await make_plan(session, file, pairs)
            told = document.of_plan(made, limit=None if screen.full else text.SHOWN)
            typer.echo(text.plan(told, screen))
            if not sure and not (ask and asks() and typer.confirm("Make a new state of these?")):
                say("Nothing was written; `sync-run state repair --yes` does it.")
                return ExitCode.DONE
            report = await carry_out(session, made)
        if not session.store.exists:  # there is no pair at all
            with session.store.opened():
                pass
        aside = put_in_place(project.state, session.store.path)
    coupled = sum(counted["coupled"] for counted in report.counters.values())
    typer.echo(f"{project.state} is new, with {coupled} pairs.")
    if aside:
        say(f"The old state is kept as {aside}.")
    return report.exit_code


@asynccontextmanager
async def _anew(project: Project) -> AsyncIterator[Session]:
    """Hold the project's state, and work on an empty one beside it."""
    from runner.cli.wiring import connected, places
    from runner.run import Session, compiled
    from runner.state import Store, locked

    with (
        progress() as tell,
        locked(project.state, "state repair"),
        TemporaryDirectory(prefix=".repaired-", dir=project.state.parent) as folder,
    ):
        async with connected(project) as connectors:
            yield Session(
                project=project,
                connectors=connectors,
                mappings=await compiled(project, connectors),
                store=Store(Path(folder) / "state.duckdb"),
                tell=tell,
                places=places(project),
            )


def _there(project: Project) -> Path:
    if not project.state.exists():
        raise RunnerError(f"there is no {project.state} yet", hint="the first `apply` makes it")
    return project.state


def _document(path: Path, found: Condition) -> dict[str, object]:
    told = {"file": str(path), **asdict(found), "couplings": dict(found.couplings)}
    return {"version": 1, "state": told}


def _drawn(path: Path, found: Condition) -> str:
    pairs = sum(n for _, n in found.couplings)
    lines = [
        f"{path}: version {found.version}, {pairs} pairs in {len(found.couplings)} mappings",
        *(f"  {mapping}  {n}" for mapping, n in found.couplings),
    ]
    if found.unfinished:
        lines.append(
            f"  {found.unfinished} writes without outcome: `sync-run apply` asks about them"
        )
    if found.unended:
        lines.append(f"  {found.unended} runs were interrupted")
    lines += [f"  x {problem}" for problem in found.problems]
    if found.problems:
        lines.append("  hint: `sync-run state restore FILE` or `sync-run state repair`")
    return "\n".join([*lines, "not sound" if found.problems else "sound"])
