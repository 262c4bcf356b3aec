"""Verdicts and policies as rows of the action table: what is intended, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import dialect, expression
from runner.compile import compare, values
from runner.compile.changes import Change, gathered
from runner.compile.changes import judged as changed
from runner.compile.tables import (
    ACTION,
    COUPLING,
    ETAG,
    HASH,
    IN_SCOPE,
    KEY,
    LABEL,
    NO_FIELDS,
    Tables,
)
from runner.dialect import shell_word, text
from runner.model import RECORDS, DeleteConflict, Side

if TYPE_CHECKING:
    from collections import abc

    from runner.compile.creates import Creates
    from runner.compile.fields import CompiledField
    from runner.model import Lookup, Mapping

RANK = [
    "uncouple", "couple", "create", "update", "delete", "converge", "drift", "conflict", "error",
]  # fmt: skip

_SHOWN = 20
"""Names of records or values that a reason lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What there is to decide on: a statement about anything else would find nothing.

    ``statuses`` are those that any record has (see ``Actions.status``); ``matched``: a match
    criterion found something, clear or not; ``remembered``: earlier runs left errors open, or
    somebody set records aside.
    """

    statuses: abc.Collection[str]
    matched: bool
    remembered: bool

    @property
    def pairs(self) -> bool:
        """Whether there may be pairs to judge."""
        return self.matched or "changed" in self.statuses


EVERYTHING = Present(
    statuses=(
        "free left", "free right", "filtered left", "filtered right", "filtered", "changed",
        "deleted left", "deleted right", "gone", "undecided",
    ),
    matched=True,
    remembered=True,
)  # fmt: skip
"""What any run may find."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the status is found out from, as SQL: pairs as in ``coupling``, and both snapshots."""

    pairs: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Actions:
    """Writes the statements that turn one mapping's snapshots into its actions."""

    mapping: Mapping
    fields: tuple[CompiledField, ...]
    creates: Creates
    lookups: abc.Mapping[Lookup, str]

    @property
    def _tables(self) -> Tables:
        return Tables(self.mapping.name)

    def status(self, *, whole: bool, sources: Sources | None = None) -> str:
        """Say of every record how it stands; those that are simply unchanged are left out.

        ``whole``: compare every coupled pair field by field, not only those whose hash moved,
        because the mapping itself changed since they were last synchronized. ``sources``: where
        pairs and records are, if not in the state and in the snapshots.
        """
        tables = self._tables
        pairs = f"(SELECT * FROM {COUPLING} WHERE mapping = {text(self.mapping.name)})"
        found = sources or Sources(pairs, *(tables.snapshot(side) for side in Side))
        moved = f"l.{HASH} <> c.left_hash OR r.{HASH} <> c.right_hash OR c.left_hash IS NULL"
        return f"""CREATE TABLE {tables.status} AS
SELECT coalesce(c.left_key, l.{KEY}) AS left_key, coalesce(c.right_key, r.{KEY}) AS right_key,
    CASE
        WHEN c.left_key IS NULL AND l.{KEY} IS NOT NULL
            THEN CASE WHEN l.{IN_SCOPE} THEN 'free left' ELSE 'filtered left' END
        WHEN c.left_key IS NULL
            THEN CASE WHEN r.{IN_SCOPE} THEN 'free right' ELSE 'filtered right' END
        WHEN l.{KEY} IS NULL AND r.{KEY} IS NULL THEN 'gone'
        WHEN NOT (coalesce(l.{IN_SCOPE}, TRUE) AND coalesce(r.{IN_SCOPE}, TRUE)) THEN 'filtered'
        WHEN l.{KEY} IS NULL THEN 'deleted left'
        WHEN r.{KEY} IS NULL THEN 'deleted right'
        WHEN {"TRUE" if whole else moved} THEN 'changed'
        ELSE 'unchanged' END AS status,
    hash(l.{HASH}, r.{HASH}) AS seen
FROM {found.pairs} c
FULL JOIN (SELECT {KEY}, {IN_SCOPE}, {HASH} FROM {found.left}) l
    ON l.{KEY} = c.left_key
FULL JOIN (SELECT {KEY}, {IN_SCOPE}, {HASH} FROM {found.right}) r
    ON r.{KEY} = c.right_key
WHERE status <> 'unchanged'"""

    def set_aside(self, side: Side) -> str:
        """Set aside records that are not as the mapping wants them, and whom they belong to.

        That is several where one may be (``one_per``), different where they must be the same
        (``same_per``), or short of what is required. Matches were found before, so that nothing is
        created beside a record that is set aside.
        """
        tables = self._tables
        mine, other = f"{side.value}_key", f"{side.other.value}_key"
        aside = f'SELECT "key" FROM {tables.aside(side)}'
        found = f"SELECT {other} FROM {tables.found} WHERE {mine} IN ({aside})"
        unwanted = " UNION ALL ".join(self._unwanted(side))
        return f"""CREATE TABLE {tables.aside(side)} AS
SELECT * FROM ({unwanted}) u("key", head, reason, hint);
UPDATE {tables.status} SET status = 'aside ' || status
WHERE NOT starts_with(status, 'aside ') AND ({mine} IN ({aside}) OR {other} IN ({found}));
DELETE FROM {tables.found} WHERE {mine} IN ({aside})"""

    def _unwanted(self, side: Side) -> list[str]:
        """Select keys, the key that speaks for the group, and what is wrong with it."""
        end, snapshot = self.mapping.entity(side), self._tables.snapshot(side)
        kept, parts = f"FROM {snapshot} WHERE {IN_SCOPE}", []
        if end.one_per:
            what = text(f" {end.entity} have the same {end.one_per}, and one may: ")
            parts.append(
                f"""SELECT unnest(keys), keys[1],
    len(keys) || {what} || {_some("keys")}, {text("delete the ones too many")}
FROM (SELECT list({KEY} ORDER BY {KEY}) AS keys {kept}
      AND {dialect.name(end.one_per)} IS NOT NULL GROUP BY {dialect.name(end.one_per)})
WHERE len(keys) > 1"""
            )
        for field, per in end.same_per:
            types = self.creates.types[side].fields
            held, shared = (values.as_text(dialect.name(n), types[n].type) for n in (field, per))
            what = text(f" {end.entity} share the {per} ")
            parts.append(
                f"""SELECT unnest(keys), keys[1],
    len(keys) || {what} || per || {text(f" and differ in {field}: ")} || told,
    {text(f"let {field} be the same in all of them")}
FROM (SELECT list({KEY} ORDER BY {KEY}) AS keys, any_value({shared}) AS per,
        count(DISTINCT coalesce({held}, '')) AS many,
        {_some(f"list_sort(list(DISTINCT coalesce({held}, 'blank')))")} AS told {kept}
      AND {dialect.name(per)} IS NOT NULL GROUP BY {dialect.name(per)})
WHERE many > 1"""
            )
        for requirement in end.requires:
            condition = expression.to_sql(
                expression.parse(requirement.when.text),
                lambda name: (dialect.name(name), self.creates.types[side].fields[name].type),
            )
            parts.append(
                f"""SELECT {KEY}, {KEY}, {text(requirement.says)},
    {text("correct it; the next run tries again")} {kept} AND NOT coalesce({condition}, FALSE)"""
            )
        return parts

    def _set_aside(self, side: Side) -> str:
        table = self._tables.aside(side)
        keys = [f"head AS {s.value}_key" if s is side else f"NULL AS {s.value}_key" for s in Side]
        return f"""SELECT DISTINCT 'error' AS kind, NULL AS side, {", ".join(keys)},
    s.{LABEL} AS label, NULL AS etag, reason, hint, {NO_FIELDS} AS fields, s.{HASH} AS seen
FROM {table} JOIN {self._tables.snapshot(side)} s ON s.{KEY} = head"""

    def judged(self, present: Present) -> str:
        """Judge every field of every pair that changed or was found by a match."""
        judge, tables = compare.Judge(self.mapping), self._tables
        afters = ",\n    ".join(
            f"{compare.after(f, side)} AS {compare.base_column(f, side)}"
            for f in self.fields
            for side in Side
        )
        changes = gathered(
            [changed(field, judge.drifted(field), judge.reason(field)) for field in self.fields]
        )
        return f"""CREATE TABLE {tables.judged} AS
SELECT *, list_transform(fields, lambda f: f.verdict) AS verdicts
FROM (SELECT p.left_key, p.right_key, p.fresh, coalesce(l.{LABEL}, r.{LABEL}) AS label,
    l.{ETAG} AS left_etag, r.{ETAG} AS right_etag, hash(l.{HASH}, r.{HASH}) AS seen,
    {afters},
    list_filter({changes}, lambda f: f.verdict <> 'unchanged') AS fields
FROM {self._verdicts(judge, present)})"""

    def _verdicts(self, judge: compare.Judge, present: Present) -> str:
        """Select the pairs to judge with the verdict on each of their fields, step by step.

        A SELECT a step: DuckDB writes an alias out wherever the same SELECT names it, and each step
        names the one before many times. The rows go up whole, as structs, so that expressions read
        the same on every step.
        """
        tables, both_sides = self._tables, (Side.LEFT, Side.RIGHT)
        rows = ("p", "l", "r", "b", *compare.link_rows(self.fields, *both_sides))
        both, agreed = judge.of_record(self.fields)
        plain = "v" if agreed else "w"
        facts = [judge.facts(field) for field in self.fields]
        changed = f"FALSE AS fresh FROM {tables.status} WHERE status = 'changed'"
        fresh = f"TRUE AS fresh FROM {tables.found} WHERE lefts = 1 AND rights = 1"
        # Every part goes through all joins for itself, and makes room for all their columns.
        wanted = (("changed" in present.statuses, changed), (present.matched, fresh))
        pairs = [f"SELECT left_key, right_key, {part}" for there, part in wanted if there]
        found = f"""(SELECT {", ".join((*rows, *facts))}
FROM (
    {" UNION ALL ".join(pairs)}) p
    JOIN {tables.snapshot(Side.LEFT)} l ON l.{KEY} = p.left_key
    JOIN {tables.snapshot(Side.RIGHT)} r ON r.{KEY} = p.right_key
    LEFT JOIN {tables.base} b ON b.left_key = p.left_key
{compare.links(self.fields, self.lookups, *both_sides)})"""
        steps = [{f'"#{plain}{f.number}"': judge.plain(f) for f in self.fields}]
        if agreed:
            steps += [{'"#both"': both}, {f'"#w{n}"': sql for n, sql in agreed.items()}]
        steps.append({f'"#d{f.number}"': judge.verdict(f) for f in self.fields})
        for step in steps:
            columns = ",\n    ".join(f"{sql} AS {column}" for column, sql in step.items())
            found = f"(SELECT *,\n    {columns}\nFROM {found})"
        return found

    def insert(self, present: Present) -> str:
        """Add the mapping's actions and findings to the plan; empty where there can be none."""
        parts = [
            *(self._pair_actions() if present.pairs else ()),
            *(part for side in self.created(present) for part in self._new_actions(side)),
            *self._findings(present),
        ]
        if not parts:
            return ""
        rank = " ".join(f"WHEN '{kind}' THEN {n}" for n, kind in enumerate(RANK))
        return f"""INSERT INTO {ACTION}
SELECT (SELECT coalesce(max("id"), 0) FROM {ACTION}) + row_number() OVER (
        ORDER BY CASE kind {rank} END, side, left_key, right_key),
    {text(self.mapping.name)}, kind, side, left_key, right_key, label, etag, reason, hint, fields,
    seen
FROM (
{" UNION ALL ".join(parts)})"""

    def after(self, present: Present) -> str:
        """Keep what both sides of each pair hold once its actions are done."""
        columns = ", ".join(compare.base_column(f, side) for f in self.fields for side in Side)
        sources = [self._tables.judged] if present.pairs else []
        sources += [self._tables.new(side) for side in self.created(present)]
        # Where nothing is to be done, the base of the pairs that changed: it has the same columns.
        return f"CREATE TABLE {self._tables.after} AS\n" + " UNION ALL ".join(
            f"SELECT left_key, right_key, {columns} FROM {source}"
            for source in sources or [f"{self._tables.base} LIMIT 0"]
        )

    def links(self, name: str) -> str:
        """Keep which key leads to which, coupled or about to be, for mappings that look it up."""
        planned = " UNION ALL ".join(
            f"SELECT left_key, right_key FROM {ACTION} "
            f"WHERE mapping = {text(self.mapping.name)} AND kind = {text(kind)}"
            for kind in ("couple", "create")
        )
        undone = f"""SELECT left_key FROM {ACTION}
    WHERE mapping = {text(self.mapping.name)} AND kind IN ('uncouple', 'delete')"""
        return f"""{coupled_links(name)} AND left_key NOT IN ({undone})
UNION ALL {planned}"""

    def created(self, present: Present) -> tuple[Side, ...]:
        """The sides on which records may be created."""
        return tuple(
            side
            for side in Side
            if self.creates.possible(side)
            if any(status in present.statuses for status in self.creates.statuses(side))
        )

    def _pair_actions(self) -> list[str]:
        has = {
            verdict: f"list_contains(verdicts, '{verdict}')"
            for verdict in ("error", "conflict", "to left", "to right", "converged", "drift")
        }
        free = f"NOT ({has['error']}) AND NOT ({has['conflict']})"
        judged = self._tables.judged
        still = f"NOT ({has['to left']}) AND NOT ({has['to right']}) AND NOT ({has['drift']})"
        parts = [
            _part("couple", judged, where="fresh", fields=_only("converged")),
            _part(
                "converge",
                judged,
                where=f"NOT fresh AND {free} AND (({has['converged']}) OR ({still}))",
                fields=_only("converged"),
            ),
            _part(
                "error",
                judged,
                where=has["error"],
                reason="list_filter(fields, lambda f: f.verdict = 'error')[1].reason",
                hint=text("couple or correct it; the next run tries again"),
                fields=_only("error"),
            ),
            _part(
                "conflict",
                judged,
                where=f"NOT ({has['error']}) AND {has['conflict']}",
                reason=text("both sides changed"),
                hint=text("make both sides the same, or set `conflict:` of the mapping or field"),
                fields=_only("conflict"),
            ),
            _part(
                "drift",
                judged,
                where=f"{free} AND {has['drift']}",
                reason=text("the target was edited by hand"),
                fields=_only("drift"),
            ),
        ]
        return parts + [
            _part(
                "update",
                judged,
                side=side,
                where=f"{free} AND {has[f'to {side.value}']}",
                etag=f"{side.value}_etag",
                fields=_only(f"to {side.value}"),
            )
            for side in Side
        ]

    def _new_actions(self, side: Side) -> list[str]:
        table, wrong = self._tables.new(side), "len(errors) > 0"
        target = f"{side.value}_key"
        unnamed = f"{target} IS NULL"
        if self.mapping.coupled_by:
            # Another mapping creates the record; this one takes the pair, and writes its fields.
            return [
                _part("couple", table, where=f"NOT ({wrong})", fields=NO_FIELDS),
                _part("update", table, side=side, where=f"NOT ({wrong}) AND len(fields) > 0"),
                self._wrong(table, wrong, side),
            ]
        other = self.mapping.entity(side).comes_with
        if other:
            entity = self.mapping.entity(side).entity
            nothing = f"no {entity} matches, and mapping {other} makes none"
            return [
                _part("couple", table, where=f"expected AND NOT ({wrong})"),
                _part(
                    "error",
                    table,
                    where=f"NOT expected AND NOT ({wrong})",
                    reason=text(nothing),
                    hint=text("create it by hand, or make the values alike"),
                    unknown=side,
                ),
                self._wrong(table, wrong, side),
            ]
        parts = [
            _part("create", table, side=side, where=f"NOT ({wrong}) AND NOT ({unnamed})"),
            _part(
                "update",
                table,
                side=side,
                where=f"NOT ({wrong}) AND NOT ({unnamed}) AND len(later) > 0",
                fields="later",
            ),
            self._wrong(table, wrong, side),
            _part(
                "error",
                table,
                side=side,
                where=f"NOT ({wrong}) AND {unnamed}",
                reason=text(f"the field that becomes {self.mapping.entity(side).key} is blank"),
            ),
        ]
        for field in self.creates.written_back(side):
            old, row = (
                values.as_text(f"s.{field_name(field, side.other)}", field.kind(side.other)),
                side.other,
            )
            left, right = ("NULL", old) if row is Side.RIGHT else (old, "NULL")
            entry = Change(
                field.id,
                field.rule.left,
                field.rule.right,
                f"'to {row.value}'",
                left_value=left,
                right_value=right,
                new=f"n.{target}",
            )
            parts.append(
                f"""SELECT 'update' AS kind, '{row.value}' AS side,
    n.left_key, n.right_key, n.label,
    s.{ETAG} AS etag, NULL AS reason, NULL AS hint, {gathered([entry])} AS fields,
    n.seen
FROM (SELECT * FROM {table} WHERE NOT ({wrong}) AND NOT ({unnamed})) n
    JOIN {self._tables.snapshot(row)} s ON s.{KEY} = n.{row.value}_key
WHERE s.{field_name(field, row)} IS DISTINCT FROM n.{target}"""
            )
        return parts

    def _wrong(self, table: str, wrong: str, side: Side) -> str:
        return _part(
            "error",
            table,
            side=side,
            where=wrong,
            reason="errors[1].reason",
            hint=text("couple or correct it; the next run tries again"),
            fields="errors",
            unknown=side,
        )

    def _findings(self, present: Present) -> list[str]:
        status, found = self._tables.status, self._tables.found
        left, right = self.mapping.left, self.mapping.right
        parts = []
        if "gone" in present.statuses:
            reason = text("the record is gone on both sides")
            parts.append(
                _part("uncouple", status, where="status = 'gone'", label="NULL",
                      fields=NO_FIELDS, reason=reason)
            )  # fmt: skip
        if "undecided" in present.statuses:
            reason = text("an interrupted run may have made this record: several could be it")
            hint = text("delete the one too many, or couple it by hand")
            parts.append(
                _part("error", status, where="status = 'undecided'", label="NULL",
                      fields=NO_FIELDS, reason=reason, hint=hint)
            )  # fmt: skip
        parts += [self._deleted(s) for s in Side if f"deleted {s.value}" in present.statuses]
        parts += [self._set_aside(side) for side in Side if self.mapping.entity(side).picky]
        if present.matched:
            parts.append(
                f"""SELECT 'error' AS kind, NULL AS side, left_key, NULL AS right_key,
    NULL AS label, NULL AS etag,
    {text("ambiguous match by ")} || any_value(criterion) || {text(f": {right.entity} ")}
        || string_agg(right_key, ', ' ORDER BY right_key)
        || CASE WHEN max(lefts) > 1
            THEN {text(f", which other {left.entity} records match too")} ELSE '' END
        AS reason,
    {text("couple the right one by hand, or make the values differ")} AS hint,
    {NO_FIELDS} AS fields, NULL AS seen
FROM {found} WHERE lefts > 1 OR rights > 1 GROUP BY left_key"""
            )
        return parts

    def _deleted(self, side: Side) -> str:
        """What follows where a coupled record of that side was deleted, and its partner lives."""
        entity, alive = self.mapping.entity(side), side.other
        status, deleted = self._tables.status, f"status = 'deleted {side.value}'"
        told = text(f"the coupled {entity.entity} was deleted in {entity.system}")
        policy = self.mapping.deleted
        own = entity.system == RECORDS
        if own or policy is DeleteConflict.UNCOUPLE or self.creates.restores(side):
            # What is restored is a new record: the old pair is forgotten, the new one coupled.
            return _part(
                "uncouple", status, where=deleted, label="NULL", fields=NO_FIELDS, reason=told
            )
        if policy is DeleteConflict.DELETE and self.mapping.direction.to(alive):
            return f"""SELECT 'delete' AS kind, {text(alive.value)} AS side,
    d.left_key, d.right_key,
    s.{LABEL} AS label, s.{ETAG} AS etag, {told} AS reason, NULL AS hint,
    {self._lost(alive)} AS fields, d.seen
FROM {status} d JOIN {self._tables.snapshot(alive)} s ON s.{KEY} = d.{alive.value}_key
WHERE {deleted}"""
        hint = text(f"uncouple it first: `sync-run uncouple {self.mapping.name} ")
        return _part(
            "error",
            status,
            where=deleted,
            label="NULL",
            fields=NO_FIELDS,
            reason=told,
            hint=f"{hint} || {shell_word(f'{alive.value}_key')} || {text('`')}",
        )

    def _lost(self, side: Side) -> str:
        """List what the mapping knows of a record of that side (``s``) before it is deleted."""
        types = self.creates.types[side].fields
        names = dict.fromkeys(name for field in self.fields for name in field.reads(side))
        entries = []
        for name in names:
            held = values.as_text(f"s.{dialect.name(name)}", types[name].type)
            left, right = (name, "") if side is Side.LEFT else ("", name)
            old = {f"{side.value}_value": held}
            entries.append(Change(name, left, right, "'gone'", **old))
        return gathered(entries)


