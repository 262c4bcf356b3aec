"""One request to an organisation: what is asked, in whose name, at what time, by which manners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Call, Refusal, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.responses import Response

    from runner.sandbox.dataverse.manners import DataverseManners
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.store import Row, Store

BAD = "0x80060888"
INVALID = "0x80040203"
PAYLOAD = "0x80048d19"


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name a request acts (protocols A14).

    ``user`` is whose name its writes carry; ``behalf`` the application user that acts for that
    user, if another one does. ``everything``: reads all rows, as change tracking wants.
    """

    user: str
    behalf: str | None = None
    everything: bool = True


@dataclass(frozen=True, slots=True)
class Session:
    """One request, inside the transaction that it is answered in.

    ``spend`` reckons one more operation to the user; it raises ``Refusal`` where that is too much.
    """

    store: Store
    call: Call
    now: datetime
    manners: DataverseManners
    caller: Caller
    spend: Callable[[], None]

    def json(self) -> dict[str, Any]:
        """Read the body."""
        return self.call.json(PAYLOAD)

    def represented(self) -> bool:
        """Whether a write answers with the record."""
        return self.call.prefer.get("return") == "representation"

    def applied(self) -> dict[str, str]:
        """Say which preferences were honoured."""
        prefer = self.call.headers.get("prefer", "")
        return {"Preference-Applied": prefer} if prefer and self.manners.preference_applied else {}

    def answer(self, status: int, document: Any = None, **headers: str) -> Response:
        """Answer, with the preferences that were honoured."""
        return answer(status, document, **self.applied(), **headers)

    def page_size(self) -> int:
        """Return how many records a page holds: as asked for, and no more than there is."""
        asked, most = self.call.prefer.get("odata.maxpagesize", ""), self.manners.most_rows
        return max(1, min(int(asked), most)) if asked.isdigit() else most

    def context(self, rest: str) -> str:
        """Write where the metadata of an answer stands."""
        return f"{self.call.root}/$metadata#{rest}"

    def place(self, entity: Entity, key: str) -> str:
        """Write the address of a record."""
        return f"{self.call.root}/{entity.set}({key})"


def etag(row: Row) -> str:
    """Write the version of a record as an ETag: weak and opaque (A8)."""
    return f'W/"{row.version}"'


def missing(entity: Entity, key: str, status: int = 404) -> Refusal:
    """Say that there is no such record."""
    message = f"{entity.logical} With Id = {key} Does Not Exist"
    return Refusal(status, "0x80040217", message)


def no_segment(name: str) -> Refusal:
    """Say that a path leads nowhere."""
    return Refusal(404, BAD, f"Resource not found for the segment '{name}'.")


def not_allowed(method: str) -> Refusal:
    """Say that a method is not for this place."""
    return Refusal(405, BAD, f"{method} is not allowed here.")
