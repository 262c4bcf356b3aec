"""How the scheduler is, for who watches it: health, readiness, metrics; and a way to wake it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from runner.schedule.due import due_of
from runner.schedule.loop import Ended, Read, Refused
from runner.state.turns import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from runner.model import Job
    from runner.schedule.bell import Bell
    from runner.schedule.loop import News
    from runner.state.turns import Turn


class Board:
    """What was heard of the scheduler since it began."""

    def __init__(self) -> None:
        self.jobs: tuple[Job, ...] = ()
        self.turns: dict[str, Turn] = {}
        """The last turn of each job, the one that runs now too."""
        self.done: dict[str, datetime] = {}
        """When a turn of a job last came to its end."""
        self.wrong = "the configuration is not read yet"
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.sums: Counter[tuple[str, str]] = Counter()

    def begun(self, turn: Turn) -> None:
        """Note a turn that begins."""
        self.turns[turn.job] = turn
        self.sums["missed", turn.job] += turn.missed

    def hear(self, news: News) -> None:
        """Note whatever else happens."""
        match news:
            case Read(jobs=jobs):
                self.jobs, self.wrong = jobs, ""
            case Refused(error=error):
                self.wrong = str(error)
            case Ended(turn=turn):
                self.turns[turn.job], self.wrong = turn, ""
                self.outcomes[turn.job, turn.outcome.value] += 1
                self.sums["changes", turn.job] += turn.changes
                self.sums["failed", turn.job] += turn.failed
                if turn.outcome is Outcome.DONE and turn.ended:
                    self.done[turn.job] = turn.ended
            case _:
                pass

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person should look at; empty: all is well."""
        given_up = (t for t in self.turns.values() if t.outcome is Outcome.GIVEN_UP)
        told = tuple(f"{turn.job}: {turn.message}" for turn in given_up)
        return (self.wrong, *told) if self.wrong else told


def metrics(board: Board, now: datetime) -> str:
    """Write what was heard as Prometheus reads it (text format 0.0.4)."""
    return "".join(f"{line}\n" for line in _metrics(board, now))


def _metrics(board: Board, now: datetime) -> Iterator[str]:
    yield from _metric("ready", "gauge", "Whether all is well", [("", int(not board.problems))])
    ended = [
        (f'job="{job}",outcome="{outcome}"', n) for (job, outcome), n in board.outcomes.items()
    ]
    yield from _metric("turns_total", "counter", "Turns that ended", ended)
    for name, told in (
        ("missed", "Times that were folded into a later turn"),
        ("changes", "Records changed, coupled or uncoupled"),
        ("failed", "Records that failed"),
    ):
        found = [(f'job="{job}"', n) for (what, job), n in board.sums.items() if what == name]
        yield from _metric(f"turn_{name}_total", "counter", told, found)
    turns = board.turns.values()
    dues = [
        due_of(job, board.turns[job.name], now) for job in board.jobs if job.name in board.turns
    ]
    for name, told, values in (
        ("running", "Whether it runs", {t.job: float(t.ended is None) for t in turns}),
        (
            "begun_timestamp_seconds",
            "When its last turn began",
            _stamps({t.job: t.begun for t in turns}),
        ),
        ("done_timestamp_seconds", "When a turn last came to its end", _stamps(board.done)),
        ("due_timestamp_seconds", "When it runs next", _stamps({d.job.name: d.at for d in dues})),
    ):
        labelled = [(f'job="{job}"', value) for job, value in values.items()]
        yield from _metric(f"job_{name}", "gauge", told, labelled)


def _stamps(times: Mapping[str, datetime]) -> dict[str, float]:
    return {job: moment.timestamp() for job, moment in times.items()}


def _metric(name: str, kind: str, told: str, values: Sequence[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP sync_run_{name} {told}."
    yield f"# TYPE sync_run_{name} {kind}"
    for labels, value in values:
        yield f"sync_run_{name}{{{labels}}} {value:.15g}" if labels else f"sync_run_{name} {value}"


def application(board: Board, bell: Bell, now: Callable[[], datetime]) -> Starlette:
    """Return the server: ``/healthz``, ``/readyz``, ``/metrics``, ``POST /jobs/NAME/ready``."""

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> Response:
        problems = list(board.problems)
        return JSONResponse({"problems": problems}, status_code=503 if problems else 200)

    async def shown(_: Request) -> Response:
        return PlainTextResponse(metrics(board, now()), media_type="text/plain; version=0.0.4")

    async def wake(request: Request) -> Response:
        name = request.path_params["name"]
        if "origin" in request.headers:
            return PlainTextResponse("not from a browser\n", status_code=403)
        if name not in {job.name for job in board.jobs if job.enabled}:
            return PlainTextResponse(f"there is no job '{name}' that runs\n", status_code=404)
        bell.ready(name)
        return PlainTextResponse("it runs as soon as may be\n", status_code=202)

    return Starlette(
        routes=[
            Route("/healthz", health),
            Route("/readyz", ready),
            Route("/metrics", shown),
            Route("/jobs/{name}/ready", wake, methods=["POST"]),
        ]
    )
