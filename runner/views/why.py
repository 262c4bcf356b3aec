"""Why a record is created, written, skipped, filtered, in conflict, in error, or left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.model import Side
from runner.plan import CHANGES, Kind
from runner.views import rules
from runner.views.lessons import of_finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.model import FieldMapping
    from runner.model import Mapping as Rule
    from runner.plan import Action, FieldNow, Match, Seen, Trace

Document = dict[str, Any]
VERSION = 1
_MOVED = ("to left", "to right", "conflict", "drift", "error", "converged")
_PENDING = "known-after-apply:"

Because = tuple[str, str]
"""A sentence, and the place in the YAML that it follows from (empty: from no single one)."""


def of_trace(trace: Trace, mapping: Rule) -> Document:
    """Describe how a record stands, and why."""
    fields = {now.id: now.rule for now in trace.fields}
    systems = {side: mapping.entity(side).system for side in Side}
    because = list(_because(trace, mapping, fields))
    return {
        "version": VERSION,
        "mapping": trace.mapping,
        "keys": {systems[side]: key for side, key in trace.keys.items()},
        "label": next((seen.label for seen in trace.seen.values() if seen.label), None),
        "coupled": trace.coupled_in is not None,
        "verdict": _verdict(trace),
        "because": [{"what": what, "at": at or None} for what, at in because],
        "id": next(filter(None, (of_finding(a.kind, a.reason) for a in trace.actions)), None),
        "hints": list(dict.fromkeys(action.hint for action in trace.actions if action.hint)),
        "fields": [_field(now, trace, systems) for now in trace.fields],
        "journal": [
            {
                "run": entry.run,
                "action": entry.kind,
                "system": systems[Side(entry.side)] if entry.side else None,
                "outcome": entry.outcome or "unknown",
                "message": entry.message,
            }
            for entry in trace.journal
        ],
    }


def _verdict(trace: Trace) -> str:
    """Say in a word what becomes of a record."""
    kinds = [action.kind for action in trace.actions if action.kind is not Kind.CONVERGE]
    for kind in (Kind.ERROR, Kind.CONFLICT, Kind.CREATE, Kind.COUPLE, *CHANGES, Kind.DRIFT):
        if kind in kinds:
            return str(kind)
    if trace.status.startswith("filtered"):
        return "filtered"
    if trace.status.startswith(("aside", "undecided")):
        return "error"
    return "unchanged" if trace.coupled_in is not None else "skipped"


def _because(trace: Trace, mapping: Rule, fields: Mapping[str, FieldMapping]) -> Iterator[Because]:
    yield from _as_pair(trace, mapping)
    yield from _as_it_stands(trace, mapping)
    for action in trace.actions:
        yield from _as_planned(action, trace, mapping, fields)


def _as_pair(trace: Trace, mapping: Rule) -> Iterator[Because]:
    """Tell whether it has a partner, and since when."""
    if trace.coupled_in is not None:
        how = f"by run {trace.coupled_in}" if trace.coupled_in else "by hand"
        yield f"the two records are coupled, {how}", ""
        return
    clear = [match for match in trace.matches if match.lefts == match.rights == 1]
    for match in clear:
        yield f"the two records match: they have the same {match.criterion}", _at(match, mapping)
    if not clear:
        for match in trace.matches:
            left, right = mapping.left.system, mapping.right.system
            ends = f"{left} {match.left_key} and {right} {match.right_key}"
            what = f"{ends} have the same {match.criterion}, but are not the only ones"
            yield what, _at(match, mapping)


def _at(match: Match, mapping: Rule) -> str:
    for criterion in mapping.match:
        if all(
            pair.left in match.criterion and pair.right in match.criterion for pair in criterion
        ):
            return str(criterion[0].at)
    return str(mapping.at)


def _as_it_stands(trace: Trace, mapping: Rule) -> Iterator[Because]:
    """Tell how it stands, before anything is planned."""
    for side, seen in trace.seen.items():
        if not seen.in_scope:
            yield _filtered(seen, side, mapping)
        if seen.aside is not None:
            yield seen.aside[0], str(mapping.entity(side).at)
    status, name = trace.status, _record(trace, mapping)
    match status:
        case "unchanged" if trace.coupled_in is not None:
            yield "neither side changed since they were last synchronized", ""
        case "changed" if not trace.actions:
            yield "what changed is nothing that the other side keeps", ""
        case "filtered":
            yield "the pair rests until its record comes back through the filter", ""
        case "undecided":
            yield "an interrupted run may have created its partner, and several could be it", ""
        case "free left" | "free right" if not trace.actions and not trace.matches:
            there = Side.RIGHT if status == "free left" else Side.LEFT
            system = mapping.entity(there).system
            yield f"{name} has no partner, and nothing in {system} matches it", ""
            yield f"`create:` does not name {system}, so none is made", str(mapping.at)


def _filtered(seen: Seen, side: Side, mapping: Rule) -> Because:
    end = mapping.entity(side)
    assert end.filter is not None, "only a filter keeps records out"
    held = ", ".join(
        f"{name} {'is blank' if value is None else f'is {value!r}'}"
        for name, value in seen.filtered_by.items()
    )
    what = f"the filter of {end.system} {end.entity} keeps it out: {end.filter.text}"
    return (f"{what}; in the record {held}" if held else what), str(end.filter.at)


def _record(trace: Trace, mapping: Rule) -> str:
    for side in Side:
        if trace.keys[side] is not None:
            end = mapping.entity(side)
            return f"{end.system} {end.entity} {trace.keys[side]}"
    return mapping.name


def _as_planned(
    action: Action, trace: Trace, mapping: Rule, fields: Mapping[str, FieldMapping]
) -> Iterator[Because]:
    """Tell what an action follows from."""
    system = mapping.entity(Side(action.side)).system if action.side else ""
    place = str(mapping.at)
    match action.kind:
        case Kind.CREATE:
            yield f"{system} has no record for it, and none matches", ""
            yield f"`create:` names {system}, so it is created there", place
        case Kind.UPDATE:
            other = mapping.entity(Side(action.side).other).system
            for change in action.fields:
                rule = fields.get(change.id)
                at = str(rule.at) if rule else ""
                target = change.left if action.side == Side.LEFT else change.right
                what = f"{target} was edited in {system}, and {other} says what it is"
                if not change.drift:
                    what = f"{target} of {system} takes what {other} holds"
                yield what, at
        case Kind.CONFLICT:
            for change in action.fields:
                rule = fields[change.id]
                policy = rules.decided(mapping, rule.conflict)
                yield (
                    f"both sides changed {change.left} / {change.right} apart: {policy}",
                    str(rule.at),
                )
        case Kind.ERROR:
            at = next((str(fields[f.id].at) for f in action.fields if f.id in fields), "")
            if not any(
                seen.aside and seen.aside[0] == action.reason for seen in trace.seen.values()
            ):
                yield action.reason or "", at
        case Kind.DRIFT:
            for change in action.fields:
                what = f"{change.left or change.right} was edited by hand, and is left alone"
                yield what, str(fields[change.id].at)
        case Kind.CONVERGE:
            yield "both sides came to the same by themselves: nothing is written", ""
        case Kind.UNCOUPLE | Kind.DELETE:
            yield f"{action.reason}: {rules.DELETED[mapping.deleted]}", place
        case Kind.COUPLE:
            return


def _field(now: FieldNow, trace: Trace, systems: Mapping[Side, str]) -> Document:
    rule = now.rule
    new = next(
        (
            (systems[Side(action.side)], change.new)
            for action in trace.actions
            if action.side
            for change in action.fields
            if change.id == now.id
        ),
        None,
    )
    ways = {f"to {side.value}": f"to {system}" for side, system in systems.items()}
    told = [a.kind for a in trace.actions if any(change.id == now.id for change in a.fields)]
    verdict = "error" if Kind.ERROR in told else ways.get(now.verdict, now.verdict)
    pending = bool(new and new[1] and new[1].startswith(_PENDING))
    return {
        "left": rules.shown(rule, Side.LEFT),
        "right": rules.shown(rule, Side.RIGHT),
        "values": {systems[Side.LEFT]: now.left_value, systems[Side.RIGHT]: now.right_value},
        "base": {systems[Side.LEFT]: now.left_base, systems[Side.RIGHT]: now.right_base},
        "moved": now.verdict in _MOVED or bool(told),
        "verdict": verdict or ("new" if new else "unchanged"),
        "written_to": new[0] if new else None,
        "new": None if new is None or pending else new[1],
        "known_after_apply": pending,
        "at": str(rule.at),
    }
