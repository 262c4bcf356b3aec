"""Any OData V4 service: what the standard says, and no more (OASIS OData 4.01, parts 1 and 2)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from runner.connectors.line.pace import Pace
from runner.connectors.odata import language as odata
from runner.connectors.odata.filtering import Asking, condition
from runner.connectors.odata.service import Service
from runner.wire import Drifted, Rejected, Type, Unknown, WriteKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.connectors.line.http import Client, Credentials, Reply, Transport
    from runner.connectors.line.patience import Patience, Sleep
    from runner.connectors.odata.batch import Form
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.csdl import EntitySet, Property
    from runner.connectors.odata.edm import Table
    from runner.connectors.odata.rows import Check
    from runner.connectors.problems import Fault
    from runner.wire import Outcome, Value, WireQuery, Write

_OVERLAP = timedelta(minutes=5)
"""How far a moment of change may lag behind the end of its transaction (D14, D15)."""

PACE = Pace(concurrency=4, together=20)

_CORE, _CAPABILITIES = "Org.OData.Core.V1", "Org.OData.Capabilities.V1"
_EXISTS = re.compile(r"already exist|duplicate|unique constraint", re.IGNORECASE)
_TEXTS = frozenset({Type.TEXT, Type.CODE, Type.OPTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a service does not say of itself.

    ``client_keys``: keys may be chosen by us, as GUIDs. ``batch``: how it takes several writes in
    one request; ``None``: not at all. ``modified`` names the field that tells of changes.
    """

    client_keys: bool = False
    batch: Form | None = None
    modified: str = ""


class OData(Service):
    """A ``Connector`` to any OData V4 service."""

    def __init__(
        self,
        name: str,
        base_url: str,
        credentials: Credentials | None,
        *,
        habits: Habits,
        pace: Pace = PACE,
        transport_factory: Transport | None = None,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__(
            name,
            base_url,
            credentials,
            ODataProfile(habits=habits),
            pace,
            transport_factory=transport_factory,
            patience=patience,
            sleep=sleep,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ODataProfile:
    """What holds for every service."""

    habits: Habits
    headers: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ("name", "Name", "displayName", "title", "Title", "description")

    @property
    def client_keys(self) -> bool:
        """As its author says."""
        return self.habits.client_keys

    @property
    def batch(self) -> Form | None:
        """As its author says."""
        return self.habits.batch

    @property
    def stamps(self) -> Sequence[str]:
        """As its author says; else what most frameworks call it."""
        own = (self.habits.modified,) if self.habits.modified else ()
        return (*own, "modifiedAt", "ModifiedAt", "lastModifiedDateTime")

    async def root(self, client: Client, base: str) -> str:
        """Take the address as it is."""
        del client
        return base

    def where(self) -> str:
        """Name nothing but the address."""
        return ""

    def followed(self, base: str, collection: str, link: str) -> str:
        """Follow the link as it is, but nowhere else with our credentials (D36, D37)."""
        del collection
        return odata.same_origin(base, link)

    def kind(self, told: Property, kind: Type) -> Type | None:
        """Take the types as they stand."""
        del told
        return kind

    def settable(self, told: Property, within: EntitySet) -> tuple[bool, bool]:
        """Believe the vocabularies: computed, immutable, read-only; sets that take nothing."""
        notes = {**told.notes}
        computed = notes.get(f"{_CORE}.Computed") == "true"
        only_read = notes.get(f"{_CORE}.Permissions", "").endswith("/Read")
        insertable = within.notes.get(f"{_CAPABILITIES}.InsertRestrictions/Insertable") != "false"
        updatable = within.notes.get(f"{_CAPABILITIES}.UpdateRestrictions/Updatable") != "false"
        edit = not computed and not only_read
        return edit and insertable, edit and updatable and (
            notes.get(f"{_CORE}.Immutable") != "true"
        )

    def required(self, told: Property) -> bool:
        """Believe what has no null and no value of its own."""
        filled = any(
            told.notes.get(f"{_CORE}.{term}") == "true"
            for term in ("Computed", "ComputedDefaultValue")
        )
        return not told.nullable and not filled and not told.default and "/" not in told.name

    def conditions(self, query: WireQuery, table: Table) -> tuple[Sequence[str], Sequence[Check]]:
        """Ask what the standard defines; what is blank as a text has two forms, null and empty."""
        asked, checks = list(condition(query, asking(table.columns))), []
        if query.keys:
            asked.append(odata.one_of(table.key, query.keys))
        for name, value in query.where:
            column = table.columns[name]
            blank = value is None and column.type in _TEXTS
            if blank or not column.askable or not odata.fits(value):
                checks.append(odata.equals(column, value))
            else:
                asked.append(odata.is_equal(column, value))
        if query.since is not None and table.type.modified:
            column = table.columns[table.type.modified]
            utc = query.since.astimezone(UTC) if query.since.tzinfo else query.since
            then = utc - _OVERLAP
            from_then: Value = then if column.type is Type.INSTANT else then.date()
            asked.append(f"{column.property}%20ge%20{odata.literal(from_then, column)}")
        return asked, checks

    def body(self, column: Column, value: Value) -> Any:
        """Write values as JSON has them."""
        if column.number and value is not None:
            return int(str(odata.json_value(value)))
        return odata.json_value(value)

    def refused(self, write: Write, fault: Fault) -> Outcome:
        """Judge by status; of duplicates servers tell in words alone."""
        code, message = fault.code, fault.message or fault.words
        creating = write.kind is WriteKind.CREATE
        there = creating and write.key is not None and bool(_EXISTS.search(f"{code} {message}"))
        match fault.status:
            case _ if there:
                return Rejected(code=code, message=message, duplicate=True)
            case HTTPStatus.PRECONDITION_FAILED if not creating:
                return Drifted(message=message)
            case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
                return Rejected(code=code, message=message, missing=not creating)
            case HTTPStatus.REQUEST_TIMEOUT:
                return Unknown(message=fault.words)
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                known = status == HTTPStatus.NOT_IMPLEMENTED
                told = Rejected(code=code, message=message)
                return told if known else Unknown(message=fault.words)
            case _:
                return Rejected(code=code, message=message)

    def held_off(self, reply: Reply) -> bool:
        """Believe the status alone."""
        del reply
        return False


def asking(columns: Mapping[str, Column]) -> Asking:
    """Say what any service can be asked: nulls as they are; a blank text is null or empty."""
    blanks = dict.fromkeys(set(Type) - _TEXTS)
    return Asking(columns=columns, wild=frozenset(), blanks=blanks, or_across=True)
