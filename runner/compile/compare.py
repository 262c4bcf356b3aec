"""The three-way verdict: which way each field of a coupled pair travels.

Each side is compared with its own half of the base, so that what a system made of a value it was
given (rounded, cut, completed) is settled and not a change. ``b`` is the base row; all its columns
are NULL for a pair that was never synchronized, so that there a value meets a blank and fills it,
and two different values are a conflict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import dialect
from runner.compile.fields import text_of
from runner.compile.tables import MODIFIED
from runner.dialect import OTHER, text
from runner.model import (
    Blank,
    Direction,
    Drift,
    Granularity,
    Side,
    Unresolved,
    UpdateConflict,
    When,
)

if TYPE_CHECKING:
    from collections import abc

    from runner.compile.fields import CompiledField
    from runner.model import Lookup, Mapping

_CONFLICT = {
    UpdateConflict.FAIL: "'conflict'",
    UpdateConflict.PREFER_LEFT: "'to right'",
    UpdateConflict.PREFER_RIGHT: "'to left'",
    UpdateConflict.NEWEST: f"""CASE
        WHEN l.{MODIFIED} > r.{MODIFIED} THEN 'to right'
        WHEN l.{MODIFIED} < r.{MODIFIED} THEN 'to left'
        ELSE 'conflict' END""",
}
"""Who wins, as SQL. Newest: a moment that is not known, or is the same, decides nothing."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Writes the verdicts of one mapping's fields as SQL."""

    mapping: Mapping

    def verdict(self, field: CompiledField) -> str:
        """SQL of one of: unchanged, converged, to right, to left, conflict, drift, error."""
        plain = f'"#w{field.number}"'
        arms = [
            f"WHEN {plain} = '{_to(side)}' AND {condition} THEN '{answer}'"
            for side in Side
            if field.rule.direction.to(side)
            for condition, answer in self._exceptions(field, side)
        ]
        return f"CASE {' '.join(arms)} ELSE {plain} END" if arms else plain

    def of_record(self, fields: tuple[CompiledField, ...]) -> tuple[str, dict[int, str]]:
        """SQL that makes one verdict of all two-way fields that moved, where records must agree.

        Returns the condition (both sides changed something), to be kept as ``"#both"``, and by
        field number the verdict that follows; ``"#v<n>"`` stays as it is where none does.
        """
        verdicts = {f.number: f'"#v{f.number}"' for f in fields}
        two_way = [f.number for f in fields if f.rule.direction is Direction.BOTH]
        if self.mapping.granularity is Granularity.FIELD or not two_way:
            return "FALSE", {}

        def any_is(verdict: str) -> str:
            return "(" + " OR ".join(f"{verdicts[n]} = '{verdict}'" for n in two_way) + ")"

        both = f"{any_is('to left')} AND {any_is('to right')}"
        decided = _CONFLICT[self.mapping.conflict]
        for n in two_way:
            moved = f"""{verdicts[n]} IN ('to left', 'to right')"""
            verdicts[n] = f'CASE WHEN "#both" AND {moved} THEN {decided} ELSE "#v{n}" END'
        return both, verdicts

    def facts(self, field: CompiledField) -> str:
        """SQL of what verdicts are made of: whether a side moved, and whether both are the same.

        They are the columns ``"#l<n>"``, ``"#r<n>"`` and ``"#s<n>"``.
        """
        moved = [
            f"{field.value(side)} {OTHER} b.{base_column(field, side)} "
            f"AS {self._moved(field, side)}"
            for side in Side
        ]
        return ", ".join((*moved, f"{field.same()} AS {self._same(field)}"))

    def plain(self, field: CompiledField) -> str:
        """SQL of a field's verdict by its ``facts`` alone."""
        left, right, same = (*(self._moved(field, side) for side in Side), self._same(field))
        settled = f"CASE WHEN {left} OR {right} THEN 'converged' ELSE 'unchanged' END"
        if field.rule.when is When.CREATE:
            return settled
        alike = self._matched_alike(field)
        if field.rule.direction is Direction.BOTH:
            decided = _CONFLICT[field.rule.conflict]
            mute = "".join(
                f"WHEN {left} AND {right} AND {condition} THEN '{_to(to.other)}'\n            "
                for to in Side
                if (condition := self._says_nothing(field, to))
            )
            return f"""CASE
            WHEN {same} THEN {settled}
            {alike}{mute}            WHEN {left} AND {right} THEN {decided}
            WHEN {left} THEN 'to right'
            WHEN {right} THEN 'to left'
            ELSE 'unchanged' END"""
        to = Side.RIGHT if field.rule.direction is Direction.TO_RIGHT else Side.LEFT
        source, target = (left, right) if to is Side.RIGHT else (right, left)
        drifted = "drift" if field.rule.drift is Drift.REPORT else _to(to)
        return f"""CASE
            WHEN {same} THEN {settled}
            WHEN {source} THEN '{_to(to)}'
            WHEN NOT {target} THEN 'unchanged'
            WHEN b.left_key IS NULL AND {field.value(to.other)} IS NULL THEN 'converged'
            ELSE '{drifted}' END"""

    def drifted(self, field: CompiledField) -> str:
        """SQL that says whether a one-way field's target alone was edited."""
        if field.rule.direction is Direction.BOTH:
            return "FALSE"
        to = Side.RIGHT if field.rule.direction is Direction.TO_RIGHT else Side.LEFT
        return (
            f"(b.left_key IS NOT NULL AND NOT {self._moved(field, to.other)} "
            f"AND {self._moved(field, to)} AND NOT {self._same(field)})"
        )

    def reason(self, field: CompiledField) -> str:
        """SQL of why a verdict is an error; NULL where it is none."""
        plain = f'"#w{field.number}"'
        arms = [
            f"WHEN {plain} = '{_to(side)}' AND {condition} THEN {words}"
            for side in Side
            if field.rule.direction.to(side)
            for condition, words in self.faults(field, side)
        ]
        return f"CASE {' '.join(arms)} END" if arms else "NULL"

    def faults(self, field: CompiledField, to: Side) -> list[tuple[str, str]]:
        """What can be wrong with what travels to that side: conditions and words, as SQL."""
        rule, target = field.rule, field.end(to)
        source = field.end(to.other)
        name = source.name if source else "the constant"
        quote = text("'")
        meant = [
            text(known.for_blank[to.other]) for known in rule.lookups if to.other in known.for_blank
        ]
        held = f"coalesce({', '.join((text_of(field, to.other), *meant))}, '')"
        said = f"{text(f'{name} ')} || {quote} || {held} || {quote} || "
        found = []
        unresolved = rule.to(to).unresolved
        if rule.lookups and unresolved is Unresolved.FAIL:
            known = " or ".join(lookup.mapping for lookup in rule.lookups)
            words = said + text(f" is not coupled (mapping {known})")
            found.append((self.unresolved(field, to), words))
        if rule.values and unresolved is Unresolved.FAIL and rule.to(to).otherwise is None:
            found.append((field.untranslated(to), said + text(" is not listed in `values`")))
        found += [
            (failed, f"{text(f'{name}: ')} || {words}") for failed, words in field.failures(to)
        ]
        if rule.blank is Blank.FAIL:
            found.append((f"({field.carried(to)} IS NULL)", text(f"{name} is blank")))
        for piece in field.pieces(to) if field.made(to) is not None else ():
            for failed, words in piece.failures(field.arriving(to)):
                found.append(
                    (failed, f"{text(f'{name}: ')} || {words} || {text(f' ({piece.field.name})')}")
                )
        entity = self.mapping.entity(to).entity
        for piece, part in field.long_parts(to):
            most = piece.field.max_length
            keeps = f" characters long, {entity}.{piece.field.name} keeps {most}"
            length = f"CAST(length({part}) AS VARCHAR)"
            words = f"{text(f'a part of {name} is ')} || {length} || {text(keeps)}"
            found.append((f"coalesce(length({part}) > {most}, FALSE)", words))
        if field.too_long(to) != "FALSE":
            assert target is not None
            keeps = f"{entity}.{target.name} keeps {target.max_length}"
            length = f"CAST(length({field.carried(to)}) AS VARCHAR)"
            words = f"{text(f'{name} is ')} || {length} || {text(f' characters long, {keeps}')}"
            found.append((field.too_long(to), words))
        return found

    def unresolved(self, field: CompiledField, to: Side) -> str:
        """SQL that says whether a value has no translation: not coupled, not listed."""
        if field.rule.values:
            return field.untranslated(to)
        if field.rule.blank_means(to.other):
            return f"({field.link(to)} IS NULL)"
        return f"({field.value(to.other)} IS NOT NULL AND {field.link(to)} IS NULL)"

    def _matched_alike(self, field: CompiledField) -> str:
        """Write the arm of a new pair that was matched by this very field, ignoring its case.

        What made two records the same cannot set them apart: each side keeps its own spelling
        until somebody changes it.
        """
        ends = (field.rule.left, field.rule.right)
        pairs = [pair for criterion in self.mapping.match for pair in criterion]
        if not any(
            pair.ignore_case and (pair.left or ends[0], pair.right or ends[1]) == ends
            for pair in pairs
        ):
            return ""
        left, right = (f"upper(trim({text_of(field, side)}))" for side in Side)
        return f"WHEN p.fresh AND coalesce({left} = {right}, FALSE) THEN 'converged'\n            "

    def _exceptions(self, field: CompiledField, to: Side) -> list[tuple[str, str]]:
        target = field.end(to)
        assert target is not None
        if not target.on_update and field.rule.drift is Drift.REPORT:
            # The system never changes it again, and somebody wants to know.
            return [("b.left_key IS NOT NULL", "drift"), ("TRUE", "converged")]
        if not target.on_update or target.name == self.mapping.entity(to).key:
            return [("TRUE", "converged")]
        found = []
        translated = field.rule.lookups or field.rule.values
        if condition := self._says_nothing(field, to):
            found.append((condition, "converged"))
        if translated and field.rule.to(to).unresolved is Unresolved.CLEAR:
            clear = f"{self.unresolved(field, to)} AND {field.value(to)} IS NULL"
            found.append((clear, "converged"))
        return found + [(condition, "error") for condition, _ in self.faults(field, to)]

    def _says_nothing(self, field: CompiledField, to: Side) -> str:
        """SQL that says whether a value leaves that side as it is; empty where none ever does."""
        found = []
        translated = field.rule.lookups or field.rule.values
        if field.rule.blank is Blank.KEEP and not field.rule.blank_means(to.other):
            # What cannot be translated is no blank: it fails, or whatever `unresolved` says. Nor is
            # what cannot be converted: that fails.
            blank = field.value(to.other) if translated else field.carried(to)
            failed = "".join(f" AND NOT {condition}" for condition, _ in field.failures(to))
            found.append(f"{blank} IS NULL{failed}")
        if translated and field.rule.to(to).unresolved is Unresolved.KEEP:
            found.append(self.unresolved(field, to))
        return f"({' OR '.join(found)})" if found else ""

    def _moved(self, field: CompiledField, side: Side) -> str:
        return dialect.name(f"#{side.value[0]}{field.number}")

    def _same(self, field: CompiledField) -> str:
        return dialect.name(f"#s{field.number}")


