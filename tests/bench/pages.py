"""What reading costs: pages of an OData service over loopback into DuckDB, and the memory for it.

    python -m tests.bench.pages [--sizes 100000 1000000] [--memory 256MB] [--json]

The comparison is the bare decoding of the same bytes (``orjson.loads``, into dictionaries that are
thrown away), in seconds of CPU of the reading process alone. `columns` is our decoder (typed,
checked, by column); `into DuckDB` goes on to the table of raw rows, `snapshot` to that of canonical
ones; `over HTTP` begins at the socket and ends with raw rows. The server is a process of its own;
20 fields (15 text, 5 decimal), 5,000 rows a page, opaque next links. ``--memory`` limits what
DuckDB holds in memory: it puts the rest on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import site
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import uvicorn

from runner.connectors.odata.columns import Column
from runner.connectors.odata.rows import Decoder
from runner.connectors.odata.v4 import Habits, OData
from runner.events import RowsRead
from runner.extract import canonical, pages
from runner.model import Side
from runner.plan import run_file
from runner.wire import Page, Type, WireQuery
from tests.bench import installed, memory, plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import duckdb
    from starlette.types import ASGIApp, Receive, Scope, Send

TEXTS, DECIMALS, PAGE = 15, 5, 5_000
NAMES = [f"t{n}" for n in range(TEXTS)] + [f"d{n}" for n in range(DECIMALS)]
_KINDS = {name: Type.TEXT if name.startswith("t") else Type.DECIMAL for name in NAMES}
_READ = {"id": Type.TEXT, **_KINDS}
_PROPERTIES = "".join(
    f'<Property Name="{name}" Type="Edm.{"String" if kind is Type.TEXT else "Decimal"}"/>'
    for name, kind in _KINDS.items()
)
_CSDL = (
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    '<edmx:DataServices><Schema Namespace="B" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    '<EntityType Name="Row"><Key><PropertyRef Name="id"/></Key>'
    f'<Property Name="id" Type="Edm.String" Nullable="false"/>{_PROPERTIES}</EntityType>'
    '<EntityContainer Name="C"><EntitySet Name="rows" EntityType="B.Row"/></EntityContainer>'
    "</Schema></edmx:DataServices></edmx:Edmx>"
)


def page(start: int, size: int, root: str = "") -> bytes:
    """Write one page as a server would."""
    end = min(start + PAGE, size)
    rows = ",".join(
        f'{{"@odata.etag":"W/\\"{i}\\"","id":"K{i:09}",'
        + ",".join(f'"t{k}":"{k} text {i * 31 % 99991}"' for k in range(TEXTS))
        + ","
        + ",".join(f'"d{k}":{i * 17 % 100000}.{k}5' for k in range(DECIMALS))
        + "}"
        for i in range(start, end)
    )
    link = f',"@odata.nextLink":"{root}/rows?$skiptoken={end}"' if end < size else ""
    return f'{{"@odata.context":"$metadata#rows","value":[{rows}]{link}}}'.encode()


def service(size: int, root: str) -> ASGIApp:
    """Serve so many rows."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["type"] != "http":
            return
        kind, content = b"application/xml", _CSDL.encode()
        if not scope["path"].endswith("/$metadata"):
            asked = parse_qs(scope["query_string"].decode()).get("$skiptoken", ["0"])
            kind, content = b"application/json", page(int(asked[0]), size, root)
        headers = [(b"content-type", kind), (b"odata-version", b"4.0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


def _serve(size: int, port: int) -> None:
    app = service(size, f"http://127.0.0.1:{port}")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")


def decode(size: int, url: str) -> int:
    """Decode what would come, and nothing else."""
    del url
    site.addsitedir(str(installed.packages()))
    import orjson  # type: ignore[import-not-found]  # noqa: PLC0415 - only here

    return _decoding(size, lambda content: len(orjson.loads(content)["value"]))


def columns(size: int, url: str) -> int:
    """Decode it as the connector does."""
    del url
    decoder = _decoder()
    return _decoding(size, lambda content: len(decoder.page(content)[0].keys))


def _decoder() -> Decoder:
    made = [Column(name=n, property=n, type=k, select=n) for n, k in _READ.items()]
    return Decoder(Column(name="id", property="id", type=Type.TEXT, select="id"), made)


def _decoding(size: int, act: Callable[[bytes], int]) -> int:
    found, spent = 0, 0.0
    for start in range(0, size, PAGE):
        content = page(start, size)
        begun = time.process_time()
        found += act(content)
        spent += time.process_time() - begun
    _told["seconds"] = spent
    return found


def into(size: int, url: str) -> int:
    """Take decoded pages into the table of raw rows."""
    del url
    with run_file() as run:
        return _taken_in(size, run.connection)


def snapshot(size: int, url: str) -> int:
    """Go on to the table of canonical rows."""
    del url
    mapping = plan.compiled(Path())
    with run_file() as run:
        found = _taken_in(size, run.connection)
        begun = time.process_time()
        canonical(run.connection, mapping, Side.LEFT, "raw", "snapshot")
        run.connection.execute("DROP TABLE raw")
        _told["seconds"] += time.process_time() - begun
        return found


def _taken_in(size: int, connection: duckdb.DuckDBPyConnection) -> int:
    made, decoder = 0.0, _decoder()

    async def coming() -> AsyncIterator[Page]:
        nonlocal made
        for start in range(0, size, PAGE):
            # Of this thread alone: another takes rows in meanwhile.
            begun = time.thread_time()
            content = page(start, size)
            made += time.thread_time() - begun
            yield decoder.page(content)[0]

    plan.limit(connection)
    begun = time.process_time()
    pages.empty(connection, "raw", _READ)
    found = asyncio.run(pages.gather(coming(), _READ, connection, "raw"))
    pages.keep_last(connection, "raw")
    _told["seconds"] = time.process_time() - begun - made
    return found


def read(size: int, url: str) -> int:
    """Read it over HTTP into a table."""
    del size

    async def reading() -> int:
        connector = OData("bench", url, None, habits=Habits())
        await connector.describe(["rows"])
        query = WireQuery(entity="rows", fields=tuple(_READ))
        told = RowsRead(mapping="bench", system="bench", entity="rows", rows=0)
        with run_file() as run:
            plan.limit(run.connection)
            rows = await pages.pull(
                connector, query, _READ, run.connection, "raw", lambda _: None, told
            )
        await connector.close()
        return rows

    begun = time.process_time()
    found = asyncio.run(reading())
    _told["seconds"] = time.process_time() - begun
    return found


_told: dict[str, float] = {}
_WORKS: dict[str, Callable[[int, str], int]] = {
    "over HTTP": read,
    "snapshot": snapshot,
    "into DuckDB": into,
    "columns": columns,
    "decode": decode,
}


def _measured(name: str, size: int, url: str, pipe: Any) -> None:
    begun = time.perf_counter()
    rows = _WORKS[name](size, url)
    wall = time.perf_counter() - begun
    peak = memory.peak_mb()
    told = {"work": name, "size": size, "rows": rows, "wall": wall, "peak_mb": peak}
    pipe.send({**told, "seconds": _told["seconds"]})


def measure(name: str, size: int) -> dict[str, Any]:
    """Measure one work in a fresh process, against a fresh server."""
    context = multiprocessing.get_context("spawn")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = context.Process(target=_serve, args=(size, port), daemon=True)
    server.start()
    while True:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                break
    receive, send = context.Pipe()
    url = f"http://127.0.0.1:{port}"
    process = context.Process(target=_measured, args=(name, size, url, send))
    process.start()
    send.close()
    told: dict[str, Any] = receive.recv()
    process.join()
    server.terminate()
    server.join()
    return told


def table(size: int) -> list[dict[str, Any]]:
    """Measure all works; ratios are to the bare decoding."""
    rows = [measure(name, size) for name in _WORKS]
    return [{**row, "ratio": row["seconds"] / rows[-1]["seconds"]} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--memory", default="")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ[plan.MEMORY] = options.memory
    rows = [row for size in options.sizes for row in table(size)]
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(f"{'work':<12}{'rows':>12}{'CPU s':>9}{'ratio':>8}{'wall s':>9}{'peak MB':>9}")
    for row in rows:
        print(
            f"{row['work']:<12}{row['rows']:>12,}{row['seconds']:>9.2f}{row['ratio']:>8.2f}"
            f"{row['wall']:>9.2f}{row['peak_mb']:>9.0f}"
        )


if __name__ == "__main__":
    main()
