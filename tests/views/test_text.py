"""What people see, held by golden files, and drawn from the document alone."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.events import WritesDone
from runner.views import progress, text
from runner.views.actions import Screen
from runner.views.drawing import Paint, breadth
from tests.world import world

if TYPE_CHECKING:
    from runner.views.document import Document

GOLDEN = Path(__file__).parent / "golden"
PLAIN = Screen(paint=Paint(colour=False), width=100)
NARROW = Screen(paint=Paint(colour=False), width=48)
FULL = Screen(paint=Paint(colour=False), width=100, full=True)
LONG = "A note that nobody has ever shortened, because there was always room for it. " * 3


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """A plan that has one of everything."""
    made = world(tmp_path_factory.mktemp("views"))
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    made.shop.put("Customer", "10", Name="Alpha", Phone="1", Credit=Decimal(5), Agent="JO")
    made.shop.put("Customer", "11", Name="Gone", Phone="1")
    made.shop.put("Customer", "12", Name="Deleted", Phone="1")
    made.shop.put("Customer", "13", Name="Quiet", Phone="1", Credit=Decimal(5))
    made.apply()
    keys = {row["name"]: key for key, row in made.desk.rows["accounts"].items()}
    made.shop.put("Customer", "10", Phone="2", Name="Alpha Ltd")
    made.desk.put("accounts", keys["Alpha"], phone="3", credit=Decimal(99))
    made.desk.put("accounts", keys["Quiet"], credit=Decimal(99), phone="a longer number")
    made.shop.remove("Customer", "11")
    made.desk.remove("accounts", keys["Gone"])
    made.desk.remove("accounts", keys["Deleted"])
    made.shop.put("Customer", "20", Name="東京 株式会社", Phone="line\nbreak")
    made.shop.put("Customer", "21", Name="👩‍👩‍👧 Søn & Ça", Phone=LONG)
    made.shop.put("Customer", "30", Name="Beta", Agent="XX")
    made.shop.put("Customer", "31", Name="\x1b[31mRed", Agent="XY")
    # A reference that only its own system can read, and one that people can.
    made.shop.put("Agent", "LT", Name="Lina")
    made.desk.put("users", "0b216d7a-3e5d-86fd-a0ee-1f2e3d4c5b6a", fullname="Lina")
    made.shop.put("Customer", "32", Name="Gamma", Agent="LT")
    made.shop.put("Customer", "13", Agent="LT")
    made.shop.put("Customer", "40", Name="Pair", Phone="4")
    made.desk.put("accounts", "g4", name="pair", credit=Decimal(7))
    made.desk.put("accounts", "g5", name="From the desk", ownerid="u1")
    for n in range(4):
        made.shop.put("Customer", f"9{n}", Name=f"Many {n}")
    return made.plan().document


def golden(name: str, told: str, request: pytest.FixtureRequest) -> None:
    told = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", "[GUID]", told)
    told = re.sub(r"\b[0-9a-f]{8}…", "[GUID]…", told)
    file = GOLDEN / name
    if request.config.getoption("--update-golden"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


def test_a_plan(document: Document, request: pytest.FixtureRequest) -> None:
    golden("plan.txt", text.plan(document, PLAIN), request)


def test_a_plan_in_full_and_in_colour(document: Document, request: pytest.FixtureRequest) -> None:
    screen = Screen(paint=Paint(colour=True), width=100, full=True)
    golden("plan-colour.txt", text.plan(document, screen), request)


def test_a_plan_on_a_narrow_terminal(document: Document, request: pytest.FixtureRequest) -> None:
    told = text.plan(document, NARROW)
    golden("plan-narrow.txt", told, request)
    # A command to copy, and a word that is longer than the line, are never broken.
    assert [
        line
        for line in told.splitlines()
        if breadth(line) > NARROW.width and "sync-run" not in line and "overwritten" not in line
    ] == []


def test_a_plan_of_one_mapping_says_how_it_was_called(
    document: Document, request: pytest.FixtureRequest
) -> None:
    alone = {**document, "mappings": [m for m in document["mappings"] if m["counts"]]}
    screen = Screen(paint=Paint(colour=False), width=100, command="sync-run -C 'my project'")
    golden("plan-alone.txt", text.plan(alone, screen), request)


def test_what_nobody_is_asked_about_is_told_in_short(
    document: Document, request: pytest.FixtureRequest
) -> None:
    golden("plan-findings.txt", text.plan(document, PLAIN, findings_only=True), request)


def test_nothing_to_do_is_one_line(document: Document) -> None:
    resting = [{**m, "counts": {}, "actions": []} for m in document["mappings"]]
    idle = {**document, "mappings": resting, "changes": 0, "failures": 0}
    assert text.plan(idle, PLAIN) == "No changes."


WHOLE = {"way": "whole", "rows": 20, "deletions": None}
DELTA = {"way": "delta", "rows": 3, "deletions": None}
SINCE = {"way": "since", "rows": 1, "deletions": "2026-03-01T08:00:00+00:00"}


def test_an_incremental_plan_says_so_though_nothing_is_drawn(
    document: Document, request: pytest.FixtureRequest
) -> None:
    drawn = []
    for ways in ((WHOLE, DELTA), (SINCE, DELTA), (WHOLE, WHOLE), (SINCE,)):
        mappings = [
            {**told, "counts": {}, "actions": [], "reading": {"shop": way}}
            for told, way in zip(document["mappings"], ways, strict=False)
        ]
        idle = {**document, "mode": "incremental", "mappings": mappings}
        drawn.append(text.plan({**idle, "changes": 0, "failures": 0}, PLAIN))
    golden("plan-incremental.txt", "\n---\n".join([*drawn, ""]), request)


def test_what_a_plan_is_about(document: Document) -> None:
    selection = {
        "records": ["10", "11"],
        "where": {"system": "shop", "condition": "Name"},
        "to": "desk",
        "prefer": "shop",
    }
    told = text.plan({**document, "selection": selection, "mappings": []}, PLAIN)
    about = told.split("\n\n")[0]
    assert " ".join(about.split()) == (
        "Only records 10, 11; only where shop has Name; writes to desk alone; "
        "shop wins where both sides changed."
    )
    spared = {**document["mappings"][1], "spared": {"update shop": 2}, "actions": [], "counts": {}}
    assert "2 to update in shop left out" in text.plan({**document, "mappings": [spared]}, PLAIN)


def test_text_is_drawn_from_json_alone(document: Document) -> None:
    again = json.loads(json.dumps(document))
    assert text.plan(again, PLAIN) == text.plan(document, PLAIN)


def test_no_value_moves_the_cursor(document: Document) -> None:
    assert "\x1b" not in text.plan(document, FULL)


REPORT = {
    "run": 7,
    "counters": {
        **{f"idle-{n}": dict.fromkeys(text.COUNTERS, 0) | {"unchanged": n} for n in range(7)},
        "customers": {counter: n * 1000 for n, counter in enumerate(text.COUNTERS)},
    },
    "failures": [
        {
            "mapping": "customers",
            "keys": {"left": "10", "right": None},
            "label": "Alpha",
            "outcome": "rejected",
            "message": "the name is too long (0x80044331)",
            "hint": "correct the record or the mapping; the next run tries again",
            "id": "SR600",
        }
    ],
    "set_aside": 2,
    "stopped": "crm: it did not answer within 300 seconds",
    "exit_code": 3,
}


def test_a_report(request: pytest.FixtureRequest) -> None:
    golden("report.txt", text.report(REPORT, PLAIN), request)


def test_a_report_on_a_narrow_terminal(request: pytest.FixtureRequest) -> None:
    golden("report-narrow.txt", text.report(REPORT, NARROW), request)


def test_progress(request: pytest.FixtureRequest) -> None:
    some = WritesDone(mapping="customers", done=1200, total=5000, failed=3)
    many = WritesDone(mapping="customers", done=10, total=1_000_000, failed=0)
    rows = {"nav": 12_345, "crm": 987}
    lines = [
        progress.reading(rows, 4.0, 60),
        progress.reading({"nav": 1}, 0.1, 60),
        progress.read(rows),
        progress.writing(some, 10.0, 80),
        progress.writing(some, 0.1, 80),
        progress.writing(many, 1.0, 80),
        progress.writing(some, 10.0, 40),
        progress.writing(some, 10.0, 0),
    ]
    golden("progress.txt", "\n".join(lines), request)
