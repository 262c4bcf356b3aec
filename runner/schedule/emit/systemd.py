"""A service and a timer for each job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.schedule.emit.command import HEAD
from runner.schedule.emit.expressions import calendar
from runner.schedule.words import job_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Job
    from runner.schedule.emit.command import Command


def files(jobs: Sequence[Job], command: Command) -> dict[str, str]:
    """Return the units, by the names that they have in ``/etc/systemd/system``."""
    found: dict[str, str] = {}
    for job in jobs:
        name = f"sync-run-{command.name}-{job.name}"
        found[f"{name}.service"] = _service(job, command)
        found[f"{name}.timer"] = _timer(job, command)
    return found


def _service(job: Job, command: Command) -> str:
    line = " ".join(_quoted(word) for word in command.words(job.name))
    return f"""# {HEAD}
[Unit]
Description=sync-run, {command.name}: job {job.name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={line}
# Secrets, NAME=value a line; for root alone (chmod 600).
EnvironmentFile=-/etc/sync-run/{command.name}.env
# Some records failed: they are tried again by the next run.
SuccessExitStatus=3
# SIGTERM lets it finish the writes in progress.
TimeoutStopSec=120
NoNewPrivileges=yes
PrivateTmp=yes
"""


def _timer(job: Job, command: Command) -> str:
    events = [f"OnCalendar={event}" for event in calendar(job)]
    if not events and job.every:
        events = ["OnActiveSec=0", f"OnUnitActiveSec={int(job.every.total_seconds())}s"]
    if job.cron and job.zone != "UTC":
        events.insert(
            0, "# An hour that is skipped when clocks are turned never comes for systemd."
        )
    when = "\n".join(events)
    return f"""# {HEAD}
[Unit]
Description=sync-run, {command.name}: {job_words(job)}

[Timer]
{when}
AccuracySec=1s
Persistent=yes

[Install]
WantedBy=timers.target
"""


def _quoted(word: str) -> str:
    """Quote a word as a unit file does: ``%`` and ``$`` stand for other things there."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if any(c in word for c in " '\t") else word
