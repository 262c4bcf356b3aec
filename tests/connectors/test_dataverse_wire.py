"""Dataverse beyond single requests: batches, changes, limits, callers (protocols A10 to A15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from runner.connectors.microsoft.dataverse import Manner
from runner.errors import SystemUnavailableError
from runner.sandbox.dataverse.manners import Application, DataverseManners, Limits
from runner.wire import Drifted, Rejected, Unknown, WireQuery, Written
from tests.connectors.systems import (
    ALPHA,
    CRM,
    START,
    answering,
    crm,
    dropped_after,
    one,
    rows,
    run,
    truncated,
    written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import httpx

    from runner.connectors.protocol import Tracking
    from runner.wire import Write
    from tests.connectors.systems import Line

BOB = "00000000-0000-4000-8000-0000000000b0"
ONE_WORKER = {"concurrency": 1, "page_size": 2, "together": 5}


def sent(line: Line, what: str = "/$batch") -> list[httpx.Request]:
    return [request for request in line.passed if str(request.url).endswith(what)]


def creates(count: int) -> list[Write]:
    return [CRM.fresh(str(uuid4()), name=f"New {n}") for n in range(count)]


def test_writes_go_together_and_each_has_its_own_outcome(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace=ONE_WORKER)
        await connector.describe(["accounts"])
        first, second, *_ = CRM.keys
        _, page = await written(connector, CRM.update(first, None, name="Once"))
        line.passed.clear()
        batch = [
            *creates(2),
            CRM.update(second, None, name="Zoë"),
            CRM.update(first, 'W/"1"', name="stale"),
            CRM.update(first, page.etags[0], name="fresh"),
            CRM.update(first, None, name="x" * 161),
            CRM.update(str(uuid4()), None, name="nobody"),
            CRM.delete(CRM.keys[2]),
        ]
        outcomes = await connector.write(batch)
        assert [type(outcome) for outcome in outcomes] == [
            *[Written] * 3,
            Drifted,
            Written,
            Rejected,
            Rejected,
            Written,
        ]
        assert len(line.passed) == len(sent(line)) == 2
        zoe, gone = outcomes[2], outcomes[6]
        assert isinstance(zoe, Written)
        assert zoe.page is not None
        assert zoe.page.columns["name"] == ["Zoë"]
        assert isinstance(gone, Rejected)
        assert gone.missing
        found = await rows(connector, CRM.query())
        assert len(found) == len(CRM.keys) + 2 - 1
        await connector.close()

    run(scenario())


def test_a_batch_that_nobody_answered_is_unknown_and_sent_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace=ONE_WORKER)
        await connector.describe(["accounts"])
        await written(connector, CRM.update(ALPHA, None, name="Warm"))
        for fault in (dropped_after, truncated, answering(504, b"", after=True)):
            batch = creates(3)
            line.passed.clear()
            line.faults += [fault]
            outcomes = await connector.write(batch)
            assert [type(outcome) for outcome in outcomes] == [Unknown] * 3
            assert len(line.passed) == 1
            # All the same they are there, and the client's keys tell so.
            again = await connector.write(batch)
            assert all(isinstance(o, Rejected) and o.duplicate for o in again)
        await connector.close()

    run(scenario())


def test_many_new_records_that_nobody_answered_for_are_unknown_and_sent_once(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace={**ONE_WORKER, "page_size": 50})
        await connector.describe(["accounts"])
        line.passed.clear()
        line.faults[:] = [dropped_after]
        batch = creates(25)
        outcomes = await connector.write(batch)
        assert [type(outcome) for outcome in outcomes] == [Unknown] * 25
        assert [request.url.path.rpartition(".")[2] for request in line.passed] == [
            "CreateMultiple"
        ]
        # They were made all the same: who asks by the keys that were chosen finds them.
        found = await rows(connector, CRM.query(keys=tuple(write.key or "" for write in batch)))
        assert len(found) == 25
        await connector.close()

    run(scenario())


def test_a_page_for_people_says_nothing_of_many_new_records(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace={**ONE_WORKER, "page_size": 50})
        await connector.describe(["accounts"])
        line.faults[:] = [answering(200, b"<html><title>Sign in</title></html>")]
        outcomes = await connector.write(creates(25))
        assert [type(outcome) for outcome in outcomes] == [Unknown] * 25
        await connector.close()

    run(scenario())


def test_a_server_that_takes_no_batches_gets_single_writes(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path, pace=ONE_WORKER)
        await connector.describe(["accounts"])
        await written(connector, CRM.update(ALPHA, None, name="Warm"))
        line.passed.clear()
        line.faults += [answering(501, b"")]
        outcomes = await connector.write(creates(3))
        assert [type(outcome) for outcome in outcomes] == [Written] * 3
        assert [request.method for request in line.passed] == ["POST", *["PATCH"] * 3]
        await connector.write(creates(3))
        assert len(sent(line)) == 1
        await connector.close()

    run(scenario())


@dataclass(slots=True)
class Hours:
    """The organisation's clock, moved by hand."""

    at: datetime = START
    moved: Callable[[], float] = lambda: 0.0

    def __call__(self) -> datetime:
        return self.at + timedelta(seconds=self.moved())


@dataclass(slots=True)
class Changed:
    """All that came of one look at the changes."""

    keys: list[str]
    names: list[Any]
    deleted: list[str]
    token: str
    whole: bool


async def changed(connector: Any, token: str) -> Changed:
    told = Changed([], [], [], "", whole=False)
    tracking = cast("Tracking", connector)
    query = WireQuery(entity="accounts", fields=("name",), filter="name == 'x'")
    found: AsyncIterator[Any] = tracking.changes(query, token)
    async for some in found:
        assert not told.token
        if some.page is not None:
            told.keys += some.page.keys
            told.names += some.page.columns["name"]
        told.deleted += some.deleted
        told.token = some.token
        told.whole = told.whole or some.whole
    assert told.token
    return told


