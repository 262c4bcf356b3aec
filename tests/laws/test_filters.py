"""The law of filters: whoever evaluates one, the same records are let through.

What a server is asked may let more through (it compares texts in its own way), never less; the SQL
that follows takes the rest out.
"""

# Canonical instants are in UTC, without saying so.
# ruff: noqa: DTZ001, E501

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import dialect, expression
from runner.connectors.microsoft import dataverse, nav_server
from runner.connectors.odata.columns import Column
from runner.sandbox import filters
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {
    "name": Type.TEXT,
    "code": Type.CODE,
    "kind": Type.OPTION,
    "n": Type.INTEGER,
    "d": Type.DECIMAL,
    "flag": Type.BOOLEAN,
    "day": Type.DATE,
    "moment": Type.INSTANT,
}
COLUMNS = {
    name: Column(name=name, property=name, type=kind, select=name) for name, kind in KINDS.items()
}
VALUES: dict[str, list[Any]] = {
    "name": [None, "A", "a", "B'c", "x%", "Ab"],
    "code": [None, "A", "AB"],
    "kind": [None, "Person", "Company"],
    "n": [None, 0, 1, 2],
    "d": [None, Decimal(0), Decimal("1.5")],
    "flag": [None, True, False],
    "day": [None, date(2018, 1, 2), date(2018, 1, 3)],
    "moment": [None, datetime(2018, 1, 2), datetime(2018, 1, 2, 3, 4, 5)],
}
LITERALS = {
    "name": ["''", "'A'", "'a'", "'B\\'c'", "'x%'", "`null`"],
    "code": ["'A'", "'ab '", "''"],
    "kind": ["'Person'", "''", "`null`"],
    "n": ["`0`", "`1`", "`null`", "'1'"],
    "d": ["`0`", "`1.5`"],
    "flag": ["`true`", "`false`", "`null`"],
    "day": ["'2018-01-02'", "'2018-01-03'", "'tomorrow'"],
    "moment": ["'2018-01-02T00:00:00Z'", "'2018-01-03'", "'2018-01-01T19:00:00-05:00'"],
}
ROWS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})


def compared(name: str) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    literal = st.sampled_from(LITERALS[name])
    return st.tuples(operator, literal, st.booleans()).map(
        lambda p: f"{name} {p[0]} {p[1]}" if p[2] else f"{p[1]} {p[0]} {name}"
    )


LEAVES = st.one_of(
    st.sampled_from(list(KINDS)),
    st.sampled_from(list(KINDS)).flatmap(compared),
    st.sampled_from(["contains(['A', 'B\\'c'], name)", "contains(`[0, 2]`, n)"]),
    st.tuples(
        st.sampled_from(["contains", "starts_with", "ends_with"]),
        st.sampled_from(["name", "code"]),
        st.sampled_from(["A", "a", "%"]),
    ).map(lambda p: f"{p[0]}({p[1]}, '{p[2]}')"),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({' '.join(p)})"),
        inner.map(lambda text: f"!({text})"),
    ),
    max_leaves=5,
)


def in_dataverse(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return value.isoformat() if isinstance(value, date) else value


def in_nav(value: Any, kind: Type) -> Any:
    blanks = {
        Type.INTEGER: 0,
        Type.DECIMAL: Decimal(0),
        Type.BOOLEAN: False,
        Type.DATE: "0001-01-01",
        Type.INSTANT: "0001-01-01T00:00:00Z",
        Type.OPTION: "_x0020_",
    }
    return blanks.get(kind, "") if value is None else in_dataverse(value)


def by_the_server(
    text: str, row: dict[str, Any], asking: Callable[..., Any], *, or_across: bool
) -> bool | None:
    """Whether the sandbox lets the row through; ``None`` where it cannot be asked."""
    asked = expression.to_odata(expression.parse(text), asking(COLUMNS))
    if not asked:
        return None
    manner = filters.Manner(frozenset(KINDS), or_across=or_across)
    return filters.read(unquote(asked), manner).test(row)


def by_sql(text: str, row: dict[str, Any]) -> bool:
    sql = expression.to_sql(expression.parse(text), lambda name: (dialect.name(name), KINDS[name]))
    columns = ", ".join(
        f"CAST(${name} AS {dialect.column_type(kind)}) AS {name}" for name, kind in KINDS.items()
    )
    with duckdb.connect() as connection:
        [(found,)] = connection.execute(f"SELECT {sql} FROM (SELECT {columns})", row).fetchall()
    return bool(found)


@given(text=FILTERS, row=ROWS)
def test_all_three_let_the_same_records_through(text: str, row: dict[str, Any]) -> None:
    wanted = expression.evaluate(expression.parse(text), row, KINDS)
    assert by_sql(text, row) == wanted
    told = {name: in_dataverse(value) for name, value in row.items()}
    asked = by_the_server(text, told, dataverse.asking, or_across=True)
    if asked is not None:
        assert (asked and by_sql(text, row)) == wanted


NO_NULLS = st.fixed_dictionaries(
    {
        # NAV has no blank number and no blank yes or no: they come as 0 and false.
        name: st.sampled_from(
            [v for v in values if v is not None or name not in ("n", "d", "flag")]
        )
        for name, values in VALUES.items()
    }
)


@given(text=FILTERS, row=NO_NULLS)
def test_so_does_nav(text: str, row: dict[str, Any]) -> None:
    wanted = expression.evaluate(expression.parse(text), row, KINDS)
    told = {name: in_nav(value, KINDS[name]) for name, value in row.items()}
    asked = by_the_server(text, told, nav_server.asking, or_across=False)
    if asked is not None:
        assert (asked and by_sql(text, row)) == wanted


@pytest.mark.parametrize(
    ("text", "crm", "erp"),
    [
        ("n == `3` && flag == `false`", "n eq 3 and flag eq false", "n eq 3 and flag eq false"),
        ("name", "name ne null", "name ne ''"),
        ("!name", "name eq null", "name eq ''"),
        ("flag", "flag eq true", "flag eq true"),
        ("name == 'O\\'Hara'", "name eq 'O''Hara'", ""),
        ("name != 'A'", "", ""),
        ("n != `3`", "(n ne 3 or n eq null)", ""),
        ("!(n < `3`)", "(n ge 3 or n eq null)", ""),
        ("day >= '2018-01-02'", "day ge 2018-01-02", "day ge 2018-01-02"),
        ("name == 'A' || n == `1`", "(name eq 'A' or n eq 1)", ""),
        ("name == 'A' || name == 'B'", "(name eq 'A' or name eq 'B')", "(name eq 'A' or name eq 'B')"),
        ("contains(['A', 'B'], name)", "(name eq 'A' or name eq 'B')", "(name eq 'A' or name eq 'B')"),
        ("starts_with(name, 'A') && length(name) > `2`", "startswith(name,'A')", "startswith(name,'A')"),
        ("name == 'x%'", "", "name eq 'x%'"),
        ("max([n, d]) > `2`", "", ""),
    ],
)  # fmt: skip
def test_what_servers_are_asked(text: str, crm: str, erp: str) -> None:
    node = expression.parse(text)
    assert unquote(expression.to_odata(node, dataverse.asking(COLUMNS))) == crm
    assert unquote(expression.to_odata(node, nav_server.asking(COLUMNS))) == erp
