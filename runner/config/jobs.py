"""The jobs of ``sync.yaml``: when what runs by itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from runner.config.durations import duration
from runner.errors import Problem, nearest
from runner.model import Job, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.config.read import Document

SHORTEST = timedelta(seconds=10)
"""The shortest time between two runs of a job: less is asking for the impossible."""

_DEFAULTS = {"attempts": 10, "backoff": "30s", "quiet": "0s"}
_FIELDS = re.compile(r"\S+(\s+\S+){4}")
_WHEN = datetime(2024, 1, 1, tzinfo=UTC)
"""Any moment: an expression that names none within fifty years of it names none."""


def jobs_of(
    document: Document, mappings: Sequence[str] | None, problems: list[Problem]
) -> Iterator[Job]:
    """Yield the jobs of a checked ``sync.yaml``, in its order; what is wrong is added.

    ``mappings`` are the names there are, in order; ``None``: nobody knows, none is refused.
    """
    for name, value in (document.value.get("jobs") or {}).items():
        path = ("jobs", name)
        found = [*_problems(document, path, value, mappings)]
        problems += found
        if not found:
            yield _job(document, path, value, mappings or ())


def _job(
    document: Document, path: tuple[str, str], value: dict[str, Any], mappings: Sequence[str]
) -> Job:
    told = {**_DEFAULTS, **value}
    chosen = value.get("mappings", mappings)
    return Job(
        name=path[1],
        every=duration(value["every"]) if "every" in value else None,
        cron=value.get("cron", ""),
        zone=_zone(document, value),
        mappings=tuple(name for name in mappings if name in chosen),
        mode=Mode(value.get("mode", Mode.FULL)),
        attempts=told["attempts"],
        backoff=duration(told["backoff"]),
        quiet=duration(told["quiet"]),
        enabled=value.get("enabled", True),
        at=document.key_at(path),
    )


def _zone(document: Document, value: dict[str, Any]) -> str:
    usual = document.value.get("defaults", {}).get("zone", "UTC")
    return str(value.get("zone", usual))


def _problems(
    document: Document,
    path: tuple[str, str],
    value: dict[str, Any],
    mappings: Sequence[str] | None,
) -> Iterator[Problem]:
    at = document.key_at(path)
    if "every" in value and "cron" in value:
        yield Problem(at, "'every' and 'cron' exclude each other", "keep the one that is meant")
    elif "cron" in value:
        yield from _cron_problems(document, path, value)
    elif "every" not in value:
        yield Problem(at, "nothing says when it runs", '`every: 2m`, or `cron: "30 2 * * *"`')
    elif "zone" in value:
        yield Problem(document.key_at((*path, "zone")), "'zone' is for 'cron'", "take it out")
    elif duration(value["every"]) < SHORTEST:
        where = document.at((*path, "every"))
        yield Problem(where, f"'{value['every']}' is too short", "`10s` is the shortest")
    for n, name in enumerate(value.get("mappings", ())):
        if mappings is not None and name not in mappings:
            what = f"there is no mapping '{name}'"
            hint = nearest(name, mappings) or f"there are {', '.join(mappings)}"
            yield Problem(document.at((*path, "mappings", n)), what, hint)


def _cron_problems(
    document: Document, path: tuple[str, str], value: dict[str, Any]
) -> Iterator[Problem]:
    at = document.at((*path, "cron"))
    shown = f"'{value['cron']}'"
    if not _FIELDS.fullmatch(value["cron"].strip()):
        hint = "minute, hour, day of the month, month, day of the week"
        yield Problem(at, f"{shown} has not five fields", hint)
        return
    try:
        next(CronSim(value["cron"], _WHEN))
    except CronSimError as error:
        yield Problem(at, f"{shown} cannot be read", str(error).replace("Bad", "wrong is the"))
    except StopIteration:
        yield Problem(at, f"{shown} never comes", "no such day is in any of the next fifty years")
    try:
        ZoneInfo(zone := _zone(document, value))
    except (KeyError, ValueError, OSError):
        where = document.at((*path, "zone")) if "zone" in value else at
        yield Problem(where, f"there is no time zone '{zone}'", "a name as in Europe/Copenhagen")
