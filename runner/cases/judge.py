"""What came against what was expected: pure, differences by record and field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from runner.cases.model import Cell, Difference
from runner.cases.types import shown
from runner.compile import PENDING
from runner.model import Side
from runner.plan import CHANGES, FINDINGS, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runner.cases.model import Expected, Finding, Record, Test
    from runner.plan import Action
    from runner.wire import EntityType, Value

Wanted = TypeVar("Wanted")
Came = TypeVar("Came")


class System(Protocol):
    """Where records are held (``connectors.memory.Memory``)."""

    rows: dict[str, dict[str, dict[str, Value]]]

    def held(self, entity: str, key: str, name: str) -> Value: ...  # noqa: D102


class Outcome(Protocol):
    """What the walk came to (``play.Outcome``)."""

    @property
    def systems(self) -> Mapping[Side, System]: ...  # noqa: D102
    @property
    def actions(self) -> Sequence[Action]: ...  # noqa: D102
    @property
    def failures(self) -> Sequence[tuple[str, str]]: ...  # noqa: D102
    @property
    def counts(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def stopped(self) -> str: ...  # noqa: D102


def differences(test: Test, expected: Expected, outcome: Outcome) -> Iterator[Difference]:
    """Yield everything that is not as expected; nothing where it all is."""
    if outcome.stopped and (not expected.stopped or expected.stopped not in outcome.stopped):
        if expected.stopped:
            yield Difference(how="missing", what="stop", where=expected.stopped)
        yield Difference(how="unexpected", what="stop", where=outcome.stopped)
        return
    if expected.stopped and not outcome.stopped:
        yield Difference(how="missing", what="stop", where=expected.stopped)
    for side in Side:
        if side in expected.records:
            yield from _records(test, side, expected.records[side], outcome.systems[side])
    if expected.actions is not None:
        yield from _actions(test, expected.actions, outcome)
    yield from _findings(test, expected.findings, outcome)
    for name, n in expected.counts.items():
        got = outcome.counts.get(name, 0)
        if got != n:
            yield Difference(
                how="differs",
                what="count",
                where=name,
                cells=(Cell(field=name, expected=str(n), got=str(got)),),
            )


def paired(
    wanted: Sequence[Wanted],
    came: Sequence[Came],
    distance: Callable[[Wanted, Came], int | None],
) -> list[tuple[int | None, int | None]]:
    """Tie what was wanted to what came, by position: as many as fit wholly, then the nearest.

    ``distance`` is 0 where two fit wholly and ``None`` where they cannot be meant for each other.
    """
    far = [[distance(one, other) for other in came] for one in wanted]
    tied: dict[int, int] = {}  # what came -> what was wanted

    def settle(i: int, seen: set[int]) -> bool:
        for j, d in enumerate(far[i]):
            if d == 0 and j not in seen:
                seen.add(j)
                if j not in tied or settle(tied[j], seen):
                    tied[j] = i
                    return True
        return False

    for i in range(len(wanted)):
        settle(i, set())
    rest = sorted(
        (d, i, j) for i, row in enumerate(far) for j, d in enumerate(row) if d is not None
    )
    for _, i, j in rest:
        if i not in tied.values() and j not in tied:
            tied[j] = i
    of_wanted = {i: j for j, i in tied.items()}
    return [(i, of_wanted.get(i)) for i in range(len(wanted))] + [
        (None, j) for j in range(len(came)) if j not in tied
    ]


def _records(
    test: Test, side: Side, wanted: Sequence[Record], system: System
) -> Iterator[Difference]:
    entity = test.types[side]
    keys = sorted(system.rows.get(entity.name, {}))
    rows = [
        {name: shown(system.held(entity.name, key, name)) for name in entity.fields} for key in keys
    ]

    def apart(record: Record, row: Mapping[str, str | None]) -> list[Cell]:
        return [
            Cell(field=name, expected=shown(value), got=row[name])
            for name, value in record.values.items()
            if not _same(value, row[name])
        ]

    def distance(record: Record, row: Mapping[str, str | None]) -> int | None:
        if record.key and record.key != row[entity.key]:
            return None
        return len(apart(record, row))

    named = {entity.key: None, **{name: None for record in wanted for name in record.values}}
    for i, j in paired(wanted, rows, distance):
        if i is not None and j is not None:
            cells = apart(wanted[i], rows[j])
            if cells:
                where = _where(test, side, entity, keys[j])
                yield Difference(how="differs", what="record", where=where, cells=tuple(cells))
        elif i is not None:
            told = [Cell(field=n, expected=shown(v)) for n, v in wanted[i].values.items()]
            where = _where(test, side, entity, wanted[i].key)
            yield Difference(how="missing", what="record", where=where, cells=tuple(told))
        elif j is not None:
            names = named if wanted else entity.fields
            there = [Cell(field=n, got=rows[j][n]) for n in names if rows[j][n] is not None]
            where = _where(test, side, entity, keys[j])
            yield Difference(how="unexpected", what="record", where=where, cells=tuple(there))


def _same(value: Value, got: str | None) -> bool:
    """Whether a value came as expected; NAV, which knows no null, writes a blank number as 0."""
    return shown(value) == got or (value is None and got in ("0", "false"))


def _where(test: Test, side: Side, entity: EntityType, key: str) -> str:
    return f"{test.mapping.entity(side).system} {entity.name} {key}".rstrip()


def _actions(test: Test, wanted: Sequence[str], outcome: Outcome) -> Iterator[Difference]:
    done = [action for action in outcome.actions if action.kind in CHANGES]

    def distance(words: str, action: Action) -> int | None:
        return 0 if words == _verb(test, action) else None

    for i, j in paired(wanted, done, distance):
        if j is None and i is not None:
            yield Difference(how="missing", what="action", where=wanted[i])
        elif i is None and j is not None:
            where = f"{_verb(test, done[j])}  {_named(test, done[j])}"
            yield Difference(how="unexpected", what="action", where=where)


def _findings(test: Test, wanted: Sequence[Finding], outcome: Outcome) -> Iterator[Difference]:
    found = [action for action in outcome.actions if action.kind in FINDINGS]
    refused = list(outcome.failures)

    def distance(finding: Finding, came: Action | tuple[str, str]) -> int | None:
        return 0 if _fits(finding, came) else None

    came: list[Action | tuple[str, str]] = [*found, *refused]
    for i, j in paired(wanted, came, distance):
        if j is None and i is not None:
            yield Difference(how="missing", what="finding", where=_wanted(test, wanted[i]))
        elif i is None and j is not None:
            yield _came(test, came[j])


def _fits(finding: Finding, came: Action | tuple[str, str]) -> bool:
    if isinstance(came, tuple):
        keys, words = came
        about = all(key in keys.split(" ↔ ") for key in finding.keys.values())
        return finding.kind is Kind.ERROR and finding.words in words and about
    there = {Side.LEFT: came.left_key, Side.RIGHT: came.right_key}
    if came.kind is not finding.kind or any(there[s] != key for s, key in finding.keys.items()):
        return False
    if finding.kind is Kind.ERROR:
        return finding.words in (came.reason or "")
    left = len(came.fields) == len(finding.fields)
    return left and all(
        any(name in (change.left, change.right) for name in finding.fields)
        for change in came.fields
    )


def _wanted(test: Test, finding: Finding) -> str:
    keys = [f"{test.mapping.entity(side).system} {key}" for side, key in finding.keys.items()]
    head = f"{finding.kind}  {' ↔ '.join(keys)}".rstrip()
    return f"{head}: {finding.words or ', '.join(finding.fields)}"


def _came(test: Test, came: Action | tuple[str, str]) -> Difference:
    if isinstance(came, tuple):
        where = f"error  {came[0]}: {came[1]}"
        return Difference(how="unexpected", what="finding", where=where)
    where = f"{came.kind}  {_named(test, came)}"
    names = ", ".join(change.left or change.right for change in came.fields)
    if came.kind is not Kind.ERROR:
        return Difference(how="unexpected", what="finding", where=f"{where}: {names}")
    return Difference(how="unexpected", what="finding", where=f"{where}: {came.reason}")


def _verb(test: Test, action: Action) -> str:
    system = test.mapping.entity(Side(action.side)).system if action.side else ""
    return f"{action.kind} {system}".rstrip()


def _named(test: Test, action: Action) -> str:
    keys = {Side.LEFT: action.left_key, Side.RIGHT: action.right_key}
    words = " ↔ ".join(
        f"{test.mapping.entity(side).system} {key}"
        for side, key in keys.items()
        if key and not key.startswith(PENDING)
    )
    return f"{words} '{action.label}'" if action.label else words
