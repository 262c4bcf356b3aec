"""validate, plan, apply: the walk of the data."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import asks, say, screen, words_for_errors
from runner.cli.helped import mapping_names
from runner.cli.options import (
    Deletes,
    Full,
    Incremental,
    Json,
    Metrics,
    Names,
    the_project,
    writable,
)
from runner.cli.progress import progress
from runner.cli.select import Filter, Prefer, Records, To, WithDependencies, left_out, selected
from runner.errors import ExitCode, GuardError, RunnerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.errors import Problem
    from runner.model import Project, Selection
    from runner.plan import Plan
    from runner.run import Extent, Report, Session
    from runner.views.actions import Screen
    from runner.views.document import Document

_STDOUT = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The options of ``plan``."""

    out: Path | None
    html: Path | None
    lasts: timedelta
    markdown: Path | None
    as_json: bool
    screen: Screen
    detailed: bool
    extent: Extent


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """The options of ``apply``; ``saved`` is the plan to carry out, if it is not made now.

    ``command`` is what the run is called in the history, ``metrics`` where its figures go.
    """

    saved: Path | None
    yes: bool
    as_json: bool
    screen: Screen
    extent: Extent
    allow: tuple[str, ...] = ()
    command: str = "apply"
    metrics: Path | None = None


def validate(
    context: typer.Context,
    *,
    online: Annotated[
        bool, typer.Option("--online", help="Hold them against what the systems tell, too.")
    ] = False,
) -> None:
    r"""Check sync.yaml and the mappings. Touches no system, unless --online.

    Online it reads what both systems tell of their entities: names that do not exist, fields that
    cannot be written, literals that do not fit, targets that are too short, required fields that
    nothing sets.

    \b
    sync-run validate
    sync-run -C examples/quickstart validate --online
    """
    with words_for_errors():
        project = the_project(context)
        notes = [*project.notes, *(asyncio.run(_advice(project)) if online else ())]
        for note in notes:
            say(f"note: {note}")
        names = ", ".join(mapping.name for mapping in project.mappings)
        one = len(project.mappings) == 1
        what = "1 mapping is valid" if one else f"{len(project.mappings)} mappings are valid"
        typer.echo(f"{what}: {names}" if one else f"{what}, in this order: {names}")


def plan(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    names: Names = None,
    *,
    records: Records = None,
    where: Filter = "",
    direction: To = "",
    prefer: Prefer = "",
    dependencies: WithDependencies = False,
    out: Annotated[
        Path | None, typer.Option(help="Save the plan, for `sync-run apply FILE`.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write it as a page for a browser, with search and filter.")
    ] = None,
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="How long it may be applied: 30m, 24h, 7d.")
    ] = "24h",
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a summary for a pull request; `-`: instead of the plan."
        ),
    ] = None,
    as_json: Json = False,
    full: Full = False,
    incremental: Incremental = False,
    deletes: Deletes = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show the wire queries and the SQL instead of a plan."),
    ] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 if there are changes.")
    ] = False,
) -> None:
    r"""Show what apply would change. Writes to neither system.

    \b
    sync-run plan
    sync-run plan customers --full
    sync-run plan --incremental
    sync-run plan customers --record 10000
    sync-run plan customers --where "nav: City == 'London'" --direction "nav -> crm"
    sync-run plan --explain customers
    sync-run plan --html monday.html
    sync-run plan --out monday.plan --expires 12h --markdown summary.md
    """
    with words_for_errors():
        project = the_project(context)
        chosen = selected(
            project,
            names or [],
            records=records or [],
            where=where,
            direction=direction,
            prefer=prefer,
            dependencies=dependencies,
        )
        writable(out, html, markdown)
        if explain:
            asyncio.run(_explain(project, chosen))
            return
        if markdown == _STDOUT and as_json:
            raise RunnerError("--json and --markdown - both go to stdout", hint="name a FILE")
        options = PlanOptions(
            out=out,
            html=html,
            lasts=duration(expires),
            markdown=markdown,
            as_json=as_json,
            screen=screen(context, full=full),
            detailed=detailed_exitcode,
            extent=_extent(chosen, incremental=incremental, deletes=deletes),
        )
        raise typer.Exit(asyncio.run(_plan(project, chosen, options)))


