"""Dynamics NAV 2018 by OData V4: published pages of one company (protocols B)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from runner.connectors.line.http import Request
from runner.connectors.line.pace import Pace
from runner.connectors.microsoft import nav_server
from runner.connectors.odata import language as odata
from runner.connectors.odata.rows import decoded
from runner.connectors.odata.service import Service
from runner.errors import nearest
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from runner.connectors.line.http import Client, Credentials, Reply, Transport
    from runner.connectors.line.patience import Patience, Sleep
    from runner.connectors.odata.batch import Form
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.csdl import EntitySet, Property
    from runner.connectors.odata.edm import Table
    from runner.connectors.odata.rows import Check
    from runner.connectors.problems import Fault
    from runner.wire import Outcome, Value, WireQuery, Write

PACE = Pace(concurrency=2)
"""Writers of one table block each other, and every request opens the company anew (B6)."""

_OVERLAP = timedelta(days=1)
"""How far a date of change may lag: some are local dates, some UTC (B7, D17)."""

_NAV_TYPES: Mapping[tuple[Type, str], Type] = {
    (Type.TEXT, "Code"): Type.CODE,
    (Type.TEXT, "Enum"): Type.OPTION,
    (Type.TEXT, "Option"): Type.OPTION,
    (Type.INSTANT, "Date"): Type.DATE,
}
"""What ``NAV.NavType`` adds to the type that a property has on the wire (B2)."""


class Nav(Service):
    """A ``Connector`` to one company of NAV, which is named in every single request."""

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
            NavProfile(company=company),
            pace,
            transport_factory=transport_factory,
            patience=patience,
            sleep=sleep,
        )


class _Company(msgspec.Struct):
    name: str = msgspec.field(name="Name")


class _Companies(msgspec.Struct):
    value: list[_Company]


_COMPANIES = msgspec.json.Decoder(_Companies)


@dataclass(frozen=True, slots=True, kw_only=True)
class NavProfile:
    """Keys come from number series, or from the record; no ``$batch``, no upsert (B6, F10)."""

    company: str
    headers: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)
    client_keys: bool = False
    batch: Form | None = None
    stamps: Sequence[str] = (
        "Last_Modified_Date_Time",
        "Last_DateTime_Modified",
        "Last_Date_Modified",
    )
    labels: Sequence[str] = ("Name", "Description")

    async def root(self, client: Client, base: str) -> str:
        """Make sure that the company exists, under exactly this name (B1, D22)."""
        request = Request(
            method="GET", url=f"{base}/Company", headers=odata.HEADERS, about="Company"
        )
        told = await client.read(request, lambda content: decoded(content, _COMPANIES))
        names = [company.name for company in told.value]
        if self.company not in names:
            raise client.unavailable(
                f"there is no company '{self.company}'",
                hint=nearest(self.company, names) or f"there is: {', '.join(names)}",
            )
        return f"{base}/Company({odata.text(self.company, safe='')})"

    def where(self) -> str:
        """Name the company."""
        return f"company {self.company}"

    def followed(self, base: str, collection: str, link: str) -> str:
        """Go on at the server we know: links may hold a name that only its own network knows."""
        del base
        return odata.rerooted(collection, link)

    def kind(self, told: Property, kind: Type) -> Type | None:
        """Believe what the page notes; ``ETag`` is none of its fields."""
        if told.name == "ETag":
            return None
        noted = told.notes.get("NAV.NavType", "").rpartition("/")[2]
        return _NAV_TYPES.get((kind, noted), kind)

    def settable(self, told: Property, within: EntitySet) -> tuple[bool, bool]:
        """Leave alone what the page only shows (B2)."""
        del within
        notes = told.notes
        edit = notes.get("NAV.AllowEdit") != "false" and notes.get("NAV.IsReadOnly") != "true"
        return edit, edit

    def required(self, told: Property) -> bool:
        """Believe what the page notes."""
        return told.notes.get("NAV.IsRequired") == "true"

    def conditions(self, query: WireQuery, table: Table) -> tuple[Sequence[str], Sequence[Check]]:
        """Ask as NAV understands it."""
        asked, checks = nav_server.conditions(query, table)
        if query.since is not None and table.type.modified:
            asked.append(_since(query.since, table.columns[table.type.modified]))
        return asked, checks

    def body(self, column: Column, value: Value) -> Any:
        """Write nothing as NAV writes it."""
        return nav_server.body(column, value)

    def refused(self, write: Write, fault: Fault) -> Outcome:
        """Judge by status, code and message."""
        return nav_server.refused(write, fault)

    def held_off(self, reply: Reply) -> bool:
        """Come again where others held the table."""
        return nav_server.locked(reply)


def _since(since: datetime, column: Column) -> str:
    """Ask for what changed, and for what has no date yet: new records of some tables (D18)."""
    utc = since.astimezone(UTC) if since.tzinfo else since
    never: Value = nav_server.BLANKS[column.type]
    from_then: Value = utc if column.type is Type.INSTANT else (utc - _OVERLAP).date()
    return (
        f"({column.select}%20ge%20{odata.literal(from_then, column)}"
        f"%20or%20{column.select}%20eq%20{odata.literal(never, column)})"
    )
