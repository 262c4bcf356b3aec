"""Addresses that a secret may be sent to: whole ones, without user, encrypted but on loopback."""

from __future__ import annotations

from urllib.parse import urlsplit

from runner.errors import SystemUnavailableError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def host_of(url: str) -> str:
    """Return the host that an address of a server's names; empty where it names none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def must_do(system: str, url: str, what: str = "url", *, secret: bool) -> None:
    """Refuse an address that is none, or that would lay a secret open.

    ``what`` is its key in ``sync.yaml``; ``secret``: one is sent there over the network.

    Raises:
        SystemUnavailableError: it will not do; the words repeat nothing of it that may be secret.

    """
    if "@" in url.partition("://")[2].partition("/")[0]:
        hint = "put them under `auth:`, which never shows them"
        raise SystemUnavailableError(system, f"its {what} holds user or password", hint=hint)
    try:
        there = urlsplit(url)
        host, _ = there.hostname, there.port
    except ValueError as error:
        raise SystemUnavailableError(system, f"its {what} is none: {error}") from None
    if there.scheme not in ("http", "https") or not host:
        raise SystemUnavailableError(system, f"its {what} does not begin with https:// and a host")
    if there.scheme == "http" and secret and host not in _LOOPBACK:
        raise SystemUnavailableError(
            system, "plain http would show the password to the network", hint="use https"
        )
