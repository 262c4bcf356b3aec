"""Transforms of texts. Microsoft's rules 0 to 7 and 10 (table 1237), and a few with an inverse."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from runner.dialect import text
from runner.errors import Location
from runner.model import Step
from runner.transform.kind import Transform
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.transform.kind import Arguments

DERIVED = Location("", 0, 0)
"""Where a step stands that nobody wrote: it undoes one that somebody did."""
_BEYOND_RE2 = re.compile(r"\(\?(?:[=!]|<[=!]|>|\()|\\[1-9]|\\k<|(?<!\\)[*+?}]\+")
_ESCAPED = r"(?<!\\)(?:\\\\)*"
_UNKNOWN_TO_RE2 = re.compile(
    _ESCAPED + r"(\\[uUNZ]|\\[^\x00-\x7f]|\[\\b|\(\?#|\(\?[a-zA-Z-]*[auLx][a-zA-Z-]*[:)])"
    r"|(\[:(?!\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word"
    r"|xdigit):\])[^\]]*:\])|(\{(?:\d+,)?(?:[1-9]\d{4,}|[2-9]\d{3}|1(?!000)\d{3})[,}])"
)
"""What Python's expressions have and RE2's do not: escapes, comments, flags, names of classes, and
repetitions of more than a thousand."""
_UNKNOWN_TO_PYTHON = re.compile(f"({_ESCAPED})" + r"\\(?:[pP](?:\{\^?\w+\}|\w)|[zC])")
"""What RE2 has and Python does not: classes of Unicode, the very end, and any byte."""
_GROUP = re.compile(r"\$(\d)")
_WORDS = r"\p{L}[\p{L}\p{M}\p{N}'']*|[^\p{L}]+"


def simple(template: str) -> Transform:
    """Return a transform of a text whose SQL is a template around ``{v}``; it has no inverse."""
    return Transform(takes=Type.TEXT, gives=Type.TEXT, sql=lambda v, _: blank(template.format(v=v)))


def blank(sql: str) -> str:
    """Let an empty text be blank."""
    return f"nullif({sql}, '')"


def _blank_if(value: str, given: Arguments) -> str:
    """Let a value that stands for nothing be blank."""
    return f"nullif({value}, {text(str(given['value']))})"


def _titlecase(value: str, _: Arguments) -> str:
    """As .NET's ToTitleCase: words that are all upper case are taken for acronyms and stay."""
    word = (
        "CASE WHEN w = upper(w) AND NOT contains(w, '''') THEN w "
        "ELSE upper(w[1]) || lower(w[2:]) END"
    )
    words = f"regexp_extract_all({value}, '{_WORDS}')"
    return blank(f"array_to_string(list_transform({words}, lambda w: {word}), '')")


def _substring(value: str, given: Arguments) -> str:
    """Rule 4: from a position or after a text, for a length or up to a text; not found is blank."""
    after, before = given.get("after"), given.get("before")
    if after is None:
        rest = f"substr({value}, {int(given.get('start', 1))})"
    else:
        sought = text(str(after))
        found = f"strpos({value}, {sought})"
        rest = f"CASE WHEN {found} > 0 THEN substr({value}, {found} + {len(str(after))}) END"
    if before is not None:
        end = f"strpos({rest}, {text(str(before))})"
        return f"CASE WHEN {end} > 1 THEN left({rest}, {end} - 1) END"
    if "length" in given:
        return blank(f"left({rest}, {int(given['length'])})")
    return blank(rest)


def _substring_faults(given: Arguments) -> Iterator[str]:
    for one, other in (("start", "after"), ("length", "before")):
        if one in given and other in given:
            yield f"it has both `{one}` and `{other}`"


def _replace(value: str, given: Arguments) -> str:
    return blank(f"replace({value}, {text(str(given['find']))}, {text(str(given['with']))})")


def _regex_replace(value: str, given: Arguments) -> str:
    new = str(given["with"]).replace("\\", "\\\\")
    new = _GROUP.sub(lambda found: f"\\{found[1]}", new)
    pattern = text(str(given["find"]))
    return blank(f"regexp_replace({value}, {pattern}, {text(new)}, 'gi')")


