"""Files by which something else runs the jobs: systemd, cron, Kubernetes, two build servers.

All of them call ``sync-run schedule --once``, which decides by the same record what is due: a timer
that comes late, twice, or in a zone that it does not know loses nothing and doubles nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.schedule.emit import crontab, kubernetes, pipelines, systemd
from runner.schedule.emit.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.model import Job

__all__ = ["TARGETS", "Command"]

TARGETS: Mapping[str, Callable[[Sequence[Job], Command], dict[str, str]]] = {
    "systemd": systemd.files,
    "cron": crontab.files,
    "kubernetes": kubernetes.files,
    "github": pipelines.github,
    "azure": pipelines.azure,
}
"""What writes the files of each target: their texts, by their names."""
