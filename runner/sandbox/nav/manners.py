"""How a server of NAV 2018 behaves: the rules of the checklist (protocols E3)."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read when manners are made from JSON
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class NavManners:
    """The rules of one server and its company; each says in which line of E3 it stands.

    Everything at its default is the faithful server; a rule set to ``False`` is switched off, and
    what is not confirmed (protocols F) is a value.

    Paths: ``falls_back`` (a request that names no company gets the default one).
    401: ``words`` (its body: empty, or a page of HTML).
    $metadata: ``dates`` (F8), ``notes_types`` (``NAV.NavType`` tells codes and options from texts).
    Publishable pages: ``published`` (``None``: all), ``lists_are_read_only``.
    Filters: ``across`` (``or`` over fields), ``wildcards`` (C/SIDE reads them into values).
    Page size: ``most_rows``, ``honours_size`` (F10), ``internal_links`` (next links name a host of
    its own network).
    Values: ``blank_option`` (how the blank member is written), ``upper_codes``, ``max_length``.
    POST: ``series`` (number series are set up), ``manual_numbers`` (numbers may be given all the
    same), ``defaults`` (what a new record gets where it says nothing, by page), ``relations`` (are
    checked), ``duplicate`` (F11).
    PATCH, PUT, DELETE: ``needs_match``, ``stale`` and ``updated`` (F9), ``read_only`` (controls
    that only show refuse), ``renames`` (a new key renames).
    Last_Date_Modified: ``stamps``, ``local`` (minutes that the server's days begin before UTC's).
    Cascades: ``cascades`` (between customers and their contacts).
    Refusals: ``dialogs`` (pages that ask before they delete), ``blocked_deletes`` (what has
    entries stays), ``forbidden`` (pages without permission to write), ``forbidden_status``.
    Table locking: ``locked`` (every so many writes meet a lock; 0: none), ``locked_status`` (F15).
    """

    falls_back: bool = False
    words: Literal["", "html"] = ""
    dates: Literal["Edm.Date", "Edm.DateTimeOffset"] = "Edm.Date"
    notes_types: bool = True
    published: frozenset[str] | None = None
    lists_are_read_only: bool = True
    across: bool = False
    wildcards: bool = True
    most_rows: int = 1_000
    honours_size: bool = False
    internal_links: bool = False
    blank_option: Literal[" ", "", "_x0020_"] = " "
    upper_codes: bool = True
    max_length: bool = True
    series: bool = True
    manual_numbers: bool = True
    defaults: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    relations: bool = True
    duplicate: int = 400
    needs_match: bool = True
    stale: int = 412
    updated: int = 200
    read_only: bool = True
    renames: bool = True
    stamps: bool = True
    local: int = 0
    cascades: bool = True
    dialogs: frozenset[str] = frozenset()
    blocked_deletes: bool = True
    forbidden: frozenset[str] = frozenset()
    forbidden_status: int = 403
    locked: int = 0
    locked_status: int = 400
