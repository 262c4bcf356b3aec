"""Two systems that are tables alone: the warehouse example, by the commands, both ways."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from runner.errors import ExitCode
from tests.cli.quickstart import REPOSITORY, Quickstart

if TYPE_CHECKING:
    from pathlib import Path


def warehouse(folder: Path) -> Quickstart:
    ignored = shutil.ignore_patterns(".sync-run")
    source = REPOSITORY / "examples" / "warehouse"
    return Quickstart(shutil.copytree(source, folder / "warehouse", ignore=ignored))


def shop(made: Quickstart, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(made.folder / ".sync-run" / "shop.duckdb") as connection:
        return connection.execute(sql).fetchall()


def depot(made: Quickstart, name: str) -> Path:
    return made.folder / ".sync-run" / "depot" / name


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def articles(made: Quickstart) -> dict[str, dict[str, Any]]:
    told = json.loads(depot(made, "articles.json").read_text(encoding="utf-8"))
    return {article["code"]: article for article in told}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Quickstart:
    made = warehouse(tmp_path_factory.mktemp("applied"))
    result = made.run("apply", "--yes")
    assert result.exit_code == ExitCode.DONE, result.output
    assert "Plan: 10 to create, 7 to update, 5 to couple." in result.stdout
    return made


def test_a_second_apply_finds_nothing_to_do(applied: Quickstart) -> None:
    before = {p.name: p.stat().st_ino for p in depot(applied, "").iterdir()}
    result = applied.run("apply", "--yes")
    assert result.exit_code == ExitCode.DONE
    assert "No changes." in result.stdout
    assert {p.name: p.stat().st_ino for p in depot(applied, "").iterdir()} == before


def test_the_readme_shows_what_is_printed(applied: Quickstart, tmp_path: Path) -> None:
    readme = (applied.folder / "README.md").read_text(encoding="utf-8")
    printed = warehouse(tmp_path).run("apply", "--yes").stdout
    for line in (line for line in printed.splitlines() if line.startswith(("Plan:", "  "))):
        if line.startswith(("Plan:", "  customers", "  products", "  orders")):
            assert line in readme, line


def test_orders_name_customers_and_products_as_the_depot_knows_them(applied: Quickstart) -> None:
    lines = depot(applied, "shipments.csv").read_text(encoding="utf-8").splitlines()
    chain = articles(applied)["CHAIN-10"]["number"]
    assert lines == [
        "order_no;recipient_no;article;quantity;value;ordered;remark",
        "1001;R7;100;2;19.8;2026-03-02;",
        "1002;R1;102;5;445;2026-03-03;",
        "1003;R8;101;2;63.9;2026-03-05;",
        f"1005;R3;{chain};1;24.5;2026-03-06;",
    ]


def test_what_nobody_mapped_is_as_it_was(applied: Quickstart) -> None:
    first = depot(applied, "recipients.csv").read_text(encoding="utf-8").splitlines()[1]
    assert first.startswith("R7;Anna Vogel;Elbstraße 4;01067;Dresden;Germany;")
    assert ";0042;" in first
    assert articles(applied)["BELL-01"]["bins"] == ["A1", "A2"]
    assert "bins" not in articles(applied)["CHAIN-10"]
    assert not list((applied.folder / "data").rglob("*.duckdb"))


def test_a_file_and_a_table_edited_by_hand_travel_in_opposite_directions(tmp_path: Path) -> None:
    made = warehouse(tmp_path)
    made.run("apply", "--yes")
    edited(depot(made, "recipients.csv"), "Oudegracht 112;3511 AW", "Oudegracht 9;03511")
    edited(depot(made, "articles.json"), '"on_hand": 36', '"on_hand": 34')
    shop(made, "UPDATE customers SET city = 'Bremen-Nord' WHERE id = 4")
    shop(made, "UPDATE products SET unit = 'box', price = 99.95 WHERE sku = 'LAMP-02'")
    shop(made, "UPDATE orders SET paid = TRUE WHERE id = 1004")
    result = made.run("apply", "--yes")
    assert result.exit_code == ExitCode.DONE, result.output
    assert "Plan: 1 to create, 4 to update, 0 to couple." in result.stdout
    assert shop(made, "SELECT street, postcode FROM customers WHERE name LIKE 'Fietsen%'") == [
        ("Oudegracht 9", "03511")
    ]
    assert shop(made, "SELECT stock FROM products WHERE sku = 'TYRE-28'") == [(34,)]
    assert ";28195;Bremen-Nord;Germany;" in depot(made, "recipients.csv").read_text()
    lamp = articles(made)["LAMP-02"]
    assert (lamp["unit"], lamp["price"]) == (2, 99.95)
    shipped = depot(made, "shipments.csv").read_text().splitlines()[-1]
    assert shipped == f"1004;R3;{lamp['number']};1;39;2026-03-06;"
    assert made.plan()["changes"] == 0


def test_the_newest_wins_where_both_changed_the_same(tmp_path: Path) -> None:
    made = warehouse(tmp_path)
    made.run("apply", "--yes")
    edited(depot(made, "recipients.csv"), "Elbstraße 4;01067", "Elbweg 1;01067")
    shop(
        made,
        """UPDATE customers SET street = 'Elbufer 2', updated_at = '2026-03-01 00:00:00'
        WHERE id = 1""",
    )
    assert made.run("apply", "--yes").exit_code == ExitCode.DONE
    assert shop(made, "SELECT street FROM customers WHERE id = 1") == [("Elbweg 1",)]
    assert made.plan()["changes"] == 0


def test_what_a_table_refuses_is_told_and_the_rest_is_done(tmp_path: Path) -> None:
    made = warehouse(tmp_path)
    made.run("apply", "--yes")
    path = depot(made, "recipients.csv")
    edited(path, 'R9;"Fietsen; Zonen"', "R9;")
    edited(path, "Storgatan 2", "Storgatan 3")
    result = made.run("apply", "--yes")
    assert result.exit_code == ExitCode.DONE, result.output
    shop(made, "UPDATE products SET stock = 0")
    edited(depot(made, "articles.json"), '"on_hand": 36', '"on_hand": 5000000000')
    result = made.run("apply", "--yes")
    assert result.exit_code == ExitCode.RECORDS_FAILED
    assert "5000000000" in result.stdout
    assert "Conversion Error" in result.stdout
    assert "Traceback" not in result.output
    assert shop(made, "SELECT stock FROM products WHERE sku = 'BELL-01'") == [(240,)]


def test_a_folder_that_is_gone_stops_before_anything_is_touched(tmp_path: Path) -> None:
    made = warehouse(tmp_path)
    made.run("apply", "--yes")
    edited(made.folder / "sync.yaml", "    seed: data/depot\n", "")
    shutil.rmtree(depot(made, ""))
    result = made.run("plan")
    assert result.exit_code == ExitCode.UNUSABLE
    assert "error: depot: there is no folder" in result.stderr
    assert "hint: look at `url:`" in result.stderr


def test_a_misspelled_column_is_told_with_its_place(tmp_path: Path) -> None:
    made = warehouse(tmp_path)
    edited(made.folder / "mappings" / "orders.yaml", "depot: ordered", "depot: orderd")
    result = made.run("plan")
    assert result.exit_code == ExitCode.UNUSABLE
    place = "mappings/orders.yaml:15:5"
    assert f"{place}: shipments has no field 'orderd' — did you mean 'ordered'?" in result.stderr


def test_explain_shows_the_sql_of_both(applied: Quickstart) -> None:
    told = applied.run("plan", "--explain", "products").stdout
    assert 'FROM "main"."products" ORDER BY 1' in told
    assert "-- read articles of depot\nSELECT " in told
