"""Couplings of Microsoft's own integration, as exports of its tables tell them.

Table 5331 (CRM Integration Record) couples a row of Sales, ``CRM ID``, with an ``Integration ID``.
In Business Central that is the id of a record of ``Table ID``. In NAV 2018 it leads to table 5151
(Integration Record), whose ``Record ID`` names the record, ``Customer: 10000``, and is blank once
the record is deleted; ``Table ID`` may then be told there alone.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.cli import pairs_file
from runner.errors import Location, Problem, RunnerError, nearest
from runner.model import Side
from runner.state.pairs import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.model import Project

CRM, INTEGRATION, TABLE, RECORD = "CRM ID", "Integration ID", "Table ID", "Record ID"
_SALES, _NAV = "dataverse", "nav"
"""The connectors of the side that ``CRM ID`` is of, and of the one whose keys are no ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was found in an export; ``left_out`` counts by its reason what takes no part."""

    wanted: tuple[Wanted, ...]
    problems: list[Problem]
    left_out: Mapping[str, int]


def tables_of(project: Project, told: Sequence[str]) -> dict[str, str]:
    """Read which mapping each table is of: ``18=customers``.

    Raises:
        RunnerError: it is not told so, or such a mapping cannot take its couplings.

    """
    found: dict[str, str] = {}
    names = [mapping.name for mapping in project.mappings]
    for text in told:
        table, _, name = (part.strip() for part in text.partition("="))
        if not (table.isdigit() and name):
            raise RunnerError(
                f"--table {text} does not say which mapping a table is of",
                hint="write --table 18=customers",
            )
        if name not in names:
            raise RunnerError(f"there is no mapping '{name}'", hint=nearest(name, names))
        mapping = project.mapping(name)
        if "," in mapping.entity(_sales_side(project, name).other).key:
            raise RunnerError(
                f"the keys of mapping {name} have several fields, and an export tells them as one",
                hint=f"let its records find each other: `sync-run couple {name} --match`",
            )
        found[table] = name
    return found


def read(project: Project, path: Path, tables: Mapping[str, str], records: Path | None) -> Exported:
    """Read the couplings of an export of table 5331; ``records`` is one of table 5151.

    Raises:
        ConfigError: a file is not of its form.
        RunnerError: a file cannot be read, or the other one is needed.

    """
    sales = {name: _sales_side(project, name) for name in tables.values()}
    if records is None:
        _needs_none(project, sales)
    known = None if records is None else dict(_records(records))
    left_out: Counter[str] = Counter()
    problems: list[Problem] = []
    wanted = []
    for line, row in _rows(path, (CRM, INTEGRATION)):
        ids = {name: _plain(row.get(name)) for name in (CRM, INTEGRATION)}
        if blank := [name for name, told in ids.items() if not told]:
            at = Location(path.name, line, 1)
            problems += (Problem(at, f"'{name}' is blank") for name in blank)
            continue
        table, key = row.get(TABLE) or "", ids[INTEGRATION]
        if known is not None:
            its_table, key = known.get(key, ("", ""))
            table = its_table if table.strip() in {"", "0"} else table
        if not key:
            left_out["whose record is deleted"] += 1
        elif (name := tables.get(table.strip())) is None:
            left_out[f"of table {table.strip() or 'unknown'}"] += 1
        else:
            keys = (ids[CRM], key) if sales[name] is Side.LEFT else (key, ids[CRM])
            wanted.append(Wanted(line=line, mapping=name, left_key=keys[0], right_key=keys[1]))
    return Exported(wanted=tuple(wanted), problems=problems, left_out=left_out)


def _records(path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield table and key by ``Integration ID``; the key is what follows the table's name."""
    for _, row in _rows(path, (INTEGRATION, RECORD)):
        key = (row.get(RECORD) or "").partition(":")[2].strip()
        yield _plain(row.get(INTEGRATION)), ((row.get(TABLE) or "").strip(), key)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of an export, whichever way it spells the names of its columns."""
    spelled = {_letters(name): name for name in (CRM, INTEGRATION, TABLE, RECORD)}

    def ours(name: str) -> str:
        return spelled.get(_letters(name), name)

    return pairs_file.of_csv(pairs_file.text_of(path), path.name, columns, spelled=ours)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _plain(guid: str | None) -> str:
    """Write a GUID as systems do: without braces, in small letters."""
    return (guid or "").strip(" {}").lower()


def _sales_side(project: Project, name: str) -> Side:
    """Return the side of a mapping that ``CRM ID`` is the key of."""
    systems = {system.name: system.connector for system in project.systems}
    mapping = project.mapping(name)
    sides = [side for side in Side if systems[mapping.entity(side).system] == _SALES]
    if len(sides) != 1:
        raise RunnerError(
            f"mapping {name} is not between Dynamics 365 for Sales and another system"
        )
    return sides[0]


def _needs_none(project: Project, sales: Mapping[str, Side]) -> None:
    systems = {system.name: system.connector for system in project.systems}
    for name, side in sales.items():
        if systems[project.mapping(name).entity(side.other).system] == _NAV:
            raise RunnerError(
                f"mapping {name}: in NAV an Integration ID is no key of a record",
                hint="export table 5151 (Integration Record), and name it: --records FILE",
            )