def apply(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE | MAPPING]...",
            help="A saved plan, or mappings to run; none: all.",
            autocompletion=mapping_names,
        ),
    ] = None,
    *,
    records: Records = None,
    where: Filter = "",
    direction: To = "",
    prefer: Prefer = "",
    dependencies: WithDependencies = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
    full: Full = False,
    incremental: Incremental = False,
    deletes: Deletes = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GUARD", help="Lift a guard: deletes, changes, empty, customers.max_deletes."
        ),
    ] = None,
    metrics: Metrics = None,
) -> None:
    r"""Make both systems the same.

    It plans, shows the plan, asks (on a terminal, unless --yes), and does exactly that. Where
    nobody is asked, only what is to be looked at is shown: in a pipeline, apply the plan that
    somebody has seen and saved.

    Exit codes: 0 all is done, 3 some records failed or are in conflict, 4 a guard stopped
    it, or the saved plan is stale.

    \b
    sync-run apply
    sync-run apply customers contacts --yes
    sync-run apply --incremental --yes
    sync-run apply customers --record 10000 --prefer nav
    sync-run apply monday.plan
    """
    with words_for_errors():
        from runner.plan.guards import known

        project = the_project(context)
        saved = _saved_plan(project, names or [])
        if saved and incremental:
            raise RunnerError(
                f"{saved} is a saved plan: what it needed was read when it was made",
                hint="`sync-run plan --incremental --out FILE` saves an incremental one",
            )
        if saved and (records or where or direction or prefer or dependencies):
            raise RunnerError(
                f"{saved} is a saved plan, which says by itself what it is about",
                hint="give these options to `sync-run plan --out FILE`",
            )
        chosen = selected(
            project,
            [] if saved else names or [],
            records=records or [],
            where=where,
            direction=direction,
            prefer=prefer,
            dependencies=dependencies,
        )
        lifted = tuple(allow or ())
        known(lifted, [mapping.name for mapping in project.mappings])
        options = ApplyOptions(
            saved=saved,
            yes=yes or as_json,
            as_json=as_json,
            screen=screen(context, full=full),
            extent=_extent(chosen, incremental=incremental, deletes=deletes),
            allow=lifted,
            metrics=metrics,
        )
        raise typer.Exit(asyncio.run(carried(project, chosen, options)))


def _extent(chosen: Selection, *, incremental: bool, deletes: bool) -> Extent:
    from runner.run import Extent

    if incremental and chosen.some:
        raise RunnerError(
            "--incremental is for whole mappings",
            hint="a run about some records reads those alone, as far as that is enough",
        )

    if deletes and not incremental:
        raise RunnerError(
            "--deletes goes with --incremental", hint="a full run sees what was deleted anyway"
        )
    return Extent(incremental=incremental, deletes=deletes)


async def _advice(project: Project) -> Sequence[Problem]:
    from runner.cli.wiring import connected
    from runner.compile import advice
    from runner.run import compiled

    async with connected(project) as connectors:
        mappings = await compiled(project, connectors)
    return sorted(note for mapping in mappings for note in advice(mapping))


async def _plan(project: Project, chosen: Selection, options: PlanOptions) -> ExitCode:
    from runner.cli.report import write
    from runner.cli.wiring import session
    from runner.plan import CHANGES, run_file
    from runner.run import make_plan

    with progress() as tell, run_file() as file:
        async with session(project, "plan", tell) as opened:
            made = await make_plan(opened, file, chosen, options.extent)
            saved(made, options.out, options.lasts)
            if options.markdown:
                _summarize(made, options.markdown)
            if options.markdown != _STDOUT:
                told = print_plan(made, options)
                if said := left_out(project, chosen, told):
                    say(said)
            if options.html:
                write(project, made, options.html)
                say(f"Written to {options.html}.")
            changes = made.count(*CHANGES)
    if made.header.guards:
        return ExitCode.STOPPED
    return ExitCode.CHANGES if options.detailed and changes else ExitCode.DONE


def print_plan(made: Plan, options: PlanOptions) -> Document:
    """Print a plan in the form that is wanted; return what it was drawn from."""
    from runner.views import document, text

    told = _document(made, options)
    typer.echo(document.encoded(told) if options.as_json else text.plan(told, options.screen))
    return told


def saved(made: Plan, out: Path | None, lasts: timedelta) -> None:
    """Save a plan, if that is wanted, and say until when it may be applied."""
    from runner.cli.wiring import plan_key

    if out:
        header = made.save(out, lasts=lasts, key=plan_key())
        say(f"Saved to {out}; `sync-run apply {out}` does exactly this, until {header.expires}.")


