"""``connector: odata`` and a server that nobody here wrote."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from runner.connectors.line.pace import Pace
from runner.connectors.odata.batch import Form
from runner.connectors.odata.v4 import Habits, OData
from runner.wire import Drifted, Rejected, Type, Value, WireQuery, Write, WriteKind, Written
from tests.connectors.systems import TRICKY, one, rows, run, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


FIELDS = ("ID", "name", "credit", "active", "born", "seen", "open", "country_code")


@asynccontextmanager
async def connected(
    shop: str, batch: Form | None = None, *, together: int = 20
) -> AsyncIterator[OData]:
    pace = Pace(concurrency=2, together=together)
    habits = Habits(client_keys=True, batch=batch)
    connector = OData("shop", shop, None, habits=habits, pace=pace)
    try:
        yield connector
    finally:
        await connector.close()


def create(entity: str, key: str | None, /, **values: Value) -> Write:
    returning = tuple(values)
    return Write(kind=WriteKind.CREATE, entity=entity, key=key, values=values, returning=returning)


def update(entity: str, key: str, etag: str | None, /, **values: Value) -> Write:
    return Write(
        kind=WriteKind.UPDATE,
        entity=entity,
        key=key,
        etag=etag,
        values=values,
        returning=tuple(values),
    )


def test_the_double_is_none_of_ours(shop: str) -> None:
    told = httpx.get(f"{shop}/$metadata")
    assert told.status_code == 200
    assert "X-Powered-By" in told.headers
    made = httpx.post(f"{shop}/Countries", json={"code": "X1"})
    assert made.status_code == 201
    assert httpx.delete(f"{shop}/Countries('X1')").status_code == 204
    asked = {"requests": [{"id": "1", "method": "GET", "url": "Countries"}]}
    batch = httpx.post(f"{shop}/$batch", json=asked)
    assert [answer["status"] for answer in batch.json()["responses"]] == [200]


def test_types(shop: str) -> None:
    async def scenario() -> None:
        async with connected(shop) as connector:
            customers, prices = await connector.describe(["Customers", "Prices"])
            assert (customers.key, customers.modified, customers.label) == (
                "ID",
                "modifiedAt",
                "name",
            )
            assert customers.fields["country_code"].targets == ("Countries",)
            assert customers.fields["credit"].scale == 2
            assert customers.fields["name"].required
            assert not customers.fields["modifiedAt"].on_create
            assert not customers.fields["version"].on_update
            assert prices.key == "item,qty,day"
            assert prices.fields["amount"].type is Type.DECIMAL
            assert await connector.entities() == ["Countries", "Customers", "Prices"]

    run(scenario())


def test_values_of_every_type_come_back(shop: str) -> None:
    async def scenario() -> None:
        async with connected(shop) as connector:
            key = str(uuid4())
            await written(connector, create("Countries", "D/E", name="Germany"))
            values: Mapping[str, Value] = {
                "name": TRICKY,
                "credit": Decimal("12345678901.25"),
                "active": False,
                "born": date(2020, 2, 29),
                "seen": datetime(2026, 8, 1, 10, 2, 11, tzinfo=UTC),
                "open": "09:30:00",
                "country_code": "D/E",
            }
            outcome, page = await written(connector, create("Customers", key, **values))
            assert outcome.key == key
            assert page.etags[0]
            found = (await rows(connector, WireQuery(entity="Customers", fields=FIELDS)))[key]
            assert found == {
                "ID": key,
                **values,
                "credit": "12345678901.25",
                "born": "2020-02-29",
                "seen": "2026-08-01T10:02:11Z",
            }
            for name in ("name", "credit", "active", "born", "seen", "country_code"):
                query = WireQuery(
                    entity="Customers", fields=("ID",), where=((name, values[name]), ("ID", key))
                )
                assert list(await rows(connector, query)) == [key], name
            blank = dict.fromkeys(("credit", "born", "seen", "open", "country_code"))
            _, page = await written(connector, update("Customers", key, None, **blank))
            assert {name: column[0] for name, column in page.columns.items()} == blank

    run(scenario())


@pytest.mark.parametrize("key", ["plain", "O'B", "a/b", "50%", "#1&2", "a b", "å+ö", "x=y,z"])
def test_keys_of_every_kind(shop: str, key: str) -> None:
    async def scenario() -> None:
        async with connected(shop) as connector:
            outcome, _ = await written(connector, create("Countries", key, code=key, name="N"))
            assert outcome.key == key
            duplicate = await one(connector, create("Countries", key, code=key))
            assert isinstance(duplicate, Rejected)
            assert duplicate.duplicate
            await written(connector, update("Countries", key, None, name="M"))
            query = WireQuery(entity="Countries", fields=("name",), keys=(key,))
            assert await rows(connector, query) == {key: {"name": "M"}}
            gone = Write(kind=WriteKind.DELETE, entity="Countries", key=key)
            assert isinstance(await one(connector, gone), Written)
            missing = await one(connector, update("Countries", key, None, name="M"))
            assert isinstance(missing, Rejected)
            assert missing.missing

    run(scenario())


def test_a_key_of_several_fields(shop: str) -> None:
    async def scenario() -> None:
        async with connected(shop) as connector:
            values: Mapping[str, Value] = {"item": "O'B/1", "qty": 7, "day": date(2026, 8, 1)}
            made = create("Prices", None, **values, amount=Decimal("1.5"))
            outcome, _ = await written(connector, made)
            assert outcome.key == "item='O''B/1',qty=7,day=2026-08-01"
            price = update("Prices", outcome.key, None, amount=Decimal("2.25"))
            await written(connector, price)
            query = WireQuery(
                entity="Prices", fields=("amount", "item,qty,day"), keys=(outcome.key,)
            )
            expected = {"amount": "2.25", "item,qty,day": outcome.key}
            assert await rows(connector, query) == {outcome.key: expected}

    run(scenario())


def test_a_record_that_moved_on_is_not_written(shop: str) -> None:
    async def scenario() -> None:
        async with connected(shop) as connector:
            key = str(uuid4())
            _, page = await written(connector, create("Customers", key, name="A"))
            _, moved = await written(connector, update("Customers", key, page.etags[0], name="B"))
            assert moved.etags[0] != page.etags[0]
            stale = await one(connector, update("Customers", key, page.etags[0], name="C"))
            assert isinstance(stale, Drifted)

    run(scenario())


@pytest.mark.parametrize("form", [None, Form.JSON, Form.MULTIPART])
def test_many_writes(shop: str, form: Form | None) -> None:
    """Each write of a batch has its own outcome; pages are followed by the server's links."""

    async def scenario() -> None:
        async with connected(shop, form, together=5) as connector:
            before = await connector.count("Customers") or 0
            keys = [str(uuid4()) for _ in range(12)]
            batch = [create("Customers", key, name=f"N{n}") for n, key in enumerate(keys)]
            bad = create("Customers", str(uuid4()), name="x" * 51)
            outcomes = await connector.write([*batch[:6], bad, batch[0], *batch[6:]])
            assert [type(outcome) for outcome in outcomes] == [
                *[Written] * 6,
                Rejected,
                Rejected,
                *[Written] * 6,
            ]
            done = [outcome for outcome in outcomes if isinstance(outcome, Written)]
            assert [outcome.key for outcome in done] == keys
            assert [o.page.columns["name"] for o in done if o.page] == [
                [f"N{n}"] for n in range(12)
            ]
            refused = outcomes[7]
            assert isinstance(refused, Rejected)
            assert refused.duplicate
            found = await rows(connector, WireQuery(entity="Customers", fields=("name",)))
            assert set(keys) <= set(found)
            assert len(found) == await connector.count("Customers") == before + 12
            some = WireQuery(entity="Customers", fields=("name",), keys=tuple(keys))
            assert len(await rows(connector, some)) == 12

    run(scenario())


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name == 'Filter B'", {"B"}),
        ("starts_with(name, 'Filter') && rating > `1`", {"B", "C"}),
        ("contains(name, 'lter A') || rating == `3`", {"A", "C"}),
        ("starts_with(name, 'Filter') && !country_code", {"A", "B", "C"}),
        ("ends_with(name, 'r C') && active", {"C"}),
        ("born >= '2020-01-02'", {"B"}),
        ("name == 'Nobody'", set()),
    ],
)
def test_filters_are_pushed(shop: str, condition: str, expected: set[str]) -> None:
    async def scenario() -> None:
        async with connected(shop) as connector:
            known = WireQuery(entity="Customers", fields=("name",), where=(("name", "Filter A"),))
            if not await rows(connector, known):
                for n, name in enumerate("ABC", 1):
                    born = date(2020, 1, n) if n < 3 else None
                    values: Mapping[str, Value] = {
                        "name": f"Filter {name}",
                        "rating": n,
                        "born": born,
                    }
                    await written(connector, create("Customers", str(uuid4()), **values))
            query = WireQuery(entity="Customers", fields=("name",), filter=condition)
            await connector.describe(["Customers"])
            assert "$filter=" in connector.explain(query)
            found = [str(row["name"])[-1] for row in (await rows(connector, query)).values()]
            assert expected <= set(found)
            assert len(found) < (await connector.count("Customers") or 0)

    run(scenario())
