"""What servers say when something is wrong, in all the forms they say it (protocols A2, B6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

_LONGEST = 300
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that a server tells of. ``code`` is its own, empty where it gave none."""

    status: int
    code: str
    message: str

    @property
    def words(self) -> str:
        """The message with its status, on one line."""
        return f"HTTP {self.status}: {self.message}" if self.message else f"HTTP {self.status}"


def fault_of(status: int, content_type: str, content: bytes) -> Fault:
    """Read an error body: OData V4, V3, ``{"Message": …}``, HTML, or nothing."""
    if "html" in content_type or content.lstrip()[:1] == b"<":
        title = _TITLE.search(content)
        return Fault(status, "", one_line(title[1].decode("utf-8", "replace")) if title else "")
    try:
        document = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return Fault(status, "", one_line(content[:_LONGEST].decode("utf-8", "replace")))
    if not isinstance(document, dict):
        return Fault(status, "", "")
    told = document.get("error", document.get("odata.error", document))
    if not isinstance(told, dict):
        return Fault(status, "", one_line(str(told)))
    message = told.get("message", told.get("Message", ""))
    if isinstance(message, dict):
        message = message.get("value", "")
    return Fault(status, _text(told.get("code")), one_line(_text(message)))


def one_line(text: str) -> str:
    """Shorten a text to what fits a line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
