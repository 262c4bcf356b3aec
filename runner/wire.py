"""What travels between a system and the runner: types, queries, pages, writes, outcomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.errors import SystemUnavailableError


class Type(StrEnum):
    """The canonical types. A connector says for each field which one its system's type is."""

    TEXT = "text"
    CODE = "code"
    """Text that the system keeps in upper case and trimmed (NAV's ``Code``)."""
    INTEGER = "integer"
    """Whole numbers, and options that travel as numbers (Dataverse choices)."""
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    """A moment, in UTC."""
    GUID = "guid"
    OPTION = "option"
    """An option that travels as its caption (NAV)."""
    REFERENCE = "reference"
    """The key of a record of another entity."""


TELLING = frozenset({Type.TEXT, Type.CODE, Type.INTEGER, Type.BOOLEAN, Type.OPTION})
"""Types that a system gives back exactly as they were written, so that one can search by them."""


_LARGEST = 10**18
"""Canonical decimals are DECIMAL(28,10): 18 digits before the point, 10 behind it."""


def can_be_held(number: float) -> bool:
    """Whether a number can be the value of a field; infinity, and what is no number, cannot."""
    return -_LARGEST < number < _LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """One field as its system describes it.

    ``max_length`` counts characters, ``scale`` decimal places; ``None`` is "not limited".
    ``targets`` names the entities a reference may point to, as they are named in mappings.
    ``options`` are the values that a field may hold, with their captions; empty where anything
    goes. ``required``: a new record needs it.
    """

    name: str
    type: Type
    max_length: int | None = None
    scale: int | None = None
    on_create: bool = True
    on_update: bool = True
    targets: tuple[str, ...] = ()
    options: tuple[tuple[int, str], ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityType:
    """One entity as its system describes it. ``modified`` is empty where no field tells it.

    ``tracked``: its system keeps track of what changes, deletions included (``Changes``).
    """

    name: str
    key: str
    fields: Mapping[str, FieldType]
    modified: str = ""
    label: str = ""
    """The field that names a record for people; empty where there is none."""
    tracked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a system can do beyond reading and writing one record.

    ``client_keys``: the client may choose the key of a new record (a GUID), so a create that was
    sent twice is refused the second time. ``concurrency``: requests it takes at the same time.
    """

    client_keys: bool
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a system says of itself and of us.

    ``where`` is its address, ``who`` the user that our writes will show. ``ahead`` counts the
    seconds by which its clock is ahead of ours (negative: behind); ``None`` where it tells no time.
    """

    where: str
    who: str
    ahead: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WireQuery:
    """Rows of one entity: which fields, and which rows.

    ``where`` holds only rows whose fields equal these values, ``keys`` only rows with these keys,
    ``since`` only rows changed at or after that moment (rows may come that did not change; none
    that did may be missing). ``filter`` is a JMESPath condition on the entity's fields: rows may
    come that do not fulfil it, none that does may be missing. All empty: all rows.
    """

    entity: str
    fields: tuple[str, ...]
    where: tuple[tuple[str, Value], ...] = ()
    keys: tuple[str, ...] = ()
    since: datetime | None = None
    filter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one entity by column, as they came, not yet canonical.

    ``columns`` holds for each field asked for one list as long as ``keys``: ``str`` for text,
    code, option, date, instant, guid, reference and (to keep every digit) decimal, ``int`` for
    integer, ``bool`` for boolean, ``None`` for null. ``etags`` are opaque, ``None`` where none
    came.
    """

    keys: Sequence[str]
    etags: Sequence[str | None]
    columns: Mapping[str, Sequence[str | int | bool | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Some of what changed in an entity since a token was given.

    ``page`` holds records that are new or were written, whole as they are now; ``deleted`` the keys
    of those that are gone, also of some that nobody ever saw. ``token`` comes last, and is what the
    next time begins with. ``whole``: nobody knows what changed, so these are all records there are.
    """

    page: Page | None = None
    deleted: tuple[str, ...] = ()
    token: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that points to a record: of which entity, under which key."""

    entity: str
    key: str


Value = str | int | bool | Decimal | date | datetime | Reference | None
"""A canonical value. ``None`` is blank: the connector writes its system's form of it."""


class WriteKind(StrEnum):
    """What a write does to its record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One intended effect on one record.

    ``key`` is ``None`` only on a create whose key the system chooses. ``etag`` is what an update
    or delete saw: the write is refused (``Drifted``) if the record has moved on. ``returning``
    names the fields to hand back as the system now holds them.
    """

    kind: WriteKind
    entity: str
    key: str | None
    etag: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    returning: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """It is done. ``page`` holds the one row as the system now has it; empty after a delete."""

    key: str
    page: Page | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """Refused: the record is no longer what the plan saw (HTTP 412, or 409 in Business Central)."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Refused for what it says; sending it again would be refused again.

    ``code`` is the system's own, empty where it gave none. ``duplicate``: a record with this
    identity is already there. ``missing``: the record to change is not there.
    """

    code: str
    message: str
    duplicate: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Sent, and nobody knows what came of it (time-out, broken connection, 5xx after sending)."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """Surely not done: the system is away, lets nobody in, or told us to come back later."""

    why: SystemUnavailableError


Outcome = Written | Drifted | Rejected | Unknown | Unsent
