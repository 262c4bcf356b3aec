"""What people see, held by golden files, and drawn from the document alone."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.views import text
from tests.world import world

if TYPE_CHECKING:
    from runner.views.document import Document

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """A plan that has one of everything."""
    made = world(tmp_path_factory.mktemp("views"))
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    made.shop.put("Customer", "10", Name="Alpha", Phone="1", Credit=Decimal(5), Agent="JO")
    made.shop.put("Customer", "11", Name="Gone", Phone="1")
    made.shop.put("Customer", "12", Name="Deleted", Phone="1")
    made.apply()
    keys = {row["name"]: key for key, row in made.desk.rows["accounts"].items()}
    made.shop.put("Customer", "10", Phone="2", Name="Alpha Ltd")
    made.desk.put("accounts", keys["Alpha"], phone="3", credit=Decimal(99))
    made.shop.remove("Customer", "11")
    made.desk.remove("accounts", keys["Gone"])
    made.desk.remove("accounts", keys["Deleted"])
    made.shop.put("Customer", "20", Name="東京 株式会社", Phone="line\nbreak")
    made.shop.put("Customer", "30", Name="Beta", Agent="XX")
    made.shop.put("Customer", "40", Name="Pair", Phone="4")
    made.desk.put("accounts", "g4", name="pair", credit=Decimal(7))
    made.desk.put("accounts", "g5", name="From the desk", ownerid="u1")
    for n in range(4):
        made.shop.put("Customer", f"9{n}", Name=f"Many {n}")
    return made.plan().document


def golden(name: str, told: str, request: pytest.FixtureRequest) -> None:
    told = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", "[GUID]", told)
    file = GOLDEN / name
    if request.config.getoption("--update-golden"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


def test_a_plan(document: Document, request: pytest.FixtureRequest) -> None:
    golden("plan.txt", text.plan(document, shown=3), request)


def test_a_plan_in_full_and_in_colour(document: Document, request: pytest.FixtureRequest) -> None:
    golden("plan-colour.txt", text.plan(document, shown=None, colour=True), request)


def test_what_a_plan_is_about(document: Document) -> None:
    selection = {
        "records": ["10", "11"],
        "where": {"system": "shop", "condition": "Name"},
        "to": "desk",
        "prefer": "shop",
    }
    told = text.plan({**document, "selection": selection, "mappings": []}, shown=3)
    assert told.splitlines()[0] == (
        "Only records 10, 11; only where shop has Name; writes to desk alone; "
        "shop wins where both sides changed."
    )
    spared = {**document["mappings"][1], "spared": {"update shop": 2}, "actions": [], "counts": {}}
    assert "2 to update in shop left out" in text.plan({**document, "mappings": [spared]}, shown=3)


def test_text_is_drawn_from_json_alone(document: Document) -> None:
    again = json.loads(json.dumps(document))
    assert text.plan(again, shown=3) == text.plan(document, shown=3)


def test_a_report(request: pytest.FixtureRequest) -> None:
    report = {
        "run": 7,
        "counters": {"customers": {counter: n for n, counter in enumerate(text.COUNTERS)}},
        "failures": [
            {
                "mapping": "customers",
                "keys": {"left": "10", "right": None},
                "label": "Alpha",
                "outcome": "rejected",
                "message": "the name is too long (0x80044331)",
                "hint": "correct the record or the mapping; the next run tries again",
            }
        ],
        "set_aside": 2,
        "stopped": "crm: it did not answer within 300 seconds",
        "exit_code": 3,
    }
    golden("report.txt", text.report(report), request)
