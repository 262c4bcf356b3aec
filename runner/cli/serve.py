"""sandbox: the embedded servers over loopback, for curl and for other programs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import say, words_for_errors
from runner.errors import RunnerError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import IO

    from starlette.types import ASGIApp

    from runner.cli.options import Where
    from runner.sandbox.faults import Portion


def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1.", min=1, max=65535)] = 8700,
    fail: Annotated[
        str,
        typer.Option(
            help="What goes wrong, and for how many of the requests: 429:5%,reset-after:1%, "
            "or 503:2 for the first two.",
            metavar="FAULT:SHARE,...",
            show_default=False,
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="Chooses which requests fail.")] = 0,
    skew: Annotated[
        float, typer.Option(help="By how many seconds the servers' clocks are ahead.")
    ] = 0,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="Write each request to a file, as a line of JSON, without its secrets.",
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
) -> None:
    r"""Serve the project's sandbox systems on 127.0.0.1, until Ctrl-C.

    They are the same records that `plan` and `apply` work on: change one, and plan again.

    \b
    sync-run -C examples/quickstart sandbox --port 8700
    sync-run -C examples/quickstart sandbox --fail 429:5%,reset-after:1% --journal asked.jsonl

    \b
    faults before the server acts:
      429 429-date 429-bare 401 500 502 503 reset-before page-instead
    after it acted, or with its answer:
      504-after reset-after reset-amid silent-after truncated slow repeated-row
    """
    with words_for_errors():
        from runner.cli.wiring import SANDBOX_PATHS, sandbox_app
        from runner.config import load
        from runner.sandbox.journal import Journal, Journaled
        from runner.sandbox.serve import serve

        where: Where = context.obj
        portions = _planned(fail)
        project = load(where.folder, environment=where.environment)
        apps = {
            s.name: _troubled(sandbox_app(project, s, skew=skew), portions, seed, skew)
            for s in project.systems
            if s.sandbox
        }
        if not apps:
            raise RunnerError(
                "no system of this project is a sandbox", hint="give one `url: sandbox:NAME`"
            )
        for system in (s for s in project.systems if s.name in apps):
            say(
                f"{system.name}: http://127.0.0.1:{port}/{system.name}{SANDBOX_PATHS[system.connector]}"
            )
        with _opened(journal) as file:
            if file is None:
                serve(apps, port=port)
                return
            notes = Journal(file)
            noted = {name: Journaled(app, name, notes) for name, app in apps.items()}
            serve(noted, port=port, ended=notes.end)


def _planned(fail: str) -> tuple[Portion, ...]:
    from runner.sandbox.faults import PlanError, planned

    try:
        return planned(fail)
    except PlanError as error:
        raise RunnerError(f"--fail: {error}", hint=error.hint) from error


def _troubled(app: ASGIApp, portions: tuple[Portion, ...], seed: int, skew: float) -> ASGIApp:
    from runner.sandbox.clocks import Dated, skewed
    from runner.sandbox.faults import Faulty

    if not portions:
        return app
    # What goes wrong before the server acts is dated by the server's clock, too.
    return Dated(Faulty(app, portions, seed, skewed(skew)), skewed(skew))


def _opened(journal: Path | None) -> AbstractContextManager[IO[bytes] | None]:
    if journal is None:
        return nullcontext()
    try:
        return journal.open("wb")
    except OSError as error:
        raise RunnerError(f"--journal: {journal} cannot be written: {error.strerror}") from error
