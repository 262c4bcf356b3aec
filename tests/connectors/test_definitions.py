"""How lookups are bound, from what real organisations tell and the sandbox does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.connectors.microsoft.definitions import _navigation, _Relation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETS = {"systemuser": "systemusers", "team": "teams", "account": "accounts", "contact": "contacts"}


@pytest.mark.parametrize(
    ("targets", "relations", "expected"),
    [
        pytest.param(
            ["systemuser", "team"],
            [("ownerid", "owner", "ownerid")],
            {"systemusers": "ownerid", "teams": "ownerid"},
            id="an owner is bound by one property",
        ),
        pytest.param(
            ["account", "contact"],
            [("ownerid", "account", "Account_A"), ("ownerid", "contact", "Contact_A")],
            {"accounts": "Account_A", "contacts": "Contact_A"},
            id="letters keep their case",
        ),
        pytest.param(
            ["account", "unheardof"],
            [("ownerid", "account", "a"), ("ownerid", "unheardof", "u")],
            {"accounts": "a"},
            id="what is no entity set is left out",
        ),
        pytest.param(
            [],
            [("ownerid", "account", "a"), ("other", "contact", "c")],
            {"accounts": "a"},
            id="without targets the relations tell",
        ),
        pytest.param([], [], {}, id="nothing is known"),
    ],
)
def test_navigation(
    targets: Sequence[str], relations: Sequence[tuple[str, str, str]], expected: Mapping[str, str]
) -> None:
    made = [_Relation(attribute=a, target=t, property=p) for a, t, p in relations]
    assert _navigation("ownerid", targets, made, SETS) == expected
