"""What a run is about, in one line, drawn from the document of its plan."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def about(selection: Document) -> str:
    """Say what a plan is about, beyond its mappings; empty where it is about all of them."""
    records, where = selection["records"], selection["where"]
    parts = []
    if records:
        parts.append(f"only {'record' if len(records) == 1 else 'records'} {', '.join(records)}")
    if where:
        parts.append(f"only where {where['system']} has {where['condition']}")
    if selection["to"]:
        parts.append(f"writes to {selection['to']} alone")
    if selection["prefer"]:
        parts.append(f"{selection['prefer']} wins where both sides changed")
    line = "; ".join(parts)
    return f"{line[:1].upper()}{line[1:]}." if line else ""
