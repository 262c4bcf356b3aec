"""Values known only now: keys of records that this plan creates, and texts as typed values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from runner.compile import PENDING
from runner.wire import Reference, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from runner.compile import CompiledMapping
    from runner.model import Side
    from runner.plan import Action
    from runner.wire import Value


def pending(value: str | None) -> bool:
    """Whether a text stands for a key that only the system can give."""
    return value is not None and value.startswith(PENDING)


def given(connection: duckdb.DuckDBPyConnection, pendings: Iterable[str]) -> dict[str, str]:
    """Return the keys that were given meanwhile; what is missing was not created."""
    wanted = list(set(pendings))
    if not wanted:
        return {}
    rows = connection.execute(
        f"""WITH wanted AS (
            SELECT w, string_split(substr(w, {len(PENDING) + 1}), ':') AS parts
            FROM (SELECT unnest(?) AS w)
        ), named AS (
            SELECT w, parts[1] AS side, parts[2] AS mapping,
                substr(w, {len(PENDING) + 3} + length(parts[1]) + length(parts[2])) AS partner
            FROM wanted)
        SELECT n.w, CASE n.side WHEN 'left' THEN c.left_key ELSE c.right_key END
        FROM named n JOIN state.main.coupling c ON c.mapping = n.mapping
            AND CASE n.side WHEN 'left' THEN c.right_key ELSE c.left_key END = n.partner""",
        [wanted],
    ).fetchall()
    return dict(rows)


def pendings_of(action: Action) -> tuple[str, ...]:
    """Name the keys that an action waits for, other than the one it makes."""
    own = {"left": action.left_key, "right": action.right_key} if action.kind != "create" else {}
    texts = (*own.values(), *(change.new for change in action.fields))
    return tuple(text for text in texts if text is not None and pending(text))


def with_keys(action: Action, known: Mapping[str, str], *, own: bool = True) -> Action | None:
    """Put in the keys that were given meanwhile; ``None`` if one never was.

    ``own``: its own keys count; else only those it points to.
    """
    waits = pendings_of(action) if own else [c.new for c in action.fields if pending(c.new)]
    if not waits:
        return action
    if any(pending not in known for pending in waits):
        return None
    return replace(
        action,
        left_key=known.get(action.left_key or "", action.left_key),
        right_key=known.get(action.right_key or "", action.right_key),
        fields=tuple(
            replace(change, new=known.get(change.new or "", change.new)) for change in action.fields
        ),
    )


def values(
    action: Action, mapping: CompiledMapping, side: Side, entities: Mapping[str, str]
) -> dict[str, Value]:
    """Turn an action's fields into typed values, by the name of the field written.

    ``entities`` says for each mapping looked up which entity its keys belong to on that side.
    """
    types = mapping.type(side).fields
    found: dict[str, Value] = {}
    for change in action.fields:
        name = change.left if side == "left" else change.right
        kind = types[name].type
        if kind is Type.REFERENCE and change.lookup and change.new is not None:
            found[name] = Reference(entities[change.lookup], change.new)
        else:
            found[name] = typed(change.new, kind)
    return found


def typed(text: str | None, kind: Type) -> Value:
    """Read a value back from its text form (``compile.values.as_text``)."""
    if text is None:
        return None
    match kind:
        case Type.INTEGER:
            return int(text)
        case Type.DECIMAL:
            return Decimal(text)
        case Type.BOOLEAN:
            return text == "true"
        case Type.DATE:
            return date.fromisoformat(text)
        case Type.INSTANT:
            return datetime.fromisoformat(text).astimezone(UTC)
        case _:
            return text
