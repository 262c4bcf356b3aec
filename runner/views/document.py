"""A plan as a document: what ``--json`` prints, and what people's views are drawn from.

Version 1. Keys are added, never renamed or given another meaning; a change that breaks readers
moves ``version``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from runner.plan import CHANGES, FAILURES, Kind
from runner.views import lessons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.model import Selection
    from runner.plan import Action, FieldChange, MappingSummary, Plan

VERSION = 1
Document = dict[str, Any]

_PENDING = "known-after-apply:\x1f"
SHOWN = (
    Kind.CREATE,
    Kind.UPDATE,
    Kind.COUPLE,
    Kind.UNCOUPLE,
    Kind.DELETE,
    Kind.DRIFT,
    Kind.CONFLICT,
    Kind.ERROR,
    Kind.SKIP,
)


class Failure(Protocol):
    """A record that could not be written."""

    @property
    def action(self) -> Action: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def hint(self) -> str: ...  # noqa: D102


class Report(Protocol):
    """What an apply did (``run.Report``, which a view does not import)."""

    @property
    def run(self) -> int: ...  # noqa: D102
    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]: ...  # noqa: D102
    @property
    def failures(self) -> Sequence[Failure]: ...  # noqa: D102
    @property
    def stopped(self) -> str: ...  # noqa: D102
    @property
    def earlier(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def exit_code(self) -> int: ...  # noqa: D102
    @property
    def set_aside(self) -> int: ...  # noqa: D102


def of_plan(plan: Plan, *, limit: int | None = None) -> Document:
    """Describe a plan: totals, then each mapping with its counts and actions.

    ``limit``: at most so many actions of each kind a mapping; ``None``: all.
    """
    return {
        "version": VERSION,
        "project": plan.header.project,
        "environment": plan.header.environment,
        "created": plan.header.created,
        "mode": plan.header.mode,
        "undoes": plan.header.undoes or None,
        "expires": plan.header.expires or None,
        "selection": _selection(plan.header.selection),
        "interrupted": plan.header.interrupted,
        "changes": plan.count(*CHANGES),
        "failures": plan.count(*FAILURES),
        "guards": [
            {"guard": guard.name, "what": guard.what, "limit": guard.limit or None}
            for guard in plan.header.guards
        ],
        "mappings": [_mapping(summary, plan, limit) for summary in plan.header.mappings],
    }


def _selection(selection: Selection) -> Document:
    """Say what a plan is about; what is ``null`` or empty does not narrow it."""
    where = selection.where
    return {
        "mappings": list(selection.mappings),
        "records": list(selection.records),
        "where": {"system": where.system, "condition": where.text} if where else None,
        "to": selection.to or None,
        "prefer": selection.prefer or None,
    }


def _mapping(summary: MappingSummary, plan: Plan, limit: int | None) -> Document:
    names = {"left": summary.left, "right": summary.right}
    return {
        "mapping": summary.name,
        "direction": summary.direction,
        "left": {"system": summary.left, "entity": summary.left_entity},
        "right": {"system": summary.right, "entity": summary.right_entity},
        "read": {names[side]: n for side, n in summary.read.items()},
        "reading": {names[side]: dict(told) for side, told in summary.reading.items()},
        "unchanged": summary.unchanged,
        "coupled": summary.coupled,
        "uncoupled": {names[side]: n for side, n in summary.uncoupled.items()},
        "spared": {_named(key, names): n for key, n in summary.spared.items()},
        "filtered": {names.get(side, side): n for side, n in summary.filtered.items() if n},
        "counts": {
            _named(key, names): n
            for key, n in summary.counts.items()
            if key.split()[0] != Kind.CONVERGE
        },
        "actions": [
            _action(action, names)
            for action in plan.actions(summary.name, kinds=SHOWN, limit=limit)
        ],
    }


def actions_of(plan: Plan) -> Iterator[tuple[str, Document]]:
    """Describe all actions of a plan, one by one, each with the name of its mapping."""
    for summary in plan.header.mappings:
        names = {"left": summary.left, "right": summary.right}
        for action in plan.actions(summary.name, kinds=SHOWN):
            yield summary.name, _action(action, names)


def _named(key: str, names: dict[str, str]) -> str:
    kind, _, side = key.partition(" ")
    return f"{kind} {names[side]}" if side else kind


def _action(action: Action, names: dict[str, str]) -> Document:
    keys = {names["left"]: action.left_key, names["right"]: action.right_key}
    return {
        "action": action.kind.value,
        "system": names.get(action.side),
        "keys": {system: _known(key) for system, key in keys.items()},
        "label": action.label,
        "reason": action.reason,
        "hint": action.hint,
        "id": lessons.of_finding(action.kind, action.reason),
        "fields": [_field(change, action.side) for change in action.fields],
    }


def _field(change: FieldChange, side: str) -> Document:
    """Describe a field: of an action what it writes, of a finding what both sides hold.

    ``source`` is a reference as the side has it that it comes from: ``CAD`` for a GUID.
    """
    values = {"left": _known(change.left_value), "right": _known(change.right_value)}
    if not side:
        return {
            "left": change.left or None,
            "right": change.right or None,
            "left_value": values["left"],
            "right_value": values["right"],
            "left_base": change.left_base,
            "right_base": change.right_base,
            "reason": change.reason,
        }
    return {
        "field": change.left if side == "left" else change.right,
        "from": (change.right if side == "left" else change.left) or None,
        "old": values[side],
        "new": _known(change.new),
        "source": values["left" if side == "right" else "right"] if change.lookup else None,
        "known_after_apply": bool(change.new and change.new.startswith(_PENDING)),
        "drift": change.drift,
    }


def _known(value: str | None) -> str | None:
    return None if value is None or value.startswith(_PENDING) else value


def of_report(report: Report) -> Document:
    """Describe what an apply did; ``set_aside`` counts records that are skipped from now on."""
    return {
        "run": report.run,
        "counters": {name: dict(counted) for name, counted in report.counters.items()},
        "failures": [
            {
                "mapping": failure.action.mapping,
                "keys": {
                    "left": _known(failure.action.left_key),
                    "right": _known(failure.action.right_key),
                },
                "label": failure.action.label,
                "outcome": failure.outcome,
                "message": failure.message,
                "hint": failure.hint,
                "id": lessons.of_outcome(failure.outcome),
            }
            for failure in report.failures
        ],
        "stopped": report.stopped,
        "set_aside": report.set_aside,
        "earlier": list(report.earlier),
        "exit_code": int(report.exit_code),
    }


def encoded(document: Document) -> str:
    """Write a document as JSON text."""
    return json.dumps(document, ensure_ascii=False, indent=2)