def _some(names: str) -> str:
    """Write the first of many names: they are told once a record, of all that share something."""
    more = f"CASE WHEN len({names}) > {_SHOWN} THEN ', …' ELSE '' END"
    return f"array_to_string(({names})[:{_SHOWN}], ', ') || {more}"


def field_name(field: CompiledField, side: Side) -> str:
    """The snapshot's column, quoted, of a field on one side."""
    return dialect.name(field.rule.name(side))


def coupled_links(mapping: str) -> str:
    """Keep which key leads to which, as far as the state knows."""
    return f"""CREATE TABLE {Tables(mapping).links} AS
SELECT left_key, right_key FROM {COUPLING} WHERE mapping = {text(mapping)}"""


def _only(verdict: str) -> str:
    return f"list_filter(fields, lambda f: f.verdict = '{verdict}')"


def _part(  # noqa: PLR0913 - one column each
    kind: str,
    source: str,
    *,
    where: str,
    side: Side | None = None,
    label: str = "label",
    etag: str = "NULL",
    reason: str = "NULL",
    hint: str = "NULL",
    fields: str = "fields",
    unknown: Side | None = None,
) -> str:
    """Select one kind of action; ``unknown`` is a side that has no record and gets none."""
    keys = [f"NULL AS {s.value}_key" if s is unknown else f"{s.value}_key" for s in Side]
    written = "NULL" if side is None or kind == "error" else text(side.value)
    return f"""SELECT {text(kind)} AS kind, {written} AS side, {", ".join(keys)}, {label} AS label,
    {etag} AS etag, {reason} AS reason, {hint} AS hint, {fields} AS fields, seen
FROM {source} WHERE {where}"""
