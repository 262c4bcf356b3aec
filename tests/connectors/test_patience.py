from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner.connectors.line.patience import Clock, Standstill, backoff, retry_after
from tests.connectors.systems import Time, run

NOON = Clock(wall=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"retry-after": "0"}, 0.0, id="at once"),
        pytest.param({"retry-after": " 120 "}, 120.0, id="seconds"),
        pytest.param({"retry-after": "soon"}, None, id="words"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "1.5"}, None, id="a fraction"),
        pytest.param({"retry-after": "²"}, None, id="no digit of ASCII"),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 12:01:00 GMT"}, 60.0, id="a date"),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0, id="a past date"),
        pytest.param({"retry-after": "Mon, 23 Nov 9999999999999 12:01:00 GMT"}, None, id="no year"),
        pytest.param({"retry-after": f"Mon, 23 Nov 2026 12:01 +{'9' * 20}"}, None, id="no zone"),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 14:00:10 +0200"}, 10.0, id="a zone"),
        pytest.param(
            {
                "retry-after": "Mon, 23 Nov 2026 15:00:05 GMT",
                "date": "Mon, 23 Nov 2026 15:00:00 GMT",
            },
            5.0,
            id="by the server's clock",
        ),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(headers, NOON) == expected


def test_backoff_grows_to_a_limit_and_scatters() -> None:
    assert [backoff(n, Clock(jitter=lambda: 0.0)) for n in range(8)] == [
        0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0,
    ]  # fmt: skip
    assert backoff(3, Clock(jitter=lambda: 0.999)) == pytest.approx(2.0, abs=0.01)
    assert backoff(10_000, Clock(jitter=lambda: 0.0)) == 30.0


def test_a_standstill_only_grows() -> None:
    async def scenario() -> None:
        time = Time()
        standstill = Standstill(time.clock)
        await standstill.over()
        assert time.slept == []
        standstill.extend(10)
        standstill.extend(5)
        await standstill.over()
        assert time.at == 10

    run(scenario())


def test_what_was_slept_is_over_whatever_the_clock_says() -> None:
    async def scenario() -> None:
        slept: list[float] = []

        async def at_once(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 1:
                standstill.extend(20)

        standstill = Standstill(Clock(now=lambda: 0.0, sleep=at_once))
        standstill.extend(10)
        await standstill.over()
        assert slept == [10, 20]

    run(scenario())
