"""errors, retry, skip, unskip: records that fail, and what people decide about them."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.console import colour, say, screen, words_for_errors
from runner.cli.couplings import known_keys
from runner.cli.options import Full, Json, Metrics, the_project
from runner.cli.select import choose, selected
from runner.errors import RunnerError, shell_word

if TYPE_CHECKING:
    from runner.model import Project
    from runner.state.errors import OpenError

Name = Annotated[str, typer.Argument(metavar="MAPPING", help="The mapping.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key of either record.")]


def errors(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[MAPPING]", help="Its errors alone; none: all.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    r"""List the records that fail.

    Over what, since when (UTC), how often, and what to do. An error closes by itself when a run
    finds it no more.

    \b
    sync-run errors
    sync-run errors customers --json
    """
    with words_for_errors():
        from runner.state import errors as state_errors
        from runner.state import readable
        from runner.views import document
        from runner.views import history as view

        project = the_project(context)
        choose(project, [name] if name else [])
        with readable(project.state) as state:
            found = state_errors.find(state, name or "")
        told = {"version": document.VERSION, "errors": [of_error(project, e) for e in found]}
        typer.echo(document.encoded(told) if as_json else view.errors(told, colour=colour()))


def retry(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[MAPPING]", help="The mapping; none: all with errors.")
    ] = None,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Records, by either key.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
    full: Full = False,
    metrics: Metrics = None,
) -> None:
    r"""Try failed and skipped records again.

    It forgets how often they failed, and applies their mappings. A record that was set aside by
    hand is taken up only by its key.

    \b
    sync-run retry
    sync-run retry customers 10000
    """
    with words_for_errors():
        from runner.cli import walk
        from runner.run import FULL

        project = the_project(context)
        choose(project, [name] if name else [])
        keys = [*known_keys(project, name, keys).values()] if name and keys else []
        names = taken_up(project, name, keys)
        if not names:
            typer.echo("No open errors.")
            return
        options = walk.ApplyOptions(
            saved=None,
            yes=yes or as_json,
            as_json=as_json,
            screen=screen(context, full=full),
            extent=FULL,
            command="retry",
            metrics=metrics,
        )
        chosen = selected(project, names, records=keys)
        raise typer.Exit(asyncio.run(walk.carried(project, chosen, options)))


def skip(context: typer.Context, name: Name, key: Key) -> None:
    r"""Set a record aside until `unskip`.

    No run writes it, nor its partner.

    \b
    sync-run skip customers 10000
    """
    with words_for_errors():
        project = the_project(context)
        choose(project, [name])
        key = known_keys(project, name, [key])[key]
        if not set_aside(project, name, key):
            say(f"note: '{key}' is not coupled in {name}: it rests once a run meets it")
        command = f"sync-run unskip {name} {shell_word(key)}"
        typer.echo(f"{name} {key} is set aside; `{command}` takes it up again.")


def set_aside(project: Project, name: str, key: str) -> bool:
    """Set a record aside; return whether it is known to the state."""
    from runner.state import couplings, held, runs
    from runner.state import errors as state_errors

    with held(project.state, "skip") as store, store.opened() as state:
        known = couplings.find(state, name, key) or state_errors.find(state, name, key)
        state_errors.skip(state, name, key)
        runs.move_on(state)
    return bool(known)


def unskip(context: typer.Context, name: Name, key: Key) -> None:
    r"""Take up again a record that was set aside.

    The next run looks at it.

    \b
    sync-run unskip customers 10000
    """
    with words_for_errors():
        project = the_project(context)
        choose(project, [name])
        key = known_keys(project, name, [key])[key]
        taken_up(project, name, [key])
        typer.echo(f"{name} {key} is taken up again by the next run.")


def taken_up(project: Project, name: str | None, keys: list[str]) -> tuple[str, ...]:
    """Forget how often records failed; return the mappings that have some, in their order."""
    from runner.state import errors as state_errors
    from runner.state import held, runs

    if not project.state.exists() and not keys:
        return ()
    with held(project.state, "retry") as store, store.opened() as state:
        for key in keys:
            if not state_errors.find(state, name or "", key):
                hint = f"`sync-run errors {name}` lists them"
                raise RunnerError(
                    f"'{key}' does not fail in {name}, nor is it set aside", hint=hint
                )
        known = [rule.name for rule in project.mappings]
        chosen = [n for n in known if name in (None, n) and state_errors.find(state, n)]
        for mapping in chosen:
            for key in keys or [""]:
                state_errors.take_up(state, mapping, key)
        if chosen:
            runs.move_on(state)
    return tuple(chosen)


def of_error(project: Project, error: OpenError) -> dict[str, Any]:
    """Describe an open error: its record, what it is, and the command that tries again."""
    from runner.cli.history import keyed, plain

    told = keyed(project, plain(asdict(error)))
    rules = {rule.name: rule for rule in project.mappings}
    rule = rules.get(error.mapping)
    failed = rule is not None and rule.sets_aside(error.kind, error.attempts)
    key = shell_word(error.left_key or error.right_key or "")
    return told | {
        "skipped": error.by_hand or failed,
        "command": f"sync-run {'unskip' if error.by_hand else 'retry'} {error.mapping} {key}",
    }
