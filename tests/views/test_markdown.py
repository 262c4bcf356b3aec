"""The summary for a pull request: what it says, how long it gets, what values cannot do to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from runner.views.markdown import LONGEST, markdown
from tests.views.test_text import document, golden

if TYPE_CHECKING:
    import pytest

    from runner.views.document import Document

__all__ = ["document"]  # a fixture of the tests of what people see

HOSTILE = st.text(alphabet="`<>|@\n\\#* axé東/details", max_size=30)
COUNTS = st.dictionaries(
    st.sampled_from(["create crm", "update nav", "conflict", "error", "couple"]),
    st.integers(1, 100_000),
    max_size=4,
)


def test_a_plan_as_a_comment(document: Document, request: pytest.FixtureRequest) -> None:
    golden("plan.md", markdown(document), request)


def mapping(name: str, counts: dict[str, int], label: str, *, drawn: int = 20) -> dict[str, Any]:
    actions: list[dict[str, Any]] = [
        {
            "action": key.split()[0],
            "system": key.split()[1] if " " in key else None,
            "keys": {"nav": label or "1", "crm": None},
            "label": label,
            "reason": None,
            "hint": None,
            "id": None,
            "fields": [],
        }
        for key, n in counts.items()
        for _ in range(min(n, drawn))
    ]
    sides = {"left": {"system": "nav", "entity": "E"}, "right": {"system": "crm", "entity": "e"}}
    told = {"mapping": name, "direction": "both", "counts": counts, "unchanged": 3}
    return {**told, **sides, "filtered": {}, "actions": actions}


def plan(*mappings: dict[str, Any]) -> dict[str, Any]:
    return {
        "project": "contoso",
        "environment": "",
        "mode": "full",
        "changes": sum(sum(m["counts"].values()) for m in mappings),
        "failures": 0,
        "interrupted": 0,
        "guards": [{"guard": "a.empty", "what": m["mapping"]} for m in mappings[:20]],
        "mappings": list(mappings),
    }


@given(
    names=st.lists(HOSTILE, max_size=40),
    counts=COUNTS,
    label=HOSTILE,
    longest=st.integers(600, 6_000),
)
def test_it_is_never_too_long_and_its_values_stay_within_their_fences(
    names: list[str], counts: dict[str, int], label: str, longest: int
) -> None:
    told = markdown(plan(*(mapping(name, counts, label) for name in names)), longest=longest)
    assert len(told) <= longest
    outside, fence = [], ""
    for line in told.split("\n"):
        mark = re.fullmatch("`{3,}", line)
        if mark and not fence:
            fence = line
        elif line == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    assert not fence, "a fence that is not closed"
    opened = sum(line.startswith("<details") for line in outside)
    assert opened == outside.count("</details>")
    assert not [line for line in outside if re.search(r"(?<!\\)[@`]", line.replace("`sync-run", ""))
                and "`sync-run plan --full`" not in line]  # fmt: skip


def test_guards_come_first() -> None:
    told = markdown(plan(mapping("a", {"delete crm": 9}, "")))
    head, _, rest = told.partition("| mapping |")
    assert "apply stops before its first write" in head
    assert "```\nsync-run apply --allow a.empty\n```\n" in head
    assert "- a.empty: a\n" in head
    assert rest


def test_what_does_not_fit_is_said() -> None:
    many = [mapping(f"mapping-{n}", {"update crm": 5_000}, "a long name " * 5) for n in range(400)]
    told = markdown(plan(*many))
    assert LONGEST - 4_000 < len(told) <= LONGEST
    assert "… 4,980 more\n" in told
    assert told.endswith("More did not fit; `sync-run plan --full` shows all.\n")
