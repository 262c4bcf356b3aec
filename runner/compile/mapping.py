"""A mapping compiled: the wire queries it reads by and the SQL that decides. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner import dialect
from runner.compile import interrupted, match, select, skips
from runner.compile.actions import EVERYTHING, Actions, Present, coupled_links
from runner.compile.checks import find_faults, lookup_faults, missing_entities, side_faults
from runner.compile.creates import Creates, KeySource
from runner.compile.fields import fields_of
from runner.compile.lookups import links_of, sought
from runner.compile.select import Narrowing
from runner.compile.snapshot import reading
from runner.compile.tables import COUPLING, Tables
from runner.errors import ConfigError, Problem
from runner.model import BaseColumn, Side

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Iterator

    from runner.compile.actions import Sources
    from runner.compile.fields import CompiledField
    from runner.compile.lookups import Sought
    from runner.compile.snapshot import Reading
    from runner.model import Mapping, Project, Selection
    from runner.wire import Capabilities, EntityType


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement and what it is for."""

    purpose: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledMapping:
    """Everything that is to be known about a mapping before a record of it is read.

    ``narrowing`` leaves of it what a run is about (``narrowed``).
    """

    rule: Mapping
    fields: tuple[CompiledField, ...]
    left: EntityType
    right: EntityType
    readings: abc.Mapping[Side, Reading]
    sought: tuple[Sought, ...]
    key_sources: abc.Mapping[Side, KeySource]
    base: tuple[BaseColumn, ...]
    _actions: Actions
    _match: tuple[str, ...]
    looked_up: bool
    narrowing: Narrowing

    @property
    def name(self) -> str:
        """The mapping's name."""
        return self.rule.name

    @property
    def tables(self) -> Tables:
        """The names of its tables."""
        return Tables(self.name)

    def type(self, side: Side) -> EntityType:
        """The type of the entity on that side."""
        return self.left if side is Side.LEFT else self.right

    def reading(self, side: Side) -> Reading:
        """How that side is read."""
        return self.readings[side]

    def canonical_key(self, side: Side, sql: str) -> str:
        """SQL of a key as couplings keep it."""
        return self.readings[side].key(sql)

    def known(self, side: Side) -> str:
        """SQL of the keys of that side that a run must find out about, filtered out or not."""
        key = f'{side.value}_key AS "key"'
        coupled = f"SELECT {key} FROM {COUPLING} WHERE mapping = {dialect.text(self.name)}"
        return f"{coupled} UNION {self.narrowing.given(side)}" if self.narrowing.keys else coupled

    def snapshot(
        self,
        side: Side,
        *,
        source: str,
        target: str,
        computed: str = "",
        looks: bool = True,
        temporary: bool = False,
    ) -> Statement:
        """Turn raw rows into canonical ones (see ``Reading.snapshot``)."""
        rule = self.rule.entity(side)
        hashed = self.hash(side, [dialect.name(c.source) for c in self.hashed(side)])
        return Statement(
            purpose=f"canonical {rule.entity} of {rule.system}",
            sql=self.readings[side].snapshot(
                source, target, hashed, computed=computed, looks=looks, temporary=temporary
            ),
        )

    def settled_by_create(self, side: Side) -> list[str]:
        """The fields that a new record of that side has in common with its partner at once."""
        creates = self._actions.creates
        open_ = (*creates.later(side), *creates.written_back(side))
        return [field.id for field in self.fields if field not in open_]

    def written_back(self, side: Side) -> list[str]:
        """The fields that bring the key of a new record of that side to its partner.

        Until they are written there they are not settled: the next run would never write them.
        """
        return [field.id for field in self._actions.creates.written_back(side)]

    def hashed(self, side: Side) -> tuple[BaseColumn, ...]:
        """The base columns of that side that hold a field's value (and no constant)."""
        return tuple(column for column in self.base if column.side is side and column.source)

    def hash(self, side: Side, columns: abc.Sequence[str]) -> str:
        """SQL of the hash over one side's compared values: alike means nothing changed there."""
        return f"hash({', '.join(columns)})" if columns else f"hash({dialect.text(side.value)})"

    def base_view(self, fitting: abc.Container[str], chosen: str) -> Statement:
        """Read the base with exactly this mapping's columns; those that do not fit are blank.

        ``chosen`` is SQL that says which pairs, by ``left_key``.
        """
        columns = ", ".join(
            f"b.{dialect.name(c.name)}"
            if c.name in fitting
            else f"CAST(NULL AS {c.type}) AS {dialect.name(c.name)}"
            for c in self.base
        )
        tables = self.tables
        return Statement(
            purpose="the base of the pairs that changed",
            sql=f"""CREATE TABLE {tables.base} AS
SELECT b.left_key, b.right_key, {columns}
FROM {tables.state_base} b WHERE {chosen}""",
        )

    @property
    def changed(self) -> str:
        """SQL of the left keys of the pairs whose base is asked for."""
        return f"SELECT left_key FROM {self.tables.status} WHERE status = 'changed'"

    def empty_base(self) -> Statement:
        """Stand in for the base of a mapping that the state does not know yet."""
        columns = ", ".join(f"{dialect.name(c.name)} {c.type}" for c in self.base)
        return Statement(
            purpose="no base yet",
            sql=f"CREATE TABLE {self.tables.base} (left_key VARCHAR, right_key VARCHAR, {columns})",
        )

    def status(self, *, whole: bool, sources: Sources | None = None) -> Statement:
        """Find what is not simply unchanged (see ``Actions.status``)."""
        stands = self._actions.status(whole=whole, sources=sources)
        return Statement(purpose="how every record stands", sql=stands)

    def undecided(self) -> Iterator[Statement]:
        """Find whose create an interrupted run left open, and what may have come of it."""
        yield Statement(purpose="interrupted creates", sql=interrupted.waiting(self.name))
        for side in Side:
            key = self.canonical_key(side, '"key"')
            sql = interrupted.made(self.name, side, key, self.fields)
            yield Statement(purpose="what may have come of them", sql=sql)

    def matching(self, statuses: abc.Collection[str] = EVERYTHING.statuses) -> Iterator[Statement]:
        """Find what stands on both sides and is not coupled yet, given how records stand.

        What is not chosen is left out at the end.
        """
        narrowing = self.narrowing
        picky = tuple(side for side in Side if self.rule.entity(side).picky)
        columns = (
            "left_key VARCHAR, right_key VARCHAR, criterion VARCHAR, lefts BIGINT, rights BIGINT"
        )
        yield Statement(purpose="matches", sql=f"CREATE TABLE {self.tables.found} ({columns})")
        if "free left" in statuses and "free right" in statuses:
            for sql in self._match:
                yield Statement(purpose="match", sql=sql)
        for sql in (*narrowing.by_condition(), *narrowing.partners()):
            yield Statement(purpose="chosen", sql=sql)
        for side in picky:
            yield Statement(purpose="records set aside", sql=self._actions.set_aside(side))
        for sql in narrowing.narrowed(picky):
            yield Statement(purpose="the chosen alone", sql=sql)

    def deciding(self, present: Present = EVERYTHING) -> Iterator[Statement]:
        """Judge what there is, and add the actions to the plan."""
        actions = self._actions
        created = actions.created(present)
        if present.pairs:
            yield Statement(purpose="the verdict on every field", sql=actions.judged(present))
        for side in created:
            purpose = f"new in {self.rule.entity(side).system}"
            yield Statement(purpose=purpose, sql=actions.creates.statement(side))
        if insert := actions.insert(present):
            yield Statement(purpose="actions and findings", sql=insert)
        if present.remembered:
            yield Statement(
                purpose="records that are skipped",
                sql=skips.skipping(self.name, self.rule.attempts),
            )
        for sql in self.narrowing.spares(created):
            yield Statement(purpose="left out", sql=sql)
        if present.remembered:
            sql = skips.clearing(self.name, self.narrowing.pair(), spares=self.narrowing.leaves_out)
            yield Statement(purpose="errors that are gone", sql=sql)
        yield Statement(purpose="the base to be", sql=actions.after(present))
        if self.looked_up:
            yield Statement(purpose="keys for lookups", sql=actions.links(self.name))

    def known_links(self) -> Statement:
        """Keep which key leads to which when the mapping itself is not part of the run."""
        return Statement(purpose="keys for lookups", sql=coupled_links(self.name))

    def unchanged(self) -> Statement:
        """Count the coupled pairs that nothing happened to."""
        return Statement(
            purpose="count of unchanged pairs",
            sql=f"""SELECT
    (SELECT count(*) FROM {COUPLING} WHERE mapping = {dialect.text(self.name)}
       AND {self.narrowing.pair()})
    - (SELECT count(*) FROM {self.tables.status}
       WHERE status IN ('changed', 'filtered', 'deleted left', 'deleted right', 'gone')
           OR starts_with(status, 'aside') AND left_key IS NOT NULL AND right_key IS NOT NULL)""",
        )

    def narrowed(self, selection: Selection) -> CompiledMapping:
        """Return the mapping as a run takes it that is about some of it.

        Raises:
            ConfigError: the condition cannot be asked of this mapping.

        """
        types = {side: self.type(side) for side in Side}
        rule, fields = self.rule, self.fields
        if selection.prefer:
            wins = select.winning(rule, selection.prefer)
            rule = replace(rule, conflict=wins)
            fields = tuple(replace(f, rule=replace(f.rule, conflict=wins)) for f in fields)
        creates = replace(self._actions.creates, mapping=rule, fields=fields)
        narrowing = Narrowing(
            mapping=self.name,
            keys=select.keys_of(self.rule, types, selection.records),
            spared=tuple(
                side for side in Side if selection.to not in ("", self.rule.entity(side).system)
            ),
            pairs_alone=selection.pairs_alone,
        )
        readings = dict(self.readings)
        if selection.where is not None:
            side = select.side_of(self.rule, selection.where.system)
            assert side is not None, "whoever selects knows the systems of a mapping"
            if problems := tuple(select.asked(self.rule, selection.where, types[side])):
                raise ConfigError(problems)
            readings[side], condition = select.with_condition(readings[side], selection.where)
            narrowing = replace(narrowing, condition=(side, condition))
        return replace(
            self,
            rule=rule,
            fields=fields,
            readings=readings,
            narrowing=narrowing,
            _actions=replace(self._actions, mapping=rule, fields=fields, creates=creates),
        )

    def read_whole(self, *, free: bool) -> bool:
        """Whether all records must be read to decide about some; ``free``: some have no partner.

        A record may match any other, and numbers may be taken by any.
        """
        ends = [self.rule.entity(side) for side in Side]
        if self.rule.coupled_by or any(e.one_per or e.same_per or e.comes_with for e in ends):
            return True
        creates = self._actions.creates
        numbered = [side for side in Side if self.rule.entity(side).new_key]
        if free and (self.rule.match or any(creates.possible(side) for side in numbered)):
            return True
        return any(creates.restores(side) for side in numbered)


