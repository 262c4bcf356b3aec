"""A system in memory that can be made to fail: refusals, lost answers, dying in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.connectors.memory import Memory
from runner.errors import Location
from runner.model import System
from runner.wire import (
    EntityType,
    FieldType,
    Outcome,
    Page,
    Type,
    Unknown,
    WireQuery,
    Write,
    WriteKind,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

HERE = Location("sync.yaml", 1, 1)


def fields(**kinds: Type | FieldType) -> dict[str, FieldType]:
    """Field types by name; a plain ``Type`` is enough where nothing limits the field."""
    return {
        name: kind if isinstance(kind, FieldType) else FieldType(name=name, type=kind)
        for name, kind in kinds.items()
    }


def system(name: str) -> System:
    return System(name=name, connector="fake", url=f"fake:{name}", at=HERE)


class Fake(Memory):
    """A system in memory whose answers a test decides about.

    ``fails`` may answer a write in the system's stead; ``afterwards`` is called when it was done,
    ``lose`` loses its answer. ``written`` is the journal of all writes that were done or refused
    by the system itself, ``asked`` that of all that was read.
    """

    def __init__(self, types: Mapping[str, EntityType], *, client_keys: bool = False) -> None:
        super().__init__(types, client_keys=client_keys)
        self.written: list[Write] = []
        self.fails: Callable[[Write], Outcome | None] = lambda _: None
        self.afterwards: Callable[[Write], None] = lambda _: None
        self.lose = False
        self.asked: list[WireQuery] = []

    def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        self.asked.append(query)
        return super().pages(query)

    def answer(self, write: Write) -> Outcome:
        refused = self.fails(write)
        if refused is not None:
            return refused
        self.written.append(write)
        outcome = super().answer(write)
        if isinstance(outcome, Written) and write.kind is not WriteKind.DELETE:
            self.afterwards(write)
            if self.lose:
                return Unknown(message="connection lost")
        return outcome
