"""Couplings for people and programs: which records belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner import model

VERSION = 1
Document = dict[str, Any]


class Pair(Protocol):
    """Two records that belong together (``state.pairs.Pair``, which a view does not import)."""

    @property
    def mapping(self) -> str: ...  # noqa: D102
    @property
    def left_key(self) -> str: ...  # noqa: D102
    @property
    def right_key(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> str | None: ...  # noqa: D102
    @property
    def synchronized(self) -> bool: ...  # noqa: D102


def of_pairs(
    mappings: Sequence[model.Mapping], totals: Mapping[str, int], pairs: Sequence[Pair]
) -> Document:
    """Describe the pairs of mappings; ``totals`` count them all, also those that are not told."""
    return {
        "version": VERSION,
        "total": sum(totals.values()),
        "mappings": [
            {
                "mapping": mapping.name,
                "left": {"system": mapping.left.system, "entity": mapping.left.entity},
                "right": {"system": mapping.right.system, "entity": mapping.right.entity},
                "total": totals.get(mapping.name, 0),
                "couplings": [
                    {
                        "left": pair.left_key,
                        "right": pair.right_key,
                        "label": pair.label,
                        "synchronized": pair.synchronized,
                    }
                    for pair in pairs
                    if pair.mapping == mapping.name
                ],
            }
            for mapping in mappings
        ],
    }


def drawn(document: Document, command: str) -> str:
    """Draw them; ``command`` is what shows all where only some are told."""
    lines = []
    for mapping in (m for m in document["mappings"] if m["total"]):
        left, right = mapping["left"], mapping["right"]
        lines.append(
            f"{mapping['mapping']}  {left['system']} {left['entity']} ↔ "
            f"{right['system']} {right['entity']}"
        )
        for pair in mapping["couplings"]:
            label = f" '{pair['label']}'" if pair["label"] else ""
            fresh = "" if pair["synchronized"] else "  (not synchronized yet)"
            keys = f"{left['system']} {pair['left']} ↔ {right['system']} {pair['right']}"
            lines.append(f"  {keys}{label}{fresh}")
        rest = mapping["total"] - len(mapping["couplings"])
        if rest:
            lines.append(f"  … {rest} more (`{command}` shows them)")
        lines.append("")
    total = document["total"]
    return "\n".join([*lines, f"{total} {'coupling' if total == 1 else 'couplings'}."])
