"""First records of a sandbox: CSV files named after entity sets and services."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEEDED = datetime(2018, 1, 1, tzinfo=UTC)
"""When the first records were made."""


def rows(folder: Path | None, name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of an entity, by column; none where there is no file."""
    path = folder / f"{name}.csv" if folder else None
    if path is None or not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def typed(kind: str, text: str) -> Any:
    """Return a value of NAV or Business Central, whose field is of this kind."""
    match kind:
        case "Boolean":
            return text.lower() == "true"
        case "Integer":
            return int(text)
        case "Decimal":
            return Decimal(text)
        case "Code":
            return text.strip().upper()
        case _:
            return text
