"""What only Business Central has: ids of our choice, JSON batches, encoded options."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from runner.errors import SystemUnavailableError
from runner.sandbox.business_central.manners import BusinessCentralManners
from runner.sandbox.business_central.server import COMPANY_ID
from runner.wire import Drifted, Rejected, Type, Unknown, Written
from tests.connectors.systems import BC, COMPANY, bc, dropped_after, one, rows, run, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("company", [COMPANY, COMPANY_ID, COMPANY_ID.upper()])
def test_a_company_is_known_by_name_or_id(company: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = bc(tmp_path, company=company)
        assert len(await rows(connector, BC.query())) == 7
        assert f"/companies({COMPANY_ID})/customers?" in str(line.last.url)
        assert line.last.headers["Accept-Language"] == "en-US"
        await connector.close()

    run(scenario())


def test_a_company_that_is_not_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = bc(tmp_path, company="CRONUS O'Brien & Son")
        with pytest.raises(SystemUnavailableError, match="there is no company") as caught:
            await connector.describe(["customers"])
        assert COMPANY in caught.value.hint
        await connector.close()

    run(scenario())


@pytest.mark.parametrize("enumerations", [False, True])
@pytest.mark.parametrize("encodes", [False, True])
def test_options_in_all_their_forms(tmp_path: Path, *, enumerations: bool, encodes: bool) -> None:
    """How options are described, and how a blank one is written, differs from build to build."""

    async def scenario() -> None:
        manners = BusinessCentralManners(enumerations=enumerations, encodes_options=encodes)
        connector, _, _ = bc(tmp_path, manners=manners)
        [told] = await connector.describe(["customers"])
        assert told.fields["blocked"].type is Type.OPTION
        first, second, *_ = BC.keys
        await written(connector, BC.update(first, None, blocked="Ship"))
        assert list(await rows(connector, BC.query(where=(("blocked", "Ship"),)))) == [first]
        assert len(await rows(connector, BC.query(where=(("blocked", None),)))) == 6
        await written(connector, BC.update(first, None, blocked=None))
        assert second in await rows(connector, BC.query(where=(("blocked", None),)))
        await connector.close()

    run(scenario())


@pytest.mark.parametrize("stale", [409, 412])
def test_a_record_that_moved_on(stale: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = bc(tmp_path, manners=BusinessCentralManners(stale=stale))
        await connector.describe(["customers"])
        outcome = await one(connector, BC.update(BC.keys[0], 'W/"old"', displayName="x"))
        assert isinstance(outcome, Drifted)
        await connector.close()

    run(scenario())


def test_links_that_name_the_servers_own_network(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = bc(tmp_path, manners=BusinessCentralManners(internal_links=True))
        assert len(await rows(connector, BC.query())) == 7
        assert {request.url.host for request in line.passed} == {"bc.example"}
        await connector.close()

    run(scenario())


def test_writes_go_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = bc(tmp_path, pace={"concurrency": 1, "together": 20})
        await connector.describe(["customers"])
        line.passed.clear()
        keys = [str(uuid4()) for _ in range(3)]
        batch = [
            *(BC.fresh(key, displayName=f"N{n}") for n, key in enumerate(keys)),
            BC.fresh(keys[0], displayName="again"),
            BC.update(BC.keys[0], None, displayName="x" * 101),
            BC.update(BC.keys[1], 'W/"old"', displayName="x"),
            BC.update(BC.keys[2], None, displayName="Zoë"),
            BC.delete(BC.keys[3]),
        ]
        outcomes = await connector.write(batch)
        assert [type(outcome) for outcome in outcomes] == [
            *[Written] * 3,
            Rejected,
            Rejected,
            Drifted,
            Written,
            Written,
        ]
        again = outcomes[3]
        assert isinstance(again, Rejected)
        assert again.duplicate
        assert len(line.passed) == 1
        line.faults += [dropped_after]
        lost = [BC.fresh(str(uuid4())) for _ in range(2)]
        assert [type(o) for o in await connector.write(lost)] == [Unknown] * 2
        once_more = await connector.write(lost)
        assert all(isinstance(o, Rejected) and o.duplicate for o in once_more)
        await connector.close()

    run(scenario())
