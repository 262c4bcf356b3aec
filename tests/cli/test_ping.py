"""ping: who one is, what time it is there, and what can be reached."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import sys
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.connectors.line.patience import Clock
from runner.errors import ExitCode
from tests.cli.quickstart import quickstart
from tests.connectors import systems

WAREHOUSE = Path(__file__).parents[2] / "examples" / "warehouse"


def test_ping_tells_who_one_is_and_what_is_there(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    result = made.run("ping")
    assert result.exit_code == ExitCode.DONE
    assert "you are SANDBOX; the clocks agree" in result.stdout
    assert "you are # sync-run (" in result.stdout
    assert "  Customer: 122 records, " in result.stdout
    assert not (made.folder / ".sync-run" / "state.duckdb").exists()


def test_ping_goes_on_where_one_system_cannot_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    shutil.copytree(WAREHOUSE, folder, ignore=shutil.ignore_patterns(".sync-run"))
    (folder / ".sync-run").mkdir()
    (folder / ".sync-run" / "shop.duckdb").write_bytes(b"no database " * 100)
    result = CliRunner().invoke(app, ["-C", str(folder), "ping"])
    assert result.exit_code == ExitCode.UNUSABLE
    assert "error: shop: " in result.stderr
    assert "  articles: 3 records" in result.stdout


class Skewed(httpx.AsyncBaseTransport):
    """Puts a time on every answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, seconds: float) -> None:
        self._inner, self._seconds = inner, seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        there = systems.Time().wall() + timedelta(seconds=self._seconds)
        response.headers["Date"] = format_datetime(there, usegmt=True)
        return response


@pytest.mark.parametrize("seconds", [-600, 0, 90])
@pytest.mark.parametrize("made", [systems.nav, systems.crm])
def test_the_clocks_are_compared(tmp_path: Path, made: object, seconds: int) -> None:
    assert callable(made)
    connector, _, _ = made(tmp_path, lambda inner: Skewed(inner, seconds))
    connector._client.clock = Clock(wall=systems.Time().wall)
    greeting = asyncio.run(connector.greet())
    assert greeting.ahead == pytest.approx(seconds, abs=1)


def test_fields_are_listed_whether_mapped_or_not(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    told = made.run("ping", "--fields", "Customer", "--fields", "accounts").stdout
    lines = [line.split() for line in told.splitlines() if line.startswith("    ")]
    assert ["No", "code", "of", "20", "key,", "once"] in lines
    assert ["Balance_LCY", "decimal", "read", "only"] in lines
    assert ["primarycontactid", "reference", "to", "contacts"] in lines
    wrong = made.run("ping", "--fields", "Custmer")
    assert "no mapping names the entity 'Custmer'" in wrong.stderr
    assert "did you mean 'Customer'?" in wrong.stderr


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    made = quickstart(tmp_path)
    typed = f"{shlex.quote(sys.executable)} -m runner -C {shlex.quote(str(made.folder))} ping"
    told = subprocess.run(
        ["bash", "-c", f"{typed} | true"],  # noqa: S607 - a shell's pipe
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stderr == ""
