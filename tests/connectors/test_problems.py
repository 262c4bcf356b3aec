from __future__ import annotations

import pytest

from runner.connectors.problems import fault_of, one_line


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        pytest.param(
            b'{"error":{"code":"0x80040217","message":"account With Id = 7e  Does Not\\nExist"}}',
            "0x80040217",
            "account With Id = 7e Does Not Exist",
            id="V4",
        ),
        pytest.param(
            b'\xef\xbb\xbf{"error":{"code":"","message":"m","@Microsoft.PowerApps.CDS.HelpLink":"x"}}',
            "",
            "m",
            id="V4 with annotations and a mark",
        ),
        pytest.param(
            b'{"odata.error":{"code":"c","message":{"lang":"en-US","value":"v"}}}',
            "c",
            "v",
            id="V3",
        ),
        pytest.param(b'{"error":{"code":null,"message":null}}', "", "", id="nulls"),
        pytest.param(b'{"error":{"code":5,"message":["x"]}}', "5", "", id="odd types"),
        pytest.param(b'{"Message":"gateway"}', "", "gateway", id="gateway"),
        pytest.param(
            b'{"error":"invalid_client","error_description":"AADSTS7000215: wrong"}',
            "invalid_client",
            "AADSTS7000215: wrong",
            id="token endpoint",
        ),
        pytest.param(
            b"<!DOCTYPE html><HTML><TITLE>\n 502 &amp; Bad</TITLE>x", "", "502 & Bad", id="HTML"
        ),
        pytest.param(b"<h1>no title</h1>", "", "an HTML page", id="HTML without title"),
        pytest.param(b"upstream failed", "", "upstream failed", id="text"),
        pytest.param(b"", "", "", id="nothing"),
        pytest.param(b"\xff\xfe\x00", "", "��\x00", id="bytes"),
        pytest.param(b"[1]", "", "", id="a list"),
    ],
)
def test_every_form_of_error_is_read(body: bytes, code: str, message: str) -> None:
    fault = fault_of(400, body)
    assert (fault.code, fault.message) == (code, message)
    assert fault.words.startswith("HTTP 400 Bad Request")


def test_words_are_never_long_and_never_several_lines() -> None:
    assert one_line("a\r\n\tb") == "a b"
    assert len(one_line("x" * 10_000)) == 300
    assert len(fault_of(599, b"x" * 10_000).message) == 300
    assert fault_of(599, b"").words == "HTTP 599"
