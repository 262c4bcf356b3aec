"""The command line: each command parses, calls once, prints."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runner import __version__
from runner.cli import (
    cases,
    couple,
    couplings,
    errors,
    graph,
    helped,
    history,
    ping,
    project,
    reasons,
    report,
    review,
    schedule,
    serve,
    state,
    ui,
    undo,
    walk,
)
from runner.cli.console import Manner, speak, stand_by_the_streams
from runner.cli.options import Where


class LogFormat(StrEnum):
    """How events are written for programs."""

    TEXT = "text"
    JSON = "json"


app = typer.Typer(
    name="sync-run",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=helped.Group,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:  # noqa: FBT001 - typer's callback
    if value:
        typer.echo(f"sync-run {__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Option(
            "-C", metavar="DIR", help="The project's folder, or one below it.", show_default=False
        ),
    ] = Path(),
    environment: Annotated[
        str, typer.Option("--env", help="Read sync.ENV.yaml on top of sync.yaml.", metavar="ENV")
    ] = "",
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            envvar="SYNC_RUN_LOG_FORMAT",
            help="What is told on stderr: lines for programs, one an event.",
            show_default=False,
        ),
    ] = None,
    log_values: Annotated[  # noqa: FBT002 - an option, as those below
        bool,
        typer.Option(
            "--log-values",
            envvar="SYNC_RUN_LOG_VALUES",
            help="Log what records hold, too: labels, causes. It may be personal data.",
        ),
    ] = False,
    quiet: Annotated[  # noqa: FBT002
        bool, typer.Option("--quiet", "-q", help="Tell nothing on stderr but what went wrong.")
    ] = False,
    version: Annotated[  # noqa: ARG001, FBT002 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    r"""Keeps the records of two business systems the same, driven by YAML.

    \b
    sync-run init my-project       a project that runs, with sample data
    sync-run plan                  what would change
    sync-run apply                 make it so
    """
    speak(Manner(form=log_format or "", values=log_values, quiet=quiet))
    context.obj = Where(folder, environment)


app.command()(project.init)
app.command()(walk.validate)
app.command("test")(cases.play)
app.command()(walk.plan)
app.command()(walk.apply)
app.command()(schedule.schedule)
app.command()(review.review)
app.command()(couple.couple)
app.command()(couple.uncouple)
app.add_typer(couplings.app, name="couplings")
app.add_typer(history.app, name="runs")
app.command()(errors.errors)
app.command()(errors.retry)
app.command()(errors.skip)
app.command()(errors.unskip)
app.command()(report.report)
app.command()(graph.graph)
app.command()(ui.ui)
app.command()(reasons.explain)
app.command()(reasons.why)
app.command()(project.schema)
app.command()(serve.sandbox)
app.command()(ping.ping)
app.command()(undo.undo)
app.add_typer(state.app, name="state")


def main() -> None:
    """Run the command that was typed."""
    stand_by_the_streams()
    app()
