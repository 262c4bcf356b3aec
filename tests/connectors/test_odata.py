"""Literals, keys, addresses, links: as they stand in a URL, letter by letter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.connectors.odata import language as odata
from runner.connectors.odata.columns import Column
from runner.wire import Reference, Type, Value

GUID = "aaaaaaaa-0000-4000-8000-000000000001"
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def column(kind: Type, *, midnight: bool = False) -> Column:
    return Column(name="x", property="x", type=kind, select="x", midnight=midnight)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, Type.TEXT, "null"),
        ("O'Brien", Type.TEXT, "'O%27%27Brien'"),
        ("''", Type.CODE, "'%27%27%27%27'"),
        ("", Type.CODE, "''"),
        ("a b&c#d+e%f/g", Type.TEXT, "'a%20b%26c%23d%2Be%25f/g'"),
        ("Söhne €", Type.TEXT, "'S%C3%B6hne%20%E2%82%AC'"),
        ("Ship", Type.OPTION, "'Ship'"),
        (True, Type.BOOLEAN, "true"),
        (False, Type.BOOLEAN, "false"),
        (-7, Type.INTEGER, "-7"),
        (Decimal("1.50"), Type.DECIMAL, "1.50"),
        (Decimal("1E+3"), Type.DECIMAL, "1000"),
        (Decimal("1E-7"), Type.DECIMAL, "0.0000001"),
        (date(2026, 8, 1), Type.DATE, "2026-08-01"),
        (date(1, 1, 1), Type.DATE, "0001-01-01"),
        (NOON, Type.INSTANT, "2026-08-01T12:00:00Z"),
        (NOON.replace(tzinfo=None), Type.INSTANT, "2026-08-01T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=5))), Type.INSTANT, "2026-08-01T12:00:00Z"),
        (NOON.replace(microsecond=500_000), Type.INSTANT, "2026-08-01T12:00:00.500000Z"),
        (GUID, Type.GUID, GUID),
        (Reference("accounts", GUID), Type.REFERENCE, GUID),
        (Reference("Salesperson", "J'O"), Type.CODE, "'J%27%27O'"),
        ("x' or 1 eq 1", Type.GUID, "x%27%20or%201%20eq%201"),
    ],
)
def test_literal(value: Value, kind: Type, expected: str) -> None:
    assert odata.literal(value, column(kind)) == expected


def test_a_date_that_travels_as_an_instant() -> None:
    assert (
        odata.literal(date(2026, 8, 1), column(Type.DATE, midnight=True)) == "2026-08-01T00:00:00Z"
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back_from_a_url(text: str) -> None:
    for safe in ("", "(),:/$@!*"):
        written = odata.text(text, safe=safe)
        assert unquote(written)[1:-1].replace("''", "'") == text
        assert not set(written) & set(' "#&+<>?\\')
        split = urlsplit(f"http://h/Customer({odata.text(text, safe='')})?x=1")
        assert (split.path.count("/"), split.query) == (1, "x=1")


@pytest.mark.parametrize(
    ("key", "kind", "expected"),
    [
        ("10000", Type.CODE, "('10000')"),
        ("O'B/1 #%&+Ä", Type.CODE, "('O%27%27B%2F1%20%23%25%26%2B%C3%84')"),
        ("..", Type.CODE, "('..')"),
        (GUID, Type.GUID, f"({GUID})"),
    ],
)
def test_key_predicate(key: str, kind: Type, expected: str) -> None:
    assert odata.predicate(key, column(kind)) == expected


X, Y = (Column(name=name, property=name, type=Type.TEXT, select=name) for name in "xy")


def test_address() -> None:
    assert odata.address("b", []) == "b"
    assert odata.address("b", [X, Y, X]) == "b?$select=x,y"
    assert odata.address("b", [X], ["p", "q"]) == "b?$select=x&$filter=p%20and%20q"


@pytest.mark.parametrize(
    "link",
    [
        "https://crm.example/api/data/v9.2/accounts?$skiptoken=%3Ccookie%2520%27%3E",
        "https://CRM.example:443/x?y",
        "HTTPS://crm.example/",
    ],
)
def test_a_link_to_the_same_origin_is_kept_letter_by_letter(link: str) -> None:
    assert odata.same_origin("https://crm.example/api/data/v9.2", link) is link


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/data/v9.2/accounts?$skiptoken=1",
        "http://crm.example/api",
        "https://crm.example:444/api",
        "https://crm.example@evil.example/api",
        "https://crm.example.evil.example/api",
        "//evil.example/api",
        "https://crm.example:port/api",
    ],
)
def test_a_link_to_another_origin_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match=r"another server|[Pp]ort"):
        odata.same_origin("https://crm.example/api/data/v9.2", link)


@pytest.mark.parametrize(
    ("link", "query"),
    [
        (
            "http://nav-internal:7048/N/ODataV4/Company('x')/C?$skiptoken='10000'",
            "$skiptoken='10000'",
        ),
        (
            "http://i/C?$filter=a%20eq%20'%3F%2527'&$skiptoken=%252F",
            "$filter=a%20eq%20'%3F%2527'&$skiptoken=%252F",
        ),
        ("http://i/C?a=b?c", "a=b?c"),
    ],
)
def test_a_link_of_nav_keeps_its_query_on_the_server_we_know(link: str, query: str) -> None:
    collection = "https://proxy.example/nav/ODataV4/Company('x')/C"
    assert odata.rerooted(collection, link) == f"{collection}?{query}"


def test_a_link_without_query_leads_nowhere() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        odata.rerooted("https://nav.example/C", "http://nav/C")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": Decimal("12345678901234567890.1234")}, b'{"a":12345678901234567890.1234}'),
        ({"a": odata.json_value(NOON)}, b'{"a":"2026-08-01T12:00:00Z"}'),
        ({"a": odata.json_value(date(2026, 8, 1))}, b'{"a":"2026-08-01"}'),
        ({"a": odata.json_value(Reference("x", "k"))}, b'{"a":"k"}'),
        ({"a": odata.json_value(None), "b": True, "c": 1}, b'{"a":null,"b":true,"c":1}'),
    ],
)
def test_bodies_keep_every_digit(value: dict[str, object], expected: bytes) -> None:
    assert odata.encoded(value) == expected
