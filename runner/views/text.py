"""A plan for people, drawn from its document alone, so that it cannot say more than JSON does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from runner.views.selection import about

if TYPE_CHECKING:
    from collections.abc import Container

Document = dict[str, Any]

_SYMBOLS = {
    "create": ("+", "32"),
    "update": ("~", "33"),
    "couple": ("=", "36"),
    "uncouple": ("-", "36"),
    "delete": ("-", "31"),
    "drift": ("?", "35"),
    "conflict": ("!", "31"),
    "error": ("x", "31"),
    "skip": ("»", "35"),
}
_ARROWS = {"to right": "→", "to left": "←", "both": "⇄"}
COUNTERS = (
    "inserted", "modified", "deleted", "unchanged", "coupled", "uncoupled", "skipped", "failed",
    "filtered",
)  # fmt: skip
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours where the reader's terminal has them."""

    colour: bool

    def __call__(self, text: str, code: str) -> str:
        """Return the text in that colour (an ANSI code)."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def plan(document: Document, *, shown: int | None, colour: bool = False) -> str:
    """Draw a plan: a summary line for each mapping, then what would change, then one sentence.

    ``shown``: how many actions of each kind a mapping are drawn (``None``: all).
    """
    paint = Paint(colour)
    undoes = document.get("undoes")
    command = f"sync-run undo {undoes}" if undoes else "sync-run plan {mapping}"
    blocks = [_mapping(mapping, shown, paint, command) for mapping in document["mappings"]]
    if said := about(document["selection"]):
        blocks.insert(0, f"{said}\n")
    if document["interrupted"]:
        blocks.insert(0, interrupted(document["interrupted"]))
    blocks += [_guards(document["guards"], paint)] if document.get("guards") else []
    return "\n".join([*blocks, sentence(document, paint)])


def sentence(document: Document, paint: Paint | None = None) -> str:
    """Say in one line what a plan comes to."""
    paint = paint or Paint(colour=False)
    counts: dict[str, int] = {}
    for mapping in document["mappings"]:
        for key, n in mapping["counts"].items():
            kind = key.split()[0]
            counts[kind] = counts.get(kind, 0) + n
    words = [
        f"{counts.get(kind, 0)} to {verb}"
        for kind, verb in (("create", "create"), ("update", "update"), ("couple", "couple"))
    ]
    words += [f"{counts[kind]} to {kind}" for kind in ("uncouple", "delete") if counts.get(kind)]
    line = "No changes." if not document["changes"] else f"Plan: {', '.join(words)}."
    if counts.get("drift"):
        line += f" {plural(counts['drift'], 'drifted record')}."
    if document["failures"]:
        found = [plural(counts[kind], kind) for kind in ("conflict", "error") if counts.get(kind)]
        line += f" {' and '.join(found)} to look at."
    if counts.get("skip"):
        line += f" {plural(counts['skip'], 'record')} skipped (`sync-run errors` lists them)."
    return paint(line, "1")


def report(document: Document, *, colour: bool = False) -> str:
    """Draw what an apply did: counters by mapping, then what failed."""
    paint = Paint(colour)
    names = [*COUNTERS]
    rows = [
        [name, *(str(counted[counter]) for counter in names)]
        for name, counted in document["counters"].items()
    ]
    drawn = table([["", *names], *rows], numbers=range(1, len(names) + 1))
    before = " and ".join(str(run) for run in document.get("earlier", ()))
    if before and not document["run"]:
        return f"This plan was carried out already, by run {before}: nothing is left to do."
    on = f", which went on where run {before} stopped" if before else ""
    lines = [f"Run {document['run']}{on}", *(f"  {line}" for line in drawn)]
    for failure in document["failures"]:
        key = " ↔ ".join(k for k in failure["keys"].values() if k)
        lines.append(
            f"{paint('x', '31')} {failure['mapping']} {key} {failure['label'] or ''}".rstrip()
        )
        lines.append(f"    {failure['outcome']}: {failure['message']}")
        if failure["hint"]:
            lines.append(f"    hint: {failure['hint']}")
    if document["set_aside"]:
        failed = plural(document["set_aside"], "record")
        lines.append(f"{failed} failed once too often in the same way, to be skipped from now on")
        lines.append("  hint: `sync-run errors` lists them, `sync-run retry` takes them up again")
    if document["stopped"]:
        lines.append(f"Stopped: {document['stopped']}")
        lines.append("  hint: run `sync-run apply` again; it goes on where this one stopped")
    return "\n".join(lines)


def _mapping(mapping: Document, shown: int | None, paint: Paint, command: str) -> str:
    left, right = mapping["left"], mapping["right"]
    arrow = _ARROWS[mapping["direction"]]
    head = (
        f"{paint(mapping['mapping'], '1')}  "
        f"{left['system']} {left['entity']} {arrow} {right['system']} {right['entity']}"
    )
    facts = [fact(key, n) for key, n in mapping["counts"].items()]
    facts.append(f"{mapping['unchanged']} unchanged")
    facts += [
        f"{n} filtered in {system}" if system != "coupled" else f"{n} coupled but filtered"
        for system, n in mapping["filtered"].items()
    ]
    facts += [f"{fact(key, n)} left out" for key, n in mapping["spared"].items()]
    lines = [head, f"  {', '.join(facts)}"]
    if any(told["way"] != "whole" for told in mapping["reading"].values()):
        lines.append(f"  read: {', '.join(_read(*told) for told in mapping['reading'].items())}")
    drawn: dict[str, int] = {}
    for action in mapping["actions"]:
        key = " ".join(filter(None, (action["action"], action["system"])))
        drawn[key] = drawn.get(key, 0) + 1
        if shown is None or drawn[key] <= shown:
            lines += action_lines(action, paint)
    for key, total in mapping["counts"].items():
        rest = total - min(total, shown if shown is not None else total)
        if rest:
            asked = f"`{command.format(mapping=mapping['mapping'])} --full`"
            more = fact(key, rest).replace(str(rest), f"{rest} more", 1)
            lines.append(f"  … {more} ({asked} shows them)")
    return "\n".join(lines) + "\n"


def _read(system: str, told: Document) -> str:
    """Say how a side was read: ``all 20 of nav``, ``3 that changed in crm``."""
    if told["way"] == "whole":
        return f"all {told['rows']} of {system}"
    if told["way"] == "delta":
        return f"{told['rows']} that changed in {system}"
    looked = f"deletions last looked for {told['deletions']}"
    return f"{told['rows']} that may have changed in {system} ({looked})"


def action_lines(action: Document, paint: Paint) -> list[str]:
    """Draw one action: what is done to which record, then why, then field by field."""
    symbol, code = _SYMBOLS[action["action"]]
    keys = [f"{system} {key}" for system, key in action["keys"].items() if key]
    name = f" {quoted(action['label'])}" if action["label"] else ""
    where = f" in {action['system']}" if action["system"] else ""
    lines = [f"  {paint(symbol, code)} {action['action']}{where}  {' ↔ '.join(keys)}{name}"]
    if action["reason"]:
        lines.append(f"      {action['reason']}")
    if action["hint"]:
        lines.append(f"      hint: {action['hint']}")
    if action["action"] in {"create", "update"}:
        lines += _changes(action, paint)
    elif action["action"] in {"conflict", "drift"}:
        lines += _clashes(action)
    return lines


def _changes(action: Document, paint: Paint) -> list[str]:
    width = max((breadth(change["field"]) for change in action["fields"]), default=0)
    lines = []
    for change in action["fields"]:
        new = "(known after apply)" if change["known_after_apply"] else quoted(change["new"])
        old = "" if action["action"] == "create" else f"{quoted(change['old'])} → "
        drift = paint("  (edited there, overwritten)", "35") if change["drift"] else ""
        lines.append(f"      {padded(change['field'], width)}  {old}{new}{drift}")
    return lines


def _clashes(action: Document) -> list[str]:
    left, right = action["keys"]
    lines = []
    for change in action["fields"]:
        base = change["left_base"] if change["left_base"] is not None else change["right_base"]
        lines.append(f"      {change['left'] or '='} / {change['right'] or '='}")
        rows = (("base", base), (left, change["left_value"]), (right, change["right_value"]))
        width = max(breadth(name) for name, _ in rows)
        lines += [f"        {padded(name, width)}  {quoted(value)}" for name, value in rows]
    return lines


def fact(key: str, n: int) -> str:
    """Say how many there are of one kind: ``3 to create in crm``, ``1 conflict``."""
    kind, _, system = key.partition(" ")
    if kind in {"conflict", "error"}:
        return plural(n, kind)
    if kind in {"drift", "skip"}:
        return f"{n} {'drifted' if kind == 'drift' else 'skipped'}"
    return f"{n} to {kind} in {system}" if system else f"{n} to {kind}"


def interrupted(n: int) -> str:
    """Say that writes of an earlier run are in doubt."""
    return (
        f"An earlier run was interrupted: the outcome of {plural(n, 'write')} is open. "
        "`sync-run apply` asks the systems about them first.\n"
    )


def _guards(guards: list[Document], paint: Paint) -> str:
    lines = [f"  {paint('!', '31')} {guard['guard']}: {guard['what']}" for guard in guards]
    options = " ".join(f"--allow {guard['guard']}" for guard in guards)
    head = f"{paint('guards', '1')}  apply stops before its first write"
    return "\n".join([head, *lines, f"      hint: if it is meant, `sync-run apply {options}`\n"])


def plural(n: int, noun: str) -> str:
    """Count things: ``1 record``, ``2 records``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def quoted(value: str | None) -> str:
    """Write a value on one line, in quotes, cut where it is very long; ``(blank)`` for none."""
    if value is None:
        return "(blank)"
    text = (
        value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return f"'{text}'" if len(text) <= _LONGEST else f"'{text[:_LONGEST]}…'"


def breadth(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def padded(text: str, width: int) -> str:
    """Fill a text up to so many columns."""
    return text + " " * (width - breadth(text))


def table(rows: list[list[str]], *, numbers: Container[int]) -> list[str]:
    """Draw rows as lines of columns; columns that hold ``numbers`` end at the same place."""
    widths = [max(breadth(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            " " * (width - breadth(cell)) + cell if i in numbers else padded(cell, width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
