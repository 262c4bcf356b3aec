"""The inverse of what a run wrote, as SQL: journal rows and records now become actions.

A record that the run created is deleted, one that it changed gets its old values back, one that it
deleted is made anew with what the mapping knew of it; pairs that it coupled are uncoupled, pairs
that it uncoupled are coupled again. What is not as the run left it is a conflict, and stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import dialect
from runner.compile import compare, values
from runner.compile.actions import RANK
from runner.compile.tables import (
    ACTION,
    COUPLING,
    ETAG,
    FIELD_TYPE,
    KEY,
    LABEL,
    NO_FIELDS,
    PENDING,
)
from runner.dialect import text
from runner.model import Side

if TYPE_CHECKING:
    from runner.compile.mapping import CompiledMapping

UNDONE_DDL = """CREATE TABLE undone AS
SELECT action, mapping, kind, side, left_key, right_key, "key",
    CAST(CAST("after" AS JSON) AS MAP(VARCHAR, VARCHAR)) AS "after",
    from_json(fields, '[{shape}]') AS fields
FROM state.main.journal
WHERE run = ? AND outcome IN ('written', 'found', 'compared')""".replace(
    "{shape}",
    "{"
    + ", ".join(
        f'"{name}": "{"BOOLEAN" if name == "drift" else "VARCHAR"}"'
        for name in (
            "id", "left", "right", "verdict", "drift", "left_value", "right_value", "left_base",
            "right_base", "new", "reason", "lookup",
        )
    )
    + "}",
)  # fmt: skip
"""What a run did, as the journal knows it; takes the number of the run."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """Writes the statements that turn one mapping's part of a run into its inverse."""

    mapping: CompiledMapping
    run: int

    def _table(self, suffix: str) -> str:
        return dialect.name(f"{self.mapping.name}.{suffix}")

    def written(self) -> str:
        """Name both records of everything that was done: keys that systems gave among them."""
        name = text(self.mapping.name)
        own = {side: self.mapping.canonical_key(side, '"key"') for side in Side}
        keys = ", ".join(
            f"CASE WHEN side = '{side}' AND \"key\" IS NOT NULL THEN {own[side]} "
            f"ELSE {side}_key END AS {side}_key"
            for side in Side
        )
        given = ", ".join(
            f"CASE WHEN starts_with(w.{side}_key, {text(PENDING)}) THEN made.{side}_key "
            f"ELSE w.{side}_key END AS {side}_key"
            for side in Side
        )
        return f"""CREATE TABLE {self._table("written")} AS
WITH w AS (SELECT * REPLACE ({keys}) FROM undone WHERE mapping = {name})
SELECT w.* REPLACE ({given}) FROM w LEFT JOIN w made ON made.kind = 'create' AND w.side <> made.side
    AND CASE w.side WHEN 'left' THEN made.left_key = w.left_key
        ELSE made.right_key = w.right_key END
QUALIFY row_number() OVER (PARTITION BY w.action) = 1"""

    def keys(self, side: Side) -> str:
        """Select the keys of all records of that side that anything was done to or with."""
        return f"""SELECT DISTINCT {side}_key FROM {self._table("written")}
WHERE {side}_key IS NOT NULL AND NOT starts_with({side}_key, {text(PENDING)})"""

    def now(self, side: Side) -> str:
        """Keep the records of that side as they are now, as texts by field."""
        columns = self.mapping.reading(side).columns
        names = ", ".join(text(name) for name in columns)
        texts = ", ".join(values.as_text(dialect.name(n), kind) for n, kind in columns.items())
        return f"""CREATE TABLE {self._table(f"now {side}")} AS
SELECT {KEY}, {ETAG}, {LABEL}, MAP([{names}], CAST([{texts}] AS VARCHAR[])) AS held
FROM {self.mapping.tables.snapshot(side)}"""

    def fields(self, side: Side) -> str:
        """Say of every field that was written on that side what it was, what became of it, and now.

        A reference goes back to the mapping that its old record is coupled in.
        """
        return f"""CREATE TABLE {self._table(f"fields {side}")} AS
WITH looks(name, mapping, rank) AS ({self._looks(side)}),
each AS (
    SELECT action, kind, {side}_key AS "key", "after", f, n, f."{side}" AS name,
        f.{side}_value AS old
    FROM (SELECT *, unnest(fields) AS f, generate_subscripts(fields, 1) AS n
          FROM {self._table("written")} WHERE side = '{side}' AND kind <> 'create'))
SELECT e.action, e.kind, e.n, e.f, e.name, e.old, s.held[e.name] AS now,
    CASE WHEN map_contains(e."after", e.name) THEN e."after"[e.name] ELSE e.f."new" END AS wrote,
    coalesce((SELECT arg_min(looks.mapping, looks.rank) FROM looks JOIN {COUPLING} c
                  ON c.mapping = looks.mapping AND c.{side}_key = e.old
              WHERE looks.name = e.name),
        e.f.lookup, (SELECT arg_min(looks.mapping, looks.rank) FROM looks
              WHERE looks.name = e.name)) AS lookup
FROM each e LEFT JOIN {self._table(f"now {side}")} s ON s.{KEY} = e."key" """

    def _looks(self, side: Side) -> str:
        rows = [
            f"({text(end.name)}, {text(lookup.mapping)}, {rank})"
            for field in self.mapping.fields
            if (end := field.end(side)) is not None
            for rank, lookup in enumerate(field.rule.lookups)
        ]
        empty = "SELECT CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), 0 WHERE FALSE"
        return f"VALUES {', '.join(rows)}" if rows else empty

    def insert(self) -> str:
        """Add the inverse, and what stands against it, to the plan."""
        parts = [part for side in Side for part in self._of(side)]
        parts += [self._uncoupled(), self._coupled()]
        rank = " ".join(f"WHEN '{kind}' THEN {n}" for n, kind in enumerate(RANK))
        return f"""INSERT INTO {ACTION}
SELECT (SELECT coalesce(max("id"), 0) FROM {ACTION}) + row_number() OVER (
        ORDER BY CASE kind {rank} END, side, left_key, right_key),
    {text(self.mapping.name)}, kind, side, left_key, right_key, label, etag, reason, hint,
    CAST(fields AS {FIELD_TYPE}[]), NULL
FROM ({" UNION ALL ".join(parts)})"""

    def after(self) -> str:
        """Keep what both sides of each pair hold, but for what is about to be written."""
        columns = ", ".join(
            f"{field.value(side)} AS {compare.base_column(field, side)}"
            for field in self.mapping.fields
            for side in Side
        )
        left, right = (self.mapping.tables.snapshot(side) for side in Side)
        return f"""CREATE TABLE {self.mapping.tables.after} AS
SELECT a.left_key, a.right_key, {columns}
FROM (SELECT DISTINCT left_key, right_key FROM {ACTION}
      WHERE mapping = {text(self.mapping.name)} AND left_key IS NOT NULL
          AND right_key IS NOT NULL) a
    LEFT JOIN {left} l ON l.{KEY} = a.left_key LEFT JOIN {right} r ON r.{KEY} = a.right_key"""

    def _of(self, side: Side) -> list[str]:
        return [
            self._deleted(side),
            self._gone(side),
            self._changed_creates(side),
            self._updated(side),
            self._changed_updates(side),
            self._made(side),
        ]

    def _created(self, side: Side) -> str:
        """Select records that the run created and that are still there, with how it left them."""
        left = f"""SELECT {side}_key AS "key", arg_max("after", action) AS "after"
        FROM {self._table("written")} WHERE side = '{side}' AND kind IN ('create', 'update')
            AND "after" IS NOT NULL GROUP BY ALL"""
        sent = f"""map_from_entries(list_transform(list_filter(w.fields,
            lambda f: NOT starts_with(coalesce(f."new", ''), {text(PENDING)})),
            lambda f: struct_pack(k := f."{side}", v := f."new")))"""
        return f"""(SELECT w.left_key, w.right_key, s.{LABEL} AS label, s.{ETAG} AS etag, s.held,
        coalesce(last."after", {sent}) AS was,
        list_filter(map_keys(was), lambda k: map_contains(s.held, k)
            AND s.held[k] IS DISTINCT FROM was[k]) AS moved
    FROM {self._table("written")} w JOIN {self._table(f"now {side}")} s ON s.{KEY} = w.{side}_key
        LEFT JOIN ({left}) last ON last."key" = w.{side}_key
    WHERE w.kind = 'create' AND w.side = '{side}')"""

    def _deleted(self, side: Side) -> str:
        held = _change(side, "k", _NONE, now="held[k]", verdict="'gone'")
        return f"""SELECT 'delete' AS kind, '{side}' AS side, left_key, right_key, label, etag,
    {text(f"run {self.run} created it")} AS reason, NULL AS hint,
    list_transform(map_keys(held), lambda k: {held}) AS fields
FROM {self._created(side)} WHERE len(moved) = 0"""

    def _changed_creates(self, side: Side) -> str:
        entry = _change(side, "k", _NONE, now="held[k]", base="was[k]")
        return f"""SELECT 'conflict' AS kind, NULL AS side, left_key, right_key, label,
    NULL AS etag, {text(f"changed since run {self.run} created it")} AS reason, {_HINT} AS hint,
    list_transform(moved, lambda k: {entry}) AS fields
FROM {self._created(side)} WHERE len(moved) > 0"""

    def _gone(self, side: Side) -> str:
        """A record that the run created and somebody deleted: its pair is forgotten, too."""
        return f"""SELECT 'uncouple' AS kind, NULL AS side, w.left_key, w.right_key, NULL AS label,
    NULL AS etag, {text(f"run {self.run} created it, and it is gone")} AS reason, NULL AS hint,
    {NO_FIELDS} AS fields
FROM {self._table("written")} w ANTI JOIN {self._table(f"now {side}")} s ON s.{KEY} = w.{side}_key
    SEMI JOIN {self._pairs} c USING (left_key, right_key)
WHERE w.kind = 'create' AND w.side = '{side}'"""

    @property
    def _pairs(self) -> str:
        name = text(self.mapping.name)
        return f"(SELECT left_key, right_key FROM {COUPLING} WHERE mapping = {name})"

    def _updates(self, side: Side) -> str:
        """Select updates of records that the run found there, with each field's old and new."""
        created = f"""SELECT {side}_key FROM {self._table("written")}
            WHERE kind = 'create' AND side = '{side}'"""
        old = _change(
            side, "x.name", "x.old", now="x.now", verdict=f"'to {side}'", of="x.f",
            lookup="x.lookup",
        )  # fmt: skip
        moved = _change(side, "x.name", _NONE, now="x.now", base="x.wrote", of="x.f")
        return f"""(SELECT w.action, w.left_key, w.right_key, s.{KEY} AS there, s.{LABEL} AS label,
        s.{ETAG} AS etag,
        list({old} ORDER BY x.n) FILTER (x.now IS DISTINCT FROM x.old) AS back,
        list({moved} ORDER BY x.n) FILTER (x.now IS DISTINCT FROM x.old
            AND x.now IS DISTINCT FROM x.wrote) AS moved
    FROM {self._table("written")} w JOIN {self._table(f"fields {side}")} x USING (action)
        LEFT JOIN {self._table(f"now {side}")} s ON s.{KEY} = w.{side}_key
    WHERE w.kind = 'update' AND w.side = '{side}' AND w.{side}_key NOT IN ({created})
    GROUP BY ALL)"""

    def _updated(self, side: Side) -> str:
        return f"""SELECT 'update' AS kind, '{side}' AS side, left_key, right_key, label, etag,
    {text(f"run {self.run} changed it")} AS reason, NULL AS hint, back AS fields
FROM {self._updates(side)} WHERE there IS NOT NULL AND moved IS NULL AND back IS NOT NULL"""

    def _changed_updates(self, side: Side) -> str:
        changed = f"changed since run {self.run} wrote it"
        return f"""SELECT 'conflict' AS kind, NULL AS side, left_key, right_key, label,
    NULL AS etag,
    CASE WHEN there IS NULL THEN 'it is gone' ELSE {text(changed)} END AS reason, {_HINT} AS hint,
    CASE WHEN there IS NULL THEN [] ELSE moved END AS fields
FROM {self._updates(side)} WHERE there IS NULL OR moved IS NOT NULL"""

    def _made(self, side: Side) -> str:
        """Make anew what the run deleted; with its partner it is coupled again, if that is free."""
        types, entity = self.mapping.type(side).fields, self.mapping.rule.entity(side)
        writable = [name for name, kind in types.items() if kind.on_create]
        names = ", ".join(text(name) for name in writable) or "''"
        own, other = f"{side}_key", f"{side.other}_key"
        key = own
        if entity.key not in writable:
            key = f"{text(f'{PENDING}{side}:{self.mapping.name}:')} || coalesce(w.{other}, '')"
        entry = _change(
            side, "x.name", "x.old", now=_NONE, verdict=f"'to {side}'", of="x.f",
            lookup="x.lookup",
        )  # fmt: skip
        free = f"""(SELECT {KEY} AS {other} FROM {self._table(f"now {side.other}")}
        ANTI JOIN {self._pairs} c ON c.{other} = {KEY})"""
        keys = f"{key} AS {own}, p.{other}"
        return f"""SELECT 'create' AS kind, '{side}' AS side, left_key, right_key, NULL AS label,
    NULL AS etag, {text(f"run {self.run} deleted it")} AS reason, NULL AS hint, fields
FROM (SELECT {keys}, list({entry} ORDER BY x.n) AS fields
    FROM {self._table("written")} w JOIN {self._table(f"fields {side}")} x USING (action)
        LEFT JOIN {free} p ON p.{other} = w.{other}
        ANTI JOIN {self._table(f"now {side}")} s ON s.{KEY} = w.{own}
    WHERE w.kind = 'delete' AND w.side = '{side}' AND x.old IS NOT NULL AND x.name IN ({names})
    GROUP BY w.action, w.{own}, w.{other}, p.{other})"""

    def _uncoupled(self) -> str:
        return f"""SELECT 'uncouple' AS kind, NULL AS side, w.left_key, w.right_key, NULL AS label,
    NULL AS etag, {text(f"run {self.run} coupled them")} AS reason, NULL AS hint,
    {NO_FIELDS} AS fields
FROM {self._table("written")} w SEMI JOIN {self._pairs} c USING (left_key, right_key)
WHERE w.kind = 'couple'"""

    def _coupled(self) -> str:
        """Couple again what the run uncoupled, where both records are there and free."""
        free = " ".join(
            f"""SEMI JOIN {self._table(f"now {side}")} {side[0]} ON {side[0]}.{KEY} = w.{side}_key
    ANTI JOIN {self._pairs} c{side[0]} ON c{side[0]}.{side}_key = w.{side}_key"""
            for side in Side
        )
        return f"""SELECT 'couple' AS kind, NULL AS side, w.left_key, w.right_key, NULL AS label,
    NULL AS etag, {text(f"run {self.run} uncoupled them")} AS reason, NULL AS hint,
    {NO_FIELDS} AS fields
FROM {self._table("written")} w {free}
WHERE w.kind = 'uncouple'"""


_NONE = "CAST(NULL AS VARCHAR)"
_HINT = text("it stays as it is; correct it by hand if it should not")


def _change(
    side: Side,
    name: str,
    new: str,
    *,
    now: str,
    base: str = _NONE,
    verdict: str = "'conflict'",
    of: str = "",
    lookup: str = _NONE,
) -> str:
    """Write one entry of an action's fields; everything is SQL. ``of`` is the entry it inverts."""
    mine, other = side.value, side.other.value
    names = {mine: name, other: f'{of}."{other}"' if of else "''"}
    ident = f'{of}."id"' if of else name
    held = {f"{mine}_value": now, f"{other}_value": _NONE}
    bases = {f"{mine}_base": base, f"{other}_base": _NONE}
    entries = {
        "id": ident, "left": names["left"], "right": names["right"], "verdict": verdict,
        "drift": "FALSE", "left_value": held["left_value"], "right_value": held["right_value"],
        "left_base": bases["left_base"], "right_base": bases["right_base"], "new": new,
        "reason": _NONE, "lookup": lookup,
    }  # fmt: skip
    return "{" + ", ".join(f"'{key}': {sql}" for key, sql in entries.items()) + "}"
