"""Each transform, by Microsoft's own examples where there are some (table 1237's tests)."""

# Rules are tables: one case, one line. Canonical instants are in UTC, without saying so.
# ruff: noqa: E501, DTZ001

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from runner import dialect, shipped
from runner.dialect import SETTINGS
from runner.transform import TRANSFORMS, chained, faults, inverse, lossy
from runner.wire import Type
from tests.transform.running import Told, changed, steps

POUND = "1 British Pound = 701.37865 Comoros Franc "
T, N, D, M, C = Type.TEXT, Type.DECIMAL, Type.DATE, Type.INSTANT, Type.INTEGER


@pytest.mark.parametrize(
    ("kind", "value", "told", "expected"),
    [
        (T, "aBc", "uppercase", "ABC"),
        (T, "aBc", "lowercase", "abc"),
        (T, "hello wORLD USA o'brien", "titlecase", "Hello World USA O'brien"),
        (T, "  a b ", "trim", "a b"),
        (T, "   ", "trim", None),
        (T, None, "uppercase", None),
        (T, "abc - 123 - déf", "alphanumeric", "abc123déf"),
        (T, "British Pound(GBP)/Algerian Dinar(DZD)", {"substring": {"after": "(", "before": ")"}}, "GBP"),
        (T, POUND, {"substring": {"after": "1 British Pound = ", "before": " "}}, "701.37865"),
        (T, POUND, {"substring": {"after": "1 British Pound = ", "length": 6}}, "701.37"),
        (T, POUND, {"substring": {"start": 19}}, "701.37865 Comoros Franc "),
        (T, POUND, {"substring": {"start": 19, "before": "!"}}, None),
        (T, POUND, {"substring": {"after": "?"}}, None),
        (T, "ABCDEFGH", {"substring": {"start": 4, "length": 3}}, "DEF"),
        (T, "aXbx", {"replace": {"find": "X", "with": "-"}}, "a-bx"),
        (T, "abc", {"replace": {"find": "abc", "with": ""}}, None),
        (T, "GBP Not Provided", {"regex_replace": {"find": " (not) (provided)", "with": " $2 $1"}}, "GBP Provided Not"),
        (T, "abc123def", {"regex_match": r"ABC(\d+)d"}, "123"),
        (T, "abc123def456", {"regex_match": r"[a-z]+(?P<digit>\d+)[a-z]+(?P<digit2>\d+)"}, "123456"),
        (T, "abc", {"regex_match": "b."}, "bc"),
        (T, "abc", {"regex_match": "x"}, None),
        (T, "12 été", {"regex_match": r"(\p{L}+)\z"}, "été"),
        (T, "12 été", {"regex_match": r"[[:digit:]]{1,1000}"}, "12"),
        (T, "12 été", {"regex_replace": {"find": r"[^\pL\d]", "with": "-"}}, "12-été"),
        (T, "PCS", {"prepend": "NAV "}, "NAV PCS"),
        (T, "NAV PCS", {"remove_prefix": "NAV "}, "PCS"),
        (T, "PCS", {"remove_prefix": "NAV "}, "PCS"),
        (T, "a", {"append": "%"}, "a%"),
        (T, "none", {"blank_if": "none"}, None),
        (N, Decimal("0.00"), {"blank_if": 0}, None),
        (N, Decimal("0.5"), {"blank_if": 0}, "0.5"),
        (T, "a%", {"remove_suffix": "%"}, "a"),
        (T, "42", {"pad": {"length": 5}}, "00042"),
        (T, "123456", {"pad": {"length": 5}}, "123456"),
        (T, "1.234,50", {"parse_number": {"culture": "da-DK"}}, "1234.50"),
        (T, "1.234", {"parse_number": {"culture": "da-DK"}}, "1234"),
        (T, "1.5", {"parse_number": {"culture": "da-DK"}}, None),
        (T, "12.34,5", {"parse_number": {"culture": "da-DK"}}, None),
        (T, "1,234.5", {"parse_number": {"culture": "da-DK"}}, None),
        (T, " -1234,5 ", {"parse_number": {"culture": "da-DK"}}, " -1234.5 "),
        (T, ",5", {"parse_number": {"culture": "da-DK"}}, ".5"),
        (T, "many", {"parse_number": {"culture": "da-DK"}}, "many"),
        (T, "  ", {"parse_number": {"culture": "da-DK"}}, "  "),
        (T, "12,34,567.8", {"parse_number": {"culture": "hi-IN"}}, "1234567.8"),
        (T, "1,5", {"parse_number": {"culture": "en-US"}}, None),
        (T, "1\u202f234\xa0567,5\xa0", {"parse_number": {"culture": "fr-FR"}}, "1234567.5"),
        (T, "1 234,50", {"parse_number": {"culture": "fr-FR"}}, "1234.50"),
        (N, Decimal("1234.5"), {"write_number": {"culture": "de-DE"}}, "1234,5"),
        (N, Decimal("12.3456789"), {"round": {"to": 0.00001}}, Decimal("12.34568")),
        (N, Decimal("2.5"), {"round": {"to": 1}}, Decimal(3)),
        (N, Decimal("-2.5"), {"round": {"to": 1}}, Decimal(-3)),
        (N, Decimal("12.37"), {"round": {"to": 0.05, "direction": "down"}}, Decimal("12.35")),
        (N, Decimal("12.31"), {"round": {"to": 0.05, "direction": "up"}}, Decimal("12.35")),
        (N, Decimal("-12.31"), {"round": {"to": 0.05, "direction": "up"}}, Decimal("-12.35")),
        (N, Decimal("12.35"), {"round": {"to": 0.05, "direction": "up"}}, Decimal("12.35")),
        (N, Decimal("12.5"), {"multiply": 100}, Decimal(1250)),
        (N, Decimal("0.2337530000"), {"divide_into": 1}, Decimal("4.2780199612")),
        (N, Decimal(-8), {"divide_into": 100}, Decimal("-12.5")),
        (N, Decimal(0), {"divide_into": 1}, None),
        (N, Decimal(10) ** 17, {"multiply": 100}, None),
        (N, Decimal(10) ** 17, {"multiply": Decimal(10) ** 30}, None),
        (N, Decimal("0.0000000001"), {"divide_into": 10**9}, None),
        (N, Decimal(10) ** 18 - Decimal("0.1"), {"round": {"to": 1}}, None),
        (Type.BOOLEAN, True, "not", False),
        (T, "20151213", {"parse_date": {"format": "yyyyMMdd"}}, "2015-12-13"),
        (T, "13 December", {"parse_date": {"format": "yyyyMMdd"}}, "13 December"),
        (T, "12/31/2015", {"parse_date": {"culture": "en-US"}}, "2015-12-31"),
        (T, "31-12-15", {"parse_date": {"culture": "nl-NL"}}, "2015-12-31"),
        (T, "20151213030405", {"parse_instant": {"format": "yyyyMMddHHmmss"}}, "2015-12-13T03:04:05Z"),
        (T, "12/13/2015 3:04:05 PM", {"parse_instant": {"culture": "en-US"}}, "2015-12-13T15:04:05Z"),
        (T, "24.12.18", {"parse_date": {"format": "dd.MM.yyyy"}}, "24.12.18"),
        (T, "24.12.01", {"parse_date": {"format": "dd.MM.yyyy"}}, "24.12.01"),
        (T, "24.12.0001", {"parse_date": {"format": "dd.MM.yyyy"}}, "0001-12-24"),
        (T, " 24.2.2018 ", {"parse_date": {"format": "dd.MM.yyyy"}}, "2018-02-24"),
        (T, "2018124", {"parse_date": {"format": "yyyyMMdd"}}, "2018124"),
        (T, "20151213 0304pm", {"parse_instant": {"format": "yyyyMMdd hhmmtt"}}, "2015-12-13T15:04:00Z"),
        (T, "20151213030405+0200", {"parse_instant": {"format": "yyyyMMddHHmmsszzz"}}, "2015-12-13T01:04:05Z"),
        (T, "13.12.2015 03:04:05.120", {"parse_instant": {"format": "dd.MM.yyyy HH:mm:ss.fff"}}, "2015-12-13T03:04:05.12Z"),
        (D, date(2018, 7, 1), {"write_date": {"format": "d.M.yyyy"}}, "1.7.2018"),
        (M, datetime(2018, 7, 1, 8, 5), {"write_instant": {"format": "yyyyMMdd HH:mm"}}, "20180701 08:05"),
        (D, date(2018, 7, 1), {"date_part": "month"}, 7),
        (C, 1577836800, "from_unix_time", datetime(2020, 1, 1)),
        (C, 253402300799, "from_unix_time", datetime(9999, 12, 31, 23, 59, 59)),
        (C, 253402300800, "from_unix_time", None),
        (C, -(10**12), "from_unix_time", None),
        (C, 2**63 - 1, "from_unix_time", None),
        (M, datetime(2020, 1, 1), "to_unix_time", 1577836800),
        (T, "Euro", "iso_currency", "EUR"),
        (T, "978", "iso_currency", "EUR"),
        (T, "eur", "iso_currency", "EUR"),
        (T, "OLDMARK", "iso_currency", "OLDMARK"),
        (T, "Germany", "iso_country", "DE"),
        (T, "DNK", "iso_country", "DK"),
    ],
)  # fmt: skip
def test_what_a_transform_does(kind: Type, value: Any, told: Told, expected: Any) -> None:
    assert changed(value, kind, steps(told)) == expected


