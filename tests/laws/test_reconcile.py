"""Whatever happens: a run's journal, counters and findings tell the story of plan and report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runner.plan import Kind
from runner.state import errors, history, readable
from runner.wire import Drifted, Rejected
from tests.apply.test_history import PLAIN
from tests.world import World, world

if TYPE_CHECKING:
    from runner.wire import Outcome, Write
    from tests.world import Told

KEYS = ("10", "20", "30", "40")
Edit = tuple[str, str, str | None]
edits = st.lists(
    st.tuples(
        st.sampled_from(("shop", "desk")), st.sampled_from(KEYS), st.sampled_from("ab") | st.none()
    ),
    max_size=6,
)
refusals = st.dictionaries(
    st.sampled_from(KEYS), st.sampled_from(("rejected", "drifted")), max_size=2
)


def edited(made: World, changes: list[Edit]) -> None:
    """Change a phone on either side, or take the record away there."""
    ours = {row["number"]: key for key, row in made.desk.rows.get("accounts", {}).items()}
    for side, number, phone in changes:
        system, entity = (made.shop, "Customer") if side == "shop" else (made.desk, "accounts")
        key = number if side == "shop" else ours.get(number)
        if key is None or key not in system.rows.get(entity, {}):
            continue
        if phone is None:
            system.remove(entity, key)
        else:
            system.put(entity, key, **{"Phone" if side == "shop" else "phone": phone})


def refusing(made: World, told: dict[str, str]) -> None:
    def answer(write: Write) -> Outcome | None:
        row = made.desk.rows.get("accounts", {}).get(write.key or "", {})
        number = write.values.get("number") or row.get("number") or write.key
        match told.get(str(number)):
            case "rejected":
                return Rejected(code="1", message="not this one")
            case "drifted":
                return Drifted(message="somebody was faster")
            case _:
                return None

    made.desk.fails = made.shop.fails = answer


def reconciled(made: World, told: Told) -> None:
    path = made.project.state
    with readable(path) as state:
        (run,) = history.runs(state, path, limit=1)
        (job,) = history.jobs(state, run.run)
        findings = history.findings(state, run.run)
        writes = tuple(history.writes(state, run.run))
        still = errors.find(state)
    counted = told.counters["customers"]
    assert job.counters == counted == run.counters
    assert run.exit_code == told.exit_code
    done = Counter(write.kind for write in writes if write.outcome == "written")
    assert [done["create"], done["update"], done["delete"]] == [
        counted["inserted"], counted["modified"], counted["deleted"],
    ]  # fmt: skip
    planned = len(told.actions(Kind.CONFLICT)) + len(told.actions(Kind.ERROR))
    assert len(findings) == counted["failed"] == planned + len(told.failures)
    assert counted["skipped"] == len(told.actions(Kind.SKIP))
    refused = [write for write in writes if write.outcome != "written"]
    assert len(refused) <= len(told.failures)
    # What is open is what this run found, failed over or skipped, and nothing else.
    records = {(f.left_key, f.right_key) for f in findings}
    skipped = {tuple(a["keys"].values()) for a in told.actions(Kind.SKIP)}
    assert {(e.left_key, e.right_key) for e in still} == records | skipped
    assert all(
        e.last_run == run.run and e.attempts <= PLAIN.attempts
        for e in still
        if e.kind in ("conflict", "error", "rejected")
    )


@given(rounds=st.lists(st.tuples(edits, refusals), min_size=2, max_size=3))
def test_journal_counters_and_findings_agree(
    rounds: list[tuple[list[Edit], dict[str, str]]],
) -> None:
    with TemporaryDirectory() as folder:
        made = world(Path(folder), PLAIN)
        for number in KEYS:
            made.shop.put("Customer", number, Name=f"Name {number}", Phone="1")
        made.shop.put("Customer", "99", Name="Always there", Phone="1")
        for changes, refused in rounds:
            edited(made, changes)
            refusing(made, refused)
            reconciled(made, made.apply())
