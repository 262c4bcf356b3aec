"""The actions of a plan, as small as a page that holds 100,000 of them needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runner.views.actions import SYMBOLS, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, Any]
_PENDING, _DRIFT = 1, 2


def compacted(mappings: list[Document], actions: Iterable[tuple[str, Document]]) -> Document:
    """Turn actions (each with its mapping's name) into rows of numbers and texts.

    A row is mapping, kind, side written to (0: none, 1: left, 2: right), left key, right key,
    label, reason, hint, fields; mapping, kind, reason, hint and the names of fields are numbers of
    entries in lists (-1: none). A field of a write is name, old, new, flags (1: known after apply,
    2: edited there), and what a reference is called where it comes from; of a finding it is both
    names, both values, and what was last agreed on.
    """
    kinds = list(SYMBOLS)
    numbers = {mapping["mapping"]: n for n, mapping in enumerate(mappings)}
    ends = {m["mapping"]: (m["left"]["system"], m["right"]["system"]) for m in mappings}
    strings: dict[str, int] = {}

    def number(text: str | None) -> int:
        return -1 if text is None else strings.setdefault(text, len(strings))

    rows = []
    for name, action in actions:
        left, right = ends[name]
        side = 0 if action["system"] is None else 1 if action["system"] == left else 2
        fields = [
            _written(field, number) if side else _found(field, number) for field in action["fields"]
        ]
        rows.append(
            (
                numbers[name],
                kinds.index(action["action"]),
                side,
                action["keys"][left],
                action["keys"][right],
                action["label"],
                number(
                    f"{action['reason']} ({action['id']})" if action["id"] else action["reason"]
                ),
                number(action["hint"]),
                fields,
            )
        )
    return {
        "kinds": kinds,
        "symbols": [symbol for symbol, _ in SYMBOLS.values()],
        "mappings": [
            {"name": name, "left": left, "right": right} for name, (left, right) in ends.items()
        ],
        "strings": list(strings),
        "actions": rows,
    }


def _written(field: Document, number: Any) -> tuple[Any, ...]:
    flags = _PENDING * field["known_after_apply"] + _DRIFT * field["drift"]
    return number(field["field"]), field["old"], field["new"], flags, name_of(field) or None


def _found(field: Document, number: Any) -> tuple[Any, ...]:
    base = field["left_base"] if field["left_base"] is not None else field["right_base"]
    names = (number(field["left"] or ""), number(field["right"] or ""))
    return (*names, field["left_value"], field["right_value"], base)


def in_script(document: Document) -> str:
    """Write a document as JSON that can stand within a script element, whatever is in it."""
    return msgspec.json.encode(document).decode().replace("<", "\\u003c")
