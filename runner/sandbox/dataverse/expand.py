"""``$expand`` and what stands below a record: related records, single columns (protocols A4)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from runner.sandbox.answers import Refusal, options, split
from runner.sandbox.dataverse import filters
from runner.sandbox.dataverse.navigation import ways
from runner.sandbox.dataverse.session import BAD, Session, no_segment
from runner.sandbox.dataverse.shown import chosen, shown, unknown, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.sandbox.dataverse.keys import Place
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.dataverse.navigation import Way
    from runner.sandbox.store import Row

MOST = 15
_WITHIN = frozenset({"$select", "$filter", "$orderby", "$top", "$expand"})


@dataclass(frozen=True, slots=True)
class Expansion:
    """One navigation property that is asked for, and how."""

    way: Way
    options: Mapping[str, str]


def asked(session: Session, entity: Entity, text: str | None) -> list[Expansion]:
    """Read an ``$expand``. Raises ``Refusal`` for what the server does not understand."""
    found = [_one(entity, part) for part in split(text or "")]
    if len(found) > MOST:
        words = f"The number of $expand options exceeds the limit of {MOST}."
        raise Refusal(400, BAD, words)
    for one in found:
        # What stands within is read whether or not a record leads there.
        _rows(session, one, None)
        chosen(one.way.target, one.options.get("$select"))
        asked(session, one.way.target, one.options.get("$expand"))
    return found


def expanded(
    session: Session, entity: Entity, row: Row, wanted: list[Expansion], size: int
) -> dict[str, Any]:
    """Show what a record leads to; of a collection one page, with a link to the rest."""
    told: dict[str, Any] = {}
    for one in wanted:
        name, target = one.way.name, one.way.target
        names = chosen(target, one.options.get("$select"))
        deeper = asked(session, target, one.options.get("$expand"))
        rows = _rows(session, one, row)
        if not one.way.many:
            found = next(rows, None)
            told[name] = _shown(session, target, found, names, deeper, size) if found else None
            continue
        top = one.options.get("$top")
        page = list(islice(rows, int(top) if top else size))
        told[name] = [_shown(session, target, r, names, deeper, size) for r in page]
        if top is None and next(rows, None) is not None:
            place = session.place(entity, row.key)
            told[f"{name}@odata.nextLink"] = f"{place}/{name}?$skiptoken={page[-1].key}"
    return told


def below(session: Session, place: Place, segment: str) -> Response:
    """Answer for what stands below a record: a column, its bare value, related records."""
    entity, row = place.entity, place.row
    if row is None:
        raise place.missing()
    name, _, rest = segment.partition("/")
    if way := ways(entity.logical).get(name):
        if rest == "$ref" or not rest:
            return _related(session, entity, row, way, references=bool(rest))
        raise no_segment(rest)
    if name not in entity.properties:
        raise unknown(entity, name)
    held = value(row, entity.properties[name])
    if held is None:
        return session.answer(204)
    if rest == "$value":
        return Response(str(held), media_type="text/plain", headers={"OData-Version": "4.0"})
    if rest:
        raise no_segment(rest)
    context = session.context(f"{entity.set}({row.key})/{name}")
    return session.answer(200, {"@odata.context": context, "value": held})


def _related(session: Session, entity: Entity, row: Row, way: Way, *, references: bool) -> Response:
    options(session.call, _WITHIN | {"$skiptoken"}, BAD)
    one = Expansion(way, {k: v for k, v in session.call.query.items() if k in _WITHIN})
    after, target = session.call.query.get("$skiptoken", ""), way.target
    rows = (found for found in _rows(session, one, row) if found.key > after)
    names = chosen(target, one.options.get("$select"))

    def told(found: Row) -> dict[str, Any]:
        if references:
            return {"@odata.id": session.place(target, found.key)}
        return shown(session, target, found, names)

    if not way.many:
        found = next(rows, None)
        if found is None:
            return session.answer(204)
        kind = "$metadata#$ref" if references else f"$metadata#{target.set}/$entity"
        context = {"@odata.context": f"{session.call.root}/{kind}"}
        return session.answer(200, {**context, **told(found)})
    size = session.page_size()
    page = list(islice(rows, size))
    document: dict[str, Any] = {
        "@odata.context": session.context(target.set),
        "value": [told(found) for found in page],
    }
    if next(rows, None) is not None:
        place = session.place(entity, row.key)
        kept = [f"{n}={v}" for n, v in session.call.raw_query.items() if n != "$skiptoken"]
        query = "&".join([*kept, f"$skiptoken={page[-1].key}"])
        document["@odata.nextLink"] = f"{place}/{way.name}?{query}"
    return session.answer(200, document)


def _one(entity: Entity, text: str) -> Expansion:
    name, opened, inner = text.strip().partition("(")
    if name.endswith("/$ref"):
        raise Refusal(400, BAD, "The $ref segment is not supported within $expand.")
    way = ways(entity.logical).get(name)
    if way is None:
        raise unknown(entity, name)
    given: dict[str, str] = {}
    if opened:
        if not inner.endswith(")"):
            raise Refusal(400, BAD, f"Syntax error in the $expand expression '{text}'.")
        for part in split(inner[:-1], ";"):
            option, _, said = part.strip().partition("=")
            if option not in _WITHIN:
                words = f"The query option '{option}' is not supported within $expand."
                raise Refusal(400, BAD, words)
            given[option] = said
    if not given.get("$top", "1").isdigit():
        raise Refusal(400, BAD, f"Invalid value '{given['$top']}' for $top.")
    return Expansion(way, given)


def _rows(session: Session, one: Expansion, row: Row | None) -> Iterator[Row]:
    """Yield what a record leads to, as far as the filter lets it, in the order asked for."""
    target, text = one.way.target, one.options.get("$filter")
    test = filters.read(session, target, text) if text else lambda _: True
    by = one.options.get("$orderby")
    order = filters.order(session, target, by) if by else []
    if row is None:
        return iter(())
    found = (other for other in one.way.follow(session.store, row) if test(other))
    if not order:
        return found
    rows = list(found)
    for key, descending in reversed(order):
        rows.sort(key=key, reverse=descending)
    return iter(rows)


def _shown(
    session: Session,
    entity: Entity,
    row: Row,
    names: Any,
    deeper: list[Expansion],
    size: int,
) -> dict[str, Any]:
    return {
        **shown(session, entity, row, names),
        **expanded(session, entity, row, deeper, size),
    }
