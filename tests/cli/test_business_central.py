"""Business Central and Sales, kept the same by YAML and the real connectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import ExitCode
from tests.cli.quickstart import Quickstart

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "sync.yaml": """
systems:
  bc: {connector: business_central, url: "sandbox:bc", company: CRONUS UK Ltd., seed: data/bc}
  crm: {connector: dataverse, url: "sandbox:crm", seed: data/crm}
mappings: ["standard:bc-sales"]
""",
    "data/bc/currencies.csv": "code,displayName,symbol\nDKK,Danish krone,kr\n",
    "data/bc/salespeoplePurchasers.csv": "code,displayName,email\nJO,Jim Olive,jo@x.example\n"
    "PS,Peter Saddow,ps@x.example\n",
    "data/bc/customers.csv": "number,displayName,city,creditLimit,currencyCode,salespersonCode\n"
    "10000,Adatum,London,10.5,,JO\n20000,Trey,Bath,,DKK,PS\n",
    # Person 1 is at Adatum, whose company contact is 2.
    "data/bc/contacts.csv": "number,type,displayName,companyNumber,email\n"
    "CT1,Person,Ann Marie Beebe,CT2,ann@adatum.example\nCT2,Company,Adatum,CT2,\n",
    "data/bc/contactBusinessRelations.csv": "customer,contact\n10000,CT2\n",
    # The base currency of Sales is the local one of Business Central, which is no record there.
    "data/crm/transactioncurrencies.csv": "isocurrencycode,currencyname,currencysymbol,"
    "currencyprecision,exchangerate\nGBP,Pound,£,2,1\n",
    "data/crm/systemusers.csv": "systemuserid,fullname,internalemailaddress,isdisabled,islicensed,"
    "isintegrationuser\n"
    "11111111-1111-4111-8111-111111111111,Jim Olive,JO@x.example,false,true,false\n"
    "22222222-2222-4222-8222-222222222222,Peter Saddow,ps@x.example,false,true,false\n",
    "data/crm/accounts.csv": "name,customertypecode,address1_city,accountnumber,ownerid\n"
    "Adatum,3,London,10000,11111111-1111-4111-8111-111111111111\n"
    "New in Sales,3,Leeds,s-1,22222222-2222-4222-8222-222222222222\nProspect,,York,,\n",
}


def test_both_ways_and_then_nothing(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    made = Quickstart(tmp_path)
    assert made.run("validate", "--online").exit_code == ExitCode.DONE
    ping = made.run("ping")
    assert ping.exit_code == ExitCode.DONE
    assert "(company CRONUS UK Ltd.)" in ping.stdout
    assert "All 26 cases passed." in made.run("test").stdout
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
    assert len(accounts["value"]) == 4
    found = {row["name"]: row for row in accounts["value"]}
    assert found["Adatum"]["accountnumber"] == "10000"
    assert found["Trey"]["_transactioncurrencyid_value"]
    # By the salesperson's code, which is not what Business Central knows the record by.
    assert found["Trey"]["_ownerid_value"] == "22222222-2222-4222-8222-222222222222"
    assert ann["_parentcustomerid_value"] == found["Adatum"]["accountid"]
    assert found["New in Sales"]["accountnumber"] in ("s-1", "S-1")
