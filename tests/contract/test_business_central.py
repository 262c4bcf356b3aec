"""The Business Central sandbox keeps the contract; so does an environment that is named."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runner import sandbox
from runner.sandbox.business_central.manners import BusinessCentralManners
from tests.contract.business_central_cases import CASES
from tests.contract.control import Controlled
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
            "SYNC_RUN_CONTRACT_BC" not in os.environ,
            reason="the environment names no Business Central",
        ),
    ),
]


def double(folder: Path) -> Controlled:
    def made(manners: dict[str, Any], now: Callable[[], datetime]) -> ASGIApp:
        told = msgspec.convert(manners, BusinessCentralManners)
        return sandbox.business_central(folder / "bc.sqlite", now=now, manners=told)

    return Controlled(made)


@pytest.fixture(scope="module", params=TRANSPORTS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    known = {"headers": {"Authorization": f"Bearer {sandbox.TOKEN}"}}
    with ExitStack() as stack:
        if request.param == "real":
            found = real("BC")
            assert found
        else:
            app = double(tmp_path_factory.mktemp("bc"))
            if request.param == "loopback":
                path = sandbox.BUSINESS_CENTRAL_PATH
                found = stack.enter_context(on_loopback(app, path, **known))
            else:
                found = in_process(app, sandbox.BUSINESS_CENTRAL_PATH, **known)
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(case: Case, server: Server, request: pytest.FixtureRequest) -> None:
    if case.sandbox and "real" in request.node.name:
        pytest.skip("only the double can be told to")
    case.holds(server)


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
