"""schedule: runs the jobs of sync.yaml by itself, or writes what lets something else run them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import fault, for_programs, say, structured, words_for_errors
from runner.errors import ExitCode, RunnerError, StateHeldError, nearest
from runner.events import Recovered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from runner.cli.options import Where
    from runner.events import Event
    from runner.model import Job, Project
    from runner.schedule.bell import Bell
    from runner.schedule.loop import News
    from runner.schedule.status import Board
    from runner.schedule.turn import World
    from runner.state.turns import Turn


_ABORTED = 130
"""As a shell says it of a command that a signal ended."""


def schedule(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB]...", help="Jobs to run; none: all.")
    ] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Run what is due by now, and end.")] = False,
    shown: Annotated[
        bool, typer.Option("--list", help="Show the jobs: what came of them, and when they run.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --list: print a document for programs.")
    ] = False,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve /healthz, /readyz, /metrics and POST /jobs/NAME/ready there.",
            show_default=False,
        ),
    ] = "",
    emit: Annotated[
        str,
        typer.Option(
            metavar="TARGET",
            help="Write what lets something else run the jobs: systemd, cron, kubernetes, github "
            "or azure.",
            show_default=False,
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --emit: put the files there.", show_default=False),
    ] = None,
) -> None:
    r"""Run the jobs of sync.yaml at their times.

    Until it is told to end, one at a time; what was missed runs once. SIGTERM or Ctrl-C ends it
    after the writes in progress, a second one at once. What is due stands in the state: starting
    it again loses nothing and doubles nothing.

    \b
    sync-run schedule
    sync-run schedule nightly --once
    sync-run schedule --list
    sync-run schedule --listen 127.0.0.1:9090
    sync-run schedule --emit systemd --out /etc/systemd/system
    """
    with words_for_errors():
        where: Where = context.obj
        read = partial(_read, where)
        chosen = tuple(names or ())
        if shown:
            typer.echo(_list(read(), chosen, as_json=as_json))
            return
        if emit:
            _emit(read(), chosen, emit, out)
            return
        address = _address(listen) if listen else None
        _must_name_jobs(read(), chosen)
        try:
            raise typer.Exit(asyncio.run(_run(read, chosen, once=once, address=address)))
        except asyncio.CancelledError:
            raise typer.Exit(_ABORTED) from None


def _emit(project: Project, names: Sequence[str], target: str, out: Path | None) -> None:
    """Print the files, or put them into a folder; what stands there is replaced."""
    from runner.schedule.emit import TARGETS, Command
    from runner.schedule.loop import chosen

    if target not in TARGETS:
        hint = nearest(target, TARGETS) or f"there are {', '.join(TARGETS)}"
        raise RunnerError(f"--emit: '{target}' is not known", hint=hint)
    program = Path(sys.executable).with_name("sync-run")
    command = Command(
        program=str(program) if program.exists() else "sync-run",
        folder=str(project.root.resolve()),
        project=project.name,
        environment=project.environment,
    )
    jobs = [job for job in chosen(project, names) if job.enabled]
    if not jobs:
        raise RunnerError("no job is enabled", hint="nothing is written for those that are not")
    files = TARGETS[target](jobs, command)
    for name, text in files.items():
        if out is None:
            typer.echo(text if len(files) == 1 else f"# {name}\n{text}")
            continue
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RunnerError(f"{path} cannot be written: {error.strerror}") from error
        typer.echo(str(path))


def _read(where: Where) -> Project:
    from runner.config import load

    return load(where.folder, environment=where.environment)


def _must_name_jobs(project: Project, names: Sequence[str]) -> None:
    from runner.schedule.loop import chosen

    chosen(project, names)


async def _run(
    read: Callable[[], Project],
    names: Sequence[str],
    *,
    once: bool,
    address: tuple[str, int] | None,
) -> int:
    from runner.schedule import loop
    from runner.schedule.bell import Bell
    from runner.schedule.status import Board

    bell, board = Bell(), Board()
    _stopping(bell)
    world = _world(bell, board)
    async with _served(address, board, bell):
        if once:
            done = await loop.once(read, names, world, partial(_tell, board))
            return max((turn.exit_code for turn in _last(done)), default=0)
        await loop.serve(read, names, world, partial(_tell, board))
    _log("ended")
    return ExitCode.DONE


def _last(done: Sequence[Turn]) -> Sequence[Turn]:
    """What counts is how the last attempt of each job ended."""
    return tuple({turn.job: turn for turn in done}.values())


def _stopping(bell: Bell) -> None:
    """Let the first signal end the loop when it may, and the second one everything at once."""
    task = asyncio.current_task()
    assert task is not None, "it runs in a task"

    def stop() -> None:
        if bell.stopping:
            _log("aborted; what was sent is asked about by the next run")
            task.cancel()
            return
        _log("ends after the writes in progress; once more aborts them")
        bell.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


class _Clock:
    """The clock of this machine; who rings the bell wakes whoever waits."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), seconds)


def _world(bell: Bell, board: Board) -> World:
    from runner.cli.listening import listening
    from runner.cli.wiring import connected, process
    from runner.schedule import words
    from runner.schedule.turn import World

    programs = for_programs()

    def begun(turn: Turn, job: Job) -> None:
        board.begun(turn)
        _log(words.began(turn, job))

    def tell(event: Event) -> None:
        if programs is not None:
            programs(event)
        elif isinstance(event, Recovered):
            _log(f"{event.mapping} {event.key}: the interrupted create was {event.what}")

    return World(
        connect=connected,
        clock=_Clock(bell),
        tell=tell,
        begun=begun,
        fault=fault,
        bell=bell,
        listening=listening,
        process=process("schedule"),
    )


def _tell(board: Board, told: News) -> None:
    from runner.schedule import words

    board.hear(told)
    for line in words.news(told):
        _log(line)


def _log(line: str) -> None:
    if structured():
        say(line)
        return
    say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= 1 << 16:
        hint = "a host and a port, as in 127.0.0.1:9090"
        raise RunnerError(f"--listen: '{text}' is no address", hint=hint)
    return host.strip("[]"), int(port)


@asynccontextmanager
async def _served(address: tuple[str, int] | None, board: Board, bell: Bell) -> AsyncIterator[None]:
    """Answer those who watch, for as long as it runs."""
    if address is None:
        yield
        return
    import socket

    import uvicorn

    from runner.schedule.status import application

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave the signals to us: the server ends when the loop does."""
            yield

    host, port = address
    try:
        listening = socket.create_server(address)
    except OSError as error:
        raise RunnerError(f"--listen: {host}:{port} cannot be had: {error.strerror}") from error
    app = application(board, bell, lambda: datetime.now(UTC))
    settings = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = Server(settings)
    serving = asyncio.create_task(server.serve([listening]))
    _log(f"listens on http://{host}:{listening.getsockname()[1]}")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _list(project: Project, names: Sequence[str], *, as_json: bool) -> str:
    from runner.schedule.loop import chosen
    from runner.schedule.words import listed, listing

    jobs = chosen(project, names)
    rows = listing(jobs, _known(project), datetime.now(UTC))
    if as_json:
        return json.dumps({"version": 1, "jobs": rows}, ensure_ascii=False, indent=2)
    return listed(rows)


def _known(project: Project) -> dict[str, Turn]:
    from runner.state import held, turns

    try:
        with held(project.state, "schedule --list") as store:
            if not store.exists:
                return {}
            with store.opened() as state:
                return turns.last(state)
    except StateHeldError as error:
        say(f"note: what ran before cannot be read now: {error}")
        return {}
