"""What servers say when something is wrong, in all the forms they say it (protocols A2, B6)."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 300
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class UnreadableError(Exception):
    """An answer that is not what was asked for. ``garbled``: it may be whole the next time."""

    def __init__(self, reason: str, *, garbled: bool = False) -> None:
        super().__init__(reason)
        self.garbled = garbled


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that a server tells of. ``code`` is its own, empty where it gave none."""

    status: int
    code: str
    message: str

    @property
    def words(self) -> str:
        """Status, message and code, on one line; what is not told is left out."""
        status = f"HTTP {self.status} {_PHRASES.get(self.status, '')}".strip()
        told = f"{status}: {self.message}" if self.message else status
        return f"{told} ({self.code})" if self.code else told


def one_line(text: str) -> str:
    """Shorten a text to what fits a line."""
    line = flat(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def flat(text: str) -> str:
    """Put a text on one line, however long: what is secret is found only in what is whole."""
    return " ".join(text.split())


def fault_of(status: int, content: bytes, told: Callable[[str], str] = one_line) -> Fault:
    """Read an error body: OData V4, V3, ``{"Message": …}``, HTML, plain text, or nothing.

    ``told`` is what each of the server's words goes through before anybody sees it.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
    if text.startswith("<"):
        return Fault(status, "", told(title(text)))
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return Fault(status, "", told(text))
    if not isinstance(document, dict):
        return Fault(status, "", "")
    error = document.get("error", document.get("odata.error", document))
    if not isinstance(error, dict):
        # Token endpoints: {"error": "invalid_client", "error_description": "AADSTS…"} (A1)
        code, message = error, document.get("error_description")
    else:
        code, message = error.get("code"), error.get("message", error.get("Message"))
    if isinstance(message, dict):
        message = message.get("value")
    return Fault(status, told(_text(code)), told(_text(message)))


def html_of(content: bytes) -> str | None:
    r"""Say what a page for people is about; ``None`` where an answer is none.

    >>> html_of(b"\n<html><title>Sign in</title></html>")
    'Sign in'
    >>> html_of(b'{"name": "<html>"}')
    """
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    return title(text.decode("utf-8", "replace")) if text.startswith(b"<") else None


def title(page: str) -> str:
    """Say what an HTML page is about; nobody wants to read the rest of it."""
    found = _TITLE.search(page)
    return flat(html.unescape(found[1])) if found else "an HTML page"


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""
