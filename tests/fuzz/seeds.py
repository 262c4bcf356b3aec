"""Inputs to begin with: what is right, and what people and servers have got wrong before."""

from __future__ import annotations

# Seeds are texts.
# ruff: noqa: E501
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet

from runner.plan.file import VERSION
from tests.apply import test_companions, test_language
from tests.fuzz.targets import CUT, METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
"""Cases that were found, one file each, below the name of their target."""
_REPOSITORY = HERE.parents[1]


def seeds(name: str) -> list[bytes]:
    """Return what a target begins with, found cases included."""
    return [*_OWN[name](), *(path.read_bytes() for path in sorted((CORPUS / name).glob("*")))]


def _yaml() -> Iterator[bytes]:
    texts = [v for v in vars(test_companions).values() if isinstance(v, str) and "mapping:" in v]
    texts.append(
        test_language.MAPPING + "  - {shop: Name, desk: name, transform: {desk: [trim]}}\n"
    )
    yield from (text.encode() for text in texts)
    for path in sorted((_REPOSITORY / "mappings" / "nav-sales").glob("*s.yaml")):
        yield path.read_bytes()
    for folder in sorted((_REPOSITORY / "examples" / "broken").iterdir()):
        files = [folder / "sync.yaml", *sorted((folder / "mappings").glob("*.yaml"))[:1]]
        yield CUT.join(path.read_bytes() for path in files if path.is_file())


def _jmespath() -> Iterator[bytes]:
    yield from (
        text.encode()
        for text in (
            "customertypecode == `3` && statecode == `0`", "name == 'O\\'Brien' || !flag",
            "join(', ', [name, code])", "d > `0` && d || `0`", "starts_with(name, 'O')",
            "split(' ', name)[-1]", "day >= '2018-01-01' && at < '2018-02-01T00:00:00Z'",
            "contains(['A', 'AB'], code)", "to_number(name) == n", "replace(name, 'O', 'o')",
            "not_null(name, code, 'x')", "length(name) > `2`", "upper(name) == lower(code)",
            "sum([n, d])", "max_by(@, &n)", "!(!(!flag))", "`{}`", '`[1, "a", null]`', "n == '5'",
            "to_string(d)", "floor(d) == ceil(d)", "abs(n)", "((((name))))", "name[0]", "a.b", "'",
            "at > '0001-01-01T00:00:00+05:00'", "at < '9999-12-31T23:59:59-05:00'", "!(at > day)",
        )
    )  # fmt: skip


def _csdl() -> Iterator[bytes]:
    yield METADATA
    yield METADATA.replace(b'BaseType="S.B"', b'BaseType="S.T"')
    yield b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Edmx>&b;</Edmx>'
    yield METADATA.partition(b"<edmx:Data")[0] + b"<a>" * 3_000


def _odata() -> Iterator[bytes]:
    row = {
        "@odata.etag": 'W/"1"', "name": "A", "code": "B", "n": 1, "d": 1.5, "flag": True,
        "day": "2018-01-02", "at": "2018-01-02T03:04:05Z", "kind": "Person", "a": {"b": 2},
        "id": "15ed8ea0-b4e0-59ad-9b39-2656ddc24634",
    }  # fmt: skip
    yield json.dumps({"value": [row, {**row, "a": None}], "@odata.nextLink": "x"}).encode()
    yield json.dumps(row).encode()
    gone = {"id": "1", "reason": "deleted", "@odata.context": "x/$deletedEntity"}
    yield json.dumps({"value": [row, gone], "@odata.deltaLink": "y"}).encode()
    yield b'{"error": {"code": "0x1", "message": {"value": "no"}}}'
    yield b"<html><title>Bad &amp; gateway</title></html>"
    yield b"[" * 5_000
    yield b'{"value": [{"d": 1e999999999}]}'


