"""How an environment of Business Central behaves: the rules of the checklist (protocols E4).

Everything at its default is the faithful server; a rule set to ``False`` is switched off, and what
is not documented (protocols F) is a value.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessCentralManners:
    """The rules of one environment.

    ``client_ids`` (ids may be chosen on creation), ``needs_match`` (``If-Match`` is required),
    ``stale`` (how a stale one is answered), ``most_rows``, ``honours_size`` (of pages),
    ``encodes_options``, ``enumerations`` (options have types in ``$metadata``),
    ``local_currency`` (what a blank code stands for), ``across`` (``or`` over fields, F14),
    ``most_operations`` of a batch, ``misleads`` (a rolled back batch still tells of 201s),
    ``requests`` in five minutes, ``internal_links`` (next links name a host of its own network),
    ``cascades`` (between customers and the contacts of their companies).
    """

    client_ids: bool = True
    needs_match: bool = True
    stale: int = 409
    most_rows: int = 20_000
    honours_size: bool = True
    encodes_options: bool = True
    enumerations: bool = False
    local_currency: str = "GBP"
    across: bool = False
    most_operations: int = 100
    misleads: bool = True
    requests: int = 6_000
    internal_links: bool = False
    cascades: bool = True
