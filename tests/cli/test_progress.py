"""Progress: a line that is written over on a terminal, a sign of life in a log."""

from __future__ import annotations

from io import StringIO

from runner.cli.progress import Progress
from runner.events import Event, MappingPlanned, Recovered, RowsRead, WritesDone

STORY: list[tuple[float, Event]] = [
    (0.0, RowsRead(mapping="customers", system="nav", entity="Customer", rows=5_000)),
    (1.0, RowsRead(mapping="customers", system="crm", entity="accounts", rows=20)),
    (1.0, RowsRead(mapping="customers", system="nav", entity="Customer", rows=6_000, done=True)),
    (0.0, RowsRead(mapping="rates", system="records", entity="rates", rows=1, done=True)),
    (1.0, MappingPlanned(mapping="customers", counts={})),
    (0.0, Recovered(mapping="customers", key="10", what="done")),
    (0.0, WritesDone(mapping="customers", done=10, total=100, failed=0)),
    (10.0, WritesDone(mapping="customers", done=20, total=100, failed=1)),
    (30.0, WritesDone(mapping="customers", done=50, total=100, failed=1)),
    (1.0, WritesDone(mapping="customers", done=100, total=100, failed=1)),
]


def told(width: int) -> str:
    out, clock = StringIO(), [0.0]
    shown = Progress(out, width=width, now=lambda: clock[0])
    for seconds, event in STORY:
        clock[0] += seconds
        shown(event)
    shown.close()
    return out.getvalue()


def test_a_log_hears_what_was_read_and_now_and_then_how_far_it_is() -> None:
    assert told(0).splitlines() == [
        "Read 20 records of crm and 6,000 records of nav.",
        "customers 10: the interrupted create was done",
        "customers: 50 of 100 written, 1 failed, 1.2/s, 40 s left",
    ]


def test_a_terminal_has_one_line_and_nothing_is_left_of_it() -> None:
    lines = told(60).replace("\n", "").split("\r\x1b[K")
    assert lines[-1] == ""
    assert "reading  20 of crm  6,000 of nav  3,010/s" in lines
    assert "customers: 50 of 100 written, 1 failed, 1.2/s, 40 s left" in lines
    assert "customers  [####................] 20 of 100 written, 1 fail" not in lines
    assert all(len(line) <= 60 for line in lines)
