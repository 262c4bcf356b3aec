"""The token endpoint, and what comes of tokens (E2; A1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from runner.sandbox import APPLICATION, SECRET, STRANGER
from tests.contract.control import behaving, wait
from tests.contract.dataverse_asking import fault
from tests.contract.server import Case

if TYPE_CHECKING:
    import httpx

    from tests.contract.server import Server

TENANT = "sandbox.example"
FORM = "application/x-www-form-urlencoded"


def origin(server: Server) -> str:
    split = urlsplit(server.url)
    return f"{split.scheme}://{split.netloc}"


def ask(server: Server, tenant: str = TENANT, kind: str = FORM, **told: str) -> httpx.Response:
    given = {
        "grant_type": "client_credentials",
        "client_id": APPLICATION,
        "client_secret": SECRET,
        "scope": f"{origin(server)}/.default",
        **told,
    }
    content = urlencode({name: value for name, value in given.items() if value}).encode()
    url = server.url.removesuffix("/api/data/v9.2") + f"/{tenant}/oauth2/v2.0/token"
    return server("POST", url, content=content, Content_Type=kind, Authorization="")


def token(server: Server, **told: str) -> Server:
    """The server, asked with a token of the endpoint."""
    answer = ask(server, **told)
    assert answer.status_code == 200, answer.text
    return replace(server, headers={"Authorization": f"Bearer {answer.json()['access_token']}"})


def a_token_lets_its_application_in(server: Server) -> None:
    answer = ask(server)
    told: dict[str, Any] = answer.json()
    assert answer.headers["content-type"].startswith("application/json")
    assert told.keys() == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3_599)
    assert token(server)("GET", "/WhoAmI").status_code == 200


def tokens_last_as_long_as_they_say(server: Server) -> None:
    with behaving(server, token_seconds=60):
        own = token(server)
        wait(server, 55)
        assert own("GET", "/WhoAmI").status_code == 200
        wait(server, 65)
        answer = own("GET", "/WhoAmI")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=http")
        assert token(server)("GET", "/WhoAmI").status_code == 200, "a new one does it"


def what_is_no_token_lets_nobody_in(server: Server) -> None:
    whole = token(server).headers["Authorization"]
    for text in ("Bearer nonsense", "Bearer", "Basic c2FuZGJveA==", whole[:-4], f"{whole}x"):
        assert server("GET", "/WhoAmI", Authorization=text).status_code == 401, text


def an_application_without_a_user_is_shut_out(server: Server) -> None:
    answer = token(server, client_id=STRANGER)("GET", "/WhoAmI")
    assert fault(answer) == (403, "0x80072560")
    assert "not a member of the organization" in answer.json()["error"]["message"]


def each_refusal_has_a_number(server: Server) -> None:
    table: tuple[tuple[dict[str, str], int, str, int], ...] = (
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"tenant": "elsewhere"}, 400, "invalid_request", 90002),
        ({"scope": "https://other.crm4.dynamics.com/.default"}, 400, "invalid_resource", 500011),
        ({"scope": origin(server)}, 400, "invalid_scope", 1002012),
        ({"kind": "application/json"}, 400, "invalid_request", 900144),
    )
    for given, status, error, number in table:
        answer = ask(server, **given)
        told = answer.json()
        assert (answer.status_code, told["error"]) == (status, error), given
        assert told["error_codes"] == [number]
        assert told["error_description"].startswith(f"AADSTS{number}: ")
        assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= told.keys()
        assert "access_token" not in told


_LINE = (
    "Token endpoint with all error JSONs; lifetime short on demand; token without app user → 403"
)
CASES = tuple(
    Case(line=_LINE, holds=holds, sandbox=True)
    for holds in (
        a_token_lets_its_application_in,
        tokens_last_as_long_as_they_say,
        what_is_no_token_lets_nobody_in,
        an_application_without_a_user_is_shut_out,
        each_refusal_has_a_number,
    )
)
