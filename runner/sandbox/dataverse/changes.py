"""Change tracking: what changed since, by tokens of versions (protocols A10)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runner.sandbox.answers import Refusal, options
from runner.sandbox.dataverse.paging import Cookie, cookie, following, linked
from runner.sandbox.dataverse.session import BAD, INVALID, Session
from runner.sandbox.dataverse.shown import chosen, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from runner.sandbox.dataverse.metadata import Entity

_FORBIDDEN = ("$filter", "$orderby", "$expand", "$top")
_OPTIONS = frozenset({"$select", "$skiptoken", "$deltatoken", "$count"})
_TIME = "%m/%d/%Y %H:%M:%S"
_TOKEN = re.compile(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Token:
    """From which version on, and when that was: tokens grow old."""

    version: int
    at: datetime

    @classmethod
    def read(cls, text: str) -> Token:
        """Read a token. Raises ``Refusal`` for what is none."""
        found = _TOKEN.fullmatch(text)
        if found is None:
            raise Refusal(400, INVALID, f"'{text}' is not a valid delta token.")
        return cls(int(found[1]), datetime.strptime(found[2], _TIME).replace(tzinfo=UTC))

    def __str__(self) -> str:
        return f"{self.version}!{self.at.astimezone(UTC).strftime(_TIME)}"


def tracked(session: Session) -> bool:
    """Whether a query wants to know what changes."""
    return "odata.track-changes" in session.call.prefer or "$deltatoken" in session.call.query


def listed(session: Session, entity: Entity) -> Response:
    """Answer a query that tracks changes: everything first, what changed since with a token."""
    _must_be_possible(session, entity)
    options(session.call, _OPTIONS, BAD)
    here = cookie(session)
    # The place to go on from is that of the first page: what changes while paging comes again.
    until = Token.read(here.tracked) if here.tracked else _now(session)
    here = replace(here, tracked=str(until))
    if "$deltatoken" in session.call.query:
        return _changed(session, entity, here, until)
    return _everything(session, entity, here, until)


def counted(session: Session, entity: Entity) -> int:
    """Count the changes since a token."""
    _must_be_possible(session, entity)
    since, until = _since(session), session.store.version()
    rows = sum(1 for _ in session.store.changed(entity.set, since.version, until))
    return rows + sum(1 for _ in session.store.removed(entity.set, since.version, until))


def _everything(session: Session, entity: Entity, here: Cookie, until: Token) -> Response:
    names = chosen(entity, session.call.query.get("$select"))
    rows = session.store.rows(entity.set, here.after)
    page = list(islice(rows, session.page_size()))
    after = page[-1].key if next(rows, None) is not None else None
    document: dict[str, Any] = {
        "@odata.context": session.context(f"{entity.set}({','.join(names)})"),
        "value": [shown(session, entity, row, names) for row in page],
    }
    return session.answer(200, document | _links(session, here, until, after))


def _changed(session: Session, entity: Entity, here: Cookie, until: Token) -> Response:
    since, size = _since(session), session.page_size()
    after = int(here.after or 0)
    entries = [(n, told) for n, told in _entries(session, entity, since, until) if n > after]
    page = entries[:size]
    document = {
        "@odata.context": session.context(f"{entity.set}/$delta"),
        "value": [told for _, told in page],
    }
    last = str(page[-1][0]) if len(entries) > size else None
    return session.answer(200, document | _links(session, here, until, last))


def _entries(
    session: Session, entity: Entity, since: Token, until: Token
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield records by version, then deletes by version, each with a number that grows."""
    names = chosen(entity, session.call.query.get("$select"))
    for row in session.store.changed(entity.set, since.version, until.version):
        yield row.version, shown(session, entity, row, names)
    context = session.context(f"{entity.set}/$deletedEntity")
    for key, version in session.store.removed(entity.set, since.version, until.version):
        yield (
            until.version + version,
            {"@odata.context": context, "id": key, "reason": "deleted"},
        )


def _links(session: Session, here: Cookie, until: Token, after: str | None) -> dict[str, str]:
    """Write where to go on: to the next page, or, behind the last one, to what changes next."""
    if after is not None:
        return {"@odata.nextLink": following(session.call, here, after)}
    token = quote(str(until), safe="")
    return {"@odata.deltaLink": linked(session.call, {"$deltatoken": token})}


def _now(session: Session) -> Token:
    return Token(session.store.version(), session.now)


def _since(session: Session) -> Token:
    since = Token.read(session.call.query["$deltatoken"])
    if session.now - since.at > timedelta(days=session.manners.token_days):
        raise Refusal(
            session.manners.expired_token,
            "0x80044352",
            "Version stamp associated with the client has expired. Please perform a full sync.",
        )
    return since


def _must_be_possible(session: Session, entity: Entity) -> None:
    if entity.logical in session.manners.untracked:
        raise Refusal(
            400, INVALID, f"Change tracking is not enabled for the entity {entity.logical}."
        )
    for name in _FORBIDDEN:
        if name in session.call.query:
            raise Refusal(
                400,
                BAD,
                f'The "{name}" query parameter isn\'t supported when change tracking is enabled.',
            )
    if not session.caller.everything:
        raise Refusal(
            403, "0x80040220", f"Principal user is missing global read on {entity.logical}."
        )
