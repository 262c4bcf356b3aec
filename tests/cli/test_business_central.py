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
""",
    "mappings/currencies.yaml": """
mapping: currencies
direction: bc -> crm
bc: {entity: currencies, key: id, label: code}
crm: {entity: transactioncurrencies, key: transactioncurrencyid, label: currencyname}
match: [{bc: code, crm: isocurrencycode}]
fields:
  - {bc: code, crm: isocurrencycode}
  - {bc: displayName, crm: currencyname}
  - {bc: symbol, crm: currencysymbol, blank: keep}
defaults:
  crm: {currencysymbol: "¤", currencyprecision: 2, exchangerate: 1}
""",
    "mappings/customers.yaml": """
mapping: customers
direction: both
bc: {entity: customers, key: id, label: number}
crm: {entity: accounts, key: accountid, filter: "customertypecode == `3`"}
match: [{bc: number, crm: accountnumber}, {bc: displayName, crm: name, case: ignore}]
fields:
  - {bc: number, crm: accountnumber}
  - {bc: displayName, crm: name}
  - {bc: addressLine1, crm: address1_line1}
  - {bc: city, crm: address1_city}
  - {bc: phoneNumber, crm: telephone1}
  - {bc: website, crm: websiteurl, too_long: truncate}
  - {bc: creditLimit, crm: creditlimit, round: 2, direction: bc -> crm}
  - {bc: currencyId, crm: transactioncurrencyid, lookup: currencies, blank: keep,
     unresolved: {bc: keep}}
  - {crm: customertypecode, constant: 3, direction: bc -> crm}
""",
    "data/bc/currencies.csv": "code,displayName,symbol\nDKK,Danish krone,kr\n",
    "data/bc/customers.csv": "number,displayName,city,creditLimit,currencyCode\n"
    "10000,Adatum,London,10.5,\n20000,Trey,Bath,,DKK\n",
    # The base currency of Sales is the local one of Business Central, which is no record there.
    "data/crm/transactioncurrencies.csv": "isocurrencycode,currencyname,currencysymbol,"
    "currencyprecision,exchangerate\nGBP,Pound,£,2,1\n",
    "data/crm/accounts.csv": "name,customertypecode,address1_city,accountnumber\n"
    "Adatum,3,London,10000\nNew in Sales,3,Leeds,s-1\nProspect,,York,\n",
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
    first = made.run("apply", "--yes")
    assert first.exit_code == ExitCode.DONE, first.output
    again = made.run("apply", "--yes")
    assert again.exit_code == ExitCode.DONE, again.output
    assert "No changes." in again.stdout, again.output
    accounts = made.crm("GET", "/accounts?$select=name,accountnumber,_transactioncurrencyid_value")
    assert len(accounts["value"]) == 4
    found = {row["name"]: row for row in accounts["value"]}
    assert found["Adatum"]["accountnumber"] == "10000"
    assert found["Trey"]["_transactioncurrencyid_value"]
    assert found["New in Sales"]["accountnumber"] in ("s-1", "S-1")
