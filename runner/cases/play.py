"""A case played: two systems in memory, a state of its own, and the very walk of ``run``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from runner import dialect, extract, run
from runner.cases.judge import differences
from runner.cases.model import Result
from runner.compile import Tables, compare
from runner.connectors.memory import Memory
from runner.model import RECORDS, Selection, Side
from runner.plan import CHANGES, FINDINGS, run_file
from runner.state import couplings, held

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import duckdb

    from runner.cases.model import Case, Likeness, Test
    from runner.compile import CompiledMapping
    from runner.events import Event
    from runner.model import Entity, Project
    from runner.model import Mapping as Rules
    from runner.plan import Action
    from runner.state import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the walk came to.

    ``actions`` are those of the plan, ``failures`` the writes that were refused, as (keys, words).
    ``stopped`` says which guards it is above; empty where there are none.
    """

    systems: Mapping[Side, Memory]
    actions: tuple[Action, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    counts: Mapping[str, int]
    stopped: str = ""


async def play(
    project: Project, test: Test, likenesses: Mapping[str, Likeness]
) -> AsyncIterator[Result]:
    """Play the cases of one file, one after the other; each starts anew.

    Raises:
        ConfigError: the mapping cannot be compiled.

    """
    own = test.mapping
    rules = tuple(
        m if m.name == own.name else _pairs_alone(m)
        for m in project.mappings
        if m.name in {own.name, *own.refers_to}
    )
    project = replace(project, mappings=rules)
    mappings = await run.compiled(project, _systems(test, likenesses))
    with TemporaryDirectory(prefix="sync-run-") as folder:
        for n, case in enumerate(test.cases):
            begun = perf_counter()
            state = Path(folder) / f"{n}.duckdb"
            systems = _systems(test, likenesses)
            outcome = await _walked(replace(project, state=state), mappings, systems, test, case)
            yield Result(
                test=test,
                case=case,
                differences=tuple(differences(test, case.expected, outcome)),
                seconds=perf_counter() - begun,
            )


def _pairs_alone(mapping: Rules) -> Rules:
    """Leave of another mapping what its pairs need: they are given, it is not run."""
    return replace(
        mapping,
        left=_bare(mapping.left),
        right=_bare(mapping.right),
        fields=(),
        match=(),
        templates={},
        coupled_by="",
        depends_on=(),
        records=(),
    )


def _bare(end: Entity) -> Entity:
    return replace(end, filter=None, label="", one_per="", comes_with="", requires=(), same_per=())


def _systems(test: Test, likenesses: Mapping[str, Likeness]) -> dict[str, Memory]:
    own = {(test.mapping.entity(side).system, t.name): t for side, t in test.types.items()}
    found = {}
    for name in dict.fromkeys(system for system, _ in (*own, *test.helpers)):
        known = {**test.helpers, **own}
        types = {entity: kind for (system, entity), kind in known.items() if system == name}
        like = likenesses[name]
        found[name] = Memory(types, client_keys=like.client_keys, blanks=like.blanks)
    for key, values in test.mapping.records:
        told = {n: Decimal(str(v)) if isinstance(v, float) else v for n, v in values}
        found[RECORDS].put(test.mapping.name, key, **told)
    return found


async def _walked(
    project: Project,
    mappings: Sequence[CompiledMapping],
    systems: Mapping[str, Memory],
    test: Test,
    case: Case,
) -> Outcome:
    sides = {side: systems[test.mapping.entity(side).system] for side in Side}
    (mapping,) = (m for m in mappings if m.name == test.mapping.name)
    with held(project.state, "test") as store:
        for side in Side:
            for record in case.given.records[side]:
                sides[side].put(mapping.type(side).name, record.key, **record.values)
        for system, entity, record in case.given.named:
            systems[system].put(entity, record.key, **record.values)
        await _couple(store, mapping, systems, case)
        _edit(mapping, sides, case)
        session = run.Session(
            project=project, connectors=systems, mappings=mappings, store=store, tell=_nothing
        )
        with run_file() as file:
            made = await run.make_plan(session, file, Selection(mappings=(mapping.name,)))
            if made.header.guards:
                told = "; ".join(guard.what for guard in made.header.guards)
                return Outcome(systems=sides, counts={}, stopped=told)
            actions = tuple(made.actions(kinds=(*CHANGES, *FINDINGS)))
            report = await run.carry_out(session, made)
    for system, entity, record in case.given.named:  # only to be found: nobody expects it
        systems[system].remove(entity, record.key)
    refused = tuple((_keys(failure.action), failure.message) for failure in report.failures)
    return Outcome(
        systems=sides, actions=actions, failures=refused, counts=report.counters[mapping.name]
    )


async def _couple(
    store: Store, mapping: CompiledMapping, systems: Mapping[str, Memory], case: Case
) -> None:
    """Couple what is given as coupled; the base is what both sides hold at this moment."""
    if not case.given.coupled and not any(case.given.links.values()):
        return
    with store.opened() as state:
        for name, pairs in case.given.links.items():
            for left, right in pairs:
                couplings.adopt(state, name, left, right, run=0)
        if not case.given.coupled:
            return
        couplings.ensure_base(state, mapping.name, mapping.base)
        state.execute("USE memory")  # the snapshots are for this moment, not for the state
        await extract.take([mapping], systems, state, _nothing)
        state.execute("CREATE TEMP TABLE pair (left_key VARCHAR, right_key VARCHAR)")
        state.executemany("INSERT INTO pair VALUES (?, ?)", [list(p) for p in case.given.coupled])
        _agree(state, mapping)
        state.execute("USE state")


def _agree(state: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> None:
    """Fill what ``couplings.advance`` reads: every field is settled, nothing was written."""
    left, right = (f"memory.{Tables(mapping.name).snapshot(side)}" for side in Side)
    values = ", ".join(
        f"{field.value(side)} AS {compare.base_column(field, side)}"
        for field in mapping.fields
        for side in Side
    )
    settled = ", ".join(dialect.text(field.id) for field in mapping.fields)
    state.execute(
        f"""CREATE TEMP TABLE agreed AS SELECT p.left_key, p.right_key, {values} FROM pair p
        JOIN {left} l ON l."#key" = p.left_key JOIN {right} r ON r."#key" = p.right_key"""
    )
    state.execute(
        f"""CREATE TEMP TABLE done AS
        SELECT left_key, right_key, left_key AS planned_left, right_key AS planned_right,
            TRUE AS coupled, [{settled}] AS settled,
            CAST([] AS VARCHAR[]) AS written_left, CAST([] AS VARCHAR[]) AS written_right
        FROM pair"""
    )
    for side, snapshot in (("left", left), ("right", right)):
        state.execute(f'CREATE TEMP TABLE "returned {side}" AS FROM {snapshot} LIMIT 0')
    couplings.advance(state, mapping.name, mapping.base, after="agreed", run=0)


def _edit(mapping: CompiledMapping, sides: Mapping[Side, Memory], case: Case) -> None:
    for side in Side:
        entity = mapping.type(side).name
        for record in case.given.changed.get(side, ()):
            sides[side].put(entity, record.key, **record.values)
        for key in case.given.deleted.get(side, ()):
            sides[side].remove(entity, key)


def _keys(action: Action) -> str:
    return " ↔ ".join(key for key in (action.left_key, action.right_key) if key)


def _nothing(_: Event) -> None:
    """Nobody watches."""
