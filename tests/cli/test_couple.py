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
    key, other = (a["accountid"] for a in made.crm("GET", "/accounts?$top=2")["value"])
    typed = "{" + key.upper() + "}"
    for said in ("Coupled", "Coupled already:"):
        told = made.run("couple", "customers", "c10984", typed).stdout
        assert told == f"{said} nav C10984 ↔ crm {key}.\n"
    taken = made.run("couple", "customers", "C10984", other)
    assert taken.exit_code == ExitCode.UNUSABLE
    assert f"'C10984' is coupled already: nav C10984 ↔ crm {key}" in taken.stderr
    nowhere = made.run("couple", "customers", "C10984", f"{'0' * 8}{key[8:]}")
    assert "crm has no accounts" in nowhere.stderr
    assert made.run("uncouple", "customers", key).stdout == f"Uncoupled nav C10984 ↔ crm {key}.\n"
    again = made.run("uncouple", "customers", key)
    assert (again.exit_code, again.stdout) == (0, "")
    assert f"'{key}' is not coupled in mapping customers" in again.stderr


def test_a_mapping_that_is_none(made: Quickstart) -> None:
    result = made.run("uncouple", "custmers", "10000")
    assert "there is no mapping 'custmers'" in result.stderr
    assert "hint: did you mean 'customers'?" in result.stderr
