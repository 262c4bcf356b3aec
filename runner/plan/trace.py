"""What a run knows of one record: how it stands, what both sides hold, what is planned for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner import dialect, expression
from runner.compile import COUPLING, values
from runner.model import Side
from runner.plan.actions import Kind
from runner.plan.file import read
from runner.state import couplings, journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

    from runner.compile import CompiledMapping
    from runner.model import FieldMapping
    from runner.plan.actions import Action
    from runner.state.journal import Entry

_AHEAD = 4
"""Letters of a key that are enough to look for it by its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The record of one side, as it was read. ``filtered_by`` holds what its filter asks for.

    ``in_scope``: the filter lets it through. ``aside`` is why the mapping does not want it, and
    what to do about it; ``None`` where it does.
    """

    key: str
    label: str | None
    in_scope: bool
    filtered_by: Mapping[str, str | None]
    aside: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A pair that a criterion found; more than one ``left`` or ``right`` fits: it is no pair."""

    left_key: str
    right_key: str
    criterion: str
    lefts: int
    rights: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNow:
    """One field mapping of a pair: what both sides hold, and held when last synchronized.

    ``rule`` is what the YAML says of it. ``verdict`` is empty where nothing was compared. All
    values are text, ``None`` for blank.
    """

    id: str
    rule: FieldMapping
    left_value: str | None
    right_value: str | None
    left_base: str | None
    right_base: str | None
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One record, or one pair of records, of one mapping.

    ``status`` is how it stands (``compile.actions``); ``unchanged`` where nothing happened.
    ``coupled_in`` is the run that coupled the pair: ``None`` where it is not coupled, 0 where a
    person did. ``seen`` holds the records that were read, by side.
    """

    mapping: str
    keys: Mapping[Side, str | None]
    coupled_in: int | None
    status: str
    seen: Mapping[Side, Seen]
    matches: tuple[Match, ...]
    fields: tuple[FieldNow, ...]
    actions: tuple[Action, ...]
    journal: tuple[Entry, ...]


def traces(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, key: str
) -> tuple[Trace, ...]:
    """Find a record by its key on either side, or by the beginning of one.

    ``connection`` is that of a plan's run file, with the state attached. The same key may stand on
    both sides for two different records: there is one trace for each.
    """
    pairs = _pairs(connection, mapping, key)
    return tuple(_trace(connection, mapping, left, right) for left, right in pairs)


def _pairs(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, key: str
) -> list[tuple[str | None, str | None]]:
    """Find every record with this key, each with the partner that it has."""
    tables = mapping.tables
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE known AS
SELECT left_key, right_key FROM {COUPLING} WHERE mapping = {dialect.text(mapping.name)}
UNION SELECT left_key, right_key FROM {tables.found} WHERE lefts = 1 AND rights = 1
UNION SELECT "#key", NULL FROM {tables.snapshot(Side.LEFT)} ANTI JOIN (
    SELECT left_key AS "#key" FROM {COUPLING} WHERE mapping = {dialect.text(mapping.name)}
    UNION SELECT left_key FROM {tables.found} WHERE lefts = 1 AND rights = 1) USING ("#key")
UNION SELECT NULL, "#key" FROM {tables.snapshot(Side.RIGHT)} ANTI JOIN (
    SELECT right_key AS "#key" FROM {COUPLING} WHERE mapping = {dialect.text(mapping.name)}
    UNION SELECT right_key FROM {tables.found} WHERE lefts = 1 AND rights = 1) USING ("#key")""")
    typed = key.strip()
    for condition in ("lower({}) = lower($key)", "starts_with(lower({}), lower($key))"):
        either = " OR ".join(f"coalesce({condition.format(f'{s}_key')}, FALSE)" for s in Side)
        found = connection.execute(
            f"SELECT left_key, right_key FROM known WHERE {either} ORDER BY ALL LIMIT 20",
            {"key": typed},
        ).fetchall()
        if found or len(typed) < _AHEAD:
            break
    return [(left, right) for left, right in found]


