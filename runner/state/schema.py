"""The tables of the state file, version by version."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta ("key" VARCHAR PRIMARY KEY, "value" VARCHAR NOT NULL);
    INSERT INTO meta VALUES ('id', CAST(uuid() AS VARCHAR)), ('serial', '0');

    CREATE TABLE coupling (
        mapping VARCHAR NOT NULL, left_key VARCHAR NOT NULL, right_key VARCHAR NOT NULL,
        left_hash UBIGINT, right_hash UBIGINT, run BIGINT,
        PRIMARY KEY (mapping, left_key), UNIQUE (mapping, right_key));

    CREATE SCHEMA base;
    CREATE TABLE base_column (
        mapping VARCHAR NOT NULL, name VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL,
        PRIMARY KEY (mapping, name));

    CREATE TABLE run (
        id BIGINT PRIMARY KEY, command VARCHAR NOT NULL, started TIMESTAMP NOT NULL,
        ended TIMESTAMP, exit_code INTEGER);
    CREATE TABLE job (
        run BIGINT NOT NULL, mapping VARCHAR NOT NULL, counter VARCHAR NOT NULL, n BIGINT NOT NULL);
    CREATE TABLE finding (
        run BIGINT NOT NULL, mapping VARCHAR NOT NULL, kind VARCHAR NOT NULL, left_key VARCHAR,
        right_key VARCHAR, label VARCHAR, reason VARCHAR, hint VARCHAR);

    CREATE TABLE journal (
        run BIGINT NOT NULL, action BIGINT NOT NULL, mapping VARCHAR NOT NULL,
        kind VARCHAR NOT NULL, side VARCHAR NOT NULL, entity VARCHAR NOT NULL,
        left_key VARCHAR, right_key VARCHAR, "key" VARCHAR, etag VARCHAR, fields VARCHAR NOT NULL,
        intended TIMESTAMP NOT NULL, outcome VARCHAR, message VARCHAR, settled TIMESTAMP);
    """,
    """
    CREATE TABLE turn (
        id BIGINT PRIMARY KEY, job VARCHAR NOT NULL, due TIMESTAMP NOT NULL,
        begun TIMESTAMP NOT NULL, ended TIMESTAMP, attempt INTEGER NOT NULL,
        missed INTEGER NOT NULL, outcome VARCHAR NOT NULL, run BIGINT NOT NULL,
        changes BIGINT NOT NULL, failed BIGINT NOT NULL, message VARCHAR NOT NULL,
        exit_code INTEGER NOT NULL);
    """,
    """
    CREATE TABLE applied (
        run BIGINT PRIMARY KEY, plan VARCHAR NOT NULL, serial BIGINT NOT NULL,
        complete BOOLEAN NOT NULL);
    ALTER TABLE journal ADD COLUMN new_etag VARCHAR;
    ALTER TABLE journal ADD COLUMN "after" VARCHAR;
    UPDATE journal SET
        left_key = replace(left_key, 'known-after-apply:', 'known-after-apply:' || chr(31)),
        right_key = replace(right_key, 'known-after-apply:', 'known-after-apply:' || chr(31)),
        fields = replace(fields, '"known-after-apply:', '"known-after-apply:\\u001f')
        WHERE outcome IS NULL;
    """,
    """
    ALTER TABLE run ADD COLUMN mode VARCHAR;
    ALTER TABLE run ADD COLUMN mappings VARCHAR[];
    ALTER TABLE run ADD COLUMN account VARCHAR;
    ALTER TABLE run ADD COLUMN host VARCHAR;
    ALTER TABLE run ADD COLUMN process BIGINT;
    ALTER TABLE run ADD COLUMN message VARCHAR;
    CREATE TABLE timing (
        run BIGINT NOT NULL, mapping VARCHAR NOT NULL, phase VARCHAR NOT NULL,
        seconds DOUBLE NOT NULL);
    CREATE TABLE request (run BIGINT NOT NULL, system VARCHAR NOT NULL, n BIGINT NOT NULL);

    DROP TABLE finding;
    CREATE TABLE finding (
        run BIGINT NOT NULL, action BIGINT NOT NULL, mapping VARCHAR NOT NULL,
        kind VARCHAR NOT NULL, left_key VARCHAR, right_key VARCHAR, label VARCHAR, field VARCHAR,
        reason VARCHAR, hint VARCHAR, signature UBIGINT);
    CREATE TABLE open_error (
        mapping VARCHAR NOT NULL, left_key VARCHAR, right_key VARCHAR, kind VARCHAR NOT NULL,
        label VARCHAR, field VARCHAR, reason VARCHAR, hint VARCHAR, signature UBIGINT,
        attempts BIGINT NOT NULL, first_run BIGINT NOT NULL, first_seen TIMESTAMP NOT NULL,
        last_run BIGINT NOT NULL, last_seen TIMESTAMP NOT NULL);
    CREATE TABLE skipped (
        mapping VARCHAR NOT NULL, "key" VARCHAR NOT NULL, since TIMESTAMP NOT NULL,
        PRIMARY KEY (mapping, "key"));
    """,
    # What earlier versions worked with, and left behind.
    """
    DROP TABLE IF EXISTS main."returned left";
    DROP TABLE IF EXISTS main."returned right";
    DROP TABLE IF EXISTS main.held;
    """,
)
"""One script a version; the version of a file is the number of scripts it has seen.

``coupling`` holds the pairs of keys and, for each side, the hash of its base (NULL: never
synchronized). ``base."<mapping>"`` (made by ``couplings.ensure_base``) holds what each side held
when the pair was last synchronized. ``turn`` holds what the scheduler did (``state.turns.Turn``).
``journal`` is the write-ahead record: a row without
``outcome`` was intended, and perhaps sent; ``new_etag`` and ``after`` (the mapped fields, as JSON)
are the record as the system then gave it back. ``applied`` says which run carried out which plan,
which serial it moved the state to, and whether nothing is left of the plan.


``run`` without ``ended`` goes on, or its process is gone; ``message`` says why it did not come to
its end. ``finding`` is what each run found amiss or failed to write, ``open_error`` what is still
amiss, one row a record: ``attempts`` counts the runs in a row that failed over the same
``signature`` (``compile.tables.signature``). ``skipped`` holds keys, of either side, that a person
set aside.
"""

VERSION = len(MIGRATIONS)
