"""Several runners started at once on one state: one works, the others say who."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

import pytest

from runner import sandbox
from runner.errors import ExitCode
from tests.crash.child import begun
from tests.faults.test_converge import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

PATIENCE = 120
SYNC = """systems:
  nav:
    connector: nav
    url: http://127.0.0.1:{port}/nav{path}
    company: CRONUS International Ltd.
    auth: {{user: {user}, password: "${{NAV_PASSWORD}}"}}
  shop: {{connector: duckdb, url: shop.duckdb, seed: shop.sql}}
"""
MAPPING = """mapping: customers
direction: nav -> shop
nav: {entity: Customer, key: "No"}
shop: {entity: people, key: id}
fields:
  - {nav: Name, shop: name}
"""


class Gate:
    """A server that lets nobody through until it is opened."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.came, self.opened = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.set()
        await asyncio.to_thread(self.opened.wait)
        await self._app(scope, receive, send)


@contextmanager
def gated(folder: Path) -> Iterator[Gate]:
    """A project whose runs hold their state until the gate is opened."""
    (folder / "nav").mkdir()
    (folder / "nav" / "Customer.csv").write_text("No,Name\n10,Alpha\n", encoding="utf-8")
    gate = Gate(sandbox.nav(folder / "nav.sqlite", seed=folder / "nav"))
    with served({"nav": gate}) as port:
        text = SYNC.format(port=port, path=sandbox.NAV_PATH, user=sandbox.USER)
        (folder / "sync.yaml").write_text(text, encoding="utf-8")
        (folder / "mappings").mkdir()
        (folder / "mappings" / "customers.yaml").write_text(MAPPING, encoding="utf-8")
        table = "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR);"
        (folder / "shop.sql").write_text(table, encoding="utf-8")
        try:
            yield gate
        finally:
            gate.opened.set()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Gate]]:
    monkeypatch.setenv("NAV_PASSWORD", sandbox.PASSWORD)
    with gated(tmp_path) as gate:
        yield tmp_path, gate


def started(folder: Path, name: str) -> BaseProcess:
    return begun(["-C", str(folder), "apply", "--yes"], folder / f"{name}.said")


def said(folder: Path, name: str) -> str:
    return (folder / f"{name}.said").read_text(encoding="utf-8")


@pytest.mark.parametrize("count", [2, 10])
def test_one_works_and_the_others_say_who(project: tuple[Path, Gate], count: int) -> None:
    folder, gate = project
    runners = {str(n): started(folder, str(n)) for n in range(count)}
    # All but one come to their end while that one is held up by its system.
    waiting = dict(runners)
    while len(waiting) > 1:
        ended = wait([runner.sentinel for runner in waiting.values()], PATIENCE)
        assert ended, f"nobody ended: {[said(folder, n) for n in waiting]}"
        waiting = {n: p for n, p in waiting.items() if p.exitcode is None}
    ((name, holder),) = waiting.items()
    assert gate.came.wait(PATIENCE)
    for other, runner in runners.items():
        if other != name:
            assert runner.exitcode == ExitCode.UNUSABLE, said(folder, other)
            told = said(folder, other)
            assert f"is held by process {holder.pid} (sync-run apply, since " in told, told
            assert "one runner at a time" in told
    gate.opened.set()
    holder.join(PATIENCE)
    assert holder.exitcode == ExitCode.DONE, said(folder, name)
    assert "1 to create" in said(folder, name)


def test_once_the_holder_is_killed_the_next_one_works(project: tuple[Path, Gate]) -> None:
    folder, gate = project
    holder = started(folder, "holder")
    assert gate.came.wait(PATIENCE), said(folder, "holder")
    assert holder.pid is not None
    refused = started(folder, "refused")
    refused.join(PATIENCE)
    assert refused.exitcode == ExitCode.UNUSABLE
    assert f"is held by process {holder.pid}" in said(folder, "refused")
    holder.kill()
    holder.join(PATIENCE)
    assert holder.exitcode == -signal.SIGKILL
    gate.opened.set()
    following = started(folder, "next")
    following.join(PATIENCE)
    assert following.exitcode == ExitCode.DONE, said(folder, "next")
    assert "1 to create" in said(folder, "next")
