"""The doubles' rules matter: each one, switched off, is missed by a test of its connector."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import SystemUnavailableError
from runner.sandbox.business_central.manners import BusinessCentralManners
from runner.sandbox.dataverse.manners import DataverseManners
from runner.sandbox.nav.manners import NavManners
from tests.connectors.business_central_witnesses import BUSINESS_CENTRAL_CHECKS
from tests.connectors.dataverse_witnesses import DATAVERSE_CHECKS
from tests.connectors.nav_witnesses import ITEM, NAV_CHECKS
from tests.connectors.systems import bc, crm, nav, run
from tests.connectors.witnesses import Check, Position, Rule, Unused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.connectors.systems import Line
    from tests.connectors.witnesses import Opened

_MAKERS: dict[type, Any] = {
    NavManners: nav,
    DataverseManners: crm,
    BusinessCentralManners: bc,
}
_CHECKS: tuple[tuple[type, Check], ...] = (
    *((NavManners, check) for check in NAV_CHECKS),
    *((DataverseManners, check) for check in DATAVERSE_CHECKS),
    *((BusinessCentralManners, check) for check in BUSINESS_CENTRAL_CHECKS),
)


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
    with pytest.raises((AssertionError, pytest.fail.Exception, SystemUnavailableError)):
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


@pytest.mark.parametrize("made", list(_MAKERS), ids=lambda made: made.__name__)
def test_what_is_called_unused_is_never_sent(made: type, tmp_path: Path) -> None:
    checks = [check for kind, check in _CHECKS if kind is made]
    marks = [check.mark for check in checks if isinstance(check, Unused)]
    lines: list[Line] = []
    for n, check in enumerate(c for c in checks if isinstance(c, Rule)):
        folder = tmp_path / str(n)
        folder.mkdir()
        opened = opener(made, folder, **check.beside)

        def noting(_opened: Opened = opened, **options: Any) -> Any:
            connector, line, time = _opened(**options)
            lines.append(line)
            return connector, line, time

        run(_told(check.witness, noting))
    sent = [f"{r.method} {r.url} {r.content!r}" for line in lines for r in line.passed]
    assert sent
    assert not [told for told in sent if any(mark in told for mark in marks)]


async def _told(witness: Any, opened: Opened) -> None:
    await witness(opened)
