"""What the servers of NAV 2018 and of Business Central do alike (protocols B4 to B6, C2 to C4)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from runner.connectors.odata import language as odata
from runner.connectors.odata.filtering import Asking, condition
from runner.wire import Drifted, Rejected, Type, Unknown, WriteKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.connectors.line.http import Reply
    from runner.connectors.odata.columns import Column
    from runner.connectors.odata.edm import Table
    from runner.connectors.odata.rows import Check
    from runner.connectors.problems import Fault
    from runner.wire import Outcome, Value, WireQuery, Write

BLANKS: Mapping[Type, Value] = {
    Type.INTEGER: 0,
    Type.DECIMAL: 0,
    Type.BOOLEAN: False,
    Type.DATE: date(1, 1, 1),
    Type.INSTANT: datetime(1, 1, 1, tzinfo=UTC),
    Type.GUID: "00000000-0000-0000-0000-000000000000",
    Type.REFERENCE: "00000000-0000-0000-0000-000000000000",
}
"""They know no null (B5): how they write nothing; for all other types it is the empty text."""

_WILD = frozenset("'*?@|<>&()=")
_MOMENTS = (Type.DATE, Type.INSTANT)
_DUPLICATE = "Internal_EntityWithSameKeyExists"
_STALE = "Request_EntityChanged"
_NO_SUCH_PAGE = frozenset({"BadRequest_ResourceNotFound", "Internal_CompanyNotFound"})
_EXISTS = re.compile(r"already exists", re.IGNORECASE)
_LOCKED = re.compile(
    r"cannot be locked|could not be locked|locked by another user|being updated in a transaction"
    r"|deadlock",
    re.IGNORECASE,
)


def body(column: Column, value: Value) -> Any:
    """Return a value for a body; nothing is written as its type's blank."""
    if value is None:
        value = BLANKS.get(column.type, "")
    written = odata.json_value(value)
    return f"{written}T00:00:00Z" if column.midnight else written


def asking(columns: Mapping[str, Column]) -> Asking:
    """Say what can be asked: no nulls, and ``or`` on one field alone (B4).

    How a page writes the blank of an option is not known beforehand (D25).
    """
    blanks = {Type.TEXT: "", Type.CODE: "", **{k: v for k, v in BLANKS.items() if k in _MOMENTS}}
    return Asking(columns=columns, wild=_WILD, blanks=blanks, or_across=False)


def conditions(query: WireQuery, table: Table) -> tuple[list[str], list[Check]]:
    """Say what the server is asked and what is checked here instead, but for ``since``.

    It turns conditions into filters of its own, in which some letters have a meaning: what holds
    one of them might not be found (B4).
    """
    asked, checks = list(condition(query, asking(table.columns))), []
    wild_keys = [key for key in query.keys if not table.key.parts and _wild(key)]
    if wild_keys:
        checks.append(odata.among(table.key, query.keys))
    elif query.keys:
        asked.append(odata.one_of(table.key, query.keys))
    for name, value in query.where:
        column = table.columns[name]
        # How a page writes the blank of an option, " " or "_x0020_", is not known beforehand (D25).
        blank = value is None and column.type is Type.OPTION
        wild = isinstance(value, str) and not column.parts and _wild(value)
        if wild or blank or not odata.fits(value):
            checks.append(odata.equals(column, value))
            continue
        given: Value = BLANKS.get(column.type, "") if value is None else value
        asked.append(odata.is_equal(column, given))
    return asked, checks


def refused(write: Write, fault: Fault) -> Outcome:
    """Judge by status, code and, where builds differ, by what the message says (B6)."""
    code, message = fault.code, fault.message or fault.words
    creating = write.kind is WriteKind.CREATE
    match fault.status:
        case _ if code == _STALE and not creating:
            return Drifted(message=message)
        case _ if _LOCKED.search(message):
            return Rejected(code=code, message=message)
        case _ if code == _DUPLICATE:
            return Rejected(code=code, message=message, duplicate=True)
        case 400 | 409 | 412 if creating:
            there = bool(_EXISTS.search(message)) and write.key is not None
            return Rejected(code=code, message=message, duplicate=there)
        case HTTPStatus.CONFLICT | HTTPStatus.PRECONDITION_FAILED:
            return Drifted(message=message)
        case HTTPStatus.NOT_FOUND:
            missing = not creating and code not in _NO_SUCH_PAGE
            return Rejected(code=code, message=message, missing=missing)
        case HTTPStatus.REQUEST_TIMEOUT:
            return Unknown(message=fault.words)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            known = status == HTTPStatus.NOT_IMPLEMENTED
            return Rejected(code=code, message=message) if known else Unknown(message=fault.words)
        case _:
            return Rejected(code=code, message=message)


def locked(reply: Reply) -> bool:
    """Whether others held the table: what was begun is rolled back, and may be sent again (F15)."""
    return reply.status >= HTTPStatus.BAD_REQUEST and bool(_LOCKED.search(reply.fault.message))


def _wild(text: str) -> bool:
    return ".." in text or not _WILD.isdisjoint(text)