def test_changes_since_the_last_look(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        [told] = await connector.describe(["accounts"])
        assert told.tracked
        every = await changed(connector, "")
        assert (every.whole, tuple(sorted(every.keys)), every.deleted) == (True, CRM.keys, [])
        nothing = await changed(connector, every.token)
        assert (nothing.whole, nothing.keys, nothing.deleted) == (False, [], [])
        new = creates(1)[0]
        passing = creates(1)[0]
        await connector.write([new, passing])
        await connector.write([CRM.update(ALPHA, None, name="Changed"), CRM.delete(CRM.keys[6])])
        await connector.write([CRM.delete(passing.key or "")])
        since = await changed(connector, nothing.token)
        assert not since.whole
        assert sorted(zip(since.keys, since.names, strict=True)) == sorted(
            [(ALPHA, "Changed"), (new.key, "New 0")]
        )
        # One of them was never seen (D11).
        assert sorted(since.deleted) == sorted([CRM.keys[6], passing.key or ""])
        await connector.close()

    run(scenario())


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_token_that_is_too_old_brings_everything(status: int, tmp_path: Path) -> None:
    """Protocols D10, F1: with which status that is told is not documented."""

    async def scenario() -> None:
        hours = Hours()
        manners = DataverseManners(expired_token=status)
        connector, _, _ = crm(tmp_path, manners=manners, now=hours)
        await connector.describe(["accounts"])
        token = (await changed(connector, "")).token
        hours.at += timedelta(days=8)
        await connector.write([CRM.delete(CRM.keys[6])])
        every = await changed(connector, token)
        assert every.whole
        assert tuple(sorted(every.keys)) == CRM.keys[:6]
        await connector.close()

    run(scenario())


def test_a_table_that_is_not_tracked(tmp_path: Path) -> None:
    async def scenario() -> None:
        manners = DataverseManners(untracked=frozenset({"account"}))
        connector, _, _ = crm(tmp_path, manners=manners)
        [told] = await connector.describe(["accounts"])
        assert not told.tracked
        await connector.close()

    run(scenario())


def test_a_table_without_versions_is_written_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        manners = DataverseManners(unversioned=frozenset({"account"}))
        connector, _, _ = crm(tmp_path, manners=manners)
        await connector.describe(["accounts"])
        await written(connector, CRM.update(ALPHA, 'W/"1"', name="New"))
        await connector.close()

    run(scenario())


def test_the_organisations_advice_is_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        manners = DataverseManners(limits=Limits(hint=2))
        connector, line, _ = crm(tmp_path, manners=manners, pace={"concurrency": 16})
        await connector.describe(["accounts"])
        line.busiest = 0
        await connector.write([CRM.update(key, None, name="new") for key in CRM.keys])
        assert line.busiest == 2
        assert len(sent(line, "/WhoAmI")) == 1
        await connector.close()

    run(scenario())


def test_too_many_requests_are_waited_out(tmp_path: Path) -> None:
    """Protocols A13: the wait is the organisation's, and nothing is lost or done twice."""

    async def scenario() -> None:
        limits = Limits(requests=20, window=20, wait=5)
        hours = Hours()
        connector, line, time = crm(
            tmp_path,
            manners=DataverseManners(limits=limits),
            now=hours,
            pace=ONE_WORKER | {"together": 1},
        )
        hours.moved = lambda: time.at
        batch = creates(40)
        outcomes = await connector.write(batch)
        assert [type(outcome) for outcome in outcomes] == [Written] * 40
        assert max(time.slept) <= limits.window
        assert time.slept
        assert len(await rows(connector, CRM.query())) == len(CRM.keys) + 40
        assert line.busiest == 1
        await connector.close()

    run(scenario())


@pytest.mark.parametrize("caller", [ALPHA[:-1] + "9"])
def test_in_the_name_of_somebody_else(caller: str, tmp_path: Path) -> None:
    """Protocols A14."""

    async def scenario() -> None:
        connector, _, _ = crm(tmp_path, manner=Manner(caller=caller))
        await connector.describe(["accounts"])
        await written(connector, CRM.update(ALPHA, None, name="New"))
        query = CRM.query("modifiedby", "modifiedonbehalfby", keys=(ALPHA,))
        found = (await rows(connector, query))[ALPHA]
        assert found["modifiedby"] == caller
        assert found["modifiedonbehalfby"] not in (None, caller)
        await connector.close()

    run(scenario())


def test_who_may_not_act_for_others_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        manners = DataverseManners(connection=Application(delegate=False))
        manner = Manner(caller=ALPHA[:-1] + "9")
        connector, _, _ = crm(tmp_path, manners=manners, manner=manner)
        with pytest.raises(SystemUnavailableError, match="prvActOnBehalfOfAnotherUser"):
            await connector.describe(["accounts"])
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(("detect", "expected"), [(False, Written), (True, Rejected)])
def test_duplicates_are_found_where_that_is_wanted(
    expected: type, tmp_path: Path, *, detect: bool
) -> None:
    """Protocols A15, D67: what the rules find is answered with 500, and is no fault."""

    async def scenario() -> None:
        connector, _, _ = crm(tmp_path, manner=Manner(detect=detect))
        await connector.describe(["accounts"])
        alike = {"name": "Twin", "emailaddress1": "twin@example.com"}
        await written(connector, CRM.fresh(str(uuid4()), **alike))
        outcome = await one(connector, CRM.fresh(str(uuid4()), **alike))
        assert isinstance(outcome, expected), outcome
        assert getattr(outcome, "duplicate", False) is detect
        await connector.close()

    run(scenario())
