"""Filters: what they refuse, and that SQL and jmespath let the same rows through."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.expression import ExpressionError, evaluate, fields_of, parse, to_sql
from runner.wire import Type

KINDS = {
    "name": Type.TEXT,
    "code": Type.CODE,
    "n": Type.INTEGER,
    "d": Type.DECIMAL,
    "on": Type.BOOLEAN,
}
COLUMNS = 'name VARCHAR, code VARCHAR, n BIGINT, d DECIMAL(28,10), "on" BOOLEAN, day DATE'


def in_sql(text: str, row: dict[str, Any]) -> bool:
    kinds = {**KINDS, "day": Type.DATE}
    condition = to_sql(parse(text), lambda name: (f'"{name}"', kinds[name]))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t ({COLUMNS})")
        connection.execute(
            "INSERT INTO t VALUES ($name, $code, $n, $d, $on, $day)",
            {name: row.get(name) for name in (*KINDS, "day")},
        )
        [(found,)] = connection.execute(f"SELECT {condition} FROM t").fetchall()
    return bool(found)


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
        ("day < '2018-01-02'", {"day": None}, False),
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
        ("length(a) == `3`", "function length() is not known here"),
        ("contains(a)", "contains() takes 2 arguments, not 1"),
        ("!" * 60 + "a", "the expression is nested deeper than 50 levels"),
        ("a" * 4001, "the expression is longer than 4000 characters"),
    ],
)
def test_what_is_no_filter(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


FIELDS = st.sampled_from(sorted(KINDS))
VALUES = st.sampled_from(["", "A", "B'", "x%", None, True, False, 0, 1, 2, 1.5])
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
    }
)


@given(text=FILTERS, row=ROWS)
def test_sql_and_jmespath_let_the_same_rows_through(text: str, row: dict[str, Any]) -> None:
    assert in_sql(text, row) == evaluate(parse(text), row)
