"""Ways from one record to others: lookups, and the collections at their other end (A4, A5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from runner.sandbox.dataverse.metadata import entities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.sandbox.dataverse.metadata import Attribute, Entity
    from runner.sandbox.store import Body, Row, Store

# Names are Microsoft's, the odd one included; what is left out here is not served.
_COLLECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "account": {
        "account_parent_account": ("account", "parentaccountid"),
        "contact_customer_accounts": ("contact", "parentcustomerid"),
        "opportunity_customer_accounts": ("opportunity", "customerid"),
        "opportunity_parent_account": ("opportunity", "parentaccountid"),
    },
    "contact": {
        "account_primary_contact": ("account", "primarycontactid"),
        "contact_customer_contacts": ("contact", "parentcustomerid"),
        "opportunity_customer_contacts": ("opportunity", "customerid"),
        "opportunity_parent_contact": ("opportunity", "parentcontactid"),
    },
    "pricelevel": {
        "price_level_accounts": ("account", "defaultpricelevelid"),
        "price_level_contacts": ("contact", "defaultpricelevelid"),
        "price_level_opportunties": ("opportunity", "pricelevelid"),
        "price_level_product_price_levels": ("productpricelevel", "pricelevelid"),
        "price_level_products": ("product", "pricelevelid"),
    },
    "product": {
        "product_parent_product": ("product", "parentproductid"),
        "product_price_levels": ("productpricelevel", "productid"),
    },
    "transactioncurrency": {
        "transactioncurrency_account": ("account", "transactioncurrencyid"),
        "transactioncurrency_contact": ("contact", "transactioncurrencyid"),
        "transactioncurrency_opportunity": ("opportunity", "transactioncurrencyid"),
        "transactioncurrency_pricelevel": ("pricelevel", "transactioncurrencyid"),
        "transactioncurrency_product": ("product", "transactioncurrencyid"),
        "transactioncurrency_productpricelevel": ("productpricelevel", "transactioncurrencyid"),
    },
    "uom": {
        "unit_of_measurement_base_unit": ("uom", "baseuom"),
        "unit_of_measurement_product_price_levels": ("productpricelevel", "uomid"),
        "unit_of_measurement_products": ("product", "defaultuomid"),
    },
    "uomschedule": {
        "unit_of_measure_schedule_conversions": ("uom", "uomscheduleid"),
        "unit_of_measure_schedule_product_price_level": ("productpricelevel", "uomscheduleid"),
        "unit_of_measure_schedule_products": ("product", "defaultuomscheduleid"),
    },
}


@dataclass(frozen=True, slots=True)
class Way:
    """A navigation property. ``attribute`` is the lookup: ours, or that of the other end.

    ``many``: it leads to all records whose lookup holds us.
    """

    name: str
    source: Entity
    target: Entity
    attribute: Attribute
    many: bool

    def holds(self, row: Row) -> Callable[[Body], bool]:
        """Whether a record at the other end belongs to one of ours."""
        column, kind = self.attribute.property, f"_{self.attribute.name}_type"
        wanted = self.source.logical
        several = len(self.attribute.targets or {}) > 1
        return lambda body: (
            body.get(column) == row.key and (not several or body.get(kind) == wanted)
        )

    def follow(self, store: Store, row: Row) -> Iterator[Row]:
        """Yield the records that this leads to, by key."""
        if self.many:
            holds = self.holds(row)
            yield from (other for other in store.rows(self.target.set) if holds(other.body))
            return
        key = row.body.get(self.attribute.property)
        kind = row.body.get(f"_{self.attribute.name}_type") or self.target.logical
        found = store.get(self.target.set, key) if key and kind == self.target.logical else None
        if found is not None:
            yield found


@cache
def ways(logical: str) -> Mapping[str, Way]:
    """Return the navigation properties of a table by their names."""
    known, source = entities(), entities()[logical]
    found = {
        name: Way(name, source, known[target], attribute, many=False)
        for attribute in source.attributes.values()
        for target, name in (attribute.targets or {}).items()
        if target in known
    }
    for name, (child, lookup) in _COLLECTIONS.get(logical, {}).items():
        attribute = known[child].attributes[lookup]
        found[name] = Way(name, source, known[child], attribute, many=True)
    return found
