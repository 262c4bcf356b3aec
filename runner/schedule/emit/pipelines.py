"""Scheduled pipelines of two build servers. Their agents reach both systems and keep the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.schedule.emit.expressions import cron, cron_in_utc
from runner.schedule.emit.yaml import written
from runner.schedule.words import job_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Job
    from runner.schedule.emit.command import Command

_TOLD = """The agent has sync-run, reaches both systems, and keeps the state between runs in the
folder that STATE names. That state decides what is due: a run that comes late loses nothing."""
_STATE = "/var/lib/sync-run"


def github(jobs: Sequence[Job], command: Command) -> dict[str, str]:
    """Return a workflow of GitHub Actions. It is begun every five minutes at the most."""
    times = [
        {"cron": _slow(when), **({} if zone == "UTC" else {"timezone": zone})}
        for when, zone in dict.fromkeys(map(cron, jobs))
    ]
    document = {
        "name": f"sync-run {command.name}",
        "on": {"schedule": times, "workflow_dispatch": {}},
        "concurrency": {"group": f"sync-run-{command.name}", "cancel-in-progress": False},
        "permissions": {"contents": "read"},
        "jobs": {
            "schedule": {
                "runs-on": ["self-hosted", "sync-run"],
                "env": {"STATE": f"{_STATE}/{command.name}"},
                "steps": [
                    {"uses": "actions/checkout@v4"},
                    {"name": "Run what is due", "run": _script(command)},
                ],
            }
        },
    }
    told = "\n".join((_TOLD, *map(job_words, jobs)))
    return {f".github/workflows/sync-run-{command.name}.yml": written(document, told=told)}


def azure(jobs: Sequence[Job], command: Command) -> dict[str, str]:
    """Return a pipeline of Azure. Its schedules are in UTC."""
    times = [
        {
            "cron": when,
            "displayName": when,
            "branches": {"include": ["main"]},
            "always": True,
            "batch": True,
        }
        for when in dict.fromkeys(map(cron_in_utc, jobs))
    ]
    document = {
        "trigger": "none",
        "pr": "none",
        "schedules": times,
        "pool": {"name": "sync-run"},
        "variables": {"STATE": f"{_STATE}/{command.name}"},
        "steps": [
            {"checkout": "self"},
            {"bash": _script(command), "displayName": "Run what is due"},
        ],
    }
    told = "\n".join((_TOLD, *map(job_words, jobs)))
    return {f"azure-pipelines.sync-run-{command.name}.yml": written(document, told=told)}


def _script(command: Command) -> str:
    return f'ln -sfn "$STATE" .sync-run\n{command.inside(".").line()}\n'


def _slow(when: str) -> str:
    """Ask for no more than GitHub gives."""
    minute, *rest = when.split()
    often = minute == "*" or minute in {f"*/{n}" for n in range(1, 5)}
    return " ".join(("*/5", *rest)) if often else when