def _saved_plan(project: Project, names: list[str]) -> Path | None:
    """Tell a plan to carry out from mappings to run."""
    if len(names) != 1:
        return None
    path = Path(names[0])
    if path.is_file():
        return path
    if names[0] not in {mapping.name for mapping in project.mappings} and path.suffix:
        raise RunnerError(f"there is no plan {path}", hint="`sync-run plan --out FILE` saves one")
    return None


def duration(text: str) -> timedelta:
    """Read how long something lasts: ``30m``, ``24h``, ``7d``.

    Raises:
        RunnerError: it is none.

    """
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if not found:
        raise RunnerError(f"'{text}' is no length of time", hint="write 30m, 24h or 7d")
    unit = {"m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


async def _explain(project: Project, chosen: Selection) -> None:
    from runner.cli.explain import explained
    from runner.cli.wiring import connected
    from runner.run import compiled

    async with connected(project) as connectors:
        for mapping in await compiled(project, connectors):
            if mapping.name in chosen.mappings:
                typer.echo(explained(mapping, connectors))


async def carried(project: Project, chosen: Selection, options: ApplyOptions) -> ExitCode:
    """Plan the chosen mappings, or take a saved plan; show it, ask, do it."""
    from runner.cli.wiring import begins, plan_key, session
    from runner.plan import opened as open_plan
    from runner.plan import run_file
    from runner.run import done_already, make_plan, settle_interrupted

    mode = "saved plan" if options.saved else str(options.extent)
    beginning = begins(project, options.command, chosen, mode)
    figures = options.metrics
    with progress() as tell:
        async with session(
            project, options.command, tell, beginning=beginning, figures=figures
        ) as opened:
            if options.saved:
                made = open_plan(options.saved, key=plan_key())
                report = done_already(opened, made)
                if report:
                    _show_report(report, options, _document(made, options))
                    return report.exit_code
                return await _carried_out(opened, made, options)
            await settle_interrupted(opened)
            # Within the session: what fails is written down in the state that the file reads.
            with run_file() as file:
                made = await make_plan(opened, file, chosen, options.extent)
                return await _carried_out(opened, made, options)


async def _carried_out(session: Session, made: Plan, options: ApplyOptions) -> ExitCode:
    """Show the plan, ask, do it, show what was done."""
    from runner import run
    from runner.plan import CHANGES, must_be_allowed
    from runner.views import document, text

    planned = _document(made, options)
    changes = made.count(*CHANGES)
    asked = bool(changes) and not options.yes and asks()
    if not options.as_json:
        # Where nobody decides, what is about to be done is counted; what was found out is told.
        brief = not asked and not options.screen.full
        typer.echo(text.plan(planned, options.screen, findings_only=brief))
        if said := left_out(session.project, made.header.selection, planned):
            say(said)
    try:
        must_be_allowed(made.header.guards, options.allow)
    except GuardError:
        if options.as_json:
            shown = {"version": document.VERSION, "plan": planned, "report": None}
            typer.echo(document.encoded(shown))
        raise
    if asked and not _agreed():
        say("Nothing was written.")
        return ExitCode.DONE
    report = await run.carry_out(session, made, allow=options.allow)
    if changes or options.as_json or report.set_aside:
        if not options.as_json:
            typer.echo()
        _show_report(report, options, planned)
    return report.exit_code


def _show_report(report: Report, options: ApplyOptions, planned: Document) -> None:
    from runner.views import document, text

    told = document.of_report(report)
    if options.as_json:
        typer.echo(document.encoded({"version": document.VERSION, "plan": planned, "report": told}))
    else:
        typer.echo(text.report(told, options.screen))


def _agreed() -> bool:
    try:
        return typer.confirm("Apply this plan?")
    except typer.Abort:  # neither yes nor no
        return False


def _summarize(made: Plan, target: Path) -> None:
    """Write what a comment on a pull request may hold."""
    from runner.views import document
    from runner.views.markdown import SHOWN as IN_A_COMMENT
    from runner.views.markdown import markdown

    told = markdown(document.of_plan(made, limit=IN_A_COMMENT))
    if target == _STDOUT:
        typer.echo(told, nl=False)
        return
    try:
        target.write_text(told, encoding="utf-8")
    except OSError as error:
        raise RunnerError(f"{target} cannot be written: {error.strerror}") from error


def _document(made: Plan, options: PlanOptions | ApplyOptions) -> Document:
    from runner.views import document, text

    whole = options.screen.full or options.as_json
    return document.of_plan(made, limit=None if whole else text.SHOWN)
