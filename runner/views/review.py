"""How the records of both sides stand before a first run, and what is best done about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from runner.model import Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner import model

VERSION = 1
Document = dict[str, Any]
_ARROWS = {"to right": "→", "to left": "←", "both": "⇄"}


class Advice(StrEnum):
    """What is best done with a mapping, as Microsoft's review of a full synchronization has it."""

    NOTHING = "no records"
    COUPLED = "all coupled"
    COUPLE = "couple first"
    """Both sides have records without a partner: some may be the same."""
    FULL = "full synchronization"
    """One side has such records, and the mapping creates them on the other."""
    LEAVE = "stay uncoupled"
    """One side has such records, and the mapping does not create them on the other."""


def of_review(planned: Document, mappings: Sequence[model.Mapping]) -> Document:
    """Describe each mapping, in the order in which they run, by a plan that only couples."""
    rules = {mapping.name: mapping for mapping in mappings}
    order = list(rules)
    return {
        "version": VERSION,
        "project": planned["project"],
        "environment": planned["environment"],
        "mappings": [_mapping(told, rules[told["mapping"]], order) for told in planned["mappings"]],
    }


def advice(
    *, coupled: int, matches: int, ambiguous: int, uncoupled: Mapping[Side, int], created: set[Side]
) -> Advice:
    """Say what is best done; ``created`` are the sides on which a partner would be made."""
    alone = [side for side in Side if uncoupled[side]]
    if matches or len(alone) == len(Side) or (ambiguous and not alone):
        return Advice.COUPLE
    if not alone:
        return Advice.COUPLED if coupled else Advice.NOTHING
    return Advice.FULL if alone[0].other in created else Advice.LEAVE


def _mapping(told: Document, rule: model.Mapping, order: Sequence[str]) -> Document:
    systems = {side: rule.entity(side).system for side in Side}
    created = {
        side
        for side in Side
        if side in rule.create or rule.coupled_by or rule.entity(side).comes_with
    }
    counts = told["counts"]
    matches, ambiguous = counts.get("couple", 0), counts.get("error", 0)
    uncoupled = {side: told["uncoupled"][systems[side]] for side in Side}
    found = advice(
        coupled=told["coupled"],
        matches=matches,
        ambiguous=ambiguous,
        uncoupled=uncoupled,
        created=created,
    )
    by_hand = "--match --dry-run" if matches or ambiguous else "LEFT RIGHT"
    commands = {
        Advice.COUPLE: f"sync-run couple {rule.name} {by_hand}",
        Advice.FULL: f"sync-run apply {rule.name}",
    }
    return {
        "mapping": rule.name,
        "direction": told["direction"],
        "left": told["left"],
        "right": told["right"],
        "waits_for": sorted(rule.needs, key=order.index),
        "read": told["read"],
        "coupled": told["coupled"],
        "matches": matches,
        "ambiguous": ambiguous,
        "uncoupled": told["uncoupled"],
        "created_in": [systems[side] for side in Side if side in created],
        "recommendation": found.value,
        "command": commands.get(found),
    }


def drawn(document: Document) -> str:
    """Draw a review: a block for each mapping, then what a full synchronization is."""
    blocks = [_block(number, told) for number, told in enumerate(document["mappings"], start=1)]
    last = (
        "`sync-run apply` does all of it in this order: what matches is coupled, then what is left "
        "is created as far as each mapping allows."
    )
    return "\n\n".join([*blocks, last])


def _block(number: int, told: Document) -> str:
    left, right = told["left"], told["right"]
    arrow = _ARROWS[told["direction"]]
    ends = f"{left['system']} {left['entity']} {arrow} {right['system']} {right['entity']}"
    lines = [f"{number}. {told['mapping']}  {ends}"]
    if told["waits_for"]:
        lines.append(f"   waits for {', '.join(told['waits_for'])}")
    alone = [f"{n} in {system} without a partner" for system, n in told["uncoupled"].items() if n]
    look = [f"{told['ambiguous']} to look at"] if told["ambiguous"] else []
    facts = [f"{told['coupled']} coupled", f"{told['matches']} match", *look, *alone]
    lines.append(f"   {', '.join(facts)}")
    more = f": `{told['command']}`" if told["command"] else ""
    if told["recommendation"] == Advice.LEAVE:
        more = ": the mapping does not create them on the other side"
    lines.append(f"   {told['recommendation']}{more}")
    return "\n".join(lines)
