"""The names of the tables that the statements of one mapping read and write.

Two DuckDB files meet in a statement: the *run file* (snapshots, actions, what a pair holds after)
and the *state*, attached as ``state`` (couplings and base), which planning can only read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import dialect

if TYPE_CHECKING:
    from runner.model import Side

ACTION = '"action"'
"""The table that is the plan."""

FIELD_TYPE = (
    'STRUCT("id" VARCHAR, "left" VARCHAR, "right" VARCHAR, "verdict" VARCHAR, "drift" BOOLEAN, '
    '"left_value" VARCHAR, "right_value" VARCHAR, "left_base" VARCHAR, "right_base" VARCHAR, '
    '"new" VARCHAR, "reason" VARCHAR, "lookup" VARCHAR)'
)
NO_FIELDS = f"CAST([] AS {FIELD_TYPE}[])"
ACTION_DDL = f"""CREATE TABLE {ACTION} (
    "id" BIGINT, "mapping" VARCHAR, "kind" VARCHAR, "side" VARCHAR, "left_key" VARCHAR,
    "right_key" VARCHAR, "label" VARCHAR, "etag" VARCHAR, "reason" VARCHAR, "hint" VARCHAR,
    "fields" {FIELD_TYPE}[], "seen" UBIGINT)"""
"""One row an intended effect or a finding (see ``plan.actions.Action``).

``seen`` is a hash of what both records held when it was decided (NULL: it does not matter).
"""

CLEARED = '"cleared"'
"""Open errors of the state that are found no more, unless a write of this run fails over them."""
CLEARED_DDL = f'CREATE TABLE {CLEARED} ("mapping" VARCHAR, "left_key" VARCHAR, "right_key" VARCHAR)'

COUNTED_DDL = """CREATE TABLE "counted" ("mapping" VARCHAR, "side" VARCHAR, "total" BIGINT);
CREATE TABLE "by_key" ("mapping" VARCHAR)"""
"""How many records an entity has in all, where its system filters; NULL where nobody knows. And the
mappings of which only the chosen records were read, by their keys."""

PENDING = "known-after-apply:\x1f"
"""What a key that only the system can give stands as until it did: this, then
``<side>:<mapping>:<key of the partner>``. It holds a letter that no
value holds which people type."""

KEY, ETAG, LABEL, IN_SCOPE, HASH, MODIFIED = (
    f'"#{n}"' for n in ("key", "etag", "label", "in_scope", "hash", "modified")
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one mapping, quoted."""

    mapping: str

    def _named(self, suffix: str) -> str:
        return dialect.name(f"{self.mapping}.{suffix}")

    def raw(self, side: Side) -> str:
        """Rows as they came."""
        return self._named(f"{side.value}.raw")

    def snapshot(self, side: Side) -> str:
        """Canonical values, one row a record."""
        return self._named(side.value)

    @property
    def chosen(self) -> str:
        """The keys of the records that a run is about, by side; ``given``: not only as partners."""
        return self._named("chosen")

    @property
    def spared(self) -> str:
        """Actions that are left out, because the run does not write to their side."""
        return self._named("spared")

    @property
    def status(self) -> str:
        """How every record stands that is not simply unchanged."""
        return self._named("status")

    @property
    def found(self) -> str:
        """What the match criteria found, clear or ambiguous."""
        return self._named("found")

    @property
    def base(self) -> str:
        """The base, with exactly the columns that this mapping compares."""
        return self._named("base")

    @property
    def judged(self) -> str:
        """Coupled and newly matched pairs that differ from their base, field by field."""
        return self._named("judged")

    def new(self, side: Side) -> str:
        """Records that are to be created on that side."""
        return self._named(f"new {side.value}")

    def aside(self, side: Side) -> str:
        """Records that are not as the mapping wants them, and why."""
        return self._named(f"aside {side.value}")

    @property
    def skipped(self) -> str:
        """Records that are set aside, each with the action that speaks for it, and why."""
        return self._named("skipped")

    @property
    def after(self) -> str:
        """What both sides of a pair hold once its actions are done: the base to be."""
        return self._named("after")

    @property
    def links(self) -> str:
        """Which key leads to which, for the lookups of other mappings: coupled, or to be."""
        return self._named("links")

    @property
    def state_base(self) -> str:
        """Where the state keeps this mapping's base."""
        return dialect.name("state", "base", self.mapping)


COUPLING = dialect.name("state", "main", "coupling")
JOURNAL = dialect.name("state", "main", "journal")
OPEN_ERROR = dialect.name("state", "main", "open_error")
SKIPPED = dialect.name("state", "main", "skipped")


def signature(action: str) -> str:
    """SQL of what makes an action the same as another run's: on records as they were, to the same.

    It moves when somebody changes a compared field of either record, when the target changes at
    all, and when the mapping would write something else.
    """
    fields = f'list_transform({action}.fields, lambda f: row(f.id, f.verdict, f."new"))'
    same = ", ".join(f"{action}.{name}" for name in ("kind", "side", "etag", "reason", "seen"))
    return f"hash({same}, {fields})"


def record(action: str, side: Side, *, created: str) -> str:
    """SQL of the key of a record that an action is about; NULL where there is none yet.

    ``created`` is SQL of the side on which the pair is only being made, NULL for neither.
    """
    key = f"{action}.{side.value}_key"
    return (
        f"CASE WHEN starts_with({key}, '{PENDING}') OR {created} = '{side.value}' "
        f"THEN NULL ELSE {key} END"
    )
