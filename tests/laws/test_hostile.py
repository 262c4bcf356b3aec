"""Names and values are never words of SQL, of a path or of a query: the walk over hostile ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from runner.model import DeleteConflict, Entity
from runner.state.care import backup, check, restore
from runner.wire import EntityType, Type
from tests.fakes import HERE, Fake, fields
from tests.world import BOTH, World, field, mapping, pair

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = [
    "'; DROP TABLE coupling; --",
    '"; DELETE FROM state.main.coupling; --',
    "' OR 1=1 --",
    "x' or name ne '",
    "?$filter=true&$top=1",
    "../../etc/passwd",
    "%27%20or%20true",
    "{0} {name} ${HOME} $1",
    "known-after-apply:",
    "a:b|c\\'d\\\"e`f",
    "read_text('/etc/passwd')",
    "\u202eevil\u200b",
    "' || (SELECT 1) || '",
]


def hostile(folder: Path, name: str, words: str) -> World:
    """A mapping called so, over entities and fields called so, whose records hold such words."""
    names = [f"{words}{n}" for n in range(2)]
    kinds = fields(id=Type.TEXT, **dict.fromkeys(names, Type.TEXT))
    left, right = (
        Fake({words: EntityType(name=words, key="id", label=names[0], fields=kinds)})
        for _ in range(2)
    )
    shop, desk = (
        Entity(system=system, entity=words, key="id", at=HERE) for system in ("shop", "desk")
    )
    rules = [field("id", "id"), *(field(n, n, BOTH) for n in names)]
    made = mapping(name, shop, desk, *rules, match=(pair(names[0], names[0]),))
    return World(folder, left, right, (replace(made, deleted=DeleteConflict.DELETE),))


def rows(fake: Fake, words: str) -> dict[str, dict[str, Any]]:
    return {key: dict(row) for key, row in fake.rows[words].items()}


@pytest.mark.parametrize("words", HOSTILE)
def test_the_whole_walk_over_hostile_words(tmp_path: Path, words: str) -> None:
    folder = tmp_path / 'it\'s a "folder"; DROP'
    folder.mkdir()
    made = hostile(folder, f"m{words.replace(':', '')}", words)
    first, second = f"{words}0", f"{words}1"
    made.shop.put(words, words, **{first: words, second: f"{words} & {words}"})
    made.shop.put(words, "other", **{first: "other", second: "' OR ''='"})
    made.apply()
    assert rows(made.desk, words) == rows(made.shop, words)
    made.desk.put(words, words, **{second: words * 2})
    saved, copied = folder / "it's.plan", folder / "a 'copy'"
    made.plan(out=saved)
    made.apply_file(saved)
    assert rows(made.desk, words) == rows(made.shop, words)
    assert made.apply().document["changes"] == 0
    backup(made.project.state, copied)
    restore(made.project.state, copied)
    told = made.undo(2, out=folder / "undo'.plan")
    assert [a["action"] for m in told.document["mappings"] for a in m["actions"]] == ["update"]
    made.apply_file(folder / "undo'.plan")
    assert made.shop.rows[words][words][second] == f"{words} & {words}"
    made.shop.remove(words, "other")
    made.apply()
    assert list(made.desk.rows[words]) == [words]
    assert check(made.project.state).problems == ()
    with duckdb.connect(str(made.project.state), read_only=True) as state:
        assert state.execute("SELECT left_key, right_key FROM coupling").fetchall() == [
            (words, words)
        ]
