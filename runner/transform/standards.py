"""Transforms into the codes of ISO standards, by the lists of pycountry."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pycountry

from runner.dialect import text
from runner.transform.kind import Transform
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.transform.kind import Arguments

_NAMES = ("alpha_2", "alpha_3", "numeric", "name", "common_name", "official_name")


def _coded(entries: Callable[[], Iterable[Any]], wanted: str) -> Callable[[str, Arguments], str]:
    """Whatever form a value has, its code; what stands in no list stays as it is."""

    @cache
    def arms() -> str:
        taken: dict[str, str] = {}
        for entry in entries():
            for form in _NAMES:
                spelling = str(getattr(entry, form, "")).upper()
                if spelling:
                    taken.setdefault(spelling, getattr(entry, wanted))
        by_code: dict[str, list[str]] = {}
        for spelling, code in taken.items():
            by_code.setdefault(code, []).append(spelling)
        return " ".join(
            f"WHEN u IN ({', '.join(map(text, spellings))}) THEN {text(code)}"
            for code, spellings in by_code.items()
        )

    def sql(value: str, _: Arguments) -> str:
        chosen = f"list_transform([upper(trim({value}))], lambda u: CASE {arms()} END)[1]"
        return f"coalesce({chosen}, {value})"

    return sql


STANDARDS = {
    "iso_currency": Transform(
        takes=Type.TEXT, gives=Type.TEXT, sql=_coded(lambda: pycountry.currencies, "alpha_3")
    ),
    "iso_country": Transform(
        takes=Type.TEXT, gives=Type.TEXT, sql=_coded(lambda: pycountry.countries, "alpha_2")
    ),
}
