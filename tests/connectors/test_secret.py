from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from runner.connectors.line.http import Credentials
from runner.connectors.line.secret import Secret
from runner.connectors.microsoft.dataverse import Dataverse
from runner.connectors.microsoft.nav import Nav
from runner.errors import SystemUnavailableError

CANARY = "canary-7f3a"


def test_a_secret_shows_nothing() -> None:
    secret = Secret(CANARY)
    known = Credentials(user="u", password=secret, token=secret)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>9}", repr(known)]
    assert not any(CANARY in text for text in shown)
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("leak", [dataclasses.asdict, copy.deepcopy, pickle.dumps])
def test_a_secret_is_not_copied_out(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError):
        leak(Credentials(token=Secret(CANARY)))


def test_a_secret_never_changes() -> None:
    secret = Secret(CANARY)
    with pytest.raises(AttributeError):
        secret._value = "x"
    assert secret == Secret(CANARY)
    assert hash(secret) == hash(Secret(CANARY))
    assert secret != CANARY


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("http://crm.example", "plain http", id="plain"),
        pytest.param("https://user:canary-7f3a@crm.example", "holds user", id="in the url"),
        pytest.param("crm.example", "https://", id="no scheme"),
        pytest.param("ftp://crm.example", "https://", id="another scheme"),
        pytest.param("https://crm.example:x", "url is none", id="no port"),
        pytest.param("", "https://", id="nothing"),
    ],
)
def test_an_address_that_would_not_do_is_refused(url: str, said: str) -> None:
    known = Credentials(token=Secret(CANARY))
    with pytest.raises(SystemUnavailableError, match=said) as caught:
        Dataverse("crm", url, known)
    assert CANARY not in str(caught.value)
    with pytest.raises(SystemUnavailableError, match=said):
        Nav("nav", url, "Company", known)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:7048/x", "http://127.0.0.1:1/x", "http://[::1]:1/x", "https://a.example"],
)
def test_loopback_and_https_are_safe(url: str) -> None:
    Dataverse("crm", url, Credentials(user="u", password=Secret(CANARY)))
    Dataverse("crm", "http://crm.example", None)


@pytest.mark.parametrize("token", ["", "line\n", "two words", "tokén"])
def test_a_token_that_cannot_be_sent_is_told_before(token: str) -> None:
    with pytest.raises(SystemUnavailableError, match="its token cannot be sent") as caught:
        Dataverse("crm", "https://crm.example", Credentials(token=Secret(token)))
    assert "line end" in caught.value.hint
