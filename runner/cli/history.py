"""runs: what past runs did, how they ended, and what they wrote."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.console import colour, words_for_errors
from runner.cli.options import Json, the_project
from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.model import Project
    from runner.state.history import Written

app = typer.Typer(rich_markup_mode=None)

Document = dict[str, Any]


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many, the last ones.")] = 20,
    as_json: Json = False,
) -> None:
    r"""List past runs, the newest first: when, what, how it ended. Instants are UTC.

    \b
    sync-run runs
    sync-run runs --limit 100 --json
    sync-run runs show 12
    """
    if context.invoked_subcommand is not None:
        return
    with words_for_errors():
        from runner.state import history, readable
        from runner.views import document
        from runner.views import history as view

        project = the_project(context)
        with readable(project.state) as state:
            found = history.runs(state, project.state, limit=limit)
        told = {"version": document.VERSION, "runs": [plain(asdict(run)) for run in found]}
        typer.echo(document.encoded(told) if as_json else view.runs(told, colour=colour()))


@app.command()
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="N", help="The number of the run.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Show all, field by field.")] = False,
    as_json: Json = False,
) -> None:
    r"""Show one run: counters and timings by mapping, what it found amiss, what it wrote.

    \b
    sync-run runs show 12
    sync-run runs show 12 --full
    """
    with words_for_errors():
        from runner.views import document
        from runner.views import history as view

        shown = None if full or as_json else view.SHOWN
        told = _run(the_project(context), number, shown)
        drawn = document.encoded(told) if as_json else view.run(told, shown=shown, colour=colour())
        typer.echo(drawn)


@app.command()
def purge(
    context: typer.Context,
    *,
    older: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, help="Default: `history: {keep: …}`.")
    ] = None,
) -> None:
    r"""Forget old runs. Each run does so at its end, by `history:` of sync.yaml.

    The last run that wrote stays, and so do runs with open errors or writes of unknown outcome.

    \b
    sync-run runs purge
    sync-run runs purge --older 30
    """
    with words_for_errors():
        from runner.state import held, runs
        from runner.views.drawing import plural

        project = the_project(context)
        keep = project.keep if older is None else timedelta(days=older)
        if keep is None:
            hint = "`--older DAYS` says which runs to forget all the same"
            raise RunnerError("`history:` of sync.yaml keeps runs forever", hint=hint)
        with held(project.state, "runs purge") as store, store.opened() as state:
            forgotten = runs.purge(state, keep)
        typer.echo(f"{plural(forgotten, 'run')} forgotten.")


def _run(project: Project, number: int, limit: int | None) -> Document:
    from runner.state import history, readable
    from runner.views import document

    with readable(project.state) as state:
        found = history.runs(state, project.state, limit=1, run=number)
        if not found:
            raise RunnerError(f"there is no run {number}", hint="`sync-run runs` lists them")
        about = plain(asdict(found[0])) | {"requests": history.requests(state, number)}
        jobs = [asdict(job) for job in history.jobs(state, number)]
        findings = [keyed(project, asdict(f)) for f in history.findings(state, number, limit=limit)]
        writes = [_written(project, write) for write in history.writes(state, number, limit=limit)]
        totals = history.totals(state, number)
    return {
        "version": document.VERSION,
        "run": about,
        "jobs": jobs,
        "totals": totals,
        "findings": findings,
        "writes": writes,
    }


def _written(project: Project, write: Written) -> Document:
    told = keyed(project, plain(asdict(write)))
    kind, side = told.pop("kind"), told.pop("side")
    fields = [{"field": name, "old": old, "new": new} for name, old, new in told.pop("fields")]
    return {
        "mapping": told.pop("mapping"),
        "action": kind,
        "system": systems(project, write.mapping).get(side),
        **told,
        "fields": fields,
    }


def keyed(project: Project, told: Document) -> Document:
    """Put the keys of both sides under the names of their systems."""
    names = systems(project, told["mapping"])
    keys = {names[side]: _known(told.pop(f"{side}_key")) for side in ("left", "right")}
    return {"mapping": told.pop("mapping"), "keys": keys, **told}


def systems(project: Project, mapping: str) -> dict[str, str]:
    """Name both systems of a mapping; one that is no more leaves them left and right."""
    known = {rule.name: rule for rule in project.mappings}.get(mapping)
    if known is None:
        return {"left": "left", "right": "right"}
    return {"left": known.left.system, "right": known.right.system}


def plain(told: Document) -> Document:
    """Write instants as ISO 8601 in UTC."""
    return {
        key: f"{value.isoformat(timespec='seconds')}Z" if isinstance(value, datetime) else value
        for key, value in told.items()
    }


def _known(key: str | None) -> str | None:
    from runner.compile import PENDING

    return None if key is None or key.startswith(PENDING) else key
