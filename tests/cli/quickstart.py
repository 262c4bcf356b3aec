"""A quickstart of one's own: a copy of the project, its commands, its servers by bare HTTP."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from runner import sandbox
from runner.cli import app

REPOSITORY = Path(__file__).parents[2]
COMPANY = "/Company('CRONUS%20International%20Ltd.')"
SETS = ("/accounts", "/contacts", "/transactioncurrencies")
PAGES = ("/Customer", "/Contact", "/Salesperson")


@dataclass(frozen=True, slots=True)
class Quickstart:
    """The project in a folder of the test's own."""

    folder: Path

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(self.folder), *words])

    def plan(self, *words: str) -> dict[str, Any]:
        result = self.run("plan", "--json", *words)
        assert result.exit_code == 0, result.output
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    def actions(self, mapping: str, *kinds: str) -> list[dict[str, Any]]:
        (found,) = self.plan(mapping)["mappings"]
        return [a for a in found["actions"] if not kinds or a["action"] in kinds]

    def crm(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        database = self.folder / ".sync-run" / "sandbox" / "crm.sqlite"
        served = sandbox.dataverse(database, seed=self.folder / "data" / "crm")
        headers["Authorization"] = f"Bearer {sandbox.TOKEN}"
        return _asked(served, sandbox.DATAVERSE_PATH, method, path, body, headers)

    def nav(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        database = self.folder / ".sync-run" / "sandbox" / "nav.sqlite"
        served = sandbox.nav(database, seed=self.folder / "data" / "nav")
        secret = httpx.BasicAuth(sandbox.USER, sandbox.PASSWORD)
        return _asked(served, sandbox.NAV_PATH + COMPANY, method, path, body, headers, secret)

    def account(self, number: str) -> dict[str, Any]:
        found = self.crm("GET", f"/accounts?$filter=accountnumber eq '{number}'")["value"]
        (account,) = found
        told: dict[str, Any] = account
        return told


def quickstart(folder: Path) -> Quickstart:
    """Copy the quickstart and the standard mappings, laid out as in the repository."""
    place = folder / "examples" / "quickstart"
    ignored = shutil.ignore_patterns(".sync-run")
    shutil.copytree(REPOSITORY / "examples" / "quickstart", place, ignore=ignored)
    shutil.copytree(REPOSITORY / "mappings", folder / "mappings")
    return Quickstart(place)


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


def _asked(
    served: Any,
    below: str,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    secret: httpx.Auth | None = None,
) -> Any:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=served, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, auth=secret) as client:
            return await client.request(
                method, f"http://sandbox{below}{path}", json=body, headers=headers
            )

    response = asyncio.run(ask())
    assert response.is_success, response.text
    return response.json() if response.content else None
