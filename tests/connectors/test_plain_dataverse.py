"""``connector: odata`` and Dataverse's ``$metadata``: what any OData client can do there."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import httpx

from runner import sandbox
from runner.connectors.line.http import Credentials
from runner.connectors.line.pace import Pace
from runner.connectors.line.secret import Secret
from runner.connectors.odata.v4 import Habits, OData
from runner.wire import Drifted, Type, WireQuery, Write, WriteKind
from tests.connectors.systems import ALPHA, one, rows, run, seeded, written

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("name", "creditlimit", "_primarycontactid_value")


def connector(folder: Path) -> OData:
    """An organisation of seven accounts, two rows a page."""
    accounts = [
        {"accountid": f"{ALPHA[:-1]}{n}", "name": f"Account {n}", "creditlimit": f"{n}00.5"}
        for n in range(1, 8)
    ]
    app = sandbox.dataverse(folder / "crm.sqlite", seed=seeded(folder / "seed", accounts=accounts))
    return OData(
        "crm",
        f"http://crm.example{sandbox.DATAVERSE_PATH}",
        Credentials(token=Secret(sandbox.TOKEN)),
        habits=Habits(client_keys=True, modified="modifiedon"),
        pace=Pace(concurrency=2, page_size=2),
        transport_factory=lambda: httpx.ASGITransport(app=app),
    )


def test_it_describes_an_entity(tmp_path: Path) -> None:
    (accounts,) = run(connector(tmp_path).describe(["accounts"]))
    assert accounts.key == "accountid"
    assert accounts.modified == "modifiedon"
    kinds = {name: accounts.fields[name].type for name in FIELDS}
    assert kinds == {
        "name": Type.TEXT,
        "creditlimit": Type.DECIMAL,
        "_primarycontactid_value": Type.REFERENCE,
    }


def test_it_reads_writes_and_sees_that_somebody_was_faster(tmp_path: Path) -> None:
    async def work() -> None:
        plain = connector(tmp_path)
        await plain.describe(["accounts"])
        query = WireQuery(entity="accounts", fields=("name", "creditlimit"))
        found = await rows(plain, query)
        assert len(found) == 7
        key = f"{ALPHA[:-1]}3"
        assert found[key]["name"] == "Account 3"
        assert Decimal(str(found[key]["creditlimit"])) == Decimal("300.5")
        etag = [etag async for page in plain.pages(query) for etag in page.etags][2]
        renamed = Write(
            kind=WriteKind.UPDATE,
            entity="accounts",
            key=key,
            etag=etag,
            values={"name": "Renamed"},
            returning=("name",),
        )
        done, page = await written(plain, renamed)
        assert done.key == key
        assert list(page.columns["name"]) == ["Renamed"]
        assert isinstance(await one(plain, renamed), Drifted)
        await plain.close()

    run(work())
