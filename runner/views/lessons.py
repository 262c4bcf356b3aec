"""Each error has an identifier, each identifier a section that teaches (schemas/errors.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTION = re.compile(r"^## (SR\d{3}) (.+)$", re.MULTILINE)
_KINDS = {"conflict": "SR500", "drift": "SR501"}
_REASONS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r" is not coupled \(mapping ", "SR502"),
        (r" is not listed in `values`$", "SR503"),
        (r" characters long, .* keeps \d+$", "SR504"),
        (r" is blank$", "SR505"),
        (r"^ambiguous match by ", "SR506"),
        (r"^the coupled .* was deleted in ", "SR507"),
        (r"^an interrupted run may have made this record", "SR508"),
        (r"^no .* matches, and mapping .* makes none$", "SR510"),
        (
            r"^[^ ]+: |' is no [a-z]+$|' comes to (more than 18 digits|no year from 1 to 9999) by ",
            "SR511",
        ),
    )
)
"""The fixed phrases of reasons (``compile``); what has none of them is in an author's own words."""
OWN_WORDS = "SR509"
_OUTCOMES = {
    "rejected": "SR600",
    "drifted": "SR601",
    "unknown": "SR602",
    "blocked": "SR603",
    "missing": "SR603",
}


def of_finding(kind: str, reason: str | None) -> str | None:
    """Name what a finding of a plan is about; ``None`` for what is no finding."""
    if kind != "error":
        return _KINDS.get(kind)
    return next((name for known, name in _REASONS if known.search(reason or "")), OWN_WORDS)


def of_outcome(outcome: str) -> str | None:
    """Name what became of a write that failed."""
    return _OUTCOMES.get(outcome)


def sections(page: str) -> Mapping[str, str]:
    """Take the page of errors apart: each section, with its heading, by its identifier."""
    found = list(_SECTION.finditer(page))
    ends = [match.start() for match in found[1:]] + [len(page)]
    return {
        match[1]: page[match.start() : end].removeprefix("## ").strip()
        for match, end in zip(found, ends, strict=True)
    }


KNOWN = frozenset((*_KINDS.values(), *(n for _, n in _REASONS), OWN_WORDS, *_OUTCOMES.values()))
"""All identifiers of what can befall a record."""
