"""Options of choice columns, read and written through the definitions of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.wire import Rejected, Type, Unknown, WireQuery, Write, WriteKind, Written
from tests.connectors.systems import answering, crm, dropped_after, one, rows, run

if TYPE_CHECKING:
    from pathlib import Path

    from runner.wire import Value

TERMS = "accounts.paymenttermscode"
ALL = WireQuery(entity=TERMS, fields=("value", "label"))


def write(kind: WriteKind, key: str | None = None, **values: Value) -> Write:
    return Write(kind=kind, entity=TERMS, key=key, values=values, returning=("value", "label"))


def test_the_options_of_a_column_are_records(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        accounts, terms = await connector.describe(["accounts", TERMS, "accounts.name", "no.such"])
        assert (accounts.name, terms.name, terms.key, terms.label) == (
            "accounts", TERMS, "value", "label",
        )  # fmt: skip
        assert {n: f.type for n, f in terms.fields.items()} == {
            "value": Type.INTEGER,
            "label": Type.TEXT,
        }
        found = await rows(connector, ALL)
        assert found["1"] == {"value": 1, "label": "Net 30"}
        assert await connector.count(TERMS) == len(found) == 4
        assert connector.explain(ALL) == f"GET {line.last.url}"
        some = WireQuery(entity=TERMS, fields=("label",), where=(("label", "Net 60"),))
        assert await rows(connector, some) == {"4": {"label": "Net 60"}}
        some = WireQuery(entity=TERMS, fields=("label",), keys=("3", "9"))
        assert await rows(connector, some) == {"3": {"label": "Net 45"}}

    run(scenario())


def test_options_are_added_renamed_and_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        made = await one(connector, write(WriteKind.CREATE, value=5, label="14D"))
        assert isinstance(made, Written)
        assert made.page is not None
        assert dict(made.page.columns) == {"value": [5], "label": ["14D"]}
        given = await one(connector, write(WriteKind.CREATE, label="1M(8D)"))
        assert isinstance(given, Written)
        assert int(given.key) >= 100_000_000, "the organisation's own numbers"
        told = await one(connector, write(WriteKind.UPDATE, "5", label="14 days"))
        assert isinstance(told, Written)
        assert isinstance(await one(connector, write(WriteKind.DELETE, "2")), Written)
        found = {key: row["label"] for key, row in (await rows(connector, ALL)).items()}
        assert found == {
            "1": "Net 30",
            "3": "Net 45",
            "4": "Net 60",
            "5": "14 days",
            given.key: "1M(8D)",
        }
        account = Write(
            kind=WriteKind.CREATE, entity="accounts", key=None,
            values={"name": "New", "paymenttermscode": 5}, returning=("accountid",),
        )  # fmt: skip
        assert isinstance(await one(connector, account), Written), "accounts take the new option"

    run(scenario())


def test_what_an_option_may_not_be_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = crm(tmp_path)
        twice = await one(connector, write(WriteKind.CREATE, value=1, label="Again"))
        assert isinstance(twice, Rejected)
        assert twice.duplicate
        gone = await one(connector, write(WriteKind.UPDATE, "77", label="Nobody"))
        assert isinstance(gone, Rejected)
        assert gone.missing
        blank = await one(connector, write(WriteKind.CREATE, value=9))
        assert isinstance(blank, Rejected)
        assert not blank.duplicate

    run(scenario())


def test_an_answer_that_is_lost_leaves_it_open(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await rows(connector, ALL)

        async def passing(request, answer):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return await answer(request)

        line.faults = [passing, dropped_after]
        lost = await one(connector, write(WriteKind.CREATE, value=5, label="14D"))
        assert isinstance(lost, Unknown)
        assert "5" not in await rows(connector, ALL), "not published yet"
        again = await one(connector, write(WriteKind.CREATE, value=5, label="14D"))
        assert isinstance(again, Rejected)
        assert again.duplicate

    run(scenario())


def test_an_option_that_is_not_published_is_not_done(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = crm(tmp_path)
        await rows(connector, ALL)

        async def passing(request, answer):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return await answer(request)

        line.faults = [passing, passing, answering(400)]
        found = await one(connector, write(WriteKind.CREATE, value=5, label="14D"))
        assert isinstance(found, Unknown)

    run(scenario())
