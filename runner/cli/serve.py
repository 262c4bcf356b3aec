"""sandbox: the embedded servers over loopback, for curl and for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import say, words_for_errors
from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.cli.walk import Where


def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1.", min=1, max=65535)] = 8700,
) -> None:
    r"""Serve the project's sandbox systems on 127.0.0.1, until Ctrl-C.

    They are the same records that `plan` and `apply` work on: change one, and plan again.

    \b
    sync-run -C examples/quickstart sandbox --port 8700
    """
    with words_for_errors():
        from runner import sandbox as servers
        from runner.cli.wiring import sandbox_app
        from runner.config import load

        where: Where = context.obj
        project = load(where.folder, environment=where.environment)
        apps = {s.name: sandbox_app(project, s) for s in project.systems if s.sandbox}
        if not apps:
            raise RunnerError(
                "no system of this project is a sandbox", hint="give one `url: sandbox:NAME`"
            )
        paths = {"dataverse": servers.DATAVERSE_PATH, "nav": servers.NAV_PATH}
        for system in (s for s in project.systems if s.name in apps):
            say(f"{system.name}: http://127.0.0.1:{port}/{system.name}{paths[system.connector]}")
        servers.serve(apps, port=port)
