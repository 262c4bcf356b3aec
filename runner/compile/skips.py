"""Records that are set aside: what failed again and again in the same way, or by a person's word.

It is decided in the plan, so that the plan says which: a record that is set aside is not written,
and counts as skipped, not as failed. What changed since is another matter, and is tried again.
"""

from __future__ import annotations

from runner.compile.tables import (
    ACTION,
    CLEARED,
    FIELD_TYPE,
    OPEN_ERROR,
    SKIPPED,
    Tables,
    record,
    signature,
)
from runner.dialect import shell_word, text
from runner.model import LASTING, Side

_CREATED = "CASE WHEN a.kind = 'create' THEN a.side END"
_SAME = " AND ".join(
    f"{record('a', side, created=_CREATED)} IS NOT DISTINCT FROM e.{side.value}_key"
    for side in Side
)


def skipping(mapping: str, attempts: int) -> str:
    """Let the actions of records that are set aside rest: one finding in the place of all.

    ``attempts`` is how many runs in a row must have failed alike, 0 for no end to it.
    """
    table, name = Tables(mapping).skipped, text(mapping)
    own = ", ".join(f"{record('a', s, created=_CREATED)} AS {s.value}_key" for s in Side)
    kinds = ", ".join(text(kind) for kind in LASTING)
    failed = f"""e.mapping = {name} AND e.kind IN ({kinds})
            AND {attempts} > 0 AND e.attempts >= {attempts}"""
    pair = " AND ".join(f"a.{s.value}_key IS NOT DISTINCT FROM f.{s.value}_key" for s in Side)
    return f"""CREATE TABLE {table} AS
WITH failed AS MATERIALIZED (  -- few: only they are worth a signature
    SELECT a.*, e.attempts, e.reason AS cause, e.signature
    FROM {ACTION} a JOIN {OPEN_ERROR} e ON {failed} AND {_SAME} WHERE a.mapping = {name}
), alike AS (
    SELECT DISTINCT left_key, right_key,
        'it failed ' || attempts || ' times in the same way: ' || cause AS reason
    FROM failed WHERE {signature("failed")} = signature
), resting AS (
    SELECT a."id", min(a."id") OVER (PARTITION BY a.left_key, a.right_key) AS head, f.reason,
        'retry' AS command, NULL AS "key"
    FROM {ACTION} a JOIN alike f ON {pair} WHERE a.mapping = {name}
    UNION ALL
    SELECT a."id", min(a."id") OVER (PARTITION BY k."key"),
        'set aside by hand on ' || CAST(CAST(k.since AS DATE) AS VARCHAR), 'unskip', k."key"
    FROM {ACTION} a JOIN {SKIPPED} k
        ON k.mapping = {name} AND (a.left_key = k."key" OR a.right_key = k."key")
    WHERE a.mapping = {name} AND a.kind <> 'converge'
)
SELECT "id", head, left_key, right_key, reason, '`sync-run ' || command || ' ' || {name} || ' '
    || {shell_word('coalesce("key", left_key, right_key)')} || '` takes it up again' AS hint
FROM (SELECT r.*, {own} FROM resting r JOIN {ACTION} a ON a."id" = r."id"
    QUALIFY row_number() OVER (PARTITION BY r."id" ORDER BY r."key" NULLS LAST) = 1);
DELETE FROM {ACTION} WHERE "id" IN (SELECT "id" FROM {table} WHERE "id" <> head);
UPDATE {ACTION} SET kind = 'skip', side = NULL, left_key = s.left_key, right_key = s.right_key,
    etag = NULL, reason = s.reason, hint = s.hint, fields = CAST([] AS {FIELD_TYPE}[])
FROM {table} s WHERE {ACTION}."id" = s."id" """


def clearing(mapping: str, among: str, *, spares: bool) -> str:
    """Note which open errors of the mapping are found no more.

    ``among`` is an SQL condition on keys: what this run is about. ``spares``: it leaves out some of
    what it found (``Tables.spared``), of which nobody knows whether it would fail.
    """
    name, spared = text(mapping), Tables(mapping).spared
    left_out = f"AND NOT EXISTS (SELECT 1 FROM {spared} a WHERE {_SAME})" if spares else ""
    same = " AND ".join(f"a.{s.value}_key IS NOT DISTINCT FROM e.{s.value}_key" for s in Side)
    return f"""INSERT INTO {CLEARED}
SELECT e.mapping, e.left_key, e.right_key FROM {OPEN_ERROR} e
WHERE e.mapping = {name} AND NOT EXISTS (
    SELECT 1 FROM {ACTION} a
    WHERE a.mapping = {name} AND a.kind IN ('error', 'conflict', 'skip') AND {same})
    AND {among} {left_out}"""
