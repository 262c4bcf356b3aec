"""How one side of a mapping is read: which rows and fields, and what becomes of them in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import dialect, expression
from runner.compile import values
from runner.compile.ends import fault_of
from runner.compile.tables import ETAG, HASH, IN_SCOPE, KEY, LABEL, MODIFIED
from runner.model import Side, UpdateConflict
from runner.transform import converted
from runner.wire import Type, WireQuery

if TYPE_CHECKING:
    from collections import abc

    from runner.compile.ends import Made
    from runner.compile.fields import CompiledField
    from runner.expression import Node
    from runner.model import Entity, Mapping
    from runner.wire import EntityType


@dataclass(frozen=True, slots=True)
class RowWise:
    """A column that no SQL can make: jmespath makes it, record by record, as a text.

    ``fault`` is SQL of why that text is no value of the column's type (see ``Made``).
    """

    column: str
    node: Node
    kind: Type
    fault: str = ""

    @property
    def columns(self) -> str:
        """SQL of what the text that came of it becomes in the snapshot."""
        name = dialect.name(self.column)
        value = f"{converted(name, Type.TEXT, self.kind)} AS {name}"
        fault = f"{self.fault} AS {dialect.name(fault_of(self.column))}"
        return f"{value}, {fault}" if self.fault else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One side of a mapping as it is read.

    ``query`` is what the system is asked for; ``made`` the values that are made of several fields,
    ``found`` those that are found in other entities, both SQL by column, as is ``modified``.
    """

    rule: Entity
    entity: EntityType
    query: WireQuery
    made: abc.Mapping[str, str]
    found: abc.Mapping[str, str]
    row_wise: tuple[RowWise, ...]
    modified: str

    @property
    def columns(self) -> dict[str, Type]:
        """The fields that are read, with their types, in a fixed order."""
        return {name: self.entity.fields[name].type for name in self.query.fields}

    def key(self, sql: str) -> str:
        """SQL of a key as couplings keep it."""
        known = self.entity.fields.get(self.rule.key)
        return values.canonical(sql, known.type if known else Type.TEXT)

    def canonical(self, source: str) -> str:
        """SQL of the raw rows of a table as canonical ones."""
        columns = ",\n        ".join(
            f"{values.canonical(dialect.name(name), kind)} AS {dialect.name(name)}"
            for name, kind in self.columns.items()
        )
        return f"SELECT {self.key(KEY)} AS {KEY}, {ETAG},\n        {columns}\n    FROM {source}"

    def snapshot(
        self,
        source: str,
        target: str,
        hashed: str,
        *,
        computed: str = "",
        looks: bool = True,
        temporary: bool = False,
    ) -> str:
        """Create the snapshot: canonical values, made values, scope (the filter), and their hash.

        ``computed`` is the table of what ``row_wise`` asks for, by key; empty where it asks for
        nothing. ``hashed`` is SQL of the hash. ``looks``: other entities are there to look into.
        ``temporary``: the table is gone with the connection.
        """
        columns = {**self.made, **{n: s if looks else "NULL" for n, s in self.found.items()}}
        made = "".join(f", {sql} AS {dialect.name(name)}" for name, sql in columns.items())
        join = f" JOIN {computed} USING ({KEY})" if computed else ""
        return f"""CREATE {"TEMP " if temporary else ""}TABLE {target} AS
SELECT *,
    coalesce({self._scope()}, FALSE) AS {IN_SCOPE},
    {self._label()} AS {LABEL},
    {self.modified} AS {MODIFIED},
    {hashed} AS {HASH}
FROM (SELECT *{made} FROM (
    {self.canonical(source)}){join})"""

    def _scope(self) -> str:
        if self.rule.filter is None:
            return "TRUE"
        node = expression.parse(self.rule.filter.text)
        if expression.on_rows_alone(node):
            return f'"{SCOPE}"'
        return expression.to_sql(
            node, lambda name: (dialect.name(name), self.entity.fields[name].type)
        )

    def _label(self) -> str:
        shown = self.rule.label or self.entity.label
        if shown not in self.columns:
            return "NULL"
        return values.as_text(dialect.name(shown), self.entity.fields[shown].type)


