"""What tables do beyond the contract: types, files as they were, rules of a database, faults."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.connectors.problems import UnreadableError
from runner.connectors.tables import folder as folders
from runner.connectors.tables.cells import Rules
from runner.connectors.tables.connector import Tables
from runner.connectors.tables.folder import Folder
from runner.connectors.tables.formats import read_csv
from runner.connectors.tables.storage import Database
from runner.errors import SystemUnavailableError
from runner.wire import (
    Drifted,
    FieldType,
    Outcome,
    Page,
    Reference,
    Rejected,
    Type,
    Unknown,
    Value,
    WireQuery,
    Write,
    WriteKind,
    Written,
)
from tests.connectors.systems import one, rows, run
from tests.connectors.tables import database

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """
CREATE TABLE people (id INTEGER PRIMARY KEY);
INSERT INTO people VALUES (7);
CREATE SCHEMA other;
CREATE TABLE other.notes (id UUID PRIMARY KEY DEFAULT uuid(), title VARCHAR);
CREATE TABLE everything (
    id BIGINT PRIMARY KEY, small TINYINT, number DECIMAL(9, 3), measure DOUBLE,
    words VARCHAR NOT NULL, mood ENUM ('good', 'bad'), person INTEGER REFERENCES people (id),
    token UUID, day DATE,
    moment TIMESTAMP, zoned TIMESTAMPTZ, yes BOOLEAN, twice BIGINT GENERATED ALWAYS AS (id * 2),
    tags VARCHAR[], raw BLOB, clock TIME);
