"""What happens on the way: refused, dropped, cut, throttled; before and after the server acted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from runner.connectors.line import failures
from runner.connectors.line.http import Client, Request
from runner.connectors.line.patience import Patience
from runner.errors import SystemUnavailableError
from runner.wire import Rejected, Unknown, Unsent, Write, WriteKind, Written
from tests.connectors.systems import (
    BC,
    CRM,
    NAV,
    Fault,
    System,
    Time,
    answering,
    dropped_after,
    dropped_before,
    emptied,
    one,
    rows,
    run,
    truncated,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SECRETS = ("sandbox", "U0FOREJPWDpzYW5kYm94")
PAGE = "<html><head><title>Bad &amp; tired gateway</title></head><body>long story</body></html>"
BODY = '{"error":{"code":"0x1","message":"not now"}}'


@pytest.fixture(params=[CRM, NAV, BC], ids=lambda system: system.name)
def system(request: pytest.FixtureRequest) -> System:
    found: System = request.param
    return found


def _httpx_exceptions() -> list[type[Exception]]:
    return [
        found
        for found in vars(httpx).values()
        if isinstance(found, type) and issubclass(found, Exception)
    ]


@pytest.mark.parametrize("kind", _httpx_exceptions(), ids=lambda kind: kind.__name__)
def test_no_exception_of_the_http_library_escapes(kind: type[Exception]) -> None:
    made = kind.__new__(kind)
    Exception.__init__(made, "Bearer s3cr3t")
    with pytest.raises((failures.NotSentError, failures.MaybeSentError)), failures.translated():
        raise made


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        (httpx.ProxyError, False),
        (httpx.InvalidURL, False),
        (httpx.UnsupportedProtocol, False),
        (httpx.ReadTimeout, True),
        (httpx.ReadError, True),
        (httpx.WriteTimeout, True),
        (httpx.WriteError, True),
        (httpx.RemoteProtocolError, True),
        (httpx.DecodingError, True),
    ],
)
def test_only_what_surely_was_not_sent_counts_as_such(kind: type[Exception], *, sent: bool) -> None:
    expected = failures.MaybeSentError if sent else failures.NotSentError
    with pytest.raises(expected), failures.translated():
        raise kind("x")


SHORT = (0.25, 0.5)
"""A first wait of our own making, as chance has it."""


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        pytest.param(dropped_before, SHORT, id="refused"),
        pytest.param(dropped_after, SHORT, id="dropped"),
        pytest.param(truncated, SHORT, id="truncated"),
        pytest.param(answering(500), SHORT, id="500"),
        pytest.param(answering(502, PAGE), SHORT, id="502"),
        pytest.param(answering(408), SHORT, id="408"),
        pytest.param(answering(503, BODY), SHORT, id="503"),
        pytest.param(answering(429), SHORT, id="429"),
        pytest.param(answering(503, Retry_After="7"), (6.9, 7), id="503 wait"),
        pytest.param(answering(429, Retry_After="17"), (16.9, 17), id="429 wait"),
        pytest.param(
            answering(
                429,
                Retry_After="Mon, 23 Nov 2026 12:00:30 GMT",
                Date="Mon, 23 Nov 2026 12:00:00 GMT",
            ),
            (29.9, 30),
            id="429 until",
        ),
        pytest.param(
            answering(200, '{"value":[],"error":{"code":"1","message":"x"}}'), SHORT, id="midway"
        ),
    ],
)
def test_a_read_is_tried_again(
    system: System, fault: Fault, wait: tuple[float, float], tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, time = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [fault]
        found = await rows(connector, system.query())
        assert tuple(found) == system.keys
        assert wait[0] <= time.slept[0] <= wait[1]
        await connector.close()

    run(scenario())


@pytest.mark.parametrize("fault", [dropped_before, truncated, answering(503)])
def test_describing_is_tried_again(system: System, fault: Fault, tmp_path: Path) -> None:
    async def scenario() -> None:
        for skipped in range(3):
            connector, line, time = system.opened(tmp_path)
            line.faults += [lambda request, answer: answer(request)] * skipped
            line.faults += [fault]
            [told] = await connector.describe([system.entity])
            assert told.fields
            assert len(time.slept) <= 1
            await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "said", "limit"),
    [
        pytest.param(dropped_before, "connection refused", 20, id="refused"),
        pytest.param(dropped_after, "connection reset", 100, id="dropped"),
        pytest.param(answering(502, PAGE), "Bad & tired gateway", 100, id="gateway"),
        pytest.param(truncated, "garbled", 100, id="truncated"),
        pytest.param(answering(503, BODY), "not now (0x1)", 100, id="busy"),
        pytest.param(answering(429, Retry_After="9"), "HTTP 429", 100, id="throttled"),
    ],
)
def test_a_read_is_given_up_when_its_time_is_over(
    system: System, fault: Fault, said: str, limit: int, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, time = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [fault] * 1000
        with pytest.raises(SystemUnavailableError) as caught:
            await rows(connector, system.query())
        assert limit / 5 < time.at <= limit  # chance has a part in the waits
        words = str(caught.value)
        assert system.entity in words
        assert f"within {limit} seconds" in words
        assert said in words
        assert caught.value.hint
        await connector.close()

    run(scenario())


@pytest.mark.parametrize("fault", [dropped_before, truncated, answering(503)])
def test_counting_is_tried_again(system: System, fault: Fault, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path)
        await connector.describe([system.entity])
        many = await connector.count(system.entity)
        line.faults += [fault]
        assert await connector.count(system.entity) == many
        assert not line.faults
        await connector.close()

    run(scenario())


def test_a_system_that_was_busy_for_long_may_still_go_away_for_a_moment(tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = CRM.opened(tmp_path)
        await connector.describe(["accounts"])
        line.faults += [answering(429, Retry_After="60"), dropped_before, dropped_before]
        assert len(await rows(connector, CRM.query())) == 7
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(answering(200, PAGE), "HTML", id="html"),
        pytest.param(answering(200, '{"value":[{"No":7}]}'), "not as described", id="types"),
        pytest.param(answering(200, '{"value":[{}]}'), "not as described", id="left out"),
        pytest.param(answering(200, "[]"), "not as described", id="no object"),
        pytest.param(answering(403, BODY), "HTTP 403", id="forbidden"),
        pytest.param(answering(404, BODY), "not now (0x1)", id="not found"),
        pytest.param(answering(400, BODY), "HTTP 400 Bad Request: not now (0x1)", id="refused"),
        pytest.param(
            answering(302, Location="https://other.example/x"), "other.example", id="moved"
        ),
        pytest.param(
            answering(400, '{"error":{"message":"Bearer sandbox ' + "x" * 5000 + '"}}'),
            "****",
            id="told a secret",
        ),
    ],
)
def test_a_read_that_makes_no_sense_is_told_at_once(
    system: System, fault: Fault, said: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, time = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [fault]
        with pytest.raises(SystemUnavailableError) as caught:
            await rows(connector, system.query())
        words = str(caught.value)
        assert said in words
        assert system.entity in words
        assert "\n" not in words
        assert len(words) <= 320
        assert not any(secret in words for secret in SECRETS)
        assert time.slept == []
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(dropped_before, id="refused"),
        pytest.param(answering(429), id="429"),
        pytest.param(answering(429, Retry_After="3"), id="429 wait"),
        pytest.param(answering(503, Retry_After="3"), id="503 wait"),
        pytest.param(answering(401), id="401"),
    ],
)
def test_a_write_that_was_not_done_is_sent_again(
    system: System, fault: Fault, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [fault]
        made, _ = await written(connector, system.fresh())
        assert made.key in await rows(connector, system.query())
        assert len(await rows(connector, system.query())) == 8
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "there"),
    [
        pytest.param(dropped_after, 8, id="dropped"),
        pytest.param(answering(504, PAGE, after=True), 8, id="504"),
        pytest.param(answering(408), 7, id="408"),
        pytest.param(answering(500), 7, id="500"),
        pytest.param(answering(500, BODY), 7, id="500 with a code"),
        pytest.param(answering(502), 7, id="502"),
        pytest.param(answering(503), 7, id="503 without a word"),
        pytest.param(answering(200, PAGE), 7, id="a page to sign in"),
    ],
)
def test_a_write_that_may_be_done_is_never_sent_again(
    system: System, fault: Fault, there: int, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, time = system.opened(tmp_path)
        await connector.describe([system.entity])
        passed = len(line.passed)
        line.faults += [fault]
        outcome = await one(connector, system.fresh())
        assert isinstance(outcome, Unknown), outcome
        assert outcome.message
        assert len(line.passed) == passed + 1
        assert time.slept == []
        assert len(await rows(connector, system.query())) == there
        await connector.close()

    run(scenario())


def test_a_page_for_people_says_nothing_of_a_write(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path)
        await connector.describe([system.entity])
        key = system.keys[0]
        for write in (
            system.update(key, **{system.text: "x"}),
            Write(kind=WriteKind.DELETE, entity=system.entity, key=key),
        ):
            line.faults += [answering(200, PAGE)]
            outcome = await one(connector, write)
            assert isinstance(outcome, Unknown), outcome
            assert "HTML came where JSON was asked for" in outcome.message
        await connector.close()

    run(scenario())


def test_a_refusal_stays_a_refusal_of_that_record(system: System, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path)
        await connector.describe([system.entity])
        for status in (400, 403, 405, 413, 501):
            line.faults += [answering(status, BODY)]
            outcome = await one(connector, system.update(system.keys[0], **{system.text: "x"}))
            assert outcome == Rejected(code="0x1", message="not now")
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(emptied, id="204"),
        pytest.param(answering(200, '{"broken', after=True), id="garbled"),
        pytest.param(answering(200, "[]", after=True), id="something else"),
    ],
)
def test_a_write_without_a_readable_answer_is_read_back(
    system: System, fault: Fault, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [fault]
        made, page = await written(connector, system.fresh(system.other))
        assert made.key.casefold() == system.other.casefold()
        assert page.columns[system.text] == ["New"]
        line.faults += [fault, answering(403)]
        lost = await one(connector, system.update(made.key, **{system.text: "x"}))
        assert lost == Written(key=made.key, page=None)
        line.faults += [fault]
        assert isinstance(await one(connector, system.fresh()), Unknown)
        await connector.close()

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(dropped_before, "connection refused", id="away"),
        pytest.param(answering(429, retry_after="100"), "429", id="busy for too long"),
    ],
)
def test_a_system_that_goes_away_leaves_what_it_answered(
    system: System, fault: Fault, words: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path, pace={"concurrency": 1})
        batch = [system.update(key, **{system.text: "new"}) for key in system.keys[:4]]
        await connector.describe([system.entity])

        async def through(request: httpx.Request, answer: object) -> httpx.Response:
            del answer
            return await line.inner.handle_async_request(request)

        line.faults += [through, through, *[fault] * 1000]
        outcomes = await connector.write(batch)
        assert [type(outcome) for outcome in outcomes] == [Written, Written, Unsent, Unsent]
        with pytest.raises(SystemUnavailableError, match=words):
            await connector.write(batch)
        await connector.close()

    run(scenario())


@pytest.mark.parametrize("status", [401, 302])
def test_writes_stop_where_nobody_lets_us_in(system: System, status: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        connector, line, time = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [answering(status)] * 100
        batch = [system.update(key, **{system.text: "new"}) for key in system.keys]
        with pytest.raises(SystemUnavailableError, match=str(status)) as caught:
            await connector.write(batch)
        assert caught.value.hint
        assert time.slept == []
        await connector.close()

    run(scenario())


class Told(httpx.AsyncBaseTransport):
    """A server that is one function; its workers take turns."""

    def __init__(self, answer: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return await self._answer(request)


def test_when_one_is_told_to_wait_all_wait() -> None:
    async def scenario() -> None:
        time, moments = Time(), []

        async def answer(request: httpx.Request) -> httpx.Response:
            moments.append((time.at, request.url.path))
            if request.url.path == "/1" and time.at < 40:
                return httpx.Response(429, headers={"Retry-After": "40"})
            return httpx.Response(200)

        client = Client(
            "crm",
            "http://crm.example/",
            None,
            workers=4,
            transport=lambda: Told(answer),
            clock=time.clock,
        )
        requests = [
            Request(method="POST", url=f"http://crm.example/{n}", headers={}, about="x")
            for n in range(1, 21)
        ]
        replies = await asyncio.gather(*(client.write(request) for request in requests))
        assert [reply.status for reply in replies] == [200] * 20
        # Those under way when the news came are answered; of the others none is sent before.
        assert sum(at < 40 for at, _ in moments) <= 4
        assert [at for at, path in moments if path == "/1"] == [0, 40]
        assert time.at == 40
        await client.close()

    run(scenario())


def test_a_server_that_says_at_once_is_asked_less_and_less_often() -> None:
    async def scenario() -> None:
        time, moments = Time(), []

        async def answer(_: httpx.Request) -> httpx.Response:
            moments.append(time.at)
            return httpx.Response(429, headers={"Retry-After": "0"})

        client = Client(
            "crm", "http://crm.example/", None, workers=1, transport=lambda: Told(answer),
            patience=Patience(total=60), clock=time.clock,
        )  # fmt: skip
        request = Request(method="GET", url="http://crm.example/1", headers={}, about="x")
        with pytest.raises(SystemUnavailableError, match="did not answer within 60 seconds"):
            await client.read(request, bytes)
        assert moments[1] == pytest.approx(0.1)
        assert 60 <= len(moments) < 70
        await client.close()

    run(scenario())


def test_an_address_that_is_none_is_told_as_one_nobody_knows() -> None:
    async def scenario() -> None:
        async def answer(_: httpx.Request) -> httpx.Response:
            headers = {"Location": "https://[x/", "Date": "Mon, 23 Nov 99999999999 12:00:00 GMT"}
            return httpx.Response(301, headers=headers)

        client = Client(
            "crm", "http://crm.example/", None, workers=1, transport=lambda: Told(answer),
            clock=Time().clock,
        )  # fmt: skip
        request = Request(method="GET", url="http://crm.example/1", headers={}, about="x")
        with pytest.raises(SystemUnavailableError, match="it sends us to another path"):
            await client.read(request, bytes)
        assert client.ahead is None
        await client.close()

    run(scenario())


NAV_LOCK = (
    '{"error":{"code":"Unknown","message":"The Customer table cannot be locked or changed because '
    'it is already locked by another user."}}'
)
CRM_LOCK = '{"error":{"code":"0x80044150","message":"Generic SQL error: deadlock"}}'
LOCKED = pytest.mark.parametrize(
    ("system", "lock"),
    [
        pytest.param(NAV, answering(400, NAV_LOCK), id="nav"),
        pytest.param(NAV, answering(500, NAV_LOCK), id="nav by 500"),
        pytest.param(CRM, answering(500, CRM_LOCK), id="crm"),
    ],
)


@LOCKED
def test_a_lock_is_waited_for(system: System, lock: Fault, tmp_path: Path) -> None:
    """Protocols D49, F15: the transaction was rolled back, so that nothing is done twice."""

    async def scenario() -> None:
        connector, line, time = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [lock, lock]
        outcome = await one(connector, system.update(system.keys[0], **{system.text: "new"}))
        assert isinstance(outcome, Written)
        assert len(time.slept) == 2
        line.faults += [lock]
        assert len(await rows(connector, system.query())) == len(system.keys)
        await connector.close()

    run(scenario())


@LOCKED
def test_a_lock_that_stays_is_an_error_of_the_record(
    system: System, lock: Fault, tmp_path: Path
) -> None:
    async def scenario() -> None:
        connector, line, _ = system.opened(tmp_path)
        await connector.describe([system.entity])
        line.faults += [lock] * 50
        outcome = await one(connector, system.update(system.keys[0], **{system.text: "new"}))
        assert isinstance(outcome, Rejected)
        assert "lock" in outcome.message
        await connector.close()

    run(scenario())
