"""The sandboxes over a real socket, as `sync-run sandbox` serves them and a tenant is reached."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from runner import sandbox
from runner.connectors.line.http import Credentials
from runner.connectors.line.pace import Pace
from runner.connectors.line.secret import Secret
from runner.connectors.microsoft.dataverse import Dataverse
from runner.sandbox.serve import server
from runner.wire import WireQuery

if TYPE_CHECKING:
    from pathlib import Path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_a_connector_pages_over_loopback(tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.mkdir()
    rows = "".join(f"Account {n}\n" for n in range(7))
    (seed / "accounts.csv").write_text(f"name\n{rows}")
    port = free_port()
    served = server({"crm": sandbox.dataverse(tmp_path / "c.sqlite", seed=seed)}, port=port)

    async def walk() -> list[str | int | bool | None]:
        running = asyncio.create_task(served.serve())
        # Uvicorn tells it by this flag alone; where it cannot start, it ends.
        while not served.started and not running.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert served.started
        url = f"http://127.0.0.1:{port}/crm{sandbox.DATAVERSE_PATH}"
        connector = Dataverse(
            "crm",
            url,
            Credentials(token=Secret(sandbox.TOKEN)),
            pace=Pace(concurrency=8, page_size=3),
        )
        try:
            query = WireQuery(entity="accounts", fields=("name",))
            return [n async for page in connector.pages(query) for n in page.columns["name"]]
        finally:
            await connector.close()
            served.should_exit = True
            await running

    assert sorted(map(str, asyncio.run(walk()))) == [f"Account {n}" for n in range(7)]