def _trace(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    left: str | None,
    right: str | None,
) -> Trace:
    keys = {Side.LEFT: left, Side.RIGHT: right}
    wanted = {"mapping": mapping.name, "left": left, "right": right}
    coupled = connection.execute(
        f"""SELECT coalesce(run, 0) FROM {COUPLING}
        WHERE mapping = $mapping AND left_key = $left AND right_key = $right""",
        wanted,
    ).fetchall()
    pair = {"left": left, "right": right}
    status = connection.execute(
        f"""SELECT status FROM {mapping.tables.status}
        WHERE left_key = $left OR right_key = $right ORDER BY ALL LIMIT 1""",
        pair,
    ).fetchall()
    matches = connection.execute(
        f"""SELECT left_key, right_key, criterion, lefts, rights FROM {mapping.tables.found}
        WHERE left_key = $left OR right_key = $right ORDER BY ALL""",
        pair,
    ).fetchall()
    seen = {
        side: found
        for side in Side
        if (key := keys[side]) is not None
        if (found := _seen(connection, mapping, side, key)) is not None
    }
    names = ("left_key", "right_key", "criterion", "lefts", "rights")
    return Trace(
        mapping=mapping.name,
        keys=keys,
        coupled_in=coupled[0][0] if coupled else None,
        status=status[0][0] if status else "unchanged",
        seen=seen,
        matches=tuple(Match(**dict(zip(names, row, strict=True))) for row in matches),
        fields=tuple(_fields(connection, mapping, keys)),
        actions=tuple(_actions(connection, mapping, keys)),
        journal=journal.of_record(connection, mapping.name, left, right),
    )


def _seen(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, side: Side, key: str
) -> Seen | None:
    end, entity, tables = mapping.rule.entity(side), mapping.type(side), mapping.tables
    names = expression.fields_of(expression.parse(end.filter.text)) if end.filter else ()
    told = ", ".join(values.as_text(dialect.name(n), entity.fields[n].type) for n in names)
    rows = connection.execute(
        f"""SELECT "#label", "#in_scope"{f", {told}" if told else ""}
        FROM {tables.snapshot(side)} WHERE "#key" = $key""",
        {"key": key},
    ).fetchall()
    if not rows:
        return None
    label, in_scope, *held = rows[0]
    aside = (
        connection.execute(
            f'SELECT reason, hint FROM {tables.aside(side)} WHERE "key" = $key', {"key": key}
        ).fetchall()
        if end.picky
        else []
    )
    return Seen(
        key=key,
        label=label,
        in_scope=bool(in_scope),
        filtered_by=dict(zip(names, held, strict=True)),
        aside=aside[0] if aside else None,
    )


def _fields(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    keys: Mapping[Side, str | None],
) -> Iterator[FieldNow]:
    """Read what both sides hold of every field, with the base of the state."""
    kept = couplings.fitting(connection, mapping.name)
    fitting = {c.name for c in mapping.base if kept.get(c.name) == c.fingerprint}
    columns: list[str] = []
    for field in mapping.fields:
        columns += [values.as_text(field.value(side), field.kind(side)) for side in Side]
        for side in Side:
            name = f"{side.value} {field.id}"
            held = values.as_text(f"b.{dialect.name(name)}", field.kind(side))
            columns.append(held if name in fitting else "NULL")
    tables = mapping.tables
    base = f"LEFT JOIN {tables.state_base} b ON b.left_key = $left" if fitting else ""
    rows = connection.execute(
        f"""SELECT {", ".join(columns)} FROM (SELECT 1)
        LEFT JOIN {tables.snapshot(Side.LEFT)} l ON l."#key" = $left
        LEFT JOIN {tables.snapshot(Side.RIGHT)} r ON r."#key" = $right
        {base}""",
        {"left": keys[Side.LEFT], "right": keys[Side.RIGHT]},
    ).fetchall()
    cells: list[Any] = list(rows[0])
    verdicts = _verdicts(connection, mapping, keys)
    for n, field in enumerate(mapping.fields):
        left, right, left_base, right_base = cells[4 * n : 4 * n + 4]
        yield FieldNow(
            id=field.id,
            rule=field.rule,
            left_value=left,
            right_value=right,
            left_base=left_base,
            right_base=right_base,
            verdict=verdicts.get(field.id, ""),
        )


def _verdicts(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    keys: Mapping[Side, str | None],
) -> dict[str, str]:
    """Read how the fields of a pair were judged, by their ids; those that moved alone."""
    judged = f"{mapping.name}.judged"
    # A run makes no table that would stay empty.
    if not connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [judged]
    ).fetchall():
        return {}
    rows = connection.execute(
        f"""SELECT f."id", f.verdict FROM (SELECT unnest(fields) AS f
        FROM {mapping.tables.judged} WHERE left_key = $left AND right_key = $right)""",
        {"left": keys[Side.LEFT], "right": keys[Side.RIGHT]},
    ).fetchall()
    return dict(rows)


def _actions(
    connection: duckdb.DuckDBPyConnection,
    mapping: CompiledMapping,
    keys: Mapping[Side, str | None],
) -> Iterator[Action]:
    for action in read(connection, '"action"', mapping.name, tuple(Kind)):
        of = {Side.LEFT: action.left_key, Side.RIGHT: action.right_key}
        if any(keys[side] is not None and of[side] == keys[side] for side in Side):
            yield action
