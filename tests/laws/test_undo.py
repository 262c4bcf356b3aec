"""A law of runs: what a run wrote, its undo takes back; and the undo of that brings it again."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model import DeleteConflict
from runner.state.care import check
from tests.laws.test_converge import EDITS, Edit, edit, fresh
from tests.world import AGENTS, CUSTOMERS, World

Rows = dict[str, dict[str, dict[str, Any]]]


def held(made: World) -> tuple[Rows, Rows]:
    """Both systems; a field that was never given is one that is blank."""
    left, right = copy.deepcopy((made.shop.rows, made.desk.rows))
    for rows in (left, right):
        for entity in rows.values():
            for key, row in entity.items():
                entity[key] = {name: value for name, value in row.items() if value is not None}
    return left, right


def undo(made: World, run: int) -> int:
    """Undo a run; return the number of the run that did it."""
    path = made.folder / f"undo-{run}.plan"
    told = made.undo(run, out=path)
    assert told.document["failures"] == 0, told.kinds()
    done = made.apply_file(path, allow=["deletes"])
    assert not done.failures
    return run + 1


@settings(max_examples=max(8, settings().max_examples // 2))
@given(first=EDITS, second=EDITS, policy=st.sampled_from(list(DeleteConflict)))
def test_undone_a_run_was_never_there(
    first: list[Edit], second: list[Edit], policy: DeleteConflict
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = fresh(folder)
        made.mappings = (AGENTS, replace(CUSTOMERS, deleted=policy))
        edit(made, first)
        made.apply()
        edit(made, second)
        before = held(made)
        if not made.apply(allow=["deletes"]).document["changes"]:
            return
        after = held(made)
        undone = undo(made, 2)
        assert held(made) == before
        assert check(made.project.state).problems == ()
        if after != before:
            undo(made, undone)
            assert held(made) == after
        assert check(made.project.state).problems == ()