def _batch() -> Iterator[bytes]:
    part = (
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        'HTTP/1.1 200 OK\r\nETag: W/"1"\r\n\r\n{"n": 1}\r\n'
    )
    yield ("multipart/mixed; boundary=b\n" + part * 3 + "--b--\r\n").encode()
    yield ("multipart/mixed; boundary=b\n" + part).encode()
    answers = [
        {"id": str(n), "status": 200 + n, "headers": {}, "body": {"n": n}} for n in (1, 2, 3)
    ]
    yield b"application/json\n" + json.dumps({"responses": answers}).encode()
    yield b'application/json\n{"responses": [{"id": "99999999999999999999", "status": 1}]}'


def _answers() -> Iterator[bytes]:
    row = b'{"@odata.etag": "W/1", "Id": "15ed8ea0-b4e0-59ad-9b39-2656ddc24634", "Amount": 1.50, '
    row += b'"Kind": "A", "Where": {"City": "York"}}'
    yield (
        b'200\nETag: W/"1"\n\n{"value": [' + row + b'], "@odata.nextLink": "http://server/Ts?x=2"}'
    )
    yield b"201\nOData-EntityId: http://server/Ts(15ed8ea0-b4e0-59ad-9b39-2656ddc24634)\n\n" + row
    yield b"204\nLocation: http://server/Ts('x')\n\n"
    yield b"429\nRetry-After: 5\nDate: Thu, 26 Nov 2026 12:00:00 GMT\nx-ms-dop-hint: 4\n\n"
    yield b"503\nRetry-After: Thu, 26 Nov 2026 12:00:05 GMT\n\n<html><title>Busy</title></html>"
    yield b"301\nLocation: https://[elsewhere/\n\n"
    yield b'400\n\n{"error": {"code": "0x1", "message": {"value": "no"}}}'
    yield b'200\n\n{"value": [' + row + b'], "@odata.nextLink": "//[x"}'
    yield b"200\nDate: Thu, 26 Nov 2026 12:00:00 +999999999999999999\n\n17"
    yield b"429\nRetry-After: Thu, 26 Nov 99999999999999999999 12:00:00 GMT\n\n"
    yield from (b"200\nContent-Type: " + data.replace(b"\n", b"\n\n", 1) for data in _batch())


def _files() -> Iterator[bytes]:
    yield b'.csv\ncode,name,"n"\n10,"O\'Brien, ""x""",1\n20,,2\n'
    yield b".csv\n\xef\xbb\xbfcode;name\r\n10;\xc3\xb8\r\n"
    yield b'.json\n[{"code": "10", "n": 1.50, "on": true, "at": null, "more": [1]}, {"code": "20"}]'
    yield b'.ndjson\n{"code": "10", "n": 1e5}\n{"code": "20", "n": "x"}\n'
    yield b".json\n" + b"[" * 5_000
    yield b'.json\n[{"a": ' + b"[" * 5_000
    rows = pa.table({"code": ["10", "20"], "n": [1, None], "at": [None, None]})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(rows, buffer)
    yield b".parquet\n" + buffer.getvalue()


def _plan() -> Iterator[bytes]:
    summary = {
        "name": "m", "direction": "both", "left": "l", "right": "r", "left_entity": "L",
        "right_entity": "R", "counts": {"create left": 1}, "filtered": {}, "read": {},
        "unchanged": 0,
    }  # fmt: skip
    header = {
        "version": VERSION, "selection": {"mappings": ["m"]}, "project": "p", "environment": "", "created": "2026-01-01T00:00:00Z",
        "digest": "d", "state_id": "s", "state_serial": 1, "interrupted": 0, "mappings": [summary],
    }  # fmt: skip
    yield json.dumps(header).encode()
    yield json.dumps({**header, "mappings": None}).encode()
    yield json.dumps({**header, "more": 1}).encode()
    yield b"no plan at all"
    yield b"\x00" * 8 + b"DUCK" + b"\x40" + b"\x00" * 5_000


_OWN = {
    "yaml": _yaml, "jmespath": _jmespath, "csdl": _csdl, "odata": _odata, "batch": _batch,
    "answers": _answers, "files": _files, "plan": _plan,
}  # fmt: skip
