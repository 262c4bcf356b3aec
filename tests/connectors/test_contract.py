"""What every connector promises (``connectors.protocol``), asked of servers and of tables."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from runner.errors import SystemUnavailableError
from runner.wire import Drifted, Rejected, Type, WireQuery, Written
from tests.connectors.systems import BC, CRM, NAV, TRICKY, System, one, rows, run, written
from tests.connectors.tables import TABLES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=[CRM, NAV, BC, *TABLES], ids=lambda system: system.name)
def system(request: pytest.FixtureRequest) -> System:
    found: System = request.param
    return found


@pytest.fixture(params=[CRM, NAV, BC], ids=lambda system: system.name)
def server(request: pytest.FixtureRequest) -> System:
    """One that is spoken to over HTTP."""
    found: System = request.param
    return found


@pytest.fixture(params=[CRM, NAV, BC, *(t for t in TABLES if t.too_long)], ids=lambda s: s.name)
def limited(request: pytest.FixtureRequest) -> System:
    """One that limits the length of texts."""
    found: System = request.param
    return found


def test_describe_keeps_the_order_and_leaves_out_what_is_unknown(
    system: System, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        [told] = await connector.describe(["nothing", system.entity])
        assert told.name == system.entity
        assert told.key == system.key
        assert told.label == system.text
        assert told.fields[system.text].type is Type.TEXT
        assert told.fields[system.amount].type is Type.DECIMAL
        assert told.fields[told.modified].type in (Type.INSTANT, Type.DATE)
        assert not told.fields[told.modified].on_create
        assert not told.fields[system.key].on_update
        await connector.close()

    run(scenario())


def test_pages_bring_each_row_once_with_its_etag(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path)
        pages = [page async for page in connector.pages(system.query(system.text, system.amount))]
        assert [len(page.keys) for page in pages] == [2, 2, 2, 1]
        assert tuple(key for page in pages for key in page.keys) == system.keys
        assert all(etag for page in pages for etag in page.etags)
        amounts = [amount for page in pages for amount in page.columns[system.amount]]
        assert [Decimal(str(a)) for a in amounts] == [Decimal(f"{n}00.5") for n in range(1, 8)]
        assert all(isinstance(amount, str) for amount in amounts)
        assert line.busiest <= connector.capabilities.concurrency
        await connector.close()

    run(scenario())


def test_pages_of_an_entity_that_is_not_there(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        query = WireQuery(entity="nothing", fields=("x",))
        with pytest.raises(SystemUnavailableError, match="nothing"):
            await rows(connector, query)
        await connector.close()

    run(scenario())


def test_where_finds_what_is_equal(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        first, second = system.keys[:2]
        await written(connector, system.update(first, **{system.text: TRICKY}))

        async def found(**where: object) -> list[str]:
            query = system.query(system.key, where=tuple(where.items()))
            return list(await rows(connector, query))

        assert await found(**{system.text: TRICKY}) == [first]
        assert await found(**{system.text: TRICKY[:-1]}) == []
        assert await found(**{system.key: second}) == [second]
        assert await found(**{system.amount: Decimal("200.50")}) == [second]
        assert await found(**{system.text: TRICKY, system.amount: Decimal(7)}) == []
        assert await found(**{system.text: "x" * 1000}) == []
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    "words",
    [
        "' or 1 eq 1 or '",
        "x') or true or contains(a,'",
        "'; DROP TABLE x; --",
        "?$filter=true&$top=1",
        "%27%20or%20true",
        "../../$metadata#",
        "a\\'b\"c`d",
    ],
)
def test_a_value_is_never_words_of_a_query(system: System, tmp_path: Path, words: str) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        first = system.keys[0]
        before = await rows(connector, system.query(system.amount))
        _, page = await written(connector, system.update(first, **{system.text: words}))
        assert page.columns[system.text] == [words]
        query = system.query(system.key, where=((system.text, words),))
        assert list(await rows(connector, query)) == [first]
        for where in (((system.text, f"{words}x"),), ((system.key, words),)):
            with suppress(SystemUnavailableError):  # no GUID, no number: refused, and no harm done
                assert await rows(connector, system.query(system.key, where=where)) == {}
        with suppress(SystemUnavailableError):
            assert await rows(connector, system.query(system.key, keys=(words,))) == {}
        for write in (system.delete(words), system.update(words, **{system.text: "y"})):
            with suppress(SystemUnavailableError):
                assert isinstance(await one(connector, write), Rejected)
        assert await rows(connector, system.query(system.amount)) == before
        await connector.close()

    run(scenario())


def test_where_finds_what_is_blank(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        first, *others = system.keys
        await written(connector, system.update(first, **dict.fromkeys(system.blanks)))
        for key in others:
            values = {name: value for name, (value, _) in system.blanks.items()}
            await written(connector, system.update(key, **values))
        for name in system.blanks:
            query = system.query(system.key, where=((name, None),))
            assert list(await rows(connector, query)) == [first], name
        await connector.close()

    run(scenario())


def test_since_misses_nothing_that_changed(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        await written(connector, system.update(system.keys[2], **{system.text: "changed"}))
        now = datetime.now(UTC)
        assert system.keys[2] in await rows(connector, system.query(since=now))
        before = system.query(since=now, where=((system.text, "changed"),))
        assert list(await rows(connector, before)) == [system.keys[2]]
        later = await rows(connector, system.query(since=now + timedelta(days=3)))
        assert system.keys[2] not in later
        await connector.close()

    run(scenario())


def test_create_hands_back_the_record_as_the_system_has_it(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        made, page = await written(connector, system.fresh(**{system.amount: Decimal("12.50")}))
        assert page.keys == [made.key]
        assert page.columns[system.key] == [made.key]
        assert page.columns[system.text] == ["New"]
        assert [Decimal(str(a)) for a in page.columns[system.amount]] == [Decimal("12.5")]
        found = await rows(connector, system.query(system.text))
        assert found[made.key] == {system.text: "New"}
        assert len(found) == 8
        await connector.close()

    run(scenario())


def test_create_under_a_chosen_key_happens_once(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        write = system.fresh(system.other)
        made, _ = await written(connector, write)
        assert made.key.casefold() == system.other.casefold()
        again = await one(connector, write)
        assert isinstance(again, Rejected)
        assert again.duplicate
        assert again.message
        query = system.query(system.text, where=((system.key, system.other),))
        assert await rows(connector, query) == {made.key: {system.text: "New"}}
        changed, _ = await written(connector, system.update(made.key, **{system.text: "x"}))
        assert changed.key == made.key
        assert await one(connector, system.delete(made.key)) == Written(key=made.key)
        await connector.close()

    run(scenario())


def test_update_is_refused_if_the_record_moved_on(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        key = system.keys[0]
        [first] = [page async for page in connector.pages(system.query(where=((system.key, key),)))]
        _, after = await written(
            connector, system.update(key, first.etags[0], **{system.text: TRICKY})
        )
        assert after.columns[system.text] == [TRICKY]
        assert after.etags != first.etags
        stale = system.update(key, first.etags[0], **{system.text: "lost"})
        assert isinstance(await one(connector, stale), Drifted)
        assert isinstance(await one(connector, system.delete(key, first.etags[0])), Drifted)
        await written(connector, system.update(key, after.etags[0], **{system.text: "kept"}))
        await written(connector, system.update(key, None, **{system.text: "unconditional"}))
        await connector.close()

    run(scenario())


def test_what_is_gone_is_missing(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        key = system.keys[0]
        assert await one(connector, system.delete(key)) == Written(key=key)
        for write in (system.update(key, **{system.text: "x"}), system.delete(key)):
            outcome = await one(connector, write)
            assert isinstance(outcome, Rejected), outcome
            assert outcome.missing
            assert not outcome.duplicate
        assert key not in await rows(connector, system.query())
        await connector.close()

    run(scenario())


def test_a_write_without_etag_takes_any(server: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = server.opened(tmp_path)
        await one(connector, server.delete(server.keys[0]))
        await one(connector, server.delete(server.keys[0]))
        assert line.last.headers["If-Match"] == "*"
        await connector.close()

    run(scenario())


def test_a_server_says_how_long_a_text_may_be(server: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = server.opened(tmp_path)
        [told] = await connector.describe([server.entity])
        assert told.fields[server.text].max_length is not None
        await connector.close()

    run(scenario())


def test_a_value_that_is_refused_is_told_with_code_and_words(
    limited: System, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, _, _ = limited.opened(tmp_path)
        for write in (
            limited.fresh(**{limited.text: "x" * 400}),
            limited.update(limited.keys[0], **{limited.text: "x" * 400}),
        ):
            outcome = await one(connector, write)
            assert isinstance(outcome, Rejected), outcome
            assert outcome.code == limited.too_long
            assert "length" in outcome.message
            assert len(outcome.message) <= 300
            assert not outcome.duplicate
            assert not outcome.missing
        await connector.close()

    run(scenario())


def test_a_field_that_is_not_there_is_refused(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        unknown = await one(connector, system.update(system.keys[0], nothing="x"))
        assert unknown == Rejected(code="", message=f"{system.entity} has no field 'nothing'")
        await connector.close()

    run(scenario())


def test_blanks_go_and_come_in_the_form_of_the_system(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        key = system.keys[0]
        given = {name: value for name, (value, _) in system.blanks.items()}
        _, full = await written(connector, system.update(key, **given))
        read = {name: full.columns[name][0] for name in given}
        assert {
            n: Decimal(str(v)) if isinstance(given[n], Decimal) else v for n, v in read.items()
        } == given
        _, empty = await written(connector, system.update(key, **dict.fromkeys(given)))
        assert {name: empty.columns[name][0] for name in given} == {
            name: blank for name, (_, blank) in system.blanks.items()
        }
        await connector.close()

    run(scenario())


def test_a_batch_has_one_outcome_a_write_in_its_order(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, _ = system.opened(tmp_path)
        batch = [system.update(key, **{system.text: f"new {key}"}) for key in system.keys] * 3
        batch[3] = system.update(system.keys[3], 'W/"stale"', **{system.text: "lost"})
        batch[5] = system.delete(system.other)
        outcomes = await connector.write(batch)
        assert len(outcomes) == len(batch)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [Written] * 3 + [Drifted, Written, Rejected] + [Written] * 15
        keys = [o.key for o in outcomes if isinstance(o, Written)]
        assert keys == [w.key for n, w in enumerate(batch) if n not in (3, 5)]
        assert await connector.write([]) == []
        await connector.close()

    run(scenario())


def test_a_batch_keeps_a_server_busy_and_no_busier_than_it_says(
    server: System, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, _ = server.opened(tmp_path)
        await connector.write([server.update(key, **{server.text: "new"}) for key in server.keys])
        assert 1 < line.busiest <= connector.capabilities.concurrency
        await connector.close()

    run(scenario())


def test_explain_shows_the_first_request_as_it_is_sent(server: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = server.opened(tmp_path)
        query = server.query(since=datetime(2026, 1, 1, tzinfo=UTC), where=((server.text, "a'b"),))
        assert server.entity in connector.explain(query)
        await connector.describe([server.entity])
        told = connector.explain(query)
        await rows(connector, query)
        assert told.splitlines()[0] == f"GET {line.last.url}"
        assert not any(secret in told for secret in ("Bearer", "Basic", "sandbox"))
        await connector.close()

    run(scenario())


def test_a_stranger_is_not_let_in(server: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, _, time = server.opened(tmp_path, credentials=None)
        with pytest.raises(SystemUnavailableError, match="401") as caught:
            await connector.describe([server.entity])
        assert "auth:" in caught.value.hint
        with pytest.raises(SystemUnavailableError, match="401"):
            await rows(connector, server.query())
        assert time.slept == []
        await connector.close()

    run(scenario())
