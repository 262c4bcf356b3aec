"""``guards:`` of sync.yaml and of mappings as ceilings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runner.model import Ceiling, Guards


def guards_of(*told: dict[str, Any]) -> Guards:
    """Bind checked values; the last that says something of a key decides, key by key."""
    usual = Guards()
    merged: dict[str, Any] = {}
    for one in told:
        merged |= one
    return Guards(
        changes=_ceiling(merged["max_changes"]) if "max_changes" in merged else usual.changes,
        deletes=_ceiling(merged["max_deletes"]) if "max_deletes" in merged else usual.deletes,
        floor=merged.get("floor", usual.floor),
    )


def _ceiling(told: str | int) -> Ceiling:
    if isinstance(told, int):
        return Ceiling(most=Decimal(told))
    return Ceiling(most=Decimal(told.removesuffix("%")), share=True)
