"""One field of an action as SQL: what it is of, how it stands, what is to be written."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from runner import dialect
from runner.compile import values
from runner.compile.fields import ROW, text_of
from runner.compile.tables import FIELD_TYPE, NO_FIELDS
from runner.dialect import text
from runner.model import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.compile.ends import Piece
    from runner.compile.fields import CompiledField


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of an action's fields (``tables.FIELD_TYPE``); all but the names is SQL."""

    ident: str
    left: str
    right: str
    verdict: str
    drift: str = "FALSE"
    left_value: str = "NULL"
    right_value: str = "NULL"
    left_base: str = "NULL"
    right_base: str = "NULL"
    new: str = "NULL"
    reason: str = "NULL"
    lookup: str = "NULL"

    @property
    def columns(self) -> tuple[str, ...]:
        """SQL of all its columns, in their order."""
        return (
            *(text(word) for word in (self.ident, self.left, self.right)),
            *(self.verdict, self.drift, self.left_value, self.right_value),
            *(self.left_base, self.right_base, self.new, self.reason, self.lookup),
        )

    @property
    def row(self) -> str:
        """SQL of the entry alone."""
        return f"row({', '.join(self.columns)})"


def gathered(parts: Sequence[Change | str]) -> str:
    """SQL of one list of all entries; what is no entry is SQL of a list of some."""
    if not parts:
        return NO_FIELDS
    lists = [
        part
        for single, run in groupby(parts, lambda part: isinstance(part, Change))
        for part in ([_zipped([e for e in run if isinstance(e, Change)])] if single else run)
    ]
    whole = lists[0] if len(lists) == 1 else f"flatten([{', '.join(map(str, lists))}])"
    return f"CAST({whole} AS {FIELD_TYPE}[])"


def _zipped(entries: Sequence[Change]) -> str:
    """Make the list of its columns: DuckDB binds a dozen lists sooner than a row for each entry."""
    columns = zip(*(entry.columns for entry in entries), strict=True)
    lists = (f"[{', '.join(column)}]" for column in columns)
    return f"list_zip({', '.join(lists)})"


def listed(entries: Iterable[Change]) -> str:
    """SQL of a list of entries."""
    return f"[{', '.join(entry.row for entry in entries)}]"


def shown(field: CompiledField, side: Side) -> str:
    """Name what stands on one side, for people; empty for a constant."""
    end = field.end(side)
    return end.name if end else ""


def lookup(field: CompiledField, side: Side) -> str:
    """SQL of the mapping that translated a reference on its way to that side."""
    return field.looked_up(side) if field.rule.lookups else "NULL"


def pieces(
    field: CompiledField,
    side: Side,
    whole: str,
    verdict: str,
    *,
    coupled: bool,
    filled: Callable[[str, str], str] = lambda _, value: value,
) -> list[Change]:
    """Write one entry for each field that a value is taken apart into on that side.

    ``coupled``: that side has a record, and a field of it that stays the same is no change.
    ``filled`` turns SQL of what a field takes into that of what is written to it, by its name.
    """
    return [
        _piece(
            field,
            side,
            piece,
            filled(piece.field.name, _part(field, side, piece, whole)),
            verdict,
            coupled,
        )
        for piece in field.pieces(side)
    ]


def _part(field: CompiledField, side: Side, piece: Piece, whole: str) -> str:
    return dialect.cast(field.part(piece, side, whole), piece.field.type)


def _piece(
    field: CompiledField,
    side: Side,
    piece: Piece,
    new: str,
    verdict: str,
    coupled: bool,  # noqa: FBT001 - as above
) -> Change:
    kind = piece.field.type
    held = f"{ROW[side]}.{dialect.name(piece.field.name)}" if coupled else "NULL"
    if coupled:
        verdict = f"CASE WHEN {new} {dialect.SAME} {held} THEN 'unchanged' ELSE {verdict} END"
    other = shown(field, side.other)
    names = (piece.field.name, other) if side is Side.LEFT else (other, piece.field.name)
    here, there = values.as_text(held, kind), text_of(field, side.other)
    left, right = (here, there) if side is Side.LEFT else (there, here)
    return Change(
        field.id,
        *names,
        verdict,
        left_value=left,
        right_value=right,
        new=values.as_text(new, kind),
    )


def judged(field: CompiledField, drift: str, reason: str) -> Change | str:
    """Write the entry of a pair's field, or a list of them: where a value is taken apart."""
    decided = f'"#d{field.number}"'
    left, right = (text_of(field, side) for side in Side)
    bases = [
        values.as_text(f"b.{dialect.name(f'{side.value} {field.id}')}", field.kind(side))
        for side in Side
    ]
    ways = [side for side in Side if field.rule.direction.to(side) and field.pieces(side)]
    news = " ".join(
        f"WHEN {decided} = 'to {side.value}' "
        f"THEN {values.as_text(field.arriving(side), field.kind(side))}"
        for side in ways
    )
    looked = " ".join(
        f"WHEN {decided} = 'to {side.value}' THEN {field.looked_up(side)}" for side in ways
    )
    one = Change(
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
        f"{listed(pieces(field, side, field.arriving(side), decided, coupled=True))}"
        for side in ways
        if field.made(side) is not None
    ]
    return f"CASE {' '.join(apart)} ELSE {listed([one])} END" if apart else one
