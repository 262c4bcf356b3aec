"""sandbox: what a wrong plan of faults is told; the servers themselves are in tests/sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import ExitCode
from runner.sandbox.faults import FAULTS
from tests.cli.quickstart import quickstart

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fail", "418:5%"), "--fail: '418:5%' is no fault that can be had"),
        (("--fail", "429"), "--fail: '429' cannot be read"),
        (("--journal", "no/such/folder"), "--journal: no/such/folder cannot be written"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_served(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    result = quickstart(tmp_path).run("sandbox", *words)
    assert said in result.output
    assert result.exit_code == ExitCode.UNUSABLE


def test_the_help_names_every_fault(tmp_path: Path) -> None:
    told = quickstart(tmp_path).run("sandbox", "--help").output
    assert set(FAULTS) <= set(told.split())
