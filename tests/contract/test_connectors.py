"""What every connector promises, one suite for all of them, over the real sandboxes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest

from runner import sandbox
from runner.connectors.dataverse import Dataverse
from runner.connectors.http import Credentials
from runner.connectors.nav import Nav
from runner.connectors.secret import Secret
from runner.errors import SystemUnavailableError
from runner.wire import (
    Drifted,
    Page,
    Reference,
    Rejected,
    Type,
    Unknown,
    WireQuery,
    Write,
    WriteKind,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from runner.connectors.protocol import Connector
    from runner.wire import Outcome

T = TypeVar("T")
COMPANY = "CRONUS International Ltd."
USER = "00000000-0000-4000-8000-0000000000b0"
KEYS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 6)]


class Wire(httpx.AsyncBaseTransport):
    """The way to a sandbox, which may break: ``faults`` act on requests in their order."""

    def __init__(self, app: Any, faults: list[Callable[[httpx.Request], Any]]) -> None:
        self._inner = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._faults = faults
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        fault = self._faults.pop(0) if self._faults else None
        told = fault(request) if fault else None
        if isinstance(told, httpx.Response):
            return told
        if isinstance(told, Exception):
            raise told
        response = await self._inner.handle_async_request(request)
        if told == "lose the answer":
            raise httpx.ReadError("connection reset")
        if told == "cut it short":
            content = await response.aread()
            return httpx.Response(response.status_code, content=content[: len(content) // 2])
        return response


@dataclass(frozen=True, slots=True)
class Kind:
    """One connector under test: its entity, and what its fields are called."""

    name: str
    entity: str
    key: str
    text: str
    number: str
    longest: int

    def connector(self, folder: Path, wire: Callable[[Any], Wire]) -> Connector:
        async def no_sleep(_: float) -> None:
            return None

        if self.name == "nav":
            app = sandbox.nav(folder / "nav.sqlite", seed=folder / "seed", page_size=2)
            return Nav(
                "nav",
                f"http://sandbox{sandbox.NAV_PATH}",
                COMPANY,
                Credentials(user=sandbox.USER, password=Secret(sandbox.PASSWORD)),
                transport_factory=lambda: wire(app),
                **_waiting(no_sleep),
            )
        app = sandbox.dataverse(folder / "crm.sqlite", seed=folder / "seed")
        return Dataverse(
            "crm",
            "http://sandbox",
            Credentials(token=Secret(sandbox.TOKEN)),
            page_size=2,
            transport_factory=lambda: wire(app),
            **_waiting(no_sleep),
        )


def _waiting(sleep: Callable[[float], Awaitable[None]]) -> dict[str, Any]:
    return {"sleep": sleep}


NAV = Kind("nav", "Customer", "No", "Name", "Credit_Limit_LCY", 50)
CRM = Kind("crm", "accounts", "accountid", "name", "creditlimit", 160)
EACH = pytest.mark.parametrize("kind", [NAV, CRM], ids=["nav", "dataverse"])


@dataclass(slots=True)
class Bench:
    """A connector on its wire, with five records behind it."""

    kind: Kind
    folder: Path
    faults: list[Callable[[httpx.Request], Any]]
    wires: list[Wire]

    def run(self, act: Callable[[Connector], Awaitable[T]]) -> T:
        async def walk() -> T:
            async with self.open() as connector:
                return await act(connector)

        return asyncio.run(walk())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Connector]:
        def wire(app: Any) -> Wire:
            self.wires.append(Wire(app, self.faults))
            return self.wires[-1]

        connector = self.kind.connector(self.folder, wire)
        try:
            yield connector
        finally:
            await connector.close()

    def rows(self, **more: Any) -> list[tuple[str, Any]]:
        query = WireQuery(entity=self.kind.entity, fields=(self.kind.key, self.kind.text), **more)

        async def read(connector: Connector) -> list[Page]:
            return [page async for page in connector.pages(query)]

        pages = self.run(read)
        return [
            (key, text)
            for page in pages
            for key, text in zip(page.keys, page.columns[self.kind.text], strict=True)
        ]

    def write(self, *writes: Write) -> list[Outcome]:
        async def send(connector: Connector) -> list[Outcome]:
            await connector.describe([write.entity for write in writes])
            self.faults[:] = self.later
            return list(await connector.write(writes))

        return self.run(send)

    @property
    def later(self) -> list[Callable[[httpx.Request], Any]]:
        """Faults that begin with the first write, whatever it takes to describe the entity."""
        return _LATER.get(id(self), [])

    def then(self, *faults: Callable[[httpx.Request], Any]) -> None:
        _LATER[id(self)] = list(faults)

    def create(self, key: str | None = None, **values: Any) -> Write:
        return Write(
            kind=WriteKind.CREATE,
            entity=self.kind.entity,
            key=key,
            values=values,
            returning=(self.kind.key, self.kind.text),
        )

    def update(self, key: str, etag: str | None = None, **values: Any) -> Write:
        return replace(self.create(key, **values), kind=WriteKind.UPDATE, etag=etag)


_LATER: dict[int, list[Callable[[httpx.Request], Any]]] = {}


@pytest.fixture
def bench(kind: Kind, tmp_path: Path) -> Bench:
    seed = tmp_path / "seed"
    seed.mkdir()
    names = ["Alpha", "O'Brien & Söhne", "Gamma", "東京", "Epsilon"]
    numbers = ["10", "A/B", "C 30", "40%", "50#"]
    (seed / "Customer.csv").write_text(
        "No,Name\n" + "".join(f"{k},{n}\n" for k, n in zip(numbers, names, strict=True))
    )
    (seed / "Salesperson.csv").write_text("Code,Name\nJO,Jo\n")
    (seed / "accounts.csv").write_text(
        "accountid,name\n" + "".join(f"{k},{n}\n" for k, n in zip(KEYS, names, strict=True))
    )
    (seed / "systemusers.csv").write_text(f"systemuserid,fullname\n{USER},Bob\n")
    return Bench(kind, tmp_path, [], [])


def first_key(bench: Bench) -> str:
    return bench.rows()[0][0]


@EACH
def test_an_entity_is_described(bench: Bench) -> None:
    async def describe(connector: Connector) -> Any:
        return await connector.describe([bench.kind.entity, "nonsense"])

    (found,) = bench.run(describe)
    assert (found.name, found.key) == (bench.kind.entity, bench.kind.key)
    text, number = found.fields[bench.kind.text], found.fields[bench.kind.number]
    assert (text.type, text.max_length) == (Type.TEXT, bench.kind.longest)
    assert number.type is Type.DECIMAL
    assert found.fields[bench.kind.key].type is (Type.CODE if bench.kind is NAV else Type.GUID)


@EACH
def test_all_rows_come_page_by_page_each_once(bench: Bench) -> None:
    rows = bench.rows()
    assert len(rows) == len(set(rows)) == 5
    assert {name for _, name in rows} >= {"O'Brien & Söhne", "東京"}


@EACH
def test_rows_are_found_by_what_they_hold(bench: Bench) -> None:
    assert [n for _, n in bench.rows(where=((bench.kind.text, "O'Brien & Söhne"),))] == [
        "O'Brien & Söhne"
    ]
    assert bench.rows(where=((bench.kind.text, "nobody"),)) == []


@EACH
def test_rows_changed_since(bench: Bench) -> None:
    assert bench.rows(since=datetime(2099, 1, 1, tzinfo=UTC)) == []
    bench.write(bench.update(first_key(bench), **{bench.kind.text: "New"}))
    assert [n for _, n in bench.rows(since=datetime(2020, 1, 1, tzinfo=UTC))] == ["New"]


@EACH
def test_a_record_is_created_changed_and_deleted(bench: Bench) -> None:
    key = None if bench.kind is NAV else KEYS[0].replace("1", "a")
    values = {bench.kind.text: 'New "x" 東', bench.kind.number: Decimal("12.5")}
    (made,) = bench.write(bench.create(key, **values))
    assert isinstance(made, Written)
    assert made.page is not None
    assert made.page.columns[bench.kind.text] == ['New "x" 東']
    (changed,) = bench.write(bench.update(made.key, made.page.etags[0], **{bench.kind.text: "B"}))
    assert isinstance(changed, Written)
    assert changed.page is not None
    assert changed.page.etags != made.page.etags
    gone = replace(bench.update(made.key), kind=WriteKind.DELETE, etag=changed.page.etags[0])
    assert isinstance(bench.write(gone)[0], Written)
    assert len(bench.rows()) == 5


@EACH
def test_a_blank_is_written_and_read_back_as_blank(bench: Bench) -> None:
    key = first_key(bench)
    (outcome,) = bench.write(bench.update(key, **{bench.kind.text: None, bench.kind.number: None}))
    assert isinstance(outcome, Written)
    assert outcome.page is not None
    assert outcome.page.columns[bench.kind.text] == ([""] if bench.kind is NAV else [None])


@EACH
def test_keys_of_every_spelling_can_be_written_to(bench: Bench) -> None:
    keys = [key for key, _ in bench.rows()]
    outcomes = bench.write(*(bench.update(key, **{bench.kind.text: f"n{key}"}) for key in keys))
    assert [type(outcome) for outcome in outcomes] == [Written] * 5
    assert {name for _, name in bench.rows()} == {f"n{key}" for key in keys}


@EACH
def test_a_record_that_moved_on_is_not_overwritten(bench: Bench) -> None:
    (outcome,) = bench.write(bench.update(first_key(bench), 'W/"1"', **{bench.kind.text: "x"}))
    assert isinstance(outcome, Drifted)


@EACH
def test_what_befalls_one_record_is_a_value_in_its_place(bench: Bench) -> None:
    key = first_key(bench)
    gone = "99" if bench.kind is NAV else KEYS[0].replace("1", "f")
    long = {bench.kind.text: "x" * 200}
    outcomes = bench.write(
        bench.update(key, **long), bench.create(key), bench.update(gone), bench.update(key)
    )
    too_long, twice, missing, fine = outcomes
    assert isinstance(too_long, Rejected)
    assert too_long.code in {"Application_StringExceededLength", "0x80044331"}
    assert isinstance(twice, Rejected)
    assert twice.duplicate
    assert isinstance(missing, Rejected)
    assert missing.missing
    assert isinstance(fine, Written)


@pytest.mark.parametrize("kind", [CRM])
def test_references_are_bound_and_unbound(bench: Bench) -> None:
    owner = replace(
        bench.update(KEYS[0], ownerid=Reference("systemusers", USER)),
        returning=("ownerid", "owneridtype"),
    )
    (outcome,) = bench.write(owner)
    assert isinstance(outcome, Written)
    assert outcome.page is not None
    assert outcome.page.columns == {"ownerid": [USER], "owneridtype": ["systemuser"]}
    parent = replace(
        bench.update(KEYS[0], parentaccountid=Reference("accounts", KEYS[1])),
        returning=("parentaccountid",),
    )
    (bound,) = bench.write(parent)
    (unbound,) = bench.write(replace(parent, values={"parentaccountid": None}))
    assert isinstance(bound, Written)
    assert isinstance(unbound, Written)
    assert bound.page is not None
    assert unbound.page is not None
    assert bound.page.columns == {"parentaccountid": [KEYS[1]]}
    assert unbound.page.columns == {"parentaccountid": [None]}


def busy(status: int, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, content=b"<html><title>Busy</title>")


def refused(_: httpx.Request) -> Exception:
    return httpx.ConnectError("refused")


def reset(_: httpx.Request) -> Exception:
    return httpx.ReadError("reset")


def lost(_: httpx.Request) -> str:
    return "lose the answer"


def cut(_: httpx.Request) -> str:
    return "cut it short"


def fine(_: httpx.Request) -> None:
    return None


@EACH
@pytest.mark.parametrize(
    "fault",
    [busy(429, Retry_After="1"), busy(503), busy(502), refused, reset, lost],
    ids=["429", "503", "502", "refused", "reset", "lost"],
)
def test_a_read_is_tried_again(bench: Bench, fault: Callable[[httpx.Request], Any]) -> None:
    bench.faults[:] = [fault, fault]
    assert len(bench.rows()) == 5


@EACH
def test_an_answer_cut_short_is_read_again(bench: Bench) -> None:
    async def read(connector: Connector) -> int:
        await connector.describe([bench.kind.entity])
        bench.faults[:] = [cut]
        query = WireQuery(entity=bench.kind.entity, fields=(bench.kind.text,))
        return sum([len(page.keys) async for page in connector.pages(query)])

    assert bench.run(read) == 5


@EACH
def test_a_server_that_stays_away_is_told_in_the_end(bench: Bench) -> None:
    bench.faults[:] = [refused] * 500
    with pytest.raises(SystemUnavailableError, match="did not answer within"):
        bench.rows()


@EACH
@pytest.mark.parametrize("fault", [busy(429, Retry_After="1"), busy(503, Retry_After="1"), refused])
def test_a_write_is_sent_again_where_it_surely_was_not_done(
    bench: Bench, fault: Callable[[httpx.Request], Any]
) -> None:
    key = first_key(bench)
    bench.then(fault)
    (outcome,) = bench.write(bench.update(key, **{bench.kind.text: "New"}))
    assert isinstance(outcome, Written)


@EACH
@pytest.mark.parametrize("fault", [lost, reset, busy(502), busy(504)])
def test_a_write_that_may_have_been_done_is_never_sent_again(
    bench: Bench, fault: Callable[[httpx.Request], Any]
) -> None:
    key = first_key(bench)
    bench.then(fault)
    (outcome,) = bench.write(bench.update(key, **{bench.kind.text: "New"}))
    assert isinstance(outcome, Unknown)
    sent = [r for wire in bench.wires for r in wire.requests if r.method == "PATCH"]
    assert len(sent) == 1


@EACH
def test_a_password_that_is_wrong_is_told_without_it(bench: Bench, tmp_path: Path) -> None:
    secret = Secret("s3cr3t-value")
    wire = Wire(
        sandbox.nav(tmp_path / "n.sqlite")
        if bench.kind is NAV
        else sandbox.dataverse(tmp_path / "c.sqlite"),
        [],
    )
    connector: Connector
    if bench.kind is NAV:
        connector = Nav(
            "nav",
            f"http://sandbox{sandbox.NAV_PATH}",
            COMPANY,
            Credentials(user="me", password=secret),
            transport_factory=lambda: wire,
        )
    else:
        connector = Dataverse(
            "crm", "http://sandbox", Credentials(token=secret), transport_factory=lambda: wire
        )

    async def describe() -> None:
        try:
            await connector.describe([bench.kind.entity])
        finally:
            await connector.close()

    with pytest.raises(SystemUnavailableError) as caught:
        asyncio.run(describe())
    assert "HTTP 401" in str(caught.value)
    assert "s3cr3t-value" not in f"{caught.value!r} {caught.value} {caught.value.hint} {secret!r}"


@pytest.mark.parametrize("kind", [NAV])
def test_a_company_that_does_not_exist_is_told_with_the_nearest(
    bench: Bench, tmp_path: Path
) -> None:
    app = sandbox.nav(tmp_path / "nav.sqlite")
    connector = Nav(
        "nav",
        f"http://sandbox{sandbox.NAV_PATH}",
        "CRONUS International",
        Credentials(user=sandbox.USER, password=Secret(sandbox.PASSWORD)),
        transport_factory=lambda: Wire(app, []),
    )

    async def describe() -> None:
        try:
            await connector.describe([bench.kind.entity])
        finally:
            await connector.close()

    with pytest.raises(SystemUnavailableError) as caught:
        asyncio.run(describe())
    assert "there is no company 'CRONUS International'" in str(caught.value)
    assert caught.value.hint == f"did you mean '{COMPANY}'?"


def test_plain_http_is_refused_where_the_network_would_see_the_password() -> None:
    credentials = Credentials(token=Secret("x"))
    with pytest.raises(SystemUnavailableError, match="plain http"):
        Dataverse("crm", "http://crm.example.com", credentials)


@EACH
def test_a_system_that_goes_away_in_the_middle_leaves_what_it_answered(bench: Bench) -> None:
    keys = [key for key, _ in bench.rows()]
    bench.then(fine, *[refused] * 500)
    outcomes = bench.write(*(bench.update(key, **{bench.kind.text: "New"}) for key in keys))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Unknown"] * 4 + ["Written"]


@EACH
def test_a_system_that_answers_no_write_at_all_is_told(bench: Bench) -> None:
    key = first_key(bench)
    bench.then(*[refused] * 500)
    with pytest.raises(SystemUnavailableError, match="did not answer within"):
        bench.write(bench.update(key, **{bench.kind.text: "New"}))
