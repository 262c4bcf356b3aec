"""Reading pages of NAV: filters, order, pages, counts (protocols B4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from runner.sandbox import filters
from runner.sandbox.answers import Refusal, answer, number, options
from runner.sandbox.nav import filters as nav_filters
from runner.sandbox.nav.session import BAD, Session, after, customer_of, token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.sandbox.nav.metadata import Service
    from runner.sandbox.store import Body, Row

_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$format"})
_INTERNAL = "http://nav-internal:7048"


def one(session: Session, service: Service, row: Row) -> Response:
    """Answer with one record."""
    options(session.call, frozenset({"$select"}), BAD)
    return answer(200, session.entity(service, row, selected(session, service)))


def counted(session: Session, service: Service) -> Response:
    """Answer ``/$count``."""
    test = _test(session, service)
    count = sum(1 for row in session.store.rows(service.rows) if test(row.body))
    return Response(str(count), media_type="text/plain", headers={"OData-Version": "4.0"})


def listed(session: Session, service: Service) -> Response:
    """Answer with a page of records."""
    call, store = session.call, session.store
    options(call, _OPTIONS, BAD)
    test, names = _test(session, service), selected(session, service)
    size, top = _page_size(session), number(call, "$top", BAD)
    rows: Iterator[Row] = (row for row in store.rows(service.rows, after(call)) if test(row.body))
    try:
        if "$orderby" in call.query:
            by = filters.order(call.query["$orderby"], frozenset(service.controls))
            rows = iter(filters.ordered(list(rows), by, lambda r: r.body))
        limit = min(size, top) if top is not None else size
        page = [row for _, row in zip(range(limit), rows, strict=False)]
        more = (top is None or top > size) and next(rows, None) is not None
    except filters.FilterError as error:
        raise Refusal(400, "Application_FilterErrorException", str(error)) from error
    links = session.links(service)
    document: dict[str, Any] = {
        "@odata.context": f"{call.root}/$metadata#{service.name}",
        "value": [session.shown(service, row, names, links) for row in page],
    }
    if call.query.get("$count") == "true":
        document["@odata.count"] = sum(1 for r in store.rows(service.rows) if test(r.body))
    if more:
        document["@odata.nextLink"] = _following(session, page[-1].key)
    return answer(200, document)


def selected(session: Session, service: Service) -> list[str]:
    """Read ``$select``; without it all controls are shown."""
    select = session.call.query.get("$select")
    if not select:
        return list(service.controls)
    names = [name.strip() for name in select.split(",") if name.strip()]
    for name in names:
        if name not in service.controls:
            words = f"Could not find a property named '{name}' on type 'NAV.{service.name}'."
            raise Refusal(400, BAD, words)
    return names


def _test(session: Session, service: Service) -> Callable[[Body], bool]:
    text = session.call.query.get("$filter")
    if text is None:
        return lambda _: True
    controls, manners = service.controls, session.manners
    compare = nav_filters.comparing(controls, manners)
    known = filters.Manner(frozenset(controls), or_across=manners.across, compare=compare)
    try:
        found = filters.read(text, known)
    except filters.FilterError as error:
        raise Refusal(400, "Application_FilterErrorException", str(error)) from error
    links = session.links(service)

    def test(body: Body) -> bool:
        told = {n: session.value(c, body.get(n, c.blank)) for n, c in _asked(service, found)}
        if "IntegrationCustomerNo" in told:
            # A flow field: calculated, and to be filtered by like any other.
            told["IntegrationCustomerNo"] = customer_of(body, links)
        return found.test(told)

    return test


def _asked(service: Service, found: filters.Filter) -> list[tuple[str, Any]]:
    return [(name, service.controls[name]) for name in found.fields]


def _page_size(session: Session) -> int:
    """Return how many rows a page has; whether clients may say so is not confirmed (F10)."""
    wanted = session.call.prefer.get("odata.maxpagesize", "")
    if session.manners.honours_size and wanted.isdigit():
        return min(int(wanted), session.manners.most_rows)
    return session.manners.most_rows


def _following(session: Session, key: str) -> str:
    call = session.call
    kept = [f"{n}={v}" for n, v in call.raw_query.items() if n != "$skiptoken"]
    root = call.root
    if session.manners.internal_links:
        root = root.replace(call.origin, _INTERNAL)
    return f"{root}{call.path}?{'&'.join([*kept, f'$skiptoken={token(key)}'])}"
