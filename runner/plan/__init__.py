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
    Origin,
    Tripped,
)
from runner.plan.file import LASTS, Plan, attach, detach, opened, read
from runner.plan.guards import must_be_allowed
from runner.plan.make import RUN_SETTINGS, RunFile, make, run_file
from runner.plan.trace import FieldNow, Match, Seen, Trace, traces
from runner.plan.undo import begin as begin_undo
from runner.plan.undo import undo

__all__ = [
    "CHANGES",
    "FAILURES",
    "FINDINGS",
    "LASTS",
    "RUN_SETTINGS",
    "Action",
    "FieldChange",
    "FieldNow",
    "Header",
    "Kind",
    "MappingSummary",
    "Match",
    "Origin",
    "Plan",
    "RunFile",
    "Seen",
    "Trace",
    "Tripped",
    "attach",
    "begin_undo",
    "detach",
    "make",
    "must_be_allowed",
    "opened",
    "read",
    "run_file",
    "traces",
    "undo",
]
