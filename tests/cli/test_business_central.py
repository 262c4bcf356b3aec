"""Business Central and Sales, kept the same by YAML and the real connectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import ExitCode
from tests.cli.quickstart import Quickstart

if TYPE_CHECKING:
    from pathlib import Path


def test_both_ways_and_then_nothing(tmp_path: Path) -> None:
    made = Quickstart(tmp_path / "project")
    assert made.run("init", "--standard", "bc-sales", str(made.folder)).exit_code == ExitCode.DONE
    assert made.run("validate", "--online").exit_code == ExitCode.DONE
    ping = made.run("ping")
    assert ping.exit_code == ExitCode.DONE
    assert "(company CRONUS UK Ltd.)" in ping.stdout
    assert "All 59 cases passed." in made.run("test").stdout
    first = made.run("apply", "--yes")
    assert first.exit_code == ExitCode.DONE, first.output
    contacts = made.crm("GET", "/contacts?$select=firstname,lastname,_parentcustomerid_value")
    (ann,) = contacts["value"]
    assert (ann["firstname"], ann["lastname"]) == ("Ann Marie", "Beebe")
    # The contacts that Business Central keeps for the new companies are coupled once both stand.
    second = made.run("apply", "--yes")
    assert "2 to couple" in second.stdout, second.output
    again = made.run("apply", "--yes")
    assert again.exit_code == ExitCode.DONE, again.output
    assert "No changes." in again.stdout, again.output
    accounts = made.crm(
        "GET", "/accounts?$select=name,accountnumber,_ownerid_value,_transactioncurrencyid_value"
    )
    assert len(accounts["value"]) == 5
    found = {row["name"]: row for row in accounts["value"]}
    assert found["Adatum"]["accountnumber"] == "10000"
    assert found["Trey"]["_transactioncurrencyid_value"]
    assert found["Fabrikam Supplies"]["accountnumber"] == "V10000"
    products = made.crm("GET", "/products?$select=productnumber,statecode,price")["value"]
    assert {(row["productnumber"], row["statecode"]) for row in products} == {
        ("1896-S", 0), ("1908-S", 1), ("1925-W", 0),
    }  # fmt: skip
    prices = made.crm("GET", "/productpricelevels?$select=amount")["value"]
    assert sorted(row["amount"] for row in prices) == [188.5, 1000.8]
    # By the salesperson's code, which is not what Business Central knows the record by.
    assert found["Trey"]["_ownerid_value"] == "22222222-2222-4222-8222-222222222222"
    assert ann["_parentcustomerid_value"] == found["Adatum"]["accountid"]
    assert found["New in Sales"]["accountnumber"] in ("s-1", "S-1")
