"""Looking after the state file: is it sound, a copy of it, a copy put back in its place."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb

from runner.dialect import SETTINGS, name, text
from runner.errors import RunnerError, StateUnusableError
from runner.state.schema import VERSION
from runner.state.store import Store
from runner.state.words import translated

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a state file is.

    ``couplings`` counts pairs by mapping. ``unfinished`` counts writes without outcome, ``unended``
    runs that never said how they ended (the next `apply` sees to both). ``problems`` are what must
    not be: empty where the file is sound.
    """

    version: int
    serial: int
    couplings: tuple[tuple[str, int], ...]
    unfinished: int
    unended: int
    problems: tuple[str, ...]


def check(path: Path) -> Condition:
    """Read a state file to its last byte and hold it against what must be true of it.

    It is brought up to this version before, where it is older.

    Raises:
        StateUnusableError: it is damaged, of a newer version, or no state at all.

    """
    with Store(path).opened() as state:
        _read_whole(state)
        [(version, serial)] = state.execute(
            """SELECT max("value") FILTER ("key" = 'version'),
                max("value") FILTER ("key" = 'serial') FROM state.main.meta"""
        ).fetchall()
        couplings = state.execute(
            "SELECT mapping, count(*) FROM state.main.coupling GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        [(unfinished,)] = state.execute(
            "SELECT count(*) FROM state.main.journal WHERE outcome IS NULL"
        ).fetchall()
        [(unended,)] = state.execute(
            "SELECT count(*) FROM state.main.run WHERE ended IS NULL"
        ).fetchall()
        return Condition(
            version=int(version),
            serial=int(serial),
            couplings=tuple((str(mapping), int(n)) for mapping, n in couplings),
            unfinished=int(unfinished),
            unended=int(unended),
            problems=tuple(_problems(state)),
        )


def backup(path: Path, target: Path) -> None:
    """Copy a sound state (held by this process) to a file of its own, all at once or not at all.

    Raises:
        RunnerError: the state is not sound, or the target is something else than a state.

    """
    _sound(path)
    if target.exists() and not _is_state(target):
        raise RunnerError(f"{target} is there, and is no state", hint="name another file")
    _copied(path, target)


def restore(path: Path, source: Path) -> Path | None:
    """Put a backup in the state's place; return where the old state was put (``None``: none was).

    Plans that were made before fit it no more.

    Raises:
        RunnerError: the backup is not sound. Nothing was changed.

    """
    if not source.is_file() or not _is_state(source):
        raise RunnerError(f"{source} is no state", hint="`sync-run state backup FILE` makes one")
    with TemporaryDirectory(prefix=".restored-", dir=path.parent) as folder:
        fresh = Path(folder) / "state.duckdb"
        _copied(source, fresh)
        _sound(fresh)
        with Store(fresh).opened() as state:
            state.execute(
                """UPDATE state.main.meta SET "value" = CAST(uuid() AS VARCHAR)
                WHERE "key" = 'id'"""
            )
        return put_in_place(path, fresh)


def put_in_place(path: Path, fresh: Path) -> Path | None:
    """Replace the state by another file, and keep the old one beside it."""
    aside = None
    with translated(path):
        if path.exists():
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
            aside = path.with_name(f"{path.name}.{moment}")
            # The log first: alone, without its file, it means nothing to anybody.
            with suppress(FileNotFoundError):
                _wal(path).rename(_wal(aside))
            path.rename(aside)
        fresh.replace(path)
        _durable(path.parent)
    return aside


def _sound(path: Path) -> None:
    problems = check(path).problems
    if problems:
        raise StateUnusableError(f"{path} is not sound: {'; '.join(problems)}")


def _copied(source: Path, target: Path) -> None:
    with translated(target), TemporaryDirectory(prefix=".copy-", dir=target.parent) as folder:
        half = Path(folder) / "half"
        shutil.copyfile(source, half)
        half.chmod(0o600)
        with half.open("rb") as whole:
            os.fsync(whole.fileno())
        half.replace(target)
        _durable(target.parent)


def _durable(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_state(path: Path) -> bool:
    try:
        with duckdb.connect() as connection:
            connection.execute(SETTINGS)
            connection.execute(f"ATTACH {text(str(path))} AS f (READ_ONLY, TYPE duckdb)")
            [(version,)] = connection.execute(
                """SELECT "value" FROM f.main.meta WHERE "key" = 'version'"""
            ).fetchall()
        if int(version) > VERSION:
            raise StateUnusableError(
                f"{path} is of version {version}; this sync-run knows version {VERSION}",
                hint="use the newer sync-run that wrote it",
            )
    except (duckdb.Error, ValueError):
        return False
    return True


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _read_whole(state: duckdb.DuckDBPyConnection) -> None:
    """Read every value, so that DuckDB holds every block against its checksum."""
    for schema, table in _tables(state):
        state.execute(
            f"SELECT sum(hash(COLUMNS(*))) FROM {name('state', schema, table)}"
        ).fetchall()


def _tables(state: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return state.execute(
        """SELECT schema_name, table_name FROM duckdb_tables()
        WHERE database_name = 'state' ORDER BY ALL"""
    ).fetchall()


def _problems(state: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for side in ("left", "right"):
        for mapping, key, n in state.execute(
            f"""SELECT mapping, {side}_key, count(*) FROM state.main.coupling
            GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 5"""
        ).fetchall():
            yield f"{mapping}: the {side} record {key} is coupled {n} times"
    kept = {table for schema, table in _tables(state) if schema == "base"}
    known = state.execute("SELECT DISTINCT mapping FROM state.main.base_column").fetchall()
    for mapping in sorted({row[0] for row in known} | kept):
        yield from _base_problems(state, mapping, there=mapping in kept)


def _base_problems(state: duckdb.DuckDBPyConnection, mapping: str, *, there: bool) -> Iterator[str]:
    if not there:
        yield f"{mapping}: the table of its base is missing"
        return
    base = name("state", "base", mapping)
    columns = {row[0] for row in state.execute(f"DESCRIBE {base}").fetchall()}
    told = state.execute(
        "SELECT name FROM state.main.base_column WHERE mapping = ?", [mapping]
    ).fetchall()
    if columns - {"left_key", "right_key"} != {row[0] for row in told}:
        yield f"{mapping}: its base has other columns than it should have"
    coupled = "(SELECT left_key, right_key, left_hash FROM state.main.coupling WHERE mapping = ?)"
    for words, sql in (
        ("values of pairs that are not coupled", f"{base} b ANTI JOIN {coupled} c"),
        ("pairs without the values they last agreed on", f"{coupled} c ANTI JOIN {base} b"),
    ):
        [(n,)] = state.execute(
            f"""SELECT count(*) FROM {sql} USING (left_key, right_key)
            {"WHERE c.left_hash IS NOT NULL" if sql.startswith("(") else ""}""",
            [mapping],
        ).fetchall()
        if n:
            yield (
                f"{mapping}: it keeps {n} {words}"
                if sql.startswith(base)
                else (f"{mapping}: {n} {words}")
            )
    [(n,)] = state.execute(f"SELECT count(*) - count(DISTINCT left_key) FROM {base}").fetchall()
    if n:
        yield f"{mapping}: its base holds {n} pairs twice"
