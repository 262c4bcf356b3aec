"""``$batch``: many requests in one, each answered by what answers it alone (protocols A11)."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response

from runner.sandbox.answers import Refusal, call_to, refused
from runner.sandbox.dataverse.multipart import (
    ChangeSet,
    Operation,
    answer_part,
    read,
    set_part,
    written,
)
from runner.sandbox.dataverse.session import BAD, Session, not_allowed
from runner.sandbox.store import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.sandbox.answers import Call

_SERVED = re.compile(r"/api/data/v9\.[0-2](/.*)")
_PLACE = re.compile(r"^\$([^/?()]+)")
_INHERITED = ("authorization", "host", "mscrmcallerid", "callerobjectid", "x-sandbox-admin")
"""What a batch says for all of its parts."""


class _FailedError(Exception):
    """A change set fails: all of it is undone. Holds the answer of what failed."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def batch(session: Session, answered: Callable[[Session], Response]) -> Response:
    """Answer a batch; ``answered`` answers one request."""
    if session.call.method != "POST":
        raise not_allowed(session.call.method)
    parts = read(session.call.headers.get("content-type", ""), session.call.body)
    count = sum(len(p.operations) if isinstance(p, ChangeSet) else 1 for p in parts)
    if count > session.manners.most_operations:
        raise Refusal(400, BAD, "The number of operations in the batch exceeds the limit of 1000.")
    return _Batch(session, answered).answer(parts)


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch. ``places`` are the records that its parts made, by their Content-IDs."""

    session: Session
    answered: Callable[[Session], Response]
    places: dict[str, str] = field(default_factory=dict)

    def answer(self, parts: Any) -> Response:
        going_on = "odata.continue-on-error" in self.session.call.prefer
        told, status = [], 200
        for part in parts:
            is_set = isinstance(part, ChangeSet)
            response, content = self._set(part) if is_set else self._one(part)
            told.append(content)
            if response.status_code >= 400 and self.session.manners.stops and not going_on:  # noqa: PLR2004
                status = response.status_code
                break
        boundary = f"batchresponse_{uuid.uuid4()}"
        kind = f"multipart/mixed; boundary={boundary}"
        headers = {"OData-Version": "4.0", "Content-Type": kind, **self.session.applied()}
        return Response(written(boundary, told), status, headers)

    def _one(self, operation: Operation) -> tuple[Response, bytes]:
        try:
            with self.session.store.savepoint():
                response = self._answered(operation)
        except Refusal as refusal:
            response = refused(refusal)
        return response, answer_part(response)

    def _set(self, changes: ChangeSet) -> tuple[Response, bytes]:
        """Answer a change set: all of it, or one error in the place of the whole."""
        before = dict(self.places)
        told: list[bytes] = []
        last = Response(status_code=200)
        try:
            with self.session.store.savepoint(kept=not self.session.manners.atomic):
                for operation in changes.operations:
                    last = self._changed(operation)
                    told.append(answer_part(last, operation.id))
        except _FailedError as failed:
            self.places.clear()
            self.places.update(before)
            return failed.response, answer_part(failed.response)
        return last, set_part(f"changesetresponse_{uuid.uuid4()}", told)

    def _changed(self, operation: Operation) -> Response:
        if operation.method == "GET":
            refusal = Refusal(400, BAD, "GET is not allowed inside of a change set.")
            raise _FailedError(refused(refusal))
        try:
            return self._answered(operation)
        except Refusal as refusal:
            raise _FailedError(refused(refusal)) from refusal

    def _answered(self, operation: Operation) -> Response:
        call = self._call(operation)
        if call.path == "/$batch":
            raise Refusal(400, BAD, "A batch cannot hold another batch.")
        self.session.spend()
        response = self.answered(replace(self.session, call=call))
        place = response.headers.get("odata-entityid")
        if place:
            response.headers["Location"] = place
        if operation.id:
            self.places[operation.id] = place or f"{call.root}{call.path}"
        return response

    def _call(self, operation: Operation) -> Call:
        outer = self.session.call
        own = {name: outer.headers[name] for name in _INHERITED if name in outer.headers}
        return call_to(
            operation.method,
            self._path(operation.url),
            headers=Headers({**own, **operation.headers}),
            body=self._body(operation),
            root=outer.root,
        )

    def _path(self, url: str) -> str:
        """Find where a part leads: to a record made before, or below this service."""
        if url.startswith("$") and (found := _PLACE.match(url)):
            place = self._place(found[1])
            return place.removeprefix(self.session.call.root) + url[found.end() :]
        if "://" not in url and not url.startswith("/"):
            return f"/{url}"
        split = urlsplit(url)
        found = _SERVED.search(split.path)
        foreign = split.netloc and f"{split.scheme}://{split.netloc}" != self.session.call.origin
        if found is None or foreign:
            raise Refusal(404, BAD, f"Resource not found for the segment '{url}'.")
        return found[1] + (f"?{split.query}" if split.query else "")

    def _place(self, name: str) -> str:
        if name not in self.places:
            raise Refusal(
                400, BAD, f"Content-ID Reference: '${name}' does not exist in the batch context."
            )
        return self.places[name]

    def _body(self, operation: Operation) -> bytes:
        """Put records made before in the place of their Content-IDs."""
        body = operation.body.strip()
        try:
            document = decode(body)
        except ValueError:
            return body
        return encode(self._resolved(document)) if b'"$' in body else body

    def _resolved(self, value: Any, name: str = "") -> Any:
        match value:
            case dict():
                return {key: self._resolved(inner, key) for key, inner in value.items()}
            case list():
                return [self._resolved(inner, name) for inner in value]
            case str() if name.endswith(("@odata.bind", "@odata.id")) and value.startswith("$"):
                return self._place(value[1:])
            case _:
                return value