def base_column(field: CompiledField, side: Side) -> str:
    """The column, quoted, that keeps one side's value of a field in the base."""
    return dialect.name(f"{side.value} {field.id}")


def after(field: CompiledField, side: Side) -> str:
    """SQL of what that side holds once the verdict has been carried out."""
    if not field.rule.direction.to(side) or field.end(side) is None:
        return field.value(side)
    moved = f"\"#d{field.number}\" = '{_to(side)}'"
    return f"CASE WHEN {moved} THEN {field.arriving(side)} ELSE {field.value(side)} END"


def links(fields: tuple[CompiledField, ...], tables: abc.Mapping[Lookup, str], *rows: Side) -> str:
    """SQL of the joins that lookups need: from each row given to the key across."""
    return "\n".join(
        f"    LEFT JOIN {tables[lookup]} {(alias := field.alias(row.other, n))} "
        f"ON {alias}.{row.value}_key = {_named(field, lookup, row)}"
        for field in fields
        for n, lookup in enumerate(field.rule.lookups)
        for row in rows
    )


def link_rows(fields: tuple[CompiledField, ...], *rows: Side) -> tuple[str, ...]:
    """Name the rows that these joins add (see ``links``)."""
    return tuple(
        field.alias(row.other, n)
        for field in fields
        for n in range(len(field.rule.lookups))
        for row in rows
    )


def _named(field: CompiledField, lookup: Lookup, row: Side) -> str:
    """SQL of the key that a reference names; a blank one may name a record as well."""
    meant = lookup.for_blank.get(row)
    held = text_of(field, row)
    return held if meant is None else f"coalesce({held}, {text(meant)})"


def _to(side: Side) -> str:
    return f"to {side.value}"
