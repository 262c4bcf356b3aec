"""The rules of Business Central, each with what its connector would meet without it (E4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.connectors.line.patience import Patience
from runner.errors import SystemUnavailableError
from runner.wire import WireQuery, Written
from tests.connectors.systems import BC, rows, written
from tests.connectors.witnesses import (
    Check,
    Position,
    Rule,
    accepted,
    drifted,
    filtered,
    refused,
    told,
    update,
    without,
)

if TYPE_CHECKING:
    from datetime import datetime

    from tests.connectors.systems import Time
    from tests.connectors.witnesses import Opened

FIRST = BC.keys[0]


async def a_chosen_id_is_kept(opened: Opened) -> None:
    key = BC.other.lower()
    outcome = await accepted(opened, BC.fresh(key))
    assert told(outcome, "id") == key


async def a_change_says_what_it_saw(opened: Opened) -> None:
    write = update("customers", FIRST, displayName="New")
    await refused(opened, write, "InvalidToken", without("if-match", "PATCH"))


async def what_moved_on_is_drift(opened: Opened) -> None:
    await drifted(opened, update("customers", FIRST, 'W/"old"', displayName="New"))


async def every_row_comes(opened: Opened) -> None:
    connector, line, _ = opened()
    assert sorted(await rows(connector, BC.query())) == sorted(BC.keys)
    assert {request.url.host for request in line.passed} == {"bc.example"}
    await connector.close()


async def options_come_and_go(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["customers"])
    await written(connector, BC.update(FIRST, None, blocked="Ship"))
    assert list(await rows(connector, BC.query(where=(("blocked", "Ship"),)))) == [FIRST]
    await written(connector, BC.update(FIRST, None, blocked=None))
    assert len(await rows(connector, BC.query(where=(("blocked", None),)))) == len(BC.keys)
    await connector.close()


async def or_over_fields_is_refused(opened: Opened) -> None:
    connector, _, _ = opened(wrap=filtered("number eq 'X' or displayName eq 'Y'"))
    with pytest.raises(SystemUnavailableError, match="OR"):
        await rows(connector, BC.query(keys=(FIRST,)))
    await connector.close()


async def many_go_together(opened: Opened) -> None:
    connector, line, _ = opened(pace={"together": 7, "concurrency": 1})
    await connector.describe(["customers"])
    line.passed.clear()
    outcomes = await connector.write([BC.update(key, None, displayName="N") for key in BC.keys])
    assert [type(outcome) for outcome in outcomes] == [Written] * len(BC.keys)
    assert len(line.passed) == 1
    await connector.close()


async def a_customer_comes_with_a_contact(opened: Opened) -> None:
    connector, _, _ = opened()
    await connector.describe(["customers", "contacts"])
    contacts = WireQuery(entity="contacts", fields=("displayName",))
    before = len(await rows(connector, contacts))
    await written(connector, BC.fresh(BC.other.lower()))
    assert len(await rows(connector, contacts)) == before + 1
    await connector.close()


async def a_busy_server_is_waited_for(opened: Opened) -> None:
    at: list[Time] = []

    def now() -> datetime:
        return at[0].wall()

    connector, _, time = opened(now=now, patience=Patience(total=600))
    at.append(time)
    assert len(await rows(connector, BC.query())) == len(BC.keys)
    await connector.close()


BUSINESS_CENTRAL_CHECKS: tuple[Check, ...] = (
    Rule("client_ids", a_chosen_id_is_kept, off=False),
    Rule("needs_match", a_change_says_what_it_saw, off=False),
    Position("stale", (409, 412), what_moved_on_is_drift),
    Position("most_rows", (2, 20_000), every_row_comes),
    Position("honours_size", (True, False), every_row_comes),
    Position("encodes_options", (True, False), options_come_and_go),
    Position("enumerations", (True, False), options_come_and_go),
    Position("local_currency", ("GBP", "EUR"), every_row_comes),
    Rule("across", or_over_fields_is_refused, off=True),
    Rule("most_operations", many_go_together, off=3),
    Position("misleads", (True, False), many_go_together),
    Position("requests", (6_000, 5), a_busy_server_is_waited_for),
    Position("internal_links", (False, True), every_row_comes),
    Rule("cascades", a_customer_comes_with_a_contact, off=False),
)
