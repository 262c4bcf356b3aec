"""Where text from outside comes in: a target takes any bytes, and raises for a fault of ours.

What a target lets pass in silence are the errors that its room promises; every other exception is a
traceback for somebody. What it understood it carries on with, as far as no network is needed.
"""

from __future__ import annotations

import asyncio
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import httpx

from runner import expression
from runner.compile import ACTION_DDL, compile_project
from runner.config import load
from runner.connectors.line.http import Reply
from runner.connectors.line.patience import Patience
from runner.connectors.microsoft import dataverse, nav_server
from runner.connectors.microsoft.nav import NavProfile
from runner.connectors.odata import v4
from runner.connectors.odata.batch import Form, unpacked
from runner.connectors.odata.columnar import Columnar
from runner.connectors.odata.columns import Column
from runner.connectors.odata.csdl import MetadataError, entity_sets, names
from runner.connectors.odata.edm import table
from runner.connectors.odata.rows import Decoder
from runner.connectors.problems import UnreadableError, fault_of
from runner.connectors.tables.cells import Rules
from runner.connectors.tables.connector import Tables
from runner.connectors.tables.folder import Folder
from runner.connectors.tables.formats import READERS
from runner.errors import RunnerError, SystemUnavailableError
from runner.plan.file import opened
from runner.wire import Page, Type, WireQuery, Write, WriteKind
from tests.apply.test_language import SYNC, systems

CUT = b"\n=====\n"
"""What parts the files of one input: ``sync.yaml``, then a mapping."""
METADATA = (
    b'<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    b"""<edmx:DataServices><Schema Namespace="N" Alias="S"
 xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EnumType Name="E" IsFlags="true"><Member Name="A" Value="1"/><Member Name="B"/></EnumType>
<ComplexType Name="C"><Property Name="City" Type="Edm.String" MaxLength="30"/></ComplexType>
<EntityType Name="B" Abstract="true"><Key><PropertyRef Name="Id"/></Key>
<Property Name="Id" Type="Edm.Guid" Nullable="false"/></EntityType>
<EntityType Name="T" BaseType="S.B"><Property Name="Amount" Type="Edm.Decimal" Scale="2"/>
<Property Name="Kind" Type="S.E"/><Property Name="Where" Type="S.C"/>
<NavigationProperty Name="Other" Type="S.T">
<ReferentialConstraint Property="Id" ReferencedProperty="Id"/>
</NavigationProperty><Annotation Term="Org.OData.Core.V1.Computed" Bool="true"/></EntityType>
<EntityContainer Name="X"><EntitySet Name="Ts" EntityType="S.T">
<NavigationPropertyBinding Path="Other" Target="Ts"/></EntitySet></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""
)
"""What a service says of itself: all that ``csdl`` can read, once."""
KINDS = {
    "name": Type.TEXT,
    "code": Type.CODE,
    "n": Type.INTEGER,
    "d": Type.DECIMAL,
    "flag": Type.BOOLEAN,
    "day": Type.DATE,
    "at": Type.INSTANT,
    "id": Type.GUID,
    "kind": Type.OPTION,
}
_ROWS: tuple[dict[str, Any], ...] = (
    dict.fromkeys(KINDS),
    {
        "name": "O'Brien", "code": "AB", "n": 5, "d": Decimal("1.50"), "flag": True,
        "day": date(2018, 1, 2), "at": datetime(2018, 1, 2, 3, 4, 5),  # noqa: DTZ001 - canonical
        "id": "15ed8ea0-b4e0-59ad-9b39-2656ddc24634", "kind": "Person",
    },
)  # fmt: skip
_COLUMNS = {n: Column(name=n, property=n, type=kind, select=n) for n, kind in KINDS.items()}
_SQL_TYPES = {
    Type.INTEGER: "BIGINT",
    Type.DECIMAL: "DECIMAL(28,10)",
    Type.BOOLEAN: "BOOLEAN",
    Type.DATE: "DATE",
    Type.INSTANT: "TIMESTAMP",
}


