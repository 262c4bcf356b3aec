"""Faults on demand by bare HTTP: what a client sees of them, and whether the server acted."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runner.sandbox.clocks import Dated, skewed
from runner.sandbox.drops import InProcess
from runner.sandbox.faults import FAULTS, Faulty, PlanError, Portion, planned
from runner.sandbox.journal import Journal, Journaled
from runner.sandbox.serve import server as over_loopback
from tests.sandbox.test_serve import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    Reach = Callable[[ASGIApp], "Line"]

ROWS = [{"id": n, "name": "x" * 50} for n in range(6)]
ANSWERS = [
    ("429", 429, 0, "1"),
    ("429-date", 429, 0, "Mon, 23 Nov 2026 12:00:02 GMT"),
    ("429-bare", 429, 0, None),
    ("401", 401, 0, None),
    ("500", 500, 0, None),
    ("502", 502, 0, None),
    ("503", 503, 0, None),
    ("504-after", 504, 1, None),
    ("page-instead", 200, 0, None),
]
SILENCES = [
    ("reset-before", 0, (httpx.ReadError,)),
    ("reset-after", 1, (httpx.ReadError,)),
    # Half of an answer may be read before the reset is.
    ("reset-amid", 1, (httpx.ReadError, httpx.RemoteProtocolError)),
    ("silent-after", 1, (httpx.ReadTimeout,)),
]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(slots=True)
class Counting:
    """A server of two rows a page that counts what it did."""

    acted: int = 0
    busy: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        await request.body()
        self.acted += 1
        response: Response = JSONResponse({"acted": self.acted, "padding": "x" * 500}, 201)
        if request.method == "GET":
            at = int(request.query_params.get("at", "0"))
            page: dict[str, object] = {"value": ROWS[at : at + 2]}
            if at + 2 < len(ROWS):
                there = f"http://{request.headers['host']}{scope['root_path']}"
                page["@odata.nextLink"] = f"{there}/rows?at={at + 2}"
            response = JSONResponse(page)
        await response(scope, receive, send)


@dataclass(slots=True)
class Line:
    """A way to a server, and who goes it."""

    url: str
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    timeout: float = 5.0

    def __call__(self, method: str, path: str = "/rows") -> httpx.Response:
        return asyncio.run(self.ask(method, path))

    async def ask(self, method: str, path: str = "/rows") -> httpx.Response:
        transport = self.transport() if self.transport else None
        async with httpx.AsyncClient(transport=transport, timeout=self.timeout) as client:
            url = path if "://" in path else f"{self.url}{path}"
            return await client.request(method, url, headers={"Authorization": "Bearer s3cr3t"})


@contextmanager
def loopback(app: ASGIApp) -> Iterator[Line]:
    port = free_port()
    served = over_loopback({"system": app}, port=port)
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    try:
        while not served.started and thread.is_alive():
            thread.join(0.01)
        yield Line(f"http://127.0.0.1:{port}/system")
    finally:
        served.should_exit = True
        thread.join()


@pytest.fixture(params=["in process", "loopback"])
def reach(request: pytest.FixtureRequest) -> Iterator[Reach]:
    """Reach an application, in this process or over a socket."""
    with ExitStack() as opened:

        def reached(app: ASGIApp) -> Line:
            if request.param == "in process":
                return Line("http://sandbox", lambda: InProcess(app))
            return opened.enter_context(loopback(app))

        yield reached


def troubled(reach: Reach, plan: str) -> tuple[Line, Counting]:
    counting = Counting()
    faulty = Faulty(counting, planned(plan), now=lambda: NOW, drips=3)
    return reach(Dated(faulty, lambda: NOW)), counting


@pytest.mark.parametrize(
    ("fault", "status", "acted", "after"),
    ANSWERS,
)
def test_a_fault_that_is_an_answer(
    reach: Reach, fault: str, status: int, acted: int, after: str | None
) -> None:
    ask, counting = troubled(reach, f"{fault}:1")
    reply = ask("POST")
    assert (reply.status_code, counting.acted) == (status, acted)
    assert reply.headers.get("Retry-After") == after
    assert reply.headers.get_list("Date") == ["Mon, 23 Nov 2026 12:00:00 GMT"]
    if status not in {401, 429}:
        assert reply.headers["content-type"].startswith("text/html")
        assert "<title>" in reply.text
    assert ask("POST").status_code == 201


@pytest.mark.parametrize(
    ("fault", "acted", "seen"),
    SILENCES,
)
def test_a_fault_that_is_no_answer(
    reach: Reach, fault: str, acted: int, seen: tuple[type[Exception], ...]
) -> None:
    ask, counting = troubled(reach, f"{fault}:1")
    ask.timeout = 0.5
    with pytest.raises(seen):
        ask("POST")
    assert counting.acted == acted
    assert ask("POST").status_code == 201


def test_half_of_an_answer_is_whole_as_http(reach: Reach) -> None:
    ask, counting = troubled(reach, "truncated:1")
    reply = ask("GET")
    assert counting.acted == 1
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert reply.text.startswith('{"value"')
    with pytest.raises(json.JSONDecodeError):
        reply.json()


def test_an_answer_in_drips_is_whole_in_the_end(reach: Reach) -> None:
    ask, _ = troubled(reach, "slow:1")
    reply = ask("GET")
    assert reply.json()["value"] == ROWS[:2]
    assert reply.elapsed > timedelta(seconds=0.3)


def test_a_row_comes_again_on_the_next_page(reach: Reach) -> None:
    ask, _ = troubled(reach, "repeated-row:100%")
    found, path = [], "/rows"
    while path:
        page = ask("GET", path).json()
        found += [row["id"] for row in page["value"]]
        path = page.get("@odata.nextLink", "")
    assert found == [0, 1, 1, 2, 3, 3, 4, 5]


def test_every_fault_is_tried_here() -> None:
    tried = {row[0] for row in (*ANSWERS, *SILENCES)}
    assert tried | {"truncated", "slow", "repeated-row"} == set(FAULTS)


def _met(plan: str, seed: int, requests: int = 400) -> list[str]:
    faulty = Faulty(Counting(), planned(plan), seed)
    return [faulty._next() for _ in range(requests)]


def test_the_same_seed_meets_the_same_faults() -> None:
    plan = "429:10%,reset-after:5%"
    assert _met(plan, 7) == _met(plan, 7)
    assert _met(plan, 7) != _met(plan, 8)
    counted = Counter(_met(plan, 7))
    assert 20 <= counted["429"] <= 60
    assert 8 <= counted["reset-after"] <= 35
    assert set(counted) == {"", "429", "reset-after"}


def test_a_plan_is_read() -> None:
    assert planned("429:5%, reset-after:0.5%,503:2") == (
        Portion("429", share=0.05),
        Portion("reset-after", share=0.005),
        Portion("503", first=2),
    )
    assert planned("") == ()
    assert _met("503:2,429:1", 0, 5) == ["503", "503", "429", "", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("429", "'429' cannot be read"),
        ("429:x%", "cannot be read"),
        ("418:5%", "'418:5%' is no fault that can be had"),
        ("429:60%,503:60%", "more than 100%"),
    ],
)
def test_a_plan_that_is_none_is_told(text: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        planned(text)


def test_the_journal_tells_what_was_asked_but_no_secret(reach: Reach) -> None:
    file = BytesIO()
    journal = Journal(file)
    ask = reach(Journaled(Faulty(Counting(), planned("reset-after:1,503:1")), "crm", journal))
    with pytest.raises(httpx.ReadError):
        ask("PATCH", "/rows('O%27B%2F1')?$select=a%20b")
    ask("POST")
    ask("GET")
    journal.end()
    *lines, gauges = map(json.loads, file.getvalue().splitlines())
    assert [(li["method"], li["status"], li["fault"]) for li in lines] == [
        ("PATCH", None, "reset-after"),
        ("POST", 503, "503"),
        ("GET", 200, ""),
    ]
    assert lines[0]["target"].endswith("/rows('O%27B%2F1')?$select=a%20b")
    assert lines[0]["headers"]["authorization"] == "****"
    assert b"s3cr3t" not in file.getvalue()
    assert gauges == {
        "gauges": {"requests": 3, "most_at_once": 1, "faults": {"reset-after": 1, "503": 1}}
    }


def test_the_journal_counts_how_many_came_at_once(reach: Reach) -> None:
    journal = Journal(BytesIO())
    ask = reach(Journaled(Meeting(3), "crm", journal))

    async def together() -> None:
        await asyncio.gather(*(ask.ask("GET") for _ in range(3)))

    asyncio.run(together())
    assert journal._most == 3


@dataclass(slots=True)
class Meeting:
    """A server that answers nobody before all are there."""

    guests: int
    there: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.guests -= 1
        if not self.guests:
            self.there.set()
        await self.there.wait()
        await Response()(scope, receive, send)


def test_a_clock_may_be_ahead_of_ours(reach: Reach) -> None:
    told = reach(Dated(Counting(), skewed(300)))("GET").headers.get_list("Date")
    (moment,) = map(parsedate_to_datetime, told)
    assert 298 <= (moment - datetime.now(UTC)).total_seconds() <= 301


def test_over_loopback_the_time_is_always_told() -> None:
    with loopback(Counting()) as ask:
        (moment,) = map(parsedate_to_datetime, ask("GET").headers.get_list("Date"))
    assert abs((moment - datetime.now(UTC)).total_seconds()) <= 2
