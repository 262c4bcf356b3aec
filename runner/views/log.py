"""What happens while a command runs, as lines for programs: JSON, or names and values.

Keys of records are told, for nobody finds a record without. What records hold is not, unless it
is asked for: it may be personal data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.errors import ExitCode
from runner.events import MappingPlanned, PhaseDone, RecordFailed, Recovered, RunBegan, RunEnded

if TYPE_CHECKING:
    from datetime import datetime

    from runner.events import Event

INFO, WARNING, ERROR = "info", "warning", "error"
_PHASES = {"read": "mapping.read", "decide": "mapping.decided", "write": "mapping.written"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a log. Values are texts, numbers, or mappings of them; ``None`` is left out."""

    level: str
    event: str
    told: dict[str, Any]


def entry(event: Event, *, values: bool) -> Entry | None:
    """Say what a program is told of an event; ``None`` for what only a person watches.

    ``values``: labels, causes and hints as well, which may hold what records hold.
    """
    match event:
        case RunBegan():
            told = {"run": event.run, "command": event.command, "mode": event.mode}
            return Entry(
                level=INFO,
                event="run.began",
                told=told | {"mappings": list(event.mappings) or None},
            )
        case PhaseDone():
            told = {
                "mapping": event.mapping,
                "system": event.system or None,
                "seconds": round(event.seconds, 3),
                "counts": dict(event.counts),
            }
            return Entry(level=INFO, event=_PHASES[event.phase], told=told)
        case MappingPlanned():
            told = {"mapping": event.mapping, "counts": dict(event.counts)}
            return Entry(level=INFO, event="mapping.planned", told=told)
        case RecordFailed():
            told = {
                "mapping": event.mapping,
                "kind": event.kind,
                "left_key": event.left_key,
                "right_key": event.right_key,
                "field": event.field,
            }
            if values:
                told |= {"label": event.label, "reason": event.reason, "hint": event.hint}
            return Entry(level=WARNING, event="record.failed", told=told)
        case Recovered():
            told = {"mapping": event.mapping, "key": event.key, "outcome": event.what}
            return Entry(level=INFO, event="write.recovered", told=told)
        case RunEnded():
            return _ended(event)
        case _:
            return None


def _ended(event: RunEnded) -> Entry:
    still = {name: dict(told) for name, told in event.open_errors.items() if any(told.values())}
    level = {ExitCode.DONE: INFO, ExitCode.RECORDS_FAILED: WARNING}
    return Entry(
        level=level.get(ExitCode(event.exit_code), ERROR),
        event="run.ended",
        told={
            "run": event.run,
            "exit_code": event.exit_code,
            "message": event.message or None,
            "seconds": round(event.seconds, 3),
            "counters": {name: dict(counted) for name, counted in event.counters.items()},
            "requests": dict(event.requests),
            "open_errors": still,
        },
    )


def as_json(entry: Entry, at: datetime) -> str:
    """Write a line of JSON."""
    told = {name: value for name, value in entry.told.items() if value is not None}
    line = {"time": _moment(at), "level": entry.level, "event": entry.event, **told}
    return json.dumps(line, ensure_ascii=False)


def as_text(entry: Entry, at: datetime) -> str:
    """Write a line of names and values: ``mapping=customers counts.rows=12``."""
    told = " ".join(f"{name}={_word(value)}" for name, value in _flat(entry.told, ""))
    return f"{_moment(at)} {entry.level} {entry.event} {told}".rstrip()


def _flat(told: dict[str, Any], before: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in told.items():
        whole = f"{before}{name.replace(' ', '_')}"
        if isinstance(value, dict):
            found += _flat(value, f"{whole}.")
        elif value is not None:
            found.append((whole, ",".join(value) if isinstance(value, list) else value))
    return found


def _word(value: Any) -> str:
    text = str(value)
    plain = text.isprintable() and not set(text) & set(' "=')
    return text if plain and text else json.dumps(text, ensure_ascii=False)


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
