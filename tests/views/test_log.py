"""What programs are told of an event: one line, keys but nothing that records hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runner.events import (
    MappingPlanned,
    PhaseDone,
    RecordFailed,
    Recovered,
    RowsRead,
    RunBegan,
    RunEnded,
    WritesDone,
)
from runner.views import log

if TYPE_CHECKING:
    from runner.events import Event

AT = datetime(2026, 11, 26, 10, 0, 0, 5000, tzinfo=UTC)
FAILED = RecordFailed(
    mapping="customers",
    kind="conflict",
    left_key="10",
    right_key=None,
    label="Jane Doe",
    field="Phone / phone",
    reason="both sides changed",
    hint="make both sides the same",
)
ENDED = RunEnded(
    run=7,
    exit_code=3,
    message="",
    seconds=1.23456,
    counters={"customers": {"inserted": 1, "failed": 2}},
    requests={"crm": 12},
    open_errors={"customers": {"failing": 2, "skipped": 0}, "contacts": {"failing": 0}},
)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        pytest.param(
            RunBegan(run=7, command="apply", mode="full", mappings=("customers", "contacts")),
            "info run.began run=7 command=apply mode=full mappings=customers,contacts",
            id="began",
        ),
        pytest.param(
            RunBegan(run=7, command="apply", mode="saved plan", mappings=()),
            'info run.began run=7 command=apply mode="saved plan"',
            id="all mappings",
        ),
        pytest.param(
            PhaseDone(
                mapping="customers", phase="read", seconds=0.1, counts={"rows": 5}, system="nav"
            ),
            "info mapping.read mapping=customers system=nav seconds=0.1 counts.rows=5",
            id="read",
        ),
        pytest.param(
            PhaseDone(mapping="customers", phase="decide", seconds=2, counts={"unchanged": 5}),
            "info mapping.decided mapping=customers seconds=2 counts.unchanged=5",
            id="decided",
        ),
        pytest.param(
            MappingPlanned(mapping="customers", counts={"create right": 5}),
            "info mapping.planned mapping=customers counts.create_right=5",
            id="planned",
        ),
        pytest.param(
            PhaseDone(mapping="customers", phase="write", seconds=2, counts={}),
            "info mapping.written mapping=customers seconds=2",
            id="written",
        ),
        pytest.param(
            FAILED,
            "warning record.failed mapping=customers kind=conflict left_key=10 "
            'field="Phone / phone"',
            id="failed",
        ),
        pytest.param(
            Recovered(mapping="customers", key="10", what="found"),
            "info write.recovered mapping=customers key=10 outcome=found",
            id="recovered",
        ),
        pytest.param(
            ENDED,
            "warning run.ended run=7 exit_code=3 seconds=1.235 counters.customers.inserted=1 "
            "counters.customers.failed=2 requests.crm=12 open_errors.customers.failing=2 "
            "open_errors.customers.skipped=0",
            id="ended",
        ),
    ],
)
def test_a_line(event: Event, text: str) -> None:
    entry = log.entry(event, values=False)
    assert entry is not None
    assert log.as_text(entry, AT) == f"2026-11-26T10:00:00.005Z {text}"
    line = json.loads(log.as_json(entry, AT))
    assert (line["time"], line["level"]) == ("2026-11-26T10:00:00.005Z", text.split(maxsplit=1)[0])


def test_what_records_hold_is_told_only_when_asked_for() -> None:
    told = {values: log.entry(FAILED, values=values) for values in (False, True)}
    lines = {values: log.as_json(entry, AT) for values, entry in told.items() if entry}
    assert "Jane" not in lines[False]
    assert "both sides" not in lines[False]
    assert json.loads(lines[True])["label"] == "Jane Doe"
    assert json.loads(lines[True])["reason"] == "both sides changed"


def test_what_only_people_watch_is_no_line() -> None:
    rows = RowsRead(mapping="customers", system="nav", entity="Customer", rows=5, done=True)
    done = WritesDone(mapping="customers", done=1, total=2, failed=0)
    assert log.entry(rows, values=True) is None
    assert log.entry(done, values=True) is None


@pytest.mark.parametrize(
    ("value", "word"),
    [("a b", '"a b"'), ("line\nbreak", '"line\\nbreak"'), ('"', '"\\""'), ("", '""'), ("ü", "ü")],
)
def test_a_value_never_breaks_its_line(value: str, word: str) -> None:
    entry = log.Entry(level=log.INFO, event="message", told={"message": value})
    assert log.as_text(entry, AT).endswith(f"message={word}")
