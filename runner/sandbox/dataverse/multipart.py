"""How ``$batch`` is written: multipart, to the letter (protocols A11).

A line that ends in LF alone, a missing blank line, a boundary that is not the one announced:
each is refused, as by the real server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse.session import BAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.responses import Response

_END = b"\r\n"
_BLANK = b"\r\n\r\n"
_KIND = re.compile(r'multipart/mixed\s*;\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_LINE = re.compile(r"([A-Z]+) (\S+) HTTP/1\.1")


@dataclass(frozen=True, slots=True)
class Operation:
    """One request inside a batch. ``url`` stands as it was sent; ``id`` is its Content-ID."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    id: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Operations that succeed or fail together."""

    operations: Sequence[Operation]


def read(kind: str, content: bytes) -> Sequence[Operation | ChangeSet]:
    """Take a batch apart. Raises ``Refusal`` where it is not written as it must be."""
    return [_part(head, inner) for head, inner in _parts(kind, content)]


def _part(head: Mapping[str, str], content: bytes) -> Operation | ChangeSet:
    kind = head.get("content-type", "")
    if not kind.lower().startswith("multipart/mixed"):
        return _operation(head, content)
    found = [_operation(*part) for part in _parts(kind, content)]
    ids = [operation.id for operation in found]
    if "" in ids or len(set(ids)) < len(ids):
        raise _malformed("each part of a change set needs a Content-ID of its own")
    return ChangeSet(found)


def _parts(kind: str, content: bytes) -> Iterable[tuple[Mapping[str, str], bytes]]:
    found = _KIND.fullmatch(kind.strip())
    if found is None:
        raise _malformed(f"the content type '{kind}' names no boundary")
    first, *inner = (_END + content).split(_END + b"--" + (found[1] or found[2]).encode())
    if first or not inner or inner[-1].rstrip(_END) != b"--":
        raise _malformed("it does not begin and end with its boundary")
    for part in inner[:-1]:
        head, blank, rest = part.partition(_BLANK)
        if not head.startswith(_END) or not blank:
            raise _malformed("a blank line is missing")
        yield _headers(head[len(_END) :]), rest


def _operation(head: Mapping[str, str], content: bytes) -> Operation:
    kind, encoding = head.get("content-type", ""), head.get("content-transfer-encoding", "")
    if kind.split(";")[0].strip().lower() != "application/http" or encoding.lower() != "binary":
        raise _malformed("a part is neither application/http, binary, nor a change set")
    lines, blank, body = content.partition(_BLANK)
    line, _, headers = lines.partition(_END)
    found = _LINE.fullmatch(line.decode("ascii", "replace"))
    if found is None or not blank:
        raise _malformed("a part holds no request, or no blank line after its headers")
    return Operation(found[1], found[2], _headers(headers), body, head.get("content-id", ""))


def _headers(lines: bytes) -> Mapping[str, str]:
    if b"\n" in lines.replace(_END, b""):
        raise _malformed("a line does not end in CRLF")
    found = {}
    for line in lines.split(_END):
        name, colon, value = line.decode("latin-1").partition(":")
        if line and not colon:
            raise _malformed(f"'{name}' is no header")
        if line:
            found[name.strip().lower()] = value.strip()
    return found


def _malformed(what: str) -> Refusal:
    return Refusal(400, BAD, f"Error while parsing the batch request: {what}.")


def written(boundary: str, parts: Iterable[bytes]) -> bytes:
    """Put parts together."""
    mark = f"--{boundary}".encode()
    return b"".join(mark + _END + part + _END for part in parts) + mark + b"--" + _END


def answer_part(response: Response, id: str = "") -> bytes:  # noqa: A002 - its Content-ID
    """Write one answer as a part."""
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    head += f"Content-ID: {id}\r\n" if id else ""
    status = HTTPStatus(response.status_code)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [
        name.title() + b": " + value
        for name, value in response.raw_headers
        if name != b"content-length"
    ]
    return head.encode() + _END + _END.join(lines) + _BLANK + bytes(response.body)


def set_part(boundary: str, parts: Iterable[bytes]) -> bytes:
    """Write the answers to a change set as one part."""
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'
    return head.encode() + written(boundary, parts).removesuffix(_END)