INSERT INTO everything (id, words) VALUES (1, 'x');
"""
VALUES: dict[str, Value] = {
    "small": -3,
    "number": Decimal("1.125"),
    "measure": Decimal("0.1"),
    "words": 'O\'Brien\n"quoted" 東京',
    "mood": "bad",
    "person": Reference("people", "7"),
    "token": "AAAAAAAA-0000-4000-8000-000000000001",
    "day": date(2026, 2, 28),
    "moment": datetime(2026, 2, 28, 23, 59, 59, 500000, tzinfo=UTC),
    "zoned": datetime(2026, 2, 28, 12, tzinfo=UTC),
    "yes": False,
}


NO_RULES = Rules()


def tables(path: Path, rules: Rules = NO_RULES, **options: Any) -> Tables:
    if path.suffix == ".duckdb":
        return Tables("shop", Database("shop", path, rules), **options)
    return Tables("depot", Folder("depot", path, rules), **options)


def update(key: str, entity: str = "orders", etag: str | None = None, **values: Value) -> Write:
    return Write(
        kind=WriteKind.UPDATE,
        entity=entity,
        key=key,
        etag=etag,
        values=values,
        returning=tuple(values),
    )


def create(key: str | None, entity: str = "orders", **values: Value) -> Write:
    kind = WriteKind.CREATE
    return Write(kind=kind, entity=entity, key=key, values=values, returning=tuple(values))


def sent(connector: Tables, *batch: Write) -> list[Outcome]:
    return list(run(connector.write(batch)))


def found(connector: Tables, entity: str, *fields: str, **where: Value) -> dict[str, Any]:
    query = WireQuery(entity=entity, fields=fields, where=tuple(where.items()))
    return run(rows(connector, query))


def types(connector: Tables, entity: str) -> dict[str, FieldType]:
    [told] = run(connector.describe([entity]))
    return dict(told.fields)


def refused(connector: Tables, entity: str = "orders") -> SystemUnavailableError:
    with pytest.raises(SystemUnavailableError) as caught:
        run(connector.describe([entity]))
    return caught.value


def test_a_database_says_what_its_columns_are(tmp_path: Path) -> None:
    shop = tables(database(tmp_path / "shop.duckdb", EVERYTHING))
    told = types(shop, "everything")
    assert {name: field.type for name, field in told.items()} == {
        "id": Type.INTEGER,
        "small": Type.INTEGER,
        "number": Type.DECIMAL,
        "measure": Type.DECIMAL,
        "words": Type.TEXT,
        "mood": Type.TEXT,
        "person": Type.REFERENCE,
        "token": Type.GUID,
        "day": Type.DATE,
        "moment": Type.INSTANT,
        "zoned": Type.INSTANT,
        "yes": Type.BOOLEAN,
        "twice": Type.INTEGER,
    }
    assert told["number"].scale == 3
    assert told["measure"].scale is None
    assert told["words"].max_length is None
    assert not told["twice"].on_create
    assert not told["twice"].on_update
    assert told["id"].on_create


def test_values_of_every_type_go_and_come(tmp_path: Path) -> None:
    shop = tables(database(tmp_path / "shop.duckdb", EVERYTHING))
    [outcome] = sent(shop, update("1", "everything", None, **VALUES))
    assert isinstance(outcome, Written), outcome
    assert outcome.page is not None
    expected = {
        "small": -3,
        "number": "1.1250000000",
        "measure": "0.1000000000",
        "words": 'O\'Brien\n"quoted" 東京',
        "mood": "bad",
        "person": "7",
        "token": "aaaaaaaa-0000-4000-8000-000000000001",
        "day": "2026-02-28",
        "moment": "2026-02-28T23:59:59.500000Z",
        "zoned": "2026-02-28T12:00:00.000000Z",
        "yes": False,
    }
    assert {name: column[0] for name, column in outcome.page.columns.items()} == expected
    for name, value in VALUES.items():
        assert list(found(shop, "everything", "id", **{name: value})) == ["1"], name
    [outcome] = sent(shop, update("1", "everything", None, **dict.fromkeys(VALUES)))
    blank = {**dict.fromkeys(VALUES), "words": ""}
    assert isinstance(outcome, Written), outcome
    assert outcome.page == Page(
        keys=["1"],
        etags=outcome.page.etags if outcome.page else [],
        columns={name: [value] for name, value in blank.items()},
    )


def test_the_table_chooses_keys_where_nobody_else_does(tmp_path: Path) -> None:
    shop = tables(database(tmp_path / "shop.duckdb", EVERYTHING))
    first, second = sent(shop, create(None, "people"), create(None, "people"))
    assert [first.key, second.key] == ["8", "9"]  # type: ignore[union-attr]
    [note] = sent(shop, create(None, "other.notes", title="x"))
    assert isinstance(note, Written), note
    assert list(found(shop, "other.notes", "title")) == [note.key]


def test_keys_may_be_chosen_where_all_can_be_guids(tmp_path: Path) -> None:
    script = "CREATE TABLE a (id UUID PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY);"
    shop = tables(database(tmp_path / "shop.duckdb", script))
    assert not shop.capabilities.client_keys
    run(shop.describe(["a"]))
    assert shop.capabilities.client_keys
    run(shop.describe(["b"]))
    assert not shop.capabilities.client_keys


def test_what_breaks_a_rule_is_refused_and_the_rest_is_done(tmp_path: Path) -> None:
    script = """CREATE TABLE orders (id INTEGER PRIMARY KEY, code VARCHAR UNIQUE,
        n SMALLINT NOT NULL CHECK (n > 0));
        INSERT INTO orders SELECT i, 'c' || i, 1 FROM range(1, 9) t(i);"""
    shop = tables(database(tmp_path / "shop.duckdb", script))
    batch = [update(str(n), n=n + 1) for n in range(1, 9)]
    batch[2] = update("3", n=None)
    batch[4] = update("5", n=-1)
    batch[5] = update("6", n=70000)
    batch.append(create("9", code="c1", n=1))
    batch.append(create("1", code="new", n=1))
    batch.append(create("x", code="new", n=1))
    outcomes = sent(shop, *batch)
    told = {n: o for n, o in enumerate(outcomes) if not isinstance(o, Written)}
    assert told == {
        2: Rejected(code="Constraint Error", message="NOT NULL constraint failed: orders.n"),
        4: Rejected(
            code="Constraint Error",
            message='CHECK constraint failed on table "orders" with expression CHECK((n > 0))',
        ),
        5: told[5],
        8: Rejected(
            code="Constraint Error",
            message='Duplicate key "code: c1" violates unique constraint.',
            duplicate=True,
        ),
        9: Rejected(code="", message="orders has a row '1' already", duplicate=True),
        10: told[10],
    }
    for n, words in ((5, "70000"), (10, "'x'")):
        refusal = told[n]
        assert isinstance(refusal, Rejected)
        assert words in refusal.message
        assert "LINE 1" not in refusal.message
    assert [row["n"] for row in found(shop, "orders", "n").values()] == [2, 3, 1, 5, 1, 1, 8, 9]


def test_a_table_whose_name_has_a_dot(tmp_path: Path) -> None:
    schema = 'CREATE TABLE "a.b" (id INTEGER PRIMARY KEY); CREATE SCHEMA "c.d"; '
    schema += 'CREATE TABLE "c.d".e (id INTEGER PRIMARY KEY)'
    shop = tables(database(tmp_path / "shop.duckdb", schema))
    assert list(run(shop.entities())) == ["a.b", "c.d.e"]
    for entity in run(shop.entities()):
        [done] = sent(shop, create("1", entity))
        assert isinstance(done, Written), entity
        assert list(found(shop, entity)) == ["1"]


@pytest.mark.parametrize("value", ["1234567.89", "0.1", "96922454.46", "1e15", "-0.07", "1e-9"])
@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT"])
def test_what_a_database_keeps_in_binary_is_read_as_it_reads_to_people(
    tmp_path: Path, kind: str, value: str
) -> None:
    schema = f"CREATE TABLE orders (id INTEGER PRIMARY KEY, n {kind});"
    shop = tables(database(tmp_path / "shop.duckdb", schema))
    sent(shop, create("1", n=Decimal(value)))
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        [(seen,)] = connection.execute("SELECT CAST(n AS VARCHAR) FROM orders").fetchall()
    assert Decimal(found(shop, "orders", "n")["1"]["n"]) == Decimal(seen)
    assert kind == "FLOAT" or Decimal(seen) == Decimal(value)


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_S"])
@pytest.mark.parametrize("value", ["infinity", "-infinity", "0044-03-15 (BC)", "12345-01-01"])
def test_a_moment_that_no_calendar_has_is_told(tmp_path: Path, kind: str, value: str) -> None:
    schema = f"""CREATE TABLE orders (id INTEGER PRIMARY KEY, seen {kind});
        INSERT INTO orders VALUES (1, '{value}')"""
    shop = tables(database(tmp_path / "shop.duckdb", schema))
    with pytest.raises(SystemUnavailableError, match="in seen is out of range"):
        found(shop, "orders", "seen")


@pytest.mark.parametrize("kind", ["DECIMAL(9, 2)", "DOUBLE", "FLOAT"])
def test_a_key_that_is_no_whole_number_is_not_rounded_to_another(tmp_path: Path, kind: str) -> None:
    schema = f"CREATE TABLE orders (id {kind} PRIMARY KEY, name VARCHAR);"
    shop = tables(
        database(tmp_path / "shop.duckdb", f"{schema} INSERT INTO orders VALUES (7, 'a')")
    )
    assert list(found(shop, "orders")) == ["7"]
    assert isinstance(sent(shop, update("7", name="b"))[0], Written)
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("INSERT INTO orders VALUES (1.5, 'c')")
    with pytest.raises(SystemUnavailableError, match=r"1\.50? in id is no whole number"):
        found(shop, "orders")


def test_a_column_that_hides_the_place_of_a_row_keeps_all_rows_from_being_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "orders.csv").write_text("RowId,id,name\n1,a,x\n1,b,y\n")
    depot = tables(tmp_path, Rules(keys={"orders": "id"}))
    assert list(found(depot, "orders", "name")) == ["a", "b"]
    [refused, _] = sent(depot, update("a", name="z"), create("c", name="new"))
    assert isinstance(refused, Rejected)
    assert "has a column 'rowid'" in refused.message
    assert (tmp_path / "orders.csv").read_text() == "RowId,id,name\n1,a,x\n1,b,y\n"


def test_ten_thousand_rows_come_in_pages(tmp_path: Path) -> None:
    script = """CREATE TABLE orders (id INTEGER PRIMARY KEY, name VARCHAR);
        INSERT INTO orders SELECT i, 'n' || i FROM range(10001, 0, -1) t(i)"""
    shop = tables(database(tmp_path / "shop.duckdb", script), page_size=3_000)

    async def pages() -> list[Page]:
        query = WireQuery(entity="orders", fields=("name",))
        return [page async for page in shop.pages(query)]

    came = run(pages())
    assert [len(page.keys) for page in came] == [3_000, 3_000, 3_000, 1_001]
    keys = [key for page in came for key in page.keys]
    assert keys == sorted(keys)
    assert len(set(keys)) == 10_001


def test_a_reader_that_stops_gives_the_file_back(tmp_path: Path) -> None:
    script = "CREATE TABLE orders AS SELECT i AS id FROM range(100) t(i)"
    path = database(tmp_path / "shop.duckdb", script)
    shop = tables(path, Rules(keys={"orders": "id"}), page_size=2)

    async def first() -> None:
        pages = shop.pages(WireQuery(entity="orders", fields=("id",)))
        await anext(pages)
        await pages.aclose()  # type: ignore[attr-defined]

    run(first())
    [outcome] = sent(shop, create("100"))
    assert isinstance(outcome, Written)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("id,name\n1,x\n1,y\n", "two rows of orders have the key '1'", id="twice"),
        pytest.param("id,name\n1,x\n,y\n", "a row of orders has no key", id="blank"),
    ],
)
def test_rows_that_cannot_be_told_apart(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "orders.csv").write_text(content)
    with pytest.raises(SystemUnavailableError, match=words):
        found(tables(tmp_path, page_size=1), "orders", "name")
    [outcome] = sent(tables(tmp_path), update("1", name="z"))
    assert isinstance(outcome, Rejected if "twice" in words or "two" in words else Written)


def test_csv_stays_as_it_was_but_for_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    before = (
        "\ufeffno;name;amount;note\r\n00123;Ä;1.50;\r\n"
        '"a;b";"say ""hi""";01;"two\nlines"\r\n00007; x ;;NULL\r\n'
    ).encode()
    path.write_bytes(before)
    path.chmod(0o640)
    depot = tables(tmp_path, Rules(types={"orders": {"amount": Type.DECIMAL}}))
    assert types(depot, "orders")["no"].type is Type.TEXT
    assert found(depot, "orders", "name", "amount", "note") == {
        "00007": {"name": " x ", "amount": None, "note": "NULL"},
        "00123": {"name": "Ä", "amount": "1.5000000000", "note": ""},
        "a;b": {"name": 'say "hi"', "amount": "1.0000000000", "note": "two\nlines"},
    }
    assert list(found(depot, "orders", "no", note=None)) == ["00123"]
    assert list(found(depot, "orders", "no", amount=Decimal(1))) == ["a;b"]
    sent(depot, update("00123", name='; "ö"'), create("00124", amount=Decimal("2.5")))
    after = before.replace("00123;Ä;".encode(), '00123;"; ""ö""";'.encode())
    assert path.read_bytes() == after + b"00124;;2.5;\r\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["orders.csv"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b'id,name,n\n1,{},5\n"2",b,"6"\n3,"x ""y""",7\n', id="quotes here and there"),
        pytest.param(b'id,name\n1,{}\n2,5" pipe\n3, "b"\n4,"a"b\n', id="quotes within cells"),
        pytest.param(b'"id","name"\n"1","{}"\n2,b\n', id="not all in quotes"),
        pytest.param(b"id,name\r\n1,{}\n2,b\r\n3,c\r", id="line ends of all kinds"),
        pytest.param(b"id,name\n1,{}\n\n\r\n2,b\n\n", id="empty lines"),
        pytest.param(b"id,name\n2,b\n1,{}", id="no end of the last line"),
        pytest.param(b'id;"a,b,c"\n2;"x\r\n\ny"\n1;{}\n', id="other delimiters in quotes"),
        pytest.param(b"s,b\n2,\0\n1,{}\n", id="names that SQL might take for others"),
    ],
)
def test_csv_rows_that_nobody_touched_are_kept_letter_by_letter(
    tmp_path: Path, before: bytes
) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(before.replace(b"{}", b"old"))
    depot = tables(tmp_path)
    named = list(types(depot, "orders"))[1]
    [done] = sent(depot, update("1", **{named: "NEW"}))
    assert isinstance(done, Written)
    assert path.read_bytes() == before.replace(b"{}", b"NEW")


def test_csv_whose_last_line_has_no_end_takes_rows_and_gives_some_up(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b'"id",name\r\n1,"a"\r\n2,"b"')
    gone = Write(kind=WriteKind.DELETE, entity="orders", key="1")
    sent(tables(tmp_path), create("3", name="c"), gone)
    assert path.read_bytes() == b'"id",name\r\n2,"b"\r\n3,c\r\n'


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nb", "\n", "\r", '"', ",", "", " ", '""'])
@pytest.mark.parametrize("head", ["id,name\n", "id,name\r\n", '"id","name"\n'])
def test_csv_gives_back_what_was_written_into_it(tmp_path: Path, head: str, value: str) -> None:
    (tmp_path / "orders.csv").write_text(f"{head}1,a{head[-1]}", newline="")
    depot = tables(tmp_path)
    sent(depot, update("1", name=value), create("2", name=value))
    told = {"name": value}
    assert found(depot, "orders", "name") == {"1": told, "2": told}


@given(cells=st.lists(st.sampled_from(['"', '""', "a", ",", "\n", "\r\n", "\r", " "]), max_size=14))
def test_csv_that_can_be_read_is_written_as_it_was(cells: list[str]) -> None:
    content = f"a,b\n{''.join(cells)}".encode()
    with duckdb.connect() as connection:
        try:
            sheet = read_csv(connection, content, {})
        except UnreadableError:
            return
        assert sheet.written(connection) == content


def test_json_stays_as_it_was_but_for_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    path.write_text(
        '[\n  {"id": 1, "name": "\\u00e9 \\"x\\"", "n": 1.50, "tags": [1,  2]},\n'
        '  {"id": 2, "n": 12345678901234567890.123, "paid": true, "name": null},\n'
        '  {"id": 3}\n]\n'
    )
    depot = tables(tmp_path)
    assert {name: field.type for name, field in types(depot, "orders").items()} == {
        "id": Type.INTEGER,
        "name": Type.TEXT,
        "n": Type.DECIMAL,
        "paid": Type.BOOLEAN,
    }
    assert found(depot, "orders", "name", "n", "paid") == {
        "1": {"name": 'é "x"', "n": "1.5000000000", "paid": None},
        "2": {"name": None, "n": "12345678901234567890.1230000000", "paid": True},
        "3": {"name": None, "n": None, "paid": None},
    }
    sent(depot, update("2", name="東", paid=None), create(None, n=Decimal("0.5"), paid=False))
    assert path.read_text() == (
        '[\n  {"id": 1, "name": "\\u00e9 \\"x\\"", "n": 1.50, "tags": [1,  2]},\n'
        '  {"id": 2, "name": "東", "n": 12345678901234567890.123, "paid": null},\n'
        '  {"id": 3},\n'
        '  {"id": 4, "n": 0.5, "paid": false}\n]\n'
    )


def test_what_one_record_gains_does_not_change_the_others(tmp_path: Path) -> None:
    (tmp_path / "orders.ndjson").write_text('{"id": "a"}\n{"id": "b"}\n')
    depot = tables(tmp_path, Rules(types={"orders": {"note": Type.TEXT}}))

    async def etags() -> dict[str, str | None]:
        pages = [p async for p in depot.pages(WireQuery(entity="orders", fields=("id",)))]
        return {k: e for p in pages for k, e in zip(p.keys, p.etags, strict=True)}

    before = run(etags())
    [outcome] = sent(depot, update("a", note="new"))
    assert isinstance(outcome, Written)
    after = run(etags())
    assert outcome.page is not None
    assert after == {"a": outcome.page.etags[0], "b": before["b"]}
    expected = '{"id": "a", "note": "new"}\n{"id": "b"}\n'
    assert (tmp_path / "orders.ndjson").read_text() == expected


def test_json_that_is_of_several_types_wants_to_be_declared(tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_text('[{"id": 1, "zip": 1067}, {"id": 2, "zip": "01067"}]')
    assert "declare one: `types: {orders: {zip: text}}`" in str(refused(tables(tmp_path)))
    depot = tables(tmp_path, Rules(types={"orders": {"zip": Type.TEXT}}))
    assert found(depot, "orders", "zip") == {"1": {"zip": "1067"}, "2": {"zip": "01067"}}
    sent(depot, update("1", zip="00007"))
    assert found(depot, "orders", "zip")["1"] == {"zip": "00007"}


def test_parquet_keeps_its_types_and_what_cannot_be_synchronized(tmp_path: Path) -> None:
    shape = pa.schema(
        {
            "id": pa.string(),
            "n": pa.decimal128(9, 2),
            "tags": pa.list_(pa.int8()),
            "at": pa.timestamp("ms"),
            "kind": pa.dictionary(pa.int8(), pa.string()),
        },
        metadata={"made by": "somebody"},
    )
    record = {"id": "a", "n": Decimal("1.50"), "tags": [1, 2], "at": None, "kind": "x"}
    path = tmp_path / "orders.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist([record], schema=shape), path)
    before = pyarrow.parquet.read_schema(path)
    depot = tables(tmp_path)
    assert {name: field.type for name, field in types(depot, "orders").items()} == {
        "id": Type.TEXT,
        "n": Type.DECIMAL,
        "at": Type.INSTANT,
        "kind": Type.TEXT,
    }
    sent(depot, update("a", at=datetime(2026, 1, 2, tzinfo=UTC)), create("b", n=Decimal(2)))
    after = pyarrow.parquet.read_table(path)
    assert after.schema.equals(before, check_metadata=True)
    assert after.to_pylist() == [
        {**record, "at": datetime(2026, 1, 2)},  # noqa: DTZ001
        {"id": "b", "n": Decimal("2.00"), "tags": None, "at": None, "kind": None},
    ]


def test_parquet_cells_that_nobody_touched_do_not_go_through_duckdb(tmp_path: Path) -> None:
    guids = pa.array([b"1" * 16, None], pa.binary(16))
    moments = pa.array([1704067200123456789, None], pa.timestamp("ns", "Europe/Berlin"))
    before = pa.table(
        {
            "id": ["1", "2"],
            "name": pa.array(["a", "b"], pa.large_string()),
            "took": pa.array([1, None], pa.duration("us")),
            "at": moments,
            "uuid": pa.ExtensionArray.from_storage(pa.uuid(), guids),
            "many": [[{"a": 1}], None],
            "": ["x", "y"],
        }
    )
    path = tmp_path / "orders.parquet"
    pyarrow.parquet.write_table(before, path)
    before = pyarrow.parquet.read_table(path)  # what is in a list is called otherwise there
    depot = tables(tmp_path)
    sent(depot, update("1", name="A"), create("3", name="c"))
    after = pyarrow.parquet.read_table(path)
    assert after.schema.equals(before.schema, check_metadata=True)
    assert after["name"].to_pylist() == ["A", "b", "c"]
    for name in ("took", "at", "uuid", "many", ""):
        assert after[name].slice(0, 2).equals(before[name]), name
        assert after[name].null_count >= 1, name
    sent(depot, update("2", name=None))
    assert pyarrow.parquet.read_table(path)["name"].to_pylist() == ["A", None, "c"]
    with pytest.raises(SystemUnavailableError, match="'uuid' is of a type that cannot be written"):
        sent(depot, update("2", uuid=str(uuid.uuid4())))
    assert pyarrow.parquet.read_table(path)["name"].to_pylist() == ["A", None, "c"]


def test_a_file_that_somebody_else_wrote_meanwhile_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,name,phone\n1,a,\n2,b,\n")
    depot = tables(tmp_path)
    [(_, stale), _] = etags_of(depot)
    meanwhile = ["id,name,phone\n1,EDITED,\n2,b,7\n"]
    real = folders._replaced

    def replaced(target: Path, old: bytes, new: bytes) -> bool:
        if meanwhile:
            path.write_text(meanwhile.pop())
        return real(target, old, new)

    monkeypatch.setattr(folders, "_replaced", replaced)
    first, second = sent(depot, update("1", etag=stale, name="lost"), update("2", name="B"))
    assert isinstance(first, Drifted)
    assert isinstance(second, Written)
    assert path.read_text() == "id,name,phone\n1,EDITED,\n2,B,7\n"


def test_a_file_that_never_rests_is_told_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,name\n1,a\n")
    monkeypatch.setattr(folders, "_replaced", lambda *_: False)
    with pytest.raises(SystemUnavailableError, match="somebody else all the time"):
        sent(tables(tmp_path), update("1", name="lost"))
    assert path.read_text() == "id,name\n1,a\n"


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,name\n1,a\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runner.connectors.tables.folder.os.fsync", full)
    with pytest.raises(SystemUnavailableError, match="No space left on device"):
        sent(tables(tmp_path), update("1", name="lost"))
    assert path.read_text() == "id,name\n1,a\n"
    assert [p.name for p in tmp_path.iterdir()] == ["orders.csv"]


def test_nobody_can_read_the_new_file_who_could_not_read_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,name\n1,a\n")
    path.chmod(0o600)
    # Whoever is killed leaves it as it is at this moment.
    modes = []
    monkeypatch.setattr(os, "fsync", lambda handle: modes.append(os.fstat(handle).st_mode))
    before = os.umask(0o022)
    try:
        sent(tables(tmp_path), update("1", name="b"))
    finally:
        os.umask(before)
    assert modes[0] & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_is_not_touched_where_nothing_was_done(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    path.write_text('[{"id":"a"}]')
    before = path.stat()
    [outcome] = sent(tables(tmp_path), update("b"))
    assert isinstance(outcome, Rejected)
    assert path.read_text() == '[{"id":"a"}]'
    assert path.stat().st_ino == before.st_ino


def test_what_one_file_did_is_kept_when_the_next_is_gone(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,name\n1,a\n")
    depot = tables(tmp_path)
    done, lost = sent(depot, update("1", name="b"), update("1", "lines", name="b"))
    assert isinstance(done, Written)
    assert isinstance(lost, Unknown)
    assert "there is no file 'lines'" in lost.message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("orders.csv", b"", "it is empty"),
        ("orders.csv", b"id,name,id\n", "'id' does not"),
        ("orders.csv", b'id,"two\nlines"\n', "over several lines"),
        ("orders.csv", b"Id,iD\n", "two of its columns are called 'id'"),
        ("orders.csv", b"id,name\n1,a,b\n", "Expected 2 columns, got 3"),
        ("orders.csv", "id,name\n1,ä\n".encode("latin1"), "UTF-?8"),
        ("orders.csv", "id,nämé\n".encode("latin1"), "save it as UTF-8"),
        ("orders.csv", "id,name\n1,a\n2,ä\n".encode("latin1"), r"not in UTF-8 \(line 3\)"),
        ("orders.csv", b"id,name\n1,a\n2\n", "Row #3: Expected 2 columns, got 1"),
        ("orders.csv", b'id,name\n1,a\n2,"b\n3,c\n', "begins in line 3 is never closed"),
        ("orders.csv", b'id,name\n1,a\n2,"', "begins in line 3 is never closed"),
        ("orders.json", b'[{"id": 1,\n"name": "\xe4"}]', r"not in UTF-8 \(line 2\)"),
        ("orders.json", b'{"id": 1', "neither an array of objects nor one object a line"),
        ("orders.json", b"[1, 2]", "neither an array of objects nor one object a line"),
        ("orders.json", b"[]", "it has no columns"),
        ("orders.parquet", b"PAR1", "(?i)parquet"),
    ],
)
def test_a_file_that_is_damaged_is_told(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    error = refused(tables(tmp_path))
    assert str(error).startswith(f"depot: {name}: ")
    assert re.search(words, str(error)), error


def test_a_file_of_another_database_is_told_and_nothing_is_fetched_for_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.duckdb")) as connection:
        connection.execute("CREATE TABLE orders (id)")
        connection.commit()
    with pytest.raises(SystemUnavailableError) as caught:
        found(tables(tmp_path / "shop.duckdb"), "orders")
    assert "it is an SQLite file" in caught.value.hint
    assert "http" not in str(caught.value)


def test_a_file_that_is_about_to_be_closed_is_waited_for(tmp_path: Path) -> None:
    path = database(tmp_path / "shop.duckdb", "CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    held = duckdb.connect(path)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            held.close()

    assert Database("shop", path, Rules(), sleep=sleep).names() == ["orders"]
    assert len(waited) == 2


def test_a_file_that_stays_open_is_told(tmp_path: Path) -> None:
    path = database(tmp_path / "shop.duckdb", "CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    waited: list[float] = []
    with duckdb.connect(path), pytest.raises(SystemUnavailableError, match="cannot be used"):
        Database("shop", path, Rules(), sleep=waited.append).names()
    assert sum(waited) < 2


def test_a_table_of_no_rows_takes_the_first(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id;name")
    depot = tables(tmp_path)
    assert found(depot, "orders", "name") == {}
    sent(depot, create("1", name="a"), create("2", name="b"))
    assert (tmp_path / "orders.csv").read_text() == "id;name\n1;a\n2;b\n"
    sent(depot, *(Write(kind=WriteKind.DELETE, entity="orders", key=key) for key in "12"))
    assert (tmp_path / "orders.csv").read_text() == "id;name\n"


def test_two_files_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id\n")
    (tmp_path / "orders.json").write_text("[]")
    assert "orders.csv and orders.json are both 'orders'" in str(refused(tables(tmp_path)))


@pytest.mark.parametrize(
    ("types", "words"),
    [
        ({"ordres": {"id": Type.TEXT}}, "`types:` names 'ordres', which is no file"),
        ({"orders": {"amout": Type.TEXT}}, "did you mean 'amount'"),
    ],
)
def test_types_of_what_is_not_there(
    tmp_path: Path, types: dict[str, dict[str, Type]], words: str
) -> None:
    (tmp_path / "orders.csv").write_text("id,amount\n")
    error = refused(tables(tmp_path, Rules(types=types)))
    assert words in str(error)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Type.DECIMAL, "1,5 €"),
        (Type.INTEGER, "12.5"),
        (Type.DATE, "soon"),
        (Type.INSTANT, "2026-13-01T00:00:00Z"),
        (Type.BOOLEAN, "perhaps"),
    ],
)
def test_a_value_that_is_not_as_declared_is_no_blank(
    tmp_path: Path, kind: Type, content: str
) -> None:
    (tmp_path / "orders.csv").write_text(f'id,note,amount\n1,x,\n2,y,"{content}"\n3,,"?"\n')
    depot = tables(tmp_path, Rules(types={"orders": {"amount": kind}}))
    words = r"orders holds a value that cannot be read: .*\(amount of '2'\)$"
    with pytest.raises(SystemUnavailableError, match=words):
        found(depot, "orders", "note", "amount")


def test_a_column_that_is_to_tell_when_and_cannot(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,changed\n")
    error = refused(tables(tmp_path, Rules(modified="changed")))
    assert "declare it: `types: {orders: {changed: instant}}`" in str(error)


def test_a_date_may_tell_when_as_well(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        "id,changed\na,2026-03-09\nb,2026-03-08\nc,\nd,2026-03-10\n"
    )
    rules = Rules(types={"orders": {"changed": Type.DATE}}, modified="changed")
    depot = tables(tmp_path, rules, now=lambda: datetime(2026, 3, 11, 23, tzinfo=UTC))
    since = datetime(2026, 3, 10, 1, tzinfo=UTC)
    query = WireQuery(entity="orders", fields=("changed",), since=since)
    assert list(run(rows(depot, query))) == ["a", "c", "d"]
    sent(depot, update("b"))
    assert found(depot, "orders", "changed")["b"] == {"changed": "2026-03-11"}


def test_a_database_that_is_not_there_or_none(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    assert "there is no file" in str(refused(tables(path)))
    path.write_bytes(b"SQLite format 3" * 500)
    error = refused(tables(path))
    assert "not a valid DuckDB database file" in str(error)
    assert "restore a backup" in error.hint


def test_a_table_without_key_is_told(tmp_path: Path) -> None:
    script = "CREATE TABLE orders (a INTEGER, b INTEGER, PRIMARY KEY (a, b))"
    path = database(tmp_path / "shop.duckdb", script)
    assert "orders has no primary key of one column" in str(refused(tables(path)))


def test_a_database_that_another_program_writes(tmp_path: Path) -> None:
    path = database(tmp_path / "shop.duckdb", "CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    holds = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            error = refused(tables(path))
        finally:
            other.communicate("\n")
    assert "Conflicting lock" in str(error)
    assert "another program has it open" in error.hint


def test_a_seed_makes_what_is_missing_once(tmp_path: Path) -> None:
    script = tmp_path / "shop.sql"
    script.write_text("CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1)")
    shop = Tables("shop", Database("shop", tmp_path / "new" / "s.duckdb", Rules(), script))
    assert list(found(shop, "orders", "id")) == ["1"]
    sent(shop, create("2"))
    assert list(found(shop, "orders", "id")) == ["1", "2"]
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed" / "orders.csv").write_text("id\n1\n")
    depot = Tables("depot", Folder("depot", tmp_path / "new" / "d", Rules(), tmp_path / "seed"))
    sent(depot, create("2"))
    assert list(found(depot, "orders", "id")) == ["1", "2"]
    assert (tmp_path / "seed" / "orders.csv").read_text() == "id\n1\n"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["d", "s.duckdb"]


def test_what_a_killed_process_of_our_number_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "shop.sql").write_text("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed" / "orders.csv").write_text("id\n1\n")
    with duckdb.connect(tmp_path / f".shop.duckdb.{os.getpid()}.new") as half:
        half.execute("CREATE TABLE orders (half INTEGER)")
    (tmp_path / f".depot.{os.getpid()}.new").mkdir()
    shop = Tables(
        "shop", Database("shop", tmp_path / "shop.duckdb", Rules(), tmp_path / "shop.sql")
    )
    depot = Tables("depot", Folder("depot", tmp_path / "depot", Rules(), tmp_path / "seed"))
    for system in (shop, depot):
        [told] = run(system.describe(["orders"]))
        assert list(told.fields) == ["id"]


def test_a_seed_that_fails_leaves_nothing(tmp_path: Path) -> None:
    script = tmp_path / "shop.sql"
    script.write_text("CREATE TABLE orders (id INTEGER); SELEKT;")
    path = tmp_path / "s.duckdb"
    error = refused(Tables("shop", Database("shop", path, Rules(), script)))
    assert "the seed shop.sql fails: Parser Error" in str(error)
    assert [p.name for p in tmp_path.iterdir()] == ["shop.sql"]


def test_explain_shows_the_sql_with_its_values(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,name\n")
    depot = tables(tmp_path)
    query = WireQuery(entity="orders", fields=("id",), where=(("name", "O'B?"), ("id", "1")))
    assert "orders" in depot.explain(query)
    run(depot.describe(["orders"]))
    told = depot.explain(query)
    assert """CAST("name" AS VARCHAR) = CAST('O''B?' AS VARCHAR)""" in told
    assert (
        duckdb.connect()
        .execute("CREATE TABLE sheet (id VARCHAR, name VARCHAR)")
        .execute(told)
        .fetchall()
        == []
    )


def etags_of(connector: Tables) -> list[tuple[str, str | None]]:
    async def asked() -> list[tuple[str, str | None]]:
        query = WireQuery(entity="orders", fields=())
        pages = [page async for page in connector.pages(query)]
        return [pair for p in pages for pair in zip(p.keys, p.etags, strict=True)]

    return run(asked())


def test_a_drifted_row_of_a_database(tmp_path: Path) -> None:
    script = """CREATE TABLE orders (id INTEGER PRIMARY KEY, name VARCHAR, tags VARCHAR[]);
        INSERT INTO orders VALUES (1, 'a', ['x'])"""
    path = database(tmp_path / "shop.duckdb", script)
    shop = tables(path)
    [(key, etag)] = etags_of(shop)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE orders SET tags = ['y']")
    assert isinstance(run(one(shop, update(key, etag=etag, name="lost"))), Drifted)
