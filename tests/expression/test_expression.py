"""Filters: what they refuse, and that SQL and jmespath let the same rows through."""

# Canonical instants are in UTC, without saying so.
# ruff: noqa: DTZ001

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.expression import (
    ExpressionError,
    compute,
    evaluate,
    fields_of,
    on_rows_alone,
    parse,
    to_sql,
    to_value,
)
from runner.wire import Type

KINDS = {
    "name": Type.TEXT,
    "code": Type.CODE,
    "n": Type.INTEGER,
    "d": Type.DECIMAL,
    "on": Type.BOOLEAN,
}
COLUMNS = (
    'name VARCHAR, code VARCHAR, n BIGINT, d DECIMAL(28,10), "on" BOOLEAN, day DATE, "at" TIMESTAMP'
)


ALL_KINDS = {**KINDS, "day": Type.DATE, "at": Type.INSTANT}


def column(name: str) -> tuple[str, Type]:
    return f'"{name}"', ALL_KINDS[name]


def selected(sql: str, row: dict[str, Any]) -> Any:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE t ({COLUMNS})")
        connection.execute(
            "INSERT INTO t VALUES ($name, $code, $n, $d, $on, $day, $at)",
            {name: row.get(name) for name in ALL_KINDS},
        )
        [(found,)] = connection.execute(f"SELECT {sql} FROM t").fetchall()
    return found


def in_sql(text: str, row: dict[str, Any]) -> bool:
    return bool(selected(to_sql(parse(text), column), row))


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("n == `3`", {"n": 3}, True),
        ("n == `3`", {"n": None}, False),
        ("n != `3`", {"n": None}, True),
        ("name", {"name": "x"}, True),
        ("name", {"name": None}, False),
        ("!name", {"name": None}, True),
        ("n", {"n": 0}, True),
        ("on", {"on": False}, False),
        ("on == `false`", {"on": None}, False),
        ("name == ''", {"name": None}, True),
        ("name != ''", {"name": "x"}, True),
        ("name == `null`", {"name": None}, True),
        ("n > `2` && d <= `1.5`", {"n": 3, "d": Decimal("1.5")}, True),
        ("n > `2`", {"n": None}, False),
        ("name == `3`", {"name": "3"}, False),
        ("code == 'ab '", {"code": "AB"}, True),
        ("name == 'O\\'Brien'", {"name": "O'Brien"}, True),
        ("contains(name, 'b')", {"name": "abc"}, True),
        ("starts_with(name, 'b')", {"name": "abc"}, False),
        ("ends_with(name, 'c')", {"name": None}, False),
        ("contains(['A', 'B'], code)", {"code": "B"}, True),
        ("contains(`[1, 2]`, n)", {"n": 3}, False),
        ("day >= '2018-01-02'", {"day": "2018-01-03"}, True),
        ("at > '2018-01-02T03:04:05-05:00'", {"at": datetime(2018, 1, 2, 8)}, False),
        ("at > '2018-01-02T03:04:05-05:00'", {"at": datetime(2018, 1, 2, 9)}, True),
        ("at == '2018-01-02T03:04:05+05:30'", {"at": datetime(2018, 1, 1, 21, 34, 5)}, True),
        ("at > '0001-01-01T00:00:00+05:00'", {"at": datetime(1, 1, 1)}, True),
        ("at < '9999-12-31T23:59:59-05:00'", {"at": datetime(9999, 12, 31, 23)}, True),
        ("day < '2018-01-02'", {"day": None}, False),
        ("length(name) > `2`", {"name": "abc"}, True),
        ("split(name, ' ')[0] == 'a'", {"name": "a b"}, True),
        ("upper(name) == 'A'", {"name": "a"}, True),
        ("(name || code) == 'B'", {"code": "B"}, True),
    ],
)
def test_what_a_filter_lets_through(text: str, row: dict[str, Any], *, expected: bool) -> None:
    assert in_sql(text, row) is expected