def compile_project(
    project: Project,
    types: abc.Mapping[tuple[str, str], EntityType],
    capabilities: abc.Mapping[str, Capabilities],
) -> tuple[CompiledMapping, ...]:
    """Compile every mapping, in the project's order.

    ``types`` holds the entities that the systems described, by system and name.

    Raises:
        ConfigError: entities or fields that do not exist, values that cannot be converted: all
            of them.

    """
    looked_up = {name for mapping in project.mappings for name in mapping.refers_to}
    compiled: list[CompiledMapping] = []
    problems: list[Problem] = []
    others = {mapping.name: mapping for mapping in project.mappings}
    for mapping in project.mappings:
        missing = tuple(missing_entities(mapping, types))
        if missing:
            problems += missing
            continue
        left, right = (
            types[mapping.entity(side).system, mapping.entity(side).entity] for side in Side
        )
        fields, faults = fields_of(mapping, left, right)
        both = {Side.LEFT: left, Side.RIGHT: right}
        faults = (
            *faults,
            *side_faults(mapping, fields, both),
            *find_faults(mapping, types),
            *lookup_faults(mapping, others, types),
        )
        if faults:
            problems += faults
            continue
        compiled.append(_compiled(project, mapping, fields, types, capabilities, looked_up))
    if problems:
        raise ConfigError(problems)
    return tuple(compiled)


