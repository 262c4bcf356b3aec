"""Rows on their way into a table: all of them, in their order, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner.connectors.odata.columnar import Cells
from runner.errors import SystemUnavailableError
from runner.extract.pages import append, empty, gather
from runner.plan import run_file
from runner.wire import Page, Type, WireQuery
from tests.fakes import Fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

COLUMNS = {"name": Type.TEXT, "amount": Type.DECIMAL}
SIZES = [1, 3_999, 4_000, 4_001, 10_000, 50_000]


@pytest.fixture
def run() -> Iterator[duckdb.DuckDBPyConnection]:
    with run_file() as file:
        empty(file.connection, "raw", COLUMNS)
        yield file.connection


def page(numbers: Sequence[int], *, amount: Callable[[int], str] = str) -> Page:
    return Page(
        keys=[f"K{n}" for n in numbers],
        etags=[None for _ in numbers],
        columns={"name": [f"N{n}" for n in numbers], "amount": [amount(n) for n in numbers]},
    )


async def coming(*pages: Page) -> AsyncIterator[Page]:
    for one in pages:
        yield one


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("inflow")]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", [1, 700, 5_000])
def test_all_rows_come_in_their_order(run: duckdb.DuckDBPyConnection, size: int, rows: int) -> None:
    size = min(size, rows * 500)
    pages = (page(range(n, min(n + rows, size))) for n in range(0, size, rows))
    read: list[int] = []
    assert asyncio.run(gather(coming(*pages), COLUMNS, run, "raw", read.append)) == size
    assert read[-1] == size
    told = "SELECT count(*), bool_and(\"#key\" = 'K' || rowid AND amount = rowid) FROM raw"
    assert run.execute(told).fetchall() == [(size, True)]
    assert not threads()


def test_no_rows_at_all(run: duckdb.DuckDBPyConnection) -> None:
    assert asyncio.run(gather(coming(page([]), page([])), COLUMNS, run, "raw")) == 0
    assert run.execute("FROM raw").fetchall() == []


def test_a_column_may_come_as_another_type_from_page_to_page(
    run: duckdb.DuckDBPyConnection,
) -> None:
    import pyarrow as pa  # noqa: PLC0415 - as the decoder of large pages has it

    def as_numbers(numbers: range) -> Page:
        told = page(numbers)
        decimals = pa.array(list(numbers), pa.decimal128(28, 10))
        return Page(
            keys=told.keys, etags=told.etags, columns={**told.columns, "amount": Cells(decimals)}
        )

    pages = [
        made(range(n, n + rows))
        for n, rows, made in [
            (0, 10, page),
            (10, 5_000, as_numbers),
            (5_010, 5_000, page),
            (10_010, 10, as_numbers),
            (10_020, 10, page),
        ]
    ]
    assert asyncio.run(gather(coming(*pages), COLUMNS, run, "raw")) == 10_030
    told = "SELECT count(*), bool_and(\"#key\" = 'K' || rowid AND amount = rowid) FROM raw"
    assert run.execute(told).fetchall() == [(10_030, True)]


@pytest.mark.parametrize("wrong", [0, 1, 30])
def test_what_does_not_fit_ends_it(run: duckdb.DuckDBPyConnection, wrong: int) -> None:
    def made(n: int) -> Page:
        amount = (lambda _: "no number") if n == wrong else str
        return page(range(n * 5_000, (n + 1) * 5_000), amount=amount)

    with pytest.raises(duckdb.ConversionException, match="no number"):
        asyncio.run(gather(coming(*map(made, range(31))), COLUMNS, run, "raw"))
    assert not threads()
    # The connection goes on working.
    assert run.execute("SELECT count(*) FROM raw").fetchall() == [(0,)]


@pytest.mark.parametrize("after", [0, 1, 20])
def test_a_system_that_breaks_off_is_told_as_that(
    run: duckdb.DuckDBPyConnection, after: int
) -> None:
    async def breaking() -> AsyncIterator[Page]:
        for n in range(after):
            yield page(range(n * 5_000, (n + 1) * 5_000))
        raise SystemUnavailableError("crm", "it broke off")

    with pytest.raises(SystemUnavailableError, match="broke off"):
        asyncio.run(gather(breaking(), COLUMNS, run, "raw"))
    assert not threads()


def test_whoever_is_called_off_leaves_nothing_running(run: duckdb.DuckDBPyConnection) -> None:
    async def work() -> None:
        far = asyncio.Event()

        async def endless() -> AsyncIterator[Page]:
            for n in range(100):
                yield page(range(n * 5_000, (n + 1) * 5_000))
            far.set()
            await asyncio.Event().wait()

        reading = asyncio.ensure_future(gather(endless(), COLUMNS, run, "raw"))
        await far.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(work())
    assert not threads()
    run.execute("DROP TABLE raw")


def test_nor_does_whoever_is_called_off_at_the_end(run: duckdb.DuckDBPyConnection) -> None:
    async def work() -> None:
        def read(rows: int) -> None:
            if rows == 50_000:
                reading.cancel()

        reading = asyncio.ensure_future(gather(coming(*pages), COLUMNS, run, "raw", read))
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not threads()

    pages = [page(range(n, n + 5_000)) for n in range(0, 50_000, 5_000)]
    asyncio.run(work())
    run.execute("DROP TABLE raw")


def test_many_are_read_at_a_time(run: duckdb.DuckDBPyConnection) -> None:
    """More than the loop has threads of its own, with decoders that want these."""

    async def decoding(of: int) -> AsyncIterator[Page]:
        for n in range(6):
            yield await asyncio.to_thread(page, range(n * 5_000 + of, (n + 1) * 5_000 + of))

    async def work() -> list[int]:
        for n in range(40):
            empty(run, f"raw{n}", COLUMNS)
        reading = (gather(decoding(n), COLUMNS, run, f"raw{n}") for n in range(40))
        return await asyncio.gather(*reading)

    assert asyncio.run(asyncio.wait_for(work(), timeout=60)) == [30_000] * 40
    sums = {
        run.execute(f"SELECT count(*), min(amount) FROM raw{n}").fetchall()[0] for n in range(40)
    }
    assert {(rows, int(least)) for rows, least in sums} == {(30_000, n) for n in range(40)}


def test_a_record_that_comes_again_much_later_is_kept_as_it_was_last_read(
    run: duckdb.DuckDBPyConnection,
) -> None:
    class Moving(Fake):
        async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
            del query
            for n in range(8):
                yield page(range(n * 5_000, (n + 1) * 5_000))
            yield page([7, 12_345], amount=lambda _: "-1")

    system = Moving({})
    rows = asyncio.run(append(system, WireQuery(entity="row", fields=()), COLUMNS, run, "raw"))
    assert rows == 40_002
    assert run.execute("SELECT count(*) FROM raw").fetchall() == [(40_000,)]
    found = run.execute('SELECT "#key" FROM raw WHERE amount = -1 ORDER BY ALL').fetchall()
    assert found == [("K12345",), ("K7",)]
