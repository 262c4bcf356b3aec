"""The figures of the last run as text for Prometheus, for a collector that reads files.

https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.events import RunEnded

    Sample = tuple[dict[str, str], float]


def text(ended: RunEnded, *, project: str, environment: str, at: float) -> str:
    """Write the figures of a run that ended ``at`` (seconds since 1970), for its project."""
    of = {"project": project, "environment": environment}
    lines: list[str] = []
    for name, meaning, samples in _families(ended, at):
        lines += [f"# HELP sync_run_{name} {meaning}", f"# TYPE sync_run_{name} gauge"]
        lines += [f"sync_run_{name}{_labels(of | more)} {value!r}" for more, value in samples]
    return "\n".join(lines) + "\n"


def _families(ended: RunEnded, at: float) -> Iterator[tuple[str, str, list[Sample]]]:
    none: dict[str, str] = {}
    yield "last_run_timestamp_seconds", "When the last run ended.", [(none, round(at, 3))]
    yield "last_run_number", "The number of the last run.", [(none, ended.run)]
    yield "last_run_duration_seconds", "How long it took.", [(none, round(ended.seconds, 3))]
    meaning = "How it ended: 0 done, 3 some records failed, others: nothing was done."
    yield "last_run_exit_code", meaning, [(none, ended.exit_code)]
    if ended.succeeded is not None:
        meaning = "When the last run ended that did all it had to."
        yield "last_success_timestamp_seconds", meaning, [(none, ended.succeeded)]
    counted: list[Sample] = [
        ({"mapping": mapping, "outcome": outcome}, n)
        for mapping, counters in ended.counters.items()
        for outcome, n in counters.items()
    ]
    if counted:
        yield "last_run_records", "Records by what became of them in the last run.", counted
    asked: list[Sample] = [({"system": system}, n) for system, n in ended.requests.items()]
    if asked:
        yield "last_run_requests", "Requests that the last run sent.", asked
    still: list[Sample] = [
        ({"mapping": mapping, "state": state}, n)
        for mapping, states in ended.open_errors.items()
        for state, n in states.items()
    ]
    if still:
        yield "open_errors", "Records that fail, or are set aside.", still


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
