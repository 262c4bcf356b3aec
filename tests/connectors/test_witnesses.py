"""The doubles' rules matter: each one, switched off, is missed by a test of its connector."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from runner.sandbox.nav_manners import NavManners
from tests.connectors.nav_witnesses import ITEM, NAV_CHECKS
from tests.connectors.systems import nav, run
from tests.connectors.witnesses import Check, Position, Rule, Unused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.connectors.witnesses import Opened

_MAKERS: dict[type, Any] = {NavManners: nav}
_CHECKS: tuple[tuple[type, Check], ...] = (*((NavManners, check) for check in NAV_CHECKS),)


def opener(made: Any, folder: Path, **manners: Any) -> Opened:
    """Open a connector to a double with such manners."""
    (folder / "seed").mkdir()
    (folder / "seed" / "Item.csv").write_text(f"No,Description,Inventory\n{ITEM},Held,5\n")
    return partial(_MAKERS[made], folder, manners=made(**manners))


def _cases(kind: type) -> list[Any]:
    return [
        pytest.param(made, check, id=f"{made.__name__}.{check.manner}")
        for made, check in _CHECKS
        if isinstance(check, kind)
    ]


@pytest.mark.parametrize(("made", "rule"), _cases(Rule))
def test_a_rule_holds_and_would_be_missed(made: type, rule: Rule, tmp_path: Path) -> None:
    (tmp_path / "on").mkdir()
    (tmp_path / "off").mkdir()
    run(_told(rule.witness, opener(made, tmp_path / "on", **rule.beside)))
    off = opener(made, tmp_path / "off", **{**rule.beside, rule.manner: rule.off})
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run(_told(rule.witness, off))


@pytest.mark.parametrize(("made", "position"), _cases(Position))
def test_a_connector_lives_with_every_position(
    made: type, position: Position, tmp_path: Path
) -> None:
    for n, value in enumerate(position.values):
        folder = tmp_path / str(n)
        folder.mkdir()
        told = {**position.beside, position.manner: value}
        run(_told(position.witness, opener(made, folder, **told)))


@pytest.mark.parametrize("made", list(_MAKERS), ids=lambda made: made.__name__)
def test_every_manner_has_a_witness(made: type) -> None:
    named = [check.manner for kind, check in _CHECKS if kind is made]
    assert sorted(named) == sorted(known.name for known in fields(made))
    assert not [check for _, check in _CHECKS if isinstance(check, Unused) and not check.mark]


async def _told(witness: Any, opened: Opened) -> None:
    await witness(opened)
