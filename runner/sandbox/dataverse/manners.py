"""How an organisation of Dataverse behaves: every rule of the fidelity checklist (protocols E2).

Everything at its default is the faithful server. A rule set to ``False`` is switched off, so that
a client that leans on it can be found out; what Microsoft does not document (protocols F) is a
value whose likeliest form is the default.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - tests read manners from JSON
from dataclasses import dataclass, field

APPLICATION = "00000000-0000-4000-8000-0000000c11e7"
STRANGER = "00000000-0000-4000-8000-0000000c11e8"
SECRET = "sandbox"  # noqa: S105 - what the sandbox lets in, for everybody to read
CONNECTION_USER = "00000000-0000-4000-8000-00000000c0de"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternateKey:
    """A key besides the GUID (A9). ``attributes`` are columns by their logical names.

    ``active``: its index is built; before that, nobody can ask by it.
    """

    entity: str
    name: str
    attributes: tuple[str, ...]
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An app registration (A1). ``user`` is its application user here, ``None`` where it has none.

    ``delegate``: it may act on behalf of others (A14). ``everything``: it reads all rows of all
    tables, which change tracking wants (A10).
    """

    secret: str = SECRET
    user: str | None = CONNECTION_USER
    delegate: bool = True
    everything: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Service protection (A13), by the server's clock: of one user, over ``window`` seconds.

    ``cost`` is the time that one operation is reckoned to take, in milliseconds. ``wait`` is the
    first ``Retry-After``, in seconds; it doubles for a client that disregards it.
    """

    requests: int = 6_000
    milliseconds: int = 1_200_000
    concurrent: int = 52
    window: int = 300
    cost: int = 1
    wait: int = 2
    hint: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DataverseManners:
    """The rules of one organisation; each says in which line of E2 it stands.

    Token endpoint: ``applications`` by client id, ``connection`` (whom the static token is),
    ``token_seconds`` (how long a token lasts), ``tenant``.
    WhoAmI and rate-limit headers: ``limits``, ``limit_headers``.
    Headers of every response: ``preference_applied``.
    GET set: ``ignores_case``, ``null_logic``, ``wildcards``, ``most_counted``, ``count_mark`` (the
    byte order mark of ``/$count``), ``top_yields`` (``$top`` is ignored beside a page size).
    Paging: ``most_rows``, ``sealed_tokens`` (altered ones are refused), ``empty_last_page``.
    Lookups: ``annotations_asked`` (only on ``Prefer``), ``missing_target`` (F7).
    Write matrix: ``upserts`` (a bare PATCH creates), ``refuses_stale``, ``unversioned`` (tables
    without optimistic concurrency).
    ETags: ``always_moves`` (even for unchanged values), ``plugins`` (columns that a plug-in sets
    after each write, by table).
    Column rules: ``max_length``, ``options``, ``required``, ``read_only``, ``blank_is_null`` (F2),
    ``rounds_money``, ``base_currency`` (its ISO code; blank: the one whose rate is 1),
    ``keeps_milliseconds`` (F3).
    State machine: ``state_on_create`` (is refused), ``states``, ``frozen_when_inactive`` (an
    inactive account or contact takes no values: 0x80040230).
    Tables: ``catalogue`` (units, products, price lists), ``base_unit`` (made with its group),
    ``base_unit_needed`` (F5), ``currencies``, ``user_read_only``.
    Alternate keys: ``keys``, ``duplicate_key`` (F7).
    Change tracking: ``untracked`` (tables without), ``token_days``, ``expired_token`` (F1).
    $batch: ``atomic`` (change sets), ``stops`` (at the first error), ``most_operations``.
    Bulk messages: ``bulk``. Service protection: ``limits``.
    Duplicate detection: ``duplicates`` (columns that make two records of a table alike).
    """

    applications: Mapping[str, Application] = field(
        default_factory=lambda: {APPLICATION: Application(), STRANGER: Application(user=None)}
    )
    connection: Application = field(default_factory=Application)
    tenant: str = "sandbox.example"
    token_seconds: int = 3_599
    limits: Limits = field(default_factory=Limits)
    limit_headers: bool = True
    preference_applied: bool = True
    ignores_case: bool = True
    null_logic: bool = True
    wildcards: bool = True
    most_counted: int = 5_000
    count_mark: bool = True
    top_yields: bool = True
    most_rows: int = 5_000
    sealed_tokens: bool = True
    empty_last_page: bool = False
    annotations_asked: bool = True
    missing_target: int = 404
    upserts: bool = True
    refuses_stale: bool = True
    unversioned: frozenset[str] = frozenset()
    always_moves: bool = True
    plugins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    max_length: bool = True
    options: bool = True
    required: bool = True
    read_only: bool = True
    blank_is_null: bool = True
    rounds_money: bool = True
    base_currency: str = ""
    keeps_milliseconds: bool = False
    state_on_create: bool = True
    states: bool = True
    frozen_when_inactive: bool = False
    catalogue: bool = True
    base_unit: bool = True
    base_unit_needed: bool = True
    currencies: bool = True
    user_read_only: bool = True
    keys: tuple[AlternateKey, ...] = ()
    duplicate_key: int = 412
    untracked: frozenset[str] = frozenset()
    token_days: int = 7
    expired_token: int = 400
    atomic: bool = True
    stops: bool = True
    most_operations: int = 1_000
    bulk: frozenset[str] = frozenset({"account", "contact", "product"})
    duplicates: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"account": ("name", "emailaddress1")}
    )