def _regex_match(value: str, given: Arguments) -> str:
    """Rule 10: what the groups of the first match caught; without groups, the match itself."""
    pattern = str(given["value"])
    groups = _compiled(pattern).groups
    caught = (
        f"regexp_extract({value}, {text(pattern)}, {n}, 'i')"
        for n in (range(1, groups + 1) if groups else (0,))
    )
    return blank(" || ".join(caught))


def _in_python(pattern: str) -> str:
    return _UNKNOWN_TO_PYTHON.sub(r"\1\\w", pattern)


def _compiled(pattern: str) -> re.Pattern[str]:
    """Read an expression of RE2 as one of Python, which finds what is wrong with most."""
    with warnings.catch_warnings():
        # [[:alpha:]] may become something else in Python one day, and is none of it here.
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(_in_python(pattern))


def _regex_faults(key: str) -> Callable[[Arguments], Iterator[str]]:
    def faults(given: Arguments) -> Iterator[str]:
        pattern = str(given[key])
        try:
            _compiled(pattern)
        except re.error as error:
            yield f"'{pattern}' is no regular expression: {error}"
            return
        unknown = _UNKNOWN_TO_RE2.search(pattern)
        if unknown:
            found = next(part for part in unknown.groups() if part)
            yield f"'{found}' of '{pattern}' is not known here (RE2)"
        if _BEYOND_RE2.search(_in_python(pattern)):
            yield f"'{pattern}' looks around or back, which is not known here (RE2)"

    return faults


def _undone_by(name: str) -> Callable[[Arguments], Step]:
    return lambda given: Step(name=name, arguments=tuple(given.items()), at=DERIVED)


def _prepend(value: str, given: Arguments) -> str:
    return f"({text(str(given['value']))} || {value})"


def _append(value: str, given: Arguments) -> str:
    return f"({value} || {text(str(given['value']))})"


def _remove_prefix(value: str, given: Arguments) -> str:
    prefix = text(str(given["value"]))
    cut = f"substr({value}, {len(str(given['value'])) + 1})"
    return blank(f"CASE WHEN starts_with({value}, {prefix}) THEN {cut} ELSE {value} END")


def _remove_suffix(value: str, given: Arguments) -> str:
    suffix = text(str(given["value"]))
    cut = f"left({value}, length({value}) - {len(str(given['value']))})"
    return blank(f"CASE WHEN ends_with({value}, {suffix}) THEN {cut} ELSE {value} END")


def _pad(value: str, given: Arguments) -> str:
    length, filler = int(given["length"]), text(str(given.get("with", "0")))
    # lpad would cut what is longer.
    padded = f"lpad({value}, {length}, {filler})"
    return f"CASE WHEN length({value}) < {length} THEN {padded} ELSE {value} END"


def _of_text(
    sql: Callable[[str, Arguments], str],
    *,
    faults: Callable[[Arguments], Iterator[str]] | None = None,
    undone_by: str = "",
) -> Transform:
    made = Transform(takes=Type.TEXT, gives=Type.TEXT, sql=sql)
    return Transform(
        takes=made.takes,
        gives=made.gives,
        sql=sql,
        faults=faults or made.faults,
        inverse=_undone_by(undone_by) if undone_by else made.inverse,
    )


TEXTS = {
    "uppercase": simple("upper({v})"),
    "lowercase": simple("lower({v})"),
    "titlecase": _of_text(_titlecase),
    "trim": simple("trim({v})"),
    "alphanumeric": simple(r"regexp_replace({v}, '[^\p{{L}}\p{{Nd}}]', '', 'g')"),
    "substring": _of_text(_substring, faults=_substring_faults),
    "replace": _of_text(_replace),
    "regex_replace": _of_text(_regex_replace, faults=_regex_faults("find")),
    "regex_match": _of_text(_regex_match, faults=_regex_faults("value")),
    "blank_if": _of_text(_blank_if),
    "prepend": _of_text(_prepend, undone_by="remove_prefix"),
    "append": _of_text(_append, undone_by="remove_suffix"),
    "remove_prefix": _of_text(_remove_prefix),
    "remove_suffix": _of_text(_remove_suffix),
    "pad": _of_text(_pad),
}
