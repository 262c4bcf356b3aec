"""The scheduler as a process of its own: its log, its server, its signals, its exit codes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.cli.schedule import _stopping
from runner.schedule.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

SYNC = """name: people
systems:
  here: {connector: files, url: here}
  there: {connector: files, url: there}
jobs:
  often: {every: 1d, quiet: 12h}
  nightly: {cron: "30 2 * * *", zone: Europe/Copenhagen, enabled: false}
"""
PEOPLE = """mapping: people
direction: both
here: {entity: people, key: id}
there: {entity: people, key: id}
fields:
  - {here: id, there: id}
  - {here: name, there: name}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("here", "there", "mappings"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sync.yaml").write_text(SYNC)
    (tmp_path / "mappings" / "people.yaml").write_text(PEOPLE)
    (tmp_path / "here" / "people.csv").write_text("id,name\n1,Ada\n")
    (tmp_path / "there" / "people.csv").write_text("id,name\n2,Bob\n")
    return tmp_path


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["-C", str(project), "schedule", *words])


@contextmanager
def running(project: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "runner", "-C", str(project), "schedule", *words]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], words: str) -> str:
    """Read the log up to a line that says so."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it never said '{words}'")


def test_it_runs_answers_and_ends(project: Path) -> None:
    with running(project, "--listen", "127.0.0.1:0") as process:
        (address,) = re.findall(r"http://\S+", until(process, "listens on"))
        until(process, "often: ends")
        with httpx.Client(base_url=address) as client:
            assert client.get("/healthz").text == "ok\n"
            assert client.get("/readyz").json() == {"problems": []}
            told = client.get("/metrics").text
            assert 'sync_run_turns_total{job="often",outcome="done"} 1\n' in told
            assert 'sync_run_turn_changes_total{job="often"} 2\n' in told
            (project / "there" / "people.csv").write_text("id,name\n1,Ada\n2,Bea\n")
            assert client.post("/jobs/often/ready").status_code == 202
            until(process, "often: ends")
            assert "Bea" in (project / "here" / "people.csv").read_text()
            assert client.post("/jobs/nightly/ready").status_code == 404
            browser = {"Origin": "https://example.com"}
            assert client.post("/jobs/often/ready", headers=browser).status_code == 403
            assert client.get("/jobs/often/ready").status_code == 405
        process.send_signal(signal.SIGTERM)
        until(process, "ended")
        assert process.wait(timeout=20) == 0
    told = run(project, "--list").stdout
    assert "done, 1 change, 0 failed" in told
    assert "never: it is not enabled" in told


def test_what_only_reads_is_left_at_once(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        mute = f"{{connector: odata, url: 'http://127.0.0.1:{port}/odata'}}"
        (project / "sync.yaml").write_text(SYNC.replace("{connector: files, url: there}", mute))
        with running(project) as process:
            until(process, "often: begins")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
    assert "stopped" in run(project, "--list").stdout


def test_the_second_signal_is_not_waited_for() -> None:
    async def scheduler() -> bool:
        bell = Bell()
        _stopping(bell)
        os.kill(os.getpid(), signal.SIGTERM)
        await bell.wait()
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return bell.stopping
        return False

    assert asyncio.run(scheduler())


def test_once_runs_what_is_due_and_nothing_else(project: Path) -> None:
    first = run(project, "--once")
    assert (first.exit_code, first.stdout) == (0, "")
    assert "often: begins" in first.stderr
    assert "Bob" in (project / "here" / "people.csv").read_text()
    second = run(project, "--once")
    assert (second.exit_code, second.stderr) == (0, "")


def test_once_says_what_went_wrong(project: Path) -> None:
    (project / "there" / "people.csv").unlink()
    sync = SYNC.replace("every: 1d", "every: 1d, attempts: 2, backoff: 0s")
    (project / "sync.yaml").write_text(sync)
    found = run(project, "--once")
    assert found.exit_code == 1
    assert found.stderr.count("often: begins") == 2
    assert "attempt 2 of 2" in found.stderr
    assert "often: is given up until its next time" in found.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("oftn",), "there is no job 'oftn'\n  hint: did you mean 'often'?"),
        (("--emit", "systmd"), "--emit: 'systmd' is not known\n  hint: did you mean 'systemd'?"),
        (("--listen", "here"), "--listen: 'here' is no address\n  hint: a host and a port"),
        (("--listen", "127.0.0.1:70000"), "--listen: '127.0.0.1:70000' is no address"),
    ],
)
def test_what_cannot_be_meant(project: Path, words: tuple[str, ...], told: str) -> None:
    found = run(project, *words)
    assert found.exit_code == 1
    assert found.stderr.startswith(f"error: {told}")


def test_a_project_without_jobs(project: Path) -> None:
    (project / "sync.yaml").write_text(SYNC.split("jobs:", maxsplit=1)[0])
    found = run(project)
    assert found.exit_code == 1
    assert found.stderr.startswith("error: sync.yaml names no jobs\n  hint: `jobs: {often:")


def test_files_for_others_are_put_into_a_folder(project: Path) -> None:
    found = run(project, "--emit", "systemd", "--out", str(project / "units"))
    assert found.exit_code == 0, found.output
    written = sorted(path.name for path in (project / "units").iterdir())
    # A job that is not enabled has none.
    assert written == ["sync-run-people-often.service", "sync-run-people-often.timer"]
    assert found.stdout.count("\n") == 2
    service = (project / "units" / written[0]).read_text()
    assert f"-C {project}" in service
