"""A plan and its file: made, saved, opened, refused when stale, read page by page.

A plan is a DuckDB file that anyone can query: the table ``action`` (see ``actions.Action``), the
table ``<mapping>.after`` of each mapping (what both sides of a pair will hold), ``cleared`` (open
errors that are found no more), ``header``, and its ``seal``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from runner.errors import RunnerError, StalePlanError
from runner.plan import seal
from runner.plan.actions import Action, FieldChange, Header, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSION = 4
LASTS = timedelta(hours=24)
"""How long a saved plan may be applied, where nobody says otherwise."""
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Plan:
    """All actions of one run, in dependency order, with what they were computed from."""

    path: Path
    connection: duckdb.DuckDBPyConnection
    header: Header

    def actions(
        self, mapping: str = "", *, kinds: tuple[Kind, ...] = (), limit: int | None = None
    ) -> Iterator[Action]:
        """Yield actions in the order in which they would be carried out.

        ``mapping`` and ``kinds`` empty: all of them. At most ``limit`` of each kind a mapping.
        """
        with self.connection.cursor() as cursor:
            yield from read(cursor, '"action"', mapping, kinds or tuple(Kind), limit)

    def count(self, *kinds: Kind) -> int:
        """How many actions of these kinds the plan holds."""
        return sum(summary.count(*kinds) for summary in self.header.mappings)

    def save(self, target: Path, *, lasts: timedelta = LASTS, key: bytes = b"") -> Header:
        """Write the plan, without the snapshots it was computed from, to a file of its own.

        It may be applied for as long as it ``lasts``, and is sealed (see ``seal``). Returns its
        header.
        """
        # A folder of its own, that nobody else can look into, until it is whole.
        try:
            with TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
                half = Path(folder) / "plan"
                expires = datetime.now(UTC) + lasts
                header = replace(self.header, expires=expires.isoformat(timespec="seconds"))
                self.connection.execute("RESET disabled_compression_methods")
                self.connection.execute(f"ATTACH {_text(half)} AS saved")
                try:
                    _copy(self.connection, "saved", header)
                    seal.close(self.connection, "saved", _tables(header), key)
                    self.connection.execute("CHECKPOINT saved")
                finally:
                    self.connection.execute("DETACH saved")
                with half.open("rb+") as written:
                    os.fsync(written.fileno())
                half.chmod(0o600)
                half.replace(target)
        except (OSError, duckdb.Error) as error:
            raise RunnerError(f"the plan cannot be saved to {target}: {_first(error)}") from error
        return header

    def release(self) -> Path:
        """Let go of the plan, so that the one who applies it can attach its file; return the path.

        A plan that was only just made is written there.
        """
        if not self.path.exists():
            self.connection.execute(f"ATTACH {_text(self.path)} AS released")
            _copy(self.connection, "released", self.header)
            self.connection.execute("DETACH released")
        self.connection.close()
        return self.path


def read(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    mapping: str,
    kinds: Sequence[Kind],
    limit: int | None = None,
) -> Iterator[Action]:
    """Yield the rows of an action table in order; ``mapping`` empty: of all mappings."""
    query = connection.execute(
        f"""SELECT * EXCLUDE (seen) FROM {table} WHERE ($mapping = '' OR mapping = $mapping)
        AND list_contains($kinds, kind)
        QUALIFY $most IS NULL OR row_number() OVER (
            PARTITION BY mapping, kind, side ORDER BY "id") <= $most
        ORDER BY "id" """,
        {"mapping": mapping, "kinds": [str(kind) for kind in kinds], "most": limit},
    )
    while rows := query.fetchmany(_PAGE):
        yield from (_action(row) for row in rows)


def sealed(path: Path, connection: duckdb.DuckDBPyConnection, header: Header) -> Plan:
    """Let go of the state: what the run decided is a plan."""
    connection.execute("DETACH state")
    return Plan(path, connection, header)


def opened(path: Path, *, key: bytes = b"") -> Plan:
    """Open a saved plan.

    Raises:
        StalePlanError: it was saved by another version, or does not fit its seal.
        RunnerError: it is no plan, or is damaged.

    """
    try:
        connection = duckdb.connect(
            str(path), read_only=True, config={"enable_external_access": "false"}
        )
        try:
            [(catalogue,)] = connection.execute("SELECT current_database()").fetchall()
            [(document,)] = connection.execute("SELECT document FROM main.header").fetchall()
            header = _header(path, document)
            seal.check(connection, path, catalogue, _tables(header), key)
        except BaseException:
            connection.close()
            raise
    except (duckdb.Error, OSError, ValueError, TypeError, RecursionError) as error:
        raise RunnerError(
            f"{path} is no plan: {_first(error)}", hint="`sync-run plan --out FILE` makes one"
        ) from error
    return Plan(path, connection, header)


class _Versioned(msgspec.Struct):
    version: int


def _header(path: Path, document: str) -> Header:
    if msgspec.json.decode(document, type=_Versioned).version != VERSION:
        raise StalePlanError(
            f"{path} was saved by another version of sync-run", hint="make a new plan"
        )
    return msgspec.json.decode(document, type=Header)


def _afters(header: Header) -> tuple[str, ...]:
    return tuple(f"{summary.name}.after" for summary in header.mappings)


def _tables(header: Header) -> tuple[str, ...]:
    return ("header", "action", "cleared", *_afters(header))


def _copy(connection: duckdb.DuckDBPyConnection, catalogue: str, header: Header) -> None:
    """Write a plan, without the snapshots it was computed from, into an attached file."""
    for table in ("action", "cleared", *_afters(header)):
        connection.execute(f"CREATE TABLE {catalogue}.{_name(table)} AS FROM {_name(table)}")
    connection.execute(f"CREATE TABLE {catalogue}.header (document VARCHAR)")
    document = msgspec.json.encode(header).decode()
    connection.execute(f"INSERT INTO {catalogue}.header VALUES (?)", [document])


def attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a plan as ``plan``, for reading only."""
    connection.execute(f"ATTACH {_text(path)} AS plan (READ_ONLY, TYPE duckdb)")


def detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of it."""
    connection.execute("DETACH plan")


def _action(row: tuple[Any, ...]) -> Action:
    names = [f.name for f in fields(Action)]
    values = dict(zip(names, row, strict=True))
    values["kind"] = Kind(values["kind"])
    values["side"] = values["side"] or ""
    values["fields"] = tuple(FieldChange(**change) for change in values["fields"] or ())
    return Action(**values)


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
