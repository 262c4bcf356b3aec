"""What stands on one side of a field mapping: a field, or a value made of several fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import dialect, expression
from runner.compile import values
from runner.errors import Location, Problem, nearest
from runner.model import Computed, Joined
from runner.transform import Chain, chained, convertible
from runner.transform.convert import lost, told
from runner.wire import FieldType, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.expression import Node
    from runner.model import Step
    from runner.wire import EntityType

_VALUE = "\0"
"""What stands for the whole value in the SQL of a piece, until it is put in."""


def _nothing(_: str) -> Sequence[tuple[str, str]]:
    return ()


@dataclass(frozen=True, slots=True)
class Piece:
    """One field that is written, and how its value is taken from the whole.

    ``failures`` are, of SQL of the whole, where a part of it has no form there: conditions and
    words, as SQL.
    """

    field: FieldType
    take: Callable[[str], str]
    failures: Callable[[str], Sequence[tuple[str, str]]] = _nothing


@dataclass(frozen=True, slots=True)
class Made:
    """A value made of several fields: a column of its own in the snapshot.

    ``sql`` makes it from the canonical columns; ``None`` where ``node`` can only be evaluated one
    record at a time. ``pieces`` take it apart again; empty: it cannot be written. ``looks``: its
    SQL reads other entities, which are there while a plan is made and not later. ``fault`` is SQL
    of why there is no value, in words, NULL where nothing is wrong; empty where nothing can be. Of
    what is evaluated one record at a time it reads the text that came of it, in the same column.
    """

    column: FieldType
    node: Node | None
    sql: str | None
    reads: tuple[str, ...]
    pieces: tuple[Piece, ...]
    looks: bool = False
    fault: str = ""


def fault_of(name: str) -> str:
    """Name the snapshot's column that says why there is no value in the column of that name."""
    return f"{name} #fault"


def looked_up(name: str, steps: Sequence[Step], entity: EntityType) -> Made:
    """Make of a field, before it leaves its side, what transforms find in other entities."""
    chain = chained(dialect.name(name), entity.fields[name].type, steps)
    given = [dict(step.arguments).get("unless") for step in steps]
    unless = [str(field) for field in given if field in entity.fields]
    held = [values.as_text(dialect.name(n), entity.fields[n].type) for n in unless]
    told = ", ".join(_told(step) for step in steps)
    sql = f"coalesce({', '.join((*held, dialect.cast(chain.sql, chain.kind)))})"
    return Made(
        column=FieldType(name=f"{name} ({told})", type=chain.kind),
        node=None,
        sql=sql,
        reads=(name, *unless),
        pieces=(),
        looks=True,
        fault=_fault(sql, chain.failures),
    )


def _fault(sql: str, failures: Sequence[tuple[str, str]]) -> str:
    arms = " ".join(f"WHEN {failed} THEN {words}" for failed, words in failures)
    return f"CASE WHEN {sql} IS NULL THEN CASE {arms} END END" if arms else ""


def _told(step: Step) -> str:
    """Name a step; of one that looks into another entity, what it takes from there."""
    given = dict(step.arguments)
    return f"{given['take']} of {given['entity']}" if step.name == "find" else step.name


def unknown_field(name: str, entity: EntityType, at: Location) -> Iterator[Problem]:
    """Say that an entity has no such field, unless it has."""
    if name and name not in entity.fields:
        otherwise = f"`sync-run ping --fields {entity.name}` lists them"
        hint = nearest(name, entity.fields) or otherwise
        yield Problem(at, f"{entity.name} has no field '{name}'", hint)


def made_of(
    rule: Computed | Joined, entity: EntityType, at: Location, problems: list[Problem]
) -> Made | None:
    """Tie a made value to the types of its fields; ``None`` where ``problems`` say why not."""
    reads = names_of(rule)
    missing = [p for name in reads for p in unknown_field(name, entity, at)]
    if missing:
        problems += missing
        return None
    if isinstance(rule, Joined):
        return _joined(rule, entity, at, problems)
    return _computed(rule, entity, problems)


def names_of(rule: Computed | Joined) -> tuple[str, ...]:
    """Name the fields that a made value is read from and written to, each once."""
    if isinstance(rule, Joined):
        return rule.fields
    reads = expression.fields_of(expression.parse(rule.expression.text))
    return tuple(dict.fromkeys((*reads, *(name for name, _ in rule.pieces))))