def yaml(data: bytes) -> None:
    """Load a project and compile it."""
    sync, _, mapping = data.partition(CUT)
    if not mapping:
        sync, mapping = SYNC.encode(), data
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mappings").mkdir()
        (folder / "sync.yaml").write_bytes(sync)
        (folder / "mappings" / "one.yaml").write_bytes(mapping)
        with suppress(RunnerError):
            project = load(folder)
            left, right = systems()
            types = {
                (system.name, entity): told
                for system in project.systems
                for fake in (left, right)
                for entity, told in fake.types.items()
            }
            able = {system.name: left.capabilities for system in project.systems}
            for compiled in compile_project(project, types, able):
                list(compiled.deciding())


def jmespath(data: bytes) -> None:
    """Read an expression; ask servers for it, run it as SQL and row by row."""
    try:
        with warnings.catch_warnings():
            # What it calls out of date it still understands.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            node = expression.parse(data.decode("utf-8", "replace"))
    except expression.ExpressionError:
        return
    expression.fields_of(node)
    for server in (nav_server, dataverse, v4):
        expression.to_odata(node, server.asking(_COLUMNS))
    for row in _ROWS:
        expression.evaluate(node, row, KINDS)
        expression.compute(node, row, KINDS)

    def column(name: str) -> tuple[str, Type]:
        if name not in KINDS:
            raise expression.ExpressionError(f"there is no field {name}")
        return f'"{name}"', KINDS[name]

    if expression.on_rows_alone(node):
        return
    with duckdb.connect() as connection:
        _fill(connection)
        with suppress(expression.ExpressionError):
            sql = expression.to_sql(node, column)
            connection.execute(f"SELECT {sql} FROM record").fetchall()
        with suppress(expression.ExpressionError):
            sql, _ = expression.to_value(node, column)
            connection.execute(f"SELECT {sql} FROM record").fetchall()


def _fill(connection: duckdb.DuckDBPyConnection) -> None:
    told = ", ".join(f'"{name}" {_SQL_TYPES.get(kind, "VARCHAR")}' for name, kind in KINDS.items())
    connection.execute(f"CREATE TABLE record ({told})")
    places = ", ".join("?" * len(KINDS))
    connection.executemany(f"INSERT INTO record VALUES ({places})", [[*r.values()] for r in _ROWS])


def csdl(data: bytes) -> None:
    """Read ``$metadata``."""
    with suppress(MetadataError, UnreadableError):
        known = names(data)
        for found in entity_sets(data, known[:20]):
            table(found, NavProfile(company="C"), lambda name: f"http://server/{name}")


@cache
def _decoder() -> Decoder:
    columns = [*_COLUMNS.values()]
    within = Column(name="a/b", property="a/b", type=Type.DECIMAL, select="a/b")
    return Decoder(columns[-2], [*columns, within])


@cache
def _both_ways() -> tuple[Columnar, Decoder]:
    columns = [Column(name=n, property=n, type=kind, select=n) for n, kind in KINDS.items()]
    return Columnar(columns[-2], columns), Decoder(columns[-2], columns)


def odata(data: bytes) -> None:
    """Read an answer as a page, as one record, as changes, and as an error."""
    for read in (_decoder().page, _decoder().one, _decoder().changes):
        with suppress(UnreadableError):
            read(data)
    quickly, strictly = _both_ways()
    if found := quickly.page(data):
        with suppress(UnreadableError):
            assert _told(found[0]) == _told(strictly.page(data)[0])
    assert len(fault_of(500, data).words) < 2_000


def _told(page: Page) -> list[object]:
    numbers = [None if d is None else Decimal(str(d)) for d in page.columns["d"]]
    others = [list(values) for name, values in page.columns.items() if name != "d"]
    return [list(page.keys), list(page.etags), numbers, others]


