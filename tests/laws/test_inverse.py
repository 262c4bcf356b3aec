"""The law of transforms: what is said to be undone, is."""

# Canonical instants are in UTC, without saying so.
# ruff: noqa: DTZ001

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.transform import TRANSFORMS, inverse
from runner.wire import Type
from tests.transform.running import Told, changed, steps

TEXTS = st.text("aAzZ9 -_'%ä", min_size=1)
NUMBERS = st.decimals(-(10**9), 10**9, places=4)
DATES = st.dates(date(1000, 1, 1), date(9999, 12, 31))
INSTANTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
UNDONE: dict[str, tuple[Type, st.SearchStrategy[Any], st.SearchStrategy[Told]]] = {
    "prepend": (Type.TEXT, TEXTS, TEXTS.map(lambda text: {"prepend": text})),
    "append": (Type.TEXT, TEXTS, TEXTS.map(lambda text: {"append": text})),
    "parse_number": (
        Type.TEXT,
        NUMBERS.map(lambda number: f"{number.normalize():f}".replace(".", ",")),
        st.just({"parse_number": {"culture": "da-DK"}}),
    ),
    "write_number": (
        Type.DECIMAL,
        NUMBERS,
        st.sampled_from(["da-DK", "en-US", "fr-FR", "de-CH"]).map(
            lambda culture: {"write_number": {"culture": culture}}
        ),
    ),
    "multiply": (
        Type.DECIMAL,
        NUMBERS,
        st.sampled_from([100, 0.01, 2, 0.5, -1, 1000]).map(lambda factor: {"multiply": factor}),
    ),
    "not": (Type.BOOLEAN, st.booleans(), st.just("not")),
    "parse_date": (
        Type.TEXT,
        DATES.map(lambda day: f"{day:%d.%m.}{day.year:04}"),
        st.just({"parse_date": {"format": "dd.MM.yyyy"}}),
    ),
    "write_date": (
        Type.DATE,
        DATES,
        st.sampled_from(["yyyyMMdd", "d/M/yyyy", "dd.MM.yyyy"]).map(
            lambda spelling: {"write_date": {"format": spelling}}
        ),
    ),
    "parse_instant": (
        Type.TEXT,
        INSTANTS.map(lambda moment: f"{moment:%Y%m%d%H%M%S}".rjust(14, "0")),
        st.just({"parse_instant": {"format": "yyyyMMddHHmmss"}}),
    ),
    "write_instant": (
        Type.INSTANT,
        INSTANTS,
        st.just({"write_instant": {"format": "dd.MM.yyyy HH:mm:ss"}}),
    ),
    "from_unix_time": (Type.INTEGER, st.integers(0, 2**32), st.just("from_unix_time")),
    "to_unix_time": (Type.INSTANT, INSTANTS, st.just("to_unix_time")),
}


def test_every_transform_that_says_it_can_be_undone_is_held_to_it() -> None:
    some: dict[str, str | int | float | bool] = {
        "culture": "da-DK",
        "format": "yyyyMMdd",
        "value": 2,
        "find": "a",
        "with": "b",
    }
    undone = {name for name, t in TRANSFORMS.items() if t.inverse(some) is not None}
    assert undone == set(UNDONE)


@pytest.mark.parametrize("name", UNDONE)
@given(data=st.data())
def test_undone_it_is_what_it_was(name: str, data: st.DataObject) -> None:
    kind, values, transforms = UNDONE[name]
    value, way = data.draw(values), steps(data.draw(transforms))
    back = inverse(way)
    assert back is not None
    there_and_back = (*way, *back)
    assert changed(value, kind, there_and_back, to=kind) == value


@given(
    value=TEXTS,
    told=st.lists(
        st.sampled_from([{"prepend": "a "}, {"append": "-"}, {"prepend": "Ä"}, {"append": " z"}]),
        max_size=4,
    ),
)
def test_so_is_a_chain_of_them(value: str, told: list[Told]) -> None:
    way = steps(*told)
    back = inverse(way)
    assert back is not None
    assert changed(value, Type.TEXT, (*way, *back)) == value
