"""Records read: sets page by page, and one alone (protocols A4)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from runner.sandbox.answers import answer, number, options
from runner.sandbox.dataverse import expand, filters
from runner.sandbox.dataverse.paging import cookie, following
from runner.sandbox.dataverse.session import BAD, Session, etag
from runner.sandbox.dataverse.shown import chosen, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.sandbox.dataverse.keys import Place
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.store import Row

    Order = list[tuple[Callable[[Row], Any], bool]]

_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$expand"})
_TOTAL = "Microsoft.Dynamics.CRM.totalrecordcount"


def listed(session: Session, entity: Entity) -> Response:
    """Answer a query of a set."""
    call, manners = session.call, session.manners
    options(call, _OPTIONS, BAD)
    names = chosen(entity, call.query.get("$select"))
    here = cookie(session)
    test, by = _test(session, entity), _order(session, entity)
    top, size = number(call, "$top", BAD), session.page_size()
    yielding = manners.top_yields and "odata.maxpagesize" in call.prefer
    limit = size if top is None or yielding else min(top, manners.most_rows)
    wanted = expand.asked(session, entity, call.query.get("$expand"))
    matching = _matching(session, entity, by, here.after, test)
    page = list(islice(matching, limit))
    whole = top is not None and not yielding
    more = not whole and (next(matching, None) is not None or _goes_on(session, page, limit))
    counted = _counted(session, entity, test) if call.query.get("$count") == "true" else {}
    document: dict[str, Any] = {
        "@odata.context": session.context(f"{entity.set}({','.join(names)})"),
        **counted,
        "value": [
            {
                **shown(session, entity, row, names),
                **expand.expanded(session, entity, row, wanted, size),
            }
            for row in page
        ],
    }
    if more and page:
        after = str(int(here.after or 0) + len(page)) if by else page[-1].key
        document["@odata.nextLink"] = following(call, here, after)
    return session.answer(200, document)


def one(session: Session, place: Place) -> Response:
    """Answer a query of one record."""
    options(session.call, frozenset({"$select", "$expand"}), BAD)
    entity, row = place.entity, place.row
    if row is None:
        raise place.missing()
    if _unchanged(session, entity, row):
        return answer(304)
    wanted = expand.asked(session, entity, session.call.query.get("$expand"))
    told = shown(session, entity, row, chosen(entity, session.call.query.get("$select")))
    told |= expand.expanded(session, entity, row, wanted, session.page_size())
    document = {"@odata.context": session.context(f"{entity.set}/$entity"), **told}
    return session.answer(200, document, ETag=etag(row))


def counted(session: Session, entity: Entity) -> Response:
    """Answer ``/$count``: no further than 5,000, as text (A4)."""
    options(session.call, frozenset({"$filter"}), BAD)
    test = _test(session, entity)
    every = sum(1 for row in session.store.rows(entity.set) if test(row))
    return text(session, min(every, session.manners.most_counted))


def text(session: Session, number: int) -> Response:
    """Answer with a number, behind the byte order mark that Dataverse likes to send."""
    mark = "\ufeff" if session.manners.count_mark else ""
    headers = {"OData-Version": "4.0", "Content-Type": "text/plain"}
    return Response(f"{mark}{number}".encode(), headers=headers)


def _unchanged(session: Session, entity: Entity, row: Row) -> bool:
    """Protocols A8: 304 only without ``$expand``, without annotations, where rows have versions."""
    call = session.call
    plain = "$expand" not in call.query and "odata.include-annotations" not in call.prefer
    versioned = entity.logical not in session.manners.unversioned
    return plain and versioned and call.headers.get("if-none-match") == etag(row)


def _goes_on(session: Session, page: list[Row], limit: int) -> bool:
    """Whether a last page that is exactly full is followed by an empty one."""
    return session.manners.empty_last_page and len(page) == limit


def _matching(
    session: Session, entity: Entity, by: Order, after: str, test: Callable[[Row], bool]
) -> Iterator[Row]:
    if not by:
        return (row for row in session.store.rows(entity.set, after) if test(row))
    found = [row for row in session.store.rows(entity.set) if test(row)]
    for key, descending in reversed(by):
        found.sort(key=key, reverse=descending)
    return iter(found[int(after or 0) :])


def _counted(
    session: Session, entity: Entity, test: Callable[[Row], bool]
) -> dict[str, int | bool]:
    every = sum(1 for row in session.store.rows(entity.set) if test(row))
    most = session.manners.most_counted
    told: dict[str, int | bool] = {"@odata.count": min(every, most)}
    if "odata.include-annotations" in session.call.prefer:
        told |= {f"@{_TOTAL}": min(every, most), f"@{_TOTAL}limitexceeded": every > most}
    return told


def _order(session: Session, entity: Entity) -> Order:
    text = session.call.query.get("$orderby")
    return filters.order(session, entity, text) if text is not None else []


def _test(session: Session, entity: Entity) -> Callable[[Row], bool]:
    text = session.call.query.get("$filter")
    return filters.read(session, entity, text) if text is not None else lambda _: True
