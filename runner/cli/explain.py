"""What a mapping was compiled to: the wire queries it reads by and the SQL that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.compile import incremental
from runner.model import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector


def explained(mapping: CompiledMapping, connectors: Mapping[str, Connector]) -> str:
    """Return both as text: requests as they will be sent, statements as they will be run."""
    return "\n\n".join(_parts(mapping, connectors))


def _parts(mapping: CompiledMapping, connectors: Mapping[str, Connector]) -> Iterator[str]:
    yield f"-- mapping {mapping.name}"
    for side in Side:
        system = mapping.rule.entity(side).system
        request = connectors[system].explain(mapping.reading(side).query)
        yield f"-- read {mapping.rule.entity(side).entity} of {system}\n{request}"
        yield f"-- incremental runs read {incremental.reason(mapping, side)}"
    for sought in mapping.sought:
        request = connectors[sought.system].explain(sought.query)
        yield f"-- find values in {sought.query.entity} of {sought.system}: all of it\n{request}"
    for side, source in mapping.key_sources.items():
        yield f"-- new records in {mapping.rule.entity(side).system} get their key from {source}"
    statements = [
        *(
            mapping.snapshot(s, source=mapping.tables.raw(s), target=mapping.tables.snapshot(s))
            for s in Side
        ),
        mapping.status(whole=False),
        *mapping.undecided(),
        mapping.base_view(
            {column.name for column in mapping.base}, f"left_key IN ({mapping.changed})"
        ),
        *mapping.matching(),
        *mapping.deciding(),
    ]
    for statement in statements:
        yield f"-- {statement.purpose}\n{statement.sql};"
