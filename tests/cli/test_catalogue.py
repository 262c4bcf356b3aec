"""Companion records through the real connectors: units, items, and their prices in one run."""

from __future__ import annotations

import shutil
from pathlib import Path

from typer.testing import CliRunner, Result

from runner.cli import app
from runner.errors import ExitCode

CATALOGUE = Path(__file__).parent / "catalogue"


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["-C", str(folder), *words])


def counters(result: Result) -> dict[str, list[int]]:
    """Read the table of a report: by mapping, inserted, modified, …"""
    lines = result.stdout.partition("Run 1\n")[2].splitlines()[1:]
    return {line.split()[0]: [int(n) for n in line.split()[1:]] for line in lines if line.strip()}


def test_units_items_and_prices_come_over_in_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    first = run(folder, "apply", "--yes")
    assert first.exit_code == ExitCode.DONE, first.output
    inserted = {name: row[0] for name, row in counters(first).items()}
    assert inserted == {
        "currencies": 1,
        "unit-groups": 2,
        "units": 0,  # Dataverse makes them beside their groups
        "items": 2,
        "price-lists": 1,
        "item-prices": 2,
    }
    assert counters(first)["items"][1] == 2, "products are made active in a second write"
    assert counters(first)["units"][4] == 2, "and so the units are coupled"
    second = run(folder, "apply", "--yes")
    assert second.exit_code == ExitCode.DONE
    assert "No changes." in second.stdout
