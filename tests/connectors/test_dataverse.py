"""What only Dataverse has: GUIDs chosen by us, lookups, companions, its codes."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import pytest

from runner.errors import SystemUnavailableError
from runner.wire import (
    Drifted,
    FieldType,
    Outcome,
    Reference,
    Rejected,
    Type,
    Unknown,
    Value,
    WireQuery,
    Write,
    WriteKind,
    Written,
)
from tests.connectors.systems import (
    ALPHA,
    CRM,
    JANE,
    Fault,
    Line,
    answering,
    crm,
    one,
    rows,
    run,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

    from runner.connectors.protocol import Connector

PARENT = ("parentcustomerid", "parentcustomeridtype")
OTHER = JANE[:-1] + "2"


def contact(key: str = JANE, kind: WriteKind = WriteKind.UPDATE, **values: Value) -> Write:
    return Write(
        kind=kind, entity="contacts", key=key, values=values, returning=("contactid", *PARENT)
    )


def test_types_of_columns(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        accounts, contacts = await connector.describe(["accounts", "contacts"])
        fields = contacts.fields
        assert (contacts.key, contacts.label, contacts.modified) == (
            "contactid",
            "fullname",
            "modifiedon",
        )
        assert fields["lastname"] == FieldType(name="lastname", type=Type.TEXT, max_length=50)
        assert fields["birthdate"].type is Type.DATE
        assert fields["modifiedon"].type is Type.INSTANT
        assert fields["description"].max_length == 2000
        assert fields["contactid"].type is Type.GUID
        assert (fields["contactid"].on_create, fields["contactid"].on_update) == (True, False)
        assert fields["statecode"].type is Type.INTEGER
        assert (accounts.fields["creditlimit"].type, accounts.fields["creditlimit"].scale) == (
            Type.DECIMAL,
            2,
        )
        assert fields["parentcustomerid"].type is Type.REFERENCE
        assert set(fields["parentcustomerid"].targets) == {"accounts", "contacts"}
        assert fields["parentcustomeridtype"] == FieldType(
            name="parentcustomeridtype", type=Type.TEXT, on_create=False, on_update=False
        )
        assert fields["ownerid"].targets == ("systemusers",)
        assert "transactioncurrencyidtype" not in fields
        await connector.close()

    run(scenario())


def test_definitions_are_asked_for_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts", "contacts"])
        asked = len(line.passed)
        await connector.describe(["contacts", "accounts"])
        await rows(connector, WireQuery(entity="contacts", fields=("lastname",)))
        assert len(line.passed) == asked + 1
        await connector.close()

    run(scenario())


def test_a_lookup_is_set_turned_to_another_entity_and_emptied(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)

        async def parent() -> dict[str, object]:
            query = WireQuery(entity="contacts", fields=PARENT)
            return (await rows(connector, query))[JANE]

        assert await parent() == {"parentcustomerid": ALPHA, "parentcustomeridtype": "account"}
        made, page = await written(
            connector,
            contact(
                OTHER.upper(),
                WriteKind.CREATE,
                lastname="Roe",
                parentcustomerid=Reference("contacts", JANE.upper()),
                transactioncurrencyid=None,
            ),
        )
        assert made.key == OTHER
        assert "transactioncurrencyid@odata.bind" not in msgspec.json.decode(line.last.content)
        assert page.columns["parentcustomeridtype"] == ["contact"]
        await written(connector, contact(parentcustomerid=Reference("contacts", OTHER)))
        assert await parent() == {"parentcustomerid": OTHER, "parentcustomeridtype": "contact"}
        await written(connector, contact(parentcustomerid=None))
        assert msgspec.json.decode(line.last.content) == {
            "parentcustomerid_account@odata.bind": None,
            "parentcustomerid_contact@odata.bind": None,
        }
        assert await parent() == {"parentcustomerid": None, "parentcustomeridtype": None}
        await connector.close()

    run(scenario())


def test_annotations_are_asked_for_only_where_a_companion_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await rows(connector, WireQuery(entity="contacts", fields=("parentcustomerid",)))
        assert line.last.headers["Prefer"] == "odata.maxpagesize=2"
        assert str(line.last.url).endswith("contacts?$select=_parentcustomerid_value")
        await rows(connector, WireQuery(entity="contacts", fields=PARENT))
        assert "lookuplogicalname" in line.last.headers["Prefer"]
        assert str(line.last.url).endswith("contacts?$select=_parentcustomerid_value")
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"parentcustomerid": Reference("accounts", ALPHA)}, True),
        ({"parentcustomerid": ALPHA}, True),
        ({"parentcustomerid": Reference("accounts", OTHER)}, False),
        ({"parentcustomerid": None}, False),
        ({"parentcustomeridtype": "account"}, True),
        ({"parentcustomeridtype": "contact"}, False),
        ({"parentcustomeridtype": None}, False),
        ({"lastname": "DOE"}, True),
        ({"birthdate": date(2000, 1, 2)}, True),
        ({"birthdate": None}, False),
    ],
)
def test_where_by_lookup_companion_and_date(
    where: dict[str, Value], *, found: bool, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        await written(connector, contact(birthdate=date(2000, 1, 2)))
        query = WireQuery(entity="contacts", fields=("contactid",), where=tuple(where.items()))
        assert list(await rows(connector, query)) == ([JANE] if found else [])
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Reference("leads", ALPHA), "points to accounts or contacts, not to leads"),
        (ALPHA, f"points to accounts or contacts, not to {ALPHA}"),
    ],
)
def test_a_lookup_that_leads_elsewhere_is_refused_here(
    value: Value, said: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["contacts"])
        passed = len(line.passed)
        outcome = await one(connector, contact(parentcustomerid=value))
        assert isinstance(outcome, Rejected)
        assert said in outcome.message
        assert len(line.passed) == passed
        await connector.close()

    run(scenario())


def test_a_target_that_is_not_there_is_no_missing_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        nowhere = Reference("accounts", OTHER)
        for write in (
            contact(parentcustomerid=nowhere),
            contact(OTHER, WriteKind.CREATE, lastname="Roe", parentcustomerid=nowhere),
        ):
            outcome = await one(connector, write)
            assert isinstance(outcome, Rejected), outcome
            assert outcome.code == "0x80040217"
            assert not outcome.missing
        gone = await one(connector, contact(OTHER, parentcustomerid=Reference("accounts", ALPHA)))
        assert isinstance(gone, Rejected)
        assert gone.missing
        await connector.close()

    run(scenario())


def test_conditions_of_writes(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])

        async def sent(write: Write) -> tuple[str, str | None, str | None]:
            await one(connector, write)
            headers = line.last.headers
            return line.last.method, headers.get("If-Match"), headers.get("If-None-Match")

        key = CRM.keys[0]
        assert await sent(CRM.fresh()) == ("POST", None, None)
        assert await sent(CRM.fresh(OTHER)) == ("PATCH", None, "*")
        assert await sent(CRM.update(key, name="x")) == ("PATCH", "*", None)
        assert await sent(CRM.update(key, 'W/"1"', name="x")) == ("PATCH", 'W/"1"', None)
        assert await sent(CRM.delete(key, 'W/"1"')) == ("DELETE", 'W/"1"', None)
        assert await sent(CRM.delete(key)) == ("DELETE", "*", None)
        await connector.close()

    run(scenario())


def _error(status: int, code: str, message: str = "m") -> Fault:
    return answering(status, f'{{"error":{{"code":"{code}","message":"{message}"}}}}')


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (_error(412, "0x80060882"), Drifted(message="m")),
        (_error(412, ""), Drifted(message="m")),
        (_error(412, "0x80060892"), Rejected(code="0x80060892", message="m", duplicate=True)),
        (_error(400, "0x80048CF3"), Rejected(code="0x80048cf3", message="m", duplicate=True)),
        (_error(500, "0x80040333"), Rejected(code="0x80040333", message="m", duplicate=True)),
        (_error(500, "0x80040265"), Rejected(code="0x80040265", message="m")),
        (
            _error(500, "0x80044151"),
            Unknown(message="HTTP 500 Internal Server Error: m (0x80044151)"),
        ),
        (_error(404, "0x80040217"), Rejected(code="0x80040217", message="m", missing=True)),
        (_error(403, "0x80040220"), Rejected(code="0x80040220", message="m")),
        (_error(400, "0x0", "x" * 999), Rejected(code="0x0", message="x" * 299 + "…")),
        (answering(400), Rejected(code="", message="HTTP 400 Bad Request")),
    ],
)
def test_outcomes(fault: Fault, expected: Outcome, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])
        line.faults += [fault]
        assert await one(connector, CRM.update(CRM.keys[0], 'W/"1"', name="x")) == expected
        await connector.close()

    run(scenario())


def test_a_412_of_a_create_is_a_duplicate_whatever_its_code(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])
        line.faults += [answering(412)]
        outcome = await one(connector, CRM.fresh(OTHER))
        assert isinstance(outcome, Rejected)
        assert outcome.duplicate
        await connector.close()

    run(scenario())


def test_a_user_that_is_shut_out_stops_everything(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])
        line.faults += [
            _error(403, "0x80072560", "The user is not a member of the organization.")
        ] * 9
        with pytest.raises(SystemUnavailableError, match="not a member") as caught:
            await connector.write([CRM.fresh() for _ in range(9)])
        assert caught.value.hint
        await connector.close()

    run(scenario())


async def _paged(connector: Connector, line: Line, *links: str) -> None:
    await connector.describe(["accounts"])
    for link in links:
        body = {"value": [{"accountid": ALPHA, "name": "x"}], "@odata.nextLink": link}
        line.faults += [answering(200, msgspec.json.encode(body))]
    await rows(connector, WireQuery(entity="accounts", fields=("accountid", "name")))


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (["http://evil.example/api/data/v9.2/accounts?x"], "another server: evil.example"),
        (["http://crm.example/a?1", "http://crm.example/a?1"], "round in a circle"),
        (["http://crm.example/a?1", "http://crm.example/a?2", "http://crm.example/a?1"], "circle"),
    ],
)
def test_links_that_lead_astray(links: list[str], said: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        with pytest.raises(SystemUnavailableError, match=said):
            await _paged(connector, line, *links)
        assert {request.url.host for request in line.passed} == {"crm.example"}
        await connector.close()

    run(scenario())


def test_the_next_page_is_on_its_way_and_left_behind_by_who_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])
        body = {"value": [{"accountid": ALPHA, "name": "x"}], "@odata.nextLink": "/a?$skiptoken=1"}
        line.faults += [answering(200, msgspec.json.encode(body)), answering(403, b"{}")]
        pages = connector.pages(WireQuery(entity="accounts", fields=("name",)))
        page = await anext(aiter(pages))
        assert page.keys == [ALPHA]
        await asyncio.sleep(0)
        await pages.aclose()  # type: ignore[attr-defined]
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await connector.close()

    run(scenario())


def test_an_empty_page_at_the_end_is_no_page(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])
        row = {"accountid": ALPHA.upper(), "name": "x"}
        link = "/api/data/v9.2/accounts?$skiptoken=1"
        line.faults += [
            answering(200, msgspec.json.encode({"value": [row], "@odata.nextLink": link})),
            answering(200, b'{"value":[]}'),
        ]
        query = WireQuery(entity="accounts", fields=("name",))
        [page] = [page async for page in connector.pages(query)]
        assert page.keys == [ALPHA]
        assert str(line.last.url) == f"http://crm.example{link}"
        await connector.close()

    run(scenario())


def test_no_cookie_binds_us_to_one_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace={"concurrency": 1})
        await connector.describe(["accounts"])
        line.faults += [answering(200, b'{"value":[]}', Set_Cookie="ARRAffinity=1; Path=/")]
        query = WireQuery(entity="accounts", fields=("name",))
        await rows(connector, query)
        await rows(connector, query)
        assert "Cookie" not in line.last.headers
        assert line.last.headers["Accept-Encoding"] == "gzip"
        await connector.close()

    run(scenario())


def test_the_key_of_a_create_without_answer_comes_from_its_headers(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])
        place = f"http://crm.example/api/data/v9.2/accounts({ALPHA.upper()})"
        line.faults += [answering(204, OData_EntityId=place)]
        outcome = await one(connector, CRM.fresh())
        assert isinstance(outcome, Written)
        assert outcome.key == ALPHA
        assert outcome.page is not None
        assert outcome.page.columns["name"] == ["Account 1"]
        await connector.close()

    run(scenario())


def test_state_and_fields_are_written_one_after_the_other(tmp_path: Path) -> None:
    """Protocols D59."""

    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        [etag] = [e async for page in connector.pages(CRM.query(keys=(ALPHA,))) for e in page.etags]
        line.passed.clear()
        both = CRM.update(ALPHA, etag, name="Closed", statecode=1, statuscode=2)
        outcome, page = await written(connector, both)
        assert outcome.key == ALPHA
        assert {n: column[0] for n, column in page.columns.items()} == {
            "accountid": ALPHA,
            "name": "Closed",
            "statecode": 1,
            "statuscode": 2,
        }
        first, second = line.passed
        assert b"statecode" not in first.content
        assert b"name" not in second.content
        assert first.headers["If-Match"] == etag
        assert second.headers["If-Match"] not in (etag, "*")
        assert isinstance(await one(connector, both), Drifted)
        await connector.close()

    run(scenario())


def test_an_inactive_record_gets_its_state_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await connector.describe(["accounts"])
        refused = b'{"error":{"code":"0x80040230","message":"inactive"}}'
        line.faults += [answering(403, refused)]
        line.passed.clear()
        _, page = await written(connector, CRM.update(ALPHA, None, name="Again", statecode=0))
        assert page.columns["name"] == ["Again"]
        assert [b"statecode" in request.content for request in line.passed] == [False, True, False]
        line.faults += [answering(403, refused)] * 2
        refusal = await one(connector, CRM.update(ALPHA, None, name="Never", statecode=0))
        assert isinstance(refusal, Rejected)
        await connector.close()

    run(scenario())
