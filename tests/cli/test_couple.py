"""Coupling by hand: find, couple, uncouple, and what is refused."""

from __future__ import annotations

import json
import re
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
    for spelled in (typed, "c10984"):
        made.run("couple", "customers", "c10984", typed)
        freed = made.run("uncouple", "customers", spelled)
        assert freed.stdout == f"Uncoupled nav C10984 ↔ crm {key}.\n"
    again = made.run("uncouple", "customers", key)
    assert (again.exit_code, again.stdout) == (0, "")
    assert f"'{key}' is not coupled in mapping customers" in again.stderr


def test_a_record_is_set_aside_and_taken_up_however_its_key_is_written(made: Quickstart) -> None:
    (key,) = (a["accountid"] for a in made.crm("GET", "/accounts?$top=1")["value"])
    made.run("couple", "customers", "C10984", key)
    for typed in ("c10984", "{" + key.upper() + "}"):
        kept = "C10984" if typed == "c10984" else key
        told = made.run("skip", "customers", typed)
        assert (told.stderr, told.stdout.startswith(f"customers {kept} is set aside")) == ("", True)
        (error,) = json.loads(made.run("errors", "customers", "--json").stdout)["errors"]
        assert error["keys"]["crm"] == key
        assert error["command"] == "sync-run unskip customers C10984"
        assert made.run("unskip", "customers", typed).exit_code == 0
        assert made.run("errors", "customers").stdout == "No open errors.\n"


def test_a_system_that_is_away_does_not_hinder_uncoupling(made: Quickstart) -> None:
    key = made.crm("GET", "/accounts?$top=1")["value"][0]["accountid"]
    made.run("couple", "customers", "C10984", key)
    sync = made.folder / "sync.yaml"
    away = "  crm: {connector: dataverse, url: http://127.0.0.1:9, auth: {token: '${NOWHERE}'}}\n"
    told = re.sub(r"  crm:.*?(?=\n\S|\Z)", away, sync.read_text(), flags=re.DOTALL)
    sync.write_text(told)
    other = made.run("uncouple", "customers", "{" + key + "}")
    assert "note: keys are taken as they were typed" in other.stderr
    assert "is not coupled in mapping customers" in other.stderr
    assert made.run("uncouple", "customers", key).stdout.startswith("Uncoupled nav C10984")


def test_a_mapping_that_is_none(made: Quickstart) -> None:
    result = made.run("uncouple", "custmers", "10000")
    assert "there is no mapping 'custmers'" in result.stderr
    assert "hint: did you mean 'customers'?" in result.stderr
