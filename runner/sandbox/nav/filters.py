"""How NAV compares: codes, dates and texts, the latter by filters of C/SIDE (protocols B4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runner.sandbox import filters
from runner.sandbox.filters import COMPARE, FilterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.sandbox.nav.manners import NavManners
    from runner.sandbox.nav.metadata import Control

_MARKED = re.compile(r"[*?@|&<>()=']|\.\.")
_ORDERED = re.compile(r"^(<>|<=|>=|<|>|=)(.*)$", re.DOTALL)
_AROUND = {"contains": ("*", "*"), "startswith": ("", "*"), "endswith": ("*", "")}


def comparing(controls: Mapping[str, Control], manners: NavManners) -> filters.Compare:
    """Say how the fields of a page compare with what a filter gives."""

    def compare(field: str, operator: str, kind: str, value: Any) -> Callable[[Any], bool]:
        control = controls[field]
        match control.type:
            case "Date" | "DateTime":
                _moment(control, kind, value, manners)
                return lambda held: bool(COMPARE[operator](held, value))
            case "Code" | "Text" if kind == "text" and operator in ("eq", "ne", *_AROUND):
                return _text(control, operator, value, manners)
            case "Code" | "Text" | "Option" if value is None:
                raise FilterError("There are no nulls: compare with ''.")
            case "Code":
                return filters.folded(field, operator, kind, value)
            case _:
                return filters.folded(field, operator, kind, value)

    return compare


def _moment(control: Control, kind: str, value: Any, manners: NavManners) -> None:
    """Refuse a literal that is not of the type that ``$metadata`` tells."""
    instant = control.type == "DateTime" or manners.dates == "Edm.DateTimeOffset"
    if kind != "moment" or ("T" in str(value)) != instant:
        wanted = "Edm.DateTimeOffset" if instant else "Edm.Date"
        raise FilterError(
            "A binary operator with incompatible types was detected. "
            f"'{control.name}' is of the type '{wanted}'."
        )


def _text(
    control: Control, operator: str, value: str, manners: NavManners
) -> Callable[[Any], bool]:
    before, behind = _AROUND.get(operator, ("", ""))
    code = control.type == "Code"
    given = value.strip().upper() if code else value
    if manners.wildcards and _MARKED.search(given):
        fits = expression(f"{before}{given}{behind}", folds=code)
    else:
        fits = _pattern(f"{before}{_literal(given)}{behind}", folds=code)
    return lambda held: fits(str(held)) == (operator != "ne")


def _literal(text: str) -> str:
    """Keep letters that mean something from meaning it."""
    return re.sub(r"([*?])", "\0\\1", text)


def expression(text: str, *, folds: bool) -> Callable[[str], bool]:
    """Read a filter of C/SIDE: alternatives, ranges, comparisons and patterns.

    >>> fits = expression("A*|10..20&<>15", folds=True)
    >>> [value for value in ("AB", "B", "12", "15") if fits(value)]
    ['AB', '12']
    """
    either = [
        [_term(term.strip().strip("()'"), folds=folds) for term in part.split("&")]
        for part in text.split("|")
    ]
    return lambda held: any(all(fits(held) for fits in every) for every in either)


def _term(term: str, *, folds: bool) -> Callable[[str], bool]:
    low, range_, high = term.partition("..")
    if range_:
        return lambda held: (not low or held >= low) and (not high or held <= high)
    found = _ORDERED.match(term)
    if found is None:
        return _pattern(term, folds=folds)
    operator, value = found.groups()
    if operator in ("<>", "="):
        equal = _pattern(value, folds=folds)
        return lambda held: equal(held) == (operator == "=")
    act = COMPARE[{"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}[operator]]
    return lambda held: bool(act(held, value))


def _pattern(text: str, *, folds: bool) -> Callable[[str], bool]:
    folds = folds or text.startswith("@")
    parts = re.split(r"(\0.|[*?])", text.removeprefix("@"))
    pattern = "".join({"*": ".*", "?": "."}.get(p, re.escape(p.removeprefix("\0"))) for p in parts)
    flags = re.DOTALL | (re.IGNORECASE if folds else 0)
    found = re.compile(pattern, flags)
    return lambda held: found.fullmatch(held) is not None
