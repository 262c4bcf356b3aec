"""ui: the same core as the commands, as pages on this machine alone."""

from __future__ import annotations

import secrets
import socket
from contextlib import closing
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from runner.cli.console import say, words_for_errors
from runner.errors import RunnerError

_LOOPBACK = "127.0.0.1"


def ui(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 0,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    r"""Look at plans, couplings and runs in a browser.

    It listens on this machine alone (127.0.0.1), until Ctrl-C. Its address holds a secret that is
    made anew each time: who does not know the address is let in nowhere.

    \b
    sync-run ui
    sync-run ui --port 8080 --open
    """
    with words_for_errors(), TemporaryDirectory(prefix="sync-run-ui-") as folder:
        from pathlib import Path

        import uvicorn

        from runner.cli.options import the_project
        from runner.cli.ui.app import application
        from runner.cli.ui.work import Workbench

        project = the_project(context)
        with closing(_listening(port)) as listener:
            host = f"{_LOOPBACK}:{listener.getsockname()[1]}"
            token = secrets.token_urlsafe(32)
            address = f"http://{host}/{token}/"
            say(f"sync-run is at {address}")
            if open_:
                typer.launch(address)
            app = application(Workbench(project, Path(folder)), host=host, token=token)
            config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
            uvicorn.Server(config).run([listener])


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise RunnerError(
            f"port {port} cannot be used: {error.strerror}", hint="--port 0 takes a free one"
        ) from error
    listener.listen()
    return listener
