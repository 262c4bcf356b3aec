"""What tells one kind of OData service from another: everything else they share (``service``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runner.connectors.odata.edm import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from runner.connectors.line.http import Client, Reply
    from runner.connectors.odata.batch import Form
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.edm import Table
    from runner.connectors.odata.rows import Check
    from runner.connectors.problems import Fault
    from runner.wire import Outcome, Value, WireQuery, Write


class Profile(Reading, Protocol):
    """One kind of service: how it means its metadata, its answers, and what it wants to hear."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes along with every request."""
        ...

    @property
    def reading(self) -> Mapping[str, str]:
        """What goes along with every request for rows."""
        ...

    @property
    def client_keys(self) -> bool:
        """As ``wire.Capabilities``."""
        ...

    @property
    def batch(self) -> Form | None:
        """How several writes travel in one request; ``None``: each in its own."""
        ...

    async def root(self, client: Client, base: str) -> str:
        """Return the address that entity sets stand below, sure to be the one that is meant.

        Raises:
            SystemUnavailableError: there is none.

        """
        ...

    def where(self) -> str:
        """Name what is below the address, for people: the company, or nothing."""
        ...

    def followed(self, base: str, collection: str, link: str) -> str:
        """Return the address of the next page. Raises ``ValueError`` where it must not be."""
        ...

    def conditions(self, query: WireQuery, table: Table) -> tuple[Sequence[str], Sequence[Check]]:
        """Say what the server is asked, and what is checked here because it cannot be."""
        ...

    def body(self, column: Column, value: Value) -> Any:
        """Return a value as it stands in a body."""
        ...

    def refused(self, write: Write, fault: Fault) -> Outcome:
        """Say what the refusal of a write means."""
        ...

    def held_off(self, reply: Reply) -> bool:
        """Whether others were in the way (locks): nothing was done, and it may go well soon."""
        ...
