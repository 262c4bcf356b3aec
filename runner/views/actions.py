"""The actions of one mapping for people: grouped by kind, aligned, cut to the width there is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from runner.views.drawing import (
    LONGEST,
    Paint,
    breadth,
    cut,
    padded,
    plural,
    printable,
    quoted,
    short_key,
    tied,
    wrapped,
)

Document = dict[str, Any]

ARROWS = {"to right": "→", "to left": "←", "both": "⇄"}
SYMBOLS = {
    "couple": ("=", "36"),
    "uncouple": ("-", "36"),
    "create": ("+", "32"),
    "update": ("~", "33"),
    "delete": ("-", "31"),
    "drift": ("?", "35"),
    "conflict": ("!", "31"),
    "error": ("x", "31"),
    "skip": ("»", "35"),
}
"""Kinds in the order in which they are counted: what stands for one, and its colour."""
FINDINGS = frozenset({"drift", "conflict", "error"})
_COMMAND = re.compile(r"(.*?):? `(sync-run [^`]+)`$")
_WHOLE = 1_000_000
"""Columns that every value fits in."""
_VALUES = frozenset({"old", "new", "left_value", "right_value", "left_base", "right_base"})
_NAME = 20
"""Columns within which a reference tells people something, while its key is not known yet."""
_INDENT, _DEEPER = " " * 6, " " * 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """How much is to be seen, and on what.

    ``full``: every action, every field, keys and values whole. ``width`` is in columns. ``command``
    is what sync-run was called with, so that the commands it offers can be copied.
    """

    paint: Paint
    width: int = 120
    full: bool = False
    command: str = "sync-run"


def fact(key: str, n: int) -> str:
    """Say how many there are of one kind: ``3 to create in crm``, ``1 conflict``."""
    kind, _, system = key.partition(" ")
    if kind in {"conflict", "error"}:
        return plural(n, kind)
    if kind in {"drift", "skip"}:
        return f"{n:,} {'drifted' if kind == 'drift' else 'skipped'}"
    return f"{n:,} to {kind} in {system}" if system else f"{n:,} to {kind}"


def in_order(counts: dict[str, int]) -> list[str]:
    """Sort the keys of counts (``create crm``) as people read them."""
    kinds = list(SYMBOLS)
    return sorted(counts, key=lambda key: kinds.index(key.split()[0]))


def groups(
    mapping: Document, shown: dict[str, int] | None, screen: Screen, asked: str
) -> list[str]:
    """Draw the actions of a mapping, at most so many of each kind (``None``: all there are).

    A kind that is not in ``shown`` is left out, as if there were none. ``asked`` is the command
    that made the plan: with ``--full`` it shows the rest.
    """
    lines: list[str] = []
    hidden: list[str] = []
    for (kind, system), found in groupby(
        mapping["actions"], key=lambda action: (action["action"], action["system"])
    ):
        most = None if shown is None else shown.get(kind, 0)
        if most == 0:
            continue
        actions = list(found)[:most]
        key = f"{kind} {system}" if system else kind
        total = mapping["counts"].get(key, len(actions))
        lines += _group(kind, system, actions, total, screen)
        if total > len(actions):
            hidden.append(fact(key, total - len(actions)).replace(" ", " more ", 1))
    if hidden:
        more = wrapped(f"{', '.join(map(tied, hidden))}:", screen.width - 4)
        lines += [f"  {'…' if n == 0 else ' '} {line}" for n, line in enumerate(more)]
        lines += [f"    {screen.command} {asked} --full"]
    return lines


def _group(
    kind: str, system: str | None, actions: list[Document], total: int, screen: Screen
) -> list[str]:
    symbol, code = SYMBOLS[kind]
    where = f" in {system}" if system else ""
    lines = [f"  {screen.paint(f'{symbol} {kind}', code)}{where} ({total:,})"]
    names = [_names(action, screen) for action in actions]
    width = 0 if screen.full else max((breadth(name) for name in names), default=0)
    said = _said_of_all(actions)
    for action, name in zip(actions, names, strict=True):
        lines += _action(action, padded(name, max(width, breadth(name))), said, screen)
    for text in said:
        lines += remark(text, _INDENT, screen)
    return lines


def action_lines(action: Document, paint: Paint) -> list[str]:
    """Draw one action by itself: all of its fields, with values cut where they are very long."""
    screen = Screen(paint=paint, full=True)
    symbol, code = SYMBOLS[action["action"]]
    where = f" in {action['system']}" if action["system"] else ""
    fields = [
        {
            name: cut(value, LONGEST) if name in _VALUES and value is not None else value
            for name, value in change.items()
        }
        for change in action["fields"]
    ]
    shown = {**action, "fields": fields}
    head, *lines = _action(shown, _names(action, screen), [], screen)
    first = f"  {paint(symbol, code)} {action['action']}{where}  {head.strip()}"
    return [first, *(line[len(_DEEPER) - len(_INDENT) :] for line in lines)]


def _said_of_all(actions: list[Document]) -> list[str]:
    """Find the reason and the hint that all of several actions share: they are said once."""
    told = ({part[n] for part in map(_remarks, actions)} for n in range(2))
    shared = (texts.pop() for texts in told if len(actions) > 1 and len(texts) == 1)
    return [text for text in shared if text]


def _remarks(action: Document) -> tuple[str, str]:
    """Return the reason, with its identifier, and the hint of an action; empty for none."""
    reason = f"{action['reason']} ({action['id']})" if action["id"] else action["reason"] or ""
    return reason, f"hint: {action['hint']}" if action["hint"] else ""


def _names(action: Document, screen: Screen) -> str:
    """Name the records of an action by their keys."""
    keys = {system: key for system, key in action["keys"].items() if key}
    if screen.full:
        return " ↔ ".join(f"{system} {printable(key)}" for system, key in keys.items())
    if action["action"] == "create" and len(keys) > 1:
        # The key of a record that is not there yet tells nobody anything.
        keys.pop(action["system"], None)
    return " ↔ ".join(short_key(key) for key in keys.values())


def _action(action: Document, name: str, said: list[str], screen: Screen) -> list[str]:
    kind = action["action"]
    label = f"  {quoted(action['label'])}" if action["label"] else ""
    head = f"{_INDENT}{name}{label}".rstrip()
    untold = [text for text in _remarks(action) if text and text not in said]
    remarks = [line for text in untold for line in remark(text, _DEEPER, screen)]
    if kind == "create" and not screen.full:
        fields = [change for change in action["fields"] if change["new"] != action["label"]]
        return [_at_once(head, fields, screen), *remarks]
    if kind in {"create", "update"}:
        return [head, *remarks, *_changes(action, screen)]
    if kind in {"conflict", "drift"}:
        return [head, *_clashes(action, screen), *remarks]
    return [head, *remarks]


def remark(text: str, indent: str, screen: Screen) -> list[str]:
    """Say something about an action; a command to copy stands alone, and is never broken."""
    found = _COMMAND.match(text)
    words, command = (found[1], found[2]) if found else (text, "")
    words = " ".join(printable(word) for word in words.split())
    lines = [f"{indent}{line}" for line in wrapped(words, screen.width - len(indent))]
    if command:
        mine = command.replace("sync-run", screen.command, 1)
        lines.append(f"{indent}    {printable(mine)}")
    return lines


def _at_once(head: str, fields: list[Document], screen: Screen) -> str:
    """Draw a new record on one line, with as many of its values as there is room for."""
    line = f"{head} "
    for n, change in enumerate(fields):
        comma = "," if n < len(fields) - 1 else ""
        piece = f" {change['field']} {_short(change)}{comma}"
        if breadth(line) + breadth(piece) + 2 > screen.width:
            return f"{line.rstrip()} …"
        line += piece
    return line.rstrip()


def _changes(action: Document, screen: Screen) -> list[str]:
    fields = action["fields"]
    names = max((breadth(change["field"]) for change in fields), default=0)
    room = max(screen.width - len(_DEEPER) - names - 5, 16)  # for both values and the arrow
    budget = _WHOLE if screen.full else LONGEST
    if action["action"] == "create":
        return [
            f"{_DEEPER}{padded(change['field'], names)}  {_new(change, budget)}{_meant(change)}"
            for change in fields
        ]
    olds = [quoted(change["old"], budget) for change in fields]
    news = [_new(change, budget) for change in fields]
    wide = max((breadth(old) for old in olds if breadth(old) <= room // 2), default=0)
    lines = []
    for change, old, new in zip(fields, olds, news, strict=True):
        drift = screen.paint("  (edited there, overwritten)", "35") if change["drift"] else ""
        meant = _meant(change)
        if breadth(old) <= wide and breadth(new) + breadth(meant) <= room - wide:
            head = padded(change["field"], names)
            lines.append(f"{_DEEPER}{head}  {padded(old, wide)} → {new}{meant}{drift}")
            continue
        # One below the other, for cut to half a line they might look the same.
        left = max(screen.width - len(_DEEPER) - breadth(meant) - 6, 8)
        most = budget if screen.full else min(budget, left)
        lines += [f"{_DEEPER}{change['field']}{drift}"]
        lines += [f"{_DEEPER}  - {quoted(change['old'], most)}"]
        lines += [f"{_DEEPER}  + {_new(change, most)}{meant}"]
    return lines


def _new(change: Document, width: int) -> str:
    return "(known after apply)" if change["known_after_apply"] else quoted(change["new"], width)


def _short(change: Document) -> str:
    meant = _meant(change)
    if meant and change["new"]:
        return f"'{short_key(change['new'], 24)}'{meant}"
    return f"{_new(change, 24)}{meant}"


def _meant(change: Document) -> str:
    name = name_of(change)
    return f" ({printable(name)})" if name else ""


def name_of(change: Document) -> str:
    """What people call the record that a reference is written for; empty where nothing is known.

    That is the reference on the side it comes from, where it is the shorter one: ``CAD`` for a
    GUID, but no GUID for ``CAD``.
    """
    source, new = change["source"] or "", change["new"]
    return source if breadth(source) < (breadth(new) if new else _NAME) else ""


def _clashes(action: Document, screen: Screen) -> list[str]:
    """Draw what both sides hold, and what they last agreed on, in one line if there is room."""
    systems = list(action["keys"])
    rows = []
    for change in action["fields"]:
        base = change["left_base"] if change["left_base"] is not None else change["right_base"]
        name = f"{change['left'] or '='} / {change['right'] or '='}"
        rows.append((name, base, change["left_value"], change["right_value"]))
    heads = ("base", *systems)
    names = max((breadth(name) for name, *_ in rows), default=0)
    room = (screen.width - len(_DEEPER) - names) // 3 - 3
    told = [
        [f"{head} {quoted(value, LONGEST)}" for head, value in zip(heads, values, strict=True)]
        for _, *values in rows
    ]
    widths = [max((breadth(cells[i]) for cells in told), default=0) for i in range(3)]
    if max(widths, default=0) <= room:
        return [
            f"{_DEEPER}{padded(name, names)}  "
            + "  ".join(padded(cell, n) for cell, n in zip(cells, widths, strict=True)).rstrip()
            for (name, *_), cells in zip(rows, told, strict=True)
        ]
    lines, indent = [], f"{_DEEPER}  "
    longest = max(breadth(head) for head in heads)
    whole = _WHOLE if screen.full else max(screen.width - len(indent) - longest - 4, 8)
    for name, *values in rows:
        lines.append(f"{_DEEPER}{name}")
        lines += [
            f"{indent}{padded(head, longest)}  {quoted(value, whole)}"
            for head, value in zip(heads, values, strict=True)
        ]
    return lines
