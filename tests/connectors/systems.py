"""Both systems as tests meet them: the sandbox behind its connector, with faults where wanted."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from runner import sandbox
from runner.connectors.line.http import Credentials
from runner.connectors.line.pace import Pace
from runner.connectors.line.patience import Clock, Patience
from runner.connectors.line.secret import Secret
from runner.connectors.microsoft.business_central import BusinessCentral
from runner.connectors.microsoft.dataverse import Dataverse
from runner.connectors.microsoft.nav import Nav
from runner.sandbox.nav.manners import NavManners
from runner.wire import Outcome, Page, Value, WireQuery, Write, WriteKind, Written

if TYPE_CHECKING:
    from pathlib import Path

    from runner.connectors.protocol import Connector

Result = TypeVar("Result")
Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]
Fault = Callable[[httpx.Request, Answer], Awaitable[httpx.Response]]
Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]

COMPANY = "CRONUS O'Brien & Søn"
ALPHA = "aaaaaaaa-0000-4000-8000-000000000001"
JANE = "cccccccc-0000-4000-8000-000000000001"
TRICKY = "O'Brien & Söhne 100% #1 +/?=[x]"
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


@dataclass(slots=True)
class Time:
    """A clock that waiting moves on; ``slept`` are the waits."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.at)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, wall=self.wall, sleep=self.sleep, jitter=lambda: 0.0)


@dataclass(slots=True)
class Line(httpx.AsyncBaseTransport):
    """The line to a server: notes what passes, and fails where it is told to.

    ``faults`` meet the next requests in their order, whoever sends them.
    """

    inner: httpx.AsyncBaseTransport
    faults: list[Fault] = field(default_factory=list)
    passed: list[httpx.Request] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.passed.append(request)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await asyncio.sleep(0)
            if self.faults:
                return await self.faults.pop(0)(request, self.inner.handle_async_request)
            return await self.inner.handle_async_request(request)
        finally:
            self.busy -= 1

    @property
    def last(self) -> httpx.Request:
        return self.passed[-1]


async def dropped_before(request: httpx.Request, answer: Answer) -> httpx.Response:
    del answer
    raise httpx.ConnectError("connection refused", request=request)


async def dropped_after(request: httpx.Request, answer: Answer) -> httpx.Response:
    await answer(request)
    raise httpx.ReadError("connection reset", request=request)