def test_transforms_in_a_row_are_fed_what_they_take() -> None:
    way = steps("alphanumeric", {"replace": {"find": "abc", "with": ""}})
    assert changed("abc - 123 - def", T, way) == "123def"
    cents = steps({"multiply": 100}, {"pad": {"length": 6}})
    assert changed(Decimal("12.5"), N, cents) == "001250"
    assert changed("12.5", T, cents) == "001250"
    year = steps({"parse_date": {"format": "dd.MM.yyyy"}}, {"date_part": "year"})
    assert changed("24.12.2018", T, year, to=C) == 2018


def test_what_cannot_be_read_on_the_way_is_told() -> None:
    chain = chained("v", T, steps({"pad": {"length": 3}})).then(N, "UTC")
    ((condition, words),) = chain.failures
    assert "try_cast" in condition
    assert words.endswith("' is no decimal'")


@pytest.mark.parametrize(
    ("value", "told", "words"),
    [
        (Decimal(10) ** 17, {"multiply": 100}, f"'{10**17}' comes to more than 18 digits by multiply"),
        (Decimal(10) ** 15, {"multiply": 100}, None),
        (None, {"multiply": 100}, None),
        (Decimal(10) ** 18 - 1, {"round": {"to": 10}}, f"'{10**18 - 1}' comes to more than 18 digits by round"),
        (Decimal("0.0000000001"), {"divide_into": 10**9}, "'0.0000000001' comes to more than 18 digits by divide_into"),
        (Decimal(0), {"divide_into": 1}, None),
        (None, {"divide_into": 1}, None),
    ],
)  # fmt: skip
def test_a_number_that_grows_too_large_on_the_way_is_told(
    value: Decimal | None, told: Told, words: str | None
) -> None:
    ((condition, said),) = chained("v", N, steps(told)).failures
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {condition}, CASE WHEN {condition} THEN {said} END "
            f"FROM (SELECT CAST(? AS {dialect.column_type(N)}) AS v)",
            [value],
        ).fetchall()
    assert found == [(words is not None, words)]