def narrowed(
    mappings: abc.Sequence[CompiledMapping], selection: Selection
) -> tuple[CompiledMapping, ...]:
    """Narrow the mappings that a run is about; the others stay as they are.

    Raises:
        ConfigError: the condition cannot be asked of some of them: all that is wrong with it.

    """
    found: list[CompiledMapping] = []
    problems: list[Problem] = []
    for mapping in mappings:
        try:
            chosen = mapping.name in selection.mappings
            found.append(mapping.narrowed(selection) if chosen else mapping)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _compiled(
    project: Project,
    mapping: Mapping,
    fields: tuple[CompiledField, ...],
    types: abc.Mapping[tuple[str, str], EntityType],
    capabilities: abc.Mapping[str, Capabilities],
    looked_up: abc.Container[str],
) -> CompiledMapping:
    ends = {side: mapping.entity(side) for side in Side}
    both = {side: types[end.system, end.entity] for side, end in ends.items()}
    others = {other.name: other for other in project.mappings}
    lookups = links_of(mapping, others)
    systems = [project.system(mapping.entity(side).system) for side in Side]
    creates = Creates(
        mapping=mapping,
        fields=fields,
        types=both,
        client_keys=frozenset(
            side
            for side, system in zip(Side, systems, strict=True)
            if capabilities[system.name].client_keys
        ),
        seed="|".join(f"{system.url}|{system.company}" for system in systems),
        lookups=lookups,
    )
    return CompiledMapping(
        rule=mapping,
        fields=fields,
        left=both[Side.LEFT],
        right=both[Side.RIGHT],
        readings={side: reading(mapping, side, fields, both) for side in Side},
        sought=sought(mapping, others, types),
        key_sources={side: creates.key_source(side) for side in Side if creates.possible(side)},
        base=tuple(_base_column(field, side) for field in fields for side in Side),
        _actions=Actions(mapping=mapping, fields=fields, creates=creates, lookups=lookups),
        _match=tuple(match.criteria(mapping, fields, both, lookups)),
        looked_up=mapping.name in looked_up,
        narrowing=Narrowing(mapping=mapping.name),
    )


def _base_column(field: CompiledField, side: Side) -> BaseColumn:
    meaning = "|".join(
        (
            field.same(),
            field.carried(Side.LEFT) if field.end(Side.LEFT) else "",
            field.carried(Side.RIGHT) if field.end(Side.RIGHT) else "",
            field.rule.direction,
        )
    )
    return BaseColumn(
        name=f"{side.value} {field.id}",
        type=dialect.column_type(field.kind(side)),
        side=side,
        field=field.id,
        source=end.name if (end := field.end(side)) else "",
        fingerprint=hashlib.sha256(meaning.encode()).hexdigest()[:16],
    )
