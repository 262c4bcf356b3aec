"""What happens while a command runs, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan:
    """A run stands in the history from here on. ``mappings`` empty: all."""

    run: int
    command: str
    mode: str
    mappings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run is over; ``message`` says why it did not come to its end, empty where it did.

    ``counters`` are by mapping, ``requests`` by system, ``open_errors`` by mapping and whether they
    are set aside (``failing`` or ``skipped``). ``succeeded`` is when a run last did all it had to,
    in seconds since 1970; ``None``: none did that is remembered.
    """

    run: int
    exit_code: int
    message: str
    seconds: float
    counters: Mapping[str, Mapping[str, int]]
    requests: Mapping[str, int]
    open_errors: Mapping[str, Mapping[str, int]]
    succeeded: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDone:
    """A mapping was read from one system, decided, or written, in so many seconds.

    ``phase`` is ``read``, ``decide`` or ``write``; ``system`` is that which was read. ``counts``
    are rows read, pairs unchanged, or what was written so far, by counter.
    """

    mapping: str
    phase: str
    seconds: float
    counts: Mapping[str, int]
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFailed:
    """A finding of the plan, or a write that failed; ``kind`` says which (``state.errors``).

    A key is ``None`` where no record is. ``label``, ``field``'s values in ``reason`` and ``hint``
    may be personal data.
    """

    mapping: str
    kind: str
    left_key: str | None
    right_key: str | None
    label: str | None
    field: str | None
    reason: str | None
    hint: str | None


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
    """A mapping's actions stand in the plan; ``counts`` are by kind and side."""

    mapping: str
    counts: Mapping[str, int]


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


Event = (
    RunBegan
    | RowsRead
    | MappingPlanned
    | PhaseDone
    | Recovered
    | WritesDone
    | RecordFailed
    | RunEnded
)
Tell = Callable[[Event], None]
"""Who is told of what is under way may raise ``StoppedError``: then no further window of writes is
begun. Of the beginning and the end of a run, and of what failed, one is told and nothing else."""


def both(first: Tell, second: Tell) -> Tell:
    """Tell two listeners, in this order."""

    def tell(event: Event) -> None:
        first(event)
        second(event)

    return tell
