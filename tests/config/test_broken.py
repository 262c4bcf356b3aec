"""Every example of a broken project says exactly what its ``expected.txt`` holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config import load
from runner.errors import ConfigError, ExitCode

BROKEN = Path(__file__).parents[2] / "examples" / "broken"
CASES = sorted(folder.name for folder in BROKEN.iterdir() if folder.is_dir())


@pytest.mark.parametrize("case", CASES)
def test_a_broken_project_says_what_is_wrong_and_where(
    case: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(BROKEN / case)
    told = f"{caught.value}\n"
    expected = BROKEN / case / "expected.txt"
    if request.config.getoption("--update-golden"):
        expected.write_text(told, encoding="utf-8")
    assert told == expected.read_text(encoding="utf-8")
    assert caught.value.exit_code is ExitCode.UNUSABLE
    assert "s3cr3t-value" not in told


def test_there_are_many_cases() -> None:
    assert len(CASES) > 40
