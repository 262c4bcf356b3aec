"""Guards, saved plans, undo and the state, as people meet them on the command line."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from runner.cli import app

if TYPE_CHECKING:
    from pathlib import Path

SYNC = """name: depot
systems:
  shop: {connector: files, url: shop, types: {items: {stock: integer}}}
  depot: {connector: files, url: depot, types: {goods: {stock: integer}}}
"""
MAPPING = """mapping: items
direction: both
conflict: {delete: delete}
shop: {entity: items, key: id}
depot: {entity: goods, key: id}
match: [{shop: id, depot: id}]
fields:
  - {shop: id, depot: id}
  - {shop: name, depot: name}
  - {shop: stock, depot: stock, direction: shop -> depot}
"""


@dataclass(frozen=True, slots=True)
class Depot:
    """A project over two folders of CSV files."""

    folder: Path

    def run(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["-C", str(self.folder), *words])
        assert result.exit_code == code, result.output
        return result

    def rows(self, name: str) -> dict[str, dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return {row["id"]: row for row in csv.DictReader(file)}

    def write(self, name: str, rows: dict[str, dict[str, str]]) -> None:
        with (self.folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["id", "name", "stock"])
            writer.writeheader()
            writer.writerows(rows.values())


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    made = Depot(tmp_path)
    for folder in ("shop", "depot", "mappings"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sync.yaml").write_text(SYNC, encoding="utf-8")
    (tmp_path / "mappings" / "items.yaml").write_text(MAPPING, encoding="utf-8")
    items = {f"{n}": {"id": f"{n}", "name": f"Item {n}", "stock": f"{n}"} for n in range(20)}
    made.write("shop/items.csv", items)
    made.write("depot/goods.csv", {})
    made.run("apply", "--yes")
    assert len(made.rows("depot/goods.csv")) == 20
    return made


def test_a_guard_is_shown_stops_and_is_lifted_by_name(depot: Depot) -> None:
    items = depot.rows("shop/items.csv")
    depot.write("shop/items.csv", {no: items[no] for no in list(items)[:8]})
    shown = depot.run("plan", code=4).stdout
    assert "guards  apply stops before its first write" in shown
    what = "12 coupled records are gone, or would be deleted, at the most 20% of 20 may"
    assert f"  ! items.max_deletes: {what}" in shown
    lifted = "--allow items.max_deletes --allow run.max_deletes"
    assert f"apply {lifted}\n" in shown
    stopped = depot.run("apply", "--yes", code=4)
    assert "error: nothing was written, because of guards:" in stopped.stderr
    told: dict[str, Any] = json.loads(depot.run("apply", "--json", code=4).stdout)
    assert [guard["guard"] for guard in told["plan"]["guards"]] == [
        "items.max_deletes", "run.max_deletes",
    ]  # fmt: skip
    assert told["report"] is None
    assert len(depot.rows("depot/goods.csv")) == 20
    depot.run("apply", "--yes", "--allow", "items.max_deletes", code=4)
    unknown = depot.run("apply", "--yes", "--allow", "item.deletes", code=1)
    assert "there is no guard 'item.deletes'" in unknown.stderr
    assert "did you mean 'items.deletes'?" in unknown.stderr
    depot.run("apply", "--yes", *lifted.split())
    assert len(depot.rows("depot/goods.csv")) == 8


def test_a_saved_plan_tells_how_long_it_holds_and_when_it_was_done(depot: Depot) -> None:
    items = depot.rows("shop/items.csv")
    items["3"]["name"] = "Three"
    depot.write("shop/items.csv", items)
    file = str(depot.folder / "a plan")
    assert f"Saved to {file}; " in depot.run("plan", "--out", file, "--expires", "7d").stderr
    assert "is no length of time" in depot.run("plan", "--expires", "soon", code=1).stderr
    assert "Run 2" in depot.run("apply", file).stdout
    assert depot.rows("depot/goods.csv")["3"]["name"] == "Three"
    again = depot.run("apply", file)
    assert again.stdout == ("This plan was carried out already, by run 2: nothing is left to do.\n")


def test_a_plan_sealed_with_a_key_needs_it(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    items = depot.rows("shop/items.csv")
    items["3"]["name"] = "Three"
    depot.write("shop/items.csv", items)
    file = str(depot.folder / "a.plan")
    monkeypatch.setenv("SYNC_RUN_PLAN_KEY", "secret-7f")
    depot.run("plan", "--out", file)
    monkeypatch.delenv("SYNC_RUN_PLAN_KEY")
    refused = depot.run("apply", file, code=4)
    assert "sealed with a key" in refused.stderr
    assert "set SYNC_RUN_PLAN_KEY" in refused.stderr
    assert "secret-7f" not in refused.output
    monkeypatch.setenv("SYNC_RUN_PLAN_KEY", "secret-7f")
    depot.run("apply", file)


def test_a_run_is_undone(depot: Depot) -> None:
    items = depot.rows("shop/items.csv")
    items["3"]["name"], items["4"]["name"] = "Three", "Four"
    items["99"] = {"id": "99", "name": "New", "stock": "0"}
    depot.write("shop/items.csv", items)
    depot.run("apply", "--yes")
    goods = depot.rows("depot/goods.csv")
    goods["4"]["name"] = "Vier"
    depot.write("depot/goods.csv", goods)
    file = str(depot.folder / "undo.plan")
    told = depot.run("undo", "2", "--out", file)
    assert "run 2 changed it" in told.stdout
    assert "run 2 created it" in told.stdout
    assert "changed since run 2 wrote it" in told.stdout
    depot.run("apply", "--yes", file, code=3)
    goods = depot.rows("depot/goods.csv")
    assert (goods["3"]["name"], goods["4"]["name"], "99" in goods) == ("Item 3", "Vier", False)
    assert "there is no run 9" in depot.run("undo", "9", code=1).stderr


def test_the_state_is_looked_after(depot: Depot) -> None:
    copy = str(depot.folder / "copy")
    checked = depot.run("state", "check").stdout
    assert "20 pairs in 1 mappings\n  items  20\nsound\n" in checked
    told = json.loads(depot.run("state", "check", "--json").stdout)
    assert told["state"]["couplings"] == {"items": 20}
    depot.run("state", "backup", copy)
    depot.run("uncouple", "items", "3")
    assert "The old state is kept as " in depot.run("state", "restore", copy).stderr
    assert "20 pairs" in depot.run("state", "check").stdout
    assert "is no state" in depot.run("state", "restore", "mappings", code=1).stderr
    state = depot.folder / ".sync-run" / "state.duckdb"
    state.write_bytes(state.read_bytes()[:100_000])
    assert "is damaged" in depot.run("plan", code=1).stderr
    assert "is damaged" in depot.run("state", "check", code=1).stderr
    shown = depot.run("state", "repair", "--dry-run")
    assert "Plan: 0 to create, 0 to update, 20 to couple." in shown.stdout
    assert "is damaged" in depot.run("plan", code=1).stderr
    assert "is new, with 20 pairs." in depot.run("state", "repair", "--yes").stdout
    assert depot.run("plan").stdout.startswith("No changes.\n")


def test_nobody_else_can_read_what_is_written(depot: Depot) -> None:
    before = os.umask(0)
    try:
        items = depot.rows("shop/items.csv")
        items["3"]["name"] = "Three"
        depot.write("shop/items.csv", items)
        depot.run("plan", "--out", str(depot.folder / "a.plan"))
        depot.run("state", "backup", str(depot.folder / "a.copy"))
        depot.run("apply", "--yes")
    finally:
        os.umask(before)
    own = [depot.folder / "a.plan", depot.folder / "a.copy", depot.folder / ".sync-run"]
    own += list((depot.folder / ".sync-run").rglob("*"))
    assert len(own) >= 5
    assert {path.name for path in own if path.stat().st_mode & 0o077} == set()
