"""A value looked up in another entity of the system it comes from. Microsoft's rule 13.

The entity is read into a table of the run file, before anything is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import dialect
from runner.transform.kind import Transform
from runner.wire import Type

if TYPE_CHECKING:
    from runner.transform.kind import Arguments


def found_in(system: str, entity: str) -> str:
    """Name the table, quoted, of an entity that values are looked up in."""
    return dialect.name(f"find {system} {entity}")


def _find(value: str, given: Arguments) -> str:
    """Take a field of the first record, by its key, that holds the value in another."""
    table = found_in(str(given["system"]), str(given["entity"]))
    take, by = dialect.name(str(given["take"])), dialect.name(str(given["by"]))
    # Under other names: the value may be a field that is called like one of the other entity.
    other = f'(SELECT "#key", {take} AS "#take", {by} AS "#by" FROM {table})'
    found = f'(SELECT arg_min(f."#take", f."#key") FROM {other} f WHERE f."#by" = {value})'
    return f"coalesce({found}, {value})" if given.get("missing") == "keep" else found


FINDS = {"find": Transform(takes=Type.TEXT, gives=Type.TEXT, sql=_find)}
