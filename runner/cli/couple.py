"""couple, uncouple: which records belong together, decided by hand or by what they hold."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import asks, say, words_for_errors
from runner.cli.couplings import (
    Offline,
    as_kept,
    clash_words,
    known_keys,
    looked_for,
    missing,
    named,
)
from runner.cli.helped import Name  # noqa: TC001 - typer reads it
from runner.cli.options import Full, Json, the_project
from runner.cli.progress import progress
from runner.cli.select import choose
from runner.errors import ExitCode, Location, RunnerError, shell_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Mapping, MatchPair, Project
    from runner.state.pairs import Wanted

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchOptions:
    """The options of ``couple --match``."""

    dry_run: bool
    yes: bool
    as_json: bool
    full: bool


def uncouple(
    context: typer.Context,
    name: Name,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Keys of either side.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All couplings of the mapping.")] = False,
    yes: Yes = False,
) -> None:
    r"""Forget that records belong together. The records stay as they are.

    \b
    sync-run uncouple customers 10000 20000
    sync-run uncouple customers --all
    """
    with words_for_errors():
        from runner.state import held, pairs

        project, mapping = _mapping(context, name)
        if bool(keys) is every:
            raise RunnerError("name the keys of records to uncouple, or all of them with --all")
        known = known_keys(project, mapping.name, keys or [])
        with held(project.state, "uncouple") as store, store.opened() as state:
            found = pairs.coupled(state, mapping.name, None if every else [*known.values()])
            if every and not _agreed(mapping, len(found), yes=yes):
                say("Nothing was uncoupled.")
                return
            if found:
                pairs.uncouple(state, mapping.name, found)
        freed = {key for pair in found for key in pair}
        for key in (key for key, kept in known.items() if kept not in freed):
            say(f"'{key}' is not coupled in mapping {mapping.name}")
        if every:
            typer.echo(f"Uncoupled {len(found)} of mapping {mapping.name}.")
            return
        for left, right in found:
            typer.echo(f"Uncoupled {named(mapping, left, right)}.")


def couple(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    name: Name,
    left: Annotated[str, typer.Argument(metavar="[LEFT]", help="The key of the left record.")] = "",
    right: Annotated[
        str, typer.Argument(metavar="[RIGHT]", help="The key of the right record.")
    ] = "",
    *,
    match: Annotated[
        bool, typer.Option("--match", help="Couple what matches by the mapping's `match:`.")
    ] = False,
    match_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELDS",
            help="Match by these: 'nav: Name, crm: name, case: ignore'; repeatable, in order.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what matches, and couple nothing.")
    ] = False,
    offline: Offline = False,
    yes: Yes = False,
    as_json: Json = False,
    full: Full = False,
) -> None:
    r"""Say that two records belong together, or find all that do. No record is written.

    Left and right are the systems in the order of sync.yaml. The next plan shows how the records
    of a pair differ.

    \b
    sync-run couple customers 10000 6af9ead1-a860-56ff-92c0-c8aa7e776a0b
    sync-run couple customers --match --dry-run
    """
    with words_for_errors():
        project, mapping = _mapping(context, name)
        matching = match or bool(match_by)
        if matching == bool(left) or bool(left) != bool(right):
            raise RunnerError(
                "couple takes the keys of two records, or --match",
                hint=f"`sync-run couple {name} LEFT RIGHT`, `sync-run couple {name} --match`",
            )
        if matching:
            options = MatchOptions(dry_run=dry_run, yes=yes or as_json, as_json=as_json, full=full)
            project = _matching_by(project, mapping, match_by or [])
            raise typer.Exit(asyncio.run(_matched(project, mapping, options)))
        said = coupled_by_hand(project, mapping, left, right, offline=offline, dry_run=dry_run)
        typer.echo(said)


def coupled_by_hand(
    project: Project,
    mapping: Mapping,
    left: str,
    right: str,
    *,
    offline: bool = False,
    dry_run: bool = False,
) -> str:
    """Couple two records, if both exist (``offline`` does not ask); return what is to be said.

    Raises:
        RunnerError: there is no such record, or one of them has another partner.

    """
    from runner.state import held, pairs

    wanted: Sequence[Wanted] = (
        pairs.Wanted(line=1, mapping=mapping.name, left_key=left, right_key=right),
    )
    if not offline:
        known = asyncio.run(looked_for(project, wanted))
        for _, what, hint in missing(project, wanted, known):
            raise RunnerError(what, hint=hint)
        wanted = as_kept(wanted, known)
    with held(project.state, "couple") as store, store.opened() as state:
        done = pairs.couple(state, wanted, dry_run=dry_run)
    for clash in done.clashes:
        held_by = shell_word(clash.held[0])
        free = f"`sync-run uncouple {mapping.name} {held_by}` sets it free"
        raise RunnerError(clash_words(project, clash), hint=free)
    said = "Coupled already:" if done.there else "Would couple" if dry_run else "Coupled"
    return f"{said} {named(mapping, wanted[0].left_key, wanted[0].right_key)}."


async def _matched(project: Project, mapping: Mapping, options: MatchOptions) -> ExitCode:
    """Plan the couples that a match finds, and nothing else; show them, ask, couple."""
    from runner import run
    from runner.cli.wiring import begins, session
    from runner.model import Selection
    from runner.plan import CHANGES, run_file
    from runner.views import document, matches
    from runner.views.text import SHOWN

    chosen = Selection(mappings=(mapping.name,), pairs_alone=True)
    beginning = None if options.dry_run else begins(project, "couple", chosen)
    with progress() as tell:
        async with session(project, "couple", tell, beginning=beginning) as opened:
            # Within the session: what fails is written down in the state that the file reads.
            with run_file() as file:
                made = await run.make_plan(opened, file, chosen)
                limit = None if options.full or options.as_json else SHOWN
                planned = document.of_plan(made, limit=limit)
                if not options.as_json:
                    typer.echo(matches.drawn(planned))
                report = run.found(made.header)
                wanted = made.count(*CHANGES) and not options.dry_run
                if wanted and not options.yes and asks() and not typer.confirm("Couple them?"):
                    say("Nothing was coupled.")
                    return ExitCode.DONE
                if wanted:
                    report = await run.carry_out(opened, made)
    if options.as_json:
        told = {"version": document.VERSION, "plan": planned, "report": document.of_report(report)}
        typer.echo(document.encoded(told))
    elif wanted:
        typer.echo(f"Coupled {report.counters[mapping.name]['coupled']}.")
    return ExitCode.DONE if options.dry_run else report.exit_code


def _matching_by(project: Project, mapping: Mapping, typed: Sequence[str]) -> Project:
    """Let a mapping match by what was typed, for this once."""
    left, right = mapping.left.system, mapping.right.system
    if not typed and not mapping.match and not mapping.coupled_by:
        raise RunnerError(
            f"mapping {mapping.name} has no `match:`",
            hint=f"say what to match by: --match-by '{left}: FIELD, {right}: FIELD'",
        )
    if not typed:
        return project
    criteria = tuple((_criterion(mapping, text),) for text in typed)
    return replace(
        project,
        mappings=tuple(
            replace(known, match=criteria) if known.name == mapping.name else known
            for known in project.mappings
        ),
    )


def _criterion(mapping: Mapping, text: str) -> MatchPair:
    from runner.model import MatchPair

    ends = (mapping.left.system, mapping.right.system)
    told = dict([part.strip() for part in piece.partition(":")[::2]] for piece in text.split(","))
    complete = {*told} - {"case"} == {*ends} and all(told.values())
    if not complete or told.get("case", "ignore") != "ignore":
        raise RunnerError(
            f"--match-by '{text}' does not say what to match by",
            hint=f"write --match-by '{ends[0]}: FIELD, {ends[1]}: FIELD', with ', case: ignore' "
            "where upper and lower case are the same",
        )
    return MatchPair(
        left=told[ends[0]],
        right=told[ends[1]],
        ignore_case="case" in told,
        at=Location("--match-by", 1, 1),
    )


def _agreed(mapping: Mapping, many: int, *, yes: bool) -> bool:
    """Ask before all is forgotten; where nobody can be asked, only --yes will do."""
    if yes or not many:
        return True
    what = f"all couplings of mapping {mapping.name} ({many})"
    if not asks():
        raise RunnerError(f"this would forget {what}", hint="--yes says that it is meant")
    return typer.confirm(f"Forget {what}?")


def _mapping(context: typer.Context, name: str) -> tuple[Project, Mapping]:
    project = the_project(context)
    choose(project, [name])
    return project, project.mapping(name)
