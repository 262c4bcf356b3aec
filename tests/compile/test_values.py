"""One form for every value: what both systems write differently and mean alike."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner.compile.values import canonical
from runner.dialect import SETTINGS
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

GUID = "6f1f0f0a-5a2d-4f6e-9d52-7c0e5d0b1f00"
ZERO = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("kind", "forms", "expected"),
    [
        # Traps 23 and 24: nothing is written in many ways.
        (Type.TEXT, ["", None], None),
        (Type.CODE, ["", "  ", None], None),
        (Type.OPTION, ["", " ", "_x0020_", None], None),
        (Type.DATE, ["0001-01-01", "0001-01-01T00:00:00Z", "0001-01-01T12:00:00Z", None], None),
        (Type.INSTANT, ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", None], None),
        (Type.INSTANT, ["0001-01-01T00:00:00.0000000Z", "0001-01-01 00:00:00"], None),
        (Type.GUID, ["", ZERO, None], None),
        (Type.REFERENCE, ["", ZERO, None], None),
        # Trap 25: what an identifier cannot hold is encoded by some builds.
        (Type.OPTION, ["Customer Price Group", "Customer_x0020_Price_x0020_Group"], ...),
        # Trap 26: codes as NAV keeps them.
        (Type.CODE, ["ab-1", " AB-1 ", "Ab-1"], "AB-1"),
        # Trap 33: GUIDs.
        (Type.GUID, [GUID, GUID.upper(), f"{{{GUID.upper()}}}"], GUID),
        # Traps 63 and 64: line ends, accents that stand apart; blanks at the ends stay.
        (Type.TEXT, ["a\nb", "a\r\nb"], "a\nb"),
        (Type.TEXT, ["Zo\u00eb", "Zoe\u0308"], "Zo\u00eb"),
        (Type.TEXT, ["\U0001f600 <b>&amp;"], "\U0001f600 <b>&amp;"),
        (Type.TEXT, [" a "], " a "),
        # F8: dates that travel as instants.
        (Type.DATE, ["2026-08-01", "2026-08-01T00:00:00Z"], date(2026, 8, 1)),
        # Trap 62: instants with and without an offset.
        (
            Type.INSTANT,
            ["2026-08-01T10:00:00Z", "2026-08-01T12:00:00+02:00", "2026-08-01T10:00:00"],
            datetime(2026, 8, 1, 10),  # noqa: DTZ001 - canonical instants are UTC without saying so
        ),
        (Type.INSTANT, ["0001-01-01T00:00:05Z"], datetime(1, 1, 1, 0, 0, 5)),  # noqa: DTZ001
        (Type.INSTANT, ["9999-12-31T23:59:59Z"], datetime(9999, 12, 31, 23, 59, 59)),  # noqa: DTZ001
        (Type.DATE, ["9999-12-31", "9999-12-31T00:00:00Z"], date(9999, 12, 31)),
        # Trap 50: digits are kept, and zeros at the end are none.
        (Type.DECIMAL, ["10", "10.0", "10.00000"], Decimal(10)),
        (Type.DECIMAL, ["12345678901234.5678"], Decimal("12345678901234.5678")),
    ],
)
def test_many_forms_are_one_value(
    kind: Type, forms: Sequence[str | None], expected: object
) -> None:
    with duckdb.connect() as connection:
        connection.execute(SETTINGS)
        sql = f"SELECT DISTINCT {canonical('told', kind)} FROM (SELECT unnest(?) AS told)"
        found = connection.execute(sql, [list(forms)]).fetchall()
    if expected is ...:
        expected = forms[0]
    assert found == [(expected,)]


@pytest.mark.parametrize("kind", [Type.DATE, Type.INSTANT])
@pytest.mark.parametrize(
    "told", ["infinity", "12345-01-11", "12345-01-11T00:00:00Z", "0000-01-01", "2024-01-05 (BC)"]
)
def test_what_no_calendar_has_is_no_moment(kind: Type, told: str) -> None:
    sql = f"SELECT {canonical('told', kind)} FROM (SELECT ? AS told)"
    with duckdb.connect() as connection:
        connection.execute(SETTINGS)
        with pytest.raises(duckdb.ConversionException, match=re.escape(told)):
            connection.execute(sql, [told])
