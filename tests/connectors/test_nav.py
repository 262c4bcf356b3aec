"""What only NAV has: companies, number series, blanks without null, dates without time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest

from runner.connectors.microsoft import nav_server
from runner.connectors.odata.columns import Column
from runner.errors import SystemUnavailableError
from runner.sandbox.nav.manners import NavManners
from runner.wire import (
    Drifted,
    FieldType,
    Outcome,
    Rejected,
    Type,
    Unknown,
    Value,
    WireQuery,
    Written,
)
from tests.connectors.systems import (
    COMPANY,
    NAV,
    Fault,
    answering,
    nav,
    one,
    rows,
    run,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

EVENING = datetime(2026, 8, 1, 23, 30, tzinfo=UTC)


def test_types_of_controls(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = nav(tmp_path)
        [told] = await connector.describe(["Customer"])
        assert told.fields["No"] == FieldType(
            name="No", type=Type.CODE, max_length=20, on_update=False
        )
        assert told.fields["Blocked"].type is Type.OPTION
        assert told.fields["Privacy_Blocked"].type is Type.BOOLEAN
        assert told.modified == "Last_Date_Modified"
        assert not told.fields["Balance_LCY"].on_update
        assert "ETag" not in told.fields
        await connector.close()

    run(scenario())


def test_a_company_must_be_named_as_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = nav(tmp_path, company=COMPANY.replace("ø", "o"))
        with pytest.raises(SystemUnavailableError, match="there is no company") as caught:
            await rows(connector, WireQuery(entity="Customer", fields=("No",)))
        assert caught.value.hint == f"did you mean '{COMPANY}'?"
        assert len(line.passed) == 1
        await connector.close()

    run(scenario())


def test_every_request_for_records_names_the_company(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = nav(tmp_path)
        await written(connector, NAV.fresh())
        await rows(connector, NAV.query())
        for request in line.passed[2:]:
            assert b"/Company('CRONUS%20O%27%27Brien%20%26%20S%C3%B8n')/Customer" in (
                request.url.raw_path
            )
        await connector.close()

    run(scenario())


def test_a_number_comes_from_the_series(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = nav(tmp_path)
        made, page = await written(connector, NAV.fresh())
        assert made.key.startswith("C")
        assert page.columns["No"] == [made.key]
        await connector.close()

    run(scenario())


def test_the_key_goes_first_and_comes_back_as_the_system_writes_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = nav(tmp_path)
        made, _ = await written(connector, NAV.fresh(" ab-1 "))
        assert made.key == "AB-1"
        assert line.last.content.startswith(b'{"No":" ab-1 "')
        await connector.close()

    run(scenario())


def test_a_link_to_a_name_that_only_the_server_knows_is_followed_here(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = nav(tmp_path)
        await connector.describe(["Customer"])
        row = {"No": "C00001", "Name": "x"}
        link = "http://nav-internal:7048/N/ODataV4/Company('x')/Customer?$skiptoken='C00006'"
        line.faults += [
            answering(200, msgspec.json.encode({"value": [row], "@odata.nextLink": link}))
        ]
        assert list(await rows(connector, NAV.query())) == ["C00001", "C00007"]
        assert {request.url.host for request in line.passed} == {"nav.example"}
        await connector.close()

    run(scenario())


def test_since_is_a_day_and_takes_what_never_was_dated(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = nav(tmp_path)
        await connector.describe(["Customer", "Salesperson"])
        told = connector.explain(NAV.query("No", since=EVENING))
        assert told.endswith(
            "Customer?$select=No&$filter=(Last_Date_Modified%20ge%202026-07-31"
            "%20or%20Last_Date_Modified%20eq%200001-01-01)"
        )
        undated = WireQuery(entity="Salesperson", fields=("Code",), since=EVENING)
        assert list(await rows(connector, undated)) == ["JO"]
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (Type.TEXT, None, ""),
        (Type.CODE, None, ""),
        (Type.OPTION, None, ""),
        (Type.INTEGER, None, 0),
        (Type.DECIMAL, None, 0),
        (Type.BOOLEAN, None, False),
        (Type.DATE, None, "0001-01-01"),
        (Type.INSTANT, None, "0001-01-01T00:00:00Z"),
        (Type.GUID, None, "00000000-0000-0000-0000-000000000000"),
        (Type.DATE, date(2026, 8, 1), "2026-08-01"),
    ],
)
def test_values_of_every_type(kind: Type, value: Value, written: object) -> None:
    column = Column(name="x", property="x", type=kind, select="x")
    assert nav_server.body(column, value) == written
    if kind is Type.DATE:
        midnight = replace(column, midnight=True)
        assert nav_server.body(midnight, value) == f"{written}T00:00:00Z"


def _error(status: int, code: str, message: str = "m") -> Fault:
    return answering(status, f'{{"error":{{"code":"{code}","message":"{message}"}}}}')


EXISTS = "The record already exists. Identification fields and values: No.='10000'"
SAME_KEY = "Internal_EntityWithSameKeyExists"


@pytest.mark.parametrize(
    ("fault", "updated", "created"),
    [
        pytest.param(
            _error(409, "Request_EntityChanged"),
            Drifted(message="m"),
            Rejected(code="Request_EntityChanged", message="m"),
            id="409",
        ),
        pytest.param(
            _error(412, ""), Drifted(message="m"), Rejected(code="", message="m"), id="412"
        ),
        pytest.param(
            _error(409, ""), Drifted(message="m"), Rejected(code="", message="m"), id="409 unnamed"
        ),
        pytest.param(
            _error(400, SAME_KEY),
            Rejected(code=SAME_KEY, message="m", duplicate=True),
            Rejected(code=SAME_KEY, message="m", duplicate=True),
            id="same key",
        ),
        pytest.param(
            _error(409, "", EXISTS),
            Drifted(message=EXISTS),
            Rejected(code="", message=EXISTS, duplicate=True),
            id="same key in words",
        ),
        pytest.param(
            _error(404, "Internal_RecordNotFound"),
            Rejected(code="Internal_RecordNotFound", message="m", missing=True),
            Rejected(code="Internal_RecordNotFound", message="m"),
            id="not there",
        ),
        pytest.param(
            _error(404, "Internal_CompanyNotFound"),
            Rejected(code="Internal_CompanyNotFound", message="m"),
            Rejected(code="Internal_CompanyNotFound", message="m"),
            id="no such company",
        ),
        pytest.param(
            _error(500, "Internal_ServerError"),
            Unknown(message="HTTP 500 Internal Server Error: m (Internal_ServerError)"),
            Unknown(message="HTTP 500 Internal Server Error: m (Internal_ServerError)"),
            id="500",
        ),
    ],
)
def test_outcomes(fault: Fault, updated: Outcome, created: Outcome, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = nav(tmp_path)
        await connector.describe(["Customer"])
        line.faults += [fault]
        assert await one(connector, NAV.update("C00001", 'W/"1"', Name="x")) == updated
        line.faults += [fault]
        assert await one(connector, NAV.fresh("X")) == created
        await connector.close()

    run(scenario())


def test_a_server_that_says_409_for_a_stale_etag(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = nav(tmp_path, manners=NavManners(stale=409, most_rows=2))
        outcome = await one(connector, NAV.update("C00001", 'W/"stale"', Name="x"))
        assert isinstance(outcome, Drifted)
        await connector.close()

    run(scenario())


def test_a_relation_that_is_missed_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = nav(tmp_path)
        outcome = await one(connector, NAV.update("C00001", None, Salesperson_Code="XX"))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "Internal_InvalidTableRelation"
        assert "Salesperson" in outcome.message
        await connector.close()

    run(scenario())


def test_a_set_without_key_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = nav(tmp_path)
        csdl = b"""<edmx:Edmx xmlns:edmx="e"><Schema Namespace="N"><EntityType Name="P">
            <Property Name="A" Type="Edm.String"/></EntityType>
            <EntitySet Name="P" EntityType="N.P"/></Schema></edmx:Edmx>"""
        line.faults += [lambda request, answer: answer(request), answering(200, csdl)]
        with pytest.raises(SystemUnavailableError, match="the key of P is missing"):
            await connector.describe(["P"])
        await connector.close()

    run(scenario())


def test_the_key_of_a_create_without_answer_comes_from_its_headers(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = nav(tmp_path)
        await connector.describe(["Customer"])
        line.faults += [answering(204, Location="http://nav:7048/x/Customer('C0000%32')")]
        outcome = await one(connector, NAV.fresh())
        assert isinstance(outcome, Written)
        assert outcome.key == "C00002"
        assert outcome.page is not None
        await connector.close()

    run(scenario())


def test_a_filter_that_nav_refuses_can_be_left_to_us(tmp_path: Path) -> None:
    def refusing(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        class Refusing(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if b"$filter" in request.url.query:
                    fault = {"error": {"code": "BadRequest", "message": "cannot filter by this"}}
                    return httpx.Response(400, json=fault)
                return await inner.handle_async_request(request)

        return Refusing()

    connector, _, _ = nav(tmp_path, refusing)
    query = NAV.query("Name", filter="Name == 'Alpha'")

    async def read() -> list[object]:
        return [page async for page in connector.pages(query)]

    with pytest.raises(SystemUnavailableError) as caught:
        asyncio.run(read())
    assert "cannot filter by this" in str(caught.value)
    assert "`read: all`" in caught.value.hint
