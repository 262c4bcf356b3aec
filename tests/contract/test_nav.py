"""The NAV sandbox keeps the contract; so does a server that the environment names."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runner import sandbox
from runner.sandbox.nav.manners import NavManners
from tests.contract.control import Controlled
from tests.contract.nav_cases import CASES
from tests.contract.server import Case, Server, in_process, on_loopback, real

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from starlette.types import ASGIApp

TRANSPORTS = [
    "in process",
    "loopback",
    pytest.param(
        "real",
        marks=pytest.mark.skipif(
            "SYNC_RUN_CONTRACT_NAV" not in os.environ,
            reason="the environment names no server of NAV",
        ),
    ),
]


def double(folder: Path) -> Controlled:
    (folder / "Customer.csv").write_text("No,Name,Balance_LCY\nOWING,Owing Ltd.,12.50\n")

    def made(manners: dict[str, Any], now: Callable[[], datetime]) -> ASGIApp:
        told = msgspec.convert(manners, NavManners)
        return sandbox.nav(folder / "nav.sqlite", seed=folder, now=now, manners=told)

    return Controlled(made)


@pytest.fixture(scope="module", params=TRANSPORTS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    known = {"auth": (sandbox.USER, sandbox.PASSWORD)}
    with ExitStack() as stack:
        if request.param == "real":
            found = real("NAV")
            assert found
        else:
            app = double(tmp_path_factory.mktemp("nav"))
            if request.param == "loopback":
                path = sandbox.NAV_PATH
                found = stack.enter_context(on_loopback(app, path, **known))
            else:
                found = in_process(app, sandbox.NAV_PATH, **known)
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case: Case, server: Server, request: pytest.FixtureRequest) -> None:
    if case.sandbox and "real" in request.node.name:
        pytest.skip("only the double can be told to")
    case.holds(server)


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
