"""A plan and its file: made, saved, opened, refused when stale, read page by page.

A plan is a DuckDB file that anyone can query: the table ``action`` (see ``actions.Action``), the
table ``<mapping>.after`` of each mapping (what both sides of a pair will hold), and ``header``.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from runner.errors import RunnerError, StalePlanError
from runner.model import Selection
from runner.plan.actions import Action, FieldChange, Header, Kind, MappingSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

VERSION = 3
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

    def save(self, target: Path) -> None:
        """Write the plan, without the snapshots it was computed from, to a file of its own."""
        half = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            self.connection.execute(f"ATTACH {_text(half)} AS saved")
            for table in ("header", "action", *self._afters()):
                self.connection.execute(f"CREATE TABLE saved.{_name(table)} AS FROM {_name(table)}")
            self.connection.execute("CHECKPOINT saved; DETACH saved")
            with half.open("rb+") as written:
                os.fsync(written.fileno())
            half.chmod(0o600)
            half.replace(target)
        except (OSError, duckdb.IOException) as error:
            half.unlink(missing_ok=True)
            raise RunnerError(f"the plan cannot be saved to {target}: {_first(error)}") from error

    def release(self) -> Path:
        """Close the file, so that the one who applies the plan can attach it; return its path."""
        self.connection.execute("PRAGMA enable_checkpoint_on_shutdown")
        self.connection.close()
        return self.path

    def _afters(self) -> tuple[str, ...]:
        return tuple(f"{summary.name}.after" for summary in self.header.mappings)


def read(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    mapping: str,
    kinds: Sequence[Kind],
    limit: int | None = None,
) -> Iterator[Action]:
    """Yield the rows of an action table in order; ``mapping`` empty: of all mappings."""
    query = connection.execute(
        f"""SELECT * FROM {table} WHERE ($mapping = '' OR mapping = $mapping)
        AND list_contains($kinds, kind)
        QUALIFY $most IS NULL OR row_number() OVER (
            PARTITION BY mapping, kind, side ORDER BY "id") <= $most
        ORDER BY "id" """,
        {"mapping": mapping, "kinds": [str(kind) for kind in kinds], "most": limit},
    )
    while rows := query.fetchmany(_PAGE):
        yield from (_action(row) for row in rows)


def sealed(path: Path, connection: duckdb.DuckDBPyConnection, header: Header) -> Plan:
    """Write the header into the run file, which makes it a plan."""
    connection.execute("CREATE TABLE header (document VARCHAR)")
    connection.execute(
        "INSERT INTO header VALUES (?)", [msgspec.json.encode(asdict(header)).decode()]
    )
    connection.execute("DETACH state")
    return Plan(path, connection, header)


def opened(path: Path) -> Plan:
    """Open a saved plan.

    Raises:
        StalePlanError: it was saved by another version.
        RunnerError: it is no plan.

    """
    try:
        connection = duckdb.connect(str(path), read_only=True)
        [(told,)] = connection.execute("SELECT document FROM header").fetchall()
        document = msgspec.json.decode(told)
    except (duckdb.Error, OSError, ValueError) as error:
        raise RunnerError(
            f"{path} is no plan: {_first(error)}", hint="`sync-run plan --out FILE` makes one"
        ) from error
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise StalePlanError(
            f"{path} was saved by another version of sync-run", hint="make a new plan"
        )
    summaries = tuple(MappingSummary(**summary) for summary in document.pop("mappings"))
    selection = msgspec.convert(document.pop("selection"), Selection)
    header = Header(**document, selection=selection, mappings=summaries)
    return Plan(path, connection, header)


def attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a plan as ``plan``, for reading only."""
    connection.execute(f"ATTACH {_text(path)} AS plan (READ_ONLY)")


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
