"""What the pages are about: one job at a time, the plan it made, and what was asked last."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from runner import run
from runner.cli.errors import of_error
from runner.cli.history import plain
from runner.cli.progress import Progress
from runner.cli.wiring import begins, plan_key, session
from runner.errors import ConfigError, RunnerError
from runner.plan import opened as saved
from runner.plan import run_file
from runner.state import errors, history, readable
from runner.views import document
from runner.views.compact import compacted, in_script
from runner.views.why import of_trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from runner.events import Tell
    from runner.model import Project, Selection

Document = dict[str, Any]
_WIDTH = 100


@dataclass(slots=True)
class Job:
    """What is being done, or was done last. ``error`` is what went wrong, and what to do."""

    name: str
    line: str = ""
    done: bool = False
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan as it was saved: what ``apply`` carries out, and what pages are drawn from.

    ``data`` is the compact form of all its actions, as JSON for a script element.
    """

    path: Path
    selection: Selection
    document: Document
    data: str


@dataclass(slots=True)
class Workbench:
    """Does what the pages ask for, by the functions that the commands call."""

    project: Project
    folder: Path
    job: Job | None = None
    planned: Planned | None = None
    report: Document | None = None
    reasons: list[Document] = field(default_factory=list)
    said: str = ""
    """What was done at once, to be said on the next page."""

    @property
    def busy(self) -> bool:
        """Whether a job is not done yet."""
        return self.job is not None and not self.job.done

    def plan(self, selection: Selection) -> None:
        """Ask about interrupted writes, then plan, as ``apply`` does before it shows its plan."""

        async def work(tell: Tell) -> None:
            path = self.folder / "plan.duckdb"
            self.planned = self.report = None
            path.unlink(missing_ok=True)
            with run_file() as file:
                async with session(self.project, "ui plan", tell) as opened:
                    await run.settle_interrupted(opened)
                    made = await run.make_plan(opened, file, selection)
                    made.save(path, key=plan_key())
                    told = document.of_plan(made, limit=0)
                    data = in_script(compacted(told["mappings"], document.actions_of(made)))
            self.planned = Planned(path=path, selection=selection, document=told, data=data)

        self._start("plan", work)

    def apply(self, allow: tuple[str, ...] = ()) -> None:
        """Carry out exactly the plan that was shown; ``allow`` names guards that are lifted."""
        planned = self.planned
        if planned is None:
            return

        async def work(tell: Tell) -> None:
            beginning = begins(self.project, "ui", planned.selection, "saved plan")
            async with session(self.project, "ui", tell, beginning=beginning) as opened:
                made = saved(planned.path, key=plan_key())
                report = await run.carry_out(opened, made, allow=allow)
            self.planned, self.report = None, document.of_report(report)

        self._start("apply", work)

    def ask(self, mapping: str, key: str) -> None:
        """Ask why a record stands as it does."""

        async def work(tell: Tell) -> None:
            self.reasons = []
            async with session(self.project, "ui why", tell) as opened:
                traces = await run.look_into(opened, mapping, key)
            self.reasons = [of_trace(trace, self.project.mapping(mapping)) for trace in traces]

        self._start("why", work)

    def runs(self) -> list[Document]:
        """Return the last runs, the newest first."""
        with readable(self.project.state) as state:
            found = history.runs(state, self.project.state, limit=40)
        return [plain(asdict(one)) for one in found]

    def errors(self) -> list[Document]:
        """Return the records that fail, and those that were set aside."""
        with readable(self.project.state) as state:
            return [of_error(self.project, error) for error in errors.find(state)]

    def _start(self, name: str, work: Callable[[Tell], Awaitable[None]]) -> None:
        """Begin a job in a thread of its own, so that pages are answered meanwhile."""
        if self.busy:
            raise RunnerError("sync-run is busy with something else", hint="wait until it is done")
        job = self.job = Job(name)
        threading.Thread(target=_done, args=(job, work), daemon=True).start()


class _Line(io.TextIOBase):
    """Takes what a terminal would be told, and keeps the line that one would see."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def write(self, text: str) -> int:
        """Keep the text, without what moves the cursor."""
        self._job.line = text.replace("\r\x1b[K", "").strip() or self._job.line
        return len(text)


def _done(job: Job, work: Callable[[Tell], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work(Progress(_Line(job), width=_WIDTH, now=time.monotonic))  # type: ignore[arg-type]

    try:
        asyncio.run(whole())
    except* ConfigError as group:
        job.error = _words(group)
    except* RunnerError as group:
        job.error = _words(group)
    except* Exception:  # noqa: BLE001 - the last resort: a fault of ours, told as one
        traceback.print_exc(file=sys.stderr)
        job.error = ("a fault in sync-run itself", "the details are on the terminal")
    job.done = True


def _words(group: BaseExceptionGroup[RunnerError]) -> tuple[str, str]:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, RunnerError)
    return str(error), error.hint
