"""Tables as tests meet them: a DuckDB file and files of each format, with the same seven rows."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet

from runner.connectors.tables.cells import Rules
from runner.connectors.tables.connector import Tables
from runner.connectors.tables.folder import Folder
from runner.connectors.tables.storage import Database
from runner.wire import Type, Value, Write, WriteKind
from tests.connectors.systems import Line, System, Time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runner.connectors.protocol import Connector

KEYS = tuple(f"00{n}" for n in range(1, 8))
NAMES = ("id", "name", "amount", "phone", "blocked", "rank", "updated_at")
TYPES: Mapping[str, Type] = {
    "phone": Type.TEXT,
    "amount": Type.DECIMAL,
    "blocked": Type.BOOLEAN,
    "rank": Type.INTEGER,
    "updated_at": Type.INSTANT,
}
RULES = Rules(types={"customers": TYPES}, modified="updated_at")
STAMPED = Rules(modified="updated_at")
SHOP = """
CREATE TABLE customers (
    id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, amount DECIMAL(12, 2), phone VARCHAR,
    blocked BOOLEAN, rank SMALLINT, updated_at TIMESTAMP, CHECK (length("name") < 300));
INSERT INTO customers (id, name, amount) SELECT '00' || n, 'Customer ' || n, n * 100 + 0.5
FROM range(7, 0, -1) t(n);
"""


def rows() -> list[dict[str, Any]]:
    blank = dict.fromkeys(NAMES)
    return [
        {**blank, "id": f"00{n}", "name": f"Customer {n}", "amount": f"{n}00.5"}
        for n in range(7, 0, -1)
    ]


def database(path: Path, script: str = SHOP) -> Path:
    with duckdb.connect(path) as connection:
        connection.execute(script)
    return path


def csv_file(folder: Path) -> None:
    lines = [",".join("" if v is None else str(v) for v in row.values()) for row in rows()]
    (folder / "customers.csv").write_text("\n".join([",".join(NAMES), *lines, ""]))


def json_file(folder: Path) -> None:
    told = [{**row, "amount": float(row["amount"])} for row in rows()]
    (folder / "customers.json").write_text(json.dumps(told, indent=2))


def json_lines(folder: Path) -> None:
    told = [{k: v for k, v in row.items() if v is not None} for row in rows()]
    (folder / "customers.json").write_text("".join(f"{json.dumps(row)}\n" for row in told))


def parquet_file(folder: Path) -> None:
    shape = pa.schema(
        {
            "id": pa.string(),
            "name": pa.string(),
            "amount": pa.decimal128(12, 2),
            "phone": pa.string(),
            "blocked": pa.bool_(),
            "rank": pa.int16(),
            "updated_at": pa.timestamp("us", "UTC"),
        }
    )
    told = [{**row, "amount": Decimal(row["amount"])} for row in rows()]
    pyarrow.parquet.write_table(
        pa.Table.from_pylist(told, schema=shape), folder / "customers.parquet", compression="zstd"
    )


def shop(folder: Path, rules: Rules = STAMPED, **options: Any) -> Tables:
    path = folder / "shop.duckdb"
    if not path.exists():
        database(path)
    return Tables("shop", Database("shop", path, rules), page_size=2, **options)


def partner(
    folder: Path, made: Callable[[Path], None], rules: Rules = RULES, **options: Any
) -> Tables:
    place = folder / "partner"
    place.mkdir(exist_ok=True)
    made(place)
    return Tables("partner", Folder("partner", place, rules), page_size=2, **options)


def _offline(made: Callable[[Path], Connector], folder: Path) -> tuple[Connector, Line, Time]:
    return made(folder), Line(httpx.MockTransport(lambda _: httpx.Response(500))), Time()


def _customer(key: str | None = None, **values: Value) -> Write:
    return Write(
        kind=WriteKind.CREATE,
        entity="customers",
        key=key,
        values={"name": "New", **values},
        returning=("id", "name", *values),
    )


def _system(
    name: str, made: Callable[[Path], Connector], text: object = None, too_long: str = ""
) -> System:
    return System(
        name=name,
        entity="customers",
        key="id",
        keys=KEYS,
        text="name",
        amount="amount",
        other="O'B/1 #%&+Ä",
        too_long=too_long,
        blanks={
            "phone": ("1", text),
            "amount": (Decimal("5.25"), None),
            "blocked": (True, None),
            "rank": (3, None),
        },
        opened=partial(_offline, made),
        fresh=_customer,
    )


TABLES = (
    _system("duckdb", shop, too_long="Constraint Error"),
    _system("csv", partial(partner, made=csv_file), text=""),
    _system("json", partial(partner, made=json_file)),
    _system("json lines", partial(partner, made=json_lines)),
    _system("parquet", partial(partner, made=parquet_file)),
)
