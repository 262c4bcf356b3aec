"""What a plan is made of, as values: actions, findings, and their counts."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a header is read back by its types
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from runner.errors import StalePlanError
from runner.model import Selection  # noqa: TC001 - likewise


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
    SKIP = "skip"
    """It failed again and again, or a person said so: it is left as it is until taken up again."""


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
class Tripped:
    """A ceiling that a plan is above: whose (a mapping's, or ``run``), which, and in words."""

    owner: str
    guard: str
    what: str
    limit: str

    @property
    def name(self) -> str:
        """What lifts it: ``customers.max_deletes``."""
        return f"{self.owner}.{self.guard}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSummary:
    """What a plan found in one mapping.

    ``counts`` holds the number of actions by kind and side (``create right``, ``conflict``);
    ``filtered`` records that no mapping filter let through, by side; ``unchanged`` coupled pairs.
    ``read`` counts the records known of each side, ``reading`` says by side how they were read:
    ``way`` (see ``compile.incremental.Way``), how many ``rows`` came, and when deletions were last
    looked for (``deletions``; ``None`` where that needs no look of its own).
    ``coupled`` pairs are known before the run, ``gone`` of them lack a record now; ``uncoupled``
    records of a side have no partner and match none. ``empty`` names sides that returned nothing
    at all though pairs are known. ``spared`` counts writes that the plan leaves out, because the
    run goes one way.
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
    reading: Mapping[str, Mapping[str, str | int | None]] = field(default_factory=dict)
    unchanged: int = 0
    coupled: int = 0
    gone: int = 0
    empty: tuple[str, ...] = ()
    uncoupled: Mapping[str, int] = field(default_factory=dict)
    spared: Mapping[str, int] = field(default_factory=dict)

    def count(self, *kinds: Kind) -> int:
        """How many actions of these kinds there are, whatever their side."""
        return sum(n for key, n in self.counts.items() if key.split()[0] in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a plan is computed from, and fits alone.

    ``systems`` says by name where each is: connector, address and company. ``digest`` is that of
    the configuration, ``state_id`` and ``state_serial`` are the state's.
    """

    project: str
    environment: str
    systems: Mapping[str, str]
    digest: str
    state_id: str
    state_serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a plan is, beside its actions.

    ``id`` is its own, ``selection`` says what the run is about. ``created`` and ``expires`` are
    instants in ISO 8601, UTC; ``expires`` is empty where it is not saved. ``guards`` are those it
    is above. ``undoes`` is the run whose inverse it is, 0 where it is none.
    """

    version: int
    id: str
    origin: Origin
    selection: Selection
    created: str
    expires: str = ""
    interrupted: int
    mappings: tuple[MappingSummary, ...]
    guards: tuple[Tripped, ...] = ()
    undoes: int = 0
    mode: str = "full"

    @property
    def project(self) -> str:
        """The project's name."""
        return self.origin.project

    @property
    def environment(self) -> str:
        """The overlay it was made with, empty for none."""
        return self.origin.environment

    def must_fit(self, now: Origin, *, at: datetime) -> None:
        """Refuse to be applied to anything but what it was computed from.

        Raises:
            StalePlanError: it is another project's, its time is over, the configuration or the
                state changed since.

        """
        then = self.origin
        hint = "make a new plan with `sync-run plan`"
        for what, old, new in (
            ("project", then.project, now.project),
            ("environment", then.environment or "none", now.environment or "none"),
            *(
                (f"system {name}", then.systems.get(name, "none"), now.systems.get(name, "none"))
                for name in sorted({*then.systems, *now.systems})
            ),
        ):
            if old != new:
                words = f"Saved plan is foreign: it was made for {what} '{old}', this is '{new}'"
                raise StalePlanError(words, hint=hint)
        if self.expires and datetime.fromisoformat(self.expires) <= at:
            raise StalePlanError(f"Saved plan expired at {self.expires}", hint=hint)
        if then.digest != now.digest:
            raise StalePlanError("Saved plan is stale: the configuration changed since", hint=hint)
        if then.state_id != now.state_id and then.state_serial:
            raise StalePlanError("Saved plan is stale: it was made for another state", hint=hint)
        if then.state_serial != now.state_serial:
            raise StalePlanError("Saved plan is stale: the state moved on since", hint=hint)
