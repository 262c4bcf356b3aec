"""A CronJob for each job, and the claim of a volume for the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.schedule.emit.expressions import cron
from runner.schedule.emit.yaml import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Job
    from runner.schedule.emit.command import Command

_PROJECT, _STATE = "/project", "/project/.sync-run"
_TOLD = """The image holds sync-run and the project, in /project; secrets are those of the Secret
named below, NAME: value. The state is on the claimed volume: one run at a time may write it."""


def files(jobs: Sequence[Job], command: Command) -> dict[str, str]:
    """Return one file with all objects."""
    name = f"sync-run-{command.name}"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{name}-state"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    return {f"{name}.yaml": written(claim, *(_cron_job(job, command) for job in jobs), told=_TOLD)}


def _cron_job(job: Job, command: Command) -> dict[str, Any]:
    when, zone = cron(job)
    # The name of a CronJob is put before that of its pods: 52 letters at the most.
    name = f"sync-run-{command.name}-{job.name}"[:52].rstrip("-")
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": when,
            "timeZone": zone if zone != "UTC" else "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "suspend": not job.enabled,
            "jobTemplate": {
                "spec": {"backoffLimit": 0, "template": {"spec": _pod(job, command)}},
            },
        },
    }


def _pod(job: Job, command: Command) -> dict[str, Any]:
    inside = command.inside(_PROJECT).line(job.name)
    return {
        "restartPolicy": "Never",
        # SIGTERM lets it finish the writes in progress.
        "terminationGracePeriodSeconds": 120,
        "containers": [
            {
                "name": "sync-run",
                "image": f"sync-run-{command.name}:latest",
                # 3: some records failed, and are tried again by the next run.
                "command": ["/bin/sh", "-c", f"{inside} || test $? -eq 3"],
                "envFrom": [{"secretRef": {"name": f"sync-run-{command.name}"}}],
                "volumeMounts": [{"name": "state", "mountPath": _STATE}],
            }
        ],
        "volumes": [
            {
                "name": "state",
                "persistentVolumeClaim": {"claimName": f"sync-run-{command.name}-state"},
            }
        ],
    }
