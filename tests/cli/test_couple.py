"""Coupling by hand: find, couple, uncouple, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import ExitCode
from tests.cli.quickstart import Quickstart, quickstart

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def made(tmp_path: Path) -> Quickstart:
    return quickstart(tmp_path)


def test_a_pair_coupled_by_hand_is_planned_as_a_pair_and_can_be_set_free(made: Quickstart) -> None:
    (account,) = made.crm("GET", "/accounts?$select=name&$top=1")["value"]
    key = account["accountid"]
    assert (
        made.run("couple", "customers", "C10984", key).stdout
        == f"Coupled nav C10984 ↔ crm {key}.\n"
    )
    again = made.run("couple", "customers", "C10984", "another")
    assert again.exit_code == ExitCode.UNUSABLE
    assert f"'C10984' is coupled already: nav C10984 ↔ crm {key}" in again.stderr
    assert made.run("uncouple", "customers", key).stdout == f"Uncoupled nav C10984 ↔ crm {key}.\n"
    assert made.run("uncouple", "customers", key).exit_code == ExitCode.UNUSABLE


def test_a_mapping_that_is_none(made: Quickstart) -> None:
    result = made.run("uncouple", "custmers", "10000")
    assert "there is no mapping 'custmers'" in result.stderr
    assert "hint: did you mean 'customers'?" in result.stderr
