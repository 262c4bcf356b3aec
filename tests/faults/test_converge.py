"""Apply until done, over a line on which things go wrong: nothing is doubled, nothing lost."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from runner import run, sandbox
from runner.cli.wiring import records_of
from runner.config import load
from runner.connectors.line.http import Credentials
from runner.connectors.line.secret import Secret
from runner.connectors.microsoft.dataverse import Dataverse
from runner.connectors.microsoft.nav import Nav
from runner.connectors.records import Records
from runner.errors import RunnerError, cause
from runner.model import RECORDS, Selection
from runner.plan import CHANGES, FAILURES, run_file
from runner.sandbox.faults import Faulty, planned
from runner.sandbox.serve import server
from runner.state import held
from tests.cli.quickstart import Quickstart, census, quickstart
from tests.sandbox.test_serve import free_port

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

    from runner.connectors.protocol import Connector

CHOSEN = ("currencies", "local-currency", "salespeople", "customers")
"""A part of the quickstart: what comes with each write is the same for the rest."""
PATIENCE = 12
"""Applies after which it should have come to its end."""
CLIENT = """
name: quickstart
systems:
  nav:
    connector: nav
    url: http://127.0.0.1:{port}/nav{nav}
    company: CRONUS International Ltd.
    auth: {{user: {user}, password: "${{NAV_PASSWORD}}"}}
  crm:
    connector: dataverse
    url: http://127.0.0.1:{port}/crm{crm}
    auth: {{token: "${{CRM_TOKEN}}"}}
mappings: [../mappings/nav-sales]
"""


async def _no_wait(seconds: float) -> None:
    del seconds
    await asyncio.sleep(0)


@contextmanager
def served(apps: dict[str, ASGIApp]) -> Iterator[int]:
    port = free_port()
    made = server(apps, port=port)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        while not made.started and thread.is_alive():
            thread.join(0.01)
        yield port
    finally:
        made.should_exit = True
        thread.join()


def _apps(made: Quickstart) -> dict[str, ASGIApp]:
    place = made.folder / ".sync-run" / "sandbox"
    return {
        "nav": sandbox.nav(place / "nav.sqlite", seed=made.folder / "data" / "nav"),
        "crm": sandbox.dataverse(place / "crm.sqlite", seed=made.folder / "data" / "crm"),
    }


def _connectors(port: int) -> dict[str, Connector]:
    here = f"http://127.0.0.1:{port}"
    return {
        "nav": Nav(
            "nav",
            f"{here}/nav{sandbox.NAV_PATH}",
            "CRONUS International Ltd.",
            Credentials(user=sandbox.USER, password=Secret(sandbox.PASSWORD)),
            sleep=_no_wait,
        ),
        "crm": Dataverse(
            "crm",
            f"{here}/crm{sandbox.DATAVERSE_PATH}",
            Credentials(token=Secret(sandbox.TOKEN)),
            sleep=_no_wait,
        ),
    }


async def applied(
    folder: Path, connectors: dict[str, Connector], chosen: Sequence[str] = ()
) -> tuple[int, int]:
    """Apply once, as the command does; tell how many changes were planned, how many errors."""
    project = load(folder, environment="")
    connectors = {RECORDS: Records(records_of(project)), **connectors}
    try:
        with held(project.state, "apply") as store, run_file() as file:
            session = run.Session(
                project=project,
                connectors=connectors,
                mappings=await run.compiled(project, connectors),
                store=store,
                tell=lambda _: None,
            )
            await run.settle_interrupted(session)
            names = tuple(chosen) or tuple(mapping.name for mapping in session.mappings)
            plan = await run.make_plan(session, file, Selection(mappings=names))
            changes, errors = plan.count(*CHANGES), plan.count(*FAILURES)
            await run.carry_out(session, plan)
            return changes, errors
    except ExceptionGroup as group:
        # As commands do: what befell tasks side by side is told as one of them.
        raise (cause(group) or group) from group
    finally:
        for connector in connectors.values():
            await connector.close()


def applied_until_done(made: Quickstart, port: int) -> Sequence[tuple[int, int]]:
    rounds: list[tuple[int, int]] = []
    for _ in range(PATIENCE):
        try:
            rounds.append(asyncio.run(applied(made.folder, _connectors(port), CHOSEN)))
        except RunnerError:
            # A system that was away for too long: the next run goes on where this one stopped.
            continue
        if not rounds[-1][0]:
            return rounds
    pytest.fail(f"it did not come to its end: {rounds}")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counter[Any]]:
    made = quickstart(tmp_path_factory.mktemp("undisturbed"))
    made.run("apply", "--yes", *CHOSEN)
    return census(made)


@pytest.mark.parametrize(
    "fail",
    [
        pytest.param("429:10%,reset-after:5%,503:5%", id="throttled and dropped"),
        pytest.param("504-after:5%,reset-amid:5%,reset-before:5%,truncated:5%", id="in doubt"),
        pytest.param(
            "500:5%,502:5%,page-instead:0.5%,429-bare:5%,429-date:5%",
            id="gateways",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 12))]
)
def test_it_converges_without_a_duplicate(
    tmp_path: Path, undisturbed: dict[str, Counter[Any]], fail: str, seed: int
) -> None:
    made = quickstart(tmp_path)
    faulty: dict[str, ASGIApp] = {
        name: Faulty(app, planned(fail), seed) for name, app in _apps(made).items()
    }
    with served(faulty) as port:
        applied_until_done(made, port)
    assert census(made) == undisturbed
    assert made.plan(*CHOSEN)["changes"] == 0


def test_by_the_commands_in_processes_of_their_own(
    tmp_path: Path, undisturbed: dict[str, Counter[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, port, journal = quickstart(tmp_path), free_port(), tmp_path / "asked.jsonl"
    client = Quickstart(tmp_path / "client")
    client.folder.mkdir()
    (client.folder / "sync.yaml").write_text(
        CLIENT.format(
            port=port, nav=sandbox.NAV_PATH, crm=sandbox.DATAVERSE_PATH, user=sandbox.USER
        )
    )
    monkeypatch.setenv("NAV_PASSWORD", sandbox.PASSWORD)
    monkeypatch.setenv("CRM_TOKEN", sandbox.TOKEN)
    words = ["--port", str(port), "--fail", "429:1,reset-after:2%", "--journal", str(journal)]
    command = [sys.executable, "-m", "runner", "-C", str(made.folder), "sandbox", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            for _ in range(PATIENCE):
                result = client.run("apply", "--yes", *CHOSEN)
                if "No changes." in result.stdout:
                    break
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=10)
    assert "No changes." in result.stdout, result.output
    assert b"Traceback" not in said, said
    assert census(made) == undisturbed
    noted = journal.read_bytes()
    *lines, gauges = map(json.loads, noted.splitlines())
    assert gauges["gauges"]["requests"] == len(lines)
    assert gauges["gauges"]["faults"]["429"] == 2
    assert gauges["gauges"]["faults"]["reset-after"] > 2
    shown = {line["headers"].get("authorization") for line in lines}
    assert shown == {"****"}
