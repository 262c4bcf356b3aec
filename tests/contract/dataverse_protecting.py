"""Service protection and the headers that tell of it (E2; A13)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from tests.contract.control import behaving, wait
from tests.contract.dataverse_asking import account, at, fault, message
from tests.contract.dataverse_batches import PATH, operation, read, send, written
from tests.contract.server import Case

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.server import Server


def answers_tell_what_is_left(server: Server) -> None:
    left = "x-ms-ratelimit-burst-remaining-xrm-requests"
    first, second = (server("GET", "/WhoAmI").headers for _ in range(2))
    assert int(second[left]) < int(first[left])
    assert "x-ms-ratelimit-time-remaining-xrm-requests" in first


def too_many_requests_are_refused(server: Server) -> None:
    with behaving(server, limits={"requests": 3}):
        assert [server("GET", "/WhoAmI").status_code for _ in range(3)] == [200] * 3
        answer = server("GET", "/WhoAmI")
        assert fault(answer) == (429, "0x80072322")
        words = "Number of requests exceeded the limit of 3 over time window of 300 seconds."
        assert message(answer) == words
        assert 0 < int(answer.headers["Retry-After"]) <= 300


def too_much_time_is_refused(server: Server) -> None:
    with behaving(server, limits={"milliseconds": 1_000, "cost": 400}):
        assert [server("GET", "/WhoAmI").status_code for _ in range(2)] == [200] * 2
        assert fault(server("GET", "/WhoAmI")) == (429, "0x80072321")


def the_wait_grows_for_who_does_not_wait(server: Server) -> None:
    with behaving(server, limits={"requests": 1, "window": 60, "wait": 10}):
        server("GET", "/WhoAmI")
        waits = [int(server("GET", "/WhoAmI").headers["Retry-After"]) for _ in range(3)]
        assert waits == sorted(waits)
    with behaving(server, limits={"milliseconds": 0, "wait": 10}):
        waits = [int(server("GET", "/WhoAmI").headers["Retry-After"]) for _ in range(3)]
        assert waits == [10, 20, 40]


def limits_hit_in_the_middle_of_a_batch(server: Server) -> None:
    with account(server) as made:
        path = f"{PATH}{at(made)}?$select=name"
        with behaving(server, limits={"milliseconds": 300, "cost": 100}):
            content = written(*[operation("GET", path)] * 4)
            parts = read(send(server, content, "odata.continue-on-error"))
            assert [part.status for part in parts] == [200, 200, 429, 429]
            assert parts[2].code == "0x80072321"
            assert int(parts[2].headers["retry-after"]) > 0


def too_many_at_once_are_refused(server: Server) -> None:
    with behaving(server, limits={"concurrent": 2}):
        answer = asyncio.run(_crowded(server, 2))
        assert fault(answer) == (429, "0x80072326")
        assert "concurrent" in message(answer)
    with behaving(server, limits={"concurrent": 3}):
        assert asyncio.run(_crowded(server, 2)).status_code == 200


async def _crowded(server: Server, count: int) -> httpx.Response:
    """Ask while so many other requests are under way: their bodies have not ended yet."""
    done = asyncio.Event()
    begun = [asyncio.Event() for _ in range(count)]

    async def slow(event: asyncio.Event) -> AsyncIterator[bytes]:
        yield b"{"
        event.set()
        await done.wait()
        yield b"}"

    transport = server.transport() if server.transport else None
    async with httpx.AsyncClient(transport=transport, headers={**server.headers}) as client:

        async def held(event: asyncio.Event) -> Any:
            kind = {"Content-Type": "application/json"}
            url = f"{server.url}/nothing"
            return await client.post(url, content=slow(event), headers=kind)

        tasks = [asyncio.create_task(held(event)) for event in begun]
        for event in begun:
            await event.wait()
        answer = await client.get(f"{server.url}/WhoAmI")
        done.set()
        await asyncio.gather(*tasks)
        return answer


def who_waited_is_let_in_again(server: Server) -> None:
    with behaving(server, limits={"requests": 1, "window": 60}):
        server("GET", "/WhoAmI")
        seconds = int(server("GET", "/WhoAmI").headers["Retry-After"])
        wait(server, seconds + 1)
        assert server("GET", "/WhoAmI").status_code == 200


_LINE = "Service protection with three limits, codes, Retry-After growing on disregard"
CASES = (
    Case(line="rate-limit headers", holds=answers_tell_what_is_left, sandbox=True),
    *(
        Case(line=_LINE, holds=holds, sandbox=True)
        for holds in (
            too_many_requests_are_refused,
            too_much_time_is_refused,
            the_wait_grows_for_who_does_not_wait,
            limits_hit_in_the_middle_of_a_batch,
            too_many_at_once_are_refused,
            who_waited_is_let_in_again,
        )
    ),
)
