"""What the YAML says, checked and bound: values only, nothing that reads or writes.

The two systems of a mapping are its *left* and its *right*, in the order in which ``systems:`` of
``sync.yaml`` names them. Which business system stands where means nothing to the runner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import abc
    from pathlib import Path

    from runner.errors import Location


class Side(StrEnum):
    """One of the two systems of a mapping."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> Side:
        """The system across."""
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


class Direction(StrEnum):
    """Which way values travel."""

    TO_RIGHT = "to right"
    TO_LEFT = "to left"
    BOTH = "both"

    def to(self, side: Side) -> bool:
        """Whether values may travel to this side."""
        return self is Direction.BOTH or self is (
            Direction.TO_RIGHT if side is Side.RIGHT else Direction.TO_LEFT
        )


class Unresolved(StrEnum):
    """What becomes of a reference to a record that is not coupled."""

    FAIL = "fail"
    KEEP = "keep"
    CLEAR = "clear"


class UpdateConflict(StrEnum):
    """Who wins when both sides changed the same field apart. ``FAIL``: nobody, a person decides."""

    FAIL = "fail"
    PREFER_LEFT = "prefer left"
    PREFER_RIGHT = "prefer right"
    NEWEST = "newest"
    """The side that was modified last; where that cannot be told, nobody."""


class Granularity(StrEnum):
    """What is in conflict when both sides changed: the same field, or the record as a whole."""

    FIELD = "field"
    RECORD = "record"


class DeleteConflict(StrEnum):
    """What becomes of a coupled record whose partner was deleted.

    ``FAIL`` asks a person to uncouple it, ``UNCOUPLE`` lets it live alone, ``RESTORE`` makes the
    deleted record anew, ``DELETE`` deletes it too. The last two happen only where the mapping
    writes to that side at all; else it fails.
    """

    FAIL = "fail"
    UNCOUPLE = "uncouple"
    RESTORE = "restore"
    DELETE = "delete"


class Drift(StrEnum):
    """What to do about a target of a one-way field that somebody edited."""

    OVERWRITE = "overwrite"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A piece of YAML text and where it stands."""

    text: str
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How to be let in. Each value is the name of an environment variable, never a secret.

    ``token_env`` alone is a bearer token, ``user`` with ``password_env`` is HTTP basic (for NAV
    the password is the web service access key).
    """

    token_env: str = ""
    user: str = ""
    password_env: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One connected application.

    ``url`` ``sandbox:NAME`` is the embedded sandbox; for tables it is a path, relative to the
    project. ``seed`` is what its first records come from (``None``: it starts empty, or is there).
    ``company`` is empty where the connector has none. ``types`` holds by entity and field the type
    (``wire.Type``) of what does not tell it by itself, ``modified`` names the field that tells when
    a record changed (empty: the connector knows, or nobody).
    """

    name: str
    connector: str
    url: str
    company: str = ""
    auth: Auth | None = None
    seed: Path | None = None
    types: abc.Mapping[str, abc.Mapping[str, str]] = field(default_factory=dict)
    modified: str = ""
    at: Location

    @property
    def sandbox(self) -> str:
        """The name of the sandbox it is; empty for a real system."""
        return self.url.removeprefix("sandbox:") if self.url.startswith("sandbox:") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One side of a mapping: a record type of a system.

    ``filter`` is a JMESPath expression over the entity's fields; ``None`` takes every record.
    ``new_key`` is the pattern of keys for new records where the system has no number series:
    ``{number}`` stands for the first free number. ``label`` names the field that people know a
    record by; empty leaves it to the system's own.
    """

    system: str
    entity: str
    key: str
    filter: Text | None = None
    new_key: str = ""
    label: str = ""
    at: Location


Constant = str | int | float | bool
"""A literal of YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """One field tied to one field of the other side, or to a constant.

    ``left`` or ``right`` is empty exactly where ``constant`` stands in its place. ``lookup`` names
    the mapping whose couplings translate the value. ``scale`` is the number of decimal places both
    sides keep, rounded half away from zero; ``None`` leaves it to the systems. ``keep_if_blank``:
    a blank never overwrites a value. ``only_on_create``: new records get the value, and from then
    on each side keeps its own. ``values`` translates value by value, left to right (empty: as it
    is). ``to_left`` and ``to_right`` say what an unresolved reference does to that side.
    """

    left: str = ""
    right: str = ""
    direction: Direction
    constant: Constant | None = None
    lookup: str = ""
    scale: int | None = None
    keep_if_blank: bool = False
    only_on_create: bool = False
    values: tuple[tuple[Constant, Constant], ...] = ()
    to_left: Unresolved = Unresolved.FAIL
    to_right: Unresolved = Unresolved.FAIL
    conflict: UpdateConflict = UpdateConflict.FAIL
    drift: Drift = Drift.OVERWRITE
    at: Location

    def name(self, side: Side) -> str:
        """The field's name on that side; empty where the constant stands."""
        return self.left if side is Side.LEFT else self.right

    def unresolved(self, side: Side) -> Unresolved:
        """What an unresolved reference does to that side."""
        return self.to_left if side is Side.LEFT else self.to_right


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchPair:
    """Two fields that must hold the same, non-blank value for two records to be the same."""

    left: str
    right: str
    ignore_case: bool = False
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One entity of one system tied to one entity of the other.

    ``create`` holds the sides where missing records are created. ``match`` is tried in order: one
    criterion is a tuple of pairs that must all hold. ``defaults`` are values that new records of a
    side start with, where no field mapping gives one. ``conflict`` decides between records as
    ``granularity`` asks for it; between fields each field decides for itself.
    """

    name: str
    direction: Direction
    left: Entity
    right: Entity
    depends_on: tuple[str, ...] = ()
    create: frozenset[Side] = frozenset()
    match: tuple[tuple[MatchPair, ...], ...] = ()
    fields: tuple[FieldMapping, ...]
    defaults: abc.Mapping[Side, tuple[tuple[str, Constant], ...]] = field(default_factory=dict)
    granularity: Granularity = Granularity.FIELD
    conflict: UpdateConflict = UpdateConflict.FAIL
    deleted: DeleteConflict = DeleteConflict.FAIL
    at: Location

    def entity(self, side: Side) -> Entity:
        """The entity on that side."""
        return self.left if side is Side.LEFT else self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseColumn:
    """One column of a mapping's base: one side's value of one field mapping.

    ``source`` is the field it is read from, empty where a constant stands. ``fingerprint`` changes
    with the meaning of the field mapping; a column whose fingerprint moved is forgotten, as if the
    pair had never been synchronized in this field.
    """

    name: str
    type: str
    side: Side
    field: str
    source: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with ``sync.yaml`` and mappings, as one value.

    ``environment`` is the overlay it was read with, empty for none. ``order`` of ``systems`` is
    that of the file. ``mappings`` stand in the order of their dependencies, then of their names,
    whatever the order of their files.
    """

    name: str
    root: Path
    environment: str
    systems: tuple[System, ...]
    state: Path
    mappings: tuple[Mapping, ...]

    def system(self, name: str) -> System:
        """The system of that name. Raises ``KeyError`` for a name that is none: a fault of ours."""
        return {system.name: system for system in self.systems}[name]

    def mapping(self, name: str) -> Mapping:
        """The mapping of that name. Raises ``KeyError`` likewise."""
        return {mapping.name: mapping for mapping in self.mappings}[name]
