"""Products, which take nothing while they are retired, and are published before they retire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.wire import Reference, Rejected, WireQuery, Write, WriteKind, Written
from tests.connectors.systems import answering, crm, one, rows, run

if TYPE_CHECKING:
    from pathlib import Path

    from runner.connectors.protocol import Connector
    from runner.wire import Outcome, Value

GROUP, PRODUCT = (f"dddddddd-0000-4000-8000-00000000000{n}" for n in (1, 2))
STATE = WireQuery(entity="products", fields=("name", "statecode"))


async def product(connector: Connector) -> None:
    """Make a draft, with the unit group that it needs."""
    group = Write(
        kind=WriteKind.CREATE, entity="uomschedules", key=GROUP,
        values={"name": "NAV PCS", "baseuomname": "PCS"}, returning=("uomscheduleid",),
    )  # fmt: skip
    assert isinstance(await one(connector, group), Written)
    units = await rows(connector, WireQuery(entity="uoms", fields=("name",)))
    draft = Write(
        kind=WriteKind.CREATE, entity="products", key=PRODUCT, returning=("productid",),
        values={
            "name": "Bicycle", "productnumber": "1000", "productstructure": 1, "quantitydecimal": 2,
            "defaultuomscheduleid": Reference("uomschedules", GROUP),
            "defaultuomid": Reference("uoms", next(iter(units))),
        },
    )  # fmt: skip
    made = await one(connector, draft)
    assert isinstance(made, Written), made


async def update(connector: Connector, **values: Value) -> Outcome:
    write = Write(
        kind=WriteKind.UPDATE,
        entity="products",
        key=PRODUCT,
        values=values,
        returning=("productid", *values),
    )
    return await one(connector, write)


def test_a_draft_retires_by_way_of_being_active(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        await product(connector)
        assert isinstance(await update(connector, statecode=1), Written)
        assert await rows(connector, STATE) == {PRODUCT: {"name": "Bicycle", "statecode": 1}}

    run(scenario())


def test_a_retired_product_takes_a_change_and_stays_retired(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        await product(connector)
        await update(connector, statecode=1)
        assert isinstance(await update(connector, name="Bike"), Written)
        assert await rows(connector, STATE) == {PRODUCT: {"name": "Bike", "statecode": 1}}

    run(scenario())


def test_a_retired_product_comes_back_with_its_changes(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        await product(connector)
        await update(connector, statecode=1)
        assert isinstance(await update(connector, name="Bike", statecode=0), Written)
        assert await rows(connector, STATE) == {PRODUCT: {"name": "Bike", "statecode": 0}}

    run(scenario())


def test_a_product_that_cannot_be_activated_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await product(connector)
        await update(connector, statecode=1)
        refusal = '{"error": {"code": "0x80040265", "message": "not now"}}'
        line.faults = [
            answering(400, '{"error": {"code": "0x8004f995", "message": "retired"}}'),
            answering(400, refusal),
        ]
        told = await update(connector, name="Bike")
        assert isinstance(told, Rejected)
        assert told.message == "not now"

    run(scenario())
