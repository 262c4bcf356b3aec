"""What a plan is made of, as values: actions, findings, and their counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from runner.errors import StalePlanError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import Selection


class Kind(StrEnum):
    """What is intended for a record, or what was found out about it."""

    CREATE = "create"
    UPDATE = "update"
    COUPLE = "couple"
    """Two records that are the same are tied together; neither is written."""
    UNCOUPLE = "uncouple"
    DELETE = "delete"
    """The partner was deleted, and the mapping says that this one goes too."""
    CONVERGE = "converge"
    """Both sides agree by themselves; only the base moves. Nobody needs to see it."""
    DRIFT = "drift"
    CONFLICT = "conflict"
    ERROR = "error"


CHANGES = (Kind.CREATE, Kind.UPDATE, Kind.COUPLE, Kind.UNCOUPLE, Kind.DELETE)
"""What makes a plan one that has something to do."""
FINDINGS = (Kind.DRIFT, Kind.CONFLICT, Kind.ERROR)
FAILURES = (Kind.CONFLICT, Kind.ERROR)
"""What makes a run one whose records did not all go well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of an action, all values as text, ``None`` for blank.

    ``left`` and ``right`` are the fields' names (empty: a constant or a default), ``left_value``
    and ``right_value`` what they hold now, the bases what they held when last synchronized, and
    ``new`` what is to be written. ``drift``: the target was edited by hand, and is overwritten.
    ``lookup`` is the mapping that translated a reference. A value that is taken apart into several
    fields is one change for each, of the same ``id``.
    """

    id: str
    left: str
    right: str
    verdict: str
    drift: bool
    left_value: str | None
    right_value: str | None
    left_base: str | None
    right_base: str | None
    new: str | None
    reason: str | None
    lookup: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One row of the plan.

    ``side`` is the side written to (empty: none). A key is ``None`` where no record is, or starts
    with ``compile.PENDING`` where the system gives it when the record is created.
    """

    id: int
    mapping: str
    kind: Kind
    side: str
    left_key: str | None
    right_key: str | None
    label: str | None
    etag: str | None
    reason: str | None
    hint: str | None
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSummary:
    """What a plan found in one mapping.

    ``counts`` holds the number of actions by kind and side (``create right``, ``conflict``);
    ``filtered`` records that no mapping filter let through, by side; ``unchanged`` coupled pairs.
    ``coupled`` pairs are known before the run, ``uncoupled`` records of a side have no partner and
    match none. ``spared`` counts writes that the plan leaves out, because the run goes one way.
    """

    name: str
    direction: str
    left: str
    right: str
    left_entity: str
    right_entity: str
    counts: Mapping[str, int] = field(default_factory=dict)
    filtered: Mapping[str, int] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)
    unchanged: int = 0
    coupled: int = 0
    uncoupled: Mapping[str, int] = field(default_factory=dict)
    spared: Mapping[str, int] = field(default_factory=dict)

    def count(self, *kinds: Kind) -> int:
        """How many actions of these kinds there are, whatever their side."""
        return sum(n for key, n in self.counts.items() if key.split()[0] in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a plan was computed from, so that it is applied to nothing else.

    ``selection`` says what the run is about, ``digest`` is that of the configuration, ``state_id``
    and ``state_serial`` are the state's. ``created`` is an instant in ISO 8601, UTC.
    """

    version: int
    project: str
    environment: str
    created: str
    selection: Selection
    digest: str
    state_id: str
    state_serial: int
    interrupted: int
    mappings: tuple[MappingSummary, ...]

    def must_fit(self, *, digest: str, state_id: str, state_serial: int) -> None:
        """Refuse to be applied to anything but what it was computed from.

        Raises:
            StalePlanError: the configuration changed, the state is another, or moved on.

        """
        hint = "make a new plan with `sync-run plan`"
        if self.digest != digest:
            raise StalePlanError("Saved plan is stale: the configuration changed since", hint=hint)
        if self.state_id != state_id and self.state_serial:
            raise StalePlanError("Saved plan is stale: it was made for another state", hint=hint)
        if self.state_serial != state_serial:
            raise StalePlanError("Saved plan is stale: the state moved on since", hint=hint)
