from __future__ import annotations

import msgspec
import pytest

from runner.connectors.odata import language as odata
from runner.connectors.odata.columns import Column
from runner.connectors.odata.rows import Decoder, chosen
from runner.connectors.problems import UnreadableError
from runner.wire import Type


def column(name: str, kind: Type = Type.TEXT, *, annotation: bool = False) -> Column:
    return Column(name=name, property=name, type=kind, select=name, annotation=annotation)


KEY = column("id", Type.GUID)


def test_a_page_becomes_columns() -> None:
    columns = [
        column("t"),
        column("n", Type.INTEGER),
        column("d", Type.DECIMAL),
        column("b", Type.BOOLEAN),
        column("x@y.z", annotation=True),
        KEY,
    ]
    page, link = Decoder(KEY, columns).page(
        b"""\xef\xbb\xbf{"@odata.context":"c","value":[
        {"@odata.etag":"W/\\"1\\"","id":"AA","t":"\xc3\xa4","n":3,"d":1.50,"b":true,"x@y.z":"e"},
        {"id":"bb","t":null,"n":null,"d":null,"b":null,"more":[1]}],"@odata.nextLink":"l"}"""
    )
    assert link == "l"
    assert page.keys == ["aa", "bb"]
    assert page.etags == ['W/"1"', None]
    assert page.columns == {
        "t": ["ä", None],
        "n": [3, None],
        "d": ["1.50", None],
        "b": [True, None],
        "x@y.z": ["e", None],
        "id": ["AA", "bb"],
    }


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
        ("1.50", "1.50"),
        ("-0.0", "-0.0"),
        ("1E+2", "100"),
        ("1.5e-3", "0.0015"),
        ('"7.25"', "7.25"),
    ],
)
def test_no_digit_is_lost(number: str, expected: str) -> None:
    decoder = Decoder(column("id"), [column("d", Type.DECIMAL)])
    page = decoder.one(f'{{"id":"1","d":{number}}}'.encode())
    assert page.columns == {"d": [expected]}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["1.50", "null", "-3"], ["1.50", None, "-3"]),
        (["null", "null"], [None, None]),
        (["1.50", "1e2", "null"], ["1.50", "100", None]),
        (["7", '"7.25"'], ["7", "7.25"]),
    ],
)
def test_a_column_of_numbers_reads_as_each_of_them(
    numbers: list[str], expected: list[str | None]
) -> None:
    decoder = Decoder(column("id"), [column("d", Type.DECIMAL)])
    rows = ",".join(f'{{"id":"{n}","d":{number}}}' for n, number in enumerate(numbers, 1))
    page, _ = decoder.page(f'{{"value":[{rows}]}}'.encode())
    assert page.columns == {"d": expected}


@pytest.mark.parametrize(
    ("body", "said", "garbled"),
    [
        (b'{"value":[{"id":"a","t":"x"', "garbled", True),
        (b'{"value":[{"id":"a","t":"\xff"}]}', "garbled", True),
        (b"", "garbled", True),
        (b'{"value":[]} trailing', "garbled", True),
        (b'{"value":[],"error":{"code":"","message":"timeout"}}', "broke off: timeout", True),
        (b" <html><title>Sign in</title>", "HTML came where JSON was asked for: Sign in", False),
        (b'{"value":[{"id":"a","t":5}]}', "$.value[0].t", False),
        (b'{"value":[{"id":"a"}]}', "missing required field `t`", False),
        (b'{"value":[{"id":null,"t":"x"}]}', "without its key", False),
        (b'{"value":{}}', "not as described", False),
        (b'{"error":{"code":"1","message":"m"}}', "missing required field `value`", False),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes, said: str, *, garbled: bool) -> None:
    with pytest.raises(UnreadableError) as caught:
        Decoder(KEY, [column("t")]).page(body)
    assert said in str(caught.value)
    assert caught.value.garbled is garbled


@pytest.mark.parametrize("number", ["{}", "true", '"x"', '"NaN"', "[1]", '"1e999999999"'])
def test_what_is_no_number_is_told(number: str) -> None:
    with pytest.raises(UnreadableError, match="a number was expected"):
        Decoder(KEY, [column("d", Type.DECIMAL)]).one(f'{{"id":"1","d":{number}}}'.encode())


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_a_whole_number_that_nobody_can_keep_is_told(number: int) -> None:
    decoder = Decoder(KEY, [column("n", Type.INTEGER)])
    with pytest.raises(UnreadableError, match=r"Expected `int` [<>]= .* - at `\$\.n`"):
        decoder.one(f'{{"id":"1","n":{number}}}'.encode())
    widest = decoder.one(f'{{"id":"1","n":{2**63 - 1}}}'.encode())
    assert widest.columns == {"n": [2**63 - 1]}


def test_rows_are_checked_by_what_the_server_was_not_asked() -> None:
    hidden, kind = column("h"), column("k")
    checks = [odata.equals(hidden, " a_x0020_B "), odata.equals(kind, None)]
    decoder = Decoder(KEY, [column("t")], checks)
    rows = [
        {"id": "1", "t": "in", "h": "A b", "k": ""},
        {"id": "2", "t": "out", "h": "A c", "k": ""},
        {"id": "3", "t": "out", "h": "A b", "k": "x"},
    ]
    page, _ = decoder.page(msgspec.json.encode({"value": rows}))
    assert (page.keys, page.columns) == (["1"], {"t": ["in"]})


def test_a_field_that_is_not_there_is_named() -> None:
    known = {"t": column("t")}
    assert chosen(known, ["t", "t"], "accounts") == [known["t"]] * 2
    with pytest.raises(ValueError, match="accounts has no field 'u'"):
        chosen(known, ["t", "u"], "accounts")
