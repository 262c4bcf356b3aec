"""What a page of a table holds, as SQL and as what it selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.wire import Page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from runner.connectors.tables.cells import Table


def of_page(table: Table, fields: Sequence[str]) -> str:
    """SQL of what a page holds: key, ETag, then the fields.

    Without names of their own: DuckDB would take these for the columns, in conditions as well.
    """
    return ", ".join([table.key.key, table.etag, *(table.columns[name].wire for name in fields)])


def page_of(rows: Sequence[tuple[Any, ...]], fields: Sequence[str]) -> Page:
    """Turn what ``of_page`` selected into a page."""
    keys, etags, *columns = (list(column) for column in zip(*rows, strict=True))
    return Page(keys=keys, etags=etags, columns=dict(zip(fields, columns, strict=True)))
