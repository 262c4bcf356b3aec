"""Where secrets stand: in an environment variable, a file, or the keyring of this machine."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from runner.connectors.line.secret import Secret
from runner.errors import RunnerError

if TYPE_CHECKING:
    from pathlib import Path

FILE, KEYRING = "file:", "keyring:"
_LONGEST = 64 * 1024
"""Bytes of a file that holds a secret; a larger one holds something else."""


class NoSecretError(RunnerError):
    """There is no secret where one should be; the message says where that is, and never what."""


def read(place: str, root: Path) -> Secret:
    """Read a secret: ``NAME``, ``file:PATH`` (relative to the project), ``keyring:SERVICE/USER``.

    Raises:
        NoSecretError: there is none.

    """
    if place.startswith(FILE):
        return Secret(_from_file(root / place.removeprefix(FILE)))
    if place.startswith(KEYRING):
        return Secret(_from_keyring(place.removeprefix(KEYRING)))
    if place not in os.environ:
        raise NoSecretError(f"environment variable {place} is not set")
    return Secret(os.environ[place])


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        text = content.decode()
    except OSError as error:
        raise NoSecretError(f"the secret in {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Not chained: the error holds the content.
        raise NoSecretError(f"the secret in {path} is no text") from None
    found = text.removesuffix("\n").removesuffix("\r")
    if not found or len(content) > _LONGEST or "\n" in found:
        raise NoSecretError(f"{path} holds no secret: one line is wanted")
    return found


def _from_keyring(place: str) -> str:
    service, _, user = place.partition("/")
    try:
        keyring = importlib.import_module("keyring")
    except ImportError as error:
        raise NoSecretError(
            "the keyring cannot be read: its library is not installed",
            hint="install sync-run with the extra `keyring`",
        ) from error
    try:
        found = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise NoSecretError(f"the keyring cannot be read: {error}") from error
    if not found:
        raise NoSecretError(
            f"the keyring holds nothing for '{user}' of '{service}'",
            hint=f"`keyring set {service} {user}` puts it there",
        )
    return str(found)
