"""The canaries, and the servers that try to make them sing."""

from __future__ import annotations

import threading
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

WORD = "kanari"
LONG = WORD * 200
"""As long as real tokens are: longer than any line that is shown of a server's words."""
SHORT = f"{WORD}!{WORD}"
USER = "ann"
PAIR = b64encode(f"{USER}:{SHORT}".encode()).decode()
PIECE = 10
"""So many letters in a row of a secret in base64 are a leak."""


def leaks(text: str | bytes) -> list[str]:
    """Return what a text gives away of the canaries, in the clear, turned or in base64."""
    shown = text if isinstance(text, str) else text.decode("latin-1")
    pieces = {PAIR[at : at + PIECE] for at in range(len(PAIR) - PIECE)}
    return [p for p in (WORD, WORD.upper(), WORD[::-1], *sorted(pieces)) if p in shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an echoing server says; ``{echo}`` stands for all that it was told in secret."""

    status: int
    body: str = ""
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


PADDING = "x" * 150
ANSWERS: Mapping[str, Answer] = {
    "refused": Answer(
        status=401,
        body='{"error":{"code":"{echo}","message":"{echo}"}}',
        headers={"WWW-Authenticate": "Bearer {echo}", "X-Echo": "{echo}"},
    ),
    "forbidden": Answer(status=403, body=f'{{"error":{{"message":"{PADDING} {{echo}}"}}}}'),
    "wrong": Answer(status=400, body='{"error":"{echo}","error_description":"x {echo}"}'),
    "page": Answer(status=404, body="<title>no {echo}</title>{echo}", kind="text/html"),
    "text": Answer(status=409, body="{echo}", kind="text/plain"),
    "elsewhere": Answer(status=302, headers={"Location": "https://x.example/{echo}"}),
    "elsewhere as user": Answer(status=302, headers={"Location": "https://{echo}@x.example/"}),
    "signed out": Answer(status=200, body="<html><title>{echo}</title>", kind="text/html"),
    "another form": Answer(status=200, body='{"value":"{echo}"}'),
    "another value": Answer(status=200, body='{"value":[{"name":"{echo}"}],"{echo}":1}'),
}
BUSY: Mapping[str, Answer] = {
    "failed": Answer(status=500, body='{"error":{"code":"{echo}","message":"{echo}"}}'),
    "gateway": Answer(status=502, body="<title>{echo}</title>", kind="text/html"),
    "throttled": Answer(status=429, body="{echo}", headers={"Retry-After": "9"}),
    "garbled": Answer(status=200, body='{"value":[{"{echo}'),
    "broke off": Answer(status=200, body='{"value":[],"error":{"message":"{echo}"}}'),
    "no header": Answer(status=200, headers={"X Echo {echo}": "{echo}"}),
}
"""Answers after which a client asks again."""


@contextmanager
def echoing(answer: Answer | Callable[[str], Answer]) -> Iterator[str]:
    """Serve one answer to all requests, or one by the path; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            told = [self.headers.get("Authorization", ""), self.headers.get("X-Api-Key", "")]
            told.append(self.rfile.read(size).decode("utf-8", "replace"))
            echo = " ".join(part for part in told if part).replace('"', "'")
            found = answer if isinstance(answer, Answer) else answer(self.path)
            body = found.body.replace("{echo}", echo).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in found.headers.items():
                self.send_header(name.replace("{echo}", echo), value.replace("{echo}", echo))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    thread = threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        served.server_close()
        thread.join()
