"""Real rows of a company as the seeds of the NAV sandbox: CRONUS, and a large one beside it.

The rows stand beside the repository, with their provenance; where they are missing, the company is
the one of the quickstart.
"""

from __future__ import annotations

import csv
import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REPOSITORY = Path(__file__).parents[2]
REAL = REPOSITORY.parent / "shared" / "data"
PAGES = {
    "salespeople": "Salesperson",
    "currencies": "Currency",
    "currency_exchange_rates": "CurrencyExchangeRates",
    "units_of_measure": "Unit_of_Measure",
    "payment_terms": "PaymentTerms",
    "shipment_methods": "ShipmentMethods",
    "shipping_agents": "ShippingAgents",
    "customers": "Customer",
    "contacts": "Contact",
    "items": "Item",
    "resources": "Resource",
    "vendors": "Vendor",
    "customer_price_groups": "CustomerPriceGroup",
    "sales_prices": "SalesPrices",
    "opportunities": "Opportunity",
}
"""Files of real rows by the pages that they are read through."""
_RENAMED = {"Contact": "ContactName"}
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Company:
    """Where the rows of one company come from."""

    name: str
    large: bool = False

    def seeds(self, folder: Path) -> None:
        """Write the seeds of both systems: Sales has users and a base currency, and no more."""
        (folder / "crm").mkdir(parents=True)
        if not REAL.is_dir() or self.name == "quickstart":
            quickstart = REPOSITORY / "examples" / "quickstart" / "data"
            shutil.copytree(quickstart / "nav", folder / "nav")
            shutil.copy(quickstart / "crm" / "systemusers.csv", folder / "crm")
        else:
            (folder / "nav").mkdir()
            self._real(folder / "nav")
            shutil.copy(REAL / "crm" / "systemusers.csv", folder / "crm")
        (folder / "crm" / "transactioncurrencies.csv").write_text(
            "isocurrencycode,currencyname,currencysymbol,currencyprecision,exchangerate\n"
            "GBP,Pound Sterling,£,2,1\n",
            encoding="utf-8",
        )

    def _real(self, folder: Path) -> None:
        for name, page in PAGES.items():
            rows = list(_read(REAL / "nav" / f"{name}.csv"))
            if self.large:
                rows += _read(REAL / "large" / f"{name}.csv.gz")
            _written(folder / f"{page}.csv", [_fitting(page, row) for row in rows])
        links = [
            {"No": row["No"], "Contact_No": row["Contact_No"]}
            for row in _read(REAL / "nav" / "contact_business_relations.csv")
            if row["Link_to_Table"] == "Customer"
        ]
        if self.large:
            links += [
                {"No": row["_Customer_No"], "Contact_No": row["No"]}
                for row in _read(REAL / "large" / "contacts.csv.gz")
                if row["Type"] == "Company" and row["_Customer_No"]
            ]
        _written(folder / "ContactBusinessRelation.csv", links)


def _fitting(page: str, row: Row) -> Row:
    """Name the columns as the page does, and cut texts that NAV 2018 has no room for."""
    named = {
        _RENAMED.get(name, name) if page == "Customer" else name: value
        for name, value in row.items()
        if not name.startswith("_")
    }
    for name, most in (("Description", 50), ("Name", 50), ("City", 30), ("E_Mail", 80)):
        if name in named:
            named[name] = named[name][: 10 if page == "Unit_of_Measure" else most].strip()
    return named


def _read(path: Path) -> Iterator[Row]:
    if not path.is_file():
        return
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _written(path: Path, rows: Iterable[Row]) -> None:
    told = list(rows)
    names = list(dict.fromkeys(name for row in told for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names or ["No"])
        writer.writeheader()
        writer.writerows(told)
