"""Several requests in one: ``$batch`` as multipart or as JSON (OData 4.01 part 1, 11.7; A11, C5).

No change sets: each write stands for itself, succeeds or fails alone, and under a condition of its
own. The answers are taken apart into what each request would have been answered by itself.
"""

from __future__ import annotations

import re
from email import policy
from email.parser import BytesParser
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import msgspec

from runner.connectors.line.http import Reply, Request
from runner.connectors.problems import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BOUNDARY = "batch_of_writes"
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})[^\r\n]*\r?\n")
_OF_THE_PART = ("OData-MaxVersion", "OData-Version")
"""Headers that the batch says for all of its parts."""


class Form(StrEnum):
    """How a batch is written."""

    MULTIPART = "multipart"
    """Places are relative to the batch: that is what every server understands."""
    PATHS = "paths"
    """Multipart, with the whole path of each place, as Dataverse documents it (A11)."""
    JSON = "json"


def packed(form: Form, root: str, requests: Sequence[Request], about: str) -> Request:
    """Put requests into one; ``root`` is the address that ``$batch`` stands below."""
    if form is Form.JSON:
        content = msgspec.json.encode({"requests": list(_told(root, requests))})
        kind = "application/json"
    else:
        content = b"".join(_parts(form, root, requests)) + f"--{_BOUNDARY}--\r\n".encode()
        kind = f"multipart/mixed; boundary={_BOUNDARY}"
    headers = {name: value for name, value in requests[0].headers.items() if name in _OF_THE_PART}
    accept = "application/json" if form is Form.JSON else "multipart/mixed"
    return Request(
        method="POST",
        url=f"{root}/$batch",
        headers={
            **headers,
            "Accept": accept,
            "Content-Type": kind,
            # One refusal must not keep the others from being tried.
            "Prefer": "odata.continue-on-error",
        },
        about=about,
        content=content,
    )


def unpacked(form: Form, reply: Reply, count: int) -> list[Reply | None]:
    """Return the answers in the order of the requests; ``None`` for those that were not tried.

    Raises:
        UnreadableError: it is no answer to a batch, or broke off.

    """
    if form is Form.JSON:
        return _answers(reply, count)
    found = list(_replies(reply))
    if len(found) > count:
        raise UnreadableError(f"{len(found)} answers came to {count} requests")
    return [*found, *[None] * (count - len(found))]


def _parts(form: Form, root: str, requests: Sequence[Request]) -> Iterator[bytes]:
    for n, request in enumerate(requests, 1):
        there = urlsplit(request.url)
        target = request.url.removeprefix(f"{root}/")
        if form is Form.PATHS:
            target = f"{there.path}?{there.query}" if there.query else there.path
        own = {"Host": there.netloc, **request.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        # Only a change set knows requests by number, but nobody minds the number.
        yield (
            f"--{_BOUNDARY}\r\nContent-Type: application/http\r\n"
            f"Content-Transfer-Encoding: binary\r\nContent-ID: {n}\r\n\r\n"
            f"{request.method} {target} HTTP/1.1\r\n{head}\r\n"
        ).encode()
        yield (request.content or b"") + b"\r\n"


def _replies(reply: Reply) -> Iterator[Reply]:
    kind = reply.headers.get("content-type", "")
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + reply.content)
    if not message.is_multipart():
        raise UnreadableError("the answer to a batch is no batch", garbled=True)
    for defect in message.defects:
        raise UnreadableError(f"the answer to a batch broke off: {defect}", garbled=True)
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        found = _STATUS.match(content) if isinstance(content, bytes) else None
        if found is None or not isinstance(content, bytes):
            raise UnreadableError("an answer in a batch is none", garbled=True)
        head, _, body = content[found.end() :].partition(b"\r\n\r\n")
        if content[found.end() : found.end() + 2] == b"\r\n":
            head, body = b"", content[found.end() + 2 :]
        yield Reply(int(found[1]), _headers(head), body.rstrip(b"\r\n"), reply.told)


def _headers(head: bytes) -> Mapping[str, str]:
    pairs = (line.partition(b":") for line in head.splitlines())
    named = [(name.strip(), value.strip()) for name, colon, value in pairs if colon]
    return httpx.Headers(named)


def _told(root: str, requests: Sequence[Request]) -> Iterator[dict[str, Any]]:
    for n, request in enumerate(requests, 1):
        told: dict[str, Any] = {
            "id": str(n),
            "method": request.method,
            "url": request.url.removeprefix(f"{root}/"),
            "headers": {**request.headers},
        }
        if request.content is not None:
            told["body"] = msgspec.Raw(request.content)
        yield told


class _Answer(msgspec.Struct):
    id: str
    status: int
    headers: dict[str, str] = {}
    body: msgspec.Raw = msgspec.Raw(b"")


class _Answers(msgspec.Struct):
    responses: list[_Answer]


_ANSWERS = msgspec.json.Decoder(_Answers)


def _answers(reply: Reply, count: int) -> list[Reply | None]:
    try:
        told = _ANSWERS.decode(reply.content)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UnreadableError(f"the answer to a batch is none: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableError(f"the answer to a batch is garbled: {error}", garbled=True) from error
    found: list[Reply | None] = [None] * count
    places = {str(n + 1): n for n in range(count)}
    for answer in told.responses:
        place = places.get(answer.id)
        if place is None:
            name = answer.id[:20]
            raise UnreadableError(f"an answer came to request '{name}', which was not sent")
        body = bytes(answer.body)
        content = b"" if body == b"null" else body
        headers = httpx.Headers(
            {name.encode(): told.encode() for name, told in answer.headers.items()}
        )
        found[place] = Reply(answer.status, headers, content, reply.told)
    return found
