"""Business Central by its API v2.0: entities of one company (protocols C)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from runner.connectors.line.http import Request
from runner.connectors.line.pace import Pace
from runner.connectors.microsoft import nav_server
from runner.connectors.odata import language as odata
from runner.connectors.odata.batch import Form
from runner.connectors.odata.rows import decoded
from runner.connectors.odata.service import Service
from runner.errors import nearest
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.connectors.line.http import Client, Credentials, Reply, Transport
    from runner.connectors.line.patience import Patience, Sleep
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.csdl import EntitySet, Property
    from runner.connectors.odata.edm import Table
    from runner.connectors.odata.rows import Check
    from runner.connectors.problems import Fault
    from runner.wire import Outcome, Value, WireQuery, Write

_OVERLAP = timedelta(minutes=5)
"""How far a moment of change may lag behind the end of its transaction (D14, D15)."""

PACE = Pace(concurrency=4, page_size=20_000, together=20)
"""Five requests a user are worked on at a time, and one of them should be free for people (C6)."""

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OPTIONS = frozenset({"blocked", "type", "status", "contactBusinessRelation"})
"""Fields of API v2.0 that hold one of a few words, whatever ``$metadata`` says of them (D25)."""
_COMPUTED = frozenset({"lastModifiedDateTime"})


class BusinessCentral(Service):
    """A ``Connector`` to one company; ``company`` is its name or its id."""

    def __init__(
        self,
        name: str,
        base_url: str,
        company: str,
        credentials: Credentials | None,
        *,
        pace: Pace = PACE,
        transport_factory: Transport | None = None,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__(
            name,
            base_url,
            credentials,
            BusinessCentralProfile(company=company),
            pace,
            transport_factory=transport_factory,
            patience=patience,
            sleep=sleep,
        )


class _Company(msgspec.Struct):
    id: str
    name: str = ""


class _Companies(msgspec.Struct):
    value: list[_Company]


_COMPANIES = msgspec.json.Decoder(_Companies)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessCentralProfile:
    """Ids are ours to choose, so that no create can happen twice (C2).

    Words of options and errors come in the language asked for (D25).
    """

    company: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"Accept-Language": "en-US"})
    reading: Mapping[str, str] = field(default_factory=dict)
    client_keys: bool = True
    batch: Form | None = Form.JSON
    stamps: Sequence[str] = ("lastModifiedDateTime",)
    labels: Sequence[str] = ("displayName", "name", "number", "code")

    async def root(self, client: Client, base: str) -> str:
        """Look the company up: its id differs from one environment to the next (C7)."""
        url = f"{base}/companies?$select=id,name"
        request = Request(method="GET", url=url, headers=odata.HEADERS, about="companies")
        told = await client.read(request, lambda content: decoded(content, _COMPANIES))
        wanted = self.company.lower() if _GUID.fullmatch(self.company) else None
        for company in told.value:
            if company.id.lower() == wanted or (wanted is None and company.name == self.company):
                return f"{base}/companies({company.id})"
        names = [company.name for company in told.value]
        raise client.unavailable(
            f"there is no company '{self.company}'",
            hint=nearest(self.company, names) or f"there is: {', '.join(names)}",
        )

    def where(self) -> str:
        """Name the company."""
        return f"company {self.company}"

    def followed(self, base: str, collection: str, link: str) -> str:
        """Go on at the server we know: on premises, links may hold a name of its own network."""
        del base
        return odata.rerooted(collection, link)

    def kind(self, told: Property, kind: Type) -> Type | None:
        """Take the types as they stand, but for options that are described as texts (F)."""
        return Type.OPTION if kind is Type.TEXT and told.name in _OPTIONS else kind

    def settable(self, told: Property, within: EntitySet) -> tuple[bool, bool]:
        """Leave alone what the server computes, as far as it says so."""
        del within
        computed = told.name in _COMPUTED or told.notes.get("Org.OData.Core.V1.Computed") == "true"
        edit = not computed and told.notes.get("Microsoft.NAV.AllowEdit") != "false"
        return edit, edit

    def required(self, told: Property) -> bool:
        """Believe nothing: what has no null is not therefore required."""
        del told
        return False

    def conditions(self, query: WireQuery, table: Table) -> tuple[Sequence[str], Sequence[Check]]:
        """Ask as the server understands it."""
        asked, checks = nav_server.conditions(query, table)
        if query.since is not None and table.type.modified:
            column = table.columns[table.type.modified]
            utc = query.since.astimezone(UTC) if query.since.tzinfo else query.since
            asked.append(f"{column.select}%20ge%20{odata.literal(utc - _OVERLAP, column)}")
        return asked, checks

    def body(self, column: Column, value: Value) -> Any:
        """Write nothing as the server writes it."""
        return nav_server.body(column, value)

    def refused(self, write: Write, fault: Fault) -> Outcome:
        """Judge by status, code and message."""
        return nav_server.refused(write, fault)

    def held_off(self, reply: Reply) -> bool:
        """Come again where others held the table."""
        return nav_server.locked(reply)