SCOPE = "#scope"
"""The row-wise column of a filter that has no SQL."""


def reading(
    mapping: Mapping,
    side: Side,
    fields: tuple[CompiledField, ...],
    types: abc.Mapping[Side, EntityType],
) -> Reading:
    """Put together how one side is read."""
    rule, entity = mapping.entity(side), types[side]
    mades = [made for field in fields if (made := field.made(side)) is not None]
    row_wise = [
        RowWise(m.column.name, m.node, m.column.type, m.fault)
        for m in mades
        if m.sql is None and m.node is not None
    ]
    if rule.filter is not None:
        node = expression.parse(rule.filter.text)
        if expression.on_rows_alone(node):
            row_wise.append(RowWise(SCOPE, node, Type.BOOLEAN))
    names = _read(mapping, side, fields, entity)
    # Numbers already taken stand in records outside the filter, too: there all are read.
    told = rule.filter is not None and not rule.new_key and not rule.read_all
    return Reading(
        rule=rule,
        entity=entity,
        query=WireQuery(
            entity=rule.entity,
            fields=names,
            filter=rule.filter.text if told and rule.filter else "",
        ),
        made=_columns(m for m in mades if not m.looks),
        found=_columns(m for m in mades if m.looks),
        row_wise=_once(row_wise),
        modified=_modified(mapping, side, types),
    )


def _columns(mades: abc.Iterable[Made]) -> dict[str, str]:
    """SQL of what is made by SQL, by column: values, and why there is none."""
    told = [m for m in mades if m.sql is not None]
    values = {m.column.name: m.sql or "" for m in told}
    return values | {fault_of(m.column.name): m.fault for m in told if m.fault}


def asks_when(mapping: Mapping) -> bool:
    """Whether a mapping needs to know when records changed."""
    policies = {mapping.conflict, *(rule.conflict for rule in mapping.fields)}
    return UpdateConflict.NEWEST in policies


def _once(columns: list[RowWise]) -> tuple[RowWise, ...]:
    return tuple({column.column: column for column in columns}.values())


def _modified(mapping: Mapping, side: Side, types: abc.Mapping[Side, EntityType]) -> str:
    """When a record changed; where either system tells no more than the day, the day."""
    if not asks_when(mapping):
        return "CAST(NULL AS TIMESTAMP)"
    moment = dialect.name(types[side].modified)
    kinds = {types[s].fields[types[s].modified].type for s in Side}
    moment = f"CAST({moment} AS DATE)" if kinds != {Type.INSTANT} else moment
    return f"CAST({moment} AS TIMESTAMP)"


def _read(
    mapping: Mapping, side: Side, fields: tuple[CompiledField, ...], entity: EntityType
) -> tuple[str, ...]:
    """Name the fields to read: mapped, matched, filtered by, shown, and the key; each once."""
    rule = mapping.entity(side)
    pairs = [pair for criterion in mapping.match for pair in criterion]
    templates = mapping.templates.get(side.other, ())
    conditions = [
        rule.filter,
        *(template.when for template in templates),
        *(requirement.when for requirement in rule.requires),
    ]
    names = [
        rule.key,
        *(name for field in fields for name in field.reads(side)),
        *(pair.left if side is Side.LEFT else pair.right for pair in pairs),
        *(
            name
            for condition in conditions
            if condition is not None
            for name in expression.fields_of(expression.parse(condition.text))
        ),
        rule.label or entity.label,
        rule.one_per,
        *(name for pair in rule.same_per for name in pair),
        entity.modified if asks_when(mapping) else "",
    ]
    return tuple(dict.fromkeys(name for name in names if name))
