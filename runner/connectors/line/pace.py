"""How much is asked of a server at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Requests at a time, rows a page, writes in one request; no more than that.

    ``page_size`` 0 leaves it to the server.
    """

    concurrency: int
    page_size: int = 0
    together: int = 1
