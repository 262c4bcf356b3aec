"""The rules of NAV 2018, each with what its connector would meet without it (protocols E3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from runner.errors import SystemUnavailableError
from runner.wire import Rejected, Type, WireQuery, Write, WriteKind
from tests.connectors.systems import NAV, START, one, rows, written
from tests.connectors.witnesses import (
    Check,
    Position,
    Rule,
    accepted,
    create,
    drifted,
    filtered,
    refused,
    saying,
    targeted,
    told,
    update,
    without,
)

if TYPE_CHECKING:
    from tests.connectors.witnesses import Opened

ITEM = "HELD"
"""An item with stock, which the tests put there."""

FIRST = NAV.keys[0]


async def found(opened: Opened, text: str) -> int:
    connector, _, _ = opened(wrap=filtered(text))
    try:
        return len(await rows(connector, NAV.query(keys=(FIRST,))))
    finally:
        await connector.close()


async def a_lost_company_is_no_other(opened: Opened) -> None:
    escaped = "/Company('CRONUS%20O%27%27Brien%20%26%20S%C3%B8n')"
    connector, _, _ = opened(wrap=targeted(escaped, ""))
    with pytest.raises(SystemUnavailableError, match="choose a company"):
        await rows(connector, NAV.query())
    await connector.close()


async def a_stranger_is_told(opened: Opened) -> None:
    connector, _, _ = opened(credentials=None)
    with pytest.raises(SystemUnavailableError, match="401"):
        await connector.describe(["Customer"])
    await connector.close()


async def dates_are_dates(opened: Opened) -> None:
    connector, _, _ = opened(now=lambda: START)
    [described] = await connector.describe(["Customer"])
    assert described.fields["Last_Date_Modified"].type is Type.DATE
    await written(connector, NAV.update(FIRST, None, City="Bonn"))
    since = NAV.query("Last_Date_Modified", since=START - timedelta(hours=1))
    [row] = (await rows(connector, since)).values()
    assert str(row["Last_Date_Modified"])[:10] == "2026-11-23"
    await connector.close()


async def a_page_is_read_and_written(opened: Opened) -> None:
    connector, _, _ = opened()
    [described] = await connector.describe(["Customer"])
    assert described.fields["Name"].type is Type.TEXT
    await written(connector, NAV.update(FIRST, None, Blocked="Ship"))
    assert (await rows(connector, NAV.query("Blocked")))[FIRST]["Blocked"] == "Ship"
    await connector.close()


async def a_page_is_there(opened: Opened) -> None:
    connector, _, _ = opened()
    described = await connector.describe(["Contact"])
    assert [known.name for known in described] == ["Contact"]
    await connector.close()


async def every_row_comes(opened: Opened) -> None:
    connector, line, _ = opened(pace={"page_size": 3})
    assert sorted(await rows(connector, NAV.query())) == sorted(NAV.keys)
    assert {request.url.host for request in line.passed} == {"nav.example"}
    await connector.close()


async def a_list_takes_nothing(opened: Opened) -> None:
    await refused(opened, update("Customer_List", FIRST, Name="New"), "MethodNotAllowed")


async def or_over_fields_is_refused(opened: Opened) -> None:
    with pytest.raises(SystemUnavailableError, match="'OR' operator"):
        await found(opened, f"No eq '{FIRST}' or Name eq 'Customer 2'")


async def letters_mean_something(opened: Opened) -> None:
    assert await found(opened, "Name eq 'Customer*'") == len(NAV.keys)


async def nothing_is_one_thing(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["Customer"])
    await written(connector, NAV.update(FIRST, None, Blocked="All"))
    blank = await rows(connector, NAV.query("No", "Blocked", where=(("Blocked", None),)))
    assert sorted(blank) == sorted(NAV.keys[1:])
    _, page = await written(connector, NAV.update(FIRST, None, Blocked=None))
    assert page.columns["Blocked"][0] in (" ", "", "_x0020_")
    await connector.close()


async def codes_come_back_upper_case(opened: Opened) -> None:
    outcome = await accepted(opened, create("Resource", " ab-1 ", "No", No=" ab-1 ", Name="x"))
    assert told(outcome, "No") == "AB-1"


async def long_texts_are_refused(opened: Opened) -> None:
    await refused(opened, update("Customer", FIRST, Name="x" * 51), "StringExceededLength")


async def a_number_is_given(opened: Opened) -> None:
    outcome = await accepted(opened, create("Customer", None, "No", Name="New"))
    assert told(outcome, "No")


async def a_number_is_taken(opened: Opened) -> None:
    outcome = await accepted(opened, create("Customer", "MINE", "No", No="MINE", Name="New"))
    assert told(outcome, "No") == "MINE"


async def what_is_left_out_is_blank(opened: Opened) -> None:
    write = create("Customer", None, "Country_Region_Code", Name="New")
    assert told(await accepted(opened, write), "Country_Region_Code") == ""


async def relations_are_checked(opened: Opened) -> None:
    write = update("Customer", FIRST, Salesperson_Code="NOBODY")
    await refused(opened, write, "InvalidTableRelation")


async def a_second_one_is_a_duplicate(opened: Opened) -> None:
    outcome = await refused(opened, create("Customer", FIRST, "No", No=FIRST, Name="New"))
    assert outcome.duplicate


async def a_change_says_what_it_saw(opened: Opened) -> None:
    write = update("Customer", FIRST, Name="New")
    await refused(opened, write, "InvalidToken", without("if-match", "PATCH"))


async def what_moved_on_is_drift(opened: Opened) -> None:
    await drifted(opened, update("Customer", FIRST, 'W/"old"', Name="New"))


async def a_change_comes_back(opened: Opened) -> None:
    outcome = await accepted(opened, update("Customer", FIRST, Name="New", Search_Name="abc"))
    assert (told(outcome, "Name"), told(outcome, "Search_Name")) == ("New", "ABC")


async def what_is_shown_is_not_set(opened: Opened) -> None:
    write = update("Customer", FIRST, Name="New")
    await refused(opened, write, "InvalidOperation", saying(Balance_LCY=1))


async def a_new_key_renames(opened: Opened) -> None:
    await accepted(opened, update("Customer", FIRST, Name="New"), saying(No="OTHER"))
    connector, _, _ = opened()
    assert set(NAV.keys) - set(await rows(connector, NAV.query())) == {FIRST}
    await connector.close()


async def a_change_has_a_date(opened: Opened) -> None:
    connector, _, _ = opened(now=lambda: START)
    await connector.describe(["Customer"])
    await written(connector, NAV.update(FIRST, None, City="Bonn"))
    since = START - timedelta(hours=1)
    assert list(await rows(connector, NAV.query(since=since))) == [FIRST]
    await connector.close()


async def days_that_begin_elsewhere_lose_nothing(opened: Opened) -> None:
    for hour in (0, 12, 23):
        now = datetime(2026, 11, 24, hour, 30, tzinfo=UTC)
        connector, _, _ = opened(now=lambda now=now: now)
        await connector.describe(["Customer"])
        await written(connector, NAV.update(FIRST, None, City=f"at {hour}"))
        since = now - timedelta(minutes=5)
        assert list(await rows(connector, NAV.query(since=since))) == [FIRST], hour
        await connector.close()


async def a_contact_follows_its_customer(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["Customer", "Contact"])
    made = create("Customer", "WITH", "No", No="WITH", Name="With a contact")
    await written(connector, made)
    await written(connector, update("Customer", "WITH", Name="By another name"))
    contacts = await rows(connector, WireQuery(entity="Contact", fields=("No", "Name")))
    names = [row["Name"] for row in contacts.values()]
    assert "By another name" in names
    assert "With a contact" not in names
    await connector.close()


async def nobody_is_asked(opened: Opened) -> None:
    await accepted(opened, NAV.delete(FIRST))


async def what_has_entries_stays(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["Item"])
    write = Write(kind=WriteKind.DELETE, entity="Item", key=ITEM)
    outcome = await one(connector, write)
    assert isinstance(outcome, Rejected), outcome
    assert "cannot delete Item" in outcome.message
    await connector.close()


async def who_may_write_writes(opened: Opened) -> None:
    await accepted(opened, update("Customer", FIRST, Name="New"))


async def who_may_not_is_told(opened: Opened) -> None:
    outcome = await refused(opened, update("Customer", FIRST, Name="New"))
    assert "You do not have the following permissions" in outcome.message


async def locks_are_waited_for(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["Customer"])
    for key in NAV.keys:
        await written(connector, NAV.update(key, None, Name="New"))
    assert {row["Name"] for row in (await rows(connector, NAV.query())).values()} == {"New"}
    await connector.close()


NAV_CHECKS: tuple[Check, ...] = (
    Rule("falls_back", a_lost_company_is_no_other, off=True),
    Position("words", ("", "html"), a_stranger_is_told),
    Position("dates", ("Edm.Date", "Edm.DateTimeOffset"), dates_are_dates),
    Position("notes_types", (True, False), a_page_is_read_and_written),
    Rule("published", a_page_is_there, off=frozenset({"Customer"})),
    Rule("lists_are_read_only", a_list_takes_nothing, off=False),
    Rule("across", or_over_fields_is_refused, off=True),
    Rule("wildcards", letters_mean_something, off=False),
    Position("most_rows", (1, 2, 1_000), every_row_comes),
    Position("honours_size", (False, True), every_row_comes),
    Position("internal_links", (False, True), every_row_comes, {"most_rows": 2}),
    Position("blank_option", (" ", "", "_x0020_"), nothing_is_one_thing),
    Rule("upper_codes", codes_come_back_upper_case, off=False),
    Rule("max_length", long_texts_are_refused, off=False),
    Rule("series", a_number_is_given, off=False),
    Rule("manual_numbers", a_number_is_taken, off=False),
    Rule("defaults", what_is_left_out_is_blank, off={"Customer": {"Country_Region_Code": "DE"}}),
    Rule("relations", relations_are_checked, off=False),
    Position("duplicate", (400, 409), a_second_one_is_a_duplicate),
    Rule("needs_match", a_change_says_what_it_saw, off=False),
    Position("stale", (412, 409), what_moved_on_is_drift),
    Position("updated", (200, 204), a_change_comes_back),
    Rule("read_only", what_is_shown_is_not_set, off=False),
    Rule("renames", a_new_key_renames, off=False),
    Rule("stamps", a_change_has_a_date, off=False),
    Position("local", (-720, 0, 840), days_that_begin_elsewhere_lose_nothing),
    Rule("cascades", a_contact_follows_its_customer, off=False),
    Rule("dialogs", nobody_is_asked, off=frozenset({"Customer"})),
    Rule("blocked_deletes", what_has_entries_stays, off=False),
    Rule("forbidden", who_may_write_writes, off=frozenset({"Customer"})),
    Position(
        "forbidden_status", (400, 403), who_may_not_is_told, {"forbidden": frozenset({"Customer"})}
    ),
    Position("locked", (0, 2, 3), locks_are_waited_for),
    Position("locked_status", (400, 409, 503), locks_are_waited_for, {"locked": 2}),
)
