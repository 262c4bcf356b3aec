"""A plan for people, drawn from its document alone, so that it cannot say more than JSON does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.views.actions import ARROWS, FINDINGS, SYMBOLS, Screen, fact, groups, in_order
from runner.views.drawing import breadth, columns, plural, printable, tied, wrapped
from runner.views.selection import about

if TYPE_CHECKING:
    from collections.abc import Sequence

Document = dict[str, Any]

GUARDED = "apply stops before its first write"
"""What follows where guards stand."""
COUNTERS = (
    "inserted", "modified", "deleted", "unchanged", "coupled", "uncoupled", "skipped", "failed",
    "filtered",
)  # fmt: skip
_RESTING = ("unchanged", "skipped", "filtered")
"""Counters that tell of nothing that was done."""
SHOWN = 10
"""Actions of each kind that are drawn of a single mapping, and findings of each."""
_SHOWN_OF_MANY = 3
_SCROLLED = 12
"""Lines after which the first sentence is said again, for it is out of sight."""
_FEW = 6
"""So many mappings are told one by one, whatever became of them."""


def plan(document: Document, screen: Screen, *, findings_only: bool = False) -> str:
    """Draw a plan: one sentence, what is planned by mapping, what would change, the sentence again.

    ``findings_only`` leaves out what would change; it is counted all the same.
    """
    said = screen.paint("\n".join(wrapped(sentence(document), screen.width)), "1")
    blocks = [said]
    if about_what := about(document["selection"]):
        blocks.insert(0, "\n".join(wrapped(about_what, screen.width)))
    if how := incremental(document):
        blocks[-1] += "\n" + "\n".join(wrapped(how, screen.width))
    if document["interrupted"]:
        blocks.append("\n".join(wrapped(interrupted(document["interrupted"]), screen.width)))
    if len(document["mappings"]) > 1 and any(m["counts"] for m in document["mappings"]):
        blocks.append(_summary(document["mappings"], screen))
    details = [
        block
        for mapping in document["mappings"]
        if (block := _mapping(mapping, document, screen, findings_only=findings_only))
    ]
    blocks += details
    if document.get("guards"):
        blocks.append(_guards(document["guards"], screen))
    if sum(block.count("\n") for block in details) > _SCROLLED and not findings_only:
        blocks.append(said)
    return "\n\n".join(blocks)


def sentence(document: Document) -> str:
    """Say in one line what a plan comes to."""
    counts: dict[str, int] = {}
    for mapping in document["mappings"]:
        for key, n in mapping["counts"].items():
            kind = key.split()[0]
            counts[kind] = counts.get(kind, 0) + n
    words = [f"{counts.get(kind, 0):,} to {kind}" for kind in ("create", "update", "couple")]
    words += [f"{counts[kind]:,} to {kind}" for kind in ("uncouple", "delete") if counts.get(kind)]
    planned = f"Plan: {', '.join(map(tied, words))}."
    line = planned if document["changes"] else "No changes."
    if counts.get("drift"):
        line += f" {plural(counts['drift'], 'drifted record')}."
    if document["failures"]:
        found = [plural(counts[kind], kind) for kind in ("conflict", "error") if counts.get(kind)]
        line += f" {' and '.join(found)} to look at."
    if counts.get("skip"):
        line += f" {plural(counts['skip'], 'record')} skipped (`sync-run errors` lists them)."
    return line


def incremental(document: Document) -> str:
    """Say of an incremental plan how much was read for it; of one mapping that is said below it."""
    if document["mode"] != "incremental":
        return ""
    sides = [told for mapping in document["mappings"] for told in mapping["reading"].values()]
    some = [told for told in sides if told["way"] != "whole"]
    if some and len(document["mappings"]) == 1:
        return ""
    whole = sum(told["rows"] for told in sides if told["way"] == "whole")
    if not some:
        return f"Incremental: all {whole:,} records were read; nothing tells yet what changed."
    said = (
        f"Incremental: {plural(sum(told['rows'] for told in some), 'record')} that may have changed"
    )
    said += f", all {whole:,} where nothing tells" if whole else ""
    looked = min((told["deletions"] for told in some if told["deletions"]), default="")
    return f"{said}; deletions last looked for {_moment(looked)}." if looked else f"{said}."


def _moment(instant: str) -> str:
    """Write an instant of ISO 8601, in UTC, as people do."""
    return instant[:19].replace("T", " ")


def report(document: Document, screen: Screen) -> str:
    """Draw what an apply did: counters by mapping, then what failed."""
    paint = screen.paint
    before = " and ".join(str(run) for run in document.get("earlier", ()))
    if before and not document["run"]:
        return f"This plan was carried out already, by run {before}: nothing is left to do."
    on = f", which went on where run {before} stopped" if before else ""
    lines = [paint(f"Run {document['run']}", "1") + on]
    lines += [f"  {line}" for line in _counted(document["counters"], screen)]
    for failure in document["failures"]:
        key = " ↔ ".join(printable(k) for k in failure["keys"].values() if k)
        label = printable(failure["label"] or "")
        lines.append(f"{paint('x', '31')} {failure['mapping']} {key} {label}".rstrip())
        said = f"{failure['outcome']}: {printable(failure['message'])}"
        said += f" ({failure['id']})" if failure["id"] else ""
        lines += [f"    {line}" for line in wrapped(said, screen.width - 4)]
        if failure["hint"]:
            hint = wrapped(f"hint: {failure['hint']}", screen.width - 4)
            lines += [f"    {line}" for line in hint]
    if document["set_aside"]:
        failed = plural(document["set_aside"], "record")
        said = f"{failed} failed once too often in the same way, to be skipped from now on"
        lines += wrapped(said, screen.width)
        lines.append("  hint: `sync-run errors` lists them, `sync-run retry` takes them up again")
    if document["stopped"]:
        lines.append(f"Stopped: {document['stopped']}")
        lines.append("  hint: run it again; it goes on where this one stopped")
        lines.append(f"    {screen.command} apply")
    return "\n".join(lines)


def _counted(counters: dict[str, dict[str, int]], screen: Screen) -> list[str]:
    moved = {
        name: counted
        for name, counted in counters.items()
        if len(counters) <= _FEW or any(n for c, n in counted.items() if c not in _RESTING)
    }
    table = columns(
        [["", *COUNTERS], *([name, *(f"{c[n]:,}" for n in COUNTERS)] for name, c in moved.items())]
    )
    if any(breadth(line) > screen.width - 2 for line in table):
        table = [
            line
            for name, told in moved.items()
            for line in _hanging(name, [f"{n:,} {c}" for c, n in told.items() if n], screen)
        ]
    resting = [
        tied(f"{name} ({counted['unchanged']:,} unchanged)")
        for name, counted in counters.items()
        if name not in moved
    ]
    said = f"nothing to do in {', '.join(resting)}"
    return [*(table if moved else []), *(wrapped(said, screen.width - 2) if resting else [])]


def _summary(mappings: list[Document], screen: Screen) -> str:
    """Count what is planned: a table where it fits, else a line for each mapping."""
    moved = [mapping for mapping in mappings if mapping["counts"]]
    keys = in_order({key: n for mapping in moved for key, n in mapping["counts"].items()})
    heads = [key.partition(" ") for key in keys]
    rows = [
        ["", *(kind for kind, _, _ in heads), "unchanged", "filtered"],
        ["", *(system for _, _, system in heads), "", ""],
        *(
            [
                mapping["mapping"],
                *(f"{n:,}" if (n := mapping["counts"].get(key, 0)) else "" for key in keys),
                *(f"{n:,}" if n else "" for n in (mapping["unchanged"], _filtered(mapping))),
            ]
            for mapping in moved
        ),
    ]
    table = columns([row for row in rows if any(row)])
    if any(breadth(line) > screen.width - 2 for line in table):
        table = [
            line
            for mapping in moved
            for line in _hanging(mapping["mapping"], _facts(mapping), screen)
        ]
    resting = [m["mapping"] for m in mappings if not m["counts"]]
    if resting:
        table += wrapped(f"nothing to do in {', '.join(resting)}", screen.width - 2)
    return "\n".join(f"  {line}" for line in table)


def _hanging(name: str, facts: list[str], screen: Screen) -> list[str]:
    """Tell facts in as many lines as they need, all but the first set in."""
    lines = wrapped(f"{name}:  {', '.join(map(tied, facts))}", screen.width - 6)
    return [line if n == 0 else f"    {line}" for n, line in enumerate(lines)]


def _filtered(mapping: Document) -> int:
    return sum(mapping["filtered"].values())


def _facts(mapping: Document) -> list[str]:
    counts = mapping["counts"]
    facts = [fact(key, counts[key]) for key in in_order(counts)]
    facts.append(f"{mapping['unchanged']:,} unchanged")
    facts += [
        f"{n:,} filtered in {system}" if system != "coupled" else f"{n:,} coupled but filtered"
        for system, n in mapping["filtered"].items()
    ]
    return [*facts, *(f"{fact(key, n)} left out" for key, n in mapping["spared"].items())]


def _mapping(mapping: Document, document: Document, screen: Screen, *, findings_only: bool) -> str:
    """Draw a mapping that has something to tell; several of them by less of each."""
    alone = len(document["mappings"]) == 1
    few = SHOWN if alone else _SHOWN_OF_MANY
    shown = {
        kind: SHOWN if kind in FINDINGS else few
        for kind in SYMBOLS
        if kind in FINDINGS or not findings_only
    }
    whole = screen.full and not findings_only
    undoes = document.get("undoes")
    asked = f"undo {undoes}" if undoes else f"plan {mapping['mapping']}"
    drawn = groups(mapping, None if whole else shown, screen, asked)
    if not drawn and not alone:
        return ""
    left, right = mapping["left"], mapping["right"]
    ends = (f"{left['system']} {left['entity']}", f"{right['system']} {right['entity']}")
    heading = f" {ARROWS[mapping['direction']]} ".join(ends)
    lines = [f"{screen.paint(mapping['mapping'], '1')}  {heading}"]
    if alone:
        lines += [
            f"  {line}" for line in wrapped(", ".join(map(tied, _facts(mapping))), screen.width - 2)
        ]
        lines += _read(mapping, screen)
    return "\n".join([*lines, *drawn])


def _read(mapping: Document, screen: Screen) -> list[str]:
    """Say how both sides were read, where that is not whole."""
    told = mapping["reading"].items()
    if all(side["way"] == "whole" for _, side in told):
        return []
    said = ", ".join(_side_read(*side) for side in told)
    return [f"  {line}" for line in wrapped(f"read: {said}", screen.width - 2)]


def _side_read(system: str, told: Document) -> str:
    """Say how a side was read: ``all 20 of nav``, ``3 that changed in crm``."""
    if told["way"] == "whole":
        return f"all {told['rows']:,} of {system}"
    if told["way"] == "delta":
        return f"{told['rows']:,} that changed in {system}"
    looked = f"deletions last looked for {_moment(told['deletions'] or 'never')}"
    return f"{told['rows']:,} that may have changed in {system} ({looked})"


def interrupted(n: int) -> str:
    """Say that writes of an earlier run are in doubt."""
    return (
        f"An earlier run was interrupted: the outcome of {plural(n, 'write')} is open. "
        "`sync-run apply` asks the systems about them first."
    )


def _guards(guards: list[Document], screen: Screen) -> str:
    """Say what apply would stop at, and how to lift it."""
    lines = [f"{screen.paint('guards', '1')}  {GUARDED}"]
    for guard in guards:
        first, *rest = wrapped(f"{guard['guard']}: {guard['what']}", screen.width - 4)
        lines += [f"  {screen.paint('!', '31')} {first}", *(f"    {line}" for line in rest)]
    command = f"{screen.command} apply {allowing(guards)}"
    return "\n".join([*lines, "  hint: if it is meant", f"    {command}"])


def allowing(guards: Sequence[Document]) -> str:
    """Write the options of ``apply`` that lift guards."""
    return " ".join(f"--allow {guard['guard']}" for guard in guards)
