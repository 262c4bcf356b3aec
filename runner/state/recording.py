"""A run kept in the history from its first moment on, however it ends."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

import duckdb

from runner.errors import ExitCode, RunnerError, cause
from runner.events import RunBegan, RunEnded
from runner.state import errors, runs
from runner.state.runs import Ending
from runner.state.words import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.events import Tell
    from runner.model import Project
    from runner.state.runs import Beginning, Running
    from runner.state.store import Store


@contextmanager
def recorded(
    project: Project, store: Store, beginning: Beginning | None, tell: Tell
) -> Iterator[Running | None]:
    """Begin a run; what does not come to its end (``end``) ends here, in the words of its error.

    Without a beginning nothing is kept.
    """
    if beginning is None:
        yield None
        return
    with store.opened() as state:
        running = runs.begin(state, beginning)
    tell(
        RunBegan(
            run=running.number,
            command=beginning.command,
            mode=beginning.mode,
            mappings=beginning.mappings,
        )
    )
    try:
        # Within, so that the history holds in the same words what people are told.
        with translated(store.path):
            yield running
    except BaseException as error:
        # The error itself is told, whatever else goes wrong now.
        with suppress(RunnerError, duckdb.Error), store.opened() as state:
            end(project, state, running, _ending(error), tell)
        raise
    if not running.over:
        told = Ending(exit_code=ExitCode.DONE, message="the plan was not carried out")
        with store.opened() as state:
            end(project, state, running, told, tell)


def end(
    project: Project,
    state: duckdb.DuckDBPyConnection,
    running: Running,
    ending: Ending,
    tell: Tell,
    *,
    also: Callable[[], None] = lambda: None,
) -> None:
    """End a run, if it has not ended yet; forget what is too old; tell of it.

    ``also`` joins the transaction that ends it.
    """
    if not runs.end(state, running, ending, also=also):
        return
    running.over.append(ending.exit_code)
    if project.keep is not None:
        runs.purge(state, project.keep)
    rules = {mapping.name: mapping for mapping in project.mappings}
    errors.forget_others(state, tuple(rules))
    still: dict[str, dict[str, int]] = {name: {"failing": 0, "skipped": 0} for name in rules}
    for name, kind, attempts, by_hand, n in errors.counted(state):
        aside = by_hand or rules[name].sets_aside(kind, attempts)
        still[name]["skipped" if aside else "failing"] += n
    tell(
        RunEnded(
            run=running.number,
            exit_code=int(ending.exit_code),
            message=ending.message,
            seconds=monotonic() - running.began,
            counters=ending.counters,
            requests=ending.requests,
            open_errors=still,
            succeeded=runs.succeeded(state),
        )
    )


def _ending(error: BaseException) -> Ending:
    told = cause(error)
    if told is not None:
        return Ending(exit_code=told.exit_code, message=str(told))
    if isinstance(error, Exception):
        return Ending(exit_code=ExitCode.FAULT, message="a fault in sync-run itself")
    return Ending(exit_code=ExitCode.INTERRUPTED, message="interrupted")