def test_fields_are_named_once_in_order() -> None:
    assert fields_of(parse("b == 'x' && (a || !b) && contains(c, 'y')")) == ("b", "a", "c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a ==", "Incomplete expression"),
        ("a.b", "a path (a.b) cannot be used on a single record"),
        ("a[0]", "an index ([0]) cannot be used on a single record"),
        ("a | b", "a pipe (|) cannot be used on a single record"),
        ("lenght(a) == `3`", "function lenght() is not known here; did you mean 'length'?"),
        ("split(a, ' ')[1:2]", "a projection ([*]) cannot be used on a single record"),
        ("contains(a)", "contains() takes 2 arguments, not 1"),
        ("!" * 60 + "a", "the expression is nested deeper than 50 levels"),
        ("a" * 4001, "the expression is longer than 4000 characters"),
        ("a == `1e400`", "inf is no number that a field could hold"),
        ("contains(`[NaN]`, a)", "nan is no number that a field could hold"),
        ("a || `1000000000000000000`", "1000000000000000000 is no number that a field could hold"),
        (f"a < `-{'8' * 60}`", f"-{'8' * 23}… is no number that a field could hold"),
    ],
)
def test_what_is_no_filter(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "row", "expected", "kind"),
    [
        ("join(' ', [name, code])", {"name": "a", "code": "B"}, "a B", Type.TEXT),
        ("join(' ', [name, code])", {"code": "B"}, "B", Type.TEXT),
        ("join(' ', [name, code])", {}, None, Type.TEXT),
        ("split(name, ', ')[-1]", {"name": "a, b"}, "b", Type.TEXT),
        ("split(name, ', ')[2]", {"name": "a, b"}, None, Type.TEXT),
        ("name || code || 'none'", {}, "none", Type.TEXT),
        ("(on && name) || code", {"on": True, "name": "a", "code": "B"}, "a", Type.TEXT),
        ("(on && name) || code", {"on": False, "name": "a", "code": "B"}, "B", Type.TEXT),
        ("not_null(d, n)", {"n": 3}, Decimal(3), Type.DECIMAL),
        ("to_string(d)", {"d": Decimal("100.50")}, "100.5", Type.TEXT),
        ("to_string(n)", {"n": 100}, "100", Type.TEXT),
        ("to_number(name)", {"name": "1.50"}, Decimal("1.5"), Type.DECIMAL),
        ("to_number(name)", {"name": "x"}, None, Type.DECIMAL),
        ("n == `3`", {"n": 3}, True, Type.BOOLEAN),
        ("replace(trim(lower(name)), 'b', '')", {"name": " AbC "}, "ac", Type.TEXT),
        ("day", {"day": date(2018, 1, 2)}, date(2018, 1, 2), Type.DATE),
        ("to_string(at)", {"at": datetime(2018, 1, 2)}, "2018-01-02T00:00:00Z", Type.TEXT),
    ],
)
def test_what_a_value_is_computed_to(
    text: str, row: dict[str, Any], expected: Any, kind: Type
) -> None:
    sql, found = to_value(parse(text), column)
    assert (selected(sql, row), found) == (expected, kind)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name || n", "it is either text or number: both must be of one type"),
        ("join(' ', [name, n])", "join() takes texts; to_string() makes one of a number"),
        ("split(name, ' ')", "it is a list"),
        ("abs(name)", "abs() takes a number"),
        ("name[0]", "an index"),
        ("max([n, d])", "a part of it can only be evaluated record by record"),
    ],
)
def test_what_cannot_be_computed(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        to_value(parse(text), column)
    assert str(caught.value).startswith(message)


def test_what_has_no_sql_is_left_to_jmespath() -> None:
    node = parse("max([n, d]) > `2` && name")
    assert on_rows_alone(node)
    assert fields_of(node) == ("n", "d", "name")
    assert evaluate(node, {"n": 1, "d": Decimal("2.5"), "name": "x"}, ALL_KINDS)
    assert not evaluate(node, {"n": 1, "d": None, "name": "x"}, ALL_KINDS)


FIELDS = st.sampled_from(sorted(ALL_KINDS))
VALUES = st.sampled_from(["", "A", "a ", "B'", "x%", "2018-01-02", None, True, False, 0, 1, 2, 1.5])
OPERANDS = st.one_of(
    FIELDS.map(lambda name: f'"{name}"'), VALUES.map(lambda value: f"`{json.dumps(value)}`")
)
LEAVES = st.one_of(
    FIELDS.map(lambda name: f'"{name}"'),
    st.tuples(OPERANDS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), OPERANDS).map(
        " ".join
    ),
    st.tuples(
        st.sampled_from(["contains", "starts_with", "ends_with"]), st.sampled_from(["A", "x", ""])
    ).map(lambda p: f'{p[0]}("name", `{json.dumps(p[1])}`)'),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({' '.join(p)})"),
        inner.map(lambda text: f"!({text})"),
    ),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {
        "name": st.sampled_from([None, "A", "B'", "x%"]),
        "code": st.sampled_from([None, "A", "B'"]),
        "n": st.sampled_from([None, 0, 1, 2]),
        "d": st.sampled_from([None, Decimal(0), Decimal("1.5")]),
        "on": st.sampled_from([None, True, False]),
        "day": st.sampled_from([None, date(2018, 1, 2), date(2018, 1, 3)]),
        "at": st.sampled_from([None, datetime(2018, 1, 2), datetime(2018, 1, 2, 3, 4, 5)]),
    }
)
TEXTS = st.recursive(
    st.sampled_from(["name", "code", "'A'", "''", "`null`", "to_string(n)", "to_string(d)"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"join(' ', [{p[0]}, {p[1]}])"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} || {p[1]})"),
        st.tuples(FILTERS, inner).map(lambda p: f"(!(!({p[0]})) && {p[1]})"),
        inner.map(lambda text: f"upper({text})"),
        inner.map(lambda text: f"trim({text})"),
        inner.map(lambda text: f"replace({text}, 'A', 'x')"),
        st.tuples(inner, st.integers(-2, 1)).map(lambda p: f"split({p[0]}, ' ')[{p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"not_null({p[0]}, {p[1]})"),
    ),
    max_leaves=5,
)


@given(text=FILTERS, row=ROWS)
def test_sql_and_jmespath_let_the_same_rows_through(text: str, row: dict[str, Any]) -> None:
    assert in_sql(text, row) == evaluate(parse(text), row, ALL_KINDS)


@given(text=TEXTS, row=ROWS)
def test_sql_and_jmespath_compute_the_same_text(text: str, row: dict[str, Any]) -> None:
    by_jmespath = compute(parse(text), row, ALL_KINDS)
    sql, _ = to_value(parse(text), column)
    assert selected(sql, row) == by_jmespath