async def truncated(request: httpx.Request, answer: Answer) -> httpx.Response:
    whole = await (await answer(request)).aread()
    return httpx.Response(200, content=whole[: len(whole) // 2])


async def emptied(request: httpx.Request, answer: Answer) -> httpx.Response:
    """Act, and answer 204 without a word, as some builds do."""
    done = await answer(request)
    return httpx.Response(204 if done.is_success else done.status_code)


def answering(
    status: int, content: bytes | str = b"", *, after: bool = False, **headers: str
) -> Fault:
    """Answer in the server's stead, before or after it acted."""

    async def fault(request: httpx.Request, answer: Answer) -> httpx.Response:
        if after:
            await answer(request)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(status, headers=named, content=content)

    return fault


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What the contract needs to know of one system, to ask the same of all of them.

    ``fresh`` makes a write that creates a record, with a key or without; ``blanks`` are fields with
    a value and what they hold when emptied.
    """

    name: str
    entity: str
    key: str
    keys: tuple[str, ...]
    text: str
    amount: str
    other: str
    too_long: str
    blanks: Mapping[str, tuple[Value, object]]
    opened: Callable[..., tuple[Connector, Line, Time]]
    fresh: Callable[..., Write]

    def query(self, *fields: str, **options: Any) -> WireQuery:
        return WireQuery(entity=self.entity, fields=fields or (self.key, self.text), **options)

    def update(self, key: str, etag: str | None = None, /, **values: Value) -> Write:
        return Write(
            kind=WriteKind.UPDATE,
            entity=self.entity,
            key=key,
            etag=etag,
            values=values,
            returning=(self.key, *values),
        )

    def delete(self, key: str, etag: str | None = None) -> Write:
        return Write(kind=WriteKind.DELETE, entity=self.entity, key=key, etag=etag)


async def rows(connector: Connector, query: WireQuery) -> dict[str, dict[str, object]]:
    """Everything a query finds, by key."""
    found: dict[str, dict[str, object]] = {}
    async for page in connector.pages(query):
        for n, key in enumerate(page.keys):
            found[key] = {name: column[n] for name, column in page.columns.items()}
    return found


async def one(connector: Connector, write: Write) -> Outcome:
    [outcome] = await connector.write([write])
    return outcome


async def written(connector: Connector, write: Write) -> tuple[Written, Page]:
    outcome = await one(connector, write)
    assert isinstance(outcome, Written), outcome
    assert outcome.page is not None
    assert len(outcome.page.keys) == len(outcome.page.etags) == 1
    return outcome, outcome.page


def seeded(folder: Path, **tables: Sequence[Mapping[str, str]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, records in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            names = list(dict.fromkeys(name for record in records for name in record))
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(records)
    return folder


def crm(
    folder: Path, wrap: Wrap = lambda inner: inner, **options: Any
) -> tuple[Connector, Line, Time]:
    """An organisation of seven accounts and a contact, two rows a page."""
    seed = seeded(
        folder / "seed",
        systemusers=[{"systemuserid": ALPHA[:-1] + "9", "fullname": "Ann", "domainname": "ann"}],
        accounts=[
            {"accountid": f"{ALPHA[:-1]}{n}", "name": f"Account {n}", "creditlimit": f"{n}00.5"}
            for n in range(1, 8)
        ],
        contacts=[
            {
                "contactid": JANE,
                "firstname": "Jane",
                "lastname": "Doe",
                "parentcustomerid": ALPHA,
                "parentcustomeridtype": "account",
            }
        ],
    )
    told = {name: options.pop(name) for name in ("manners", "now") if name in options}
    app = sandbox.dataverse(folder / "crm.sqlite", seed=seed, **told)
    time, line = Time(), Line(wrap(httpx.ASGITransport(app=app, raise_app_exceptions=False)))
    pace = Pace(**{"concurrency": 8, "page_size": 2, **options.pop("pace", {})})
    known = Credentials(token=Secret(sandbox.TOKEN))
    options = {"pace": pace, "credentials": known, **options}
    made = Dataverse(
        "crm",
        "http://crm.example",
        transport_factory=lambda: line,
        sleep=time.sleep,
        patience=Patience(total=100),
        **options,
    )
    return made, line, time


def nav(
    folder: Path, wrap: Wrap = lambda inner: inner, **options: Any
) -> tuple[Connector, Line, Time]:
    """A company of seven customers, two rows a page."""
    seed = seeded(
        folder / "seed",
        Salesperson=[{"Code": "JO", "Name": "Jo"}],
        Customer=[
            {"No": f"C0000{n}", "Name": f"Customer {n}", "Credit_Limit_LCY": f"{n}00.5"}
            for n in range(1, 8)
        ],
    )
    manners = options.pop("manners", NavManners(most_rows=2))
    told = {"now": options.pop("now")} if "now" in options else {}
    app = sandbox.nav(folder / "nav.sqlite", seed=seed, company=COMPANY, manners=manners, **told)
    time, line = Time(), Line(wrap(httpx.ASGITransport(app=app, raise_app_exceptions=False)))
    known = Credentials(user=sandbox.USER, password=Secret(sandbox.PASSWORD))
    pace = Pace(**{"concurrency": 2, **options.pop("pace", {})})
    options = {"pace": pace, "credentials": known, "company": COMPANY, **options}
    made = Nav(
        "nav",
        f"http://nav.example{sandbox.NAV_PATH}",
        transport_factory=lambda: line,
        sleep=time.sleep,
        patience=Patience(total=100),
        **options,
    )
    return made, line, time


def bc(
    folder: Path, wrap: Wrap = lambda inner: inner, **options: Any
) -> tuple[Connector, Line, Time]:
    """A company of seven customers, two rows a page."""
    seed = seeded(
        folder / "seed",
        salespeoplePurchasers=[{"code": "JO", "displayName": "Jo"}],
        customers=[
            {
                "id": f"{ALPHA[:-1]}{n}",
                "number": f"C0000{n}",
                "displayName": f"Customer {n}",
                "creditLimit": f"{n}00.5",
            }
            for n in range(1, 8)
        ],
    )
    told = {name: options.pop(name) for name in ("manners", "now") if name in options}
    app = sandbox.business_central(folder / "bc.sqlite", seed=seed, company=COMPANY, **told)
    time, line = Time(), Line(wrap(httpx.ASGITransport(app=app, raise_app_exceptions=False)))
    pace = Pace(**{"concurrency": 4, "page_size": 2, "together": 1, **options.pop("pace", {})})
    known = Credentials(token=Secret(sandbox.TOKEN))
    options = {"pace": pace, "credentials": known, "company": COMPANY, **options}
    made = BusinessCentral(
        "bc",
        f"http://bc.example{sandbox.BUSINESS_CENTRAL_PATH}",
        transport_factory=lambda: line,
        sleep=time.sleep,
        **{"patience": Patience(total=100), **options},
    )
    return made, line, time


def _entry(key: str | None = None, **values: Value) -> Write:
    return Write(
        kind=WriteKind.CREATE,
        entity="customers",
        key=key,
        values={"displayName": "New", **values},
        returning=("id", "displayName", *values),
    )


def _account(key: str | None = None, **values: Value) -> Write:
    return Write(
        kind=WriteKind.CREATE,
        entity="accounts",
        key=key,
        values={"name": "New", **values},
        returning=("accountid", "name", *values),
    )


def _customer(key: str | None = None, **values: Value) -> Write:
    return Write(
        kind=WriteKind.CREATE,
        entity="Customer",
        key=key,
        values={"Name": "New", **values},
        returning=("No", "Name", *values),
    )


CRM = System(
    name="crm",
    entity="accounts",
    key="accountid",
    keys=tuple(f"{ALPHA[:-1]}{n}" for n in range(1, 8)),
    text="name",
    amount="creditlimit",
    other="BBBBBBBB-0000-4000-8000-00000000000B",
    too_long="0x80044331",
    blanks={
        "telephone1": ("1", None),
        "creditlimit": (Decimal("5.25"), None),
        "accountcategorycode": (1, None),
        "address1_latitude": (Decimal("1.5"), None),
    },
    opened=crm,
    fresh=_account,
)
NAV = System(
    name="nav",
    entity="Customer",
    key="No",
    keys=tuple(f"C0000{n}" for n in range(1, 8)),
    text="Name",
    amount="Credit_Limit_LCY",
    other="O'B/1 #%&+Ä",
    too_long="Application_StringExceededLength",
    blanks={
        "Phone_No": ("1", ""),
        "Credit_Limit_LCY": (Decimal("5.25"), "0"),
        "Blocked": ("Ship", " "),
        "Privacy_Blocked": (True, False),
        "Salesperson_Code": ("JO", ""),
    },
    opened=nav,
    fresh=_customer,
)
BC = System(
    name="bc",
    entity="customers",
    key="id",
    keys=tuple(f"{ALPHA[:-1]}{n}" for n in range(1, 8)),
    text="displayName",
    amount="creditLimit",
    other="BBBBBBBB-0000-4000-8000-00000000000B",
    too_long="Application_StringExceededLength",
    blanks={
        "phoneNumber": ("1", ""),
        "creditLimit": (Decimal("5.25"), "0"),
        "blocked": ("Ship", "_x0020_"),
        "taxLiable": (True, False),
        "salespersonCode": ("JO", ""),
    },
    opened=bc,
    fresh=_entry,
)
