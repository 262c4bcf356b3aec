"""Several writes in one request: how they are packed, and what the answers mean."""

from __future__ import annotations

import email
from typing import Any

import httpx
import msgspec
import pytest

from runner.connectors.line.http import Reply, Request
from runner.connectors.odata import batch
from runner.connectors.odata.batch import Form
from runner.connectors.problems import UnreadableError

ROOT = "https://crm.example/api/data/v9.2"
CREATE = Request(
    method="POST",
    url=f"{ROOT}/accounts?$select=name",
    headers={"OData-Version": "4.0", "Content-Type": "application/json"},
    about="accounts",
    content='{"name":"Søn --batch_of_writes"}'.encode(),
)
DELETE = Request(
    method="DELETE", url=f"{ROOT}/accounts(1)", headers={"If-Match": 'W/"1"'}, about="accounts"
)


@pytest.mark.parametrize(("form", "below"), [(Form.PATHS, "/api/data/v9.2/"), (Form.MULTIPART, "")])
def test_a_multipart_batch_holds_each_request_letter_by_letter(form: Form, below: str) -> None:
    packed = batch.packed(form, ROOT, [CREATE, DELETE], "two")
    assert (packed.method, packed.url) == ("POST", f"{ROOT}/$batch")
    assert packed.headers["Prefer"] == "odata.continue-on-error"
    head = f"Content-Type: {packed.headers['Content-Type']}\r\n\r\n".encode()
    assert packed.content is not None
    assert packed.content.count(b"\n") == packed.content.count(b"\r\n")
    whole: Any = email.message_from_bytes(head + packed.content)
    first, second = whole.get_payload()
    assert first.get_content_type() == "application/http"
    assert first.get_payload(decode=True) == (
        f"POST {below}accounts?$select=name HTTP/1.1\r\nHost: crm.example\r\n"
        "OData-Version: 4.0\r\nContent-Type: application/json\r\n\r\n"
    ).encode() + (CREATE.content or b"")
    assert second.get_payload(decode=True).startswith(
        f"DELETE {below}accounts(1) HTTP/1.1".encode()
    )


def test_a_json_batch_names_places_below_its_root() -> None:
    packed = batch.packed(Form.JSON, ROOT, [CREATE, DELETE], "two")
    assert msgspec.json.decode(packed.content or b"") == {
        "requests": [
            {
                "id": "1",
                "method": "POST",
                "url": "accounts?$select=name",
                "headers": CREATE.headers,
                "body": {"name": "Søn --batch_of_writes"},
            },
            {"id": "2", "method": "DELETE", "url": "accounts(1)", "headers": DELETE.headers},
        ]
    }


MULTIPART = (
    b"--r_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b'HTTP/1.1 204 No Content\r\nETag: W/"2"\r\nOData-Version: 4.0\r\n\r\n\r\n'
    b"--r_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b'HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\n\r\n{"error":1}\r\n'
    b"--r_1--\r\n"
)


def answered(content: bytes, kind: str = "multipart/mixed; boundary=r_1") -> Reply:
    return Reply(200, httpx.Headers({"Content-Type": kind}), content)


def test_answers_are_taken_apart_in_order() -> None:
    first, second, third = batch.unpacked(Form.MULTIPART, answered(MULTIPART), 3)
    assert first is not None
    assert (first.status, first.headers["etag"], first.content) == (204, 'W/"2"', b"")
    assert second is not None
    assert (second.status, second.content) == (412, b'{"error":1}')
    assert third is None


def test_answers_in_json_are_put_in_order() -> None:
    content = b"""{"responses":[{"id":"3","status":204},
        {"id":"1","status":201,"headers":{"ETag":"x"},"body":{"a":1.10}}]}"""
    first, second, third = batch.unpacked(Form.JSON, answered(content), 3)
    assert first is not None
    assert (first.status, first.headers["etag"], first.content) == (201, "x", b'{"a":1.10}')
    assert second is None
    assert third is not None
    assert (third.status, third.content) == (204, b"")


@pytest.mark.parametrize(
    ("form", "reply", "said"),
    [
        pytest.param(Form.MULTIPART, answered(b"{}", "application/json"), "no batch", id="JSON"),
        pytest.param(Form.MULTIPART, answered(MULTIPART[:-9]), "broke off", id="cut at the end"),
        pytest.param(Form.MULTIPART, answered(MULTIPART[:60]), "broke off", id="cut in a head"),
        pytest.param(
            Form.MULTIPART,
            answered(MULTIPART.replace(b"HTTP/1.1 ", b"")),
            "is none",
            id="no status",
        ),
        pytest.param(Form.JSON, answered(b'{"responses":['), "garbled", id="cut JSON"),
        pytest.param(Form.JSON, answered(b"[]"), "is none", id="no object"),
        pytest.param(
            Form.JSON, answered(b'{"responses":[{"id":"9","status":200}]}'), "'9'", id="strange id"
        ),
    ],
)
def test_what_is_no_answer_to_a_batch(form: Form, reply: Reply, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        batch.unpacked(form, reply, 3)


def test_more_answers_than_requests() -> None:
    with pytest.raises(UnreadableError, match="2 answers came to 1 requests"):
        batch.unpacked(Form.MULTIPART, answered(MULTIPART), 1)
