"""What happens while a command runs, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsRead:
    """So many records of one entity have been read so far; ``done`` when it was the last page."""

    mapping: str
    system: str
    entity: str
    rows: int
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingPlanned:
    """A mapping's actions stand in the plan."""

    mapping: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What came of a write that an interrupted run had begun."""

    mapping: str
    key: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WritesDone:
    """So many of a mapping's writes have been answered, so many of them refused."""

    mapping: str
    done: int
    total: int
    failed: int


Event = RowsRead | MappingPlanned | Recovered | WritesDone
Tell = Callable[[Event], None]
"""Who is told may raise ``StoppedError``: then no further window of writes is begun."""
