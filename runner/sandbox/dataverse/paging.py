"""Where a page begins: the cookie of ``$skiptoken``, encoded twice and nobody's to change (A4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from runner.sandbox.answers import Call, Refusal
from runner.sandbox.dataverse.session import INVALID, Session

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEAL = b"where a page begins"
_OUTER = re.compile(
    r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="(?:True|False)" />'
)
_INNER = re.compile(r'last="\{(.*?)\}" first="\{(.*?)\}"')


@dataclass(frozen=True, slots=True)
class Cookie:
    """Where a page begins. ``tracked``: from which version on a tracked query counts changes."""

    page: int = 1
    after: str = ""
    tracked: str = ""

    def text(self) -> str:
        """Encode as the server does: the inner cookie twice, the whole once more."""
        told = f"{self.page}|{self.after}|{self.tracked}"
        seal = hmac.new(_SEAL, told.encode(), hashlib.sha256).hexdigest()[:16]
        ids = f'last="{{{self.after}}}" first="{{{self.tracked}}}" sign="{seal}"'
        inner = quote(quote(f'<cookie page="{self.page}"><id {ids} /></cookie>', safe=""), safe="")
        tracking = bool(self.tracked)
        outer = (
            f'<cookie pagenumber="{self.page}" pagingcookie="{inner}" istracking="{tracking}" />'
        )
        return quote(outer, safe="")


def cookie(session: Session) -> Cookie:
    """Read where the page begins that is asked for. Altered cookies are refused."""
    raw = session.call.raw_query.get("$skiptoken")
    if raw is None:
        return Cookie()
    found = _OUTER.fullmatch(unquote(raw))
    inner = _INNER.search(unquote(unquote(found[2]))) if found else None
    told = Cookie(int(found[1]), inner[1], inner[2]) if found and inner else None
    if told is None or (session.manners.sealed_tokens and raw != told.text()):
        raise Refusal(400, INVALID, "Malformed XML in the Paging Cookie")
    return told


def following(call: Call, here: Cookie, after: str) -> str:
    """Write the link to the next page."""
    token = Cookie(here.page + 1, after, here.tracked).text()
    return linked(call, {"$skiptoken": token})


def linked(call: Call, options: Mapping[str, str], *, dropped: frozenset[str] = frozenset()) -> str:
    """Write the address of a query like this one, going on somewhere else."""
    left_out = dropped | options.keys() | {"$skiptoken", "$count"}
    kept = [f"{name}={value}" for name, value in call.raw_query.items() if name not in left_out]
    added = [f"{name}={value}" for name, value in options.items()]
    return f"{call.root}{call.path}?{'&'.join([*kept, *added])}"
