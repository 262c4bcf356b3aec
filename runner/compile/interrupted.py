"""Records that a create of a dead run may be about, as SQL: they rest until that is known.

Both rest: the record that another was to be made for, or it would be made twice; and whatever may
be what was made, or it would be taken for a new one and made on the side that it came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.compile.actions import field_name
from runner.compile.tables import JOURNAL, KEY, PENDING, Tables
from runner.dialect import text
from runner.transform.convert import TEXTUAL, as_text
from runner.wire import TELLING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.compile.fields import CompiledField
    from runner.model import Side


def waiting(mapping: str) -> str:
    """Set aside records whose last create nobody knows the outcome of."""
    status = Tables(mapping).status
    return f"""UPDATE {status} SET status = 'undecided'
FROM ({_open(mapping, "side, left_key, right_key")}) j
WHERE (status = 'free left' AND j.side = 'right' AND {status}.left_key = j.left_key)
   OR (status = 'free right' AND j.side = 'left' AND {status}.right_key = j.right_key)"""


def made(mapping: str, side: Side, key: str, fields: Sequence[CompiledField]) -> str:
    """Set aside records of a side that may have come of such a create.

    They are known as ``apply.recover`` knows them: by the key, if we chose it, else by what was
    sent. ``key`` is SQL of the journal's key as couplings keep it.
    """
    tables, own = Tables(mapping), f"{side.value}_key"
    chosen = f'"key" IS NOT NULL AND NOT starts_with("key", {text(PENDING)})'
    of = f"{_open(mapping, f'{key} AS made')} AND side = '{side.value}' AND {chosen}"
    found = [f"SELECT made FROM ({of})"]
    if telling := tuple(_telling(side, fields)):
        sent = ", ".join(f"{_sent(side, field)} AS v{n}" for n, field in enumerate(telling))
        shape = f'[{{"{side.value}": "VARCHAR", "new": "VARCHAR"}}]'
        of = f"""{_open(mapping, f"from_json(fields, '{shape}') AS sent")}
            AND side = '{side.value}' AND NOT coalesce({chosen}, FALSE)"""
        held = [_alike(f"s.{field_name(f, side)}", f, side) for f in telling]
        same = " AND ".join(f"(v{n} IS NULL OR v{n} = {value})" for n, value in enumerate(held))
        blank = " AND ".join(f"{value} IS NULL" for value in held)
        nothing = f"coalesce({', '.join(f'v{n}' for n in range(len(held)))}) IS NULL"
        found.append(
            f"""SELECT s.{KEY} FROM {tables.snapshot(side)} s
    SEMI JOIN {tables.status} f ON f.status = 'free {side.value}' AND f.{own} = s.{KEY}
    JOIN (SELECT {sent} FROM ({of})) j
        ON CASE WHEN {nothing} THEN {blank} ELSE {same} END"""
        )
    return f"""UPDATE {tables.status} SET status = 'undecided'
WHERE status = 'free {side.value}' AND {own} IN ({" UNION ALL ".join(found)})"""


def _open(mapping: str, columns: str) -> str:
    return f"""SELECT {columns} FROM {JOURNAL}
    WHERE mapping = {text(mapping)} AND kind = 'create' AND outcome IS NULL"""


def _telling(side: Side, fields: Sequence[CompiledField]) -> Iterator[CompiledField]:
    """Yield the fields that a create of that side sends, and that come back as they were sent."""
    for field in fields:
        sent = field.rule.name(side) and field.made(side) is None and field.rule.direction.to(side)
        if sent and field.kind(side) in TELLING:
            yield field


def _sent(side: Side, field: CompiledField) -> str:
    name = text(field.rule.name(side) or "")
    sent = f'list_filter(sent, lambda f: f."{side.value}" = {name})[1].new'
    known = f"CASE WHEN NOT starts_with({sent}, {text(PENDING)}) THEN {sent} END"
    return f"upper(trim({known}))" if field.kind(side) in TEXTUAL else known


def _alike(value: str, field: CompiledField, side: Side) -> str:
    """SQL of a value as texts are compared here: a code may come back in capitals."""
    told = as_text(value, field.kind(side))
    return f"upper(trim({told}))" if field.kind(side) in TEXTUAL else told
