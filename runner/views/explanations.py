"""Explanations for people, drawn from their documents alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.views.actions import ARROWS, SYMBOLS, remark
from runner.views.drawing import breadth, padded, plural, printable, quoted, short_key, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.views.actions import Screen

Document = dict[str, Any]


def mapping(document: Document, screen: Screen) -> str:
    """Draw what a mapping does."""
    left, right = document["left"], document["right"]
    ends = [f"{end['system']} {end['entity']}" for end in (left, right)]
    heading = f" {ARROWS[document['direction']]} ".join(ends)
    lines = [f"{screen.paint(document['mapping'], '1')}  {heading}  ({document['at']})"]
    facts = [("reads", f"{end['system']} {end['entity']}: {_filter(end)}") for end in (left, right)]
    facts += [("after", ", ".join(document["after"]))] if document["after"] else []
    facts += [("before", ", ".join(document["before"]))] if document["before"] else []
    facts += [(rule["about"], rule["what"]) for rule in document["rules"]]
    facts += [("templates", _template(told)) for told in document["templates"]]
    lines += _facts(facts, screen)
    lines += ["", f"  {screen.paint('fields', '1')}"]
    widths = [max((breadth(f[side]) for f in document["fields"]), default=0) for side in _SIDES]
    for field in document["fields"]:
        ends = [
            padded(_brief(field[s]), min(w, _ROOM)) for s, w in zip(_SIDES, widths, strict=True)
        ]
        arrow = ARROWS[field["direction"]]
        line = f"    {ends[0]}  {arrow}  {ends[1]}  {', '.join(field['notes'])}".rstrip()
        lines += _hanging(line, screen, 8)
    return "\n".join([*lines, "", *_next(document, screen)])


_SIDES = ("left", "right")
_ROOM = 40


def _brief(text: str) -> str:
    return text if breadth(text) <= _ROOM else f"{text[: _ROOM - 2]}…)"


def _template(told: Document) -> str:
    when = f", where {told['when']}" if told["when"] else ""
    values = ", ".join(f"{name} {value}" for name, value in told["values"].items())
    return f"new in {told['system']}{when}: {values}"


def _filter(end: Document) -> str:
    return f"where {end['filter']}" if end["filter"] else "every record"


def _next(document: Document, screen: Screen) -> list[str]:
    example = next((f["right"] or f["left"] for f in document["fields"]), "FIELD")
    name = document["mapping"]
    return [
        "  More of one field, and of one record:",
        f"    {screen.command} explain {name}.{example.split()[0]}",
        f"    {screen.command} why {name} KEY",
    ]


def _facts(facts: Iterable[tuple[str, str]], screen: Screen) -> list[str]:
    """Draw facts in two columns, what they are about only where it changes."""
    facts = list(facts)
    width = max((breadth(about) for about, _ in facts), default=0)
    lines, last = [], ""
    for about, what in facts:
        head = about if about != last else ""
        parts = wrapped(printable(what), screen.width - width - 4)
        for n, part in enumerate(parts):
            lines.append(f"  {padded(head if n == 0 else '', width)}  {part}")
        last = about
    return lines


def _hanging(line: str, screen: Screen, indent: int) -> list[str]:
    if breadth(line) <= screen.width:
        return [line]
    lead = len(line) - len(line.lstrip())
    first, *rest = wrapped(line.strip(), screen.width - indent)
    return [" " * lead + first, *(" " * indent + part for part in rest)]


def fields(name: str, documents: list[Document], screen: Screen) -> str:
    """Draw where the values of a field come from, and what decides about them."""
    blocks = []
    for told in documents:
        ends = f" {ARROWS[told['direction']]} ".join((told["left"], told["right"]))
        lines = [f"{screen.paint(name, '1')}  {ends}  ({told['at']})"]
        for way in told["ways"]:
            lines.append(f"  to {way['to']}")
            for n, step in enumerate(way["steps"], start=1):
                first, *rest = wrapped(printable(step), screen.width - 8)
                lines.append(f"    {n}. {first}")
                lines += [f"       {part}" for part in rest]
        for policy in told["policies"]:
            lines += [f"  {part}" for part in wrapped(policy, screen.width - 2)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def record(document: Document, screen: Screen) -> str:
    """Draw why a record stands as it does, and what both sides hold."""
    keys = " ↔ ".join(
        f"{system} {printable(key) if screen.full else short_key(key)}"
        for system, key in document["keys"].items()
        if key
    )
    label = f"  {quoted(document['label'])}" if document["label"] else ""
    symbol, code = SYMBOLS.get(document["verdict"], ("·", "2"))
    lines = [f"{screen.paint(document['mapping'], '1')}  {keys}{label}"]
    verdict = screen.paint(f"{symbol} {document['verdict']}", code)
    more = f"  ({screen.command} explain {document['id']})" if document["id"] else ""
    lines.append(f"  {verdict}{more}")
    for reason in document["because"]:
        place = f"  ({reason['at']})" if reason["at"] else ""
        lines += _hanging(f"    because {printable(reason['what'])}{place}", screen, 6)
    for hint in document["hints"]:
        lines += remark(f"hint: {hint}", "    ", screen)
    moved = [f for f in document["fields"] if f["moved"]]
    rest = [f for f in document["fields"] if not f["moved"]]
    lines += [line for told in moved for line in _values(told, document, screen)]
    if screen.full:
        lines += [line for told in rest for line in _values(told, document, screen)]
    elif rest:
        how = " are the same as they were" if document["coupled"] else ""
        lines.append(f"  {plural(len(rest), 'other field')}{how} (--full shows them)")
    for entry in document["journal"]:
        said = f"run {entry['run']}: {entry['action']}"
        # Who was only coupled was written in neither system.
        said += f" in {entry['system']}: {entry['outcome']}" if entry["system"] else ""
        message = f", {printable(entry['message'])}" if entry["message"] else ""
        lines += _hanging(f"  {said}{message}", screen, 4)
    return "\n".join(lines)


def _values(told: Document, document: Document, screen: Screen) -> list[str]:
    """Draw one field of a record: what both sides hold, held last time, and what is to be."""
    head = f"  {told['left'] or '='} / {told['right'] or '='}: {told['verdict']}  ({told['at']})"
    before = [f"{system} before" for system in told["base"]] if document["coupled"] else []
    names = [*told["values"], *before]
    width = max(breadth(name) for name in names)
    room = 1_000_000 if screen.full else max(screen.width - width - 10, 8)
    lines = [head]
    for system, value in told["values"].items():
        lines.append(f"      {padded(system, width)}  {quoted(value, room)}")
        base = told["base"][system]
        if document["coupled"] and base != value:
            lines.append(f"      {padded(f'{system} before', width)}  {quoted(base, room)}")
    if told["written_to"]:
        new = "(known after apply)" if told["known_after_apply"] else quoted(told["new"], room)
        lines.append(f"      → {told['written_to']}  {new}")
    return lines
