"""The sandboxes keep the contract; so do the servers that the environment names (``server``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runner import sandbox
from runner.sandbox.business_central.manners import BusinessCentralManners
from runner.sandbox.nav.manners import NavManners
from tests.contract import business_central_cases, dataverse_cases, nav_cases
from tests.contract.control import Controlled
from tests.contract.server import Case, Server, in_process, on_loopback, real

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from starlette.types import ASGIApp

IN_PROCESS, LOOPBACK, REAL = TRANSPORTS = ("in process", "loopback", "real")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one server is held to, and the double that is held to it first.

    ``seed`` are the files that the double begins with, ``known`` is how clients are known to it.
    """

    name: str
    cases: tuple[Case, ...]
    app: Callable[..., ASGIApp]
    manners: type
    path: str
    known: Mapping[str, Any]
    seed: Mapping[str, str] = field(default_factory=dict)

    def double(self, folder: Path) -> Controlled:
        """Make the double, with a handle."""
        for name, text in self.seed.items():
            (folder / name).write_text(text, encoding="utf-8")

        def made(manners: dict[str, Any], now: Callable[[], datetime]) -> ASGIApp:
            told: Any = msgspec.convert(manners, self.manners)
            return self.app(folder / "double.sqlite", seed=folder, now=now, manners=told)

        return Controlled(made)


_BEARER = {"headers": {"Authorization": f"Bearer {sandbox.TOKEN}"}}
CONTRACTS = (
    Contract(
        name="DATAVERSE",
        cases=dataverse_cases.CASES,
        app=sandbox.dataverse,
        manners=sandbox.DataverseManners,
        path=sandbox.DATAVERSE_PATH,
        known=_BEARER,
        # An organisation whose money is the euro.
        seed={
            "transactioncurrencies.csv": "transactioncurrencyid,isocurrencycode,currencyname,"
            "currencysymbol,currencyprecision,exchangerate\n"
            "00000000-0000-4000-8000-0000000000e0,EUR,Euro,€,2,1\n"
        },
    ),
    Contract(
        name="NAV",
        cases=nav_cases.CASES,
        app=sandbox.nav,
        manners=NavManners,
        path=sandbox.NAV_PATH,
        known={"auth": (sandbox.USER, sandbox.PASSWORD)},
        seed={"Customer.csv": "No,Name,Balance_LCY\nOWING,Owing Ltd.,12.50\n"},
    ),
    Contract(
        name="BC",
        cases=business_central_cases.CASES,
        app=sandbox.business_central,
        manners=BusinessCentralManners,
        path=sandbox.BUSINESS_CENTRAL_PATH,
        known=_BEARER,
    ),
)
Reached = Callable[[Contract, str], Server]


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    """Reach a server, each the same one for all its cases."""
    servers: dict[tuple[str, str], Server] = {}
    with ExitStack() as stack:

        def reach(contract: Contract, transport: str) -> Server:
            if (contract.name, transport) not in servers:
                servers[contract.name, transport] = connected(contract, transport)
            return servers[contract.name, transport]

        def connected(contract: Contract, transport: str) -> Server:
            if transport == REAL:
                found = real(contract.name)
                assert found
                return found
            app = contract.double(tmp_path_factory.mktemp(contract.name))
            if transport == LOOPBACK:
                return stack.enter_context(on_loopback(app, contract.path, **contract.known))
            return in_process(app, contract.path, **contract.known)

        yield reach


def _every() -> Iterator[Any]:
    for contract in CONTRACTS:
        for transport in TRANSPORTS:
            absent = f"SYNC_RUN_CONTRACT_{contract.name}" not in os.environ
            for case in contract.cases:
                reason = ""
                if transport == REAL and absent:
                    reason = f"the environment names no {contract.name}"
                elif transport == REAL and case.sandbox:
                    reason = "only the double can be told to"
                yield pytest.param(
                    contract,
                    transport,
                    case,
                    id=f"{contract.name}-{transport}-{case.name}",
                    marks=pytest.mark.skipif(bool(reason), reason=reason),
                )


@pytest.mark.parametrize(("contract", "transport", "case"), list(_every()))
def test_contract(contract: Contract, transport: str, case: Case, reached: Reached) -> None:
    case.holds(reached(contract, transport))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_every_case_has_a_name_of_its_own(contract: Contract) -> None:
    names = [case.name for case in contract.cases]
    assert len(names) == len(set(names))
