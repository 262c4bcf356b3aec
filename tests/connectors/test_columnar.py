"""Pages read as columns at once are what they are value by value, or they are not read so."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.connectors.odata.columnar import Cells, Columnar
from runner.connectors.odata.columns import Column
from runner.connectors.odata.rows import LARGE, Decoder
from runner.connectors.problems import UnreadableError
from runner.wire import Page, Type


def column(name: str, kind: Type = Type.TEXT, *, annotation: bool = False) -> Column:
    return Column(name=name, property=name, type=kind, select=name, annotation=annotation)


KEY = column("id", Type.GUID)
COLUMNS = (
    column("t"),
    column("n", Type.INTEGER),
    column("d", Type.DECIMAL),
    column("b", Type.BOOLEAN),
    column("day", Type.DATE),
    replace(column("ref", Type.REFERENCE), number=True),
    column("x@y.z", annotation=True),
    KEY,
)
ROW = {
    "@odata.etag": 'W/"1"', "id": "AA", "t": "\N{LATIN SMALL LETTER A WITH DIAERESIS}\0", "n": 3,
    "d": 1.5, "b": True, "day": "2018-01-02", "ref": 7, "x@y.z": "e", "more": [{"id": 1}],
}  # fmt: skip


def quickly(content: bytes) -> tuple[Page, str | None] | None:
    return Columnar(KEY, COLUMNS).page(content)


def strictly(content: bytes) -> tuple[Page, str | None]:
    assert len(content) < LARGE
    return Decoder(KEY, COLUMNS).page(content)


def told(read: tuple[Page, str | None]) -> Any:
    """Numbers are compared as numbers: how many zeros they end in is all that may differ."""
    page, link = read
    columns: dict[str, list[Any]] = {name: list(values) for name, values in page.columns.items()}
    columns["d"] = [None if d is None else Decimal(str(d)) for d in columns["d"]]
    return list(page.keys), list(page.etags), columns, link


def body(*rows: str, more: str = "") -> bytes:
    return f'{{"value":[{",".join(rows)}]{more}}}'.encode()


def row(**changed: str) -> str:
    """Write a row, some of its values given as JSON; an empty text leaves one out."""
    values = {name: json.dumps(value) for name, value in ROW.items()} | changed
    return "{" + ",".join(f'"{name}":{value}' for name, value in values.items() if value) + "}"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(body(row()), id="as usual"),
        pytest.param(body(), id="empty"),
        pytest.param(body(row(), more=',"@odata.nextLink":"l","error":null'), id="a link"),
        pytest.param(b"\xef\xbb\xbf" + body(row()), id="byte order mark"),
        pytest.param(body(row()).replace(b",", b",\n"), id="lines"),
        pytest.param(body(row(t="null", n="null", d="null", b="null"), row()), id="nulls"),
        pytest.param(body(row(**{"@odata.etag": "", "x@y.z": ""})), id="nothing to tell"),
        pytest.param(body(row(d="-12345678901234.0123456789")), id="all digits"),
        pytest.param(body(row(d="1E+2"), row(d='"7.25"'), row(d="-0.0")), id="numbers"),
        pytest.param(body(row(t='"\\ud83d\\ude00 \\u0000 \\""')), id="escapes"),
    ],
)
def test_an_ordinary_page_is_read_at_once(content: bytes) -> None:
    found = quickly(content)
    assert found is not None
    assert told(found) == told(strictly(content))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(body(row(d="0.12345678901")), id="more digits than a column holds"),
        pytest.param(body(row(d="1234567890123456789")), id="a larger number"),
        pytest.param(body('{"id":"A","t":"x",' + row(t="")[1:]), id="a property twice"),
        pytest.param(b'{"value":[],' + body(row())[1:], id="rows twice"),
    ],
)
def test_what_is_out_of_the_ordinary_is_read_value_by_value(content: bytes) -> None:
    assert quickly(content) is None
    assert strictly(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(body(row(t="")), id="a property is missing"),
        pytest.param(body(row(t="null"), row(t="")), id="missing beside a null"),
        pytest.param(body(row(t="5")), id="a number for a text"),
        pytest.param(body(row(t='{"t":"x"}')), id="an object for a text"),
        pytest.param(body(row(n='"5"')), id="a text for a number"),
        pytest.param(body(row(n="true")), id="a yes for a number"),
        pytest.param(body(row(n="2.0")), id="a whole number with a point"),
        pytest.param(body(row(d='"NaN"')), id="no number"),
        pytest.param(body(row(d='""')), id="an empty number"),
        pytest.param(body(row(b="1")), id="a number for a yes"),
        pytest.param(body(row(id="null")), id="no key"),
        pytest.param(body(row(id='""')), id="an empty key"),
        pytest.param(body("null"), id="no row"),
        pytest.param(b'{"value":null}', id="no rows"),
        pytest.param(b'{"error":{"code":"1","message":"m"}}', id="an error"),
        pytest.param(body(row(), more=',"error":{"message":"m"}'), id="it broke off"),
        pytest.param(body(row(), more=',"error":"m"'), id="it broke off with a word"),
        pytest.param(body(row())[:-2], id="cut off"),
        pytest.param(body(row()) + b" more", id="more after it"),
        pytest.param(body(row()) * 2, id="two documents"),
        pytest.param(body(row(t='"\\ud800"')), id="half a letter"),
        pytest.param(body(row()).replace(b"2018", b"\xff"), id="no UTF-8"),
        pytest.param(body(row(t='"\x01"')), id="a control character"),
        pytest.param(b"<html></html>", id="HTML"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"value":' + b"[" * 20_000, id="deep"),
    ],
)
def test_what_cannot_be_read_is_left_to_who_says_why(content: bytes) -> None:
    assert quickly(content) is None
    with pytest.raises(UnreadableError):
        strictly(content)


VALUES = st.sampled_from(
    ["null", "", "true", "false", "0", "5", "-1.50", "1e3", "0.00000000001", '"7.25"', '"x"', '""']
) | st.text(max_size=4).map(json.dumps)


@given(st.lists(st.dictionaries(st.sampled_from([*ROW, "other"]), VALUES), max_size=4))
def test_whatever_comes_both_say_the_same(changes: list[dict[str, str]]) -> None:
    content = body(*(row(**{"id": f'"k{n}"', **some}) for n, some in enumerate(changes)))
    found = quickly(content)
    if found is not None:
        assert told(found) == told(strictly(content))


def test_large_pages_are_read_at_once_and_those_with_parts_are_not() -> None:
    content = body(*(row(id=f'"{n}"') for n in range(LARGE // 100)))
    assert len(content) > LARGE
    page, _ = Decoder(KEY, COLUMNS).page(content)
    assert isinstance(page.etags, Cells)
    assert page.keys[:2] == ["0", "1"]
    assert list(page.etags[:2]) == ['W/"1"'] * 2
    assert page.columns["d"][1] == "1.5000000000"
    within = Column(name="a/b", property="a/b", type=Type.TEXT, select="a/b")
    assert Columnar(KEY, [within]).page(content) is None
    assert Columnar(column("id", Type.INTEGER), COLUMNS).page(content) is None


def test_cells_are_texts_for_who_asks_for_texts() -> None:
    cells = Cells(pa.array([Decimal("1.50"), None], pa.decimal128(28, 10)))
    assert pa.array(cells, pa.string()).to_pylist() == ["1.5000000000", None]
    assert pa.array(cells).type == pa.decimal128(28, 10)


def test_changes_are_read_at_once_unless_a_record_is_gone() -> None:
    rows = [row(id=f'"{n}"') for n in range(LARGE // 100)]
    decoder, more = Decoder(KEY, COLUMNS), ',"@odata.deltaLink":"d"'
    page, gone, link, delta = decoder.changes(body(*rows, more=more))
    assert isinstance(page.etags, Cells)
    assert (len(page.keys), gone, link, delta) == (len(rows), (), None, "d")
    # In 4.01 what is gone may come whole.
    for word in (
        '"@removed":{"reason":"deleted"}',
        '"@odata.context":"$metadata#a/$deletedEntity"',
    ):
        whole = row(id='"x"').removesuffix("}") + f",{word}}}"
        page, gone, _, _ = decoder.changes(body(*rows, whole))
        assert (len(page.keys), gone) == (len(rows), ("x",))
