"""The base of a mapping: its columns come and go all at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from runner.model import BaseColumn, Side
from runner.state import couplings, held

if TYPE_CHECKING:
    from pathlib import Path


def column(name: str, fingerprint: str = "1") -> BaseColumn:
    return BaseColumn(
        name=name, type="VARCHAR", side=Side.LEFT, field=name, source=name, fingerprint=fingerprint
    )


class Dying:
    """A connection that dies at the n-th statement."""

    def __init__(self, inner: Any, at: int) -> None:
        self.inner, self.left = inner, at

    def execute(self, *words: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.inner.execute(*words)


@pytest.mark.parametrize("at", range(1, 12))
def test_a_death_in_the_middle_leaves_the_old_columns_or_the_new(tmp_path: Path, at: int) -> None:
    old = [column("a"), column("b"), column("c")]
    new = [column("a"), column("b", "2"), column("d")]
    with held(tmp_path / "state.duckdb", "test") as store:
        with store.opened() as state:
            couplings.ensure_base(state, "m", old)
            state.execute("INSERT INTO state.base.m VALUES ('l', 'r', 'A', 'B', 'C')")
        with suppress(KeyboardInterrupt), store.opened() as state:
            couplings.ensure_base(Dying(state, at), "m", new)  # type: ignore[arg-type]
        with store.opened() as state:
            assert len(couplings.fitting(state, "m")) == 3
            couplings.ensure_base(state, "m", new)
            names = [row[0] for row in state.execute("DESCRIBE state.base.m").fetchall()]
            assert sorted(names) == ["a", "b", "d", "left_key", "right_key"]
            assert state.execute("SELECT a, b, d FROM state.base.m").fetchall() == [
                ("A", None, None)
            ]


def test_columns_that_fit_are_left_alone(tmp_path: Path) -> None:
    with held(tmp_path / "state.duckdb", "test") as store, store.opened() as state:
        couplings.ensure_base(state, "m", [column("a")])
        state.execute("INSERT INTO state.base.m VALUES ('l', 'r', 'A')")
        couplings.ensure_base(state, "m", [column("a"), column("b")])
        assert state.execute("SELECT a, b FROM state.base.m").fetchall() == [("A", None)]
