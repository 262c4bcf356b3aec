"""The one seam between the runner and a system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runner.wire import (
        Capabilities,
        Changes,
        EntityType,
        Greeting,
        Outcome,
        Page,
        WireQuery,
        Write,
    )


class Connector(Protocol):
    """One system on the wire; nobody else knows its protocol.

    Raises ``SystemUnavailableError`` when the system stayed away longer than its time allowed,
    refused us, or answered what cannot be understood, and nothing else: what befalls one record
    is an ``Outcome``, a value.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the system can do."""
        ...

    async def describe(self, entities: Sequence[str]) -> Sequence[EntityType]:
        """Return the type of each entity, in the order asked; unknown ones are left out."""
        ...

    # `def`, not `async def`: it hands over the iterator and awaits nothing itself.
    def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the rows asked for, page by page. A row that moves while paging may come twice."""
        ...

    async def count(self, entity: str) -> int | None:
        """Return how many rows an entity has in all; ``None`` where the system cannot tell."""
        ...

    def explain(self, query: WireQuery) -> str:
        """Say how ``pages`` would ask, as the first request it would send; without secrets."""
        ...

    async def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Send all and return one outcome for each, in its order. Never sends one twice blindly."""
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...


class Tracking(Connector, Protocol):
    """A connector to a system that keeps track of changes, for entities that are ``tracked``."""

    def changes(self, query: WireQuery, token: str) -> AsyncIterator[Changes]:
        """Yield what changed since the token was given, and a new token at the end.

        Without token, or with one that the system does not know any more, all records come. The
        query names entity and fields alone: what is filtered out may have been there before.
        """
        ...


class Introduced(Connector, Protocol):
    """A connector that people can ask about its system; no run needs these answers.

    Raises as ``Connector`` does.
    """

    async def greet(self) -> Greeting:
        """Say who and where we are."""
        ...

    async def entities(self) -> Sequence[str]:
        """Name all entities, as mappings name them."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A connector that counts the requests it sent, those that were tried again as well."""

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        ...
