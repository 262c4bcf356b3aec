"""What a file of cases says, and what running it came to: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import abc

    from runner.errors import Location
    from runner.model import Mapping, Side
    from runner.plan import Kind
    from runner.wire import EntityType, Type, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What the system in memory that stands in for a real one is to be like.

    ``types`` are the entities that can be told without asking the real one; what a mapping or a
    case names beyond them is inferred. ``client_keys`` as in ``wire.Capabilities``; ``blanks`` is
    what a field of a type holds that was never given (absent: nothing).
    """

    types: abc.Mapping[str, EntityType] = field(default_factory=dict)
    client_keys: bool = False
    blanks: abc.Mapping[Type, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record that is given or expected. ``key`` is empty where an expected one leaves it open."""

    key: str
    values: abc.Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What there is before the run.

    ``coupled`` are the keys, left first, of records that were in step; ``changed`` was done to
    them since, ``deleted`` are gone since. ``links`` are the pairs of keys of other mappings;
    ``named`` their records, by system and entity, that references name by another field.
    """

    records: abc.Mapping[Side, tuple[Record, ...]]
    coupled: tuple[tuple[str, str], ...] = ()
    changed: abc.Mapping[Side, tuple[Record, ...]]
    deleted: abc.Mapping[Side, tuple[str, ...]]
    links: abc.Mapping[str, tuple[tuple[str, str], ...]]
    named: tuple[tuple[str, str, Record], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to look at: an error by words of its reason, anything else by its fields."""

    kind: Kind
    words: str = ""
    fields: tuple[str, ...] = ()
    keys: abc.Mapping[Side, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What there must be after the run.

    A side that ``records`` does not name is not looked at, nor are ``actions`` where they are
    ``None``; ``findings`` always are. ``stopped``: words with which the run must stop.
    """

    records: abc.Mapping[Side, tuple[Record, ...]]
    actions: tuple[str, ...] | None = None
    findings: tuple[Finding, ...] = ()
    counts: abc.Mapping[str, int] = field(default_factory=dict)
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One rule of a mapping, by example."""

    name: str
    given: Given
    expected: Expected
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One file of cases: of which mapping, and with which types of its entities.

    ``helpers`` are the types of the entities that its lookups lead to, by system and name.
    """

    __test__ = False  # pytest collects what is called Test

    mapping: Mapping
    file: str
    types: abc.Mapping[Side, EntityType]
    helpers: abc.Mapping[tuple[str, str], EntityType]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One field of a difference, both values as text; ``None`` is blank or not there at all."""

    field: str
    expected: str | None = None
    got: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as expected.

    ``how`` is ``differs``, ``missing`` or ``unexpected``; ``what`` is ``record``, ``action``,
    ``finding``, ``count`` or ``stop``; ``where`` says which one.
    """

    how: str
    what: str
    where: str
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one case came to: passed where there is no difference. ``seconds`` it took."""

    test: Test
    case: Case
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences
