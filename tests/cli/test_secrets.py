"""Where secrets are read from, and what is said where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from runner.cli import secrets
from runner.cli.secrets import NoSecretError
from runner.config import load
from runner.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-9f2b"


class Keyring:
    """A keyring that holds one secret, or is locked."""

    errors = SimpleNamespace(KeyringError=RuntimeError)

    def __init__(self, *, locked: bool = False) -> None:
        self.locked = locked

    def get_password(self, service: str, user: str) -> str | None:
        if self.locked:
            raise self.errors.KeyringError("it is locked")
        return CANARY if (service, user) == ("nav.example.com", "SYNC/1") else None


def test_an_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAV_KEY", CANARY)
    assert secrets.read("NAV_KEY", tmp_path).reveal() == CANARY
    monkeypatch.delenv("NAV_KEY")
    with pytest.raises(NoSecretError, match="environment variable NAV_KEY is not set"):
        secrets.read("NAV_KEY", tmp_path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_holds_one_line(tmp_path: Path, end: str) -> None:
    (tmp_path / "key").write_bytes(f"{CANARY}{end}".encode())
    assert secrets.read("file:key", tmp_path).reveal() == CANARY
    assert secrets.read(f"file:{tmp_path / 'key'}", tmp_path / "elsewhere").reveal() == CANARY


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no secret"),
        (b"\n", "holds no secret"),
        (f"{CANARY}\n{CANARY}\n".encode(), "one line is wanted"),
        (CANARY.encode() * 10_000, "holds no secret"),
        (f"{CANARY}\xff".encode("latin-1"), "is no text"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_holds_none(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(NoSecretError, match=words) as caught:
        secrets.read("file:key", tmp_path)
    assert CANARY not in str(caught.value)
    assert not isinstance(caught.value.__cause__, UnicodeDecodeError)


def test_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Keyring())
    assert secrets.read("keyring:nav.example.com/SYNC/1", tmp_path).reveal() == CANARY
    with pytest.raises(NoSecretError, match="holds nothing for 'ME' of 'nav'") as caught:
        secrets.read("keyring:nav/ME", tmp_path)
    assert caught.value.hint == "`keyring set nav ME` puts it there"
    monkeypatch.setitem(sys.modules, "keyring", Keyring(locked=True))
    with pytest.raises(NoSecretError, match="cannot be read: it is locked"):
        secrets.read("keyring:nav/ME", tmp_path)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(NoSecretError, match="its library is not installed"):
        secrets.read("keyring:nav/ME", tmp_path)


SYNC = """systems:
  nav: {connector: nav, url: "sandbox:nav", company: X}
  crm: {connector: dataverse, url: "https://c.example.com", auth: {token: "%s"}}
"""
MAPPING = """mapping: m
direction: both
nav: {entity: Customer, key: "No"}
crm: {entity: accounts, key: accountid}
fields:
  - {nav: Name, crm: name}
"""


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("${CRM_TOKEN}", "CRM_TOKEN"),
        ("${file:/run/secrets/crm}", "file:/run/secrets/crm"),
        ("${file:secrets/crm token}", "file:secrets/crm token"),
        ("${keyring:crm.example.com/sync@example.com}", "keyring:crm.example.com/sync@example.com"),
        (CANARY, None),
        ("${keyring:alone}", None),
        ("${file:}", None),
        ("file:/run/secrets/crm", None),
        ("x${CRM_TOKEN}", None),
    ],
)
def test_what_sync_yaml_may_say(tmp_path: Path, told: str, kept: str | None) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "m.yaml").write_text(MAPPING)
    (tmp_path / "sync.yaml").write_text(SYNC % told)
    if kept is None:
        with pytest.raises(ConfigError, match="a secret must not stand in the file") as caught:
            load(tmp_path)
        assert CANARY not in str(caught.value)
        return
    auth = load(tmp_path).system("crm").auth
    assert auth is not None
    assert auth.token_env == kept
