"""What is printed, where standard input, output and error are not what one is used to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.console import words_for_errors
from runner.errors import ExitCode
from tests.cli.small import Small

FULL = Path("/dev/full")


def shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a shell does; ``sync-run`` is the one under test."""
    words = command.replace("sync-run", f"'{sys.executable}' -m runner -C '{folder}'")
    return subprocess.run(
        ["/bin/sh", "-c", words], capture_output=True, check=False, env=os.environ | environment
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(tmp_path: Path, closed: str) -> None:
    small = Small(tmp_path)
    told = shell(tmp_path, f"sync-run apply --yes {closed}")
    assert told.returncode in (ExitCode.DONE, ExitCode.RECORDS_FAILED), told.stderr
    (run,) = json.loads(small.run("runs", "--json").stdout)["runs"]
    assert run["exit_code"] == told.returncode


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("command", ["plan", "runs", "apply --yes"])
def test_a_full_disk_under_the_output_is_told_of_the_output(tmp_path: Path, command: str) -> None:
    Small(tmp_path)
    told = shell(tmp_path, f"sync-run {command} >{FULL}")
    assert told.returncode == ExitCode.UNUSABLE
    expected = b"error: what is printed cannot be written: No space left on device"
    assert expected in told.stderr.splitlines()


def test_what_the_encoding_does_not_have_is_escaped(tmp_path: Path) -> None:
    Small(tmp_path)
    told = shell(tmp_path, "sync-run graph", PYTHONIOENCODING="latin-1")
    assert told.returncode == ExitCode.DONE, told.stderr
    assert b"\\u" in told.stdout


def test_ctrl_c_in_the_middle_of_a_query_is_no_fault() -> None:
    with pytest.raises(KeyboardInterrupt), words_for_errors():
        raise RuntimeError("Query interrupted")  # as DuckDB tells it
