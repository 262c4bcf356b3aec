"""The first records of a company."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.sandbox import seeds
from runner.sandbox.nav.metadata import services
from runner.sandbox.nav.rules import LINKS, inserted
from runner.sandbox.nav.session import key_of

if TYPE_CHECKING:
    from pathlib import Path

    from runner.sandbox.store import Store


def fill(store: Store, folder: Path | None) -> None:
    """Fill a company; the links between customers and their contacts come first."""
    store.next("version")
    for row in seeds.rows(folder, LINKS):
        store.put(LINKS, row["No"], {"Contact_No": row["Contact_No"]})
    for name, service in services().items():
        if service.rows != name:
            continue
        for row in seeds.rows(folder, name):
            body = {
                control.name: seeds.typed(control.type, row[control.name])
                for control in service.table.values()
                if row.get(control.name)
            }
            whole = {key: service.controls[key].blank for key in service.keys} | body
            key = key_of(service, whole)
            store.put(name, key, inserted(store, service, key, body, seeds.SEEDED.date()))
