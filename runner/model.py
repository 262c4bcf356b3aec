"""What the YAML says, checked and bound: values only, nothing that reads or writes.

The two systems of a mapping are its *left* and its *right*, in the order in which ``systems:`` of
``sync.yaml`` names them. Which business system stands where means nothing to the runner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import abc
    from pathlib import Path

    from runner.errors import Location, Problem


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


class Blank(StrEnum):
    """What a blank does to the field it would be written to."""

    SEND = "send"
    KEEP = "keep"
    """It never overwrites a value (Microsoft's "Not Null")."""
    FAIL = "fail"
    """Its record is an error: the field is required."""


class TooLong(StrEnum):
    """What becomes of a text that is longer than its target keeps."""

    ERROR = "error"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """So many records at the most; with ``share`` so many of a hundred coupled ones."""

    most: Decimal
    share: bool = False

    def __str__(self) -> str:
        return f"{self.most:f}%" if self.share else f"{self.most:f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """How much a run, or a mapping in it, may do before somebody has to allow it by name.

    ``changes`` limits records written, ``deletes`` coupled records that are gone from a side or
    about to be deleted. ``None``: no limit. A share never stops on ``floor`` records or fewer.
    """

    changes: Ceiling | None = None
    deletes: Ceiling | None = Ceiling(most=Decimal(20), share=True)
    floor: int = 10


class When(StrEnum):
    """When a field is written."""

    ALWAYS = "always"
    CREATE = "create"
    """With a new record; from then on each side keeps its own."""
    AFTER_CREATE = "after create"
    """Always, but with a new record only once it is there: in a second write."""


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
    """How to be let in. Each value says where a secret stands, and is none (``cli.secrets``).

    ``token_env`` alone is a bearer token, ``user`` with ``password_env`` is HTTP basic (for NAV
    the password is the web service access key), or Windows' own way with ``ntlm``. ``client_id``
    is an application of Microsoft Entra in ``tenant``, with the secret in ``secret_env``; without
    one a person signs in by a code. ``authority`` is where tokens are given, empty for
    Microsoft's public one. ``header`` is one that holds what is in ``value_env``.
    """

    token_env: str = ""
    header: str = ""
    value_env: str = ""
    tenant: str = ""
    client_id: str = ""
    secret_env: str = ""
    authority: str = ""
    user: str = ""
    password_env: str = ""
    ntlm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental:
    """How a system's own word on what changed is taken.

    ``overlap`` is by how much its moments of change are mistrusted: so far before the newest one
    seen the next reading begins. ``deletes`` is how often all keys are looked at for what was
    deleted, where nothing else tells; ``None``: never, but on demand.
    """

    overlap: timedelta = timedelta(minutes=5)
    deletes: timedelta | None = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One connected application.

    ``url`` ``sandbox:NAME`` is the embedded sandbox; for tables it is a path, relative to the
    project. ``seed`` is what its first records come from (``None``: it starts empty, or is there).
    ``company`` is empty where the connector has none. ``types`` holds by entity and field the type
    (``wire.Type``) of what does not tell it by itself, ``modified`` names the field that tells when
    a record changed (empty: the connector knows, or nobody). ``batch`` is how several writes go in
    one request, empty where the connector knows. ``requests`` at a time, ``page_size`` in rows and
    ``writes`` in one request: 0 leaves them to the connector. ``caller`` is in whose name all is
    done, empty for the connection's own user. ``refuse_duplicates``: what the system takes for one
    is not written.
    """

    name: str
    connector: str
    url: str
    company: str = ""
    auth: Auth | None = None
    seed: Path | None = None
    types: abc.Mapping[str, abc.Mapping[str, str]] = field(default_factory=dict)
    modified: str = ""
    batch: str = ""
    client_keys: bool = False
    requests: int = 0
    page_size: int = 0
    writes: int = 0
    caller: str = ""
    refuse_duplicates: bool = False
    incremental: Incremental = field(default_factory=Incremental)
    at: Location

    @property
    def sandbox(self) -> str:
        """The name of the sandbox it is; empty for a real system."""
        return self.url.removeprefix("sandbox:") if self.url.startswith("sandbox:") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A JMESPath condition that records must fulfil, and what is said of those that do not."""

    when: Text
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One side of a mapping: a record type of a system.

    ``filter`` is a JMESPath expression over the entity's fields; ``None`` takes every record.
    ``read_all``: the filter is not left to the system, which may not know how.
    ``one_per`` names a field of which no two records may hold the same value. ``comes_with`` names
    the mapping whose new records the system itself adds one of these to. ``new_key`` is the pattern
    of keys for new records where the system has no number series: ``{number}`` stands for the first
    free number. ``label`` names the field that people know a
    record by; empty leaves it to the system's own. ``requires`` is what every record that takes
    part must fulfil, ``same_per`` pairs fields that must be the same in all records that share
    the other.
    """

    system: str
    entity: str
    key: str
    filter: Text | None = None
    read_all: bool = False
    new_key: str = ""
    label: str = ""
    one_per: str = ""
    comes_with: str = ""
    requires: tuple[Requirement, ...] = ()
    same_per: tuple[tuple[str, str], ...] = ()
    at: Location

    @property
    def picky(self) -> bool:
        """Whether some records are set aside, however well they match."""
        return bool(self.one_per or self.requires or self.same_per)


Constant = str | int | float | bool
"""A literal of YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A value made of several fields of one side by JMESPath.

    ``type`` is one of ``wire.Type``; empty leaves it to what the expression yields. ``pieces`` say
    how the value is taken apart again: for each field an expression over ``value``. Without them
    the value only leaves its side.
    """

    expression: Text
    type: str = ""
    pieces: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Several texts of one side as one: blanks left out, ``separator`` between them.

    Taken apart again, each field but one takes a single piece; the one that takes all the rest is
    the last, or with ``rest_first`` the first (given names before a surname).
    """

    fields: tuple[str, ...]
    separator: str
    rest_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transform in a list of them (``compile.transforms`` knows what each does)."""

    name: str
    arguments: tuple[tuple[str, Constant], ...] = ()
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A mapping whose couplings translate a reference.

    ``conditions`` hold by side a JMESPath expression over that side's fields: only where it holds
    does a reference lead into this mapping. No condition: it may always. ``by`` names by side the
    field that references hold; the key where it names none. ``for_blank`` names by side the
    record, by its key there, that a blank reference means.
    """

    mapping: str
    conditions: abc.Mapping[Side, Text] = field(default_factory=dict, hash=False)
    by: abc.Mapping[Side, str] = field(default_factory=dict, hash=False)
    for_blank: abc.Mapping[Side, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What happens to a value on its way to one side, in this order.

    ``steps`` change it, ``otherwise`` stands for what ``values`` do not list, ``default`` for a
    blank (``None``: neither), ``unresolved`` says what an untranslatable value does.
    """

    steps: tuple[Step, ...] = ()
    otherwise: Constant | None = None
    default: Constant | None = None
    unresolved: Unresolved = Unresolved.FAIL


AS_IT_IS = Arrival()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """One end on the left tied to one end on the right, of which one may be a constant.

    ``left`` and ``right`` name a field; empty where the ``constant``, or a value made of several
    fields (``left_made``, ``right_made``) stands in its place. ``lookups`` name the mappings whose
    couplings translate the value, tried in order. ``scale`` is the number of decimal places both
    sides keep, rounded half away from zero; ``None`` leaves it to the systems. ``values``
    translates value by value to the right, ``values_back`` to the left, both as pairs of left and
    right (empty: as it is). ``zone`` is the time zone in which
    a date and an instant are the same day. ``optional``: where a system has no such field, the
    entry is left out.
    """

    left: str = ""
    right: str = ""
    left_made: Computed | Joined | None = None
    right_made: Computed | Joined | None = None
    direction: Direction
    constant: Constant | None = None
    lookups: tuple[Lookup, ...] = ()
    scale: int | None = None
    blank: Blank = Blank.SEND
    too_long: TooLong = TooLong.ERROR
    when: When = When.ALWAYS
    values: tuple[tuple[Constant, Constant], ...] = ()
    values_back: tuple[tuple[Constant, Constant], ...] = ()
    zone: str = "UTC"
    to_left: Arrival = AS_IT_IS
    to_right: Arrival = AS_IT_IS
    conflict: UpdateConflict = UpdateConflict.FAIL
    drift: Drift = Drift.OVERWRITE
    optional: bool = False
    at: Location

    def name(self, side: Side) -> str:
        """The field's name on that side; empty where there is not exactly one field."""
        return self.left if side is Side.LEFT else self.right

    @property
    def finds(self) -> tuple[Step, ...]:
        """The steps that look into another entity."""
        steps = (*self.to_left.steps, *self.to_right.steps)
        return tuple(step for step in steps if step.name == "find")

    def blank_means(self, side: Side) -> bool:
        """Whether a blank reference of that side names a record."""
        return any(side in lookup.for_blank for lookup in self.lookups)

    def made(self, side: Side) -> Computed | Joined | None:
        """What the value of that side is made of; ``None`` where it is a field or a constant."""
        return self.left_made if side is Side.LEFT else self.right_made

    def to(self, side: Side) -> Arrival:
        """What happens to the value on its way to that side."""
        return self.to_left if side is Side.LEFT else self.to_right


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchPair:
    """Two fields that must hold the same, non-blank value for two records to be the same.

    With one of them empty, the other must hold what the mapping would write there. ``steps`` bring
    both values to one form first.
    """

    left: str
    right: str
    ignore_case: bool = False
    steps: tuple[Step, ...] = ()
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Values that new records of a side start with, by the names of its fields.

    ``when`` is a JMESPath condition on the record that the new one is made from; ``None`` holds
    for all. The first template of a side that holds is taken. ``wins``: over mapped values too,
    as Microsoft's configuration templates do; else they fill what no mapped value fills.
    """

    values: tuple[tuple[str, Constant], ...]
    when: Text | None = None
    wins: bool = False
    at: Location


ATTEMPTS = 5
"""Runs in a row that a record may fail in the same way before it is set aside."""
LASTING = ("error", "conflict", "rejected")
"""Failures that come again as long as nothing changes; all others pass by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One entity of one system tied to one entity of the other.

    ``create`` holds the sides where missing records are created. ``match`` is tried in order: one
    criterion is a tuple of pairs that must all hold. ``coupled_by`` names a mapping over the same
    records, whose pairs are this one's as well. ``records`` are written in the mapping itself, by
    their keys, and stand on the side whose system is ``RECORDS``. ``templates`` hold, by side, what
    new records start with. ``attempts`` is how many runs in a row a record may fail in the same way
    before it is set aside; 0: as often as it likes. ``conflict`` decides between records as
    ``granularity`` asks for it; between fields each field decides for itself.
    """

    name: str
    direction: Direction
    left: Entity
    right: Entity
    depends_on: tuple[str, ...] = ()
    create: frozenset[Side] = frozenset()
    match: tuple[tuple[MatchPair, ...], ...] = ()
    coupled_by: str = ""
    records: tuple[tuple[str, tuple[tuple[str, Constant], ...]], ...] = ()
    fields: tuple[FieldMapping, ...]
    templates: abc.Mapping[Side, tuple[Template, ...]] = field(default_factory=dict)
    granularity: Granularity = Granularity.FIELD
    conflict: UpdateConflict = UpdateConflict.FAIL
    deleted: DeleteConflict = DeleteConflict.FAIL
    attempts: int = ATTEMPTS
    guards: Guards = Guards()
    at: Location

    def sets_aside(self, kind: str, attempts: int) -> bool:
        """Whether a record that failed so often in the same way is left alone from then on."""
        return kind in LASTING and 0 < self.attempts <= attempts

    def entity(self, side: Side) -> Entity:
        """The entity on that side."""
        return self.left if side is Side.LEFT else self.right

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The mappings whose pairs this one needs to know, each once."""
        named = (
            *(lookup.mapping for rule in self.fields for lookup in rule.lookups),
            self.coupled_by,
            *(end.comes_with for end in (self.left, self.right)),
        )
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def needs(self) -> tuple[str, ...]:
        """The mappings that are synchronized before this one, each once."""
        return tuple(dict.fromkeys((*self.depends_on, *self.refers_to)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A JMESPath condition on the records of one system, typed where a run was asked for."""

    system: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a run is about: which mappings, which of their records, and which way.

    ``records`` are keys of either side, ``where`` holds for one side of a pair, or for a record
    without one; both empty: all records. ``to`` names the only system that is written to, and
    ``prefer`` the one that wins where both sides changed; empty: as the mappings say.
    ``pairs_alone``: records are coupled, and that is all.
    """

    mappings: tuple[str, ...]
    records: tuple[str, ...] = ()
    where: Condition | None = None
    to: str = ""
    prefer: str = ""
    pairs_alone: bool = False

    @property
    def some(self) -> bool:
        """Whether it is about some records, not about all of its mappings'."""
        return bool(self.records) or self.where is not None


RECORDS = "records"
"""The system that the records of mappings are in (``ensure:``)."""


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


KEEP = timedelta(days=90)
"""How long past runs are remembered, unless ``sync.yaml`` says otherwise."""


class Mode(StrEnum):
    """How much a scheduled run reads."""

    FULL = "full"
    INCREMENTAL = "incremental"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Mappings that run by themselves, and when: ``every`` so often, or by ``cron`` in ``zone``.

    ``mappings`` stand in the order of their dependencies. A run that cannot come to its end is
    tried ``attempts`` times in all, ``backoff`` apart. After a run that changed nothing the job
    rests for ``quiet``; of no length: it never rests.
    """

    name: str
    every: timedelta | None = None
    cron: str = ""
    zone: str = "UTC"
    mappings: tuple[str, ...]
    mode: Mode = Mode.FULL
    attempts: int = 10
    backoff: timedelta = timedelta(seconds=30)
    quiet: timedelta = timedelta()
    enabled: bool = True
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with ``sync.yaml`` and mappings, as one value.

    ``environment`` is the overlay it was read with, empty for none. ``order`` of ``systems`` is
    that of the file. ``mappings`` stand in the order of their dependencies, then of their names,
    whatever the order of their files. ``guards`` hold for a run as a whole. ``jobs`` stand in the
    order of the file. ``notes`` are what an author may not have meant. ``keep`` is how long past
    runs are remembered (``None``: forever), ``metrics`` the file that each run writes its figures
    to.
    """

    name: str
    root: Path
    environment: str
    systems: tuple[System, ...]
    state: Path
    mappings: tuple[Mapping, ...]
    guards: Guards = Guards()
    jobs: tuple[Job, ...] = ()
    notes: tuple[Problem, ...] = ()
    keep: timedelta | None = KEEP
    metrics: Path | None = None

    @property
    def entities(self) -> tuple[tuple[str, str], ...]:
        """What mappings are over and find values in, by system and entity, each once."""
        ends = ((end.system, end.entity) for m in self.mappings for end in (m.left, m.right))
        steps = (step for m in self.mappings for rule in m.fields for step in rule.finds)
        given = (dict(step.arguments) for step in steps)
        found = ((str(told["system"]), str(told["entity"])) for told in given)
        return tuple(dict.fromkeys((*ends, *found)))

    @property
    def mirror(self) -> Path:
        """The file, beside the state, of what the systems held when they were last looked at."""
        return self.state.with_name(f"{self.state.name}.mirror")

    def system(self, name: str) -> System:
        """The system of that name. Raises ``KeyError`` for a name that is none: a fault of ours."""
        return {system.name: system for system in self.systems}[name]

    def mapping(self, name: str) -> Mapping:
        """The mapping of that name. Raises ``KeyError`` likewise."""
        return {mapping.name: mapping for mapping in self.mappings}[name]
