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
from runner.plan.make import RunFile, make, run_file
from runner.plan.trace import FieldNow, Match, Seen, Trace, traces

__all__ = [
    "CHANGES",
    "FAILURES",
    "FINDINGS",
    "Action",
    "FieldChange",
    "FieldNow",
    "Header",
    "Kind",
    "MappingSummary",
    "Match",
    "Plan",
    "RunFile",
    "Seen",
    "Trace",
    "attach",
    "detach",
    "make",
    "opened",
    "read",
    "run_file",
    "traces",
]
