"""What matching alone would couple, drawn from the document of its plan."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def drawn(document: Document) -> str:
    """Draw the pairs found, what is ambiguous, and how many records match none."""
    (mapping,) = document["mappings"]
    left, right = mapping["left"], mapping["right"]
    head = f"{left['system']} {left['entity']} ↔ {right['system']} {right['entity']}"
    lines = [f"{mapping['mapping']}  {head}", f"  {facts(mapping)}"]
    told: dict[str, int] = {}
    for action in mapping["actions"]:
        kind = action["action"]
        told[kind] = told.get(kind, 0) + 1
        keys = " ↔ ".join(f"{system} {key}" for system, key in action["keys"].items() if key)
        label = f" '{action['label']}'" if action["label"] else ""
        lines.append(f"  {'=' if kind == 'couple' else 'x'} {keys}{label}")
        lines += [f"      {text}" for text in (action["reason"],) if text]
    for kind, total in mapping["counts"].items():
        if rest := total - told.get(kind, 0):
            words = "to couple" if kind == "couple" else "to look at"
            lines.append(f"  … {rest} more {words} (--full shows them)")
    return "\n".join(lines)


def facts(mapping: Document) -> str:
    """Say in one line how the records of both sides stand to each other."""
    counts, uncoupled = mapping["counts"], mapping["uncoupled"]
    words = [f"{mapping['coupled']} coupled", f"{counts.get('couple', 0)} match"]
    words += [f"{n} to look at" for n in (counts.get("error", 0),) if n]
    words += [f"{n} in {system} match none" for system, n in uncoupled.items()]
    return ", ".join(words)