@pytest.mark.parametrize(
    ("kind", "value", "to", "zone"),
    [
        (M, datetime(9999, 12, 31, 23), D, "Asia/Tokyo"),
        (M, datetime(1, 1, 1, 3), D, "America/New_York"),
        (D, date(1, 1, 1), M, "Asia/Tokyo"),
        (T, "9999-12-31T23:00:00-05:00", M, "UTC"),
        (T, "0001-01-01T01:00:00+02:00", M, "UTC"),
        (T, "0000-01-01", D, "UTC"),
    ],
)
def test_there_are_no_years_before_1_and_after_9999(
    kind: Type, value: Any, to: Type, zone: str
) -> None:
    chain = chained("v", kind, (), zone).then(to, zone)
    ((condition, words),) = chain.failures
    with duckdb.connect() as connection:
        connection.execute(SETTINGS)
        found = connection.execute(
            f"SELECT {chain.sql}, {condition} "
            f"FROM (SELECT CAST(? AS {dialect.column_type(kind)}) AS v)",
            [value],
        ).fetchall()
    assert found == [(None, True)]
    assert words.endswith(f"' is no {to}'")


def test_a_whole_number_may_be_too_large_for_a_decimal() -> None:
    chain = chained("v", C, ()).then(N, "UTC")
    assert changed(9 * 10**18, C, (), to=N) is None
    assert changed(9 * 10**17, C, (), to=N) == 9 * 10**17
    ((_, words),) = chain.failures
    assert words.endswith("' is no decimal'")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"regex_match": "("}, "regex_match: '(' is no regular expression: missing ), unterminated subpattern at position 0"),
        ({"regex_replace": {"find": "(?<=a)b", "with": ""}}, "regex_replace: '(?<=a)b' looks around or back, which is not known here (RE2)"),
        ({"regex_match": r"caf\u00e9"}, r"regex_match: '\u' of 'caf\u00e9' is not known here (RE2)"),
        ({"regex_match": r"end\Z"}, r"regex_match: '\Z' of 'end\Z' is not known here (RE2)"),
        ({"regex_match": "(?x) a b"}, "regex_match: '(?x)' of '(?x) a b' is not known here (RE2)"),
        ({"regex_match": "a(?#or b)"}, "regex_match: '(?#' of 'a(?#or b)' is not known here (RE2)"),
        ({"regex_match": "a{1,1001}"}, "regex_match: '{1,1001}' of 'a{1,1001}' is not known here (RE2)"),
        ({"regex_match": "[[:letter:]]"}, "regex_match: '[:letter:]' of '[[:letter:]]' is not known here (RE2)"),
        ({"regex_match": r"[\b]"}, r"regex_match: '[\b' of '[\b]' is not known here (RE2)"),
        ({"parse_date": {"format": "yyyyQQ"}}, "parse_date: 'QQ' of the format 'yyyyQQ' is not known"),
        ({"parse_date": {"format": "yyyy", "culture": "da-DK"}}, "parse_date: it needs a `format`, or a `culture` to read it as"),
        ({"parse_number": {"culture": "xx-YY"}}, "parse_number: there is no culture 'xx-YY', write it like da-DK"),
        ({"substring": {"start": 1, "after": "("}}, "substring: it has both `start` and `after`"),
        ({"multiply": 0}, "multiply: 0 leaves nothing of a value"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_arguments(told: Told, words: str) -> None:
    assert [said for _, said in faults(steps(told))] == [words]


@pytest.mark.parametrize(
    "pattern",
    [r"\p{L}+", r"\pL\z", r"[\p{Lu}\d]+", "[[:alpha:]]", "(?i:a)", "(?P<aux>a)", "a{1000}", "a{999,}", r"\\u"],
)  # fmt: skip
def test_what_re2_knows_is_taken(pattern: str) -> None:
    assert list(faults(steps({"regex_match": pattern}))) == []
    changed("any", T, steps({"regex_match": pattern}))


def test_a_transform_is_not_fed_what_it_cannot_take() -> None:
    way = steps("to_unix_time", "not", {"date_part": "year"})
    assert [said for _, said in faults(way, Type.DATE)] == [
        "date_part takes date, and gets boolean"
    ]


def test_a_way_is_undone_last_step_first() -> None:
    way = steps({"prepend": "a"}, {"append": "b"})
    undone = inverse(way)
    assert undone is not None
    assert [(step.name, dict(step.arguments)) for step in undone] == [
        ("remove_suffix", {"value": "b"}),
        ("remove_prefix", {"value": "a"}),
    ]
    assert inverse(steps({"prepend": "a"}, "uppercase")) is None
    assert lossy(steps({"prepend": "a"}, "uppercase", "trim")).name == "uppercase"  # type: ignore[union-attr]
    assert inverse(steps({"multiply": 3})) is None


def test_the_schema_describes_every_transform() -> None:
    path = shipped.folder() / "schemas" / "mapping.schema.json"
    plain, given = json.loads(path.read_text(encoding="utf-8"))["$defs"]["step"]["anyOf"]
    assert {*plain["enum"], *given["properties"]} == set(TRANSFORMS)
    assert set(plain["x-descriptions"]) == set(plain["enum"])
    described = {
        **plain["x-descriptions"],
        **{n: p["description"] for n, p in given["properties"].items()},
    }
    for name, description in described.items():
        assert description.endswith(".")
        assert ("No inverse." in description) or "nverse" in description, name
