"""Lines of a crontab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.schedule.emit.command import HEAD
from runner.schedule.emit.expressions import cron
from runner.schedule.words import job_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Job
    from runner.schedule.emit.command import Command


def files(jobs: Sequence[Job], command: Command) -> dict[str, str]:
    """Return the crontab of a user; what a run says is sent to ``MAILTO``."""
    lines = [
        f"# {HEAD}",
        "# CRON_TZ is read by cronie; Debian's cron knows the machine's zone alone. A job that is",
        "# called at another time than its own runs when it is next called after that.",
    ]
    for job in jobs:
        when, zone = cron(job)
        called = command.line(job.name).replace("%", "\\%")
        lines += ["", f"# {job_words(job)}", f"CRON_TZ={zone}", f"{when} {called}"]
    return {f"sync-run-{command.name}.crontab": "\n".join([*lines, ""])}
