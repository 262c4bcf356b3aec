"""``$batch`` (E2; A11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import msgspec

from tests.contract.dataverse_asking import account, at, contact, guid, unique
from tests.contract.server import Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from tests.contract.server import Server

ON = "odata.continue-on-error"
PATH = "/api/data/v9.2"


@dataclass(frozen=True, slots=True)
class Part:
    """One answer of a batch; ``set``: it stood in a change set."""

    status: int
    headers: dict[str, str]
    body: Any
    id: str = ""
    set: bool = False

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"]).lower()


def operation(method: str, url: str, body: Any = None, id: str = "", **headers: str) -> str:  # noqa: A002
    told = f"Content-ID: {id}\r\n" if id else ""
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        own["Content-Type"] = "application/json"
    lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    content = msgspec.json.encode(body).decode() if body is not None else ""
    return (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        f"{told}\r\n{method} {url} HTTP/1.1\r\n{lines}\r\n{content}\r\n"
    )


def changes(*operations: str) -> str:
    inner = "".join(f"--changeset_a\r\n{one}" for one in operations)
    return (
        f'Content-Type: multipart/mixed; boundary="changeset_a"\r\n\r\n{inner}--changeset_a--\r\n'
    )


def written(*parts: str) -> bytes:
    return ("".join(f"--batch_a\r\n{part}" for part in parts) + "--batch_a--\r\n").encode()


def send(server: Server, content: bytes, prefer: str = "") -> httpx.Response:
    kind = 'multipart/mixed; boundary="batch_a"'
    return server("POST", "/$batch", content=content, Content_Type=kind, Prefer=prefer)


def read(answer: httpx.Response) -> list[Part]:
    return [one for part in _inner(answer.headers["content-type"], answer.content) for one in part]


def _inner(kind: str, content: bytes) -> Sequence[Sequence[Part]]:
    assert kind.startswith("multipart/mixed; boundary="), kind
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + content)
    assert not message.defects, message.defects
    found = []
    for part in message.iter_parts():
        if part.is_multipart():
            found.append([_part(inner, inside=True) for inner in part.iter_parts()])
        else:
            found.append([_part(part)])
    return found


def _part(part: Any, *, inside: bool = False) -> Part:
    assert part.get_content_type() == "application/http"
    assert part["Content-Transfer-Encoding"] == "binary"
    head, _, body = part.get_payload(decode=True).partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    assert line.startswith("HTTP/1.1 ")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    text = body.strip()
    told = msgspec.json.decode(text) if text else None
    return Part(int(line.split()[1]), headers, told, part["Content-ID"] or "", inside)


@dataclass(slots=True)
class Ours:
    """Names of records of ours, for finding out what a batch made."""

    server: Server
    town: str = field(default_factory=lambda: unique("Town"))

    def body(self, **more: Any) -> dict[str, Any]:
        return {"name": "x", "address1_city": self.town, **more}

    def found(self) -> list[dict[str, Any]]:
        path = f"/accounts?$select=name,fax&$filter=address1_city eq '{self.town}'"
        rows: list[dict[str, Any]] = self.server("GET", path).json()["value"]
        return rows

    def clean(self) -> None:
        for row in self.found():
            self.server("DELETE", f"/accounts({row['accountid']})")


def parts_are_answered_as_if_they_were_alone(server: Server) -> None:
    with account(server, name="Alpha") as made:
        path = f"{PATH}{at(made)}"
        answer = send(
            server,
            written(
                operation("GET", f"{path}?$select=name"),
                operation("PATCH", path, {"fax": "1"}, If_Match=made["@odata.etag"]),
                operation("PATCH", path, {"fax": "2"}, If_Match=made["@odata.etag"]),
                operation(
                    "PATCH", f"{path}?$select=fax", {"fax": "3"}, Prefer="return=representation"
                ),
                operation("DELETE", f"{PATH}/accounts({guid()})"),
            ),
            ON,
        )
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("multipart/mixed; boundary=batchresponse_")
        one, two, three, four, five = read(answer)
        assert (one.status, one.body["name"], one.body["accountid"]) == (
            200,
            "Alpha",
            made["accountid"],
        )
        assert two.status == 204
        assert (three.status, three.code) == (412, "0x80060882")
        assert (four.status, four.body["fax"]) == (200, "3")
        assert (five.status, five.code) == (404, "0x80040217")


def creates_in_a_batch_say_where(server: Server) -> None:
    ours = Ours(server)
    [part] = read(send(server, written(operation("POST", f"{PATH}/accounts", ours.body()))))
    [row] = ours.found()
    assert part.status == 204
    assert part.headers["odata-entityid"].endswith(f"/accounts({row['accountid']})")
    assert part.headers["location"] == part.headers["odata-entityid"]
    ours.clean()


def places_may_be_absolute_or_relative(server: Server) -> None:
    with account(server) as made:
        whole = f"{server.url}{at(made)}?$select=name"
        answer = send(
            server,
            written(*(operation("GET", u) for u in (whole, f"{at(made)[1:]}?$select=name"))),
        )
        assert [part.status for part in read(answer)] == [200, 200]


def the_first_error_stops_a_batch(server: Server) -> None:
    ours = Ours(server)
    content = written(
        operation("POST", f"{PATH}/accounts", ours.body()),
        operation("POST", f"{PATH}/accounts", {"name": "x" * 161}),
        operation("POST", f"{PATH}/accounts", ours.body()),
    )
    answer = send(server, content)
    assert answer.status_code == 400
    assert [part.status for part in read(answer)] == [204, 400]
    assert len(ours.found()) == 1, "what came before stays"
    answer = send(server, content, ON)
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == ON
    assert [part.status for part in read(answer)] == [204, 400, 204]
    assert len(ours.found()) == 3
    ours.clean()


def a_change_set_is_atomic(server: Server) -> None:
    ours = Ours(server)
    content = written(
        operation("POST", f"{PATH}/accounts", ours.body(name="before")),
        changes(
            operation("POST", f"{PATH}/accounts", ours.body(), "1"),
            operation("POST", f"{PATH}/accounts", {"name": "x" * 161}, "2"),
        ),
        operation("POST", f"{PATH}/accounts", ours.body(name="after")),
    )
    answer = send(server, content, ON)
    assert answer.status_code == 200
    parts = read(answer)
    assert [(part.status, part.set) for part in parts] == [(204, False), (400, False), (204, False)]
    assert parts[1].code == "0x80044331"
    assert sorted(row["name"] for row in ours.found()) == ["after", "before"]
    answer = send(server, content)
    assert answer.status_code == 400
    assert [part.status for part in read(answer)] == [204, 400]
    ours.clean()


def a_change_set_answers_part_by_part(server: Server) -> None:
    ours = Ours(server)
    content = written(
        changes(
            operation("POST", f"{PATH}/accounts", ours.body(), "7"),
            operation("POST", f"{PATH}/accounts", ours.body(), "8"),
        )
    )
    parts = read(send(server, content))
    assert [(part.status, part.id, part.set) for part in parts] == [
        (204, "7", True),
        (204, "8", True),
    ]
    ours.clean()


def later_parts_refer_to_earlier_ones(server: Server) -> None:
    ours, name = Ours(server), unique("Contact")
    bind = "parentcustomerid_account@odata.bind"
    content = written(
        changes(
            operation("POST", f"{PATH}/accounts", ours.body(), "1"),
            operation("POST", f"{PATH}/contacts", {"lastname": name, bind: "$1"}, "2"),
            operation("PATCH", "$1", {"fax": "5"}, "3"),
        )
    )
    assert [part.status for part in read(send(server, content))] == [204, 204, 204]
    [row] = ours.found()
    path = f"/contacts?$select=_parentcustomerid_value&$filter=lastname eq '{name}'"
    [found] = server("GET", path).json()["value"]
    assert row["fax"] == "5"
    assert found["_parentcustomerid_value"] == row["accountid"]
    server("DELETE", f"/contacts({found['contactid']})")
    ours.clean()


def an_unknown_reference_is_refused(server: Server) -> None:
    ours = Ours(server)
    bind = {"lastname": "x", "parentcustomerid_account@odata.bind": "$2"}
    content = written(
        changes(
            operation("POST", f"{PATH}/contacts", bind, "1"),
            operation("POST", f"{PATH}/accounts", ours.body(), "2"),
        )
    )
    answer = send(server, content)
    [part] = read(answer)
    assert (answer.status_code, part.status) == (400, 400)
    words = "Content-ID Reference: '$2' does not exist in the batch context."
    assert words in part.body["error"]["message"]
    assert ours.found() == []


def nothing_is_read_inside_a_change_set(server: Server) -> None:
    with contact(server) as made:
        path = f"{PATH}/contacts({made['contactid']})"
        inside = changes(
            operation("PATCH", path, {"fax": "9"}, "1"),
            operation("GET", path, id="2"),
        )
        assert send(server, written(inside)).status_code == 400
        assert server("GET", f"/contacts({made['contactid']})").json()["fax"] is None


def a_batch_is_written_to_the_letter(server: Server) -> None:
    ours = Ours(server)
    good = written(operation("POST", f"{PATH}/accounts", ours.body()))
    nameless = written(changes(operation("POST", f"{PATH}/accounts", ours.body())))
    for bad in (
        good.replace(b"\r\n", b"\n"),
        good.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
        good.replace(b"json\r\n\r\n", b"json\r\n"),
        good.replace(b"binary\r\n\r\n", b"binary\r\n"),
        good.replace(b"--batch_a--", b""),
        good.replace(b"batch_a", b"batch_b"),
        good.replace(b"application/http", b"application/json"),
        b"",
        nameless,
    ):
        assert send(server, bad).status_code == 400, bad
    kind = "multipart/mixed"
    told = server("POST", "/$batch", content=good, Content_Type=kind)
    assert told.status_code == 400
    assert ours.found() == []
    assert send(server, good).status_code == 200
    ours.clean()


def no_batch_in_a_batch(server: Server) -> None:
    [part] = read(send(server, written(operation("POST", f"{PATH}/$batch", {})), ON))
    assert part.status == 400


def a_thousand_operations_and_not_one_more(server: Server) -> None:
    path = f"{PATH}/accounts({guid()})?$select=name"
    assert send(server, written(*[operation("GET", path)] * 1_001), ON).status_code == 400
    answer = send(server, written(*[operation("GET", path)] * 1_000), ON)
    assert answer.status_code == 200
    assert [part.status for part in read(answer)] == [404] * 1_000


_LINE = (
    "$batch strict on CRLF/blank lines/boundaries, 1000 limit, atomic, Content-ID, stop-on-error"
)
CASES = tuple(
    Case(line=_LINE, holds=holds)
    for holds in (
        parts_are_answered_as_if_they_were_alone,
        creates_in_a_batch_say_where,
        places_may_be_absolute_or_relative,
        the_first_error_stops_a_batch,
        a_change_set_is_atomic,
        a_change_set_answers_part_by_part,
        later_parts_refer_to_earlier_ones,
        an_unknown_reference_is_refused,
        nothing_is_read_inside_a_change_set,
        a_batch_is_written_to_the_letter,
        no_batch_in_a_batch,
        a_thousand_operations_and_not_one_more,
    )
)
