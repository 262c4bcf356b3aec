"""kill -9 in the middle of an apply, then again: it converges, nothing is doubled, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.quickstart import Quickstart, quickstart

if TYPE_CHECKING:
    from pathlib import Path

SETS = ("/accounts", "/contacts", "/transactioncurrencies")
PAGES = ("/Customer", "/Contact", "/Salesperson")


def census(made: Quickstart) -> dict[str, Counter[Any]]:
    """Every record by what a person would know it by (e-mail and name), as often as it is there."""
    found: dict[str, Counter[Any]] = {}
    for path in SETS:
        rows = made.crm("GET", path)["value"]
        found[path] = Counter(
            (r.get("name"), r.get("fullname"), r.get("emailaddress1"), r.get("isocurrencycode"))
            for r in rows
        )
    for path in PAGES:
        rows = made.nav("GET", path)["value"]
        found[path] = Counter((r["Name"], r["E_Mail"], r.get("Type")) for r in rows)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counter[Any]]:
    made = quickstart(tmp_path_factory.mktemp("undisturbed"))
    made.run("apply", "--yes")
    return census(made)


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param((1.6, 1.9), id="twice"),
        pytest.param((2.2,), id="once"),
        *(
            pytest.param((1.2 + n / 20,), id=f"at {1.2 + n / 20:.2f}", marks=pytest.mark.slow)
            for n in range(60)
        ),
    ],
)
def test_killed_and_started_again(
    tmp_path: Path, undisturbed: dict[str, Counter[Any]], seconds: tuple[float, ...]
) -> None:
    made = quickstart(tmp_path)
    command = [sys.executable, "-m", "runner", "-C", str(made.folder), "apply", "--yes"]
    for patience in seconds:
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience)
            process.kill()
    result = made.run("apply", "--yes")
    assert result.exit_code == 3, result.output
    # What a killed run wrote without hearing of it is settled now; a further run has nothing left.
    made.run("apply", "--yes")
    assert made.plan()["changes"] == 0
    assert census(made) == undisturbed
