"""What would change: snapshots and state become actions, which are the plan."""

from runner.plan.actions import (
    CHANGES,
    FAILURES,
    FINDINGS,
    Action,
    FieldChange,
    Header,
    Kind,
    MappingSummary,
)
from runner.plan.file import Plan, attach, detach, opened, read
from runner.plan.make import RUN_SETTINGS, RunFile, make, run_file

__all__ = [
    "CHANGES",
    "FAILURES",
    "FINDINGS",
    "RUN_SETTINGS",
    "Action",
    "FieldChange",
    "Header",
    "Kind",
    "MappingSummary",
    "Plan",
    "RunFile",
    "attach",
    "detach",
    "make",
    "opened",
    "read",
    "run_file",
]