def batch(data: bytes) -> None:
    """Read the answer to a batch: the first line is its content type."""
    kind, _, content = data.partition(b"\n")
    headers = httpx.Headers([(b"content-type", kind.strip())])
    for form in Form:
        with suppress(UnreadableError):
            replies = unpacked(form, Reply(200, headers, content), 3)
            assert len(replies) == 3
            for reply in replies:
                odata(reply.content if reply else b"")


def answers(data: bytes) -> None:
    """Read and write with a service that answers all with this: status, headers, blank line, body.

    Its ``$metadata`` is in order; what is asked again is answered in the same way.
    """
    head, _, body = data.partition(b"\n\n")
    status, *lines = head.split(b"\n")
    code = int(status) if status.isdigit() and 200 <= int(status[:4]) < 600 else 200
    told = [(name.strip(), value.strip()) for name, _, value in (x.partition(b":") for x in lines)]
    headers = [pair for pair in told if pair[0] and pair[0].lower() != b"content-encoding"]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("$metadata"):
            return httpx.Response(200, content=METADATA)
        return httpx.Response(code, headers=headers, content=body)

    for form in (None, *Form):
        asyncio.run(_spoken_with(httpx.MockTransport(answer), form))


async def _spoken_with(server: httpx.MockTransport, form: Form | None) -> None:
    service = v4.OData(
        "server", "http://server", None, habits=v4.Habits(batch=form),
        transport_factory=lambda: server, patience=Patience(total=60), sleep=_at_once,
    )  # fmt: skip
    try:
        (found,) = await service.describe(("Ts",))
        fields = tuple(found.fields)
        with suppress(SystemUnavailableError):
            async for page in service.pages(WireQuery(entity="Ts", fields=fields)):
                assert len(page.keys) == len(page.etags)
        with suppress(SystemUnavailableError):
            await service.count("Ts")
        values = {"Amount": Decimal("1.50")}
        create = Write(kind=WriteKind.CREATE, entity="Ts", key=None, values=values)
        key = "15ed8ea0-b4e0-59ad-9b39-2656ddc24634"
        update = Write(kind=WriteKind.UPDATE, entity="Ts", key=key, etag='W/"1"', values=values)
        writes = [replace(write, returning=fields) for write in (create, update)]
        with suppress(SystemUnavailableError):
            assert len(await service.write(writes)) == len(writes)
    finally:
        await service.close()


async def _at_once(_: float) -> None:
    """Wait for nothing."""


def files(data: bytes) -> None:
    """Read a file of a folder, all of its rows: the first line is how its name ends."""
    ending, _, content = data.partition(b"\n")
    suffix = next((known for known in READERS if known.encode() == ending.strip()), ".csv")
    with tempfile.TemporaryDirectory() as name, suppress(SystemUnavailableError):
        (Path(name) / f"rows{suffix}").write_bytes(content)
        asyncio.run(_rows_of(Tables("files", Folder("files", Path(name), Rules()))))


async def _rows_of(tables: Tables) -> None:
    (found,) = await tables.describe(("rows",))
    query = WireQuery(entity="rows", fields=tuple(found.fields))
    async for page in tables.pages(query):
        assert len(page.keys) == len(page.etags)


def plan(data: bytes) -> None:
    """Open a saved plan: any file, or one with any header."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "saved.plan"
        if data.startswith(b"{"):
            with duckdb.connect(path) as connection:
                connection.execute(ACTION_DDL)
                connection.execute("CREATE TABLE header (document VARCHAR)")
                text = data.decode("utf-8", "replace").replace("\0", "")
                connection.execute("INSERT INTO header VALUES (?)", [text])
        else:
            path.write_bytes(data)
        with suppress(RunnerError):
            opened(path).connection.close()


Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {
    target.__name__: target for target in (yaml, jmespath, csdl, odata, batch, answers, files, plan)
}
