"""How dates and numbers are written elsewhere: CLDR's patterns (babel), in DuckDB's spelling."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

from babel import Locale, UnknownLocaleError

_TOKEN = re.compile(r"'[^']*'|([a-zA-Z])\1*|[^a-zA-Z']+")
_NET = {
    "yyyy": "%Y", "yy": "%y", "y": "%Y",
    "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m",
    "dddd": "%A", "ddd": "%a", "dd": "%d", "d": "%-d",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M",
    "ss": "%S", "s": "%-S", "fff": "%g", "ffffff": "%f", "tt": "%p", "a": "%p", "zzz": "%z",
}  # fmt: skip
"""The letters of .NET's and CLDR's date patterns (Data Format of Microsoft's rules)."""
_TIMES = ("%-H:%M:%S", "%-H:%M", "%-I:%M:%S %p", "%-I:%M %p", "%-H.%M.%S", "%-H.%M")


class UnknownPatternError(ValueError):
    """A pattern holds letters that mean nothing."""


@cache
def spelled(pattern: str) -> str:
    """Turn a pattern such as ``yyyyMMdd`` into DuckDB's.

    Raises:
        UnknownPatternError: a letter means nothing; the message names it.

    """
    parts = []
    for found in _TOKEN.finditer(pattern):
        token = found[0]
        if found[1] is None:
            parts.append(token.strip("'").replace("%", "%%"))
        elif found[0] == "T":
            parts.append(token)
        elif token in _NET:
            parts.append(_NET[token])
        else:
            raise UnknownPatternError(f"'{token}' of the format '{pattern}' is not known")
    return "".join(parts)


def known(culture: str) -> bool:
    """Whether there is such a culture, for example ``da-DK``."""
    try:
        _locale(culture)
    except (UnknownLocaleError, ValueError):
        return False
    return True


@cache
def date_patterns(culture: str) -> tuple[str, ...]:
    """Return the ways in which a culture writes a date in digits, two or four for the year."""
    locale = _locale(culture)
    patterns = [str(locale.date_formats[length].pattern) for length in ("short", "medium", "long")]
    numeric = [p for p in patterns if "MMM" not in p]
    named = [p for p in patterns if "MMM" in p and locale.language == "en"]
    loose = [re.sub("d+", "d", re.sub("M+", "M", re.sub("y+", "yyyy", p))) for p in numeric]
    short = [p.replace("yyyy", "yy") for p in loose]
    return tuple(dict.fromkeys(spelled(p) for p in (*short, *loose, *named, "yyyy-MM-dd")))


def datetime_patterns(culture: str) -> tuple[str, ...]:
    """Return the ways in which a culture writes a date with a time of day."""
    return tuple(f"{day} {time}" for day, time in product(date_patterns(culture), _TIMES))


@cache
def number_marks(culture: str) -> tuple[str, tuple[str, ...]]:
    """Return the decimal mark, and the marks that may stand between groups of digits."""
    symbols = _locale(culture).number_symbols["latn"]
    decimal, group = str(symbols["decimal"]), str(symbols["group"])
    spaces = ("\u202f", "\xa0", " ") if group.isspace() else ()
    return decimal, tuple(dict.fromkeys((group, *spaces)))


@cache
def _locale(culture: str) -> Locale:
    return Locale.parse(culture.replace("-", "_"))
