"""The rules of Dataverse, each with what its connector would meet without it (protocols E2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import httpx
import pytest

from runner.connectors.line.http import Credentials
from runner.connectors.line.secret import Secret
from runner.connectors.line.tokens import Application as Known
from runner.connectors.line.tokens import Entra
from runner.connectors.microsoft.dataverse import Manner
from runner.errors import SystemUnavailableError
from runner.sandbox import APPLICATION, SECRET
from runner.sandbox.dataverse.manners import AlternateKey, Application, Limits
from runner.wire import Rejected, WireQuery, Written
from tests.connectors.systems import ALPHA, CRM, JANE, START, one, rows, written
from tests.connectors.witnesses import (
    Check,
    Position,
    Rule,
    Unused,
    accepted,
    create,
    drifted,
    filtered,
    meddled,
    refused,
    saying,
    told,
    update,
    without,
)

if TYPE_CHECKING:
    from runner.connectors.microsoft.dataverse import Dataverse
    from tests.connectors.systems import Line
    from tests.connectors.witnesses import Opened

NUMBER = AlternateKey(entity="account", name="number", attributes=("accountnumber",))
ANN = ALPHA[:-1] + "9"


@dataclass(frozen=True, slots=True)
class Waiting(httpx.BaseTransport):
    """The same line, for who waits for each answer."""

    line: Line

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answered() -> httpx.Response:
            asked = httpx.Request(
                request.method, request.url, headers=request.headers, content=request.read()
            )
            told = await self.line.handle_async_request(asked)
            return httpx.Response(
                told.status_code, headers=told.headers, content=await told.aread()
            )

        if request.url.path.endswith("openid-configuration"):
            base = "https://crm.example/sandbox.example"
            return httpx.Response(
                200,
                json={
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "issuer": f"{base}/v2.0",
                },
            )
        return asyncio.run(answered())


async def found(opened: Opened, text: str) -> int:
    connector, _, _ = opened(wrap=filtered(text))
    try:
        return len(await rows(connector, CRM.query(keys=(ALPHA,))))
    finally:
        await connector.close()


async def a_registered_application_is_let_in(opened: Opened) -> None:
    _, line, _ = opened()
    known = Known(
        tenant="sandbox.example",
        client_id=APPLICATION,
        secret=Secret(SECRET),
        authority="https://crm.example",
    )
    tokens = Entra("crm", known, "https://crm.example/.default", transport=Waiting(line))
    connector, _, _ = opened(credentials=Credentials(tokens=tokens))
    assert len(await rows(connector, CRM.query())) == len(CRM.keys)
    await connector.close()


async def somebody_is_connected(opened: Opened) -> None:
    connector, _, _ = opened()
    [described] = await connector.describe(["accounts"])
    assert described.name == "accounts"
    await connector.close()


async def every_row_comes(opened: Opened) -> None:
    connector, _, _ = opened(pace={"page_size": 3})
    assert sorted(await rows(connector, CRM.query())) == sorted(CRM.keys)
    await connector.close()


async def a_page_is_read_and_written(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts", "contacts"])
    await written(connector, CRM.update(ALPHA, None, name="New"))
    query = WireQuery(entity="contacts", fields=("contactid", "parentcustomerid"))
    assert (await rows(connector, query))[JANE]["parentcustomerid"] == ALPHA
    await connector.close()


async def letters_fold(opened: Opened) -> None:
    assert await found(opened, "name eq 'ACCOUNT 1'") == 1


async def blank_is_not_unequal(opened: Opened) -> None:
    assert await found(opened, "telephone1 ne 'x'") == 0


async def letters_mean_something(opened: Opened) -> None:
    assert await found(opened, "name eq 'Acc%'") == len(CRM.keys)


async def a_link_is_followed_as_it_is(opened: Opened) -> None:
    def change(request: httpx.Request) -> httpx.Request:
        raw = request.url.raw_path
        if b"skiptoken" in raw:
            request.url = request.url.copy_with(raw_path=raw.replace(b"%25", b"%"))
        return request

    connector, _, _ = opened(wrap=meddled(change))
    with pytest.raises(SystemUnavailableError):
        await rows(connector, CRM.query())
    await connector.close()


async def a_target_must_be_there(opened: Opened) -> None:
    write = update("contacts", JANE, parentcustomerid=ALPHA[:-1] + "8")
    outcome = await refused(opened, write)
    assert not outcome.missing


async def what_is_gone_is_not_made_anew(opened: Opened) -> None:
    key = str(uuid4())
    wrap = without("if-match", "PATCH")
    await accepted_single(opened, update("accounts", key, name="Back"), wrap)


async def accepted_single(opened: Opened, write: Any, wrap: Any) -> None:
    connector, _, _ = opened(wrap=wrap, pace={"together": 1})
    await connector.describe([write.entity])
    outcome = await one(connector, write)
    assert isinstance(outcome, Written), outcome
    await connector.close()


async def what_moved_on_is_drift(opened: Opened) -> None:
    await drifted(opened, update("accounts", ALPHA, 'W/"1"', name="New"))


async def a_table_without_versions_is_written(opened: Opened) -> None:
    await accepted(opened, update("accounts", ALPHA, name="New"))


async def every_write_moves_the_version(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts"])
    _, first = await written(connector, CRM.update(ALPHA, None, name="Same"))
    _, again = await written(connector, CRM.update(ALPHA, None, name="Same"))
    assert first.etags != again.etags
    await connector.close()


async def nothing_else_changes(opened: Opened) -> None:
    outcome = await accepted(opened, CRM.fresh(str(uuid4()), telephone1="1"))
    assert told(outcome, "telephone1") == "1"


async def long_texts_are_refused(opened: Opened) -> None:
    await refused(opened, update("accounts", ALPHA, name="x" * 161), "0x80044331")


async def options_are_known(opened: Opened) -> None:
    write = update("accounts", ALPHA, accountcategorycode=4711)
    await refused(opened, write, "0x8004431")


async def a_name_is_needed(opened: Opened) -> None:
    values: dict[str, Any] = {
        "isocurrencycode": "XYZ",
        "currencysymbol": "x",
        "currencyprecision": 2,
    }
    write = create("transactioncurrencies", str(uuid4()), **values, exchangerate=Decimal(1))
    await refused(opened, write, "0x80040203")


async def what_is_computed_is_not_set(opened: Opened) -> None:
    write = update("accounts", ALPHA, name="New")
    outcome = await tried_alone(opened, write, saying(createdon="2020-01-01T00:00:00Z"))
    assert isinstance(outcome, Rejected), outcome


async def tried_alone(opened: Opened, write: Any, wrap: Any) -> Any:
    told = {"wrap": wrap} if wrap else {}
    connector, _, _ = opened(**told, pace={"together": 1})
    await connector.describe([write.entity])
    try:
        return await one(connector, write)
    finally:
        await connector.close()


async def nothing_is_null(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts"])
    await written(connector, CRM.update(ALPHA, None, telephone1="1"))
    _, page = await written(connector, CRM.update(ALPHA, None, telephone1=None))
    assert page.columns["telephone1"] == [None]
    await connector.close()


async def money_comes_back_rounded(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts", "transactioncurrencies"])
    await _currency(connector, "XYZ")
    _, page = await written(connector, CRM.update(ALPHA, None, creditlimit=Decimal("1.23456")))
    assert Decimal(str(page.columns["creditlimit"][0])) == Decimal("1.23")
    await connector.close()


async def _currency(connector: Any, iso: str) -> None:
    values: dict[str, Any] = {
        "isocurrencycode": iso,
        "currencyname": "Own",
        "currencysymbol": "o",
        "currencyprecision": 2,
        "exchangerate": Decimal(1),
    }
    await written(connector, create("transactioncurrencies", str(uuid4()), **values))


async def amounts_have_a_currency(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts", "transactioncurrencies"])
    await _currency(connector, "XYZ")
    await written(connector, CRM.update(ALPHA, None, creditlimit=Decimal(5)))
    found = (await rows(connector, CRM.query("creditlimit", keys=(ALPHA,))))[ALPHA]
    assert Decimal(str(found["creditlimit"])) == Decimal(5)
    await connector.close()


async def what_changed_since_is_found(opened: Opened) -> None:
    connector, _, _ = opened(now=lambda: START + timedelta(milliseconds=700))
    await connector.describe(["accounts"])
    await written(connector, CRM.update(ALPHA, None, name="New"))
    assert list(await rows(connector, CRM.query(since=START))) == [ALPHA]
    await connector.close()


async def a_state_is_not_created(opened: Opened) -> None:
    wrap = saying(statecode=1, statuscode=2)
    outcome = await tried_alone(opened, CRM.fresh(str(uuid4())), wrap)
    assert isinstance(outcome, Rejected), outcome


async def a_state_has_its_reasons(opened: Opened) -> None:
    outcome = await tried_alone(opened, update("accounts", ALPHA, statuscode=2), None)
    assert isinstance(outcome, Rejected), outcome


async def an_inactive_record_is_woken_first(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts"])
    await written(connector, CRM.update(ALPHA, None, statecode=1))
    await written(connector, CRM.update(ALPHA, None, statecode=0, name="Awake"))
    found = await rows(connector, CRM.query("statecode", "name", keys=(ALPHA,)))
    assert (found[ALPHA]["statecode"], found[ALPHA]["name"]) == (0, "Awake")
    await connector.close()


async def a_product_needs_a_unit(opened: Opened) -> None:
    write = create("products", str(uuid4()), name="P", productnumber="P1", productstructure=1)
    await refused(opened, write, "0x80043816")


async def _units(opened: Opened) -> int:
    connector, _, _ = opened()
    await connector.describe(["uomschedules", "uoms"])
    await written(connector, create("uomschedules", str(uuid4()), name="G", baseuomname="PCS"))
    units = await rows(connector, WireQuery(entity="uoms", fields=("uomid", "name")))
    await connector.close()
    return len(units)


async def a_group_comes_with_its_unit(opened: Opened) -> None:
    assert await _units(opened) == 1


async def a_group_names_its_unit(opened: Opened) -> None:
    await refused(opened, create("uomschedules", str(uuid4()), name="G"), "0x80043810")


async def a_currency_is_there_once(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["transactioncurrencies"])
    await _currency(connector, "XYZ")
    with pytest.raises(AssertionError, match="0x80048cf3"):
        await _currency(connector, "XYZ")
    await connector.close()


async def users_are_only_read(opened: Opened) -> None:
    await refused(opened, update("systemusers", ANN, mobilephone="1"), "0x80040220")


async def two_may_have_one_number(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts"])
    for _ in range(2):
        await written(connector, CRM.fresh(str(uuid4()), accountnumber="N1"))
    await connector.close()


async def a_number_taken_is_a_duplicate(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["accounts"])
    await written(connector, CRM.fresh(str(uuid4()), accountnumber="N1"))
    outcome = await one(connector, CRM.fresh(str(uuid4()), accountnumber="N1"))
    assert isinstance(outcome, Rejected), outcome
    await connector.close()


async def _changes(connector: Any, token: str) -> tuple[str, bool]:
    tracking = cast("Dataverse", connector)
    last, whole = "", False
    async for some in tracking.changes(CRM.query(), token):
        last, whole = some.token, whole or some.whole
    return last, whole


async def changes_are_tracked(opened: Opened) -> None:
    connector, _, _ = opened()
    [described] = await connector.describe(["accounts"])
    assert described.tracked
    token, _ = await _changes(connector, "")
    assert await _changes(connector, token) == (token, False) or token
    await connector.close()


async def a_week_is_too_long(opened: Opened) -> None:
    at = [START]
    connector, _, _ = opened(now=lambda: at[0])
    await connector.describe(["accounts"])
    token, _ = await _changes(connector, "")
    at[0] += timedelta(days=8)
    _, whole = await _changes(connector, token)
    assert whole
    await connector.close()


async def a_batch_goes_on_because_it_is_told_to(opened: Opened) -> None:
    connector, line, _ = opened(
        wrap=without("prefer", "POST"), pace={"together": 3, "concurrency": 1}
    )
    await connector.describe(["accounts"])
    batch = [
        CRM.update(CRM.keys[0], None, name="x" * 161),
        CRM.update(CRM.keys[1], None, name="New"),
    ]
    line.passed.clear()
    first, second = await connector.write(batch)
    assert isinstance(first, Rejected), first
    assert isinstance(second, Written), second
    # What the batch did not come to was sent once more.
    assert len(line.passed) > 1
    await connector.close()


async def many_go_together(opened: Opened) -> None:
    connector, line, _ = opened(pace={"together": 7, "concurrency": 1})
    await connector.describe(["accounts"])
    line.passed.clear()
    outcomes = await connector.write([CRM.update(key, None, name="New") for key in CRM.keys])
    assert [type(outcome) for outcome in outcomes] == [Written] * len(CRM.keys)
    assert len(line.passed) == 1
    await connector.close()


async def many_are_created_at_once(opened: Opened) -> None:
    connector, line, _ = opened(pace={"together": 10, "page_size": 50})
    await connector.describe(["accounts"])
    line.passed.clear()
    keys = [str(uuid4()) for _ in range(60)]
    outcomes = await connector.write(
        [CRM.fresh(key, creditlimit=Decimal("1.23456")) for key in keys]
    )
    made = [o for o in outcomes if isinstance(o, Written)]
    assert [one.key for one in made] == keys
    assert all(one.page and one.page.columns["creditlimit"] == ["1.23"] for one in made)
    assert all(one.page and one.page.etags[0] for one in made)
    assert len(line.passed) < len(keys) // 5
    # One that is there already spoils it for the others, until they go one by one.
    again = await connector.write(
        [CRM.fresh(key) for key in (*(str(uuid4()) for _ in range(30)), keys[0])]
    )
    assert [type(o) for o in again] == [Written] * 30 + [Rejected]
    assert isinstance(again[-1], Rejected)
    assert again[-1].duplicate
    await connector.close()


async def twins_are_told_from_each_other(opened: Opened) -> None:
    connector, _, _ = opened(manner=Manner(detect=True))
    await connector.describe(["accounts"])
    alike = {"name": "Twin", "emailaddress1": "twin@example.com"}
    await written(connector, CRM.fresh(str(uuid4()), **alike))
    outcome = await one(connector, CRM.fresh(str(uuid4()), **alike))
    assert isinstance(outcome, Rejected), outcome
    assert outcome.duplicate
    await connector.close()


DATAVERSE_CHECKS: tuple[Check, ...] = (
    Rule("connection", somebody_is_connected, off=Application(user=None)),
    Position("limits", (Limits(), Limits(hint=1)), a_page_is_read_and_written),
    Position("limit_headers", (True, False), a_page_is_read_and_written),
    Position("preference_applied", (True, False), a_page_is_read_and_written),
    Rule("ignores_case", letters_fold, off=False),
    Rule("null_logic", blank_is_not_unequal, off=False),
    Rule("wildcards", letters_mean_something, off=False),
    Unused("most_counted", "$count"),
    Unused("count_mark", "$count"),
    Unused("top_yields", "$top"),
    Position("most_rows", (1, 2, 5_000), every_row_comes),
    Rule("sealed_tokens", a_link_is_followed_as_it_is, off=False),
    Position("empty_last_page", (False, True), every_row_comes),
    Position("annotations_asked", (True, False), a_page_is_read_and_written),
    Position("missing_target", (404, 400), a_target_must_be_there),
    Rule("upserts", what_is_gone_is_not_made_anew, off=False),
    Rule("refuses_stale", what_moved_on_is_drift, off=False),
    Position(
        "unversioned", (frozenset(), frozenset({"account"})), a_table_without_versions_is_written
    ),
    Rule("always_moves", every_write_moves_the_version, off=False),
    Rule("plugins", nothing_else_changes, off={"account": {"telephone1": "2"}}),
    Rule("max_length", long_texts_are_refused, off=False),
    Rule("options", options_are_known, off=False),
    Rule("required", a_name_is_needed, off=False),
    Rule("read_only", what_is_computed_is_not_set, off=False),
    Position("blank_is_null", (True, False), nothing_is_null),
    Rule("rounds_money", money_comes_back_rounded, off=False),
    Position("base_currency", ("", "XYZ", "GBP"), amounts_have_a_currency),
    Position("keeps_milliseconds", (False, True), what_changed_since_is_found),
    Rule("state_on_create", a_state_is_not_created, off=False),
    Rule("states", a_state_has_its_reasons, off=False),
    Position("frozen_when_inactive", (False, True), an_inactive_record_is_woken_first),
    Rule("catalogue", a_product_needs_a_unit, off=False),
    Rule("base_unit", a_group_comes_with_its_unit, off=False),
    Rule("base_unit_needed", a_group_names_its_unit, off=False),
    Rule("currencies", a_currency_is_there_once, off=False),
    Rule("user_read_only", users_are_only_read, off=False),
    Rule("keys", two_may_have_one_number, off=(NUMBER,)),
    Position("duplicate_key", (412, 400), a_number_taken_is_a_duplicate, {"keys": (NUMBER,)}),
    Rule("untracked", changes_are_tracked, off=frozenset({"account"})),
    Rule("token_days", a_week_is_too_long, off=90),
    Position("expired_token", (400, 404, 410), a_week_is_too_long),
    Unused("atomic", "changeset"),
    Rule("stops", a_batch_goes_on_because_it_is_told_to, off=False),
    Rule("most_operations", many_go_together, off=3),
    Position("bulk", (frozenset({"account"}), frozenset()), many_are_created_at_once),
    Rule("duplicates", twins_are_told_from_each_other, off={}),
    Rule("applications", a_registered_application_is_let_in, off={}),
    Rule("tenant", a_registered_application_is_let_in, off="other.example"),
    Position("token_seconds", (3_599, 600), a_registered_application_is_let_in),
)
