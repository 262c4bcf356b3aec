"""Runs transforms the way a plan does: as SQL in DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from runner import dialect
from runner.dialect import SETTINGS
from runner.errors import Location
from runner.model import Step
from runner.transform import chained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.wire import Type

AT = Location("customers.yaml", 1, 1)
Told = str | dict[str, Any]


def steps(*told: Told) -> tuple[Step, ...]:
    """Steps as YAML writes them: ``uppercase``, ``{prepend: x}``, ``{round: {to: 0.1}}``."""
    found = []
    for entry in told:
        if isinstance(entry, str):
            found.append(Step(name=entry, at=AT))
            continue
        ((name, given),) = entry.items()
        arguments = given if isinstance(given, dict) else {"value": given}
        found.append(Step(name=name, arguments=tuple(arguments.items()), at=AT))
    return tuple(found)


def changed(value: Any, kind: Type, way: Sequence[Step], to: Type | None = None) -> Any:
    """What a value has become at the end of its way."""
    chain = chained("v", kind, way)
    chain = chain.then(to or chain.kind, "UTC")
    with duckdb.connect() as connection:
        connection.execute(SETTINGS)
        [(found,)] = connection.execute(
            f"SELECT {chain.sql} FROM (SELECT CAST(? AS {dialect.column_type(kind)}) AS v)", [value]
        ).fetchall()
    return found
