"""One field of an action as SQL: what it is of, how it stands, what is to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import dialect
from runner.compile import values
from runner.compile.compare import cast
from runner.compile.fields import ROW, text_of
from runner.compile.tables import FIELD_TYPE
from runner.dialect import text
from runner.model import Side

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.compile.ends import Piece
    from runner.compile.fields import CompiledField


def change(  # noqa: PLR0913 - one column each
    ident: str,
    left: str,
    right: str,
    verdict: str,
    *,
    drift: str = "FALSE",
    left_value: str = "NULL",
    right_value: str = "NULL",
    left_base: str = "NULL",
    right_base: str = "NULL",
    new: str = "NULL",
    reason: str = "NULL",
    lookup: str = "NULL",
) -> str:
    """Write one entry of an action's fields (``tables.FIELD_TYPE``); all but the names is SQL."""
    names = ", ".join(text(word) for word in (ident, left, right))
    bases = f"{left_base}, {right_base}"
    return (
        f"row({names}, {verdict}, {drift}, {left_value}, {right_value}, {bases}, "
        f"{new}, {reason}, {lookup})"
    )


def gathered(entries: Iterable[str]) -> str:
    """SQL of one list of all entries, each of which is a list."""
    return f"CAST(flatten([{', '.join(entries)}]) AS {FIELD_TYPE}[])"


def shown(field: CompiledField, side: Side) -> str:
    """Name what stands on one side, for people; empty for a constant."""
    end = field.end(side)
    return end.name if end else ""


def lookup(field: CompiledField, side: Side) -> str:
    """SQL of the mapping that translated a reference on its way to that side."""
    return field.looked_up(side) if field.rule.lookups else "NULL"


def pieces(
    field: CompiledField, side: Side, whole: str, verdict: str, *, coupled: bool
) -> list[str]:
    """Write one entry for each field that a value is taken apart into on that side.

    ``coupled``: that side has a record, and a field of it that stays the same is no change.
    """
    return [_piece(field, side, piece, whole, verdict, coupled) for piece in field.pieces(side)]


def _piece(
    field: CompiledField,
    side: Side,
    piece: Piece,
    whole: str,
    verdict: str,
    coupled: bool,  # noqa: FBT001 - as above
) -> str:
    kind = piece.field.type
    new = dialect.cast(piece.take(whole), kind)
    held = f"{ROW[side]}.{dialect.name(piece.field.name)}" if coupled else "NULL"
    if coupled:
        verdict = f"CASE WHEN {new} {dialect.SAME} {held} THEN 'unchanged' ELSE {verdict} END"
    other = shown(field, side.other)
    names = (piece.field.name, other) if side is Side.LEFT else (other, piece.field.name)
    here, there = values.as_text(held, kind), text_of(field, side.other)
    left, right = (here, there) if side is Side.LEFT else (there, here)
    return change(
        field.id,
        *names,
        verdict,
        left_value=left,
        right_value=right,
        new=values.as_text(new, kind),
    )


def judged(field: CompiledField, drift: str, reason: str) -> str:
    """Write the entries of a pair's field, as a list: several where a value is taken apart."""
    decided = f'"#d{field.number}"'
    left, right = (text_of(field, side) for side in Side)
    bases = [
        values.as_text(f"b.{dialect.name(f'{side.value} {field.id}')}", field.kind(side))
        for side in Side
    ]
    ways = [side for side in Side if field.rule.direction.to(side) and field.pieces(side)]
    news = " ".join(
        f"WHEN {decided} = 'to {side.value}' "
        f"THEN {values.as_text(cast(field, side), field.kind(side))}"
        for side in ways
    )
    looked = " ".join(
        f"WHEN {decided} = 'to {side.value}' THEN {field.looked_up(side)}" for side in ways
    )
    one = change(
        field.id,
        shown(field, Side.LEFT),
        shown(field, Side.RIGHT),
        decided,
        drift=drift,
        left_value=left,
        right_value=right,
        left_base=bases[0],
        right_base=bases[1],
        new=f"CASE {news} END" if news else "NULL",
        reason=reason,
        lookup=f"CASE {looked} END" if field.rule.lookups and looked else "NULL",
    )
    apart = [
        f"WHEN {decided} = 'to {side.value}' THEN "
        f"[{', '.join(pieces(field, side, cast(field, side), decided, coupled=True))}]"
        for side in ways
        if field.made(side) is not None
    ]
    return f"CASE {' '.join(apart)} ELSE [{one}] END" if apart else f"[{one}]"
