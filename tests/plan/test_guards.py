"""Ceilings: which plans are above one, who lifts it, and that nothing is written until then."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from runner.config.guards import guards_of
from runner.errors import ExitCode, GuardError, RunnerError
from runner.model import Ceiling, DeleteConflict, Guards
from runner.plan import MappingSummary
from runner.plan.guards import known, must_be_allowed, tripped
from tests.world import AGENTS, CUSTOMERS, World, field, world

if TYPE_CHECKING:
    from pathlib import Path

OFF = Guards(deletes=None)


def most(n: int, *, share: bool = False) -> Ceiling:
    return Ceiling(most=Decimal(n), share=share)


def summary(name: str = "customers", **more: object) -> MappingSummary:
    told = {"coupled": 100, **more}
    ends = {"left": "shop", "right": "desk", "left_entity": "Customer", "right_entity": "accounts"}
    return MappingSummary(name=name, direction="both", **ends, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("guards", "found", "expected"),
    [
        pytest.param(Guards(), {"gone": 20}, [], id="a fifth may be gone"),
        pytest.param(Guards(), {"gone": 21}, ["max_deletes"], id="more than a fifth may not"),
        pytest.param(
            Guards(), {"gone": 10, "coupled": 12}, [], id="a share has a floor: ten never stop"
        ),
        pytest.param(Guards(), {"gone": 11, "coupled": 12}, ["max_deletes"], id="eleven do"),
        pytest.param(
            Guards(floor=0), {"gone": 1, "coupled": 3}, ["max_deletes"], id="without a floor, one"
        ),
        pytest.param(Guards(deletes=most(5)), {"gone": 5}, [], id="a number is what may be"),
        pytest.param(Guards(deletes=most(5)), {"gone": 6}, ["max_deletes"], id="one more may not"),
        pytest.param(
            Guards(deletes=most(0)), {"gone": 1}, ["max_deletes"], id="a number has no floor"
        ),
        pytest.param(
            Guards(deletes=most(100, share=True)), {"gone": 99}, [], id="100% is no limit"
        ),
        pytest.param(
            Guards(deletes=most(5)),
            {"counts": {"delete right": 6}},
            ["max_deletes"],
            id="what is deleted though nothing is gone",
        ),
        pytest.param(OFF, {"counts": {"create right": 10_000}}, [], id="changes: any number"),
        pytest.param(
            Guards(changes=most(10)),
            {"counts": {"create right": 5, "update left": 5, "delete left": 1, "couple": 50}},
            ["max_changes"],
            id="creates, updates and deletes are changes, couplings are not",
        ),
        pytest.param(
            Guards(changes=most(10, share=True)),
            {"counts": {"create right": 5_000}, "coupled": 0},
            [],
            id="the first synchronization has nothing to have a share of",
        ),
        pytest.param(
            Guards(changes=most(10, share=True)),
            {"counts": {"update right": 11}},
            ["max_changes"],
            id="a share of the coupled",
        ),
        pytest.param(
            OFF,
            {"empty": ("left", "right")},
            ["empty", "empty"],
            id="nothing at all, on both sides",
        ),
    ],
)
def test_a_guard_of_a_mapping(
    guards: Guards, found: dict[str, object], expected: list[str]
) -> None:
    told = tripped([summary(**found)], OFF, {"customers": guards})  # type: ignore[arg-type]
    assert [guard.name for guard in told] == [f"customers.{name}" for name in expected]


def test_the_guards_of_a_run_count_all_its_mappings() -> None:
    both = [summary("a", gone=8, coupled=20), summary("b", gone=9, coupled=20)]
    told = tripped(both, Guards(), {"a": Guards(), "b": Guards()})
    assert [guard.name for guard in told] == ["run.max_deletes"]
    assert told[0].what == (
        "17 coupled records are gone, or would be deleted, at the most 20% of 40 may"
    )


@pytest.mark.parametrize(
    ("allowed", "passes"),
    [
        ([], False),
        (["deletes"], True),
        (["max_deletes"], True),
        (["customers.deletes"], True),
        (["customers.max_deletes"], True),
        (["agents.deletes"], False),
        (["run.deletes"], False),
        (["changes"], False),
        (["empty"], False),
    ],
)
def test_who_lifts_a_guard(allowed: list[str], *, passes: bool) -> None:
    found = tripped([summary(gone=50)], OFF, {"customers": Guards()})
    if passes:
        must_be_allowed(found, allowed)
        return
    with pytest.raises(GuardError, match=r"customers\.max_deletes") as caught:
        must_be_allowed(found, allowed)
    assert "--allow customers.max_deletes" in caught.value.hint


def test_a_guard_that_is_none_is_refused() -> None:
    known(["deletes", "customers.empty", "run.max_changes"], ["customers"])
    with pytest.raises(RunnerError, match="there is no guard 'delets'") as caught:
        known(["delets"], ["customers"])
    assert "did you mean 'deletes'?" in caught.value.hint


def test_what_the_mapping_says_goes_before_what_the_project_says() -> None:
    told = guards_of({"max_deletes": "2.5%", "floor": 3}, {"max_changes": 7, "floor": 4})
    assert told == Guards(
        changes=most(7), deletes=Ceiling(most=Decimal("2.5"), share=True), floor=4
    )
    assert guards_of({}, {}) == Guards()


@pytest.fixture
def many(tmp_path: Path) -> World:
    """Thirty coupled customers."""
    made = world(tmp_path, AGENTS, replace(CUSTOMERS, deleted=DeleteConflict.DELETE))
    for n in range(30):
        made.shop.put("Customer", f"{n:02}", Name=f"Customer {n}")
    assert made.apply().exit_code is ExitCode.DONE
    return made


@pytest.mark.parametrize("policy", list(DeleteConflict))
def test_a_suddenly_small_system_stops_the_run_whatever_the_policy(
    many: World, policy: DeleteConflict
) -> None:
    many.mappings = (AGENTS, replace(CUSTOMERS, deleted=policy))
    for n in range(11):
        many.shop.remove("Customer", f"{n:02}")
    many.shop.put("Customer", "29", Phone="7")
    before = len(many.shop.written) + len(many.desk.written)
    told = many.plan()
    assert [guard["guard"] for guard in told.document["guards"]] == [
        "customers.max_deletes", "run.max_deletes",
    ]  # fmt: skip
    with pytest.raises(GuardError) as caught:
        many.apply()
    assert caught.value.exit_code is ExitCode.STOPPED
    assert len(many.shop.written) + len(many.desk.written) == before
    many.apply(allow=["deletes"])
    assert len(many.shop.written) + len(many.desk.written) > before


def test_ten_deleted_records_are_business_as_usual(many: World) -> None:
    for n in range(10):
        many.shop.remove("Customer", f"{n:02}")
    assert many.apply().counters["customers"]["deleted"] == 10


def test_an_empty_system_may_be_meant(many: World) -> None:
    many.shop.rows["Customer"].clear()
    with pytest.raises(GuardError):
        many.apply(allow=["deletes"])
    assert many.apply(allow=["deletes", "empty"]).counters["customers"]["deleted"] == 30


def test_changes_have_a_ceiling_where_one_is_set(many: World) -> None:
    fields = (*CUSTOMERS.fields[:-1], field("", "kind", CUSTOMERS.fields[-1].direction, constant=4))
    guarded = replace(CUSTOMERS, fields=fields, guards=Guards(changes=most(10, share=True)))
    many.mappings = (AGENTS, guarded)
    with pytest.raises(GuardError, match=r"customers\.max_changes: 30 records would be written"):
        many.apply()
    assert many.apply(allow=["customers.changes"]).counters["customers"]["modified"] == 30
