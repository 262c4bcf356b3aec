"""Why a record stands as it does: every way to stand, told with its place in the YAML."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runner import run
from runner.config import load
from runner.errors import Location
from runner.model import DeleteConflict, Requirement, Selection, Side, Text
from runner.plan import run_file
from runner.state import held
from runner.views import explanations, rules, why
from tests.cli.quickstart import REPOSITORY
from tests.views.test_text import PLAIN, golden
from tests.world import AGENTS, CUSTOMERS, World, world

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.views.document import Document

FILTER = Text(text="Credit < `100`", at=Location("customers.yaml", 3, 9))
NEEDED = Requirement(when=Text(text="Name != 'Nobody'", at=FILTER.at), says="it needs a name")
STRICT = replace(
    CUSTOMERS,
    left=replace(CUSTOMERS.left, filter=FILTER, read_all=True, requires=(NEEDED,)),
    create=frozenset({Side.RIGHT}),
    deleted=DeleteConflict.UNCOUPLE,
)


def asked(made: World, keys: Mapping[str, str]) -> dict[str, Document]:
    """Ask why of each key; the answers under the names of the keys."""

    async def ask() -> dict[str, Document]:
        connectors = {"shop": made.shop, "desk": made.desk}
        mappings = await run.compiled(made.project, connectors)
        with held(made.project.state, "test") as store, run_file() as file:
            session = run.Session(
                project=made.project,
                connectors=connectors,
                mappings=mappings,
                store=store,
                tell=lambda _: None,
            )
            planned = await run.make_plan(session, file, Selection(mappings=("customers",)))
            (one,) = [m for m in mappings if m.name == "customers"]
            found = {}
            for name, key in keys.items():
                (trace,) = run.traced(session, planned, "customers", key)
                found[name] = why.of_trace(trace, one.rule)
        return found

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Document]:
    made = world(tmp_path_factory.mktemp("why"), AGENTS, STRICT)
    for n in range(10, 17):
        made.shop.put("Customer", str(n), Name=f"Name {n}", Phone="1", Credit=5)
    made.shop.put("Customer", "17", Name="Coupled", Phone="1", Credit=5)
    made.desk.put("accounts", "g17", name="Coupled", number="17", phone="1", credit=5)
    made.apply()
    keys = {row["number"]: key for key, row in made.desk.rows["accounts"].items()}
    made.shop.put("Customer", "11", Phone="2")
    made.shop.put("Customer", "12", Phone="2")
    made.desk.put("accounts", keys["12"], phone="3")
    made.shop.put("Customer", "13", Credit=500)
    made.desk.remove("accounts", keys["14"])
    made.shop.put("Customer", "15", Phone="9")
    made.desk.put("accounts", keys["15"], phone="9")
    made.desk.put("accounts", keys["16"], credit=99)
    made.shop.put("Customer", "20", Name="New", Credit=5)
    made.shop.put("Customer", "21", Name="Rich", Credit=500)
    made.shop.put("Customer", "22", Name="Agentless", Agent="XX", Credit=5)
    made.shop.put("Customer", "23", Name="Nobody", Credit=5)
    made.shop.put("Customer", "24", Name="Pair", Credit=5)
    made.desk.put("accounts", "g24", name="PAIR")
    made.desk.put("accounts", "g30", name="Alone")
    made.shop.put("Customer", "40", Name="Twins", Credit=5)
    made.desk.put("accounts", "g41", name="Twins")
    made.desk.put("accounts", "g42", name="Twins")
    names = {
        "unchanged": "10",
        "only coupled": "17",
        "updated": "11",
        "in conflict": "12",
        "out of the filter": "13",
        "partner deleted": "14",
        "the same by themselves": "15",
        "drifted": "16",
        "new": "20",
        "filtered": "21",
        "a reference to nobody": "22",
        "set aside": "23",
        "matched": "24",
        "by the other key": "G24",
        "nothing creates it": "g30",
        "ambiguous": "40",
    }
    return asked(made, names)


def test_every_way_to_stand(told: dict[str, Document], request: pytest.FixtureRequest) -> None:
    drawn = [f"[{name}]\n{explanations.record(one, PLAIN)}" for name, one in told.items()]
    golden("why.txt", "\n\n".join(drawn), request)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("unchanged", "unchanged"),
        ("only coupled", "unchanged"),
        ("updated", "update"),
        ("in conflict", "conflict"),
        ("out of the filter", "filtered"),
        ("partner deleted", "uncouple"),
        ("the same by themselves", "unchanged"),
        ("drifted", "update"),
        ("new", "create"),
        ("filtered", "filtered"),
        ("a reference to nobody", "error"),
        ("set aside", "error"),
        ("matched", "couple"),
        ("by the other key", "couple"),
        ("nothing creates it", "skipped"),
        ("ambiguous", "error"),
    ],
)
def test_the_verdict_in_a_word(told: dict[str, Document], name: str, verdict: str) -> None:
    assert told[name]["verdict"] == verdict
    assert told[name]["because"], name


def test_text_is_drawn_from_json_alone(told: dict[str, Document]) -> None:
    for one in told.values():
        again = json.loads(json.dumps(one))
        assert explanations.record(again, PLAIN) == explanations.record(one, PLAIN)


def test_a_conflict_tells_all_it_knows_of_the_field(told: dict[str, Document]) -> None:
    (phone,) = [f for f in told["in conflict"]["fields"] if f["verdict"] == "conflict"]
    assert phone["values"] == {"shop": "2", "desk": "3"}
    assert phone["base"] == {"shop": "1", "desk": "1"}


def test_the_beginning_of_a_key_is_enough_where_it_is_long(tmp_path: Path) -> None:
    made = world(tmp_path)
    made.shop.put("Customer", "10", Name="A")
    made.apply()
    (key,) = made.desk.rows["accounts"]
    assert asked(made, {"short": key[:8].upper()})["short"]["keys"]["shop"] == "10"


def test_explaining_mappings_and_fields(request: pytest.FixtureRequest) -> None:
    project = load(REPOSITORY / "examples" / "quickstart", environment="")
    drawn = [
        explanations.mapping(rules.of_mapping(project, project.mapping(name)), PLAIN)
        for name in ("customers", "units", "primary-contacts")
    ]
    for name, field in (
        ("customers", "ownerid"),
        ("customers", "transactioncurrencyid"),
        ("customers", "customertypecode"),
        ("contacts", "lastname"),
        ("unit-groups", "name"),
        ("opportunities", "name"),
        ("items", "statecode"),
    ):
        told = rules.of_fields(project.mapping(name), field)
        drawn.append(explanations.fields(f"{name}.{field}", told, PLAIN))
    golden("explain.txt", "\n\n".join(drawn), request)