def _joined(rule: Joined, entity: EntityType, at: Location, problems: list[Problem]) -> Made | None:
    fields = [entity.fields[name] for name in rule.fields]
    for field in fields:
        if field.type not in (Type.TEXT, Type.CODE):
            problems.append(Problem(at, f"'{field.name}' is {field.type}: only texts are joined"))
            return None
    separator = dialect.text(rule.separator)
    columns = ", ".join(dialect.name(field.name) for field in fields)
    label = rule.separator.strip() or "+"
    return Made(
        column=_column(f" {label} ".join(rule.fields), Type.TEXT, fields),
        node=None,
        sql=f"nullif(concat_ws({separator}, {columns}), '')",
        reads=rule.fields,
        pieces=tuple(Piece(field, _piece(rule, n, separator)) for n, field in enumerate(fields)),
    )


def _piece(rule: Joined, number: int, separator: str) -> Callable[[str], str]:
    """Take one part of a joined text: single parts from one end, all the rest at the other."""
    many = len(rule.fields)

    def take(value: str) -> str:
        parts = f"string_split({value}, {separator})"
        if rule.rest_first:
            # From the back: the last field takes the last part, however few there are.
            back = many - number
            if number == 0:
                part = f"array_to_string({parts}[:-{many}], {separator})"
            else:
                part = f"{parts}[-{back}]"
        elif number == many - 1:
            part = f"array_to_string({parts}[{many}:], {separator})"
        else:
            part = f"{parts}[{number + 1}]"
        return f"nullif(trim({part}), '')"

    return take


def _computed(rule: Computed, entity: EntityType, problems: list[Problem]) -> Made | None:
    node = expression.parse(rule.expression.text)
    reads = expression.fields_of(node)
    declared = Type(rule.type) if rule.type else None
    sql: str | None = None
    if expression.on_rows_alone(node):
        kind = declared or Type.TEXT
        evaluated = dialect.name(_named(rule))
        chain = Chain(evaluated, Type.TEXT).then(kind, "UTC")
        fault = _fault(chain.sql, chain.failures)
    else:
        try:
            sql, found = expression.to_value(
                node, lambda name: (dialect.name(name), entity.fields[name].type)
            )
        except expression.ExpressionError as error:
            problems.append(Problem(rule.expression.at, f"compute: {error}"))
            return None
        kind = declared or found
        if not convertible(found, kind):
            problems.append(Problem(rule.expression.at, f"it yields {found}, not {kind}"))
            return None
        chain = _kept(sql, found).then(kind, "UTC")
        sql = dialect.cast(chain.sql, kind)
        fault = _fault(sql, chain.failures)
    fields = [entity.fields[name] for name, _ in rule.pieces]
    pieces: list[Piece] = []
    for (_, text), field in zip(rule.pieces, fields, strict=True):
        piece = _reverse(text.text, kind, field, text.at, problems)
        if piece is not None:
            pieces.append(piece)
    return Made(
        column=_column(_named(rule), kind, fields),
        node=node,
        sql=sql,
        reads=reads,
        pieces=tuple(pieces),
        fault=fault,
    )


def _kept(sql: str, kind: Type) -> Chain:
    """Take what was computed as its type keeps it; a number may have come to too many digits."""
    if kind not in (Type.INTEGER, Type.DECIMAL):
        return Chain(sql, kind)
    kept = dialect.try_cast(sql, kind)
    words = told(sql, kind, "comes to more than 18 digits by compute")
    return Chain(kept, kind, ((lost(sql, kept), words),))


def _named(rule: Computed) -> str:
    return f"= {rule.expression.text}"


def _reverse(
    text: str, kind: Type, field: FieldType, at: Location, problems: list[Problem]
) -> Piece | None:
    node = expression.parse(text)
    try:
        sql, found = expression.to_value(node, lambda _: (_VALUE, kind))
    except expression.ExpressionError as error:
        problems.append(Problem(at, f"reverse: {error}"))
        return None
    if not convertible(found, field.type):
        problems.append(
            Problem(at, f"reverse: it yields {found}, and {field.name} is {field.type}")
        )
        return None
    chain = _kept(sql, found).then(field.type, "UTC")

    def failures(value: str) -> Sequence[tuple[str, str]]:
        return [(a.replace(_VALUE, value), b.replace(_VALUE, value)) for a, b in chain.failures]

    return Piece(field, lambda value: chain.sql.replace(_VALUE, value), failures)


def _column(name: str, kind: Type, fields: list[FieldType]) -> FieldType:
    """Describe the made value as a field: it can be written where all of its pieces can."""
    return FieldType(
        name=name,
        type=kind,
        on_create=all(field.on_create for field in fields),
        on_update=all(field.on_update for field in fields),
    )


def plain(field: FieldType) -> tuple[Piece, ...]:
    """Return the one piece of a value that is a field."""
    return (Piece(field, _whole),)


def _whole(value: str) -> str:
    return value
